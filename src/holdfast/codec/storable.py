"""Storable: what Perl programs froze or stored, read without running any of it.

Law: read-only, and bounded in bytes, values and depth. Nothing in the bytes is run, looked up or
imported. Byte order and sizes are those the image says; a class name is dropped, its data stays.
A string of bytes is text where it is ASCII and stays bytes elsewhere: Perl does not say what it is.
"""

import struct
from collections.abc import Callable
from typing import Never

from holdfast.errors import CodecError

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_VALUES", "Storable"]

MAX_BYTES = 64 * 1024 * 1024
"""Default limit of an image, in bytes."""

MAX_DEPTH = 255
"""Arrays and hashes inside one another that are read."""

MAX_VALUES = 1_000_000
"""Values, references among them, that one image may hold."""

_ORDERS = {b"1234": "<", b"12345678": "<", b"4321": ">", b"87654321": ">"}
_MAJOR = 2  # of all images since 1999
_TELLS_DOUBLE = 2  # since this minor version, the size of a double is told

_OBJECT, _BLESS, _BLESS_KNOWN, _VSTRING, _LONG_VSTRING = 0, 17, 18, 29, 30
_REFERENCES = frozenset(
    {
        *(4, 20, 27, 28),  # plain, overloaded, and weak ones of both
        *(11, 12, 13),  # tied array, hash, scalar: the object behind has the data
    }
)
_LARGE = 0x80  # of a class name's length or number: four octets follow

_UTF8, _WAS_UTF8, _KEY_IS_VALUE, _PLACEHOLDER = 0x01, 0x02, 0x08, 0x10  # flags of a hash's key
_LARGE_CLASS, _LARGE_TEXT, _LARGE_LIST = 0x04, 0x08, 0x10  # flags of a hook
_CLASS_KNOWN, _MORE, _HAS_LIST, _KIND, _TIED = 0x20, 0x40, 0x80, 0x03, 0x03
_LARGE_PATTERN = 0x01


class Storable:
    """The codec of Perl's Storable, for reading: `freeze`, `nfreeze`, `store` and `nstore`.

    | Perl | here |
    |---|---|
    | hash, array | `dict`, `list` |
    | undef | `None` |
    | string with the UTF-8 flag; key of a hash | `str` |
    | string without it | `str` if all of it is ASCII, else `bytes`; keys too |
    | integer, floating point number | `int`, `float`; Perl freezes some as strings |
    | the constants true and false | `True`, `False`; Perl before 5.36 copies them as `"1"`, `""` |
    | blessed | its data, without the class |
    | object with `STORABLE_freeze` | a list: the frozen text, then its references |
    | reference, weak or not; tied variable | what it refers to |
    | the same thing twice, a cycle | the same object twice, a cycle |
    | regexp, code | text: `(?^i:a.b)`, `sub {...}` |

    Args:
        max_bytes: Longer images are not read.
    """

    name = "storable"

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes

    def encode(self, value: object, /) -> Never:  # noqa: ARG002 - the contract of codecs
        """Refuse: only Perl writes this.

        Raises:
            CodecError: Always.
        """
        raise _error("is only read; write JSON or msgpack")

    def decode(self, data: bytes, /) -> object:
        """Return the value `data` holds.

        Raises:
            CodecError: It is no image of Storable, is cut off, or goes beyond a limit.
        """
        if len(data) > self.max_bytes:
            raise _error(f"{len(data)} bytes are more than the limit of {self.max_bytes}")
        try:
            return _Reader(bytes(data)).whole()
        except CodecError:
            raise
        except RecursionError as error:
            raise _error("nested too deep") from error
        except (ValueError, struct.error) as error:  # text that is no UTF-8
            raise _error("not readable") from error


def _error(message: str) -> CodecError:
    return CodecError(message, codec="storable")


class _Pending:
    """Stands for a value that is being read."""


_PENDING = _Pending()


