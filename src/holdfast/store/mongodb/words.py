"""What is said to MongoDB, and how its replies are read.

Law: pure. Every comparison with an expiry is made by the server, in its own time (`$$NOW`). A row
is `{_id: key, value: Binary, expires: Date}`, without `expires` where it stays until deleted; a
counter that was incremented is a NumberLong, which reads as decimal ASCII.
"""

import datetime as dt
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bson.int64 import Int64
from pymongo.errors import OperationFailure, WriteConcernError

from holdfast.errors import StoreUnavailable

__all__ = [
    "Document",
    "adding",
    "as_number",
    "as_value",
    "batches",
    "checked",
    "chunks",
    "claiming",
    "deleting",
    "ending",
    "finding",
    "fitting",
    "indexing",
    "left",
    "listing",
    "live",
    "putting",
    "removing",
    "replacing",
    "was_free",
    "writing",
]

Document = dict[str, Any]

_LONGEST = 16 * 1024 * 1024 - 16 * 1024  # bytes of one command that may be taken by its items
_AROUND = 500  # bytes of words around each item, its key included
_CHUNK = 500  # items of one command
_MAJORITY = {"w": "majority"}
_FAR = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
_MOST = 2e11  # seconds, 6,000 years: languages whose calendar ends with 9999 read the row still
_EXPIRES = {"$ifNull": ["$expires", _FAR]}  # a missing date would sort before all dates
_LIVE = {"$gt": [_EXPIRES, "$$NOW"]}
_FREE = {
    "$or": [{"$lte": [_EXPIRES, "$$NOW"]}, {"$eq": [{"$ifNull": ["$value", None]}, None]}],
}
_NUMBER = re.compile(rb"0|-?[1-9][0-9]{0,18}")


def live(key: object) -> Document:
    """Return the filter for `key` (or for what an operator says of keys), if it is live."""
    return {"_id": key, "$expr": _LIVE}


def finding(collection: str, query: Document, level: str, limit: int = 1) -> Document:
    """Return the command that finds up to `limit` rows in one reply."""
    command = {"find": collection, "filter": query, "projection": {"value": 1}, "limit": limit}
    return command | {"batchSize": limit + 1, "readConcern": {"level": level}}


def listing(collection: str, after: Document, level: str, limit: int) -> Document:
    """Return the command that lists the next `limit` keys in their order."""
    command = {"find": collection, "filter": live(after), "projection": {"_id": 1}, "limit": limit}
    more = {"batchSize": limit + 1, "sort": {"_id": 1}, "readConcern": {"level": level}}
    return command | more


def ending(collection: str, keys: list[str], level: str) -> Document:
    """Return the command that tells when live rows expire."""
    command = finding(collection, live({"$in": keys}), level, len(keys))
    return command | {"projection": {"expires": 1}}


def left(row: Mapping[str, Any], now: dt.datetime) -> float | None:
    """Return how many seconds a row that `ending` told of has left at the server's time `now`."""
    expires = row.get("expires")
    return None if expires is None else max(0.001, (expires - now).total_seconds())


def writing(value: bytes | Int64, ttl: float | None) -> list[Document]:
    """Return the pipeline that makes of any row one with `value` and `ttl`."""
    if ttl is None:
        return [{"$set": {"value": value}}, {"$unset": "expires"}]
    return [{"$set": {"value": value, "expires": _in(ttl)}}]


def putting(collection: str, items: Sequence[tuple[str, bytes]], ttl: float | None) -> Document:
    """Return the command that writes `items` over whatever is there."""
    updates = [{"q": {"_id": k}, "u": writing(v, ttl), "upsert": True} for k, v in items]
    return {"update": collection, "updates": updates, "ordered": False, "writeConcern": _MAJORITY}


def batches(items: Mapping[str, bytes], store: str) -> Iterator[list[tuple[str, bytes]]]:
    """Return `items` in parts of which each fits into one command.

    Raises:
        StoreUnavailable: One alone does not.
    """
    batch: list[tuple[str, bytes]] = []
    room = _LONGEST
    for key, value in items.items():
        size = fitting(store, value)
        if len(batch) == _CHUNK or size > room:
            yield batch
            batch, room = [], _LONGEST
        batch.append((key, value))
        room -= size
    if batch:
        yield batch


def chunks(keys: Sequence[str]) -> Iterator[list[str]]:
    """Return `keys`, each once, in parts of which each fits into one command."""
    each = list(dict.fromkeys(keys))
    return (each[start : start + _CHUNK] for start in range(0, len(each), _CHUNK))


