"""The form of one row in a dbm file: magic, checksum, expiry, value.

Law: pure. What has no magic is another program's value and never expires; what has one is read
back whole and under its own key, or it is `Damaged`.
"""

import struct
import zlib
from typing import NamedTuple

__all__ = ["NEVER", "REMOVED", "Damaged", "Row", "pack", "unpack"]

NEVER = float("inf")
REMOVED = -NEVER
"""The expiry of a row that was removed where removing is dear."""
_MAGIC = b"HFD\x01"
_HEAD = struct.Struct("<4sId")  # magic and version, CRC-32 of key, expiry and value, expiry
_EXPIRY = struct.Struct("<d")


class Damaged(Exception):  # noqa: N818 - it names a state, and never leaves the store
    """The bytes are the rest of a row, or the row of another key."""


class Row(NamedTuple):
    """What a key holds."""

    value: bytes
    expires: float


def pack(key: bytes, value: bytes, expires: float) -> bytes:
    """Return the bytes of a row; `expires` is a UTC time in seconds, or `NEVER`."""
    return _HEAD.pack(_MAGIC, _sum(key, value, expires), expires) + value


def unpack(key: bytes, data: bytes) -> Row:
    """Return the row of `key` in `data`.

    Raises:
        Damaged: It is cut off, changed, or the row of another key.
    """
    if not data.startswith(_MAGIC):
        return Row(data, NEVER)
    if len(data) < _HEAD.size:
        raise Damaged("it is cut off")
    _, checksum, expires = _HEAD.unpack_from(data)
    value = data[_HEAD.size :]
    if _sum(key, value, expires) != checksum:
        raise Damaged("its checksum is wrong")
    return Row(value, expires)


def _sum(key: bytes, value: bytes, expires: float) -> int:
    return zlib.crc32(value, zlib.crc32(key + _EXPIRY.pack(expires)))
