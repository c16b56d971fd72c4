"""Edits: bytes read as a list of changes to a message that was whole.

Law: pure. Any bytes are edits; a fuzzer that changes them a little changes the message a little,
which it could never do to a sealed one by itself.
"""

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["edited", "octets"]


class Edit(NamedTuple):
    """One change.

    Attributes:
        kind: What is done, modulo 5.
        at: Where, in parts of 65,536 of the message.
        sign: The octet that is put there, or how many are cut.
    """

    kind: int
    at: int
    sign: int


def octets(data: bytes) -> str:
    """Return `data` as WSGI shows a header: one character per octet."""
    return data.decode("latin-1")


def edited(message: bytes, data: bytes) -> bytes:
    """Return `message` with the edits of `data`, four bytes for each; 16 at most."""
    changed = bytearray(message)
    for edit in _edits(data[:64]):
        _apply(changed, edit)
    return bytes(changed)


def _edits(data: bytes) -> Iterator[Edit]:
    for start in range(0, len(data) - 3, 4):
        kind, high, low, sign = data[start : start + 4]
        yield Edit(kind % 5, high * 256 + low, sign)


def _apply(changed: bytearray, edit: Edit) -> None:
    at = edit.at * len(changed) >> 16
    if edit.kind == 0 and changed:
        changed[at] = edit.sign
    elif edit.kind == 1 and changed:
        changed[at] ^= 1 << edit.sign % 8
    elif edit.kind == 2:
        changed[at:at] = bytes([edit.sign])
    elif edit.kind == 3:
        del changed[at : at + edit.sign % 16 + 1]
    else:
        changed[at:at] = changed[: edit.sign]
