"""Typed values: what an annotation says of a value, so that a codec can write it and give it back.

Law: only classes that no codec knows are translated: what is a value of Python's own goes through
untouched, whatever the annotation says. What comes back equals what went in and has the same type,
or there is a `CodecError`; no constructor, validator or `__post_init__` judges or changes it a
second time, but for a msgspec.Struct, whose fields are put right afterwards. Annotations are read
at the first use, not before.

    dataclass, msgspec.Struct, pydantic model, NamedTuple    a dict of its fields
    TypedDict                                                the dict it is
    Enum, Flag                                               the member's name, the flags' int
    paths, IP addresses, Fraction, pydantic's URLs           their text
    list, tuple, set, frozenset, dict of them                the same container
    a union with more than one of them                       [the type's name, the value]

A set, and the keys of a dict, that would have to hold dicts: `{"set": [...]}`, and `[[key, value],
...]`. None stands for itself everywhere.
"""

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from hashlib import blake2b
from typing import Any

from holdfast.codec.typed.annotated import is_obvious, resolved, resolved_result
from holdfast.codec.typed.reader import Reader
from holdfast.codec.typed.shapes import Shape
from holdfast.errors import CodecError

__all__ = ["Form", "form_of", "form_of_result"]

_MEND = (
    "annotate the result with what it is: a dataclass, msgspec.Struct, pydantic model, TypedDict, "
    "NamedTuple, Enum, or a union or container of them"
)


class Form:
    """What turns the values of one annotation into Python's own types and back.

    Args:
        read: Returns the annotation, its names resolved, and what Self means in it; called once,
            at the first use.
        where: What is annotated, for errors: `shop.load_price`.
    """

    def __init__(self, read: Callable[[], tuple[object, object]], *, where: str) -> None:
        self._read = read
        self.where = where

    @property
    def fingerprint(self) -> bytes:
        """8 bytes that change with the type: its names, its fields, their types, however deep.

        The same in every process. Empty where the annotation names no class that can change.
        """
        return self._known[1]

    @property
    def mend(self) -> str:
        """What to do where a value cannot be written; empty where the annotation is clear."""
        return "; ".join(self._known[2]) or ("" if self.fingerprint else _MEND)

    def plain(self, value: object) -> object:
        """Return `value` as what a codec can write.

        Raises:
            CodecError: It is not what the annotation says, so that it would come back as something
                else: an instance of a subclass, an attribute that is no field.
        """
        return self._told(self._known[0].plain, value)

    def typed(self, plain: object) -> object:
        """Return the value that `plain` stands for.

        Raises:
            CodecError: It is not what `plain` returns for this annotation.
        """
        return self._told(self._known[0].typed, plain)

    @cached_property
    def _known(self) -> tuple[Shape, bytes, list[str]]:
        reader = Reader()
        try:
            shape = reader.read(*self._read())
        except Exception as error:  # noqa: BLE001 - an annotation is code of its own
            return Shape("Any"), b"", [f"its annotation cannot be read at run time: {error}"]
        lines = sorted(filter(None, [one.structure() for one in shape.reachable()]))
        if not lines:
            return shape, b"", reader.notes
        text = "\n".join(["1", shape.label, *lines])
        return shape, blake2b(text.encode(), digest_size=8).digest(), reader.notes

    def _told(self, turn: Callable[[Any], object], value: object) -> object:
        try:
            return turn(value)
        except CodecError as error:
            raise CodecError(f"{self.where}: {error.message}", codec="typed") from error
        except RecursionError as error:
            raise CodecError(f"{self.where}: nested too deep", codec="typed") from error
        except Exception as error:  # properties and enums run code of their own
            raise CodecError(f"{self.where}: {error!r}", codec="typed") from error


def form_of(
    annotation: object, *, where: str, names: Mapping[str, object] | None = None
) -> Form | None:
    """Return the form of values of `annotation`.

    Args:
        annotation: A type, or its text.
        where: What is annotated, for errors.
        names: What the names in a text mean.

    Returns:
        None where it plainly needs no help: Python's own values and containers of them.
    """
    if is_obvious(annotation):
        return None
    return Form(lambda: (resolved(annotation, names or {}), Any), where=where)


def form_of_result(function: Callable[..., Any]) -> Form:
    """Return the form of what `function` returns, or what awaiting it gives."""
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    where = f"{getattr(function, '__module__', '')}.{name}"
    return Form(partial(resolved_result, function), where=where)
