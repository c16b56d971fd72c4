"""Msgpack: the default codec. Python's own values to bytes and back, without loss.

Law: what comes back equals what went in and has the same type: None, bool, int of any size, float,
str, bytes, list, tuple, set, frozenset, dict with any of these as keys, datetime, date, time,
timedelta, Decimal, UUID, however nested. Everything else (a subclass, an enum, a dataclass, a
bytearray) is a `CodecError` naming its type. Sets are sorted by their encodings and a dict keeps
its order, so equal values have equal bytes. No code is ever run by reading.

The bytes are plain msgpack; values that msgpack does not know are extensions:

    1  int beyond 64 bits      two's complement, big endian
    2  datetime                ISO 8601, as in `codec/when.py`
    3  date, 4 time            the same
    5  timedelta               days, seconds, microseconds: int32, uint32, uint32
    6  Decimal                 its text
    7  UUID                    16 bytes
    16 tuple, 17 set,          the one byte C1, as first element of an array of the members; of a
    18 frozenset, 19 dict      dict's keys and values in turn, where some key is no str

Limits: `max_bytes`; nesting of 255 containers, written or read: what was read can be written. An
`ormsgpack.Fragment` is taken at its word: it exists to smuggle ready msgpack in.
"""

import secrets
import struct
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal
from functools import partial
from itertools import chain
from typing import Any, Final, cast
from uuid import UUID

import ormsgpack
from ormsgpack import Ext

from holdfast.codec import when
from holdfast.errors import CodecError

__all__ = ["MAX_BYTES", "MAX_DEPTH", "Msgpack"]

MAX_BYTES = 64 * 1024 * 1024
"""Default limit of an encoded value, in bytes."""

MAX_DEPTH = 255
"""Containers inside containers that are written and read."""

# Without these, ormsgpack would turn subclasses, enums, tuples and times into something similar.
_STRICT = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
_INT64 = range(-(2**63), 2**64)
_DELTA = struct.Struct(">iII")
_TEXT = Context(capitals=1)  # the program's own context may write "1e5"

_MARK = b"\xc1"  # a byte that msgpack never uses: one look tells that no marks can be there
_TUPLE, _SET, _FROZENSET, _DICT = 16, 17, 18, 19

# ormsgpack ignores what follows a value. Read as a pair with this, nothing can follow unseen; it is
# random, so that nobody can write it.
_END = secrets.token_bytes(16)
_END_PACKED = ormsgpack.packb(_END)


class Msgpack:
    """The lossless codec for Python values.

    Args:
        max_bytes: Longer encodings are neither written nor read.
    """

    name = "msgpack"

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes

    def encode(self, value: object, /) -> bytes:
        """Return `value` as msgpack.

        Raises:
            CodecError: It holds a type beyond the list above, nests too deep or is too long.
        """
        try:
            data = ormsgpack.packb(value, _write, _STRICT)
        except ormsgpack.MsgpackEncodeError:
            data = _encode_mixed(value)
        else:
            # A bytearray, a memoryview and an Ext pass ormsgpack unasked, always with such a byte.
            if type(value) not in _AS_IT_IS and (
                0xC4 in data or 0xC5 in data or 0xC6 in data or 0xC7 in data or 0xC8 in data
                or 0xC9 in data or 0xD4 in data or 0xD5 in data or 0xD6 in data or 0xD7 in data
                or 0xD8 in data
            ):  # fmt: skip
                _refuse_foreign(value)
        if len(data) > self.max_bytes:
            raise _error(f"{len(data)} bytes are more than the limit of {self.max_bytes}")
        return data

    def decode(self, data: bytes, /) -> object:
        """Return the value `data` holds.

        Raises:
            CodecError: It is not what `encode` writes, nests too deep or is too long.
        """
        if len(data) > self.max_bytes:
            raise _error(f"{len(data)} bytes are more than the limit of {self.max_bytes}")
        try:
            value, end = ormsgpack.unpackb(b"\x92" + data + _END_PACKED, ext_hook=_from_ext)
            if end != _END:
                raise _error("something follows the value")
            if 0xC1 in data:
                return _with_marks(value, 0)
            return value if len(data) <= MAX_DEPTH else _shallow(value, data)
        except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise _error(f"not readable: {error}") from error


