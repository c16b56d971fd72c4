"""The codec for other languages: JSON's own types, strictly."""

import collections
import enum
import json
import math
import pickle
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lossless_values import form, unhurried

from holdfast.codec.json import MAX_DEPTH, Json
from holdfast.errors import CodecError

CODEC = Json()
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**200), 2**200),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXT,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(TEXT, inner, max_size=5)),
)


class Colour(enum.IntEnum):
    """An int that is more."""

    RED = 1


@unhurried
@given(VALUES)
def test_what_json_has_comes_back(value: object) -> None:
    data = CODEC.encode(value)
    assert form(CODEC.decode(data)) == form(value)
    assert form(json.loads(data)) == form(value)


def test_it_is_short_utf_8() -> None:
    assert CODEC.encode({"a": ["ä", 1]}) == '{"a":["ä",1]}'.encode()


@pytest.mark.parametrize(
    "value",
    [
        (1,),
        {1},
        b"a",
        datetime(2026, 1, 1, tzinfo=UTC),
        Colour.RED,
        collections.OrderedDict(a=1),
        type("MyStr", (str,), {})("a"),
        object(),
        1j,
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_types_are_refused_by_name(value: object) -> None:
    for place in (value, [value], {"a": [{"b": value}]}):
        with pytest.raises(CodecError, match=type(value).__name__) as caught:
            CODEC.encode(place)
        assert caught.value.codec == "json"


@pytest.mark.parametrize("key", [1, None, True, 1.5, (1,), Colour.RED])
def test_keys_are_str(key: object) -> None:
    with pytest.raises(CodecError, match=type(key).__name__):
        CODEC.encode([{key: 1}])


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, [-math.inf], "\ud800", {"\udfff": 1}, 2**8192, -(10**5000)],
    ids=lambda value: type(value).__name__,  # the last one is too long to be written
)
def test_values_beyond_json_are_refused(value: object) -> None:
    with pytest.raises(CodecError):
        CODEC.encode(value)


def test_the_largest_int_goes_through() -> None:
    assert CODEC.decode(CODEC.encode(2**8192 - 1)) == 2**8192 - 1


HOSTILE = {
    "nothing": b"",
    "cut": b'{"a":',
    "trailing": b"1 2",
    "not UTF-8": b'"\xff"',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf1",
    "NaN": b"[NaN]",
    "infinity": b"-Infinity",
    "float beyond": b"1e999",
    "twins": b'{"a":1,"a":2}',
    "twins written differently": b'{"a":1,"\\u0061":2}',
    "half a character": b'["\\ud800"]',
    "half a character as key": b'{"\\uDFFF":1}',
    "huge int": b"1" * 5000,
    "int beyond the limit": b"9" * 2480,
    "very huge int": b"-" + b"9" * 1_000_000,
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep dicts": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a bit too deep": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    "a pickle": pickle.dumps({"a": 1}),
    "single quotes": b"{'a':1}",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_are_a_codec_error_and_quick(data: bytes) -> None:
    started = time.process_time()
    with pytest.raises(CodecError) as caught:
        CODEC.decode(data)
    assert caught.value.codec == "json"
    assert len(str(caught.value)) < 300
    assert time.process_time() - started < 1


def test_nesting_up_to_the_limit_goes_through() -> None:
    value: list[object] = []
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    assert CODEC.encode(CODEC.decode(CODEC.encode(value))) == CODEC.encode(value)
    with pytest.raises(CodecError, match="deeper"):
        CODEC.encode([[value]])


def test_a_circle_is_refused() -> None:
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(CodecError, match="deeper"):
        CODEC.encode(circle)


def test_whole_escaped_characters_are_read() -> None:
    assert CODEC.decode(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_size_is_bounded_both_ways() -> None:
    small = Json(max_bytes=4)
    assert small.decode(small.encode("ab")) == "ab"
    with pytest.raises(CodecError, match="limit of 4"):
        small.encode("abc")
    with pytest.raises(CodecError, match="limit of 4"):
        small.decode(b'"abc"')


@unhurried
@given(st.one_of(st.binary(max_size=60), st.text(alphabet='[]{}",:0123eE+-.\\u/dDntrfalse ')))
def test_random_bytes_raise_nothing_else(data: bytes | str) -> None:
    try:
        value = CODEC.decode(data.encode() if isinstance(data, str) else data)
    except CodecError:
        return
    assert form(CODEC.decode(CODEC.encode(value))) == form(value)
