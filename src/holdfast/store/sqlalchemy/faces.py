"""Faces: whose connections the operations use, in threads and in event loops.

Law: an engine made here is closed here; one that was given is its owner's. After a fork, and in
another event loop, nobody speaks on the connections of before.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, WeakSet

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import greenlet_spawn

from holdfast.clock import Clock, wall
from holdfast.errors import ConfigError
from holdfast.lifetimes import PerLoop, PerProcess
from holdfast.store.sqlalchemy import addresses
from holdfast.store.sqlalchemy.aio import InLoop
from holdfast.store.sqlalchemy.joined import Joined
from holdfast.store.sqlalchemy.links import Links
from holdfast.store.sqlalchemy.operations import Operations
from holdfast.store.sqlalchemy.pooled import Pooled
from holdfast.store.sqlalchemy.sockets import cut
from holdfast.store.sqlalchemy.statements import Statements

__all__ = ["Faces", "Rows", "leave_after_fork"]

T = TypeVar("T")
Wire = Callable[[], sa.Engine] | str
_inherited: list[
    sa.Pool
] = []  # kept, so that no finalizer says goodbye on the parent's connections
_homes: WeakKeyDictionary[sa.Engine, int] = WeakKeyDictionary()  # whose process made the pool


@dataclass(frozen=True, slots=True)
class Rows:
    """Where a store's rows are.

    Attributes:
        name: The store's name.
        table: The table.
        timeout: Seconds an operation may take.
        clock: UTC seconds, where not the server's clock is asked.
        own_clock: Whether `clock` is asked even where the server's is known.
        plain: Whether to do without the dialect's own words.
    """

    name: str
    table: sa.Table
    timeout: float = 1.0
    clock: Clock = wall
    own_clock: bool = False
    plain: bool = False

    def on(self, links: Links, dialect: sa.Dialect) -> Operations:
        """Return the operations on these rows."""
        say = Statements(self.table, dialect, own_clock=self.own_clock, plain=self.plain)
        return Operations(links, say, self.clock)

    def pooled(self, engine: sa.Engine, *, ours: bool) -> Operations:
        """Return the operations on these rows with connections of `engine`."""
        links = Pooled(self.name, engine, self.table, self.timeout, ours=ours)
        return self.on(links, engine.dialect)

    def joined(self, connection: sa.Connection) -> Operations:
        """Return the operations on these rows in the transaction of `connection`."""
        return self.on(Joined(self.name, connection, self.timeout), connection.dialect)


class Faces:
    """The operations for threads and for event loops.

    Args:
        name: The store's name.
        threads: Makes those for threads, once for each process; or says why there are none.
        loops: Makes those for an event loop; or says why there are none; None: threads do it.
        wire: Returns an engine for the one connection of a bus; or says why there is none; None:
            this database has no bus.

    Attributes:
        wire: As given.
    """

    def __init__(
        self,
        name: str,
        threads: Callable[[], Operations] | str,
        loops: Callable[[], InLoop] | str | None,
        wire: Wire | None,
    ) -> None:
        self.offloads = loops is None
        self.wire = wire
        never: Callable[[], InLoop] | str = "" if loops is None else loops
        self._threads: PerProcess[Operations] = PerProcess(name, _maker(threads), _close)
        self._loops: PerLoop[InLoop] = PerLoop(name, _maker(never), _close_in_loop, _drop)
        self.here: Callable[[], Operations] = self._threads.here
        self.in_loop: Callable[[], InLoop] = self._loops.here

    def close(self) -> None:
        self._threads.close()
        self._loops.close_outside()

    async def close_in_loop(self) -> None:
        self._threads.close()
        await self._loops.close()


def of_url(rows: Rows, url: sa.URL) -> Faces:
    """Return the faces of an address: engines of our own."""
    for_threads, for_loops = addresses.blocking_url(url), addresses.loop_url(url)
    return Faces(
        rows.name,
        _threads_of(rows, for_threads),
        None if for_loops is None else lambda: _own_loop(rows, for_loops),
        _wire(url, _wire_of(rows, for_threads)),
    )


def of_engine(rows: Rows, engine: sa.Engine) -> Faces:
    """Return the faces of a ready engine; threads serve event loops.

    An engine for event loops made of its address alone might reach another server: what else it was
    told when it was made cannot be asked.
    """
    leave_after_fork(engine)

    def make() -> Operations:
        leave_after_fork(engine)
        return rows.pooled(engine, ours=False)

    def wire() -> sa.Engine:
        leave_after_fork(engine)
        return engine

    return Faces(rows.name, make, None, _wire(engine.url, wire))


def of_async_engine(rows: Rows, engine: AsyncEngine) -> Faces:
    """Return the faces of a ready engine for event loops."""
    for_threads = addresses.blocking_url(engine.url)
    inner = engine.sync_engine
    made: list[_InLoop] = []
    leave_after_fork(inner)

    def note(connection: object, record: object) -> None:
        for here in made:
            if here.loop is asyncio.get_running_loop():
                here.note(connection, record)

    sa.event.listen(inner, "connect", note)

    def make() -> InLoop:
        if leave_after_fork(inner):
            made.clear()
        for before in made:
            if before.loop.is_closed():  # nobody else can let go of what the pool still has of it
                before.drop()
        here = _InLoop(rows.pooled(inner, ours=False), inner)
        made[:] = [*(before for before in made if not before.loop.is_closed()), here]
        return here

    wire = _wire(engine.url, _wire_of(rows, for_threads))
    return Faces(rows.name, _threads_of(rows, for_threads), make, wire)


def of_connection(rows: Rows, connection: sa.Connection | AsyncConnection) -> Faces:
    """Return the one face a ready connection has."""
    reason = "a Connection is a part of your transaction: for a bus open the store on an Engine"
    wire = _wire(connection.engine.url, reason)
    if isinstance(connection, AsyncConnection):
        inner = connection.sync_connection
        if inner is None:
            raise ConfigError("this AsyncConnection has not begun: write `async with` first")
        why = "an AsyncConnection serves `store.aio` alone: for threads give a Connection"
        return Faces(rows.name, why, lambda: InLoop(rows.joined(inner)), wire)
    why = "a Connection serves threads alone: for `store.aio` give an AsyncConnection"
    return Faces(rows.name, lambda: rows.joined(connection), why, wire)


def leave_after_fork(engine: sa.Engine) -> bool:
    """Leave the connections of another process alone, for ever; return whether there were any."""
    pid = os.getpid()
    if _homes.setdefault(engine, pid) == pid:
        return False
    _inherited.append(engine.pool)
    engine.dispose(close=False)
    _homes[engine] = pid
    return True


def _threads_of(rows: Rows, url: sa.URL | None) -> Callable[[], Operations] | str:
    if url is None:
        return "there is no driver for threads here: use `store.aio`, or install one"
    return lambda: rows.pooled(addresses.blocking_engine(url, rows.timeout), ours=True)


def _wire_of(rows: Rows, url: sa.URL | None) -> Wire:
    """Return what makes an engine of our own: each time a new one, which a fork cannot hold up."""
    if url is None:
        return "there is no driver for threads here, which a bus needs"
    return lambda: addresses.blocking_engine(url, rows.timeout)


def _wire(url: sa.URL, wire: Wire) -> Wire | None:
    """Return `wire` where the database has a bus."""
    if url.get_backend_name() != "postgresql":
        return None
    found = addresses.blocking_url(url)
    if found is None or found.get_driver_name() != "psycopg":
        return "its bus needs psycopg: pip install 'holdfast[postgresql]', postgresql+psycopg://"
    return wire


def _own_loop(rows: Rows, url: sa.URL) -> "_InLoop":
    engine = addresses.loop_engine(url, rows.timeout).sync_engine
    here = _InLoop(rows.pooled(engine, ours=True), engine)
    sa.event.listen(engine, "connect", here.note)
    return here


class _InLoop(InLoop):
    """`InLoop` that knows which connections were made in its loop.

    Whoever makes it listens on the engine, and goes on: a listener that is removed while another
    task connects makes that task fail.
    """

    def __init__(self, does: Operations, engine: sa.Engine) -> None:
        super().__init__(does)
        self.loop = asyncio.get_running_loop()
        self._engine = engine
        self._records: WeakSet[Any] = WeakSet()

    def note(self, _connection: object, record: object) -> None:
        """Remember a connection that the engine has just made."""
        self._records.add(record)

    def drop(self) -> None:
        """Let go of the connections of a loop that is over, which can no longer be told."""
        for record in list(self._records):
            if record.driver_connection is not None:
                cut(record.driver_connection)
        self._engine.dispose(close=False)


def _maker(make: Callable[[], T] | str) -> Callable[[], T]:
    """Return what makes, or what raises why it cannot."""
    if not isinstance(make, str):
        return make

    def refuse() -> T:
        raise ConfigError(make)

    return refuse


def _close(does: Operations) -> None:
    links = does.links
    if isinstance(links, Pooled):
        links.close()


async def _close_in_loop(here: InLoop) -> None:
    await greenlet_spawn(_close, here.does)


def _drop(here: InLoop) -> None:
    if isinstance(here, _InLoop):
        here.drop()