def _error(message: str) -> CodecError:
    return CodecError(message, codec="msgpack")


def _unknown(value: object) -> CodecError:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)
    return _error(f"cannot write a value of type {name}; convert it to one of Python's own types")


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


# Writing


def _encode_mixed(value: object) -> bytes:
    """Return the encoding of a value that ormsgpack alone refuses."""
    try:
        return _pack(_to_plain(value, 0))
    except RecursionError as error:
        raise _error("nested too deep") from error


def _pack(plain: object) -> bytes:
    try:
        return ormsgpack.packb(plain, _write, _STRICT)
    except ormsgpack.MsgpackEncodeError as error:  # a lone surrogate, or too deep
        raise _error(f"cannot be written: {error}") from error


def _refuse_foreign(value: object) -> None:
    """Raise if anything in lists and dicts is of a type that ormsgpack lets pass unasked."""
    level = [value]
    while level:
        kinds = set(map(type, level))
        if not kinds <= _NATIVE:
            raise _unknown(next(item for item in level if type(item) not in _NATIVE))
        if not kinds & {list, dict}:
            return
        below: list[object] = []
        for item in level:
            if type(item) is list:
                below += item
            elif type(item) is dict:
                below += item.values()
        level = below


def _to_plain(value: Any, depth: int) -> object:
    """Return `value` with everything msgpack does not know put as extensions."""
    kind = type(value)
    if kind in _AS_IT_IS:
        return cast("object", value)
    if kind in _WRITERS:
        return _WRITERS[kind](value)
    if depth >= MAX_DEPTH:
        raise _error(f"nested deeper than {MAX_DEPTH} containers")
    if kind is dict and _STR.issuperset(map(type, value)):
        return {
            name: item if type(item) in _AS_IT_IS else _to_plain(item, depth + 1)
            for name, item in value.items()
        }
    if kind is not list and kind not in _MARKS:
        raise _unknown(value)
    members = chain.from_iterable(value.items()) if kind is dict else value
    parts = [item if type(item) in _AS_IT_IS else _to_plain(item, depth + 1) for item in members]
    if kind is list:
        return parts
    if kind in (set, frozenset):
        parts.sort(key=_pack)
    return [_MARKS[kind], *parts]


def _write(value: object) -> Ext:
    """Return the extension for a value without members; what is raised here, ormsgpack hides."""
    return _WRITERS[type(value)](value)


def _write_int(value: int) -> Ext:
    return Ext(1, value.to_bytes(_int_bytes(value), "big", signed=True))


def _int_bytes(value: int) -> int:
    """Return how many bytes the two's complement of `value` needs."""
    return (value if value >= 0 else ~value).bit_length() // 8 + 1


def _write_when(tag: int, value: datetime | time) -> Ext:
    try:
        return Ext(tag, when.write(value).encode())
    except ValueError as error:  # a foreign zone, or a zone name with a lone surrogate
        raise _error(f"cannot write {error}; use datetime.timezone or zoneinfo") from error


_STR = frozenset({str})
_AS_IT_IS = frozenset({type(None), bool, int, float, str, bytes})  # a big int: see _write
_MARKS: Final[dict[type, Ext]] = {
    tuple: Ext(_TUPLE, _MARK),
    set: Ext(_SET, _MARK),
    frozenset: Ext(_FROZENSET, _MARK),
    dict: Ext(_DICT, _MARK),
}
_WRITERS: Final[dict[type, Callable[[Any], Ext]]] = {
    int: _write_int,
    datetime: partial(_write_when, 2),
    date: lambda value: Ext(3, value.isoformat().encode()),
    time: partial(_write_when, 4),
    timedelta: lambda value: Ext(5, _DELTA.pack(value.days, value.seconds, value.microseconds)),
    Decimal: lambda value: Ext(6, _TEXT.to_sci_string(value).encode()),
    UUID: lambda value: Ext(7, value.bytes),
}
_NATIVE = _AS_IT_IS | _WRITERS.keys() | {list, dict}  # what needs no mark


