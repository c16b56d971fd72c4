"""Records of pyramid_kvs: which form the bytes of a value have, and how keys are matched.

Law: pure. The codec is the one that is configured; beside it only what the genuine library may have
left is read, and only by the allow-list. Anything else is a `CodecError`.
"""

import fnmatch
import re
import zlib
from collections.abc import Callable
from typing import Any

from holdfast.codec.compress import MAX_BYTES
from holdfast.compat.pyramid_kvs.serializer import serializer as named
from holdfast.errors import CodecError
from holdfast.store.memcached.plain_flags import FORMS, Flagged

__all__ = ["inflated", "octets", "pattern", "read"]

_JSON = re.compile(rb"\s*(?:[\[{\"0-9tfn-]|NaN$|Infinity$)")
_PYTHON_ZIPPED, _PERL_ZIPPED, _GZIP = 8, 2, b"\x1f\x8b"


def octets(value: str | bytes) -> bytes:
    """Return what a codec wrote as bytes."""
    return value.encode() if isinstance(value, str) else value


def read(codec: str, serializer: Any, raw: str | bytes) -> Any:
    """Return the value of a record.

    Args:
        codec: The name of the codec that is configured.
        serializer: The codec.
        raw: As it lies in the store, or in a mock.

    Raises:
        CodecError: It is neither of that codec nor, under "json", of the one before it: "pickle".
    """
    data = octets(raw)
    if codec == "json" and not _JSON.match(data):
        codec, serializer = "pickle", named("pickle")
    try:
        return serializer.loads(data)
    except (ValueError, RecursionError) as error:
        raise CodecError(f"not readable: {error}", codec=codec) from error


def inflated(found: Flagged) -> bytes:
    """Return a value of memcached as it was before its client compressed it.

    Raises:
        CodecError: It is damaged, or far too long.
    """
    if found.flags & _PYTHON_ZIPPED:
        plain = FORMS["memcache"].read(Flagged(found, _PYTHON_ZIPPED), bytes)
        return plain if isinstance(plain, bytes) else b""
    if found.flags & _PERL_ZIPPED and found.startswith(_GZIP):
        return _gunzipped(found)
    return bytes(found)


def _gunzipped(data: bytes) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    try:
        plain = stream.decompress(data, MAX_BYTES)
    except zlib.error as error:
        raise CodecError("not readable: damaged", codec="gzip") from error
    if not stream.eof:
        raise CodecError("cut off, or too long", codec="gzip")
    return plain


def pattern(text: str) -> tuple[str, Callable[[str], bool]]:
    """Return what a key begins with that matches a pattern of Redis, and whether one does."""
    begins = re.split(r"[*?\[\\]", text, maxsplit=1)[0]
    shell = re.sub(r"\\(.)", r"[\1]", text).replace("[^", "[!")
    matches = re.compile(fnmatch.translate(shell)).match
    return begins, lambda key: matches(key) is not None
