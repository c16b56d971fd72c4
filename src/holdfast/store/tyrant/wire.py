"""The binary protocol of Tokyo Tyrant: requests as bytes, replies piece by piece.

Law: pure, no I/O. A reply is a generator that yields how many bytes it needs next, is sent exactly
those, and returns the answer. A size the server cannot mean is `Garbled` before anything is kept
for it. Several requests may leave in one write; the replies come in their order.
"""

import struct
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

__all__ = [
    "LARGEST",
    "Command",
    "Garbled",
    "Reading",
    "addint",
    "fwmkeys",
    "get",
    "mget",
    "misc",
    "optimize",
    "out",
    "put",
    "putcat",
    "putkeep",
    "putnr",
    "rnum",
    "size",
    "stat",
    "sync",
    "vanish",
    "vsiz",
]

T = TypeVar("T")
Reply = Generator[int, bytes, T]

LARGEST = 256 << 20
"""Bytes of the largest key or value a server takes or sends."""
_ALL = 0xFFFF_FFFF
_INT = struct.Struct(">I")
_SIGNED = struct.Struct(">i")
_ONE = struct.Struct(">HI")  # magic and command, one size
_TWO = struct.Struct(">HII")
_THREE = struct.Struct(">HIII")
_TWO_SIZES = struct.Struct(">II")


class Garbled(ConnectionError):  # noqa: N818 - what it says, not that it fails
    """The server sent what is no reply of this protocol."""


class Command(NamedTuple, Generic[T]):
    """One request and how to read its reply.

    Attributes:
        request: The bytes to send.
        reply: Starts the reading of the reply.
        twice: Whether doing it twice is the same as once, so that it may be sent again.
    """

    request: bytes
    reply: Callable[[], Reply[T]]
    twice: bool = True

    def once(self) -> "Command[T]":
        """Return this command, never to be sent again."""
        return self._replace(twice=False)


class Reading:
    """One reply while it comes in.

    Attributes:
        value: The answer, once it is over.
    """

    __slots__ = ("_need", "_steps", "over", "value")

    def __init__(self, command: Command[Any]) -> None:
        self.over = False
        self.value: Any = None
        self._steps = command.reply()
        self._need = 0
        self._go(None)

    def take(self, inbox: bytearray) -> bool:
        """Take what it needs from the front of `inbox`; return whether the reply is whole.

        Raises:
            Garbled: It is no reply.
        """
        while not self.over and len(inbox) >= self._need:
            piece = bytes(inbox[: self._need])
            del inbox[: self._need]
            self._go(piece)
        return self.over

    def _go(self, piece: bytes | None) -> None:
        try:
            self._need = self._steps.send(piece)  # type: ignore[arg-type] # None only starts it
        except StopIteration as done:
            self.over, self.value = True, done.value


# Requests


def put(key: bytes, value: bytes) -> Command[bool]:
    """Write; False where the server refuses."""
    return Command(_pair(0xC810, key, value), _status)


def putkeep(key: bytes, value: bytes) -> Command[bool]:
    """Write unless the key is there; False where it is, or where the server refuses."""
    return Command(_pair(0xC811, key, value), _status, twice=False)


def putcat(key: bytes, value: bytes) -> Command[bool]:
    """Append to what is there."""
    return Command(_pair(0xC812, key, value), _status, twice=False)


def putnr(key: bytes, value: bytes) -> Command[None]:
    """Write without asking for a reply."""
    return Command(_pair(0xC818, key, value), _nothing)


def out(key: bytes) -> Command[bool]:
    """Remove; return whether it was there."""
    return Command(_ONE.pack(0xC820, len(key)) + key, _status, twice=False)


def get(key: bytes) -> Command[bytes | None]:
    """Return the value, or None."""
    return Command(_ONE.pack(0xC830, len(key)) + key, _maybe_bytes)


def mget(keys: Sequence[bytes]) -> Command[dict[bytes, bytes]]:
    """Return the values that are there."""
    return Command(_ONE.pack(0xC831, len(keys)) + _listed(keys), lambda: _pairs(len(keys)))


def vsiz(key: bytes) -> Command[int | None]:
    """Return the length of the value in bytes, or None."""
    return Command(_ONE.pack(0xC838, len(key)) + key, _maybe_int)


