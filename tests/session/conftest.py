"""A store, a clock and sessions of their own for each test."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from counting import CountingStore
from faces import Faces

from holdfast.events import Observer
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
def observer(events: list[tuple[str, Mapping[str, object]]]) -> Observer:
    """Note the events, but for those of every request: `test_session_events.py` has them."""

    def observe(event: str, fields: Mapping[str, object]) -> None:
        if event not in ("session.created", "session.loaded"):
            events.append((event, fields))

    return observe


@pytest.fixture
def sessions(store: CountingStore, clock: ManualClock, observer: Observer) -> Sessions:
    return Sessions(store, clock=clock, observer=observer)


Make = Callable[..., Faces]


@pytest.fixture(params=["thread", "loop"])
def make(
    request: pytest.FixtureRequest, store: CountingStore, clock: ManualClock, observer: Observer
) -> Make:
    """Make sessions with options, over each face."""

    def made(**options: Any) -> Faces:
        given = {"store": store, "clock": clock, "observer": observer, **options}
        return Faces(Sessions(**given), loop=request.param == "loop")

    return made


@pytest.fixture
def in_cookie(clock: ManualClock, observer: Observer) -> Sessions:
    return Sessions.in_cookie(SECRET, clock=clock, observer=observer)


@pytest.fixture(params=["stored", "in_cookie"])
def either(request: pytest.FixtureRequest) -> Sessions:
    """Sessions of both kinds: the same `Session` over each."""
    name = "sessions" if request.param == "stored" else "in_cookie"
    found = request.getfixturevalue(name)
    assert isinstance(found, Sessions)
    return found