def fitting(store: str, *values: bytes) -> int:
    """Return what `values` take in a command.

    Raises:
        StoreUnavailable: It is more than a command may have.
    """
    size = sum(map(len, values)) + _AROUND
    if size > _LONGEST:
        raise StoreUnavailable(
            store, f"{size} bytes are too many: MongoDB takes 16 MiB, for `swap` old and new"
        )
    return size


def deleting(collection: str, query: Document) -> Document:
    """Return the command that deletes what `query` finds."""
    deletes = [{"q": query, "limit": 0}]
    return {"delete": collection, "deletes": deletes, "writeConcern": _MAJORITY}


def _changing(collection: str, query: Document, change: Document) -> Document:
    """Return the one atomic command: find one row, change it, tell what it was or became."""
    return {"findAndModify": collection, "query": query, "writeConcern": _MAJORITY} | change


def replacing(collection: str, key: str, old: bytes, update: list[Document]) -> Document:
    """Return the command that updates `key` if it holds `old`."""
    change = {"update": update, "fields": {"_id": 1}}
    return _changing(collection, live(key) | {"value": _is(old)}, change)


def removing(collection: str, key: str, old: bytes) -> Document:
    """Return the command that removes `key` if it holds `old`."""
    change = {"remove": True, "fields": {"_id": 1}}
    return _changing(collection, live(key) | {"value": _is(old)}, change)


def claiming(collection: str, key: str, new: bytes | Int64, ttl: float | None) -> Document:
    """Return the command that writes `new` if `key` is absent; `was_free` reads its reply.

    An upsert may have no `$expr` in its query, so the update itself looks whether the row is live
    and then leaves it as it is. The reply tells about the row before.
    """
    expires = "$$REMOVE" if ttl is None else _in(ttl)
    row = {
        "value": {"$cond": [_FREE, new, "$value"]},
        "expires": {"$cond": [_FREE, expires, "$expires"]},
    }
    change = {"update": [{"$set": row}], "upsert": True, "fields": {"_id": 1, "free": _FREE}}
    return _changing(collection, {"_id": key}, change)


def was_free(reply: Mapping[str, Any]) -> bool:
    """Return whether a claim was successful."""
    before = reply["value"]
    return before is None or bool(before["free"])


def adding(collection: str, key: str, by: int) -> Document:
    """Return the command that adds to a live row which is a number already."""
    query = live(key) | {"value": {"$type": "number"}}
    change = {"update": {"$inc": {"value": Int64(by)}}, "new": True, "fields": {"value": 1}}
    return _changing(collection, query, change)


def indexing(collection: str) -> Document:
    """Return the command that makes the server remove expired rows, up to a minute late."""
    index = {"key": {"expires": 1}, "name": "expires_1", "expireAfterSeconds": 0}
    return {"createIndexes": collection, "indexes": [index], "writeConcern": _MAJORITY}


def _in(ttl: float) -> Document:
    """Return the expression for `ttl` seconds from now, rounded up to what a Date can tell."""
    return {"$add": ["$$NOW", Int64(math.ceil(min(max(-1.0, ttl), _MOST) * 1000))]}


def _is(old: bytes) -> Any:
    """Return the condition for a value that reads as `old`, in any of its forms."""
    if _NUMBER.fullmatch(old) is None:
        return old
    number = int(old)
    return {"$in": [old, Int64(number)]} if -(1 << 63) <= number < 1 << 63 else old


def as_value(stored: object, store: str) -> bytes:
    """Return what a row holds, as bytes.

    Raises:
        StoreUnavailable: It is of another type: the row is not ours.
    """
    if isinstance(stored, bytes):
        return stored
    if isinstance(stored, int):
        return b"%d" % stored
    raise StoreUnavailable(store, f"a row holds a {type(stored).__name__}: others write here")


def as_number(value: bytes, by: int, key: str, store: str) -> Int64:
    """Return `value` plus `by`.

    Raises:
        StoreUnavailable: It is no integer, or the sum needs more than 64 bits.
    """
    try:
        total = int(value) + by
    except ValueError as error:
        raise StoreUnavailable(store, f"{key!r} holds no integer") from error
    if not -(1 << 63) <= total < 1 << 63:
        raise StoreUnavailable(store, f"{key!r} counts beyond 64 bits")
    return Int64(total)


def checked(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `reply` if all of it was done, and by a majority.

    Raises:
        OperationFailure: It was not.
    """
    for error in reply.get("writeErrors", ()):
        raise OperationFailure(error.get("errmsg", ""), error.get("code"), dict(reply))
    late = reply.get("writeConcernError")
    if late:
        raise WriteConcernError(late.get("errmsg", ""), late.get("code"), dict(reply))
    return reply
