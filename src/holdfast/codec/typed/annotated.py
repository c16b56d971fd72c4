"""What annotations say: names resolved, types named, type parameters put in.

Law: reads what Python keeps of types; makes nothing and knows no shapes.
"""

import functools
import inspect
import sys
import types
import typing
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Generic, Protocol, TypeVar, get_args, get_origin
from uuid import UUID

__all__ = [
    "bare",
    "class_named",
    "fields_of",
    "is_obvious",
    "label_of",
    "resolved",
    "resolved_result",
]

_OWN: set[Any] = {None, type(None), bool, int, float, str, bytes, list, tuple, set, frozenset, dict}
_OWN |= {Any, object, datetime, date, time, timedelta, Decimal, UUID, inspect.Parameter.empty}
_OWN_CONTAINERS = {list, tuple, set, frozenset, dict, typing.Union, types.UnionType}
_QUALIFIERS = {"Required", "NotRequired", "ReadOnly", "Final", "ClassVar", "InitVar"}


def is_obvious(annotation: object) -> bool:
    """Return whether `annotation` names nothing but what a codec knows by itself."""
    if get_origin(annotation) in _OWN_CONTAINERS:
        return all(one is ... or is_obvious(one) for one in get_args(annotation))
    try:
        return annotation in _OWN
    except TypeError:  # Annotated may hold what has no hash
        return False


def resolved(annotation: object, names: Mapping[str, object]) -> object:
    """Return `annotation` with every text in it replaced by what it names.

    Raises:
        NameError: It names what is not there at run time.
    """
    told = types.SimpleNamespace(__annotations__={"it": annotation})
    return typing.get_type_hints(told, dict(names))["it"]


def resolved_result(function: Any) -> tuple[object, object]:
    """Return what `function` is annotated to return, Any where it is not, and what Self means.

    Raises:
        NameError: It names what is not there at run time.
    """
    if isinstance(function, functools.partial):  # one of a partial is made flat by Python
        function = function.func
    if isinstance(function, types.MethodType):
        function = function.__func__
    function = inspect.unwrap(function)
    if not hasattr(function, "__globals__"):
        function = type(function).__call__
    names = getattr(function, "__globals__", {})
    owner = _owner(function, names)
    local = {} if owner is None else vars(owner)
    annotation = getattr(function, "__annotations__", {}).get("return", Any)
    hint = resolved(annotation, {**local, **names})
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        hint = list[(*get_args(hint), Any)[0]]  # type: ignore[misc]  # it was collected
    return hint, owner or Any


def _owner(function: Any, names: Mapping[str, object]) -> type | None:
    """Return the class that `function` was defined in, if it can be found by its name."""
    first, *rest = function.__qualname__.split(".")
    found = names.get(first) if rest else None
    for name in rest[:-1]:
        found = getattr(found, name, None)
    return found if isinstance(found, type) else None


def fields_of(kind: Any, args: tuple[Any, ...]) -> dict[str, Any]:
    """Return the annotations of a class, resolved, its type parameters replaced by `args`.

    Raises:
        NameError: One names what is not there at run time.
    """
    try:
        hints = typing.get_type_hints(kind, include_extras=False)
    except NameError:  # a class made in a function knows itself by a name its module does not
        hints = typing.get_type_hints(kind, None, {kind.__name__: kind})
    given = _given(kind, args)
    return {name: _filled(annotation, given) for name, annotation in hints.items()}


def _given(kind: Any, args: tuple[Any, ...]) -> dict[Any, Any]:
    """Return what each type parameter of `kind` and its bases stands for."""
    given = dict(zip(getattr(kind, "__parameters__", ()), args, strict=False))
    for base in vars(kind).get("__orig_bases__", ()):
        origin = get_origin(base)
        if origin not in (None, Generic, Protocol):
            given = _given(origin, get_args(_filled(base, given))) | given
    for base in kind.__bases__:
        if base is not object:
            given = _given(base, ()) | given
    return given


def _filled(annotation: Any, given: Mapping[Any, Any]) -> Any:
    if isinstance(annotation, TypeVar):
        return given.get(annotation, Any)
    parameters = getattr(annotation, "__parameters__", ())
    if not parameters or get_origin(annotation) is None:  # none, or a class that has its own
        return annotation
    return annotation[tuple(given.get(one, Any) for one in parameters)]


def bare(annotation: Any) -> Any:
    """Return what `annotation` comes to: no NewType, no alias, nothing said about it."""
    while True:
        origin, args = get_origin(annotation), get_args(annotation)
        if isinstance(annotation, TypeVar):
            return Any
        if hasattr(annotation, "__supertype__"):  # NewType
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":  # Python 3.12, or typing_extensions
            annotation = annotation.__value__
        elif type(origin).__name__ == "TypeAliasType":
            annotation = origin.__value__[args]
        elif hasattr(annotation, "__metadata__") or _name(origin) in _QUALIFIERS:
            annotation = args[0]
        else:
            return annotation


def _name(kind: Any) -> str | None:
    return getattr(kind, "_name", None) or getattr(kind, "__name__", None)


def label_of(annotation: Any) -> str:
    """Return the name of a type without its parameters, the same in every process."""
    if annotation is None or annotation is type(None):
        return "None"
    name = getattr(annotation, "__qualname__", None) or getattr(annotation, "_name", None)
    module = getattr(annotation, "__module__", "builtins")
    if not isinstance(name, str):
        return type(annotation).__qualname__
    return name if module in ("builtins", "typing") else f"{module}.{name}"


def class_named(module: str, name: str) -> Any:
    """Return a class of a library, if somebody imported it: else nothing can be an instance."""
    return getattr(sys.modules.get(module), name, None)
