"""Compress: a codec stage that shortens long values with zlib.

Law: the first byte says what follows: 0 the bytes themselves, 1 their zlib stream. Reading never
makes more than `max_bytes`, whatever the stream claims. Stands before a seal, never behind it; and
not over values that mix a secret with what an attacker writes: their length would tell (CRIME).
"""

import zlib

from holdfast.errors import CodecError, ConfigError

__all__ = ["MAX_BYTES", "Compress", "inflate"]

MAX_BYTES = 64 * 1024 * 1024
"""Default limit of what one value may become, in bytes."""

_AS_IT_IS, _ZLIB = 0, 1


class Compress:
    """Compresses what is longer than `above` bytes and gets shorter by it.

    Args:
        above: Values up to this many bytes are left as they are.
        level: 1 (fast) to 9 (small).
        max_bytes: A value that would become longer is refused, written or read.

    Raises:
        ConfigError: `above` is negative or `level` is not 1 to 9.
    """

    name = "zlib"

    def __init__(self, above: int = 1024, *, level: int = 6, max_bytes: int = MAX_BYTES) -> None:
        if above < 0 or not 1 <= level <= 9:
            raise ConfigError(f"compress: above={above}, level={level}: from 0, and 1 to 9")
        self.above = above
        self.level = level
        self.max_bytes = max_bytes

    def encode(self, data: bytes, /) -> bytes:
        """Return `data` compressed if that is worth it, else as it is, after a marker byte."""
        if len(data) > self.max_bytes:
            raise _error(f"{len(data)} bytes are more than the limit of {self.max_bytes}")
        if len(data) > self.above:
            short = zlib.compress(data, self.level)
            if len(short) < len(data):
                return bytes([_ZLIB]) + short
        return bytes([_AS_IT_IS]) + data

    def decode(self, data: bytes, /) -> bytes:
        """Return what `encode` was given.

        Raises:
            CodecError: The marker is unknown, the stream is broken, cut or followed by something,
                or it would become longer than `max_bytes`.
        """
        marker = data[0] if data else None
        if marker == _ZLIB:
            return inflate(data[1:], self.max_bytes)
        if marker != _AS_IT_IS:
            raise _error("not compressed by this stage")
        if len(data) - 1 > self.max_bytes:
            raise _error(f"{len(data) - 1} bytes are more than the limit of {self.max_bytes}")
        return data[1:]


def inflate(short: bytes, max_bytes: int | None = None) -> bytes:
    """Return what a zlib stream holds.

    Args:
        short: All of the stream, and nothing else.
        max_bytes: What it may become at most; None is `MAX_BYTES`.

    Raises:
        CodecError: It is broken, cut, followed by something, or would become longer.
    """
    largest = MAX_BYTES if max_bytes is None else max_bytes
    stream = zlib.decompressobj()
    try:
        # One byte more than allowed: a value of exactly the limit still reaches its end.
        data = stream.decompress(short, largest + 1)
    except zlib.error as error:
        raise _error(f"broken: {error}") from error
    if len(data) > largest:
        raise _error(f"becomes longer than the limit of {largest} bytes")
    if not stream.eof or stream.unused_data:
        raise _error("cut short, or followed by something")
    return data


def _error(message: str) -> CodecError:
    return CodecError(message, codec="zlib")
