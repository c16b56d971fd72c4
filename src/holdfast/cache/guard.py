"""The guard before the far tier: after several failures in a row it is passed by for a while.

Law: an open breaker costs a caller nothing: he is refused at once, and it is the recovery, which
nobody waits for, that asks the store whether it answers again. One success forgets all failures.
"""

import contextlib
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from holdfast.cache.pending import Pending
from holdfast.errors import StoreError, StoreUnavailable
from holdfast.events import Observer
from holdfast.forks import in_each_child
from holdfast.store.protocol import AsyncStore

__all__ = ["Breaker", "Claim", "Guard"]

T = TypeVar("T")
_FAILURES = 3  # one may be a connection that was old; three in a row are the store


class Breaker:
    """Counts failures in a row, for all faces of one cache.

    Args:
        observer: Told when it opens and closes.
        store: The name of the store, for errors.

    Attributes:
        store: The same.
        is_open: Whether the far tier is passed by.
    """

    def __init__(self, observer: Observer, store: str) -> None:
        self._observer = observer
        self.store = store
        self._failures = 0
        self.is_open = False

    def succeeded(self) -> None:
        """Take note that the store answered."""
        self._failures = 0

    def failed(self, error: StoreError) -> bool:
        """Take note that it did not; return whether the breaker is open now."""
        self._failures += 1
        if self._failures >= _FAILURES and not self.is_open:
            self.is_open = True
            self._observer("cache.breaker_open", {"error": error})
        return self.is_open

    def close(self) -> None:
        """Let operations through again."""
        self._failures = 0
        if self.is_open:
            self.is_open = False
            self._observer("cache.breaker_closed", {})


class Guard:
    """A store behind a breaker; whatever goes wrong, somebody is asked to see to its recovery.

    Args:
        store: The far tier.
        breaker: Says whether it may be asked.
        pending: What the store has not heard of.
        recover: Called by whoever finds the breaker open, or something pending; must be quick.
    """

    def __init__(
        self,
        store: AsyncStore,
        breaker: Breaker,
        pending: Pending,
        recover: Callable[[], object],
    ) -> None:
        self.store = store
        self._breaker = breaker
        self._pending = pending
        self._recover = recover

    async def _run(self, operation: Callable[[], Awaitable[T]]) -> T:
        breaker = self._breaker
        if breaker.is_open:
            self._recover()
            raise StoreUnavailable(breaker.store, "failed several times, and is passed by for now")
        try:
            answer = await operation()
        except StoreError as error:
            if breaker.failed(error):
                self._recover()
            raise
        breaker.succeeded()
        if self._pending.waiting or self._pending.leases:
            # left by who gave up, or by the parent of a fork
            self._recover()
        return answer

    async def get(self, key: str) -> bytes | None:
        return await self._run(lambda: self.store.get(key))

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return await self._run(lambda: self.store.get_many(keys))

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        await self._run(lambda: self.store.put(key, value, ttl))

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        await self._run(lambda: self.store.put_many(items, ttl))

    async def delete(self, key: str) -> bool:
        return await self._run(lambda: self.store.delete(key))

    async def delete_many(self, keys: Sequence[str]) -> int:
        return await self._run(lambda: self.store.delete_many(keys))

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return await self._run(lambda: self.store.swap(key, old, new, ttl))

    async def ping(self) -> None:
        """Ask the store itself, whatever the breaker says."""
        await self.store.ping()

    async def close(self) -> None:
        await self.store.close()


class Claim:
    """What at most one of all callers of this process holds at a time; a forked child, nobody."""

    def __init__(self) -> None:
        self._forget()
        in_each_child(self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Return whether it was free, and is the caller's now."""
        return self._lock.acquire(blocking=False)

    def give_back(self) -> None:
        """Let it be taken again; twice is fine."""
        with contextlib.suppress(RuntimeError):
            self._lock.release()
