"""Events as lines of a log.

Law: a line has the event's name and its fields, never a value: of anything but text, numbers and
errors only the type is shown, and text is escaped and cut, since a key may be what a client sent.
Of one event at most 5 lines are written in 10 seconds, however dead a store is; the next line says
how many were left out. Lines at DEBUG are not limited: who switches them on wants them. Two threads
at once may cost a line more, never a lock.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.clock import Clock, monotonic

__all__ = ["LogObserver"]

_LINES, _WINDOW = 5, 10.0  # lines of one event, in so many seconds
_LONGEST = 200  # characters of a text
_MOST = 10  # items of a list
_LEVELS = {
    "cache.trouble": logging.WARNING,
    "cache.corrupt": logging.WARNING,
    "cache.stale_after_failure": logging.WARNING,
    "cache.refresh_failed": logging.WARNING,
    "cache.timeout": logging.WARNING,
    "cache.breaker_open": logging.WARNING,
    "cache.bus_lost": logging.WARNING,
    "cache.invalidation_queued": logging.WARNING,
    "cache.creating": logging.DEBUG,
    "cache.created": logging.DEBUG,
    "cache.create_failed": logging.DEBUG,  # whoever asked for the value is told
    "session.created": logging.DEBUG,
    "session.loaded": logging.DEBUG,
    "session.unknown": logging.DEBUG,
    "session.expired": logging.DEBUG,
    "session.destroyed": logging.DEBUG,
    "session.conflict_merged": logging.DEBUG,
    "session.conflict_dropped": logging.WARNING,
    "session.corrupt": logging.WARNING,
    "session.cookie_tossing": logging.WARNING,
    "session.touch_failed": logging.WARNING,
    "session.store_down": logging.ERROR,
    "limit.store_error": logging.ERROR,
    "store.called": logging.DEBUG,
}
_OTHERS = logging.INFO


class LogObserver:
    """Writes a line for each event: `cache.trouble operation='read' error=StoreTimeout('...')`.

    A record has the event's name as `record.holdfast_event`, for filters and structured logs.

    Args:
        logger: Where the lines go; the logger `holdfast` by default.
        levels: Levels of events by name, where they are to be other than ours; an event nobody
            knows has INFO.
        clock: Seconds; only differences count.
    """

    def __init__(
        self,
        logger: logging.Logger | None = None,
        *,
        levels: Mapping[str, int] | None = None,
        clock: Clock = monotonic,
    ) -> None:
        self._logger = logging.getLogger("holdfast") if logger is None else logger
        self._levels = {**_LEVELS, **(levels or {})}
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def __call__(self, event: str, fields: Mapping[str, object], /) -> None:
        """Write the line of `event`, if it is to be written."""
        level = self._levels.get(event, _OTHERS)
        if not self._logger.isEnabledFor(level):
            return
        left_out = 0 if level <= logging.DEBUG else self._left_out(event)
        if left_out is None:
            return
        words = [event, *(f"{name}={_shown(value)}" for name, value in fields.items())]
        if left_out:
            words.append(f"({left_out} more were left out)")
        self._logger.log(level, "%s", " ".join(words), extra={"holdfast_event": event})

    def _left_out(self, event: str) -> int | None:
        """Return how many lines were left out before this one; None: leave it out as well."""
        now = self._clock()
        window = self._windows.get(event)
        if window is None or now - window.since >= _WINDOW:
            self._windows[event] = _Window(now)
            return 0 if window is None else window.left_out
        if window.lines >= _LINES:
            window.left_out += 1
            return None
        window.lines += 1
        return 0


@dataclass(slots=True)
class _Window:
    """What was written of one event since then."""

    since: float
    lines: int = 1
    left_out: int = 0


def _shown(value: object) -> str:
    kind = type(value)
    if kind is str:
        return repr(str(value)[:_LONGEST])
    if value is None or kind in (int, bool):
        return repr(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, BaseException):
        return _shown_error(value)
    if isinstance(value, list | tuple):
        items = [_shown(item) for item in value[:_MOST]]
        return f"[{', '.join(items)}{', ...' if len(value) > _MOST else ''}]"
    return f"<{kind.__name__}>"


def _shown_error(error: BaseException) -> str:
    try:
        text = str(error)[:_LONGEST]
    except Exception:  # noqa: BLE001 - whose __str__ it is, we do not know
        text = "?"
    cause = f" from {type(error.__cause__).__name__}" if error.__cause__ is not None else ""
    return f"{type(error).__name__}({text!r}){cause}"
