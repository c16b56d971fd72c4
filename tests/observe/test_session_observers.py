"""What our observers make of sessions: numbers and lines, and no series for each visitor."""

import logging

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from holdfast.events import Observer
from holdfast.observe.logging import LogObserver
from holdfast.observe.opentelemetry import OpenTelemetryObserver
from holdfast.observe.prometheus import PrometheusObserver
from holdfast.session import Sessions
from holdfast.testing.clock import ManualClock

USERS = tuple(f"visitor-{number}" for number in range(20))


def visits(observer: Observer) -> list[str]:
    """Let users sign in, come back and be revoked; return what must not be seen of them."""
    sessions = Sessions("memory://", observer=observer)
    shown = list[str]()
    for user in USERS:
        session = sessions.load(None)
        session.login(user)
        token = sessions.commit(session).token
        assert token is not None
        shown += [user, session.id, token]
        assert sessions.load(token).user == user
        sessions.revoke(user)
    return shown


def test_prometheus_counts_and_names_nobody() -> None:
    registry = CollectorRegistry()
    shown = visits(PrometheusObserver(registry))
    for event in ("created", "login", "loaded", "destroyed", "revoked"):
        value = registry.get_sample_value("holdfast_events_total", {"event": f"session.{event}"})
        assert value == len(USERS)
    text = generate_latest(registry).decode()
    assert text.count("holdfast_events_total{") == 5
    assert not any(one in text for one in shown)


def test_opentelemetry_counts_and_names_nobody() -> None:
    reader, spans = InMemoryMetricReader(), InMemorySpanExporter()
    meters, tracers = MeterProvider([reader]), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    observer = OpenTelemetryObserver(meters.get_meter("t"), tracers.get_tracer("t"))
    shown = visits(observer)
    found = reader.get_metrics_data()
    assert found is not None
    text = found.to_json()
    assert '"holdfast.event": "session.login"' in text
    assert not any(one in text for one in shown)
    assert spans.get_finished_spans() == ()  # a session is no work that takes time
    meters.shutdown()
    tracers.shutdown()


def test_the_log_shows_handles_and_no_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "holdfast")
    shown = visits(LogObserver(clock=ManualClock()))
    tokens, handles = shown[2::3], shown[1::3]
    assert not any(token in caplog.text for token in tokens)
    assert f"session.login handle='{handles[0]}' user='{USERS[0]}'" in caplog.text


def test_a_request_writes_no_line_above_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "holdfast")
    visits(LogObserver(clock=ManualClock()))
    events = [vars(record)["holdfast_event"] for record in caplog.records]
    assert set(events) == {"session.login", "session.revoked"}
    assert len(events) == 10  # five of each in ten seconds, however many there were
