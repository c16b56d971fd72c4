"""Entries: a cached value with its times and stamps, its age, and its form in a store.

Law: pure. No clock reads, no I/O; times are UTC floats in seconds, given by the caller. Bytes that
are no entry of ours are a `ValueError`, which engines take for absent.

What a store holds under the key of a value is a msgpack array:

    [1, nonce, stamp, fresh_until, stale_until, {label: stamp, ...}, value, more]     an entry
    [2, nonce, stamp, fresh_until, stale_until, {label: stamp, ...}, value]           a counter
    [0, nonce]                                                                        a marker

`nonce` is 16 random bytes, so that no two writes are the same bytes. `stamp` is when the creation
of the value started. `fresh_until` and `stale_until` are nil where there is no end. A label
(`t:users`) names a stamp record; the entry is good only while that record holds the bytes written
here. `value` is what the codec made. A marker reads as absent. `more` is a map, and left out where
it is empty: `form` is the fingerprint of the value's type (`holdfast.codec.typed`), `took` how many
seconds its creation took, `idle` for how many seconds a read makes it fresh again, and `end` until
when that may go on.
"""

import enum
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ormsgpack

__all__ = ["Age", "Entry", "age", "lived", "make_marker", "make_stamp", "pack", "unpack"]

_MARKER, _ENTRY, _COUNTER = 0, 1, 2
_NONCE = 16
_MORE = {"form": bytes, "took": float | int, "idle": float | int, "end": float | int}


class Age(enum.Enum):
    """How old an entry is."""

    FRESH = "fresh"
    STALE = "stale"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Entry:
    """A value as a store keeps it.

    Attributes:
        value: What the codec made of it.
        stamp: When its creation started.
        fresh_until: When it stops being fresh.
        stale_until: When it may no longer be served stale either.
        labels: The stamps it depends on, as they were before its creation started.
        counter: Whether it is counted up in the store, and so never kept in a near tier.
        form: The fingerprint of the type of the value; empty if it has none.
        took: How many seconds its creation took; 0 if nobody wants to know.
        idle: For how many seconds a read makes it fresh again; 0 if none does.
        end: Until when that may go on.
    """

    value: bytes
    stamp: float
    fresh_until: float
    stale_until: float
    labels: Mapping[str, bytes]
    counter: bool = False
    form: bytes = b""
    took: float = 0.0
    idle: float = 0.0
    end: float = math.inf


def age(fresh_until: float, stale_until: float, now: float) -> Age:
    """Return the age at `now`; on the very second of its end a thing is already older."""
    if now < fresh_until:
        return Age.FRESH
    return Age.STALE if now < stale_until else Age.DEAD


def lived(stale_until: float, now: float) -> float | None:
    """Return the ttl a record needs at `now` to live until `stale_until`; None is for ever."""
    return None if math.isinf(stale_until) else stale_until - now


def make_stamp() -> bytes:
    """Return new random bytes that no other stamp is equal to."""
    return os.urandom(_NONCE)


def make_marker() -> bytes:
    """Return a marker: what stands in for an absent value while it is created."""
    return ormsgpack.packb([_MARKER, os.urandom(_NONCE)])


def pack(entry: Entry) -> bytes:
    """Return the bytes of `entry`, different each time."""
    kind = _COUNTER if entry.counter else _ENTRY
    times = [entry.stamp, entry.fresh_until, entry.stale_until]
    ends = [None if math.isinf(time) else time for time in times]  # JSON readers know no infinity
    rest = [dict(entry.labels), entry.value]
    if entry.form or entry.took or entry.idle:
        rest.append(_more(entry))
    return ormsgpack.packb([kind, os.urandom(_NONCE), *ends, *rest])


def _more(entry: Entry) -> dict[str, object]:
    more: dict[str, object] = {}
    if entry.form:
        more["form"] = entry.form
    if entry.took:
        more["took"] = entry.took
    if entry.idle:
        more |= {"idle": entry.idle, "end": None if math.isinf(entry.end) else entry.end}
    return more


def _is_stamp(label: object, at: object) -> bool:
    return isinstance(label, str) and label.startswith(("t:", "n:")) and isinstance(at, bytes)


def _read_more(more: object) -> dict[str, Any]:
    if isinstance(more, dict) and more.keys() <= _MORE.keys():
        known = {name: math.inf if at is None else at for name, at in more.items()}
        if all(isinstance(at, _MORE[name]) for name, at in known.items()):
            return known
    raise ValueError("these bytes are no entry")


def unpack(raw: bytes) -> Entry | None:
    """Return the entry that `raw` is.

    Returns:
        None for a marker.

    Raises:
        ValueError: `raw` is neither an entry nor a marker of this version.
    """
    match ormsgpack.unpackb(raw):
        case [0, bytes()]:
            return None
        case [
            (1 | 2) as kind,
            bytes(),
            float() | int() as stamp,
            float() | int() | None as fresh_until,
            float() | int() | None as stale_until,
            dict(labels),
            bytes(value),
            *rest,
        ] if len(rest) <= 1 and all(_is_stamp(label, at) for label, at in labels.items()):
            ends = [math.inf if end is None else end for end in (fresh_until, stale_until)]
            more = _read_more(rest[0]) if rest else {}
            counter = kind == _COUNTER
            return Entry(value, stamp, ends[0], ends[1], labels, counter=counter, **more)
    raise ValueError("these bytes are no entry")
