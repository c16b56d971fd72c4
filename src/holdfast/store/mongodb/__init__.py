"""The MongoDB store: one document for each key, in one collection.

Law: writes wait for a majority and reads go to the primary. The server tells the time. `swap` and
`increment` are one atomic command each, sent once.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pymongo import AsyncMongoClient, MongoClient

from holdfast.bridge import BlockingStore, drive
from holdfast.errors import ConfigError
from holdfast.lifetimes import PerLoop, PerProcess
from holdfast.store.address import Address, Options
from holdfast.store.mongodb.clients import Clients, from_url, settings_of
from holdfast.store.mongodb.rows import Place, Rows
from holdfast.store.mongodb.words import Document
from holdfast.store.protocol import AsyncStore

__all__ = ["MongodbStore", "open_client", "open_url"]

_LEVELS = ("majority", "linearizable")


class MongodbStore(BlockingStore):
    """Keeps bytes in a collection of MongoDB 4.4 or newer; made by `open_url` or `open_client`.

    Args:
        place: Where the rows are.
        clients: Makes the clients, at their first use.
    """

    def __init__(self, place: Place, clients: Clients) -> None:
        super().__init__(place.name)
        self._place = place
        self._threads = PerProcess(place.name, clients.for_threads, clients.close)
        self._loops = PerLoop(place.name, clients.for_loop, clients.close_in_loop, clients.drop)
        self._rows = Rows(place, self._ask, self._end)

    def _async_face(self) -> AsyncStore:
        return Rows(self._place, self._ask_in_loop, self._end_in_loop)

    async def _ask(self, command: Document) -> Mapping[str, Any]:
        return self._threads.here()[self._place.database].command(command)

    async def _ask_in_loop(self, command: Document) -> Mapping[str, Any]:
        return await self._loops.here()[self._place.database].command(command)

    async def _end(self) -> None:
        self._threads.close()
        self._loops.close_outside()

    async def _end_in_loop(self) -> None:
        self._threads.close()
        await self._loops.close()

    def get(self, key: str) -> bytes | None:
        return drive(self._rows.get(key))

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return drive(self._rows.get_many(keys))

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        drive(self._rows.put(key, value, ttl))

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        drive(self._rows.put_many(items, ttl))

    def delete(self, key: str) -> bool:
        return drive(self._rows.delete(key))

    def delete_many(self, keys: Sequence[str]) -> int:
        return drive(self._rows.delete_many(keys))

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return drive(self._rows.swap(key, old, new, ttl))

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """See `CanIncrement`."""
        return drive(self._rows.increment(key, by, ttl))

    def scan(self, prefix: str = "") -> Iterator[str]:
        """See `CanScan`."""
        page = drive(self._rows.page(prefix, ""))
        while page:
            yield from page
            page = drive(self._rows.page(prefix, page[-1]))

    def ping(self) -> None:
        drive(self._rows.ping())

    def close(self) -> None:
        drive(self._rows.close())


def open_url(address: Address) -> MongodbStore:
    """Open `mongodb://user:password@host,host/database?collection=holdfast`."""
    clients, database = from_url(address)
    return MongodbStore(_place(address.shown, database, address.options), clients)


def open_client(client: object, options: Options) -> MongodbStore:
    """Open a `MongoClient` or an `AsyncMongoClient`; the other face makes a client like it."""
    if not isinstance(client, MongoClient | AsyncMongoClient):
        raise ConfigError(
            f"{options.where}: give its MongoClient or AsyncMongoClient, and names as"
            " database= and collection="
        )
    options.allow("collection", "database", "readConcernLevel")
    database = options.text("database") or client.get_default_database("holdfast").name
    shown = f"{type(client).__name__} {database}"
    return MongodbStore(
        _place(shown, database, options), Clients(settings_of(client), given=client)
    )


def _place(shown: str, database: str, options: Options) -> Place:
    collection = options.text("collection", "holdfast")
    if not collection or "$" in collection or "\0" in collection or collection[:7] == "system.":
        raise ConfigError("collection: give a name without '$', not of the system's own")
    level = options.text("readConcernLevel", "majority")
    if level not in _LEVELS:
        raise ConfigError("readConcernLevel: majority or linearizable; less could be undone")
    return Place(f"{shown} {collection}", database, collection, options.timeout(), level)
