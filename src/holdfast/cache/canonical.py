"""Canonical text: one text for each argument, the same in every process, no two alike.

Law: pure. Equal values of different types have different texts; the order in which a dict or a set
was filled does not count. What has no stable form is a `ConfigError` that says how to write `key=`.
"""

import datetime as dt
import uuid
import zoneinfo
from collections.abc import Callable, Iterable
from decimal import Decimal
from enum import Enum
from typing import Any

from holdfast.errors import ConfigError

__all__ = ["canonical"]

_BIG = 10_000  # bits; Python refuses to write very long decimals


def canonical(value: Any) -> str:
    """Return the canonical text of `value`.

    Raises:
        ConfigError: It has none.
    """
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value)
    named = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, Enum):
        return f"{named}({canonical(value.value)})"
    own = getattr(type(value), "__cache_key__", None)
    if own is not None:
        return f"{named}({canonical(own(value))})"
    raise ConfigError(
        f"a {named} has no stable form to make a cache key of: give it a __cache_key__() method, "
        f"or write key='...{{name}}...' with the arguments that count"
    )


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _int(value: int) -> str:
    return repr(value) if value.bit_length() < _BIG else hex(value)


def _several(opening: str, values: Iterable[Any], closing: str) -> str:
    return opening + ",".join([canonical(value) for value in values]) + closing


def _unordered(opening: str, values: Iterable[Any], closing: str) -> str:
    return opening + ",".join(sorted(canonical(value) for value in values)) + closing


def _dict(value: dict[Any, Any]) -> str:
    pairs = sorted((canonical(key), canonical(item)) for key, item in value.items())
    return "{" + ",".join([f"{key}:{item}" for key, item in pairs]) + "}"


def _zone(zone: dt.tzinfo | None) -> str:
    if zone is None:
        return ""
    if isinstance(zone, dt.timezone | zoneinfo.ZoneInfo):
        return f"[{zone}]"
    raise ConfigError(f"the time zone {zone!r} has no stable form; use zoneinfo or write key='...'")


def _moment(kind: str) -> Callable[[Any], str]:
    def write(value: dt.datetime | dt.time) -> str:
        return f"{kind}({value.isoformat()}{_zone(value.tzinfo)}{'~' * value.fold})"

    return write


_WRITERS: dict[type, Callable[[Any], str]] = {
    type(None): repr,
    bool: repr,
    int: _int,
    float: repr,
    complex: repr,
    str: _quoted,
    bytes: repr,
    tuple: lambda value: _several("(", value, ")"),
    list: lambda value: _several("[", value, "]"),
    set: lambda value: _unordered("set(", value, ")"),
    frozenset: lambda value: _unordered("frozenset(", value, ")"),
    dict: _dict,
    dt.datetime: _moment("datetime"),
    dt.time: _moment("time"),
    dt.date: lambda value: f"date({value.isoformat()})",
    dt.timedelta: lambda value: f"timedelta({value.days},{value.seconds},{value.microseconds})",
    Decimal: lambda value: f"Decimal({value})",
    uuid.UUID: lambda value: f"UUID({value})",
}
