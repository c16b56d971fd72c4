"""Events and stats as Prometheus metrics; needs `holdfast[prometheus]`.

Law: stats are read when somebody scrapes, and cost nothing before. Labels are names the program
gave, never keys: there are as many series as caches, cached functions and kinds of events.

    holdfast_events_total{event}                      whatever is told
    holdfast_cache_creation_seconds{}                 a histogram: how long creations took
    holdfast_store_operation_seconds{store,operation} a histogram, of stores in `Metered`
    holdfast_store_errors_total{store,operation}
    holdfast_cache_hits_total{cache} ...              of what is watched: see `measures`
    holdfast_function_hits_total{function} ...
"""

from collections.abc import Iterator, Mapping

from holdfast.errors import ConfigError
from holdfast.observe.measures import (
    CREATION_BUCKETS,
    MEASURES,
    OPERATION_BUCKETS,
    HasStats,
    Measure,
    Part,
    Watched,
    seconds_of,
)

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ConfigError(
        "there is no prometheus_client here: `pip install 'holdfast[prometheus]'` mends that"
    ) from error

__all__ = ["PrometheusObserver"]


class PrometheusObserver:
    """Counts events, and exports the stats of what it watches.

    One is enough for all caches, sessions and limits of a program. In the multiprocess mode of
    prometheus_client events are summed over processes, but stats are shown by none: it has no
    collectors there.

    Args:
        registry: Where the metrics are registered.

    Raises:
        ConfigError: The registry has these metrics already.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._watched = Watched()
        try:
            registry.register(_Stats(self._watched))
            self._events = Counter("holdfast_events", "Events told", ["event"], registry=registry)
            self._creations = Histogram(
                "holdfast_cache_creation_seconds",
                "How long creations took",
                registry=registry,
                buckets=CREATION_BUCKETS,
            )
            self._operations = Histogram(
                "holdfast_store_operation_seconds",
                "How long operations of metered stores took",
                ["store", "operation"],
                registry=registry,
                buckets=OPERATION_BUCKETS,
            )
            self._errors = Counter(
                "holdfast_store_errors",
                "Operations of metered stores that failed",
                ["store", "operation"],
                registry=registry,
            )
        except ValueError as error:
            raise ConfigError(
                "this registry has a PrometheusObserver: give that one to all your caches"
            ) from error

    def __call__(self, event: str, fields: Mapping[str, object], /) -> None:
        """Count `event`, and how long it took if it says so."""
        took = seconds_of(fields)
        if event == "store.called":
            labels = (str(fields.get("store")), str(fields.get("operation")))
            if took is not None:
                self._operations.labels(*labels).observe(took)
            if fields.get("error") is not None:
                self._errors.labels(*labels).inc()
            return
        self._events.labels(event).inc()
        if event == "cache.created" and took is not None:
            self._creations.observe(took)

    def watch(self, source: HasStats, name: str = "") -> None:
        """Export the stats of `source` from now on; it is kept alive.

        Args:
            source: A `Cache`, a function that `cached` decorated, or `regions`: those there are
                at each scrape.
            name: The label of its series. A function is called by its module and name, and each
                region by its own.

        Raises:
            ConfigError: It has no `stats()`.
        """
        self._watched.add(source, name)


class _Stats(Collector):
    """Reads the stats of what is watched, at each scrape."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched

    def describe(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Yield the metrics without their series."""
        for part, measures in MEASURES.items():
            for measure in measures:
                yield _family(part, measure)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Yield the metrics as they are now."""
        read = list(self._watched.read())
        for part, measures in MEASURES.items():
            for measure in measures:
                family = _family(part, measure)
                for name, value in measure.among(read, part):
                    family.add_metric([name], value)
                yield family


def _family(part: Part, measure: Measure) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if measure.kind == "counter" else GaugeMetricFamily
    return kind(f"holdfast_{part}_{measure.field}", measure.help, labels=[part])
