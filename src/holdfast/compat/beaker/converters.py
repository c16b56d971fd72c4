"""Words of configuration files as booleans and lists.

Law: pure; the same words mean the same as in Beaker.
"""

from typing import Any

__all__ = ["asbool", "aslist"]

_MEANING = dict.fromkeys(("true", "yes", "on", "y", "t", "1"), True) | dict.fromkeys(
    ("false", "no", "off", "n", "f", "0"), False
)


def asbool(obj: object) -> bool:
    """Return what a word says, or whether another object is true.

    Raises:
        ValueError: The text is none of the words.
    """
    if not isinstance(obj, str):
        return bool(obj)
    word = obj.strip().lower()
    if word not in _MEANING:
        raise ValueError(f"String is not true/false: {word!r}")
    return _MEANING[word]


def aslist(obj: Any, sep: str | None = None, strip: bool = True) -> Any:
    """Return the parts of a text, a list or tuple as it is, None as an empty list, else a list."""
    if isinstance(obj, str):
        parts = obj.split(sep)
        return [part.strip() for part in parts] if strip else parts
    if isinstance(obj, list | tuple):
        return obj
    return [] if obj is None else [obj]
