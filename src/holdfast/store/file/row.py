"""The form of one row in a file: magic, checksum, expiry, length of the key, key, value.

Law: pure. A row is read back whole and under its own key, or it is `Damaged`.
"""

import struct
import zlib
from typing import NamedTuple

__all__ = ["HEAD", "Damaged", "Row", "pack", "peek", "unpack"]

_MAGIC = b"HF1\n"
_SUMMED = struct.Struct("<dH")  # expiry, length of the key: the checksum covers all from here on
_OUTER = struct.Struct("<4sI")  # magic, CRC-32
_START = _OUTER.size + _SUMMED.size
HEAD = _START + 250
"""Bytes that always hold expiry and key."""


class Damaged(Exception):  # noqa: N818 - it names a state, and never leaves the store
    """The bytes are no row, or the row of another key."""


class Row(NamedTuple):
    """What a file holds."""

    value: bytes
    expires: float


def pack(key: str, value: bytes, expires: float) -> bytes:
    """Return the bytes of a row; `expires` is a UTC time in seconds, or infinity."""
    name = key.encode("ascii")
    body = _SUMMED.pack(expires, len(name)) + name + value
    return _OUTER.pack(_MAGIC, zlib.crc32(body)) + body


def unpack(key: str, data: bytes) -> Row:
    """Return the row of `key` in `data`.

    Raises:
        Damaged: It is cut off, changed, foreign, or the row of another key.
    """
    found, expires = peek(data)
    if zlib.crc32(memoryview(data)[_OUTER.size :]) != _OUTER.unpack_from(data)[1]:
        raise Damaged("its checksum is wrong")
    if found != key:
        raise Damaged(f"it is the row of {found!r}")
    return Row(data[_START + len(key) :], expires)


def peek(data: bytes) -> tuple[str, float]:
    """Return key and expiry from the first `HEAD` bytes, without the checksum.

    Raises:
        Damaged: They are no head of a row.
    """
    if len(data) < _START or not data.startswith(_MAGIC):
        raise Damaged("it is not a row of this store")
    expires, length = _SUMMED.unpack_from(data, _OUTER.size)
    name = data[_START : _START + length]
    if len(name) != length or not name.isascii():
        raise Damaged("it is cut off")
    return name.decode("ascii"), expires
