"""Reading annotations: which shape the values of a type have.

Law: a class is read once, so that it may contain itself. What nobody here knows passes as it is:
the codec says whether it can write it. A library is never imported: whose classes are annotated is
there already.
"""

import dataclasses
import enum
import types
import typing
from collections import abc
from collections.abc import Callable, Iterable
from typing import Any, get_args, get_origin

from holdfast.codec.typed import annotated, records
from holdfast.codec.typed.shapes import Choice, Constant, Either, Fixed, Many, Pairs, Shape, Text

__all__ = ["MANY", "PAIRS", "Reader", "fields_of_class"]

_SETS = (set, frozenset)
_ALL = (list, tuple, set, frozenset)
MANY: dict[Any, tuple[type, ...]] = {
    list: (list,),
    set: (set,),
    frozenset: (frozenset,),
    abc.Sequence: (list, tuple),
    abc.MutableSequence: (list,),
    abc.Set: _SETS,
    abc.MutableSet: (set,),
    abc.Collection: _ALL,
    abc.Iterable: _ALL,
    abc.Container: _ALL,
    abc.Reversible: (list, tuple),
}
"""Containers of one kind of items, and which values are annotated so."""
PAIRS = (dict, abc.Mapping, abc.MutableMapping)
"""Containers of keys and values."""


