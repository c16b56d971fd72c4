"""Header fields a cache must read: directives, dates, entity tags, ranges.

Law: pure, and nothing here raises: what cannot be read is absent, and a freshness that cannot be
read is none. Names are lower case, values as they were sent.
"""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from holdfast.web.headers import Headers

__all__ = [
    "Directives",
    "Span",
    "all_of",
    "combined",
    "directives",
    "instant",
    "matches",
    "named",
    "span",
    "words",
]

Directives = Mapping[str, str | None]
"""Cache-Control directives: name to argument; None where there is none."""

_LONGEST = 2**31
"""Seconds: RFC 9111 1.2.2 lets a cache read anything longer as this."""
_DIRECTIVE = re.compile(r'\s*([!#$%&\'*+\-.^_`|~\w]+)(?:=("(?:[^"\\]|\\.)*"|[^,]*))?\s*(?:,|$)')
_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.IGNORECASE)


def all_of(headers: Headers, name: str) -> list[str]:
    """Return the values of the header `name`, in order."""
    return [value for key, value in headers if key.lower() == name]


def combined(headers: Headers, name: str) -> str | None:
    """Return the header `name`; several are joined by commas; None if there is none."""
    values = all_of(headers, name)
    return ", ".join(values) if values else None


def words(value: str | None) -> list[str]:
    """Return the members of a list such as that of Vary, in lower case."""
    parts = (value or "").lower().split(",")
    return [word for word in map(str.strip, parts) if word]


def directives(value: str | None) -> Directives:
    """Return the directives of a Cache-Control value.

    Of one that is said twice with different seconds, the fewer count.
    """
    found: dict[str, str | None] = {}
    at, text = 0, value or ""
    while at < len(text):
        match = _DIRECTIVE.match(text, at)
        if match is None:  # nothing we know: on to the next comma
            comma = text.find(",", at)
            at = len(text) if comma < 0 else comma + 1
            continue
        at = match.end()
        name, argument = match[1].lower(), match[2]
        if argument is not None:
            argument = argument.strip()
            if argument[:1] == '"' == argument[-1:] and len(argument) > 1:
                argument = argument[1:-1]
        if name in found and named(found, name) < named({name: argument}, name):
            continue
        found[name] = argument
    return found


def named(said: Directives, name: str) -> int:
    """Return the seconds of the directive `name`: 0 where they are missing or cannot be read."""
    argument = said.get(name) or ""
    if not (argument.isascii() and argument.isdecimal()):
        return 0
    return min(int(argument), _LONGEST) if len(argument) < 20 else _LONGEST


def instant(value: str | None) -> float | None:
    """Return an HTTP date as a UTC time in seconds; None if it is none."""
    if not value:
        return None
    try:
        when = parsedate_to_datetime(value)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):  # as the parser's mood is
        return None


def matches(condition: str, tag: str | None) -> bool:
    """Return whether an If-None-Match names `tag`, by the weak comparison of RFC 9110 8.8.3.2."""
    if condition.strip() == "*":
        return True
    ours = _TAG.fullmatch((tag or "").strip())
    return ours is not None and ours[1] in _TAG.findall(condition)


class Span(NamedTuple):
    """A part of a body: from `first` to `last`, both in it."""

    first: int
    last: int


def span(value: str, length: int) -> Span | None:
    """Return what part of `length` bytes a Range asks for.

    Returns:
        None if the header is none of one range of bytes: it is ignored then. A `Span` that begins
        at or after `length` cannot be satisfied.
    """
    match = _RANGE.fullmatch(value.strip())
    if match is None or match[1] == match[2] == "" or max(map(len, match.groups())) > 18:
        return None
    if match[1] == "":
        suffix = int(match[2])
        return Span(max(0, length - suffix) if suffix else length, length - 1)
    first = int(match[1])
    last = int(match[2]) if match[2] else length - 1
    if match[2] and last < first:
        return None
    return Span(first, min(last, length - 1))
