"""Plain rows: the one table an older program keeps, a row for each key, bytes as it wrote them.

Law: the column `data` is bytes here, whatever type the table gives it: nothing is unpickled. A
statement is a transaction of its own; on a connection that was given, a part of its owner's.
`created` and `accessed` are local times without a zone, for the programs that delete by them.
"""

import contextlib
import datetime as dt
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from holdfast.clock import monotonic, wall
from holdfast.errors import KeyRejected
from holdfast.store.sqlalchemy import errors
from holdfast.store.sqlalchemy.addresses import is_in_memory, shown
from holdfast.store.sqlalchemy.deadlines import bind as bound
from holdfast.store.sqlalchemy.deadlines import free, limit
from holdfast.store.sqlalchemy.faces import leave_after_fork
from holdfast.store.sqlalchemy.links import Duplicate
from holdfast.store.sqlalchemy.plain_words import BYTES, statements
from holdfast.store.sqlalchemy.sockets import cut, went_dead
from holdfast.store.sqlalchemy.table import create
from holdfast.store.sqlalchemy.turns import Turns, turns_of

__all__ = ["BYTES", "PlainTable", "adopt", "make_missing"]

T = TypeVar("T")
Work = Callable[[sa.Connection], T]
_TIMEOUT = 5.0  # seconds of one operation
_PAGE = 1000


class PlainTable:
    """A table with the columns namespace, data, accessed and created; see `PlainStore`.

    Args:
        bind: An engine; or a connection, whose transaction this takes part in if there is one.
        table: The table; `make_missing` makes it.
    """

    def __init__(self, bind: sa.Engine | sa.Connection, table: sa.Table) -> None:
        self.name = f"{shown(bind.engine.url)} {table.fullname}"
        self._bind, self._table = bind, table
        self._said = statements(table)
        driver: Any = bind.dialect.dbapi
        self._errors = (*errors.ERRORS, driver.Error)
        self._turns = _turns_on(bind)

    def get(self, key: str) -> bytes | None:
        """See `PlainStore`."""
        query, where = self._said.read, self._where(key)
        found = self._run(lambda connection: connection.execute(query, where).scalar_one_or_none())
        return None if found is None else bytes(found)

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:  # noqa: ARG002 - rows know no ttl
        """See `PlainStore`."""
        while not self._change(self._said.update, self._where(key), _new=value, _now=_now()):
            if self._insert(key, value):
                return

    def delete(self, key: str) -> bool:
        """See `PlainStore`."""
        return self._change(self._said.delete, self._where(key))

    def swap(
        self,
        key: str,
        old: bytes | None,
        new: bytes | None,
        ttl: float | None = None,  # noqa: ARG002 - rows know no ttl
    ) -> bool:
        """See `PlainStore`."""
        if old is None:
            return self.get(key) is None if new is None else self._insert(key, new)
        where = self._where(key)
        if new is None:
            return self._change(self._said.delete_same, where, once=True, _old=old)
        return self._change(self._said.swap, where, once=True, _old=old, _new=new, _now=_now())

    def scan(self, prefix: str = "") -> Iterator[str]:
        """See `PlainStore`."""
        column = self._table.c.namespace
        query = sa.select(column).order_by(column).limit(_PAGE)
        if prefix:
            query = query.where(column.startswith(prefix, autoescape=True))
        page = self._page(query)
        while page:
            yield from (key for key in page if key.startswith(prefix))
            page = self._page(query.where(column > page[-1]))

    def _page(self, query: sa.Select[Any]) -> Sequence[str]:
        return self._run(lambda connection: connection.execute(query).scalars().all())

    def close(self) -> None:
        """Do nothing: the engine is its owner's."""

    def _where(self, key: str) -> dict[str, Any]:
        column = self._table.c.namespace
        longest = getattr(column.type, "length", None)
        try:
            key.encode()
        except UnicodeEncodeError:
            raise KeyRejected(f"{key!r} is no text a database takes") from None
        if "\0" in key or (longest and len(key) > longest and self._bind.dialect.name != "sqlite"):
            raise KeyRejected(
                f"{key[:60]!r}: the column {column.name} has room for {longest} characters, no NUL"
            )
        return {"_key": key}

    def _insert(self, key: str, value: bytes) -> bool:
        """Write a row that is not there yet; return whether it was done."""
        try:
            return self._change(
                self._said.insert, self._where(key), once=True, _new=value, _now=_now()
            )
        except Duplicate:
            return False

    def _change(
        self, statement: sa.UpdateBase, where: dict[str, Any], *, once: bool = False, **values: Any
    ) -> bool:
        keeps = {"preserve_rowcount": True}
        words = where | values
        return self._run(
            lambda connection: (
                connection.execute(statement, words, execution_options=keeps).rowcount > 0
            ),
            once=once,
        )

    def _run(self, work: Work[T], *, once: bool = False) -> T:
        """Return what `work` returns; see `errors` for what may be done again."""
        until, tries = monotonic() + _TIMEOUT, 0
        while True:
            tries += 1
            trial = _Trial()
            try:
                with self._turn(until):
                    return self._try(work, until, trial)
            except self._errors as error:
                if errors.is_duplicate(error, self._bind.dialect):
                    raise Duplicate from error
                late, ours = monotonic() >= until, isinstance(self._bind, sa.Engine)
                broke_first = trial.broken and not once and tries == 1
                if ours and not late and (broke_first or errors.is_lost_race(error)):
                    continue
                raise errors.translated(
                    self.name,
                    error,
                    late=late,
                    unknown=once and trial.broken,
                    timeout=_TIMEOUT,
                ) from errors.root_of(error)

    @contextlib.contextmanager
    def _turn(self, until: float) -> Iterator[None]:
        limit.until = until
        if self._turns is None:
            try:
                yield
            finally:
                limit.until = math.inf
            return
        if not self._turns.take(max(until - monotonic(), 0)):
            raise sa.exc.TimeoutError("other threads")
        try:
            yield
        finally:
            self._turns.give()
            limit.until = math.inf

    def _try(self, work: Work[T], until: float, trial: "_Trial") -> T:
        if isinstance(self._bind, sa.Connection):
            with _part_of(self._bind):
                return work(self._bind)
        leave_after_fork(self._bind)
        with self._bind.connect() as connection:
            _freshen(connection)
            before = bound(connection.connection.driver_connection)
            try:
                with connection.begin():
                    return work(connection)
            except BaseException as error:
                trial.broken = monotonic() >= until or not errors.is_answer(
                    error, self._bind.dialect
                )
                raise
            finally:
                _let_rest(connection, before, broken=trial.broken)


