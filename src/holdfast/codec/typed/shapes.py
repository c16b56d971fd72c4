"""Shapes: how values of one kind become plain, and what plain values become again.

Law: a shape that translates refuses what it would not give back: it never guesses and never drops
anything. None passes every shape, because a function that forgot `| None` still means None.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Never

from holdfast.errors import CodecError

__all__ = ["Choice", "Constant", "Either", "Fixed", "Many", "Pairs", "Shape", "Text", "refuse"]


class Shape:
    """Values that every codec takes as they are; what translates is a subclass.

    Args:
        label: The type's name, with its parameters; the same in every process.
        parts: The shapes its label names.

    Attributes:
        as_is: Whether nothing is translated.
        hashable: Whether what `plain` returns can be a key.
    """

    as_is = True
    hashable = True

    def __init__(self, label: str, parts: Iterable["Shape"] = ()) -> None:
        self.label = label
        self.parts = tuple(parts)

    def structure(self) -> str:
        """Return what a fingerprint must know besides the label; empty for nothing."""
        return ""

    def fits(self, value: object) -> bool:
        """Return whether a union may take `value` for one of this shape."""
        raise NotImplementedError  # asked only of those that translate

    def plain(self, value: Any) -> Any:
        """Return `value` as a codec can write it."""
        return value

    def typed(self, plain: Any) -> Any:
        """Return what `plain` was made from."""
        return plain

    def reachable(self) -> Iterator["Shape"]:
        """Yield this shape and all that it is made of, each once."""
        seen: dict[int, Shape] = {}
        waiting: list[Shape] = [self]
        while waiting:
            shape = waiting.pop()
            if id(shape) not in seen:
                seen[id(shape)] = shape
                waiting += shape.parts
        yield from seen.values()


def refuse(value: object, label: str) -> None:
    """Return None for None; whatever else stands where the annotation says `label` is an error."""
    if value is not None:
        kind = type(value)
        raise CodecError(
            f"a {kind.__module__}.{kind.__qualname__} where the annotation says {label}: it would "
            f"come back as something else; annotate exactly what is returned, or a union of it"
        )


def _misread(label: str) -> Never:
    raise CodecError(f"what was read is no {label}")


class Choice(Shape):
    """Members of an enum, by name; of a flag, by value, because flags combine."""

    as_is = False

    def __init__(self, label: str, kind: type[enum.Enum]) -> None:
        super().__init__(label)
        self._kind = kind
        self._members = dict(kind.__members__)
        self._by_value = issubclass(kind, enum.Flag)

    def structure(self) -> str:
        if self._by_value:
            values = sorted((name, one.value) for name, one in self._members.items())
            return f"flag {self.label} {values}"
        return f"enum {self.label} {sorted(self._members)}"

    def fits(self, value: object) -> bool:
        return type(value) is self._kind

    def plain(self, value: Any) -> Any:
        if type(value) is not self._kind:
            return refuse(value, self.label)
        if self._by_value:
            return value.value
        name = value._name_  # `name` may be a member
        if self._members.get(name) is not value:
            raise CodecError(f"{name} of {self.label} is no member that its name leads back to")
        return name

    def typed(self, plain: Any) -> Any:
        if plain is None:
            return None
        if self._by_value:
            return self._kind(plain) if type(plain) is int else _misread(self.label)
        return self._members[plain]


class Constant(Shape):
    """The only value of its type, such as `msgspec.UNSET`."""

    as_is = False

    def __init__(self, label: str, value: object) -> None:
        super().__init__(label)
        self._value = value

    def fits(self, value: object) -> bool:
        return value is self._value

    def plain(self, value: Any) -> Any:
        return self.label if value is self._value else refuse(value, self.label)

    def typed(self, plain: Any) -> Any:
        if plain is None:
            return None
        return self._value if plain == self.label else _misread(self.label)


class Text(Shape):
    """Values that their own text leads back to, such as paths and addresses."""

    as_is = False

    def __init__(self, label: str, kind: Any, exact: type) -> None:
        super().__init__(label)
        self._kind = kind
        self._exact = exact

    def fits(self, value: object) -> bool:
        return type(value) is self._exact

    def plain(self, value: Any) -> Any:
        if type(value) is not self._exact:
            return refuse(value, self.label)
        text = str(value)
        if self._kind(text) != value:
            raise CodecError(f"the text of a {self.label} does not lead back to it")
        return text

    def typed(self, plain: Any) -> Any:
        if plain is None:
            return None
        return self._kind(plain) if type(plain) is str else _misread(self.label)


class Many(Shape):
    """A list, tuple, set or frozenset of one shape; which of them is kept."""

    as_is = False
    hashable = False

    def __init__(self, label: str, item: Shape, kinds: Iterable[type]) -> None:
        super().__init__(label, [item])
        self._item = item
        self._kinds = frozenset(kinds)

    def fits(self, value: object) -> bool:
        return type(value) in self._kinds

    def plain(self, value: Any) -> Any:
        kind = type(value)
        if kind not in _MANY:
            return refuse(value, self.label)
        parts = [self._item.plain(item) for item in value]
        if kind is list:
            return parts
        if kind is tuple or self._item.hashable:
            return kind(parts)
        return {kind.__name__: parts}

    def typed(self, plain: Any) -> Any:
        kind: Any = type(plain)
        if kind is dict:
            if self._item.hashable:
                _misread(self.label)
            [(name, plain)] = plain.items()
            kind = _SETS[name]
        elif kind not in _MANY:
            return None if plain is None else _misread(self.label)
        parts = [self._item.typed(item) for item in plain]
        built = parts if kind is list else kind(parts)
        return built if len(built) == len(parts) else _misread(self.label)


_SETS: Mapping[str, type] = {"set": set, "frozenset": frozenset}
_MANY = frozenset({list, tuple, set, frozenset})


class Fixed(Shape):
    """A tuple with a shape for each place."""

    as_is = False

    def __init__(self, label: str, places: Iterable[Shape]) -> None:
        super().__init__(label, places)
        self.hashable = all(place.hashable for place in self.parts)

    def fits(self, value: object) -> bool:
        return type(value) is tuple and len(value) == len(self.parts)

    def plain(self, value: Any) -> Any:
        if not self.fits(value):
            return refuse(value, self.label)
        return tuple([place.plain(one) for place, one in zip(self.parts, value, strict=True)])

    def typed(self, plain: Any) -> Any:
        if type(plain) is not tuple:
            return None if plain is None else _misread(self.label)
        return tuple([place.typed(one) for place, one in zip(self.parts, plain, strict=True)])


class Pairs(Shape):
    """A dict with one shape of keys and one of values."""

    as_is = False
    hashable = False

    def __init__(self, label: str, key: Shape, item: Shape) -> None:
        super().__init__(label, [key, item])
        self._key = key
        self._item = item

    def fits(self, value: object) -> bool:
        return type(value) is dict

    def plain(self, value: Any) -> Any:
        if type(value) is not dict:
            return refuse(value, self.label)
        key, item = self._key.plain, self._item.plain
        if self._key.hashable:
            return {key(name): item(one) for name, one in value.items()}
        return [[key(name), item(one)] for name, one in value.items()]

    def typed(self, plain: Any) -> Any:
        if type(plain) is not (dict if self._key.hashable else list):
            return None if plain is None else _misread(self.label)
        pairs: Iterable[Any] = plain.items() if self._key.hashable else plain  # type: ignore[union-attr]
        built = {self._key.typed(name): self._item.typed(one) for name, one in pairs}
        return built if len(built) == len(plain) else _misread(self.label)


class Either(Shape):
    """A union: who must be translated is told apart by a tag, unless there is but one and None.

    Among values that need no translation only lists are tagged, because a tagged value is a list.
    """

    as_is = False

    def __init__(self, label: str, members: Iterable[Shape]) -> None:
        super().__init__(label, members)
        self._told = {member.label: member for member in self.parts if not member.as_is}
        plainly = {member.label for member in self.parts if member.as_is}
        self._only = next(iter(self._told.values())) if len(self._told) == 1 else None
        if not plainly <= {"None"}:
            self._only = None
        self._open = bool(plainly - {"None"})
        self.hashable = self._only is not None and self._only.hashable

    def fits(self, value: object) -> bool:
        return any(member.fits(value) for member in self._told.values())

    def plain(self, value: Any) -> Any:
        if value is None:
            return None
        if self._only is not None:
            return self._only.plain(value)
        failure = None
        for label, member in self._told.items():
            if member.fits(value):
                try:
                    return [label, member.plain(value)]
                except CodecError as error:  # list[A] | list[B]: perhaps the next one
                    failure = error
        if not self._open:
            if failure is not None:
                raise failure
            refuse(value, self.label)
        return ["", value] if type(value) is list else value

    def typed(self, plain: Any) -> Any:
        if plain is None:
            return None
        if self._only is not None:
            return self._only.typed(plain)
        if type(plain) is not list:
            return plain if self._open else _misread(self.label)
        label, value = plain
        return value if self._open and not label else self._told[label].typed(value)
