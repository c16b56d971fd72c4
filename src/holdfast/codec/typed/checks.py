"""Checks: whether a value is what an annotation says, all the way down.

Law: nothing is changed and nothing guessed. None is right only where the annotation names it; a
bool is no int; an int does for a float. What cannot be asked of a value, such as a protocol, is
right. Constraints are no types: a model of pydantic keeps its own.
"""

import types
import typing
from collections.abc import Callable, Iterable
from typing import Any, get_args, get_origin

from holdfast.codec.typed import annotated
from holdfast.codec.typed.reader import MANY, PAIRS, fields_of_class

__all__ = ["Check", "check_of"]

Check = Callable[[Any], str | None]
"""Returns None, or where a value is not what was annotated: `[2].price: str, not float`."""

_ABSENT = object()


def check_of(annotation: object) -> Check:
    """Return what checks values of `annotation`, whose names are resolved."""
    check = _Checks().read(annotation)

    def whole(value: object) -> str | None:
        try:
            return check(value)
        except RecursionError:
            return ": nested too deep"

    return whole


class _Checks:
    """Reads annotations; a class is read once, so that it may contain itself."""

    def __init__(self) -> None:
        self._classes: dict[Any, Check] = {}
        self._owner: Any = Any

    def read(self, annotation: Any) -> Check:
        annotation = annotated.bare(annotation)
        if annotation is typing.Self:
            annotation = self._owner
        if annotation is Any or annotation is object:
            return _pass
        if annotation is None:
            annotation = type(None)
        origin, args = get_origin(annotation), get_args(annotation)
        if origin is typing.Literal:
            return _literal(args, _shown(annotation))
        if origin in (typing.Union, types.UnionType):
            return _either([self.read(one) for one in args], _shown(annotation))
        if args and (origin is tuple or origin in MANY or origin in PAIRS):
            return self._container(origin, args)
        return self._class(annotation, origin or annotation, args)

    def _container(self, origin: Any, args: tuple[Any, ...]) -> Check:
        if origin is tuple:
            return self._tuple(args)
        if origin in MANY:
            return _many(origin, self.read(args[0]))
        return _pairs(origin, self.read(args[0]), self.read(args[1]))

    def _tuple(self, args: tuple[Any, ...]) -> Check:
        if len(args) == 2 and args[1] is ...:
            return _many(tuple, self.read(args[0]))
        places = [self.read(one) for one in args]
        is_tuple = _instance(tuple)

        def check(value: Any) -> str | None:
            if (wrong := is_tuple(value)) is not None:
                return wrong
            if len(value) != len(places):
                return f": {len(value)} items, not {len(places)}"
            return _first(zip(places, value, strict=True))

        return check

    def _class(self, annotation: Any, kind: Any, args: tuple[Any, ...]) -> Check:
        known = self._classes.get(annotation)
        if known is not None:
            return known
        if not isinstance(kind, type):
            return _pass
        fields = fields_of_class(kind, args)
        if fields is None:
            # What pydantic names is often not what its values are: an EmailStr is a str.
            return _pass if kind.__module__.startswith("pydantic") else _instance(kind)
        checks: dict[str, Check] = {}
        keys = typing.is_typeddict(kind)
        check = _keys(kind, checks) if keys else _attributes(_instance(kind), checks)
        self._classes[annotation] = check
        around, self._owner = self._owner, kind
        checks.update({name: self.read(one) for name, one in fields.items()})
        self._owner = around
        return check


def _pass(_: object) -> None:
    """Find nothing wrong."""


def _instance(kind: Any, kinds: tuple[type, ...] = ()) -> Check:
    """Return what asks for instances of `kind`, which are those of `kinds` where there are any."""
    try:
        isinstance(None, kind)
    except TypeError:  # a protocol that asks nothing at run time
        return _pass
    kinds = kinds or ((float, int) if kind is float else (kind,))
    numeric = kind is int or kind is float
    label = _shown(kind)

    def check(value: object) -> str | None:
        if isinstance(value, kinds) and not (numeric and isinstance(value, bool)):
            return None
        return _not(value, label)

    return check


def _literal(values: Iterable[Any], label: str) -> Check:
    told = {(type(value), value) for value in values}

    def check(value: Any) -> str | None:
        try:
            return None if (type(value), value) in told else _not(value, label)
        except TypeError:  # it has no hash
            return _not(value, label)

    return check


def _either(members: list[Check], label: str) -> Check:
    def check(value: object) -> str | None:
        if any(member(value) is None for member in members):
            return None
        return _not(value, label)

    return check


def _many(origin: Any, item: Check) -> Check:
    is_one = _instance(origin, MANY.get(origin, ()))  # of a Sequence[str], not the str itself

    def check(value: Any) -> str | None:
        return is_one(value) or _first((item, one) for one in value)

    return check


def _pairs(origin: Any, key: Check, item: Check) -> Check:
    is_one = _instance(origin, (dict,))

    def check(value: Any) -> str | None:
        if (wrong := is_one(value)) is not None:
            return wrong
        for name, one in value.items():
            if (wrong := key(name)) is not None:
                return f", a key{wrong}"
            if (wrong := item(one)) is not None:
                return f"[{name!r}]{wrong}"
        return None

    return check


def _attributes(is_one: Check, fields: dict[str, Check]) -> Check:
    def check(value: Any) -> str | None:
        if (wrong := is_one(value)) is not None:
            return wrong
        for name, field in fields.items():
            one = getattr(value, name, _ABSENT)
            wrong = ": missing" if one is _ABSENT else field(one)
            if wrong is not None:
                return f".{name}{wrong}"
        return None

    return check


def _keys(kind: Any, fields: dict[str, Check]) -> Check:
    is_dict = _instance(dict)

    def check(value: Any) -> str | None:
        if (wrong := is_dict(value)) is not None:
            return wrong
        for name, field in fields.items():
            if name not in value:
                if name in kind.__required_keys__:
                    return f"[{name!r}]: missing"
            elif (wrong := field(value[name])) is not None:
                return f"[{name!r}]{wrong}"
        return None

    return check


def _first(checks: Iterable[tuple[Check, Any]]) -> str | None:
    """Return the first thing that is wrong, with its place."""
    for place, (check, value) in enumerate(checks):
        if (wrong := check(value)) is not None:
            return f"[{place}]{wrong}"
    return None


def _not(value: object, label: str) -> str:
    return f": {type(value).__qualname__}, not {label}"  # never the value: it may be secret


def _shown(annotation: Any) -> str:
    if isinstance(annotation, type) and not get_args(annotation):
        return "None" if annotation is type(None) else annotation.__qualname__
    return str(annotation).replace("typing.", "")
