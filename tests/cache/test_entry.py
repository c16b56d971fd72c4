"""Entries: their age, and bytes that come back or are refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.entry import Age, Entry, age, lived, make_marker, make_stamp, pack, unpack

TIMES = st.floats(allow_nan=False, allow_infinity=False)
ENDS = TIMES | st.just(math.inf)


@pytest.mark.parametrize(
    ("now", "want"),
    [
        (9.9, Age.FRESH),
        (10.0, Age.STALE),
        (19.9, Age.STALE),
        (20.0, Age.DEAD),
        (math.inf, Age.DEAD),
    ],
)
def test_on_the_second_of_its_end_a_thing_is_older(now: float, want: Age) -> None:
    assert age(10.0, 20.0, now) is want


def test_what_never_ends_stays_fresh() -> None:
    assert age(math.inf, math.inf, 1e18) is Age.FRESH
    assert lived(math.inf, 5.0) is None
    assert lived(7.0, 5.0) == 2.0


@given(
    st.builds(
        Entry,
        st.binary(),
        TIMES,
        ENDS,
        ENDS,
        st.dictionaries(st.text().map("t:".__add__), st.binary()),
        counter=st.booleans(),
    )
)
def test_an_entry_comes_back_and_is_never_the_same_bytes(entry: Entry) -> None:
    assert unpack(pack(entry)) == entry
    assert pack(entry) != pack(entry)


def test_a_marker_is_no_entry_and_never_the_same() -> None:
    assert unpack(make_marker()) is None
    assert make_marker() != make_marker()
    assert make_stamp() != make_stamp()


@given(st.binary(max_size=64))
def test_other_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its message is the codec's
        unpack(raw)


@pytest.mark.parametrize("label", ["", "users", "x:users", "\x10:users", "T:users"])
def test_a_label_that_names_no_stamp_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="no entry"):
        unpack(pack(Entry(b"", 0.0, 1.0, 1.0, {label: b"stamp"})))


@pytest.mark.parametrize(
    "raw", [b"\x91" * 100_000, b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"]
)
def test_bombs_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its message is the codec's
        unpack(raw)
