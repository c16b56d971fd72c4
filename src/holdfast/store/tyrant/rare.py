"""Commands of Tokyo Tyrant that our stores never send: clients of old days have them.

Law: as in `wire.py`: pure, no I/O.
"""

import struct

from holdfast.store.tyrant import wire
from holdfast.store.tyrant.wire import Command

__all__ = ["ext", "putshl"]

_THREE = struct.Struct(">HIII")  # magic and command, three sizes or numbers
_FIVE = struct.Struct(">HIIII")
_STATUS = wire.put(b"", b"").reply
_MAYBE_BYTES = wire.get(b"").reply


def putshl(key: bytes, value: bytes, width: int) -> Command[bool]:
    """Append, and keep the last `width` bytes."""
    head = _THREE.pack(0xC813, len(key), len(value), width)
    return Command(head + key + value, _STATUS, twice=False)


def ext(
    name: bytes, key: bytes, value: bytes, *, locks_record: bool, locks_all: bool
) -> Command[bytes | None]:
    """Call a function of the server's script; None where it has none or it failed."""
    locks = locks_record | locks_all << 1
    head = _FIVE.pack(0xC868, len(name), locks, len(key), len(value))
    return Command(head + name + key + value, _MAYBE_BYTES, twice=False)