def fwmkeys(prefix: bytes, most: int | None = None) -> Command[list[bytes]]:
    """Return keys that begin with `prefix`, at most that many; without the shared iterator."""
    limit = _ALL if most is None else most
    return Command(_TWO.pack(0xC858, len(prefix), limit) + prefix, lambda: _keys(limit))


def addint(key: bytes, number: int) -> Command[int | None]:
    """Add to a native 4-byte integer; None where it is none."""
    request = _ONE.pack(0xC860, len(key)) + _SIGNED.pack(number) + key
    return Command(request, _maybe_signed, twice=False)


def sync() -> Command[bool]:
    """Write everything to the device."""
    return Command(b"\xc8\x70", _status)


def optimize(params: bytes = b"") -> Command[bool]:
    """Rebuild the database with new tuning parameters."""
    return Command(_ONE.pack(0xC871, len(params)) + params, _status)


def vanish() -> Command[bool]:
    """Remove every record."""
    return Command(b"\xc8\x72", _status)


def rnum() -> Command[int]:
    """Return the number of records."""
    return Command(b"\xc8\x80", _long)


def size() -> Command[int]:
    """Return the size of the database in bytes."""
    return Command(b"\xc8\x81", _long)


def stat() -> Command[Mapping[str, str]]:
    """Return what the server says of itself."""
    return Command(b"\xc8\x88", _facts)


def misc(name: bytes, arguments: Sequence[bytes], *, logged: bool) -> Command[list[bytes] | None]:
    """Call a function of the database by its name; None where it failed.

    Args:
        name: Such as `getlist`.
        arguments: What it takes.
        logged: Whether the server writes it to its update log, for replicas.
    """
    head = _THREE.pack(0xC890, len(name), 0 if logged else 1, len(arguments))
    return Command(head + name + _listed(arguments), _maybe_list, twice=False)


def _pair(command: int, key: bytes, value: bytes) -> bytes:
    return _TWO.pack(command, len(key), len(value)) + key + value


def _listed(parts: Iterable[bytes]) -> bytes:
    return b"".join([piece for part in parts for piece in (_INT.pack(len(part)), part)])


# Replies


def _status() -> Reply[bool]:
    return (yield 1) == b"\0"


def _nothing() -> Reply[None]:
    yield from ()


def _sized(length: int) -> int:
    if length > LARGEST:
        raise Garbled(f"the server speaks of {length} bytes: it is no Tokyo Tyrant, or out of step")
    return length


def _int() -> Reply[int]:
    return int.from_bytes((yield 4))


def _bytes() -> Reply[bytes]:
    length = _sized((yield from _int()))
    return (yield length) if length else b""


def _maybe_bytes() -> Reply[bytes | None]:
    return (yield from _bytes()) if (yield 1) == b"\0" else None


def _maybe_int() -> Reply[int | None]:
    return (yield from _int()) if (yield 1) == b"\0" else None


def _maybe_signed() -> Reply[int | None]:
    return _SIGNED.unpack((yield 4))[0] if (yield 1) == b"\0" else None


def _long() -> Reply[int]:
    yield from _must()
    return int.from_bytes((yield 8))


def _must() -> Reply[None]:
    if (yield 1) != b"\0":
        raise Garbled("the server failed at a command that cannot fail")


def _pairs(most: int) -> Reply[dict[bytes, bytes]]:
    yield from _must()
    found: dict[bytes, bytes] = {}
    for _ in range(_counted((yield from _int()), most)):
        key_size, value_size = _TWO_SIZES.unpack((yield 8))
        both = yield _sized(key_size) + _sized(value_size)
        found[both[:key_size]] = both[key_size:]
    return found


def _keys(most: int) -> Reply[list[bytes]]:
    yield from _must()
    return (yield from _several(_counted((yield from _int()), most)))


def _facts() -> Reply[Mapping[str, str]]:
    yield from _must()
    lines = (yield from _bytes()).decode("utf-8", "replace").splitlines()
    pairs = [line.partition("\t") for line in lines]
    return {name: value for name, _, value in pairs}


def _maybe_list() -> Reply[list[bytes] | None]:
    failed = (yield 1) != b"\0"
    found = yield from _several((yield from _int()))
    return None if failed else found


def _several(count: int) -> Reply[list[bytes]]:
    found = []
    for _ in range(count):
        found.append((yield from _bytes()))  # noqa: PERF401 - a comprehension cannot yield
    return found


def _counted(count: int, most: int) -> int:
    if count > most:
        raise Garbled(f"the server sends {count} records where {most} were asked for")
    return count
