"""One value of an old library on its way from one place to another.

Law: pure. A session of Beaker is text: base64 of what its serializer wrote, which is looked into,
because a pickle in it asks for classes as any other does. What is encrypted stays as it is.
"""

import json
import re
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.compat.values import MARK, decode, encode
from holdfast.errors import CodecError

__all__ = ["SESSION", "Piece", "age_left", "refreshed", "session_data", "times_of"]

SESSION = "session"
"""The key that a session of Beaker has in its namespace."""

_LATEST = 1e11  # seconds: no time of ours; NaN and infinity fail the comparison, too
_MARGIN = 120  # seconds a record is kept beyond its timeout, as compat.beaker does
_STOP = b"."
_BEGINS = (b"\x80", b"(", b"}", b"c", b"]")  # of pickles of any protocol that hold a session
_HASH = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Piece:
    """One value.

    Attributes:
        name: What it lies under in its place: a file, a row, a key of the server.
        kind: The kind of that place.
        space: Beaker's namespace, of a session its id; None where it cannot be told.
        key: Its key in there.
        value: It.
        ttl: Seconds it has left; None: its place does not end it.
    """

    name: str
    kind: str
    space: str | None
    key: Any
    value: Any
    ttl: float | None = None

    @property
    def is_session(self) -> bool:
        """Whether it is a session, and no cached value."""
        return bool(self.key == SESSION)

    @property
    def is_hashed(self) -> bool:
        """Whether only the hash of its namespace is known, as file names have it."""
        hidden = self.kind in ("file", "dbm") and not self.is_session
        return hidden and _HASH.fullmatch(self.space or "") is not None


def session_data(value: Any) -> dict[str, Any] | None:
    """Return what a session holds; None if it is encrypted.

    Raises:
        CodecError: It is no session, or asks for a class that is not allowed.
    """
    found = value
    if isinstance(value, str | bytes):
        try:
            found = _inside(a2b_base64(value))
        except (Error, ValueError) as error:
            raise CodecError("no session: it is no base64") from error
        if found is None:
            return None
    if not isinstance(found, dict):
        raise CodecError(f"no session, but a {type(found).__name__}")
    return found


def _inside(data: bytes) -> Any:
    """Return what a serializer wrote; None where it was encrypted then."""
    if data.startswith(MARK) or (data.endswith(_STOP) and data.startswith(_BEGINS)):
        return decode(data)
    if data.startswith(b"{"):
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            return None
    return None


def refreshed(piece: Piece) -> Any:
    """Return the value as it is written today: of a session, its text made anew.

    Raises:
        CodecError: As `session_data`.
    """
    value = piece.value
    if piece.kind == "tcjson":  # where a session is an object, and a cached value an array
        if piece.is_session:
            return _text_of(session_data(value) or {})
        return tuple(value) if isinstance(value, list) else value
    if not piece.is_session or not isinstance(value, str | bytes):
        return value
    data = session_data(value)
    if data is None or a2b_base64(value).startswith(b"{"):
        return value
    return _text_of(data)


def _text_of(data: dict[str, Any]) -> str:
    return b2a_base64(encode(data, name=SESSION), newline=False).decode("ascii")


def age_left(piece: Piece, now: float, timeout: float | None) -> float | None:
    """Return how many seconds a value may still live; 0 or less: it is over; None: for ever.

    Args:
        piece: The value.
        now: UTC seconds.
        timeout: Seconds since its last use after which a session is over; None: nobody said.
    """
    own = _session_left(piece, now, timeout) if piece.is_session else _cached_left(piece, now)
    known = [left for left in (own, piece.ttl) if left is not None]
    return min(known, default=None)


def _session_left(piece: Piece, now: float, timeout: float | None) -> float | None:
    if timeout is None:
        return None
    data = session_data(piece.value)
    seen = _number(data.get("_accessed_time")) if data is not None else None
    left = timeout - (now - seen) if seen is not None else timeout
    return left + _MARGIN if left > 0 else 0.0


def _cached_left(piece: Piece, now: float) -> float | None:
    """Return what a cached value of Beaker, `(stored, expires in, value)`, has left."""
    if not isinstance(piece.value, tuple | list) or len(piece.value) != 3:
        return None
    stored, lives = map(_number, piece.value[:2])
    return None if stored is None or lives is None else stored + lives - now


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if -_LATEST < value < _LATEST else None


def times_of(data: Mapping[str, Any], now: float) -> tuple[float, float]:
    """Return when a session was made and last used, in UTC seconds."""
    created = _number(data.get("_creation_time", data.get("__created")))
    seen = _number(data.get("_accessed_time"))
    created = min(now, created) if created is not None and created >= 0 else now
    return created, max(created, min(now, seen)) if seen is not None else now
