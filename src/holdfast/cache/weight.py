"""Weights: about how many bytes of memory an entry of the near tier takes.

Law: an estimate, quick and bounded: of what a value holds a sample is weighed, four levels deep,
and the rest is taken to be like it. What a value shares with others is counted for each of them.
"""

import gc
import sys
from collections.abc import Iterable, Sized
from itertools import chain, islice
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

__all__ = ["weigh"]

_ENTRY = 170  # a cell, its times and weight, its places in the tables of the near tier
_LABEL = 100  # the place of an entry under a label
_SAMPLES = (32, 8, 8, 4)  # how many of what a value holds are weighed, at each depth
_FLAT = frozenset({str, bytes, int, float, bool, type(None), complex, range})
_ROWS = frozenset({list, tuple, set, frozenset})
_EVERYBODYS = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)


def weigh(key: str, value: object, labels: Sized = ()) -> int:
    """Return about how many bytes `value` under `key` takes, and what is needed to keep it.

    Args:
        key: The key.
        value: Any object.
        labels: What else may drop it.
    """
    return _ENTRY + sys.getsizeof(key) + len(labels) * _LABEL + _size(value, 0, set())


def _size(value: Any, depth: int, seen: set[int]) -> int:
    size = sys.getsizeof(value)
    if type(value) in _FLAT or depth == len(_SAMPLES):
        return size
    held, count = _held(value)
    sample = _sample(held, _SAMPLES[depth])
    inner = 0
    for part in sample:
        if id(part) not in seen:  # there may be circles
            seen.add(id(part))
            inner += _size(part, depth + 1, seen)
    return size + (inner * count // len(sample) if sample else 0)


def _sample(held: Iterable[Any], most: int) -> list[Any]:
    if isinstance(held, list | tuple):  # the first rows of a table are seldom like the last
        return list(held[:: -(-len(held) // most) or 1])
    return list(islice(held, most))


def _held(value: Any) -> tuple[Iterable[Any], int]:
    """Return what an object holds, and how much that is."""
    if isinstance(value, dict):
        return chain.from_iterable(dict.items(value)), 2 * len(value)
    if type(value) in _ROWS:
        return value, len(value)
    held = [part for part in gc.get_referents(value) if not isinstance(part, _EVERYBODYS)]
    return held, len(held)