class Reader:
    """Reads the annotations that one form is about.

    Attributes:
        notes: Why classes that look as if they could be translated were not.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._records: dict[Any, Shape] = {}
        self._owner: Any = Any

    def read(self, annotation: Any, owner: Any = None) -> Shape:
        """Return the shape of the values of `annotation`, whose names are resolved.

        Args:
            annotation: A type.
            owner: What Self means in it, if not what it meant around it.
        """
        if owner is not None and owner is not self._owner:
            around, self._owner = self._owner, owner
            try:
                return self.read(annotation)
            finally:
                self._owner = around
        annotation = annotated.bare(annotation)
        if annotation is typing.Self:
            annotation = self._owner
        origin, args = get_origin(annotation), get_args(annotation)
        if origin is typing.Literal:
            return self._literal(args)
        if origin in (typing.Union, types.UnionType):
            return self._either(args)
        if args and (origin in MANY or origin in PAIRS or origin is tuple):
            return self._container(origin, args)
        if isinstance(origin or annotation, type):
            return self._class(annotation, origin or annotation, args)
        return Shape(annotated.label_of(origin or annotation))

    def _literal(self, values: tuple[Any, ...]) -> Shape:
        kinds = list(dict.fromkeys(map(type, values)))
        if any(issubclass(kind, enum.Enum) for kind in kinds):
            return self._either(kinds)
        return Shape(f"Literal[{', '.join(sorted(map(repr, values)))}]")

    def _either(self, members: Iterable[Any]) -> Shape:
        shapes = {shape.label: shape for shape in map(self.read, members)}
        parts = [shapes[label] for label in sorted(shapes)]  # Python keeps no order in A | B
        if len(parts) == 1:
            return parts[0]
        label = " | ".join(part.label for part in parts)
        return (Shape if all(part.as_is for part in parts) else Either)(label, parts)

    def _container(self, origin: Any, args: tuple[Any, ...]) -> Shape:
        fixed = origin is tuple and not (len(args) == 2 and args[1] is ...)
        if not fixed and origin not in PAIRS:
            args = args[:1]
        parts = [self.read(one) for one in args]
        after = ", ..." if origin is tuple and not fixed else ""
        name = annotated.label_of(origin).removeprefix("collections.abc.")
        label = f"{name}[{', '.join(part.label for part in parts)}{after}]"
        if all(part.as_is for part in parts):
            return Shape(label, parts)
        if fixed:
            return Fixed(label, parts)
        if origin in PAIRS:
            return Pairs(label, *parts)
        return Many(label, parts[0], MANY.get(origin, (tuple,)))

    def _class(self, annotation: Any, kind: Any, args: tuple[Any, ...]) -> Shape:
        known = self._records.get(annotation)
        if known is None:
            inner = ", ".join(self.read(one).label for one in args)
            label = annotated.label_of(kind) + (f"[{inner}]" if inner else "")
            known = self._records[annotation] = self._made(annotation, args, label)
        return known

    def _made(self, annotation: Any, args: tuple[Any, ...], label: str) -> Shape:
        kind = get_origin(annotation) or annotation
        if issubclass(kind, enum.Enum):
            return Choice(label, kind)
        if kind is annotated.class_named("msgspec", "UnsetType"):
            return Constant(label, kind())
        exact = _exact_of_text(kind)
        if exact is not None:
            return Text(label, kind, exact)
        sort = _sort(kind)
        if sort is None:
            return Shape(label)
        shape = sort.shape(label, kind)
        try:
            sort.check(kind)
            fields = sort.fields(kind, args)
        except Exception as error:  # noqa: BLE001 - annotations are code of their own
            self.notes.append(f"{label} cannot be kept far: {error}")
            return Shape(label)
        self._records[annotation] = shape
        shape.set_fields({name: self.read(one, kind) for name, one in fields.items()})
        return shape


def fields_of_class(kind: type, args: tuple[Any, ...] = ()) -> dict[str, Any] | None:
    """Return the annotations of the fields of a class, resolved; None if it is no such class.

    Args:
        kind: A dataclass, msgspec.Struct, pydantic model, NamedTuple or TypedDict.
        args: What its type parameters stand for.

    Raises:
        NameError: An annotation names what is not there at run time.
        TypeError: Its instances are not made of their fields alone.
    """
    sort = _sort(kind)
    if sort is None:
        return None
    sort.check(kind)
    return sort.fields(kind, args)


@dataclasses.dataclass(frozen=True, slots=True)
class _Sort:
    """One sort of classes with fields: its shape, and how its fields are found."""

    shape: type[records.Record]
    fields: Callable[[Any, tuple[Any, ...]], dict[str, Any]]
    check: Callable[[Any], None] = lambda _: None


# Classes whose text leads back to the value: by module, and by a class above them.
_TEXTS = {
    "ipaddress": ("_IPAddressBase", "IPv4Interface", "IPv6Interface"),
    "pathlib": ("PurePath",),
    "fractions": ("Fraction",),
    "pydantic.networks": ("_BaseUrl", "_BaseMultiHostUrl"),
}


def _exact_of_text(kind: Any) -> type | None:
    """Return the class of the values annotated as `kind` if their text leads back to them."""
    for module, names in _TEXTS.items():
        above = [annotated.class_named(module, name) for name in names]
        if any(one is not None and issubclass(kind, one) for one in above):
            if module == "pathlib" and kind.__module__.startswith(module):
                return type(kind())  # a Path is a PosixPath or a WindowsPath
            if module in (kind.__module__, "pydantic.networks"):
                return kind  # type: ignore[no-any-return]
            # anybody else's subclass may hold more than its text
    return None


def _sort(kind: Any) -> _Sort | None:
    if typing.is_typeddict(kind):
        return _TYPED_DICT
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _NAMED_TUPLE
    model = annotated.class_named("pydantic", "BaseModel")
    if model is not None and issubclass(kind, model) and kind is not model:
        return _MODEL
    struct = annotated.class_named("msgspec", "Struct")
    if struct is not None and issubclass(kind, struct) and kind is not struct:
        return _STRUCT
    return _DATACLASS if dataclasses.is_dataclass(kind) else None


def _by_name(names: Iterable[str], kind: Any, args: tuple[Any, ...]) -> dict[str, Any]:
    hints = annotated.fields_of(kind, args)
    return {name: hints.get(name, Any) for name in names}


def _check_dataclass(kind: Any) -> None:
    if kind.__new__ is not object.__new__:
        raise TypeError("it has a __new__ of its own, or a base that Python makes itself")


def _check_model(kind: Any) -> None:
    if not kind.__pydantic_complete__ and not kind.model_rebuild(raise_errors=True):
        raise TypeError("it names models that are not defined")


_TYPED_DICT = _Sort(records.Keys, annotated.fields_of)
_NAMED_TUPLE = _Sort(records.Tuple, lambda kind, args: _by_name(kind._fields, kind, args))
_STRUCT = _Sort(records.Struct, lambda kind, args: _by_name(kind.__struct_fields__, kind, args))
_MODEL = _Sort(
    records.Model,
    lambda kind, _: {name: field.annotation for name, field in kind.model_fields.items()},
    _check_model,
)
_DATACLASS = _Sort(
    records.Record,
    lambda kind, args: _by_name([one.name for one in dataclasses.fields(kind)], kind, args),
    _check_dataclass,
)
