"""The default codec and bytes that are not its own: a CodecError, soon, and nothing else."""

import pickle
import time

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lossless_values import VALUES, unhurried

from holdfast.codec.msgpack import MAX_DEPTH, Msgpack
from holdfast.errors import CodecError

CODEC = Msgpack()


def ext(tag: int, data: bytes) -> bytes:
    return ormsgpack.packb(ormsgpack.Ext(tag, data))


MARK = {kind: ext(tag, b"\xc1") for kind, tag in zip("tsfd", (16, 17, 18, 19), strict=True)}
HOSTILE = {
    "nothing": b"",
    "never used": b"\xc1",
    "cut": CODEC.encode({"a": [1, 2]})[:-1],
    "trailing byte": CODEC.encode({"a": 1}) + b"\x00",
    "trailing value": CODEC.encode(1) + CODEC.encode(b"x" * 16),
    "two values": CODEC.encode("a") * 2,
    "deep arrays": b"\x91" * 100_000 + b"\x01",
    "deep dicts": b"\x81\xa1a" * 100_000 + b"\x01",
    "deep marks": (b"\x92" + MARK["t"]) * 900 + b"\x01",
    "huge array": b"\xdd\xff\xff\xff\xff",
    "huge map": b"\xdf\xff\xff\xff\xff",
    "huge text": b"\xdb\xff\xff\xff\xffa",
    "huge bytes": b"\xc6\xff\xff\xff\xffa",
    "huge extension": b"\xc9\xff\xff\xff\xff\x01a",
    "not UTF-8": b"\xa1\xff",
    "key that is no text": b"\x81\x01\x01",
    "unknown extension": ext(99, b"a"),
    "timestamp extension": b"\xd6\xff" + b"\x00" * 4,
    "mark alone": MARK["t"],
    "mark in the middle": b"\x92\x01" + MARK["t"],
    "mark as value": b"\x81\xa1a" + MARK["s"],
    "mark with other bytes": b"\x91" + ext(16, b"\xc2"),
    "mark with no bytes": b"\x91" + ext(16, b""),
    "mark in long form": b"\x92\xc7\x01\x10\xc1" + MARK["t"],
    "set of lists": b"\x92" + MARK["s"] + b"\x90",
    "set with twins": b"\x93" + MARK["s"] + b"\x01\x01",
    "frozenset with twins": b"\x93" + MARK["f"] + b"\x01\x01",
    "dict without its value": b"\x92" + MARK["d"] + b"\x01",
    "dict with twins": b"\x95" + MARK["d"] + b"\x01\x01\x01\x01",
    "dict with a list as key": b"\x93" + MARK["d"] + b"\x90\x01",
    "small int in long form": ext(1, b"\x01"),
    "int of no bytes": ext(1, b""),
    "int with needless bytes": ext(1, b"\x00" * 9 + b"\x01" * 9),
    "no datetime": ext(2, b"yesterday"),
    "datetime not UTF-8": ext(2, b"\xff"),
    "datetime in a folder": ext(2, b"2026-01-01T00:00:00[../../etc/passwd]"),
    "datetime in a directory of zones": ext(2, b"2026-01-01T00:00:00[America]"),
    "datetime in an unknown zone": ext(2, b"2026-01-01T00:00:00[Nowhere/Land]"),
    "datetime in an empty zone": ext(2, b"2026-01-01T00:00:00[]"),
    "datetime with zone and offset": ext(2, b"2026-01-01T00:00:00+01:00[Europe/Berlin]"),
    "datetime with a name only": ext(2, b"2026-01-01T00:00:00(x)"),
    "datetime with a huge offset": ext(2, b"2026-01-01T00:00:00+99:00"),
    "no date": ext(3, b"2026-13-01"),
    "no time": ext(4, b"25:00"),
    "short timedelta": ext(5, b"\x00"),
    "timedelta beyond": ext(5, b"\x7f" + b"\xff" * 11),
    "no Decimal": ext(6, b"abc"),
    "Decimal in another form": ext(6, b" 1_0 "),
    "Decimal beyond": ext(6, b"1E+99999999999999999999"),
    "short UUID": ext(7, b"\x00" * 15),
    "a pickle": pickle.dumps({"a": 1}),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_are_a_codec_error_and_quick(data: bytes) -> None:
    started = time.process_time()
    with pytest.raises(CodecError) as caught:
        CODEC.decode(data)
    assert caught.value.codec == "msgpack"
    assert time.process_time() - started < 1


NESTS = {"arrays": b"\x91", "dicts": b"\x81\xa1a", "marks": b"\x92" + MARK["t"]}


@pytest.mark.parametrize("opening", NESTS.values(), ids=NESTS)
def test_what_nests_deeper_than_can_be_written_is_not_read(opening: bytes) -> None:
    read_or_refuse(opening * MAX_DEPTH + b"\x01")
    with pytest.raises(CodecError, match="nested too deep"):
        CODEC.decode(opening * (MAX_DEPTH + 1) + b"\x01")


@unhurried
@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    read_or_refuse(data)


@unhurried
@given(VALUES, st.data())
def test_changed_encodings_raise_nothing_else(value: object, draw: st.DataObject) -> None:
    data = bytearray(CODEC.encode(value))
    for _ in range(draw.draw(st.integers(1, 3))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    read_or_refuse(bytes(data))


@unhurried
@given(st.sampled_from([1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19]), st.binary(max_size=40))
def test_random_extensions_raise_nothing_else(tag: int, data: bytes) -> None:
    read_or_refuse(ext(tag, data))
    read_or_refuse(b"\x93" + ext(tag, data) + b"\x90" + ext(tag, b"\xc1"))


@unhurried
@given(st.text(alphabet="0123456789-:T+.~[]()ZWEurope/Blin", max_size=40))
def test_random_times_raise_nothing_else(text: str) -> None:
    for tag in (2, 3, 4):
        read_or_refuse(ext(tag, text.encode()))


def read_or_refuse(data: bytes) -> None:
    try:
        value = CODEC.decode(data)
    except CodecError:
        return
    again = CODEC.encode(value)  # whatever could be read can be written
    assert CODEC.encode(CODEC.decode(again)) == again


RAN: list[str] = []


def leave_a_trace() -> None:
    RAN.append("executed")


class Boom:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return leave_a_trace, ()


def test_a_pickle_is_not_executed() -> None:
    with pytest.raises(CodecError):
        CODEC.decode(pickle.dumps(Boom()))
    assert RAN == []
