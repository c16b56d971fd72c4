"""LogObserver: a line per event, no values in it, and no storm of lines."""

import logging

import pytest

from holdfast.cache import Cache
from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.observe import several
from holdfast.observe.logging import LogObserver
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock
from holdfast.testing.faults import FaultyStore
from holdfast.testing.trial import in_threads


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "holdfast")


@pytest.fixture
def observer(clock: ManualClock) -> LogObserver:
    return LogObserver(clock=clock)


def test_a_line_has_the_event_and_its_fields(
    observer: LogObserver, caplog: pytest.LogCaptureFixture
) -> None:
    observer("cache.trouble", {"operation": "read", "error": StoreTimeout("redis://h", "late")})
    (record,) = caplog.records
    assert record.getMessage() == (
        "cache.trouble operation='read' error=StoreTimeout('redis://h: late')"
    )
    assert (record.name, record.levelno) == ("holdfast", logging.WARNING)
    assert vars(record)["holdfast_event"] == "cache.trouble"


def test_the_cause_of_an_error_is_named_and_not_quoted(
    observer: LogObserver, caplog: pytest.LogCaptureFixture
) -> None:
    error = StoreUnavailable("redis://h")
    error.__cause__ = ConnectionError("redis://user:secret@h")
    observer("cache.trouble", {"error": error})
    assert caplog.messages == [
        "cache.trouble error=StoreUnavailable('redis://h') from ConnectionError"
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("user:7", "'user:7'"),
        ("two\nlines\x1b[31m", r"'two\nlines\x1b[31m'"),
        ("k" * 1000, "'" + "k" * 200 + "'"),
        (7, "7"),
        (True, "True"),
        (None, "None"),
        (0.123456789, "0.123457"),
        (["a", "b"], "['a', 'b']"),
        (tuple(range(11)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...]"),
        (b"secret", "<bytes>"),
        ({"password": "secret"}, "<dict>"),
        ([b"secret"], "[<bytes>]"),
    ],
)
def test_only_text_numbers_and_errors_are_shown(
    observer: LogObserver, caplog: pytest.LogCaptureFixture, value: object, shown: str
) -> None:
    observer("some.event", {"field": value})
    assert caplog.messages == [f"some.event field={shown}"]


def test_an_error_without_a_text_breaks_nothing(
    observer: LogObserver, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd(Exception):  # noqa: N818 - odd in every way
        def __str__(self) -> str:
            raise ZeroDivisionError

    observer("cache.refresh_failed", {"error": Odd()})
    assert caplog.messages == ["cache.refresh_failed error=Odd('?')"]


@pytest.mark.parametrize(
    ("event", "level"),
    [
        ("cache.trouble", logging.WARNING),
        ("cache.breaker_open", logging.WARNING),
        ("cache.breaker_closed", logging.INFO),
        ("cache.created", logging.DEBUG),
        ("session.store_down", logging.ERROR),
        ("nobody.knows", logging.INFO),
    ],
)
def test_levels(
    observer: LogObserver, caplog: pytest.LogCaptureFixture, event: str, level: int
) -> None:
    observer(event, {})
    assert [record.levelno for record in caplog.records] == [level]


def test_levels_can_be_others(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("holdfast.shop")
    observer = LogObserver(logger, levels={"cache.created": logging.ERROR})
    observer("cache.created", {})
    observer("cache.corrupt", {})
    assert [(record.name, record.levelno) for record in caplog.records] == [
        ("holdfast.shop", logging.ERROR),
        ("holdfast.shop", logging.WARNING),
    ]


def test_a_storm_is_five_lines_in_ten_seconds(
    observer: LogObserver, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1000):
        observer("cache.trouble", {"operation": "read"})
        clock.advance(0.005)
    observer("cache.corrupt", {"key": "k"})  # another event has lines of its own
    assert len(caplog.messages) == 6
    clock.advance(5)
    observer("cache.trouble", {"operation": "read"})
    observer("cache.trouble", {"operation": "read"})
    assert caplog.messages[-2:] == [
        "cache.trouble operation='read' (995 more were left out)",
        "cache.trouble operation='read'",
    ]


def test_who_debugs_sees_every_line(
    observer: LogObserver, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(50):
        observer("cache.created", {"key": "k", "seconds": 0.01})
    assert len(caplog.messages) == 50


def test_what_is_not_logged_is_not_counted_as_left_out(
    observer: LogObserver, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "holdfast")
    for _ in range(50):
        observer("cache.trouble", {})
    caplog.set_level(logging.INFO, "holdfast")
    clock.advance(10)
    observer("cache.trouble", {})
    assert caplog.messages == ["cache.trouble"]


def test_a_cache_whose_store_is_down(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    store = FaultyStore(MemoryStore(clock=clock), clock=clock)
    cache = Cache(store, clock=clock, near=False, observer=LogObserver(clock=clock))
    store.fail()
    for number in range(100):
        assert cache.get_or_create(f"secret-free-key:{number}", lambda: "a value") == "a value"
    trouble = [message for message in caplog.messages if message.startswith("cache.trouble")]
    assert len(trouble) == 5
    assert "StoreUnavailable('memory" in trouble[0]
    assert "a value" not in caplog.text


def test_several_are_all_told_in_order() -> None:
    told: list[tuple[str, str, object]] = []

    def fails(event: str, fields: object) -> None:
        told.append(("fails", event, fields))
        raise ZeroDivisionError

    def notes(event: str, fields: object) -> None:
        told.append(("notes", event, fields))

    with pytest.raises(ZeroDivisionError):
        several(fails, notes)("an.event", {"n": 1})
    assert told == [("fails", "an.event", {"n": 1}), ("notes", "an.event", {"n": 1})]
    several()("an.event", {})


def test_threads_may_all_tell_at_once(
    observer: LogObserver, caplog: pytest.LogCaptureFixture
) -> None:
    def tell(_number: int) -> None:
        for _ in range(200):
            observer("cache.trouble", {"operation": "read"})

    in_threads(8, tell)
    assert 5 <= len(caplog.messages) <= 5 * 8  # of 1600: at worst each begins a count of its own
