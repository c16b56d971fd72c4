"""Key templates: `"user:{user_id}"` with the arguments of a call.

Law: pure. A template is checked when it is written, not when it is used. Whatever stands in the
arguments, two calls whose values read differently get different keys: in a value, each character
that the template itself uses to separate, and `:` and `%`, are written as `%XX`.

A value counts by its text, as an f-string would write it: 7 and "7" are one key. A str that reads
None, True or False is escaped, so that a user named "None" is not nobody. What has no plain text
(bytes, a list) counts by its canonical one.
"""

import datetime as dt
import re
import string
import uuid
from collections.abc import Collection, Mapping
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from holdfast.cache.canonical import canonical
from holdfast.errors import ConfigError

__all__ = ["Template"]

_FIELD = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_AS_IN_TEXT = {bool, float, type(None), uuid.UUID, Decimal}
_AS_IN_TEXT |= {dt.date, dt.datetime, dt.time, dt.timedelta}
_WORDS = {"None", "True", "False"}


class Template:
    """A text with `{name}` or `{name.attribute}` in it.

    Args:
        text: The template; `{{` and `}}` are plain braces.
        names: The arguments there are.
        option: Where it was written, for the error.

    Attributes:
        names: The arguments it uses.

    Raises:
        ConfigError: It uses an argument that is not there, or nothing separates two fields.
    """

    def __init__(self, text: str, names: Collection[str], *, option: str) -> None:
        self._where = where = f"{option}={text!r}"
        try:
            parts = list(string.Formatter().parse(text))
        except ValueError as error:
            raise ConfigError(f"{where}: {error}") from error
        self._parts: list[tuple[str, tuple[str, ...]]] = []
        for number, (literal, field, spec, conversion) in enumerate(parts):
            if field is not None and (spec or conversion or _FIELD.fullmatch(field) is None):
                raise ConfigError(f"{where}: write a field as {{name}} or {{name.attribute}}")
            if number and field is not None and literal.isalnum() | (not literal):
                raise ConfigError(f"{where}: put something such as ':' between two fields")
            self._parts.append((literal, tuple(field.split(".")) if field else ()))
        self.names = frozenset(way[0] for _, way in self._parts if way)
        unknown = self.names.difference(names)
        if unknown:
            raise ConfigError(
                f"{where}: no argument {', '.join(sorted(unknown))}; "
                f"there are {', '.join(names) or 'none'}"
            )
        separating = {sign for literal, _ in self._parts for sign in literal if not sign.isalnum()}
        self._escapes = str.maketrans({sign: _escape(sign) for sign in separating | {":", "%"}})

    def fill(self, values: Mapping[str, Any]) -> str:
        """Return the text with the values of a call.

        Raises:
            ConfigError: A value has no stable form, or not that attribute.
        """
        return "".join(
            [literal + self._field(values, way) if way else literal for literal, way in self._parts]
        )

    def _field(self, values: Mapping[str, Any], way: tuple[str, ...]) -> str:
        value = values[way[0]]
        try:
            for attribute in way[1:]:
                value = getattr(value, attribute)
            return self._text(value)
        except (ConfigError, AttributeError) as error:
            raise ConfigError(f"{self._where}, {{{'.'.join(way)}}}: {error}") from error

    def _text(self, value: Any) -> str:
        if type(value) is str:
            text = value.translate(self._escapes)
            return _escape(text[0]) + text[1:] if text in _WORDS else text
        plain = type(value) in _AS_IN_TEXT or isinstance(value, PurePath)
        text = str(value) if plain else canonical(value)
        return text.translate(self._escapes)


def _escape(sign: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sign.encode("utf-8", "surrogatepass"))
