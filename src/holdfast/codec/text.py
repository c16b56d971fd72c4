"""Bytes as url-safe text, for cookies and headers.

Law: one text for each bytes and no other: base64 with `-` and `_`, without padding. Text that is
not exactly what `to_text` writes is a `CodecError`.
"""

import base64
import binascii

from holdfast.errors import CodecError

__all__ = ["from_text", "to_text"]


def to_text(data: bytes) -> str:
    """Return `data` as letters, digits, `-` and `_`: a third longer, legal in a cookie."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_text(text: str) -> bytes:
    """Return the bytes `text` stands for.

    Raises:
        CodecError: It is not what `to_text` writes: a space, padding, a stray bit, another sign.
    """
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error) as error:
        raise CodecError("not the text of sealed bytes", codec="text") from error
    if to_text(data) != text:  # the decoder skips foreign signs and ignores bits beyond the end
        raise CodecError("not the text of sealed bytes", codec="text")
    return data
