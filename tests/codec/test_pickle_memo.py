"""What a pickle's numbers ask for is known before it is read."""

import datetime as dt
import pickle
import pickletools
import tracemalloc
from collections import OrderedDict, defaultdict
from decimal import Decimal

import pytest

from holdfast.codec.pickle_memo import check_memo
from holdfast.codec.unpickle import unpickle
from holdfast.errors import CodecError

MANY = [f"text {number}\n" for number in range(1000)]
VALUES = [
    None,
    {"user": "ada", "n": [1, -1, 300, 70_000, 2**31, 2**70, 1.5, b"bytes" * 100, "rp\n" * 200]},
    [MANY, MANY, {"again": MANY}],
    [dt.datetime(2026, 1, 2, tzinfo=dt.UTC), Decimal("1.5"), {1, 2}, frozenset({3}), (1, (2,))],
    [OrderedDict(a=1), defaultdict(list, b=[2]), bytearray(b"r\xff\xff\xff\xff")],
]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("number", range(len(VALUES)))
def test_whole_pickles_pass(number: int, protocol: int) -> None:
    data = pickle.dumps(VALUES[number], protocol)
    check_memo(data)
    check_memo(pickletools.optimize(data))
    assert unpickle(data) == VALUES[number]


HUGE = {
    "a long number": b"\x80\x02]r\xff\xff\xff\x03.",
    "the first of three bytes": b"]r\0\0\x01\0.",
    "a line of digits": b"]p99999999\n.",
    "a line of many digits": b"]p" + b"9" * 20 + b"\n.",
    "with a sign": b"]p+99999999\n.",
    "with an underscore": b"]p9_999_999_9\n.",
    "behind text": b"X\x01\0\0\0a0V\nS'.'\ncos\nx\n]r\xff\xff\xff\x7f.",
    "bytes to come": b"\x96\xff\xff\xff\xff\x0f\0\0\0.",
    "more than any memory": b"\x96decimal\n.",
    "in a frame": b"\x80\x04\x95\x07\0\0\0\0\0\0\0]r\xff\xff\xff\x00.",
}


@pytest.mark.parametrize("name", HUGE)
def test_a_number_that_is_too_large_is_refused(name: str) -> None:
    with pytest.raises(CodecError, match="too large"):
        check_memo(HUGE[name])


def test_every_opcode_is_known() -> None:
    for opcode in pickletools.opcodes:
        width = 0 if opcode.arg is None else opcode.arg.n
        lines = 2 if opcode.arg and opcode.arg.name.endswith("pair") else 1
        argument = b"1\n" * lines if width == -1 else bytes(8) if width < -1 else bytes(width)
        if width < -1:
            argument = argument[: {-2: 1, -3: 4, -4: 4, -5: 8}[width]]
        before = opcode.code.encode("latin-1") + argument + b"0" * 20
        if opcode.code == ".":
            check_memo(before + HUGE["a long number"])
            continue
        with pytest.raises(CodecError, match="too large"):
            check_memo(before + HUGE["a long number"])


def test_what_passes_costs_little() -> None:
    data = b"]r" + (65535).to_bytes(4, "little") + b"0" * 4000
    check_memo(data)
    tracemalloc.start()
    with pytest.raises(CodecError):
        unpickle(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_what_is_no_pickle_is_not_judged() -> None:
    for data in (
        b"",
        b"hello",
        b"\0]r\xff\xff\xff\xff",
        b"N.]r\xff\xff\xff\xff",
        b"X\xff\xff\xff\xff",
        b"\x8d" + b"\xff" * 8,
        b"c",
    ):
        check_memo(data)
