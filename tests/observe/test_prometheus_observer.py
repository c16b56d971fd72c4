"""PrometheusObserver: events are counted, stats are read at each scrape."""

import dataclasses

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as open_metrics
from without import error_without

from holdfast.cache import Cache
from holdfast.cache.counts import Stats
from holdfast.errors import ConfigError, StoreTimeout
from holdfast.observe.measures import MEASURES
from holdfast.observe.prometheus import PrometheusObserver
from holdfast.store.memory import MemoryStore
from holdfast.store.wrap import Metered
from holdfast.testing.clock import ManualClock
from holdfast.testing.faults import FaultyStore


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def observer(registry: CollectorRegistry) -> PrometheusObserver:
    return PrometheusObserver(registry)


def test_events_are_counted_by_name(
    registry: CollectorRegistry, observer: PrometheusObserver
) -> None:
    for _ in range(3):
        observer("cache.trouble", {"operation": "read", "error": StoreTimeout("s")})
    observer("session.rotated", {"handle": "h"})
    value = registry.get_sample_value
    assert value("holdfast_events_total", {"event": "cache.trouble"}) == 3
    assert value("holdfast_events_total", {"event": "session.rotated"}) == 1


def test_creations_and_operations_have_histograms(
    registry: CollectorRegistry, observer: PrometheusObserver
) -> None:
    observer("cache.created", {"key": "k", "seconds": 0.02})
    observer("cache.created", {"key": "l", "seconds": 3})
    observer("cache.created", {"key": "m"})
    called = {"store": "redis://h", "operation": "get", "bytes": 3}
    observer("store.called", {**called, "seconds": 0.25, "error": None})
    observer("store.called", {**called, "seconds": 0.5, "error": StoreTimeout("s")})
    value = registry.get_sample_value
    assert value("holdfast_cache_creation_seconds_count") == 2
    assert value("holdfast_cache_creation_seconds_sum") == pytest.approx(3.02)
    assert value("holdfast_cache_creation_seconds_bucket", {"le": "0.025"}) == 1
    labels = {"store": "redis://h", "operation": "get"}
    assert value("holdfast_store_operation_seconds_sum", labels) == 0.75
    assert value("holdfast_store_errors_total", labels) == 1
    assert value("holdfast_events_total", {"event": "store.called"}) is None


def test_stats_are_read_when_they_are_asked_for(
    registry: CollectorRegistry, observer: PrometheusObserver
) -> None:
    shop, other = Cache(max_entries=2), Cache()
    observer.watch(shop, "shop")
    observer.watch(other, "other")
    for key in ("a", "b", "c"):
        shop.get_or_create(key, lambda: 1)
    shop.get("c")

    def value(name: str, cache: str = "shop") -> float | None:
        return registry.get_sample_value(f"holdfast_cache_{name}", {"cache": cache})

    assert value("hits_total") == value("near_hits_total") == 1
    assert value("misses_total") == value("creates_total") == 3
    assert value("evicted_total") == 1
    assert value("entries") == 2
    assert value("errors_total") == value("stale_total") == 0
    assert value("pending") == value("far_open") == value("bus") == 0
    assert value("creates_total", "other") == 0
    other.get("x")
    assert value("misses_total", "other") == 1


def test_every_number_of_stats_is_exported() -> None:
    fields = [field.name for field in dataclasses.fields(Stats)]
    assert [measure.field for measure in MEASURES["cache"]] == fields


def test_a_function_has_metrics_of_its_own(
    registry: CollectorRegistry, observer: PrometheusObserver
) -> None:
    cache = Cache()

    @cache.cached()
    def twice(number: int) -> int:
        return 2 * number

    observer.watch(cache, "shop")
    observer.watch(twice)
    twice(1), twice(1), cache.get("x")
    name = f"{__name__}.{twice.__wrapped__.__qualname__}"
    value = registry.get_sample_value
    assert value("holdfast_function_hits_total", {"function": name}) == 1
    assert value("holdfast_function_misses_total", {"function": name}) == 1
    assert value("holdfast_cache_misses_total", {"cache": "shop"}) == 2


def test_many_at_once_have_names_of_their_own(
    registry: CollectorRegistry, observer: PrometheusObserver
) -> None:
    class Two:
        def stats(self) -> dict[str, Stats]:
            down = dataclasses.replace(Cache().stats(), pending=3, far_open=True, bus="pubsub")
            return {"short": down, "shop": down}

    class NotYet:
        def stats(self) -> dict[str, Stats]:
            raise ConfigError("configure it")

    cache = Cache()
    cache.get("x")
    observer.watch(cache, "shop")
    observer.watch(Two())
    observer.watch(NotYet(), "later")
    value = registry.get_sample_value
    assert value("holdfast_cache_misses_total", {"cache": "short"}) == 0
    assert value("holdfast_cache_pending", {"cache": "short"}) == 3
    assert value("holdfast_cache_far_open", {"cache": "short"}) == 1
    assert value("holdfast_cache_bus", {"cache": "short"}) == 1
    assert value("holdfast_cache_misses_total", {"cache": "shop"}) == 1  # no series comes twice
    assert value("holdfast_cache_misses_total", {"cache": "later"}) is None


def test_what_has_no_stats_is_refused(observer: PrometheusObserver) -> None:
    with pytest.raises(ConfigError, match=r"no stats\(\)"):
        observer.watch(object(), "shop")  # type: ignore[arg-type]


def test_a_second_one_in_a_registry_is_refused(
    registry: CollectorRegistry, observer: PrometheusObserver
) -> None:
    with pytest.raises(ConfigError, match="give that one to all"):
        PrometheusObserver(registry)
    assert observer is not None


@pytest.mark.parametrize("written", [generate_latest, open_metrics])
def test_it_can_be_scraped(
    registry: CollectorRegistry, observer: PrometheusObserver, written: object
) -> None:
    observer.watch(Cache(), "shop")
    observer("cache.trouble", {})
    text = (generate_latest if written is generate_latest else open_metrics)(registry).decode()
    assert 'holdfast_cache_hits_total{cache="shop"} 0.0' in text
    assert 'holdfast_events_total{event="cache.trouble"} 1.0' in text


def test_a_cache_and_a_store_tell_it(
    registry: CollectorRegistry, observer: PrometheusObserver
) -> None:
    clock = ManualClock()
    faulty = FaultyStore(MemoryStore(clock=clock), clock=clock)
    store = Metered(faulty, observer, clock=clock)
    cache = Cache(store, clock=clock, near=False, observer=observer)
    observer.watch(cache, "shop")
    cache.get_or_create("k", lambda: 1)
    with faulty.fail():
        cache.get("k")
    value = registry.get_sample_value
    assert value("holdfast_events_total", {"event": "cache.trouble"}) == 1
    assert value("holdfast_cache_errors_total", {"cache": "shop"}) == 1
    assert value("holdfast_store_errors_total", {"store": "memory", "operation": "get_many"}) == 1


def test_without_the_library_it_says_how_to_get_it() -> None:
    error = error_without("prometheus_client", "holdfast.observe.prometheus")
    assert "pip install 'holdfast[prometheus]'" in error
