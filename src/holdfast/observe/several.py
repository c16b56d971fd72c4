"""Several observers as one.

Law: each is told, in the order given, even if one before it raised; what was raised reaches the
caller (`holdfast.events`), the last of several with those before as its context.
"""

from collections.abc import Mapping
from contextlib import ExitStack

from holdfast.events import Observer

__all__ = ["several"]


def several(*observers: Observer) -> Observer:
    """Return an observer that tells all of `observers`, in this order."""

    def tell(event: str, fields: Mapping[str, object], /) -> None:
        with ExitStack() as telling:
            for observer in reversed(observers):
                telling.callback(observer, event, fields)

    return tell
