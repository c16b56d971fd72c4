"""The SQLAlchemy store: one table in PostgreSQL, MariaDB, MySQL or any database SQLAlchemy knows.

Law: a row is live while `expires` is NULL or later than now, by the server's clock where it is
known. Each operation is one statement in autocommit; on a connection the user gives it is a part of
his transaction instead. The table is made at the first use.
"""

from collections.abc import Iterator, Mapping, Sequence
from weakref import WeakSet

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from holdfast.bridge import BlockingStore, in_thread
from holdfast.errors import ConfigError
from holdfast.listening import Listening
from holdfast.store.address import Address, Options
from holdfast.store.protocol import AsyncStore
from holdfast.store.sqlalchemy.addresses import OURS, is_in_memory, shown, url_of
from holdfast.store.sqlalchemy.aio import AsyncFace
from holdfast.store.sqlalchemy.faces import (
    Faces,
    Rows,
    of_async_engine,
    of_connection,
    of_engine,
    of_url,
)
from holdfast.store.sqlalchemy.listen import ListenWay
from holdfast.store.sqlalchemy.operations import chunks
from holdfast.store.sqlalchemy.table import check_table, make_table

__all__ = ["SqlalchemyStore", "make_table", "open_client", "open_url"]


class SqlalchemyStore(BlockingStore):
    """Keeps bytes in a table of a database; made by `open_url` or `open_client`.

    Args:
        rows: Where its rows are.
        faces: Where its operations come from, for threads and for event loops.

    Attributes:
        table: The table its rows are in.
    """

    def __init__(self, rows: Rows, faces: Faces) -> None:
        super().__init__(rows.name)
        self.table = rows.table
        self._faces = faces
        self._buses: WeakSet[Listening] = WeakSet()
        if faces.wire is not None:
            self.bus = self._bus

    def _async_face(self) -> AsyncStore:
        if self._faces.offloads:
            return super()._async_face()
        return AsyncFace(self._faces.in_loop, self._close_in_loop)

    def get(self, key: str) -> bytes | None:
        return self._faces.here().get(key)

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        here = self._faces.here()
        found: dict[str, bytes] = {}
        for chunk in chunks(keys):
            found.update(here.get_chunk(chunk))
        return found

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        self._faces.here().put(key, value, ttl)

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        if ttl is not None and ttl <= 0:
            self.delete_many(list(items))
            return
        here = self._faces.here()
        for chunk in chunks(list(items)):
            here.put_chunk([(key, items[key]) for key in chunk], ttl)

    def delete(self, key: str) -> bool:
        return self._faces.here().delete(key)

    def delete_many(self, keys: Sequence[str]) -> int:
        here = self._faces.here()
        return sum(here.delete_chunk(chunk) for chunk in chunks(keys))

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return self._faces.here().swap(key, old, new, ttl)

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """See `CanIncrement`."""
        return self._faces.here().increment(key, by, ttl)

    def scan(self, prefix: str = "") -> Iterator[str]:
        """See `CanScan`."""
        return self._faces.here().scan(prefix)

    def remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        """See `CanTellTtl`."""
        here = self._faces.here()
        found: dict[str, float | None] = {}
        for chunk in chunks(keys):
            found.update(here.left_chunk(chunk))
        return found

    def sweep(self) -> int:
        """See `CanSweep`."""
        return self._faces.here().sweep()

    def _bus(self, kind: str = "auto") -> Listening:
        """See `CanPublish`; PostgreSQL alone has it."""
        wire = self._faces.wire
        if wire is None or isinstance(wire, str):
            raise ConfigError(f"{self.name}: {wire}")
        bus = Listening(ListenWay(self.name, self.table, wire, kind))
        self._buses.add(bus)
        return bus

    def ping(self) -> None:
        self._faces.here().ping()

    def close(self) -> None:
        for bus in list(self._buses):
            bus.close()
        self._faces.close()

    async def _close_in_loop(self) -> None:
        for bus in list(self._buses):
            await in_thread(bus.close)  # it waits for a thread to end
        await self._faces.close_in_loop()


def open_url(address: Address) -> SqlalchemyStore:
    """Open `postgresql://...`, `mysql+pymysql://...` or another address SQLAlchemy knows."""
    url = url_of(address)
    rows = _rows(shown(url), address.options)
    return SqlalchemyStore(rows, of_url(rows, url))


def open_client(client: object, options: Options) -> SqlalchemyStore:
    """Open around an `Engine`, an `AsyncEngine`, a `Connection` or an `AsyncConnection`."""
    options.allow(*OURS)
    if not isinstance(client, sa.Engine | AsyncEngine | sa.Connection | AsyncConnection):
        raise ConfigError(
            f"{options.where} is no store: give an Engine or AsyncEngine; or a Connection or"
            " AsyncConnection, to take part in its transaction (of a Session: session.connection())"
        )
    url = client.engine.url if isinstance(client, sa.Connection | AsyncConnection) else client.url
    rows = _rows(shown(url), options)
    if isinstance(client, sa.Connection | AsyncConnection):
        return SqlalchemyStore(rows, of_connection(rows, client))
    if isinstance(client, AsyncEngine):
        return SqlalchemyStore(rows, of_async_engine(rows, client))
    if is_in_memory(url) and not isinstance(client.pool, sa.StaticPool):
        raise ConfigError(
            "each thread of this engine has a database of its own: write memory://, or make the"
            " engine with poolclass=StaticPool"
        )
    return SqlalchemyStore(rows, of_engine(rows, client))


def _rows(name: str, options: Options) -> Rows:
    table = options.given.get("table", "holdfast")
    if isinstance(table, str):
        if not table:
            raise ConfigError("table: give a name, or leave it out")
        made = make_table(table, schema=options.text("schema") or None)
    else:
        made = check_table(table)
        if "schema" in options.given:
            raise ConfigError("schema: a Table has its own")
    return Rows(name, made, options.timeout())
