"""The form of one record: the value as it is, or behind a header with its expiry.

Law: pure. A value without a ttl stands as it is, so that other programs read it; one that begins
like a header gets a header, so that every value comes back byte for byte. What somebody else wrote
has no header and never expires.
"""

import struct
from typing import NamedTuple

__all__ = ["HEAD", "NEVER", "Row", "pack", "unpack"]

NEVER = float("inf")
_MAGIC = b"HFT\x01"
_HEADER = struct.Struct(">4sd")  # magic and version, UTC time in seconds
HEAD = _HEADER.size
"""Bytes that always hold the expiry, if there is one."""


class Row(NamedTuple):
    """What a record holds."""

    value: bytes
    expires: float


def pack(value: bytes, expires: float) -> bytes:
    """Return the bytes of a record; `expires` is a UTC time in seconds, or `NEVER`."""
    if expires == NEVER and not value.startswith(_MAGIC):
        return value
    return _HEADER.pack(_MAGIC, expires) + value


def unpack(data: bytes) -> Row:
    """Return the row in `data`, which may be only its first `HEAD` bytes."""
    if not data.startswith(_MAGIC) or len(data) < HEAD:
        return Row(data, NEVER)
    return Row(data[HEAD:], _HEADER.unpack_from(data)[1])
