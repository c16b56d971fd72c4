"""OpenTelemetryObserver: events and stats as metrics."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from without import error_without

from holdfast.cache import Cache
from holdfast.errors import StoreTimeout
from holdfast.observe.opentelemetry import OpenTelemetryObserver

Attributes = dict[str, str]


class Metrics:
    """A provider, and what its reader collects."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader])
        self.meter = self.provider.get_meter("test")

    def points(self) -> dict[str, list[tuple[Attributes, object]]]:
        """Return the points of each metric: a number, or a histogram's count and sum."""
        found: dict[str, list[tuple[Attributes, object]]] = {}
        data = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        value: object = (
                            (point.count, point.sum)
                            if isinstance(point, HistogramDataPoint)
                            else getattr(point, "value", None)
                        )
                        labels = {key: str(text) for key, text in (point.attributes or {}).items()}
                        found.setdefault(metric.name, []).append((labels, value))
        return found


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    made = Metrics()
    yield made
    made.provider.shutdown()


def test_events_are_counted_by_name(metrics: Metrics) -> None:
    observer = OpenTelemetryObserver(metrics.meter)
    observer("cache.trouble", {"operation": "read"})
    observer("cache.trouble", {"operation": "read"})
    observer("nobody.knows", {})
    assert metrics.points()["holdfast.events"] == [
        ({"holdfast.event": "cache.trouble"}, 2),
        ({"holdfast.event": "nobody.knows"}, 1),
    ]


def test_creations_and_operations_have_histograms(metrics: Metrics) -> None:
    observer = OpenTelemetryObserver(metrics.meter)
    observer("cache.created", {"key": "k", "seconds": 0.25})
    called = {"store": "redis://h", "operation": "get", "seconds": 0.5}
    observer("store.called", {**called, "error": None})
    observer("store.called", {**called, "error": StoreTimeout("s")})
    points = metrics.points()
    assert points["holdfast.cache.creation.duration"] == [({}, (1, 0.25))]
    labels = {"holdfast.store": "redis://h", "holdfast.operation": "get"}
    assert points["holdfast.store.operation.duration"] == [
        (labels, (1, 0.5)),
        ({**labels, "error.type": "StoreTimeout"}, (1, 0.5)),
    ]


def test_stats_are_read_when_they_are_collected(metrics: Metrics) -> None:
    observer = OpenTelemetryObserver(metrics.meter)
    cache = Cache()
    observer.watch(cache, "shop")
    cache.get_or_create("k", lambda: 1)
    cache.get("k")
    points = metrics.points()
    shop = {"holdfast.cache": "shop"}
    assert points["holdfast.cache.hits"] == [(shop, 1)]
    assert points["holdfast.cache.misses"] == [(shop, 1)]
    assert points["holdfast.cache.entries"] == [(shop, 1)]
    cache.get("k")
    assert metrics.points()["holdfast.cache.hits"] == [(shop, 2)]


def test_a_function_has_metrics_of_its_own(metrics: Metrics) -> None:
    observer = OpenTelemetryObserver(metrics.meter)
    cache = Cache()

    @cache.cached()
    def twice(number: int) -> int:
        return 2 * number

    observer.watch(twice)
    twice(1), twice(1)
    points = metrics.points()
    name = f"{__name__}.{twice.__wrapped__.__qualname__}"
    assert points["holdfast.function.hits"] == [({"holdfast.function": name}, 1)]
    assert "holdfast.cache.hits" not in points


def test_without_the_library_it_says_how_to_get_it() -> None:
    error = error_without("opentelemetry", "holdfast.observe.opentelemetry")
    assert "pip install 'holdfast[opentelemetry]'" in error
