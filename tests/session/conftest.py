"""A store, a clock and sessions of their own for each test."""

from collections.abc import Mapping

import pytest
from counting import CountingStore

from holdfast.session import Sessions
from holdfast.testing.clock import ManualClock

SECRET = "Zk3vQ1xY7pLw9sT2mN8bR4cD6fG0hJ5a-uE"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> CountingStore:
    return CountingStore(clock)


@pytest.fixture
def events() -> list[tuple[str, Mapping[str, object]]]:
    return []


@pytest.fixture
def sessions(
    store: CountingStore, clock: ManualClock, events: list[tuple[str, Mapping[str, object]]]
) -> Sessions:
    return Sessions(
        store, clock=clock, observer=lambda event, fields: events.append((event, fields))
    )


@pytest.fixture
def in_cookie(clock: ManualClock, events: list[tuple[str, Mapping[str, object]]]) -> Sessions:
    return Sessions.in_cookie(
        SECRET, clock=clock, observer=lambda event, fields: events.append((event, fields))
    )


@pytest.fixture(params=["stored", "in_cookie"])
def either(request: pytest.FixtureRequest) -> Sessions:
    """Sessions of both kinds: the same `Session` over each."""
    name = "sessions" if request.param == "stored" else "in_cookie"
    found = request.getfixturevalue(name)
    assert isinstance(found, Sessions)
    return found
