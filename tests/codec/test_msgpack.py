"""The default codec: lossless, canonical, bounded, and never changing a value in silence."""

import collections
import dataclasses
import decimal
import enum
import math
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple

import ormsgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lossless_values import BERLIN, HASHABLE, VALUES, form, unhurried

from holdfast.codec.msgpack import MAX_DEPTH, Msgpack
from holdfast.errors import CodecError

CODEC = Msgpack()


@unhurried
@given(VALUES)
@example({1: "int", "1": "str", None: 0, (1, 2): [], b"1": {}, 1.5: ()})
@example([True, 1, 1.0, -0.0, 0.0, math.inf, -math.inf, math.nan])
@example([2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 2**71, -(2**71), 2**10000])
@example([Decimal("1.50"), Decimal("1E+5"), Decimal("-0"), Decimal("NaN12"), Decimal("sNaN")])
@example(datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN))
@example(datetime(2026, 10, 25, 2, 30, fold=1))  # noqa: DTZ001
@example((b"\xc1", [b"\xc1"], "\u0101", ()))
@example([[], (), {}, set(), frozenset(), {(): {frozenset(): [()]}}])
@example([timedelta.min, timedelta.max, date.min, date.max, time.min, time.max])
@example([datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)])  # noqa: DTZ001
@example(datetime(2026, 1, 1, tzinfo=timezone(-timedelta(microseconds=1))))
@example(time(1, tzinfo=timezone(timedelta(microseconds=1), "tiny")))
def test_what_comes_back_is_equal_and_of_the_same_type(value: object) -> None:
    assert form(CODEC.decode(CODEC.encode(value))) == form(value)


@unhurried
@given(VALUES)
def test_encoding_what_came_back_gives_the_same_bytes(value: object) -> None:
    data = CODEC.encode(value)
    assert CODEC.encode(CODEC.decode(data)) == data


@unhurried
@given(st.lists(HASHABLE, unique=True), st.randoms())
def test_equal_sets_have_equal_bytes(members: list[Any], random: Any) -> None:
    shuffled = list(members)
    random.shuffle(shuffled)
    assert CODEC.encode(set(shuffled)) == CODEC.encode(set(members))
    assert CODEC.encode(frozenset(shuffled)) == CODEC.encode(frozenset(members))


def test_a_dict_keeps_its_order() -> None:
    one: dict[object, int] = {"b": 1, "a": 2}
    other: dict[object, int] = {2: 1, 1: 2}
    assert list(CODEC.decode(CODEC.encode(one))) == ["b", "a"]  # type: ignore[call-overload]
    assert list(CODEC.decode(CODEC.encode(other))) == [2, 1]  # type: ignore[call-overload]


def test_plain_data_is_plain_msgpack() -> None:
    value = {"user": "alice", "cart": ["tea", 1, 2.5, None, True], "blob": b"\x00"}
    assert ormsgpack.unpackb(CODEC.encode(value)) == value


def test_the_program_s_decimal_context_changes_nothing() -> None:
    wanted = CODEC.encode(Decimal("1E+20"))
    with decimal.localcontext(decimal.Context(prec=2, capitals=0, traps=[])):
        assert CODEC.encode(Decimal("1E+20")) == wanted
        assert CODEC.decode(CODEC.encode(Decimal("1.23456"))) == Decimal("1.23456")
        with pytest.raises(CodecError):
            CODEC.decode(ormsgpack.packb(ormsgpack.Ext(6, b"no number")))


# What must not be changed in silence


class Colour(enum.IntEnum):
    """An int that is more."""

    RED = 1


class Word(enum.StrEnum):
    """A str that is more."""

    A = "a"


class Point(NamedTuple):
    """A tuple that is more."""

    x: int


@dataclasses.dataclass
class Record:
    """No plain type."""

    x: int = 1


class Zone(tzinfo):
    """A zone that has no text."""

    def utcoffset(self, moment: datetime | None, /) -> timedelta:  # noqa: ARG002
        return timedelta(0)

    dst = utcoffset

    def tzname(self, moment: datetime | None, /) -> str:  # noqa: ARG002
        return "Zone"


