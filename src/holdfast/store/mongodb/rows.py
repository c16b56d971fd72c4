"""The rows of one collection: the store contract as a sequence of commands to MongoDB.

Law: the only way to the world is `ask`, which sends one command. Awaited, this is the async face;
driven over an `ask` that never suspends, the sync one. Commands that may change an answer by being
repeated are sent once; the others once more if their connection broke, until the deadline.
"""

import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pymongo
from bson.int64 import Int64
from pymongo.errors import OperationFailure, PyMongoError

from holdfast.errors import StoreTimeout
from holdfast.keys import check
from holdfast.store.mongodb import words
from holdfast.store.mongodb.faults import broke, translated
from holdfast.store.protocol import as_bytes

__all__ = ["Place", "Rows"]

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


class Rows:
    """The async face of a MongoDB store.

    Args:
        place: Where the rows are.
        ask: Sends one command and returns its reply.
        end: Closes the store.
    """

    def __init__(
        self,
        place: Place,
        ask: Callable[[words.Document], Awaitable[Mapping[str, Any]]],
        end: Callable[[], Coroutine[object, None, None]],
    ) -> None:
        self._place = place
        self._ask_once = ask
        self._end = end

    async def get(self, key: str) -> bytes | None:
        check(key)
        with self._place.operation():
            return await self._get(key)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for chunk in words.chunks([check(key) for key in keys]):
            with self._place.operation():
                found.update(await self._get_chunk(chunk))
        return found

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        await self.put_many({key: value}, ttl)

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        if ttl is not None and ttl <= 0:
            await self.delete_many(list(items))
            return
        place = self._place
        rows = {check(key): as_bytes(value) for key, value in items.items()}
        for batch in list(words.batches(rows, place.name)):
            with place.operation():
                await self._index()
                await self._ask(words.putting(place.collection, batch, ttl))

    async def delete(self, key: str) -> bool:
        return await self.delete_many([key]) > 0

    async def delete_many(self, keys: Sequence[str]) -> int:
        count = 0
        for chunk in words.chunks([check(key) for key in keys]):
            with self._place.operation():
                count += await self._count(words.live({"$in": chunk}))
        return count

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        check(key)
        words.fitting(self._place.name, old or b"", new or b"")
        with self._place.operation(doubt=True):
            if new is None or (ttl is not None and ttl <= 0):
                return await self._remove(key, old)
            await self._index()
            if old is None:
                return await self._claim(key, as_bytes(new), ttl)
            return await self._replace(key, old, words.writing(as_bytes(new), ttl))

    async def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """See `CanIncrement`."""
        check(key)
        place = self._place
        with place.operation(doubt=True):
            await self._index()
            for _ in range(_TRIES):
                total = await self._add(key, by, ttl)
                if total is not None:
                    return total
        raise StoreTimeout(place.name, f"others came between {_TRIES} times; nothing was done")

    async def ping(self) -> None:
        with self._place.operation():
            await self._ask({"ping": 1})

    async def close(self) -> None:
        await self._end()

    async def page(self, prefix: str, last: str) -> list[str]:
        """Return the next live keys that begin with `prefix`, after the key `last`."""
        place = self._place
        after = {"$gt": last} if last else {"$gte": prefix}
        after["$lt"] = prefix + _PAST_TILDE
        command = words.listing(place.collection, after, place.level, _PAGE)
        with place.operation():
            reply = await self._ask(command)
        return [row["_id"] for row in reply["cursor"]["firstBatch"]]

    # One step each; the caller has opened an operation

    async def _get(self, key: str) -> bytes | None:
        place = self._place
        command = words.finding(place.collection, words.live(key), place.level)
        for row in (await self._ask(command))["cursor"]["firstBatch"]:
            return words.as_value(row["value"], place.name)
        return None

    async def _get_chunk(self, keys: list[str]) -> dict[str, bytes]:
        """Return the rows of `keys`; a reply ends at 16 MiB, so we may have to ask again."""
        place = self._place
        found: dict[str, bytes] = {}
        while True:
            query = words.live({"$in": [key for key in keys if key not in found]})
            command = words.finding(place.collection, query, place.level, len(keys))
            cursor = (await self._ask(command))["cursor"]
            for row in cursor["firstBatch"]:
                found[row["_id"]] = words.as_value(row["value"], place.name)
            if not cursor["id"]:
                return found
            await self._ask({"killCursors": place.collection, "cursors": [cursor["id"]]})

    async def _count(self, query: words.Document) -> int:
        reply = await self._ask_checked(words.deleting(self._place.collection, query))
        count: int = reply["n"]
        return count

    async def _remove(self, key: str, old: bytes | None) -> bool:
        if old is None:
            return await self._get(key) is None
        command = words.removing(self._place.collection, key, old)
        return (await self._ask_checked(command))["value"] is not None

    async def _replace(self, key: str, old: bytes, update: list[words.Document]) -> bool:
        command = words.replacing(self._place.collection, key, old, update)
        return (await self._ask_checked(command))["value"] is not None

    async def _claim(self, key: str, new: bytes | Int64, ttl: float | None) -> bool:
        command = words.claiming(self._place.collection, key, new, ttl)
        try:
            return words.was_free(await self._ask_checked(command))
        except pymongo.errors.DuplicateKeyError:  # another made it between our look and our write
            return False

    async def _add(self, key: str, by: int, ttl: float | None) -> int | None:
        """Add where it can be done in one command; return None where others came between."""
        place = self._place
        row = (await self._ask_checked(words.adding(place.collection, key, by)))["value"]
        if row is not None:
            return int(row["value"])
        value = await self._get(key)
        if value is None:
            return (
                by
                if await self._claim(key, words.as_number(b"0", by, key, place.name), ttl)
                else None
            )
        total = words.as_number(value, by, key, place.name)
        done = await self._replace(key, value, [{"$set": {"value": total}}])
        return int(total) if done else None

    async def _index(self) -> None:
        """Ask the server, once per process, to remove expired rows.

        Where it refuses, because of rights or of another index, rows are still judged by us.
        """
        if not self._place.indexed:
            with contextlib.suppress(OperationFailure):
                await self._ask(words.indexing(self._place.collection))
            self._place.indexed = True

    async def _ask(self, command: words.Document) -> Mapping[str, Any]:
        """Send what may be done twice."""
        try:
            return await self._ask_checked(command)
        except PyMongoError as error:
            if not broke(error):
                raise
        return await self._ask_checked(command)

    async def _ask_checked(self, command: words.Document) -> Mapping[str, Any]:
        """Send what must not be done twice."""
        return words.checked(await self._ask_once(dict(command)))  # the driver writes into it