class _Trial:
    """How far a statement came."""

    broken = False


class _Alone:
    """One thread at a time: a connection is for one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def take(self, seconds: float) -> bool:
        return self._lock.acquire(timeout=seconds)

    def give(self) -> None:
        self._lock.release()


def _part_of(connection: sa.Connection) -> contextlib.AbstractContextManager[object]:
    """Return what a statement is within: a step of its owner's transaction, or its own."""
    if not connection.in_transaction():
        return connection.begin()
    if connection.dialect.name == "sqlite":  # undoes a statement alone; a savepoint might commit
        return contextlib.nullcontext()
    return connection.begin_nested()


_turns: WeakKeyDictionary[sa.Engine, Turns | None] = WeakKeyDictionary()
_guard = threading.Lock()


def _turns_on(bind: sa.Engine | sa.Connection) -> Turns | None:
    if isinstance(bind, sa.Connection):
        return _Alone()
    leave_after_fork(bind)  # so that it is known whose process it came from
    with _guard:
        return _turns[bind] if bind in _turns else turns_of(bind, ours=False)


def adopt(engine: sa.Engine) -> sa.Engine:
    """Return an engine that was made for us: while it works on SQLite nobody forks."""
    with _guard:
        _turns[engine] = turns_of(engine, ours=not is_in_memory(engine.url))
    return engine


def _freshen(connection: sa.Connection) -> None:
    """Replace a resting connection that the server has ended meanwhile."""
    while went_dead(connection.connection.driver_connection):
        connection.invalidate()


def _let_rest(connection: sa.Connection, before: Any, *, broken: bool) -> None:
    if connection.invalidated or connection.closed:
        return
    driver = connection.connection.driver_connection
    if broken:
        cut(driver)
        connection.invalidate()
    else:
        free(driver, before)


def _now() -> dt.datetime:
    return dt.datetime.fromtimestamp(wall())  # noqa: DTZ006 - as the programs that delete by it


def make_missing(engine: sa.Engine, table: sa.Table) -> None:
    """Make `table` unless it is there; that another process was quicker is no error.

    Raises:
        StoreError: It cannot be made.
    """
    driver: Any = engine.dialect.dbapi
    leave_after_fork(engine)
    try:
        create(engine, table, lambda _: None)
    except (*errors.ERRORS, driver.Error) as error:
        raise errors.translated(
            f"{shown(engine.url)} {table.fullname}",
            error,
            late=False,
            unknown=False,
            timeout=_TIMEOUT,
        ) from errors.root_of(error)
