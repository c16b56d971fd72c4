"""The rows of one collection: the store contract as a sequence of commands to MongoDB.

Law: commands that may change an answer by being repeated are sent once; the others once more if
their connection broke, until the deadline. Event loops come here through threads: a task of
pymongo's own that is cancelled may leave a connection behind, or a lock.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pymongo
from bson.int64 import Int64
from pymongo.errors import OperationFailure, PyMongoError

from holdfast.bridge import BlockingStore, Offload
from holdfast.errors import StoreTimeout
from holdfast.keys import check
from holdfast.lifetimes import PerProcess, own_threads
from holdfast.store.mongodb import words
from holdfast.store.mongodb.clients import Clients
from holdfast.store.mongodb.faults import broke, translated
from holdfast.store.protocol import AsyncStore, as_bytes

__all__ = ["MongodbStore", "Place"]

_TRIES = 100  # how often others may come between the steps of one increment
_PAGE = 1000
_PAST_TILDE = "\x7f"  # sorts after every character a key may have


@dataclass(slots=True)
class Place:
    """Where the rows are.

    Attributes:
        name: The store's name.
        database: The name of the database.
        collection: The name of the collection.
        timeout: Seconds one operation may take; of those on many keys, one batch.
        level: The read concern.
        indexed: Whether the server was asked to remove expired rows.
    """

    name: str
    database: str
    collection: str
    timeout: float
    level: str
    indexed: bool = False

    @contextlib.contextmanager
    def operation(self, *, doubt: bool = False) -> Iterator[None]:
        """Give what is in it the time of one operation, and translate its errors."""
        with translated(self.name, self.timeout, doubt=doubt), pymongo.timeout(self.timeout):
            yield


class MongodbStore(BlockingStore):
    """Keeps bytes in a collection of MongoDB 4.4 or newer; made by `open_url` or `open_client`.

    Args:
        place: Where the rows are.
        clients: Makes the clients, at their first use.
    """

    def __init__(self, place: Place, clients: Clients) -> None:
        super().__init__(place.name)
        self._place = place
        self._clients = PerProcess(place.name, clients.make, clients.close)
        self._threads = own_threads(place.name, place.timeout)

    def _async_face(self) -> AsyncStore:
        return Offload(self, self._threads.here)

    def get(self, key: str) -> bytes | None:
        check(key)
        with self._place.operation():
            return self._get(key)

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for chunk in words.chunks([check(key) for key in keys]):
            with self._place.operation():
                found.update(self._get_chunk(chunk))
        return found

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        self.put_many({key: value}, ttl)

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        if ttl is not None and ttl <= 0:
            self.delete_many(list(items))
            return
        place = self._place
        rows = {check(key): as_bytes(value) for key, value in items.items()}
        for batch in list(words.batches(rows, place.name)):
            with place.operation():
                self._index()
                self._ask(words.putting(place.collection, batch, ttl))

    def delete(self, key: str) -> bool:
        return self.delete_many([key]) > 0

    def delete_many(self, keys: Sequence[str]) -> int:
        count = 0
        for chunk in words.chunks([check(key) for key in keys]):
            with self._place.operation():
                count += self._count(words.live({"$in": chunk}))
        return count

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        check(key)
        words.fitting(self._place.name, old or b"", new or b"")
        with self._place.operation(doubt=True):
            if new is None or (ttl is not None and ttl <= 0):
                return self._remove(key, old)
            self._index()
            if old is None:
                return self._claim(key, as_bytes(new), ttl)
            return self._replace(key, old, words.writing(as_bytes(new), ttl))

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """See `CanIncrement`."""
        check(key)
        place = self._place
        with place.operation(doubt=True):
            self._index()
            for _ in range(_TRIES):
                total = self._add(key, by, ttl)
                if total is not None:
                    return total
        raise StoreTimeout(place.name, f"others came between {_TRIES} times; nothing was done")

    def ping(self) -> None:
        with self._place.operation():
            self._ask({"ping": 1})

    def close(self) -> None:
        self._clients.close()
        self._threads.close()

    def scan(self, prefix: str = "") -> Iterator[str]:
        """See `CanScan`."""
        page = self._page(prefix, "")
        while page:
            yield from page
            page = self._page(prefix, page[-1])

    def remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        """See `CanTellTtl`; by the server's own clock."""
        place = self._place
        found: dict[str, float | None] = {}
        for chunk in words.chunks([check(key) for key in keys]):
            command = words.ending(place.collection, chunk, place.level)
            with place.operation():
                now = self._ask({"hello": 1})["localTime"]
                rows = self._ask(command)["cursor"]["firstBatch"]
            found.update((row["_id"], words.left(row, now)) for row in rows)
        return found

    def _page(self, prefix: str, last: str) -> list[str]:
        """Return the next live keys that begin with `prefix`, after the key `last`."""
        place = self._place
        after = {"$gt": last} if last else {"$gte": prefix}
        after["$lt"] = prefix + _PAST_TILDE
        command = words.listing(place.collection, after, place.level, _PAGE)
        with place.operation():
            reply = self._ask(command)
        return [row["_id"] for row in reply["cursor"]["firstBatch"]]

    # One step each; the caller has opened an operation

    def _get(self, key: str) -> bytes | None:
        place = self._place
        command = words.finding(place.collection, words.live(key), place.level)
        for row in (self._ask(command))["cursor"]["firstBatch"]:
            return words.as_value(row["value"], place.name)
        return None

    def _get_chunk(self, keys: list[str]) -> dict[str, bytes]:
        """Return the rows of `keys`; a reply ends at 16 MiB, so we may have to ask again."""
        place = self._place
        found: dict[str, bytes] = {}
        while True:
            query = words.live({"$in": [key for key in keys if key not in found]})
            command = words.finding(place.collection, query, place.level, len(keys))
            cursor = (self._ask(command))["cursor"]
            for row in cursor["firstBatch"]:
                found[row["_id"]] = words.as_value(row["value"], place.name)
            if not cursor["id"]:
                return found
            self._ask({"killCursors": place.collection, "cursors": [cursor["id"]]})

    def _count(self, query: words.Document) -> int:
        reply = self._ask_checked(words.deleting(self._place.collection, query))
        count: int = reply["n"]
        return count

    def _remove(self, key: str, old: bytes | None) -> bool:
        if old is None:
            return self._get(key) is None
        command = words.removing(self._place.collection, key, old)
        return (self._ask_checked(command))["value"] is not None

    def _replace(self, key: str, old: bytes, update: list[words.Document]) -> bool:
        command = words.replacing(self._place.collection, key, old, update)
        return (self._ask_checked(command))["value"] is not None

    def _claim(self, key: str, new: bytes | Int64, ttl: float | None) -> bool:
        command = words.claiming(self._place.collection, key, new, ttl)
        try:
            return words.was_free(self._ask_checked(command))
        except pymongo.errors.DuplicateKeyError:  # another made it between our look and our write
            return False

    def _add(self, key: str, by: int, ttl: float | None) -> int | None:
        """Add where it can be done in one command; return None where others came between."""
        place = self._place
        row = (self._ask_checked(words.adding(place.collection, key, by)))["value"]
        if row is not None:
            return int(row["value"])
        value = self._get(key)
        if value is None:
            return by if self._claim(key, words.as_number(b"0", by, key, place.name), ttl) else None
        total = words.as_number(value, by, key, place.name)
        done = self._replace(key, value, [{"$set": {"value": total}}])
        return int(total) if done else None

    def _index(self) -> None:
        """Ask the server, once per process, to remove expired rows.

        Where it refuses, because of rights or of another index, rows are still judged by us.
        """
        if not self._place.indexed:
            with contextlib.suppress(OperationFailure):
                self._ask(words.indexing(self._place.collection))
            self._place.indexed = True

    def _ask(self, command: words.Document) -> Mapping[str, Any]:
        """Send what may be done twice."""
        try:
            return self._ask_checked(command)
        except PyMongoError as error:
            if not broke(error):
                raise
        return self._ask_checked(command)

    def _ask_checked(self, command: words.Document) -> Mapping[str, Any]:
        """Send what must not be done twice."""
        database = self._clients.here()[self._place.database]
        return words.checked(database.command(dict(command)))  # the driver writes into it
