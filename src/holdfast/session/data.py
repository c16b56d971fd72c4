"""Session records: what stands in the store under a session's id.

Law: pure. A record is one msgpack array, readable from any language; each value in it is encoded
by itself, so that loading decodes only what is touched. Bytes that are no record of ours decode to
None and never raise. An array of three is a forward note: the id a rotated session goes on
under, and until when its old token still reads.

    [1, rev, gen, created, seen, {reserved}, {name: value bytes}, [[id, box, value bytes], ...]]
    [1, id, until]

New fields go into `reserved`, where a process that does not know them leaves them alone. A form
that others could not read gets a new version, which is read one release before it is written: so
old and new processes share sessions for as long as a deployment takes.
"""

import functools
import itertools
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import ormsgpack

from holdfast.codec import Codec
from holdfast.errors import CodecError
from holdfast.session.token import is_id

__all__ = [
    "Message",
    "Note",
    "Record",
    "blank",
    "decode",
    "encode",
    "encode_note",
    "encode_value",
    "made",
    "new_message_id",
    "new_rev",
]

VERSION = 1
_TYPES = [int, bytes, int, float, float, dict, dict, list]
_LATEST = 1e11  # no time of ours lies behind the year 5138; NaN and infinity fail the comparison
_LAST_GEN = 2**63  # a login adds one, and msgpack ends at 2**64
_BYTES = frozenset({bytes})
_FLAT = frozenset({str, int, float, bytes})
_pack = ormsgpack.packb
_unpack = ormsgpack.unpackb


class Message(NamedTuple):
    """One flash message or notification, read once.

    Attributes:
        id: Random; a replay removes exactly what was handed out.
        box: `f:` and the queue of a flash message, `n:` and the name of a notification.
        encoded: The value.
    """

    id: bytes
    box: str
    encoded: bytes


class Record(NamedTuple):
    """A session as it is stored.

    Attributes:
        rev: New with each change; tells whether a write whose answer was lost arrived.
        gen: How many logins it has seen.
        created: UTC seconds of its birth, or of its last login.
        seen: UTC seconds of its last use, at most `touch_every` behind.
        reserved: Our own fields: `user`, `label`, `login` (UTC seconds), `csrf` (the secret),
            `lifetime` (seconds, of a session that is to be remembered), `rotated` (UTC seconds of
            its last rotation), `address` and `agent` of the client that signed in, `schema` (the
            version of a typed session).
        data: The application's values, each encoded by itself.
        messages: Flash messages and notifications, oldest first.
    """

    rev: bytes
    gen: int
    created: float
    seen: float
    reserved: Mapping[str, Any]
    data: dict[str, bytes]
    messages: list[Message]

    @property
    def user(self) -> str | int | None:
        """Who is signed in; our own fields are as little trusted as any byte of a record."""
        user = self.reserved.get("user")
        return user if isinstance(user, str | int) and not isinstance(user, bool) else None

    @property
    def lifetime(self) -> float | None:
        """How long this session may live, in seconds, if that is its own affair."""
        return self._number("lifetime")

    @property
    def login(self) -> float | None:
        """When its user signed in: UTC seconds."""
        return self._number("login")

    @property
    def rotated(self) -> float:
        """When it was rotated last: UTC seconds; its birth or login if it never was."""
        rotated = self._number("rotated")
        return self.created if rotated is None else rotated

    def text(self, field: str) -> str | None:
        """Return one of our own fields that holds text."""
        found = self.reserved.get(field)
        return found if isinstance(found, str) else None

    def _number(self, field: str) -> float | None:
        found = self.reserved.get(field)
        return found if isinstance(found, float) and 0.0 <= found < _LATEST else None


class Note(NamedTuple):
    """A forward note.

    Attributes:
        target: The id of the record the session goes on in.
        until: Until when the old token still reads: UTC seconds; 0: it does not.
    """

    target: str
    until: float = 0.0


class _Revs:
    """Marks that tell writes apart: random bytes of this process, then a count; no secret."""

    def __init__(self) -> None:
        self.renew()
        os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        """Begin anew: a child must not go on where its parent does."""
        self._origin = secrets.token_bytes(8)
        self._count = itertools.count()

    def new(self) -> bytes:
        """Return the `rev` of a new write: 16 bytes that no other write has."""
        return self._origin + next(self._count).to_bytes(8, "big")


new_rev = _Revs().new


def new_message_id() -> bytes:
    """Return the name of one message: 8 random bytes."""
    return secrets.token_bytes(8)


def encode(record: Record) -> bytes:
    """Return the bytes of `record`.

    Raises:
        CodecError: A name, the user or a label holds half a character.
    """
    try:
        if record.messages:
            return _pack((VERSION, *record[:-1], [tuple(message) for message in record.messages]))
        return _pack((VERSION, *record))
    except ormsgpack.MsgpackEncodeError as error:
        raise CodecError(f"a name, the user or a label cannot be written: {error}") from error


made: Callable[[Iterable[object]], Record] = functools.partial(tuple.__new__, Record)
"""Returns the record of these fields: `Record._make` without its detour."""


def blank(now: float) -> Record:
    """Return the record a new session starts from."""
    return Record(b"", 0, now, now, {}, {}, [])


def encode_note(target: str, until: float = 0.0) -> bytes:
    """Return the bytes of a forward note."""
    return _pack((VERSION, target, until))


def decode(raw: bytes) -> Record | Note | None:
    """Return what `raw` holds; None if it is nothing of ours."""
    try:
        array = _unpack(raw)
    except ormsgpack.MsgpackDecodeError:
        return None
    if type(array) is not list or array[:1] != [VERSION]:
        return None
    if [*map(type, array)] != _TYPES:
        return _note(*array[1:]) if len(array) == 3 else None
    if array[-1]:
        array[-1] = _messages(array[-1])
    record = made(array[1:])
    timely = 0.0 <= record.created < _LATEST and 0.0 <= record.seen < _LATEST
    if not timely or record.gen >= _LAST_GEN or record.messages is None:
        return None
    return record if _is_writable(record) else None


def _is_writable(record: Record) -> bool:
    """Return whether `encode` can write what was read: reading goes deeper than writing."""
    flat = _FLAT.issuperset(map(type, record.reserved.values()))
    if flat and _BYTES.issuperset(map(type, record.data.values())):
        return True
    try:
        _pack((record.reserved, record.data))
    except ormsgpack.MsgpackEncodeError:
        return False
    return True


def _note(target: object, until: object) -> Note | None:
    if not isinstance(target, str) or not is_id(target) or not isinstance(until, float):
        return None
    return Note(target, until) if 0.0 <= until < _LATEST else None


def _messages(found: list[Any]) -> list[Message] | None:
    for one in found:
        if type(one) is not list or [type(part) for part in one] != [bytes, str, bytes]:
            return None
    return [Message(*one) for one in found]


def encode_value(codec: Codec, name: str, value: object) -> bytes:
    """Return `value` encoded by itself.

    Raises:
        CodecError: The codec cannot carry it; the error names `name`.
    """
    try:
        return codec.encode(value)
    except CodecError as error:
        raise error.under(name) from error
