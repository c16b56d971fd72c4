"""Presets: how long a session may last at each authentication assurance level of NIST.

Source: SP 800-63B, revisions 3 (4.1.3, 4.2.3, 4.3.3, 7.2) and 4 (2.1.3, 2.2.3, 2.3.3, 5.2); where
the two differ, the stricter figure. A preset may be made stricter, never laxer.

Law: pure. `seen` may lag by `touch_every`, which therefore counts as idle time.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from holdfast.durations import seconds
from holdfast.errors import ConfigError

__all__ = ["Level", "options_of"]

Level = Literal["aal1", "aal2", "aal3"]
"""An authentication assurance level."""

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_TOUCH = 60.0


class _Figures(NamedTuple):
    lifetime: float
    idle: float
    remember_up_to: float


_LEVELS: Mapping[str, _Figures] = {
    "aal1": _Figures(30 * _DAY, 30 * _DAY, 30 * _DAY),
    "aal2": _Figures(12 * _HOUR, 30 * _MINUTE, 0.0),
    "aal3": _Figures(12 * _HOUR, 15 * _MINUTE, 0.0),
}


def options_of(level: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a level.

    Args:
        level: "aal1", "aal2" or "aal3".
        given: Options of `Sessions`, which may be stricter.

    Raises:
        ConfigError: There is no such level, or an option is laxer than it.
    """
    figures = _LEVELS.get(level)
    if figures is None:
        raise ConfigError(f"preset {level!r}: there are {', '.join(map(repr, _LEVELS))}")
    touch = min(seconds(given.get("touch_every", _TOUCH), option="touch_every"), figures.idle / 10)
    options = {
        "lifetime": figures.lifetime,
        "idle_timeout": figures.idle - touch,
        "remember_up_to": figures.remember_up_to,
        **given,
        "touch_every": touch,
    }
    own = seconds(options["remember_up_to"], option="remember_up_to")
    _check(level, "remember_up_to", own, figures.remember_up_to)
    _check(level, "lifetime", seconds(options["lifetime"], option="lifetime"), figures.lifetime)
    idle = seconds(options["idle_timeout"], option="idle_timeout")
    _check(level, "idle_timeout with touch_every", idle + touch, figures.idle)
    if not figures.remember_up_to and getattr(given.get("transport"), "persistent", False):
        raise ConfigError(f"preset {level!r}: its cookie ends with the browser: no persistent=True")
    return options


def _check(level: str, option: str, value: float, most: float) -> None:
    if value > most:
        raise ConfigError(f"preset {level!r}: {option} is {value:g} s, it allows {most:g} s")
