"""The memo of a pickle: how much memory its numbers ask for, before it is read.

Law: pure; nothing is unpickled. The standard library makes room for the largest number a pickle
gives to a value, and for as many bytes as one says will follow, so that ten bytes can ask for
64 GB. What a pickler writes has no number that is larger than the pickle is long; up to 65535 it
does not matter.
"""

import re
from functools import cache

from holdfast.errors import CodecError

__all__ = ["check_memo"]

_FIXED = {
    **dict.fromkeys(b"K\x80qh\x82", 1),
    **dict.fromkeys(b"M\x83", 2),
    **dict.fromkeys(b"Jj\x84r", 4),
    **dict.fromkeys(b"G\x95", 8),
}
_COUNTED = {
    **dict.fromkeys(b"\x8aUC\x8c", 1),
    **dict.fromkeys(b"\x8bTBX", 4),
    **dict.fromkeys(b"\x8e\x96\x8d", 8),
}
_LINES = {**dict.fromkeys(b"ILSVFgPp", 1), **dict.fromkeys(b"ci", 2)}
_BARE = frozenset(b"\x97\x98N\x88\x89]ael)t\x85\x86\x87}dsu\x8f\x90\x9102(1\x94\x93Rbo\x81\x92Q")
_PUT_LINE, _PUT_LONG, _BYTEARRAY = b"pr\x96"
_DIGITS = 10


@cache
def _ordinary() -> re.Pattern[bytes]:
    """Return what matches a run of opcodes that need no look at their numbers, all that are usual.

    It is the loop of `check_memo` for short values, in one step: ten times as fast.
    """
    short = b"|".join(b"%s.{%d}" % (re.escape(bytes([size])), size) for size in range(256))
    sized = b"|".join(b"%s\\0\\0\\0.{%d}" % (re.escape(bytes([size])), size) for size in range(256))
    fixed: dict[int, bytes] = {}
    for code, size in _FIXED.items():
        if code != _PUT_LONG:
            fixed[size] = fixed.get(size, b"") + re.escape(bytes([code]))
    kinds = [
        b"[%s]" % b"".join(re.escape(bytes([code])) for code in sorted(_BARE)),
        *(b"[%s].{%d}" % (codes, size) for size, codes in fixed.items()),
        b"[\x8cUC](?:%s)" % short,
        b"[XTB](?:%s)" % sized,
        b"r..\\0\\0",  # up to 65535 values: half a megabyte
    ]
    return re.compile(b"(?:%s)*+" % b"|".join(kinds), re.DOTALL)


def check_memo(data: bytes) -> None:
    """Return if `data` may be given to an unpickler, as far as its memo is concerned.

    Raises:
        CodecError: It gives a value a number that no pickler gives.
    """
    at, end, run_of_ordinary = 0, len(data), _ordinary().match
    while at < end:
        run = run_of_ordinary(data, at)
        at = at if run is None else run.end()
        if at >= end:
            return
        code = data[at]
        at += 1
        if code in _BARE:
            continue
        if code in _COUNTED:
            width = _COUNTED[code]
            at += width + _count(data[at : at + width], end, code)
        elif code in _FIXED:
            start, at = at, at + _FIXED[code]
            if code == _PUT_LONG and int.from_bytes(data[start:at], "little") > end:
                raise _error()
        elif code in _LINES:
            start = at
            for _ in range(_LINES[code]):
                at = data.find(b"\n", at) + 1 or end
            if code == _PUT_LINE and not _is_number(data[start:at], end):
                raise _error()
        else:
            return  # the end, or where the unpickler stops with an error


def _count(octets: bytes, end: int, code: int) -> int:
    count = int.from_bytes(octets, "little")
    if count > end and code == _BYTEARRAY:
        raise _error()  # there is room for it before anything is read
    return count


def _is_number(line: bytes, largest: int) -> bool:
    digits = line.rstrip(b"\n")
    return digits.isdigit() and len(digits) <= _DIGITS and int(digits) <= largest


def _error() -> CodecError:
    return CodecError("not a pickle: a number in it is too large", codec="pickle")
