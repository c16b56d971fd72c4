"""Plain documents: `{_id, value, expiration}` in MongoDB, as older programs write and read them.

Law: `expiration` is in UTC POSIX seconds of our own clock, None is "until deleted"; a document that
is over is not found, and goes away when somebody looks at it. What changes is one command.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf
from typing import Any

import pymongo
from bson import Binary
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, PyMongoError

from holdfast.clock import Clock, wall
from holdfast.errors import ConfigError, KeyRejected
from holdfast.store.abilities import left
from holdfast.store.mongodb.clients import Clients
from holdfast.store.mongodb.faults import translated

__all__ = ["AnyCollection", "PlainMongo", "client_of", "operation"]

AnyCollection = Collection[dict[str, Any]]
Document = dict[str, Any]
_TIMEOUT = 5.0  # seconds of one operation


class PlainMongo:
    """The documents of one collection; see `PlainStore`.

    Args:
        collection: Of a `MongoClient`.
        clock: UTC seconds.
    """

    def __init__(self, collection: AnyCollection, *, clock: Clock = wall) -> None:
        self.name = f"mongodb {collection.full_name}"
        self._rows, self._clock = collection, clock

    def get(self, key: str) -> bytes | None:
        """See `PlainStore`."""
        with operation(self.name):
            row = self._rows.find_one({"_id": _checked(key)})
            if row is None:
                return None
            if self._is_over(row):
                self._rows.delete_one({"_id": key, "expiration": row["expiration"]})
                return None
        value = row.get("value")
        return bytes(value) if isinstance(value, bytes) else None

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """See `PlainStore`."""
        with operation(self.name):
            self._rows.update_one({"_id": _checked(key)}, self._write(value, ttl), upsert=True)

    def delete(self, key: str) -> bool:
        """See `PlainStore`."""
        with operation(self.name):
            row = self._rows.find_one_and_delete({"_id": _checked(key)}, {"expiration": 1})
        return row is not None and not self._is_over(row)

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        """See `PlainStore`."""
        if new is not None and ttl is not None and ttl <= 0:
            new = None
        if old is None:
            return self.get(key) is None if new is None else self._claim(key, new, ttl)
        live = {"$or": [{"expiration": None}, {"expiration": {"$gt": self._clock()}}]}
        holds = {"_id": _checked(key), "value": Binary(old), **live}
        with operation(self.name, doubt=True):
            if new is None:
                return self._rows.delete_one(holds).deleted_count > 0
            return self._rows.update_one(holds, self._write(new, ttl)).matched_count > 0

    def scan(self, prefix: str = "") -> Iterator[str]:
        """See `PlainStore`."""
        with operation(self.name):
            rows = list(self._rows.find(_beginning(prefix), {"expiration": 1}))
        for row in rows:
            if isinstance(row["_id"], str) and not self._is_over(row):
                yield row["_id"]

    def remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        """See `CanTellTtl`."""
        with operation(self.name):
            rows = list(self._rows.find({"_id": {"$in": list(keys)}}, {"expiration": 1}))
        ends = (
            (row["_id"], inf if row.get("expiration") is None else row["expiration"])
            for row in rows
        )
        return left(ends, self._clock())

    def clear(self, prefix: str) -> int:
        """Remove all documents whose keys begin with `prefix`; return how many there were."""
        with operation(self.name):
            return self._rows.delete_many(_beginning(prefix)).deleted_count

    def sweep(self, prefix: str) -> int:
        """Remove what is over of those whose keys begin with `prefix`; return how many."""
        with operation(self.name):
            return self._rows.delete_many(_beginning(prefix) | self._over()).deleted_count

    def close(self) -> None:
        """Do nothing: the client is its owner's."""

    def _claim(self, key: str, new: bytes, ttl: float | None) -> bool:
        """Write where nothing live is: else the upsert meets the key that is there."""
        with operation(self.name, doubt=True):
            try:
                self._rows.update_one(
                    {"_id": _checked(key), **self._over()}, self._write(new, ttl), upsert=True
                )
            except DuplicateKeyError:
                return False
        return True

    def _write(self, value: bytes, ttl: float | None) -> Document:
        expiration = None if ttl is None else self._clock() + ttl
        return {"$set": {"value": Binary(value), "expiration": expiration}}

    def _over(self) -> Document:
        return {"expiration": {"$ne": None, "$lte": self._clock()}}

    def _is_over(self, row: Mapping[str, Any]) -> bool:
        expiration = row.get("expiration")
        return isinstance(expiration, int | float) and expiration <= self._clock()


@contextmanager
def operation(name: str, *, doubt: bool = False) -> Iterator[None]:
    """Give what is in it the time of one operation, and translate its errors."""
    with translated(name, _TIMEOUT, doubt=doubt), pymongo.timeout(_TIMEOUT):
        yield


def client_of(url: str) -> pymongo.MongoClient[dict[str, Any]]:
    """Return a client; nothing connects yet.

    Raises:
        ConfigError: The URL cannot be read.
    """
    try:
        return Clients({"host": url}).make()
    except (PyMongoError, ValueError, TypeError) as error:
        raise ConfigError(f"the URL of MongoDB cannot be read: {type(error).__name__}") from None


def _beginning(prefix: str) -> Document:
    return {"_id": {"$regex": f"^{re.escape(prefix)}"}} if prefix else {}


def _checked(key: str) -> str:
    try:
        key.encode()
    except UnicodeEncodeError:
        raise KeyRejected(f"{key!r} is no text that MongoDB takes") from None
    return key
