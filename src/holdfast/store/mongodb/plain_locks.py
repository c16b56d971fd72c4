"""Plain locks: documents of readers and writers, as older programs make them in MongoDB.

Law: `{_id, owner, readers, timestamp}`. Who holds it stands there by name: `owner` writes, many
`readers` read. One that is older than its life is taken for forgotten. Each step is one command.
"""

import datetime as dt
from typing import Any

from bson.codec_options import CodecOptions
from pymongo.errors import DuplicateKeyError

from holdfast.clock import Clock, wall
from holdfast.store.mongodb.plain import AnyCollection, operation

__all__ = ["PlainLocks"]


class PlainLocks:
    """The locks in one collection.

    Args:
        collection: Of a `MongoClient`.
        life: Seconds after which a lock counts as forgotten.
        clock: UTC seconds.
    """

    def __init__(self, collection: AnyCollection, life: float, *, clock: Clock = wall) -> None:
        self.name = f"mongodb {collection.full_name}"
        aware: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)
        self._locks = collection.with_options(codec_options=aware)
        self._life, self._clock = life, clock

    def read(self, identifier: str, who: str) -> bool:
        """Let `who` read; return whether nobody writes."""
        change = {"$set": {"timestamp": self._now()}, "$push": {"readers": who}}
        return self._take({"_id": identifier, "owner": None}, change)

    def write(self, identifier: str, who: str) -> bool:
        """Let `who` write; return whether nobody reads or writes."""
        change = {"$set": {"timestamp": self._now(), "owner": who}}
        return self._take({"_id": identifier, "owner": None, "readers": []}, change)

    def end_read(self, identifier: str, who: str) -> None:
        """Forget that `who` reads, and the lock once nobody does."""
        with operation(self.name):
            mine = {"_id": identifier, "readers": who}
            self._locks.update_one(mine, {"$pull": {"readers": who}})
            self._locks.delete_one({"_id": identifier, "owner": None, "readers": []})

    def end_write(self, identifier: str, who: str) -> None:
        """Forget that `who` writes."""
        with operation(self.name):
            self._locks.delete_one({"_id": identifier, "owner": who})

    def _take(self, free: dict[str, Any], change: dict[str, Any]) -> bool:
        with operation(self.name, doubt=True):
            forgotten = self._now() - dt.timedelta(seconds=self._life)
            self._locks.delete_many({"_id": free["_id"], "timestamp": {"$lte": forgotten}})
            try:
                self._locks.update_one(free, change, upsert=True)
            except DuplicateKeyError:
                return False
        return True

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._clock(), dt.UTC)
