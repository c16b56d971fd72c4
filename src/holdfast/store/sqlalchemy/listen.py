"""Listen: how a process hears which keys others change, on PostgreSQL (LISTEN and NOTIFY).

Law: one connection of its own, outside any pool, in autocommit; it sends as well as it hears. What
others do not publish is not heard.
"""

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from holdfast import messages
from holdfast.clock import monotonic
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.listening import PATIENCE, Keys, Line, can_read
from holdfast.store.sqlalchemy import errors
from holdfast.store.sqlalchemy.deadlines import bind, limit
from holdfast.store.sqlalchemy.sockets import cut

__all__ = ["ListenWay", "channel_of"]

_LIMIT = 7_900  # bytes of one message; the server takes less than 8000
_KINDS = ("auto", "listen")


def channel_of(table: sa.Table, prefix: str) -> str:
    """Return the name of the channel for the keys of a table that begin with `prefix`."""
    digest = hashlib.sha256(f"{table.fullname}:{prefix}".encode()).hexdigest()
    return f"holdfast_{digest[:32]}"  # a name has at most 63 bytes


class ListenWay:
    """See `Way`.

    Args:
        name: The store's name.
        table: Its table.
        engine: Returns an engine whose connections reach its database, through psycopg.
        kind: `listen` or `auto`.

    Raises:
        ConfigError: There is no such kind.
    """

    publishes = speaks = True

    def __init__(
        self, name: str, table: sa.Table, engine: Callable[[], sa.Engine], kind: str
    ) -> None:
        if kind not in _KINDS:
            raise ConfigError(f"bus={kind!r}: {name} has {', '.join(_KINDS)}")
        self.name = f"listen {name}"
        self._store = name
        self._table = table
        self._engine = engine

    def connect(self, prefixes: Sequence[str]) -> Line:
        """See `Way.connect`."""
        channels = {channel_of(self._table, prefix): prefix for prefix in prefixes}
        engine = self._engine()
        driver: Any = engine.dialect.dbapi
        deadline = _Deadline(self._store, (*errors.ERRORS, driver.Error))
        with deadline():
            fairy = engine.raw_connection()
            line = _Listening(fairy.driver_connection, channels, deadline)
            fairy.detach()  # it is ours to close, and its place in the pool is free again
            try:
                line.begin()
            except BaseException:
                line.close()
                raise
        return line

    def wrote(self, key: str, value: bytes) -> None:
        """Do nothing: nothing of ours comes back."""

    def forget(self) -> None:
        """Do nothing: nothing is remembered."""


class _Deadline:
    """Lets what this thread asks the driver end in time, and translates what goes wrong."""

    def __init__(self, store: str, faults: tuple[type[Exception], ...]) -> None:
        self.store = store
        self._faults = faults

    @contextmanager
    def __call__(self) -> Iterator[None]:
        limit.until = until = monotonic() + PATIENCE
        try:
            yield
        except self._faults as error:
            raise errors.translated(
                self.store, error, late=monotonic() >= until, unknown=False, timeout=PATIENCE
            ) from errors.root_of(error)
        finally:
            limit.until = math.inf


class _Listening:
    """A connection of psycopg that listens."""

    def __init__(self, connection: Any, channels: dict[str, str], deadline: _Deadline) -> None:
        self._connection = connection
        self._channels = channels
        self._deadline = deadline
        self._own = os.urandom(8).hex()  # anew for each connection, so that a fork has another
        self._mine = f"holdfast_{self._own}"
        self._heard: list[tuple[str, str]] = []

    def begin(self) -> None:
        """Listen, and see that what is sent comes back."""
        connection = self._connection
        bind(connection)
        connection.autocommit = True
        connection.add_notify_handler(lambda note: self._heard.append((note.channel, note.payload)))
        for channel in [*self._channels, self._mine]:
            connection.execute(f'LISTEN "{channel}"')
        connection.execute("SELECT pg_notify(%s, '')", [self._mine])
        until = monotonic() + PATIENCE
        while (self._mine, "") not in self._heard:
            if not can_read([self.fileno()], max(until - monotonic(), 0)):
                message = "a notification did not come back: is there a PgBouncer between?"
                raise StoreUnavailable(self._deadline.store, message)
            self._read()

    def fileno(self) -> int:
        return int(self._connection.pgconn.socket)

    def hear(self) -> Keys:
        """See `Line.hear`."""
        with self._deadline():
            self._read()
        notes, self._heard[:] = list(self._heard), []
        found: dict[str, None] = {}
        for channel, text in notes:
            prefix = self._channels.get(channel)
            if prefix is not None:
                keys = messages.read(text, own=self._own, prefix=prefix)
                if keys is None:
                    return None
                found.update(dict.fromkeys(keys))
        return list(found)

    def has_more(self) -> bool:
        """See `Line.has_more`."""
        return bool(self._heard)

    def _read(self) -> None:
        """Take what has come, without asking for anything."""
        libpq = self._connection.pgconn
        if can_read([self.fileno()], 0):
            libpq.consume_input()
        while (note := libpq.notifies()) is not None:
            self._heard.append((note.relname.decode(), note.extra.decode()))

    def send(self, keys: Keys) -> None:
        """See `Line.send`."""
        notes: list[tuple[str, str]] = []
        for channel, prefix in self._channels.items():
            some = None if keys is None else [key for key in keys if key.startswith(prefix)]
            texts = messages.write(self._own, some, limit=_LIMIT)
            notes += [(channel, text) for text in texts]
        with self._deadline(), self._connection.cursor() as cursor:
            cursor.executemany("SELECT pg_notify(%s, %s)", notes)

    def check(self) -> None:
        """See `Line.check`."""
        with self._deadline():
            self._connection.execute("SELECT 1")

    def close(self) -> None:
        """See `Line.close`."""
        cut(self._connection)
