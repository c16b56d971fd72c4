"""Dates and times as text that any language can read, without loss.

Law: the text is ISO 8601 as `isoformat` writes it: the time on the clock, then `+01:00` for a fixed
offset or `[Europe/Berlin]` for a `zoneinfo` zone. `~` before it says that the clock was set back
and this is the second of two equal times (`fold=1`); a fixed offset with a name of its own is
followed by `(name)`. Only `datetime.timezone` and `zoneinfo.ZoneInfo` can be written: other zones
have no form that survives.
"""

import re
from datetime import datetime, time, timedelta, timezone, tzinfo
from typing import TypeVar
from zoneinfo import ZoneInfo

__all__ = ["Unwritable", "read", "write"]

Moment = TypeVar("Moment", datetime, time)
_TINY_OFFSET = re.compile(r"([+-])00:00:00\.([0-9]{6})\Z")


class Unwritable(ValueError):  # noqa: N818 - it never leaves the codec
    """A time zone that has no text."""


def write(moment: datetime | time) -> str:
    """Return `moment` as text.

    Raises:
        Unwritable: Its zone is neither a fixed offset nor a named `ZoneInfo`.
    """
    zone = moment.tzinfo
    fold = "~" if moment.fold else ""
    if zone is None:
        return fold + moment.isoformat()
    if type(zone) is timezone:
        name = zone.tzname(None)
        own_name = "" if name == timezone(zone.utcoffset(None)).tzname(None) else f"({name})"
        return fold + moment.isoformat() + own_name
    if type(zone) is ZoneInfo and zone.key is not None:
        return f"{fold}{moment.replace(tzinfo=None).isoformat()}[{zone.key}]"
    kind = type(zone)
    raise Unwritable(f"a time zone of type {kind.__module__}.{kind.__qualname__}")


def read(kind: type[Moment], text: str) -> Moment:
    """Return the `datetime` or `time` that `text` stands for.

    Raises:
        ValueError: It is not what `write` writes, or this machine does not know its zone.
    """
    fold = text.startswith("~")
    clock, zone = _split(text[1:] if fold else text)
    moment = _by_the_clock(kind, clock)
    if zone:
        moment = moment.replace(tzinfo=_zone(zone, moment.tzinfo))
    return moment.replace(fold=1) if fold else moment


def _split(text: str) -> tuple[str, str]:
    """Return what the clock showed, and `[zone]`, `(name)` or nothing."""
    for opening, closing in ("[]", "()"):
        at = text.find(opening)
        if at >= 0 and text.endswith(closing):
            return text[:at], text[at:]
    return text, ""


def _by_the_clock(kind: type[Moment], clock: str) -> Moment:
    tiny = _TINY_OFFSET.search(clock)
    if tiny is None:
        return kind.fromisoformat(clock)
    # CPython 3.11 takes an offset of less than a second for UTC
    offset = timedelta(microseconds=int(tiny[1] + tiny[2]))
    return kind.fromisoformat(clock[: tiny.start()]).replace(tzinfo=timezone(offset))


def _zone(mark: str, offset: tzinfo | None) -> tzinfo:
    name = mark[1:-1]
    if mark[0] == "(":
        if type(offset) is not timezone:
            raise ValueError("a name without an offset")
        return timezone(offset.utcoffset(None), name)
    if offset is not None:
        raise ValueError("a zone and an offset")
    try:
        return ZoneInfo(name)
    except (KeyError, OSError) as error:  # unknown here, or a folder of the zone database
        raise ValueError(f"no time zone {name!r} on this machine") from error
