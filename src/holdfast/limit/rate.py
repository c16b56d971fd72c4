"""Rates: "5/minute; 100/hour" in a form that is computed with.

Law: pure. Two texts that mean the same rates have one normal form, and two that do not have two. A
text that is no rate is a `ConfigError` that shows one.
"""

import re
from typing import NamedTuple

from holdfast.errors import ConfigError

__all__ = ["Rate", "parse_rates", "rates_text"]

_UNITS = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86_400,
    "day": 86_400,
    "w": 604_800,
    "week": 604_800,
}
_RATE = re.compile(r"(\d{1,18})\s*(?:/|\bper\b)\s*(\d{1,9})?\s*([a-z]+)", re.ASCII)
_AT_MOST = 8  # rates in one text: each is a number in the record and in the headers
_MOST = 1_000_000_000  # hits: up to here a double counts them to a millionth
_EXAMPLE = "write rates as '5/minute', '10 per second', '3/10s' or '5/minute; 100/hour'"


class Rate(NamedTuple):
    """So many hits in such a time.

    Attributes:
        limit: Hits.
        period: Seconds, whole.
    """

    limit: int
    period: int


def parse_rates(text: str) -> tuple[Rate, ...]:
    """Return the rates that `text` names, by period, each once.

    Args:
        text: One or more of `5/minute`, `10 per second`, `3/10s`, separated by `;` or `,`.

    Raises:
        ConfigError: It names no rate, too many, or one that lets nothing or too much through.
    """
    if not isinstance(text, str):
        raise ConfigError(f"rates={text!r}: {_EXAMPLE}")
    rates = {_one(part, text) for part in re.split(r"[;,]", text) if part.strip()}
    if not rates:
        raise ConfigError(f"rates={text!r}: {_EXAMPLE}")
    if len(rates) > _AT_MOST:
        raise ConfigError(f"rates={text!r}: at most {_AT_MOST} rates are decided together")
    return tuple(sorted(rates, key=lambda rate: (rate.period, rate.limit)))


def rates_text(rates: tuple[Rate, ...]) -> str:
    """Return the normal form, which stands in the store key: `5/60s+100/3600s`."""
    return "+".join(f"{rate.limit}/{rate.period}s" for rate in rates)


def _one(part: str, text: str) -> Rate:
    found = _RATE.fullmatch(part.strip().lower())
    unit = found and (_UNITS.get(found[3]) or _UNITS.get(found[3].removesuffix("s")))
    if not found or not unit:
        raise ConfigError(f"rates={text!r}: {part.strip()!r} is no rate; {_EXAMPLE}")
    limit, period = int(found[1]), int(found[2] or 1) * unit
    if limit < 1 or period < 1:
        raise ConfigError(f"rates={text!r}: {part.strip()!r} lets nothing through; {_EXAMPLE}")
    if limit > _MOST:
        raise ConfigError(f"rates={text!r}: {part.strip()!r} is above {_MOST:,} hits")
    return Rate(limit, period)