def sub(kind: type) -> type:
    return type(f"My{kind.__name__}", (kind,), {})


FOREIGN: list[object] = [
    Colour.RED,
    Word.A,
    Point(1),
    Record(),
    collections.OrderedDict(a=1),
    collections.defaultdict(int),
    collections.deque([1]),
    bytearray(b"a"),
    bytearray(b"a" * 300),
    bytearray(b"a" * 70000),
    memoryview(b"a"),
    1j,
    range(3),
    object(),
    int,
    len,
    ormsgpack.Ext(16, b"\xc1"),
    ormsgpack.Ext(2, b"2026-01-01T00:00:00"),
    datetime(2026, 1, 1, tzinfo=Zone()),
    time(1, tzinfo=Zone()),
    *(sub(kind)() for kind in (str, int, float, bytes, list, dict, tuple, set, frozenset, Decimal)),
    sub(datetime)(2026, 1, 1),
    sub(date)(2026, 1, 1),
    sub(time)(1),
    sub(timedelta)(1),
    sub(uuid.UUID)(int=1),
]
PLACES: list[Callable[[object], object]] = [
    lambda value: value,
    lambda value: [value],
    lambda value: {"a": {"b": [1, value]}},
    lambda value: (1, value),
    lambda value: {1: value},
    lambda value: [datetime(2026, 1, 1, tzinfo=UTC), {"a": value}],
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", FOREIGN, ids=lambda value: type(value).__name__)
def test_every_other_type_is_refused_by_name(
    value: object, place: Callable[[object], object]
) -> None:
    with pytest.raises(CodecError) as caught:
        CODEC.encode(place(value))
    wanted = "Zone" if getattr(value, "tzinfo", None) else type(value).__qualname__
    assert wanted in str(caught.value)
    assert caught.value.codec == "msgpack"


@pytest.mark.parametrize("key", [Colour.RED, Word.A, Point(1), sub(str)("a"), sub(int)(1)])
def test_foreign_keys_are_refused_too(key: object) -> None:
    for value in ({key: 1}, {key}, [{"a": {key: 1}}]):
        with pytest.raises(CodecError, match=type(key).__name__):
            CODEC.encode(value)


@pytest.mark.parametrize("value", ["\ud800", ["\udfff"], {"\ud800": 1}, {("\ud800",): 1}])
def test_lone_surrogates_are_refused(value: object) -> None:
    with pytest.raises(CodecError, match="surrogate"):
        CODEC.encode(value)


def test_a_zone_name_with_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(CodecError):
        CODEC.encode(datetime(2026, 1, 1, tzinfo=timezone(timedelta(0), "\ud800")))


# Limits


def nested(wrap: Callable[[object], object], depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = wrap(value)
    return value


WRAPS: dict[str, Callable[[object], object]] = {
    "list": lambda value: [value],
    "tuple": lambda value: (value,),
    "dict": lambda value: {"a": value},
    "odd dict": lambda value: {1: value},
    "frozenset": lambda value: frozenset([value]),
}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_nesting_is_bounded(wrap: Callable[[object], object]) -> None:
    deepest = nested(wrap, MAX_DEPTH)
    assert CODEC.encode(CODEC.decode(CODEC.encode(deepest))) == CODEC.encode(deepest)
    with pytest.raises(CodecError, match="deep"):
        CODEC.encode(nested(wrap, MAX_DEPTH + 1))


def test_a_circle_is_refused() -> None:
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(CodecError, match="deep"):
        CODEC.encode(circle)


def test_size_is_bounded_both_ways() -> None:
    small = Msgpack(max_bytes=10)
    assert small.decode(small.encode("a" * 9)) == "a" * 9
    with pytest.raises(CodecError, match="limit of 10"):
        small.encode("a" * 10)
    with pytest.raises(CodecError, match="limit of 10"):
        small.decode(CODEC.encode("a" * 10))
