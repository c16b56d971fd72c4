"""Durations: "5m", timedelta and 300 all mean 300.0 seconds.

Law: pure. A duration that cannot be meant (negative, NaN, an unknown unit) is a `ConfigError`.
"""

import math
import re
from datetime import timedelta

from holdfast.errors import ConfigError

__all__ = ["Duration", "seconds"]

Duration = float | int | str | timedelta
"""Seconds as a number, a `timedelta`, or text such as `"90s"`, `"5m"`, `"1h30m"`, `"250ms"`."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def seconds(duration: Duration, *, option: str = "duration") -> float:
    """Return `duration` in seconds.

    Args:
        duration: Seconds, a `timedelta`, or text made of numbers with `ms s m h d w`.
        option: The option's name, for the error message.

    Raises:
        ConfigError: It is negative, infinite, not a number, or text that is no duration.
    """
    if isinstance(duration, timedelta):
        value = duration.total_seconds()
    elif isinstance(duration, str):
        value = _from_text(duration, option)
    elif isinstance(duration, bool) or not isinstance(duration, int | float):
        raise ConfigError(f"{option}={duration!r}: give seconds, a timedelta or text such as '5m'")
    else:
        value = _from_number(duration, option)
    if not math.isfinite(value) or value < 0:
        raise ConfigError(f"{option}={duration!r}: a duration is finite and not negative")
    return value


def _from_number(number: float, option: str) -> float:
    try:
        return float(number)
    except OverflowError as error:  # an int beyond what a float holds
        raise ConfigError(f"{option}: a duration is finite and not negative") from error


def _from_text(text: str, option: str) -> float:
    plain = text.strip().lower()
    if re.fullmatch(r"\d+(?:\.\d+)?", plain):
        return float(plain)
    if not _WHOLE.fullmatch(plain):
        raise ConfigError(f"{option}={text!r}: write a duration as '30s', '5m', '1h30m' or '2d'")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(plain))
