"""Creations: what a running `create` may say about the value it makes.

Law: `creation()` finds the creation the caller runs in, in threads and tasks alike; of nested ones
the innermost.
"""

import contextlib
import inspect
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

from holdfast.cache.chain import inside
from holdfast.durations import Duration, seconds
from holdfast.errors import ConfigError
from holdfast.locks import Flight

__all__ = ["NOTHING", "Creation", "creation", "lasting", "running"]

NOTHING: Any = object()
"""Stands for a value that is not there, since None is a value."""


class Creation:
    """A running creation, as `holdfast.creation()` hands it out.

    Attributes:
        key: The cache key that is created.
        tags: Tags of the value beside those of the call; append to it.
    """

    def __init__(self, key: str, stale: Any = NOTHING) -> None:
        self.key = key
        self.tags: list[str] = []
        self.skipped = False
        self.seconds: float | None = None
        self._stale = stale

    @property
    def ttl(self) -> float | None:
        """How long the value will be fresh, in seconds; None leaves it to the options."""
        return self.seconds

    @ttl.setter
    def ttl(self, duration: Duration) -> None:
        self.seconds = seconds(duration, option="ttl")

    def tag(self, *tags: str) -> None:
        """Add tags to the value, for `invalidate_tags`."""
        self.tags.extend(tags)

    def skip(self) -> None:
        """Hand the value to the caller, and keep it nowhere."""
        self.skipped = True

    @property
    def has_stale(self) -> bool:
        """Whether there is a stale value that `not_modified` could renew."""
        return self._stale is not NOTHING

    def not_modified(self) -> Any:
        """Return the stale value, to be returned as the new one: it is fresh again.

        Raises:
            ConfigError: There is no stale value; ask `has_stale`.
        """
        if self._stale is NOTHING:
            raise ConfigError("not_modified(): there is no stale value; ask has_stale first")
        return self._stale


_current: ContextVar[Creation | None] = ContextVar("holdfast_creation", default=None)


def creation() -> Creation:
    """Return the creation this code runs in.

    Raises:
        ConfigError: It runs in none.
    """
    now = _current.get()
    if now is None:
        raise ConfigError("creation(): call it inside the function that creates a cached value")
    return now


def lasting(value: Any, key: str) -> Any:
    """Return the value a creation of `key` made, if it can be handed out more than once.

    Raises:
        ConfigError: It is a coroutine, or something else to be awaited, or an iterator.
    """
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        raise ConfigError(
            f"{key!r}: a coroutine can be awaited only once: "
            f"await cache.aio.get_or_create, or decorate an `async def`"
        )
    if isinstance(value, Iterator | AsyncIterator):  # a file, a map() or a cursor is one, too
        raise ConfigError(
            f"{key!r}: a {type(value).__name__} can be read only once: create a list of its items"
        )
    return value


class running(inside):  # noqa: N801 - read as a word
    """Make `now` the creation of whatever runs inside the block, and `flight` its flight."""

    __slots__ = ("_before", "_now")

    def __init__(self, now: Creation, flight: Flight | None) -> None:
        super().__init__(flight)
        self._now = now

    def __enter__(self) -> None:
        super().__enter__()
        self._before = _current.set(self._now)

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ValueError):  # collected as garbage, in another context
            _current.reset(self._before)
        super().__exit__()
