"""Pooled: each statement on a connection of an engine's pool, in autocommit.

Law: before a resting connection is used it is looked at, so that one the server has ended is
replaced and nothing is lost. What may be repeated survives one broken connection; what the server
undid for the sake of others is repeated. A connection without its answer is never used again.
"""

import math
from typing import Any

import sqlalchemy as sa

from holdfast.clock import monotonic
from holdfast.errors import ConfigError, StoreTimeout, StoreUnavailable
from holdfast.store.sqlalchemy import errors
from holdfast.store.sqlalchemy.deadlines import bind, free, limit
from holdfast.store.sqlalchemy.links import Done, Duplicate, execute, size_of
from holdfast.store.sqlalchemy.sockets import cut, went_dead
from holdfast.store.sqlalchemy.statements import Statement, Values
from holdfast.store.sqlalchemy.table import create
from holdfast.store.sqlalchemy.turns import turns_of

__all__ = ["Pooled"]

_SEEN = "holdfast"  # in the notes SQLAlchemy keeps of each connection: it is not new
_FAST = {"postgresql", "mysql", "mariadb", "sqlite"}  # whose drivers take our values as they are


class Pooled:
    """Takes for each statement a connection of an engine, in autocommit.

    Args:
        name: The store's name.
        engine: Whose connections to take; of an `AsyncEngine` its `sync_engine`.
        table: Made at the first use where it is missing.
        timeout: Seconds an operation may take.
        ours: Whether the engine was made for us, in autocommit; else each connection is brought
            there and back.
    """

    joined = False

    def __init__(
        self, name: str, engine: sa.Engine, table: sa.Table, timeout: float, *, ours: bool
    ) -> None:
        self.name, self.engine, self.timeout = name, engine, timeout
        self._over = False
        self._table, self._ours = table, ours
        self._dialect = engine.dialect
        self._try = self._try_text if engine.dialect.name in _FAST else self._try_core
        self._automatic = engine.execution_options(isolation_level="AUTOCOMMIT")
        driver: Any = engine.dialect.dbapi
        self._errors = (*errors.ERRORS, driver.Error)
        self._binds = not ours or engine.dialect.driver == "pymysql"  # else it is bound for good
        self._there = False
        self._begin = "BEGIN IMMEDIATE" if engine.dialect.name == "sqlite" else ""
        self._turns = turns_of(engine, ours=ours)

    def run(
        self, statement: Statement, values: Values | list[Values], until: float, *, once: bool
    ) -> Done:
        """See `Links.run`."""
        if self._turns is None:
            return self._run(statement, values, until, once=once)
        if not self._turns.take(max(until - monotonic(), 0)):
            raise StoreTimeout(self.name, "other threads wrote for too long; nothing was done")
        try:
            return self._run(statement, values, until, once=once)
        finally:
            self._turns.give()

    def _run(
        self, statement: Statement, values: Values | list[Values], until: float, *, once: bool
    ) -> Done:
        limit.until = until if not self._dialect.is_async else math.inf
        trial = _Trial(there=self._there)
        try:
            while True:
                try:
                    done = self._try(statement, values, until, trial)
                except self._errors as error:
                    self._consider(error, trial, values, until, once=once)
                except (TypeError, ValueError, AttributeError) as error:
                    if trial.sent or not self._ours:
                        raise
                    raise ConfigError(
                        f"{self.name}: the driver refuses an option of the URL: {error}"
                    ) from error
                else:
                    self._there = True
                    return done
        finally:
            limit.until = math.inf

    def close(self) -> None:
        """Close what rests now, and the rest when it is given back; not those of another's."""
        if self._ours:
            self._over = True
            self.engine.dispose()

    def _consider(
        self,
        error: Exception,
        trial: "_Trial",
        values: Values | list[Values],
        until: float,
        *,
        once: bool,
    ) -> None:
        """Return if the statement may be sent again, else raise what the caller shall know."""
        if errors.is_duplicate(error, self._dialect):
            raise Duplicate from error
        sent, trial.sent = trial.sent, False
        late = monotonic() >= until
        if not late and sent and not trial.broken and not trial.there:
            self._make_table()  # if that is what was wrong; nothing was done
            trial.there = True
            return
        if not late and errors.is_lost_race(error):
            return
        if not late and sent and trial.broken and not once and not trial.again:
            trial.again = True
            return
        raise errors.translated(
            self.name,
            error,
            late=late,
            unknown=once and sent and trial.broken,
            timeout=self.timeout,
            size=size_of(values),
        ) from errors.root_of(error)

    def _make_table(self) -> None:
        try:
            create(self.engine, self._table, self._bind)
        except self._errors as error:
            root = errors.root_of(error)
            raise StoreUnavailable(
                self.name, f"there is no table, nor can it be made ({root})"
            ) from root
        self._there = True

    def _try_text(
        self,
        statement: Statement,
        values: Values | list[Values],
        until: float,
        trial: "_Trial",
    ) -> Done:
        """Run it on a driver's cursor: half the time SQLAlchemy's own way takes."""
        fairy = self._checkout(until)
        connection: Any = fairy.dbapi_connection
        trial.sent = True
        before = None
        try:
            if self._binds:
                before = bind(fairy.driver_connection)
            if not self._ours:
                self._dialect.set_isolation_level(connection, "AUTOCOMMIT")
            text, form = statement.text()
            cursor = connection.cursor()
            try:
                if isinstance(values, list):
                    _execute_all(cursor, text, [form(each) for each in values], self._begin)
                    done = Done((), 0)
                else:
                    cursor.execute(text, form(values))
                    rows = cursor.fetchall() if cursor.description else ()
                    done = Done(rows, cursor.rowcount)
            finally:
                cursor.close()
        except BaseException as error:
            trial.broken = not errors.is_answer(error, self._dialect)
            if trial.broken:
                _discard(fairy)
            else:
                self._give_back(fairy, before)
            raise
        self._give_back(fairy, before)
        return done

    def _checkout(self, until: float) -> sa.PoolProxiedConnection:
        while True:
            fairy = self.engine.pool.connect()
            notes = fairy.info
            if _SEEN in notes and went_dead(fairy.driver_connection):
                _discard(fairy)
                continue
            if monotonic() >= until:
                self._rest(fairy)
                raise sa.exc.TimeoutError
            notes[_SEEN] = True
            return fairy

    def _give_back(self, fairy: sa.PoolProxiedConnection, before: Any) -> None:
        """Put a connection that is whole back into its pool, as it was."""
        if not self._ours:
            try:
                connection: Any = fairy.dbapi_connection
                self._dialect.reset_isolation_level(connection)
                free(fairy.driver_connection, before)
            except BaseException:
                _discard(fairy)
                raise
        self._rest(fairy)

    def _rest(self, fairy: sa.PoolProxiedConnection) -> None:
        pool = self.engine.pool
        if self._over:
            fairy.invalidate()
        fairy.close()
        if self._over:
            pool.dispose()  # it came back after all the others were closed

    def _try_core(
        self,
        statement: Statement,
        values: Values | list[Values],
        until: float,
        trial: "_Trial",
    ) -> Done:
        """Run it as SQLAlchemy does, which knows the drivers that want their values prepared."""
        with self._automatic.connect() as connection:
            if monotonic() >= until:
                raise sa.exc.TimeoutError
            trial.sent = True
            self._bind(connection)
            try:
                return execute(connection, statement, values)
            except BaseException as error:
                trial.broken = not errors.is_answer(error, self._dialect)
                if trial.broken:
                    connection.invalidate()
                raise

    def _bind(self, connection: sa.Connection) -> None:
        if self._binds:
            bind(connection.connection.driver_connection)


class _Trial:
    """How far a statement came."""

    __slots__ = ("again", "broken", "sent", "there")

    def __init__(self, *, there: bool) -> None:
        self.there = there
        self.sent = self.broken = self.again = False


def _execute_all(cursor: Any, text: str, rows: list[Any], begin: str) -> None:
    """Run a statement for each of `rows`: other drivers than SQLite's bundle them by themselves."""
    if not begin:
        cursor.executemany(text, rows)
        return
    cursor.execute(begin)
    try:
        cursor.executemany(text, rows)
    except Exception:
        cursor.execute("ROLLBACK")
        raise
    cursor.execute("COMMIT")


def _discard(fairy: sa.PoolProxiedConnection) -> None:
    """Let go of a connection, and of its place in the pool, without waiting for the server."""
    cut(fairy.driver_connection)
    fairy.invalidate()
    fairy.close()
