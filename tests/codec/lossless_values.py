"""Values of every type the default codec carries, and what it means that two are the same."""

import struct
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st

unhurried = settings(deadline=None)  # a busy machine is no failure
BERLIN = ZoneInfo("Europe/Berlin")


def form(value: Any) -> tuple[object, ...]:  # noqa: PLR0911 - one for each kind
    """Return what two values share if they are equal, of the same types all the way down."""
    match value:
        case float():
            return float, struct.pack(">d", value)
        case Decimal():
            return Decimal, value.as_tuple()
        case list() | tuple():
            return type(value), [form(item) for item in value]
        case dict():
            return dict, [(form(key), form(item)) for key, item in value.items()]
        case set() | frozenset():
            return type(value), sorted(repr(form(item)) for item in value)
        case datetime() | time():
            zone = value.tzinfo
            return type(value), value.isoformat(), value.fold, type(zone), str(zone)
        case _:
            return type(value), value


ZONES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.just(UTC),
    st.sampled_from([BERLIN, ZoneInfo("America/New_York"), ZoneInfo("UTC")]),
    st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59)).map(timezone),
    st.just(timezone(timedelta(hours=1), "Mars/Olympus [(x)]")),
)
# In the first and last days of the calendar a zone's own arithmetic overflows.
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES)  # noqa: DTZ001
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**300), max_value=2**300),
    st.floats(),
    st.text(),
    st.binary(),
    MOMENTS,
    st.builds(lambda moment, fold: moment.replace(fold=fold), MOMENTS, st.sampled_from([0, 1])),
    st.dates(),
    st.times(timezones=ZONES),
    st.timedeltas(),
    st.decimals(),
    st.uuids(),
)
HASHABLE = st.recursive(
    SCALARS.filter(lambda value: not (isinstance(value, Decimal) and value.is_snan())),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple), st.frozensets(inner, max_size=4)
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.one_of(SCALARS, HASHABLE, st.sets(HASHABLE, max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(), inner, max_size=4),
        st.dictionaries(HASHABLE, inner, max_size=4),
    ),
    max_leaves=10,
)
