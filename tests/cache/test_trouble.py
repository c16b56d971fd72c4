"""When the far tier fails: reads go on, a failed invalidation says so and drops what is near."""

import pytest

from holdfast.cache import Cache
from holdfast.errors import StoreError
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock
from holdfast.testing.faults import FaultyStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> FaultyStore:
    return FaultyStore(MemoryStore(clock=clock), clock=clock)


@pytest.fixture
def cache(store: FaultyStore, clock: ManualClock) -> Cache:
    return Cache(store, clock=clock, near_ttl=5, ttl=100)


def test_reads_fail_open(cache: Cache, store: FaultyStore) -> None:
    store.fail()
    assert cache.get("k", "default") == "default"
    assert "k" not in cache
    assert cache.get_many(["k", "l"]) == {}
    assert cache.get_or_create("k", lambda: 1) == 1
    assert cache.stats().errors > 0


def test_near_goes_on_within_near_ttl(cache: Cache, store: FaultyStore, clock: ManualClock) -> None:
    store.fail()
    assert cache.get_or_create("k", lambda: 1) == 1
    assert cache.get("k") == 1
    clock.advance(5)
    assert cache.get("k") is None


def test_the_failure_is_told(store: FaultyStore, clock: ManualClock) -> None:
    told: list[tuple[str, object]] = []
    cache = Cache(
        store, clock=clock, observer=lambda event, fields: told.append((event, fields["operation"]))
    )
    store.fail()
    cache.get("k")
    assert told == [("cache.trouble", "read")]


def test_a_failed_write_raises_and_leaves_nothing_near(cache: Cache, store: FaultyStore) -> None:
    cache.put("k", 1)
    store.fail()
    with pytest.raises(StoreError):
        cache.put("k", 2)
    assert cache.get("k") is None
    with pytest.raises(StoreError):
        cache.increment("n")


@pytest.mark.parametrize("how", ["delete", "delete_many", "tags", "clear", "namespace"])
def test_a_failed_invalidation_raises_and_drops_near(
    cache: Cache, store: FaultyStore, how: str
) -> None:
    place = cache.namespace("n") if how == "namespace" else cache
    place.put("k", 1, tags=["t"])
    store.fail()
    assert place.get("k") == 1
    with pytest.raises(StoreError):
        {
            "delete": lambda: place.delete("k"),
            "delete_many": lambda: place.delete_many(["k"]),
            "tags": lambda: place.invalidate_tags("t"),
            "clear": place.clear,
            "namespace": place.clear,
        }[how]()
    assert place.get("k") is None


def test_an_unknown_publish_keeps_nothing_near(cache: Cache, store: FaultyStore) -> None:
    cache.get_or_create("other", lambda: 1)  # makes the stamps
    lost = store.lose_reply("swap", keys="v:k", after=1, times=1)  # the marker, then the publish
    assert cache.get_or_create("k", lambda: 1) == 1
    assert lost.struck == 1
    store.fail()
    assert cache.get("k") is None


def test_a_failed_creation_takes_its_marker_away(cache: Cache, store: FaultyStore) -> None:
    with pytest.raises(ZeroDivisionError):
        cache.get_or_create("k", lambda: 1 // 0)
    assert store.get("v:k") is None
