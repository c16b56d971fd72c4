"""Canonical text: one text for each argument, the same in every process, no two alike.

Law: pure. Equal values of different types have different texts; the order in which a dict or a set
was filled does not count. An enum member counts by its name, a frozen dataclass by what its
equality counts, a class by its own name. What has no stable form is a `ConfigError` that says how
to write `key=`: among these whatever is a subclass of a plain type, which may mean something else.
"""

import datetime as dt
import uuid
import zoneinfo
from collections.abc import Callable, Iterable
from dataclasses import fields
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any

from holdfast.errors import ConfigError

__all__ = ["canonical"]

_BIG = 10_000  # bits; Python refuses to write very long decimals


def canonical(value: Any) -> str:
    """Return the canonical text of `value`.

    Raises:
        ConfigError: It has none.
    """
    kind = type(value)
    write = _WRITERS.get(kind) or _writer_of(kind)
    if write is None:
        raise _no_form(f"a {kind.__module__}.{kind.__qualname__}", _mend(kind))
    return write(value)


def _writer_of(kind: Any) -> Callable[[Any], str] | None:
    named = f"{kind.__module__}.{kind.__qualname__}"
    if hasattr(kind, "__cache_key__"):
        return lambda value: f"{named}({canonical(kind.__cache_key__(value))})"
    if issubclass(kind, Enum):
        return lambda value: f"{named}({value.name or canonical(value.value)})"
    names = _fields(kind)
    if names is not None:
        return lambda value: named + _several("(", [getattr(value, name) for name in names], ")")
    if issubclass(kind, PurePath):
        return lambda value: f"{kind.__name__}({_quoted(str(value))})"
    return _class if issubclass(kind, type) else None


def _fields(kind: Any) -> list[str] | None:
    """Return what the equality of a frozen dataclass or a named tuple counts; None: it is none.

    A subclass that is no such thing itself may have more.
    """
    own = vars(kind)
    made = own.get("__dataclass_params__")
    if made is not None and made.frozen and made.eq:
        return [field.name for field in fields(kind) if field.compare]
    return list(kind._fields) if tuple in kind.__bases__ and "_fields" in own else None


def _class(value: type) -> str:
    named = f"{value.__module__}.{value.__qualname__}"
    if "<locals>" in named:
        raise _no_form(f"the class {named}", "write it outside of functions, or write key='...'")
    return f"class({named})"


def _no_form(what: str, mend: str) -> ConfigError:
    return ConfigError(f"{what} has no stable form to make a cache key of: {mend}")


def _mend(kind: type) -> str:
    plain = [base for base in kind.__mro__ if base in _WRITERS]
    if plain:
        return f"pass a plain {plain[0].__name__}, or write key='...' with the arguments that count"
    return "write key='...' with what of it counts, or give it a __cache_key__() method"


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
    if isinstance(zone, dt.timezone) or (isinstance(zone, zoneinfo.ZoneInfo) and zone.key):
        return f"[{_quoted(str(zone))}]"
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
