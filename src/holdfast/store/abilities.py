"""Abilities: what some stores can do beside the contract.

Law: an ability is asked for once, by `isinstance` on the store when the user's object is made,
never per call; what a feature needs and a store lacks is a `ConfigError` at start.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from holdfast.store.bus import Bus

__all__ = [
    "AsyncCanIncrement",
    "CanApply",
    "CanIncrement",
    "CanPublish",
    "CanScan",
    "CanSweep",
    "CanTellTtl",
    "Change",
    "left",
]

T = TypeVar("T")
_NEVER = float("inf")
Change = Callable[[bytes | None], tuple[bytes | None, float | None, T]]
"""Given the present value, returns what to write (the very same object: nothing; None: remove), its
ttl in seconds, and what the caller wants to know."""


@runtime_checkable
class CanIncrement(Protocol):
    """Counts without a loop."""

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """Add `by` to the decimal ASCII integer under `key` and return the sum, in one atomic step.

        A missing key counts as 0 and is made with `ttl`; on a key that is there the ttl stays.

        Raises:
            StoreUnavailable: What is there is no integer.
        """


@runtime_checkable
class AsyncCanIncrement(Protocol):
    """`CanIncrement` on the async face of a store whose driver speaks to event loops itself."""

    async def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """See `CanIncrement.increment`."""


@runtime_checkable
class CanScan(Protocol):
    """Lists its keys."""

    def scan(self, prefix: str = "") -> Iterator[str]:
        """Yield the live keys that begin with `prefix`, in no order; concurrent writes may show."""


@runtime_checkable
class CanSweep(Protocol):
    """Removes expired rows by itself, because no server does it."""

    def sweep(self) -> int:
        """Remove what is expired, in batches; return how many were removed."""


@runtime_checkable
class CanApply(Protocol):
    """Runs a pure function between reading and writing, without a second round trip."""

    def apply(self, key: str, change: Change[T]) -> T:
        """Read `key`, write what `change` returns, both in one atomic step; return its answer.

        `change` must be pure and quick: a lock is held while it runs. It may run more than once.
        """


@runtime_checkable
class CanTellTtl(Protocol):
    """Knows how long its keys have left: for copies, and for whoever looks after a store."""

    def remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        """Return the seconds each key has left, None for one that stays until it is deleted.

        Missing and expired keys are left out.
        """


def left(ends: Iterable[tuple[str, float]], now: float) -> dict[str, float | None]:
    """Return the answer of `CanTellTtl.remaining`.

    Args:
        ends: Keys, and when they end, in the seconds of `now`; infinity is never.
        now: The time.
    """
    return {key: None if end == _NEVER else end - now for key, end in ends if end > now}


@runtime_checkable
class CanPublish(Protocol):
    """Can tell this process which keys others change."""

    def bus(self, kind: str = "auto") -> Bus:
        """Return a new bus over the store's servers; nothing is connected before its `listen`.

        Closing the store closes it, too. All processes that share keys need the same kind; of the
        same servers, `auto` comes to the same everywhere.

        Args:
            kind: How changes are told. Redis and Valkey: `tracking`, `pubsub`; PostgreSQL:
                `listen`; `auto` is the best the server has.

        Raises:
            ConfigError: No such kind, or not with these servers or this driver.
        """
