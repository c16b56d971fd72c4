"""Observers: what caches, sessions and limits tell, made into lines, metrics and spans.

    from holdfast.observe import several
    from holdfast.observe.logging import LogObserver
    from holdfast.observe.prometheus import PrometheusObserver  # holdfast[prometheus]
    from holdfast.observe.opentelemetry import OpenTelemetryObserver  # holdfast[opentelemetry]

Law: one file for each kind, which alone knows its library. An observer of ours never raises, never
waits for anything but its library, and never shows a key as the name or the label of a metric.
"""

from holdfast.observe.several import several

__all__ = ["several"]
