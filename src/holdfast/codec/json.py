"""JSON: for values that programs in other languages read.

Law: only what JSON itself has goes through: None, bool, int, finite float, str, list, dict with str
keys. Everything else, a tuple too, is a `CodecError`; nothing is turned into something similar.
Reading is strict: duplicate keys, NaN, lone surrogates, ints beyond 8,192 bits, nesting beyond 255
are refused.
"""

import json
import math
from typing import Any, Never

from holdfast.errors import CodecError

__all__ = ["MAX_BYTES", "MAX_DEPTH", "Json"]

MAX_BYTES = 64 * 1024 * 1024
"""Default limit of an encoded value, in bytes."""

MAX_DEPTH = 255
"""Containers inside containers that are written and read."""

_MAX_BITS = 8192
_MAX_DIGITS = 2500  # more than 8,192 bits have; asked first, because int() of many digits is slow
_PLAIN = frozenset({type(None), bool, int, float, str, list, dict})


class Json:
    """The codec for other languages: UTF-8 without spaces.

    Args:
        max_bytes: Longer encodings are neither written nor read.
    """

    name = "json"

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes

    def encode(self, value: object, /) -> bytes:
        """Return `value` as JSON.

        Raises:
            CodecError: It holds what JSON has not, nests too deep or is too long.
        """
        _check(value)
        try:
            data = _ENCODER.encode(value).encode()
        except (ValueError, RecursionError) as error:
            raise _error(f"cannot be written: {_reason(error)}") from error
        return self._bounded(data)

    def decode(self, data: bytes, /) -> object:
        """Return the value `data` holds.

        Raises:
            CodecError: It is no JSON, or JSON that `encode` would not write.
        """
        try:
            text = self._bounded(data).decode()
            value: object = _DECODER.decode(text)
        except (ValueError, RecursionError) as error:
            raise _error(f"not readable: {_reason(error)}") from error
        if text.count("[") + text.count("{") > MAX_DEPTH:
            _check(value)
        if "\\ud" in text or "\\uD" in text:  # an escape may be half of a character
            self.encode(value)
        return value

    def _bounded(self, data: bytes) -> bytes:
        if len(data) > self.max_bytes:
            raise _error(f"{len(data)} bytes are more than the limit of {self.max_bytes}")
        return data


def _error(message: str) -> CodecError:
    return CodecError(message, codec="json")


def _reason(error: Exception) -> str:
    """Return why, without the value: the interpreter's own message may quote it."""
    if isinstance(error, UnicodeError):
        return "a lone surrogate, or not UTF-8"
    return "nested too deep" if isinstance(error, RecursionError) else str(error)


def _check(value: object) -> None:
    """Raise unless `value` is made of JSON's own types, level by level (so no recursion)."""
    level = [value]
    depth = 0
    while level:
        below: list[object] = []
        for item in level:
            kind = type(item)
            if depth == MAX_DEPTH and kind in (list, dict):
                raise _error(f"nested deeper than {MAX_DEPTH} containers")
            if kind not in _PLAIN:
                raise _error(
                    f"JSON has no {kind.__module__}.{kind.__qualname__}; use the msgpack codec"
                )
            if kind is list:
                below += item  # type: ignore[arg-type]
            elif kind is dict:
                _check_names(item)  # type: ignore[arg-type]
                below += item.values()  # type: ignore[attr-defined]
            elif kind is int and item.bit_length() > _MAX_BITS:  # type: ignore[attr-defined]
                raise _error(f"an int of more than {_MAX_BITS} bits")
        level = below
        depth += 1


def _check_names(names: dict[Any, Any]) -> None:
    for name in names:
        if type(name) is not str:
            raise _error(f"JSON has only str keys, not {type(name).__qualname__}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) != len(pairs):
        raise ValueError("a key stands there twice")
    return built


def _int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS or (value := int(digits)).bit_length() > _MAX_BITS:
        raise ValueError(f"an int of more than {_MAX_BITS} bits")
    return value


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number beyond what a float holds")
    return value


def _constant(name: str) -> Never:
    raise ValueError(f"{name} is no JSON")


_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
)
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_int, parse_float=_float, parse_constant=_constant
)
