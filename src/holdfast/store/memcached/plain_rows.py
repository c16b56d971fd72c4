"""Rows of old clients: what is asked for, when a row counts, and when it ends.

Law: pure. A row that is older than the mark of its group is absent, though its server has it.
"""

from holdfast.store.memcached import wire
from holdfast.store.memcached.plain_flags import Flagged
from holdfast.store.memcached.plain_servers import checked
from holdfast.store.memcached.wire import Reply, Request, Row

__all__ = ["GONE", "fetch", "found", "mark_of", "same"]

GONE = (0, -1)
"""Flags and exptime of a row that is gone as soon as it is written."""

_LONGEST = 30 * 24 * 3600  # seconds; a larger number is a time of day to the server
_LAST = 2**31 - 1  # the last second a server can be told


def mark_of(value: bytes, ttl: float | None, now: float) -> tuple[int, int]:
    """Return flags and exptime of a row that is written at `now`; `ttl` is above 0."""
    flags = value.flags if isinstance(value, Flagged) else 0
    if ttl is None:
        return flags, 0
    if ttl <= _LONGEST:
        return flags, -int(-ttl // 1)
    end = int(now + ttl)
    return flags, end if end <= _LAST else 0


def fetch(key: str, within: str) -> Request:
    """Read the row under `key`, and the mark of its group."""
    return wire.fetch((key, checked(within)) if within else (key,))


def found(reply: Reply, key: str, within: str) -> tuple[Row | None, Row | None]:
    """Return the row under `key`, and the same though its group was cleared since."""
    if not isinstance(reply, dict):
        return None, None
    row, cleared = reply.get(key), reply.get(within)
    if row is not None and cleared is not None and int(row.cas) < int(cleared.cas):
        return None, row
    return row, row


def same(row: Row | None, old: bytes | None) -> bool:
    """Return whether a row is what it was, by its flags too where they are known."""
    if row is None or old is None:
        return row is None and old is None
    return row.value == old and (not isinstance(old, Flagged) or old.flags == row.flags)
