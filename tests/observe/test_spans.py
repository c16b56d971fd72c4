"""OpenTelemetryObserver: a span around each creation, in the span of who asked for it."""

import asyncio
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.metrics import NoOpMeter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, Tracer

from holdfast.cache import Cache
from holdfast.observe.opentelemetry import OpenTelemetryObserver


class Spans:
    """A tracer, and the spans it finished."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer: Tracer = self.provider.get_tracer("test")

    def finished(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def parents(self) -> dict[str, str | None]:
        """Return the name of the parent of each span, by its own."""
        names = {span.context.span_id: span.name for span in self.finished() if span.context}
        return {
            span.name: names.get(span.parent.span_id) if span.parent else None
            for span in self.finished()
        }


@pytest.fixture
def spans() -> Iterator[Spans]:
    made = Spans()
    yield made
    made.provider.shutdown()


@pytest.mark.parametrize("beside", [False, True], ids=["in the caller's thread", "beside it"])
def test_a_span_is_around_each_creation_and_in_what_called_it(
    spans: Spans, *, beside: bool
) -> None:
    cache = Cache(
        observer=OpenTelemetryObserver(NoOpMeter("test"), spans.tracer),
        hard_timeout=60 if beside else None,
    )

    def create() -> int:
        with spans.tracer.start_as_current_span("query"):
            return 1

    with spans.tracer.start_as_current_span("request"):
        cache.get_or_create("k", create)
        cache.get_or_create("k", create)
        before = trace.get_current_span()
    assert [span.name for span in spans.finished()] == ["query", "cache.create", "request"]
    assert spans.parents() == {"query": "cache.create", "cache.create": "request", "request": None}
    assert spans.finished()[1].attributes == {"holdfast.cache.key": "k"}
    assert before.get_span_context() == spans.finished()[2].context  # nothing was left behind


def test_spans_of_tasks_do_not_meet(spans: Spans) -> None:
    cache = Cache(observer=OpenTelemetryObserver(NoOpMeter("test"), spans.tracer))

    async def one(name: str) -> None:
        async def create() -> str:
            await asyncio.sleep(0.001)
            with spans.tracer.start_as_current_span(f"query {name}"):
                return name

        with spans.tracer.start_as_current_span(f"request {name}"):
            assert await cache.aio.get_or_create(name, create) == name

    async def body() -> None:
        await asyncio.gather(*map(one, "abc"))

    asyncio.run(body())
    by_id = {span.context.span_id: span for span in spans.finished() if span.context}
    for span in spans.finished():
        if span.name.startswith("query"):
            assert span.parent
            create = by_id[span.parent.span_id]
            assert create.name == "cache.create"
            assert create.attributes == {"holdfast.cache.key": span.name[-1]}
            assert create.parent
            assert by_id[create.parent.span_id].name == f"request {span.name[-1]}"
    assert len(spans.finished()) == 9


def test_creations_in_creations_are_spans_in_spans(spans: Spans) -> None:
    cache = Cache(observer=OpenTelemetryObserver(NoOpMeter("test"), spans.tracer))
    cache.get_or_create("outer", lambda: cache.get_or_create("inner", lambda: 1))
    inner, outer = spans.finished()
    assert inner.attributes == {"holdfast.cache.key": "inner"}
    assert inner.parent == outer.context


def test_a_failed_creation_is_a_failed_span(spans: Spans) -> None:
    cache = Cache(observer=OpenTelemetryObserver(NoOpMeter("test"), spans.tracer))
    with pytest.raises(ZeroDivisionError):
        cache.get_or_create("k", lambda: 1 // 0)
    (span,) = spans.finished()
    assert span.status.status_code is StatusCode.ERROR
    assert [event.name for event in span.events] == ["exception"]
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_a_cancelled_creation_ends_its_span(spans: Spans) -> None:
    cache = Cache(observer=OpenTelemetryObserver(NoOpMeter("test"), spans.tracer))

    async def body() -> None:
        task = asyncio.create_task(cache.aio.get_or_create("k", asyncio.Event().wait))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(body())
    assert [span.name for span in spans.finished()] == ["cache.create"]


def test_an_end_without_a_beginning_is_no_span(spans: Spans) -> None:
    observer = OpenTelemetryObserver(NoOpMeter("test"), spans.tracer)
    other = OpenTelemetryObserver(NoOpMeter("test"), spans.tracer)
    observer("cache.created", {"key": "k", "seconds": 0.1})
    observer("cache.creating", {"key": "k"})
    other("cache.created", {"key": "k", "seconds": 0.1})
    observer("cache.created", {"key": "other", "seconds": 0.1})
    assert spans.finished() == []
    observer("cache.create_failed", {"key": "k", "seconds": 0.1, "error": ValueError()})
    assert len(spans.finished()) == 1
