"""Bytes as url-safe text, for cookies and headers.

Law: one text for each bytes and no other: base64 with `-` and `_`, without padding. Text that is
not exactly what `to_text` writes is a `CodecError`.
"""

import binascii

from holdfast.errors import CodecError

__all__ = ["from_text", "to_text"]


def to_text(data: bytes) -> str:
    """Return `data` as letters, digits, `-` and `_`: a third longer, legal in a cookie."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_OURS, b"=").decode("ascii")


def from_text(text: str) -> bytes:
    """Return the bytes `text` stands for.

    Raises:
        CodecError: It is not what `to_text` writes: a space, padding, a stray bit, another sign.
    """
    try:
        # In strict mode the decoder refuses foreign signs; it does not look at bits beyond the end.
        signs = text.encode("ascii").translate(_TO_STANDARD)
        data = binascii.a2b_base64(signs + _PADDING[len(signs) % 4], strict_mode=True)
    except ValueError:
        raise _foreign() from None
    if text[-1:] not in _LAST[len(text) % 4]:
        raise _foreign()
    return data


_TO_OURS = bytes.maketrans(b"+/", b"-_")
# What the standard alphabet has and ours has not (+ / =) becomes a sign that no alphabet has.
_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING = (b"", b"===", b"==", b"=")
# The last sign of 2 carries 2 bits, of 3 it carries 4: those beyond must be zero. Of 1 is no text.
_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_LAST = (_SIGNS, "", _SIGNS[::16], _SIGNS[::4])


def _foreign() -> CodecError:
    return CodecError("not the text of sealed bytes", codec="text")
