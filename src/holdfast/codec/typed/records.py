"""Records: instances of classes with named fields, as dicts of those, and made again from them.

Law: what an instance holds is taken and given back field by field. An attribute that is no field
would be lost, so it is a `CodecError`; only what a `cached_property` keeps may go, because it comes
again by itself.
"""

import functools
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from holdfast.codec.typed.shapes import Shape, refuse
from holdfast.errors import CodecError

__all__ = ["Keys", "Model", "Record", "Struct", "Tuple"]


class Record(Shape):
    """Instances of a dataclass.

    Its fields are set by `set_fields` after it was made: a class may have itself in them.

    Args:
        label: The class's name.
        kind: The class; instances of its subclasses are refused.
    """

    as_is = False
    hashable = False
    sort = "dataclass"

    def __init__(self, label: str, kind: Any) -> None:
        super().__init__(label)
        self._kind = kind
        self._names: frozenset[str] = frozenset()
        self._fields: Mapping[str, Shape] = {}
        self._translated: tuple[tuple[str, Shape], ...] = ()
        self._in_dict = False
        self._foreign: Iterable[str] = ()

    def set_fields(self, fields: Mapping[str, Shape]) -> None:
        """Say what the fields are."""
        self.parts = tuple(fields.values())
        self._fields = fields
        self._names = frozenset(fields)
        self._translated = tuple((name, one) for name, one in fields.items() if not one.as_is)
        static = (inspect.getattr_static(self._kind, name, None) for name in fields)
        self._in_dict = not any(hasattr(one, "__set__") for one in static)  # no slot, no property
        slots = {name for base in self._kind.__mro__ for name in _slots(base)}
        self._foreign = slots - self._names - _OWN_SLOTS

    def structure(self) -> str:
        fields = sorted(f"{name}: {shape.label}" for name, shape in self._fields.items())
        return f"{self.sort} {self.label} {fields}"

    def fits(self, value: object) -> bool:
        return type(value) is self._kind

    def plain(self, value: Any) -> Any:
        if type(value) is not self._kind:
            return refuse(value, self.label)
        plain = self._taken(value)
        for name, shape in self._translated:
            plain[name] = shape.plain(plain[name])
        return plain

    def typed(self, plain: Any) -> Any:
        if plain is None:
            return None
        if type(plain) is not dict or not self._is_whole(plain):
            raise CodecError(f"what was read is no {self.label}")
        values = plain.copy()
        for name, shape in self._translated:
            values[name] = shape.typed(values[name])
        return self._built(values)

    def _is_whole(self, plain: dict[str, Any]) -> bool:
        return plain.keys() == self._names

    def _taken(self, value: Any) -> dict[str, Any]:
        if self._in_dict and not self._foreign and value.__dict__.keys() == self._names:
            return dict(value.__dict__)
        self._check(value)
        return {name: getattr(value, name) for name in self._fields}

    def _built(self, values: dict[str, Any]) -> Any:
        built = object.__new__(self._kind)
        if self._in_dict:
            built.__dict__.update(values)
            return built
        for name, value in values.items():
            object.__setattr__(built, name, value)
        return built

    def _check(self, value: Any) -> None:
        """Raise if `value` holds what is no field."""
        held = getattr(value, "__dict__", {}).keys() - self._names
        held |= {name for name in self._foreign if hasattr(value, name)}
        for name in sorted(held):
            if not isinstance(getattr(self._kind, name, None), functools.cached_property):
                raise CodecError(
                    f"a {self.label} holds {name!r}, which is no field and would be lost; "
                    "make it a field(init=False)"
                )


class Struct(Record):
    """Instances of a `msgspec.Struct`."""

    sort = "struct"

    def _built(self, values: dict[str, Any]) -> Any:
        built = self._kind(**values)
        if hasattr(self._kind, "__post_init__"):
            from msgspec.structs import force_setattr  # noqa: PLC0415 - it made this class

            for name, value in values.items():  # __post_init__ ran again: take back what it did
                force_setattr(built, name, value)
        return built


class Model(Record):
    """Instances of a pydantic model, with what pydantic itself keeps when it pickles them."""

    sort = "model"

    def _is_whole(self, plain: dict[str, Any]) -> bool:
        return self._names <= plain.keys() <= self._names | _KEPT

    def _taken(self, value: Any) -> dict[str, Any]:
        if self._foreign or value.__dict__.keys() != self._names:
            self._check(value)
        state = value.__getstate__()
        plain = {name: state["__dict__"][name] for name in self._fields}
        if state[_SET] != self._names:
            plain[_SET] = sorted(state[_SET])
        for name in (_EXTRA, _PRIVATE):  # a RootModel has neither
            if state.get(name) is not None:
                plain[name] = state[name]
        return plain

    def _built(self, values: dict[str, Any]) -> Any:
        state = {
            _SET: set(values.pop(_SET, self._names)),
            _EXTRA: _dict(values.pop(_EXTRA, None)),
            _PRIVATE: _dict(values.pop(_PRIVATE, None)),
            "__dict__": values,
        }
        built = self._kind.__new__(self._kind)
        built.__setstate__(state)
        return built


def _slots(kind: type) -> Iterable[str]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else slots


_SET, _EXTRA = "__pydantic_fields_set__", "__pydantic_extra__"
_PRIVATE = "__pydantic_private__"
_KEPT = frozenset({_SET, _EXTRA, _PRIVATE})
_OWN_SLOTS = _KEPT | {"__dict__", "__weakref__"}


def _dict(kept: object) -> dict[str, Any] | None:
    return None if kept is None else dict(kept)  # type: ignore[call-overload]


class Tuple(Record):
    """Instances of a `NamedTuple`."""

    sort = "named tuple"

    def _taken(self, value: Any) -> dict[str, Any]:
        self._check(value)
        return dict(zip(self._fields, value, strict=True))

    def _built(self, values: dict[str, Any]) -> Any:
        return tuple.__new__(self._kind, [values[name] for name in self._fields])


class Keys(Record):
    """A `TypedDict`: a dict, some of whose keys are known; the rest goes with it untouched."""

    sort = "typed dict"

    def __init__(self, label: str, kind: Any) -> None:
        super().__init__(label, dict)
        self._required: frozenset[str] = kind.__required_keys__

    def fits(self, value: object) -> bool:
        return type(value) is dict and self._required <= value.keys() <= self._names

    def plain(self, value: Any) -> Any:
        if type(value) is not dict:
            return refuse(value, self.label)
        plain = value.copy()
        for name, shape in self._translated:
            if name in plain:
                plain[name] = shape.plain(plain[name])
        return plain

    def typed(self, plain: Any) -> Any:
        if type(plain) is not dict:
            return None if plain is None else refuse(plain, self.label)
        value = plain.copy()
        for name, shape in self._translated:
            if name in value:
                value[name] = shape.typed(value[name])
        return value
