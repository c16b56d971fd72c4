"""Events and stats as OpenTelemetry metrics, creations as spans; needs `holdfast[opentelemetry]`.

Law: stats are read when a reader collects, and cost nothing before. Attributes of metrics are names
the program gave, never keys; a span has the key that is created.

    holdfast.events{holdfast.event}                  whatever is told
    holdfast.cache.creation.duration                 a histogram, seconds
    holdfast.store.operation.duration{holdfast.store, holdfast.operation, error.type}
    holdfast.cache.hits{holdfast.cache} ...          of what is watched: see `measures`
    holdfast.function.hits{holdfast.function} ...
"""

from collections.abc import Iterator, Mapping
from contextvars import ContextVar, Token
from functools import partial
from typing import NamedTuple

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
    from opentelemetry import context, metrics, trace
    from opentelemetry.context import Context
    from opentelemetry.metrics import CallbackOptions, Meter, Observation
    from opentelemetry.trace import Span, Status, StatusCode, Tracer
except ImportError as error:
    raise ConfigError(
        "there is no opentelemetry here: `pip install 'holdfast[opentelemetry]'` mends that"
    ) from error

__all__ = ["OpenTelemetryObserver"]


class _Open(NamedTuple):
    """A span that is not over, and the one around it in this thread or task."""

    owner: object
    key: object
    span: Span
    token: Token[Context]
    outer: "_Open | None"


_open: ContextVar[_Open | None] = ContextVar("holdfast_spans", default=None)


class OpenTelemetryObserver:
    """Counts events, exports the stats of what it watches, and puts a span around each creation.

    Args:
        meter: Makes the instruments; that of the global provider by default.
        tracer: Makes the spans, `cache.create`; None makes none. What a creation does (a query,
            say) becomes part of its span.
    """

    def __init__(self, meter: Meter | None = None, tracer: Tracer | None = None) -> None:
        meter = metrics.get_meter("holdfast") if meter is None else meter
        self._tracer = tracer
        self._watched = Watched()
        self._events = meter.create_counter("holdfast.events", "{event}", "Events told")
        self._creations = meter.create_histogram(
            "holdfast.cache.creation.duration",
            "s",
            "How long creations took",
            explicit_bucket_boundaries_advisory=CREATION_BUCKETS,
        )
        self._operations = meter.create_histogram(
            "holdfast.store.operation.duration",
            "s",
            "How long operations of metered stores took",
            explicit_bucket_boundaries_advisory=OPERATION_BUCKETS,
        )
        for part, measures in MEASURES.items():
            for measure in measures:
                make = (
                    meter.create_observable_counter
                    if measure.kind == "counter"
                    else meter.create_observable_gauge
                )
                make(
                    f"holdfast.{part}.{measure.field}",
                    [partial(self._observe, part, measure)],
                    f"{{{measure.unit}}}",
                    measure.help,
                )

    def __call__(self, event: str, fields: Mapping[str, object], /) -> None:
        """Count `event`, and how long it took if it says so."""
        took = seconds_of(fields)
        if event == "store.called":
            if took is not None:
                self._operations.record(took, _operation(fields))
            return
        self._events.add(1, {"holdfast.event": event})
        if event == "cache.created" and took is not None:
            self._creations.record(took)
        if self._tracer is not None:
            self._trace(self._tracer, event, fields)

    def watch(self, source: HasStats, name: str = "") -> None:
        """Export the stats of `source` from now on; it is kept alive.

        Args:
            source: A `Cache`, a function that `cached` decorated, or `regions`: those there are
                at each collection.
            name: The attribute of its series. A function is called by its module and name, and
                each region by its own.

        Raises:
            ConfigError: It has no `stats()`.
        """
        self._watched.add(source, name)

    def _observe(self, part: Part, measure: Measure, _: CallbackOptions) -> Iterator[Observation]:
        for name, value in measure.among(self._watched.read(), part):
            yield Observation(value, {f"holdfast.{part}": name})

    def _trace(self, tracer: Tracer, event: str, fields: Mapping[str, object]) -> None:
        key = fields.get("key")
        if event == "cache.creating":
            span = tracer.start_span("cache.create", attributes={"holdfast.cache.key": str(key)})
            token = context.attach(trace.set_span_in_context(span))
            _open.set(_Open(self, key, span, token, _open.get()))
        elif event in ("cache.created", "cache.create_failed"):
            mine = _open.get()
            if mine is None or mine.owner is not self or mine.key != key:
                return  # it began in another thread or task
            error = fields.get("error")
            if isinstance(error, BaseException):
                mine.span.record_exception(error)
                mine.span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            _open.set(mine.outer)
            context.detach(mine.token)
            mine.span.end()


def _operation(fields: Mapping[str, object]) -> dict[str, str]:
    labels = {
        "holdfast.store": str(fields.get("store")),
        "holdfast.operation": str(fields.get("operation")),
    }
    error = fields.get("error")
    return labels if error is None else {**labels, "error.type": type(error).__name__}