class _Reader:
    """One image, read from left to right.

    Every value has a number, its tag, in the order in which they begin; a value that was there
    before is told by it.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._seen: list[object] = []
        self._depth = 0
        self._order = ">"
        self._int_size = 0  # 0: in network order, native numbers do not occur
        self._double_size = 8

    def whole(self) -> object:
        """Return the value of the image, which is all there is."""
        self.read_head()
        value = self.value()
        if self._at != len(self._data):
            raise _error(f"{len(self._data) - self._at} bytes stand behind the image")
        return value

    def read_head(self) -> None:
        if self._data.startswith(b"pst0"):  # of a file
            self._at = 4
        version = self.octet()
        if version >> 1 != _MAJOR:
            raise _error("not an image of Storable 2")
        minor = self.octet()
        if version & 1:
            return
        order = self.take(self.octet())
        if order not in _ORDERS:
            raise _error("an unknown byte order")
        self._order, self._int_size = _ORDERS[order], len(order)
        self.take(3)  # the sizes of C's int, long and pointer
        if minor >= _TELLS_DOUBLE:
            self._double_size = self.octet()

    # What the image is made of

    def take(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise _error("cut off")
        return self._data[start : self._at]

    def octet(self) -> int:
        return self.take(1)[0]

    def size(self) -> int:
        size: int = struct.unpack(self._order + "I", self.take(4))[0]
        return size

    def size_of(self, large: int) -> int:
        return self.size() if large else self.octet()

    def count(self) -> int:
        """Return how many values follow; each has an octet at least."""
        count = self.size()
        if count > len(self._data) - self._at:
            raise _error("cut off")
        return count

    # Values

    def value(self) -> object:
        waiting: list[int] = []  # the tags of what is the next value itself, or refers to it
        while (mark := self.octet()) in _REFERENCES or mark in _THROUGH:
            if mark in _REFERENCES:
                waiting.append(self.tag())
            else:
                _THROUGH[mark](self)
        if mark == _OBJECT:
            value = self.known(self.tag_told())
        elif mark in _KINDS:
            waiting.append(self.tag())
            value = _KINDS[mark](self, waiting)
        else:
            raise _error(f"an unknown kind of value: {mark}")
        self.settle(waiting, value)
        return value

    def tag(self) -> int:
        if len(self._seen) == MAX_VALUES:
            raise _error(f"more than {MAX_VALUES} values")
        self._seen.append(_PENDING)
        return len(self._seen) - 1

    def settle(self, waiting: list[int], value: object) -> None:
        for tag in waiting:
            self._seen[tag] = value

    def tag_told(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def known(self, tag: int) -> object:
        if tag >= len(self._seen) or self._seen[tag] is _PENDING:
            raise _error("refers to a value that is not there, or to itself alone")
        return self._seen[tag]

    def deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _error(f"nested deeper than {MAX_DEPTH} arrays and hashes")

    def array(self, waiting: list[int]) -> list[object]:
        built: list[object] = []
        self.settle(waiting, built)  # before its items, which may refer to it
        self.deeper()
        for _ in range(self.count()):
            built.append(self.value())  # noqa: PERF401 - as above
        self._depth -= 1
        return built

    def hash(self, waiting: list[int]) -> dict[object, object]:
        built: dict[object, object] = {}
        self.settle(waiting, built)
        self.deeper()
        for _ in range(self.count()):
            value = self.value()
            built[_text(self.take(self.size()))] = value
        self._depth -= 1
        return built

    def flagged_hash(self, waiting: list[int]) -> dict[object, object]:
        """Read one that is locked, or has keys beyond ASCII."""
        built: dict[object, object] = {}
        self.settle(waiting, built)
        self.deeper()
        self.octet()  # whether it is locked
        for _ in range(self.count()):
            value = self.value()
            flags = self.octet()
            key = self.value() if flags & _KEY_IS_VALUE else self.key(flags)
            if not isinstance(key, str | bytes):
                raise _error("a key that is no string")
            if not flags & _PLACEHOLDER:  # a name that may come, with no value yet
                built[key] = value
        self._depth -= 1
        return built

    def key(self, flags: int) -> str | bytes:
        octets = self.take(self.size())
        if flags & _UTF8:
            return octets.decode()
        return octets.decode("latin-1") if flags & _WAS_UTF8 else _text(octets)

    def hook(self, waiting: list[int]) -> list[object]:
        """Read an object that froze itself: its text and what it refers to."""
        built: list[object] = []
        self.settle(waiting, built)
        self.deeper()
        flags = self.octet()
        tied = flags & _KIND == _TIED
        if tied:
            self.octet()  # which kind of variable it is
        while flags & _MORE:
            self.value()  # known by its tag, below
            flags = self.octet()
        if flags & _CLASS_KNOWN:
            self.size_of(flags & _LARGE_CLASS)
        else:
            self.take(self.size_of(flags & _LARGE_CLASS))
        built.append(_text(self.take(self.size_of(flags & _LARGE_TEXT))))
        if flags & _HAS_LIST:
            count = self.size_of(flags & _LARGE_LIST)
            built += [self.known(self.tag_told()) for _ in range(count)]
        if tied:
            built.append(self.value())
        self._depth -= 1
        return built

    def tied_element(self, waiting: list[int]) -> object:
        """Read an element of a tied hash: that of the data behind it."""
        owner, key = self.value(), self.value()
        self.settle(waiting, None)
        if isinstance(owner, dict) and isinstance(key, str | bytes):
            return owner.get(key)
        return None

    def tied_item(self, _: list[int]) -> object:
        """Read an item of a tied array: that of the data behind it."""
        owner, index = self.value(), self.size()
        if isinstance(owner, list) and index < len(owner):
            item: object = owner[index]
            return item
        return None

    def integer(self, _: list[int]) -> int:
        if not self._int_size:
            raise _error("a native number in network order")
        octets = self.take(self._int_size)
        return int.from_bytes(octets, "little" if self._order == "<" else "big", signed=True)

    def double(self, _: list[int]) -> float:
        if not self._int_size or self._double_size != struct.calcsize("d"):
            raise _error("a floating point number of another machine's form")
        value: float = struct.unpack(self._order + "d", self.take(8))[0]
        return value

    def net_integer(self, _: list[int]) -> int:
        return int.from_bytes(self.take(4), "big", signed=True)

    def code(self, _: list[int]) -> object:
        """Read the source of a function, as text."""
        mark = self.octet()
        if mark not in _STRINGS:
            raise _error("code without its source")
        tag = self.tag()
        source = _STRINGS[mark](self)
        self.settle([tag], source)
        return "sub " + source if isinstance(source, str) else b"sub " + source

    def regexp(self, _: list[int]) -> str:
        octets = self.take(self.size_of(self.octet() & _LARGE_PATTERN))
        flags = self.take(self.octet()).decode("ascii")
        try:
            pattern = octets.decode("utf-8" if "u" in flags else "latin-1")
        except UnicodeDecodeError:
            pattern = octets.decode("latin-1")
        return f"(?^{flags}:{pattern})"

    # What stands before a value

    def class_name(self) -> None:
        length = self.octet()
        self.take(self.size() if length & _LARGE else length)

    def class_number(self) -> None:
        if self.octet() & _LARGE:
            self.size()

    def version_string(self) -> None:
        self.take(self.octet())

    def long_version_string(self) -> None:
        self.take(self.size())


def _text(octets: bytes) -> str | bytes:
    return octets.decode("ascii") if octets.isascii() else octets


def _constant(value: object) -> Callable[[_Reader, list[int]], object]:
    return lambda _reader, _waiting: value


_STRINGS: dict[int, Callable[[_Reader], str | bytes]] = {
    1: lambda reader: _text(reader.take(reader.size())),
    10: lambda reader: _text(reader.take(reader.octet())),
    23: lambda reader: reader.take(reader.octet()).decode(),
    24: lambda reader: reader.take(reader.size()).decode(),
}


def _string(mark: int) -> Callable[[_Reader, list[int]], object]:
    return lambda reader, _: _STRINGS[mark](reader)


_THROUGH: dict[int, Callable[[_Reader], None]] = {
    _BLESS: _Reader.class_name,
    _BLESS_KNOWN: _Reader.class_number,
    _VSTRING: _Reader.version_string,
    _LONG_VSTRING: _Reader.long_version_string,
}
"""What stands before a value and has no tag."""

_KINDS: dict[int, Callable[[_Reader, list[int]], object]] = {
    2: _Reader.array,
    3: _Reader.hash,
    5: _constant(None),
    6: _Reader.integer,
    7: _Reader.double,
    8: lambda reader, _: reader.octet() - 128,
    9: _Reader.net_integer,
    14: _constant(None),
    15: _constant(True),  # noqa: FBT003 - the value itself
    16: _constant(False),  # noqa: FBT003
    19: _Reader.hook,
    21: _Reader.tied_element,
    22: _Reader.tied_item,
    25: _Reader.flagged_hash,
    26: _Reader.code,
    31: _constant(None),
    32: _Reader.regexp,
    34: _constant(True),  # noqa: FBT003
    35: _constant(False),  # noqa: FBT003
    **{mark: _string(mark) for mark in _STRINGS},
}
