"""The law of pickles: any bytes are plain values, or a `CodecError`; little stays little."""

import pickle
from collections import OrderedDict, defaultdict, deque
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from fuzz.edits import edited
from holdfast.codec.unpickle import unpickle
from holdfast.errors import CodecError
from holdfast.store.memcached.plain_flags import FORMS, Flagged

__all__ = ["PICKLES", "pickles"]

_VALUE = {
    "numbers": [0, -(2**70), 0.5, 1 + 2j, True, None, Decimal("1.50")],
    "texts": ("größe", b"\xff", bytearray(b"\x00"), UUID(int=5)),
    "sets": [{1}, frozenset({2}), deque([3], 4), OrderedDict(a=1), defaultdict(str, b="c")],
    "times": datetime(2018, 6, 4, tzinfo=UTC),
}
PICKLES = [
    *(pickle.dumps(_VALUE, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)),
    b"cbuiltins\nbytes\n(I1000000000\nt\x81.",
    b"cbuiltins\nint\n(cdecimal\nDecimal\n(V1E+50000000\ntRtR.",
    b"ccopy_reg\n_reconstructor\n(c__builtin__\nstr\nc__builtin__\nstr\n(lp0\ntR.",
    b"cposix\nsystem\n(S'exit'\ntR.",
]
_TIMES = 64  # no few bytes make more of it than so many each


def pickles(data: bytes) -> None:
    """Assert it of a pickle, and of a value with flags that lies on a memcached server."""
    messages = [data]
    if data:
        messages.append(edited(PICKLES[data[0] % len(PICKLES)], data[1:]))
        flagged = Flagged(data[1:], data[0])
        for form in FORMS.values():
            try:
                form.read(flagged, unpickle)
            except CodecError as error:
                assert error.codec  # noqa: PT017 - no error is as good
    for message in messages:
        try:
            value = unpickle(message)
        except CodecError as error:
            assert error.codec == "pickle"  # noqa: PT017 - the same
            continue
        if isinstance(value, str | bytes | bytearray):
            assert len(value) <= _TIMES * len(message)
        if isinstance(value, int):
            assert value.bit_length() <= 40_000 + _TIMES * len(message)  # a decimal's exponent