# Reading: whatever is raised here, `decode` turns into a CodecError.


class _Mark:
    """Stands first in an array that is no list."""

    def __init__(self, build: Callable[[list[Any]], object]) -> None:
        self.build = build


def _from_ext(tag: int, data: bytes) -> object:
    mark = _MARKS_READ.get(tag)
    if mark is None:
        return _READERS[tag](data)
    if data != _MARK:
        raise ValueError("a mark is one byte")
    return mark


def _with_marks(value: Any, depth: int) -> object:
    """Return `value` with the marked arrays made into what they stand for."""
    kind = type(value)
    if kind is _Mark:
        raise ValueError("a mark that marks nothing")
    if depth >= MAX_DEPTH:
        raise ValueError("nested too deep")
    if kind is dict:
        return {
            name: _with_marks(item, depth + 1) if type(item) in _MAY_HOLD_MARKS else item
            for name, item in value.items()
        }
    if kind is not list:
        return cast("object", value)
    mark = value[0] if value and type(value[0]) is _Mark else None
    parts = [
        _with_marks(item, depth + 1) if type(item) in _MAY_HOLD_MARKS else item
        for item in (value[1:] if mark else value)
    ]
    return mark.build(parts) if mark else parts


def _build_set(parts: list[Any]) -> set[Any]:
    built = set(parts)
    if len(built) != len(parts):
        raise ValueError("a member stands there twice")
    return built


def _build_dict(parts: list[Any]) -> dict[Any, Any]:
    built = dict(zip(parts[::2], parts[1::2], strict=True))
    if len(built) * 2 != len(parts):
        raise ValueError("a key stands there twice")
    return built


def _read_int(data: bytes) -> int:
    value = int.from_bytes(data, "big", signed=True)
    if value in _INT64 or len(data) != _int_bytes(value):
        raise ValueError("an int in a longer form than needed")
    return value


def _read_delta(data: bytes) -> timedelta:
    days, seconds, microseconds = _DELTA.unpack(data)
    return timedelta(days, seconds, microseconds)


def _read_decimal(data: bytes) -> Decimal:
    text = data.decode("ascii")
    value = Decimal(text)
    if _TEXT.to_sci_string(value) != text:
        raise ValueError("a Decimal in another form")
    return value


def _shallow(value: object, data: bytes) -> object:
    """Return `value`, read from `data`; ormsgpack reads 1,022 levels, and `encode` writes fewer."""
    if len(data.translate(None, _NO_OPENING)) <= MAX_DEPTH:
        return value
    level = [value] if type(value) in _HOLDERS else []
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError("nested too deep")
        level = [
            item
            for holder in level
            for item in (holder.values() if type(holder) is dict else cast("list[Any]", holder))
            if type(item) in _HOLDERS
        ]
    return value


_HOLDERS = frozenset({list, dict})
# Every byte but those that open an array or a map: fewer of these than levels, and it is not deep.
_OPENING = bytes([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])
_NO_OPENING = bytes(set(range(256)) - set(_OPENING))
_MAY_HOLD_MARKS = _HOLDERS | {_Mark}
_MARKS_READ: Final = {
    _TUPLE: _Mark(tuple),
    _SET: _Mark(_build_set),
    _FROZENSET: _Mark(lambda parts: frozenset(_build_set(parts))),
    _DICT: _Mark(_build_dict),
}
_READERS: Final[dict[int, Callable[[bytes], object]]] = {
    1: _read_int,
    2: lambda data: when.read(datetime, data.decode()),
    3: lambda data: date.fromisoformat(data.decode("ascii")),
    4: lambda data: when.read(time, data.decode()),
    5: _read_delta,
    6: _read_decimal,
    7: lambda data: UUID(bytes=data),
}
