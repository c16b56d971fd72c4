"""Events: how a feature tells the outside what happened.

Law: an observer is told names and handles, never tokens, passwords or values; it must be quick, and
what it raises is its own fault and reaches the caller.
"""

from collections.abc import Callable, Mapping

__all__ = ["Observer", "silent"]

Observer = Callable[[str, Mapping[str, object]], None]
"""Called with the name of the event (`"session.conflict_dropped"`) and its fields."""


def silent(event: str, fields: Mapping[str, object], /) -> None:
    """Observe nothing: the default."""
