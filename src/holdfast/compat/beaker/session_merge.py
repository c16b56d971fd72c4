"""Two requests that changed one session: what each of them changed is kept.

Law: pure. A change is found by comparing values, so one inside a list or dict counts; deleting a
name is a change; of two changes to one name, that of the later save wins.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["merge", "same"]

_SEEN = "_accessed_time"


def merge(
    mine: Mapping[Any, Any], base: Mapping[Any, Any], now: Mapping[Any, Any]
) -> dict[Any, Any]:
    """Return `now` with what this request changed.

    Args:
        mine: The session as this request wants it.
        base: As this request found it.
        now: As it lies in the store, where others have written since.
    """
    kept = {name: value for name, value in now.items() if name in mine or name not in base}
    changed = {
        name: value
        for name, value in mine.items()
        if name not in base or not same(value, base[name])
    }
    merged = kept | changed
    times = [data[_SEEN] for data in (mine, now) if isinstance(data.get(_SEEN), int | float)]
    if times:
        merged[_SEEN] = max(times)
    return merged


def same(one: object, other: object) -> bool:
    """Return whether two values are equal all the way down, and of the same types."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - an application's own values may raise anything: then they differ
        return False
