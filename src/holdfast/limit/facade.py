"""`Limiter`: what users of rate limits see.

Law: signatures, docstrings, the fast path and what happens when the store is down. What is decided
stands in `bucket.py`, what is done first in `engine.py`.
"""

import functools
from collections.abc import Awaitable
from typing import Literal, Protocol, TypeVar

from holdfast.bridge import Blocking, LoopWaits, ThreadWaits, aio_face, drive, in_thread
from holdfast.clock import Clock, monotonic, wall
from holdfast.errors import ConfigError, StoreError
from holdfast.events import Observer, silent
from holdfast.keys import prefix_of
from holdfast.limit.decision import Decision
from holdfast.limit.engine import Engine
from holdfast.limit.outage import Outage
from holdfast.limit.target import Targets
from holdfast.locks import Turns
from holdfast.store.abilities import CanApply, Change
from holdfast.store.protocol import AsyncStore, Store
from holdfast.store.registry import open_store

__all__ = ["AsyncLimiter", "Limiter"]

T = TypeVar("T")


class _Apply(Protocol):
    def __call__(self, key: str, change: Change[T]) -> T: ...


class _AsyncApply(Protocol):
    def __call__(self, key: str, change: Change[T]) -> Awaitable[T]: ...


class Limiter:
    """Counts hits against rates, in one store for all threads, processes and hosts.

    Args:
        store: A URL (see `open_store`) or a store. On `null://` every hit is allowed.
        algorithm: `"gcra"`: a key may spend its whole limit at once, and gets it back steadily.
        on_error: What a hit comes to when the store is down: `"allow"` or `"deny"`.
        clock: UTC seconds; hosts that share a store must agree on it to within some seconds.
        prefix: What stands before all keys in the store: `prefix:l:gcra:5/60s:key`.
        observer: Told `limit.store_error` when the store is down.

    Attributes:
        aio: The async face of this limiter, with the same names.
        store: The store.

    Raises:
        ConfigError: An option is wrong.
    """

    def __init__(
        self,
        store: str | Store,
        *,
        algorithm: Literal["gcra"] = "gcra",
        on_error: Literal["allow", "deny"] = "allow",
        clock: Clock = wall,
        prefix: str = "",
        observer: Observer = silent,
    ) -> None:
        if algorithm != "gcra":
            raise ConfigError(f"algorithm={algorithm!r}: this version has 'gcra'")
        self.store: Store = open_store(store) if isinstance(store, str) else store
        if not isinstance(self.store, Store):
            raise ConfigError(f"store={store!r}: give a URL such as 'sqlite:///app.db', or a store")
        self._name = str(getattr(self.store, "name", type(self.store).__name__))
        self._targets = Targets(algorithm, prefix_of(prefix), clock)
        self._outage = Outage(on_error, self._name, observer)
        self._turns = Turns()
        self._apply = self._thread_apply()

    @functools.cached_property
    def aio(self) -> "AsyncLimiter":
        """The async face of this limiter."""
        return AsyncLimiter(aio_face(self.store), self._loop_apply(), self._targets, self._outage)

    @property
    def errors(self) -> int:
        """How many times `on_error` had to decide, in this process."""
        return self._outage.count

    def hit(self, key: str, rates: str, *, cost: int = 1) -> Decision:
        """Charge `cost` to `key` in all `rates` if it fits into all of them, else in none.

        Args:
            key: Who or what is limited, any text: `"login:203.0.113.9"`.
            rates: `"5/minute; 100/hour"`. Other rates or another algorithm count by themselves.
            cost: How much this hit weighs; 0 is always allowed and writes nothing.

        Raises:
            TypeError: `key` is no text.
            ValueError: `cost` is negative, or above a limit, so that it could never be allowed.
            ConfigError: `rates` is no rate.
        """
        try:
            where, change, bucket = self._targets[key, rates]
        except TypeError:  # which costs nobody else a call
            where, change, bucket = self._targets.of(key, rates)
        if cost != 1:
            change = self._targets.hit(bucket, cost)
        try:
            return self._apply(where, change)
        except StoreError as error:
            return self._outage.decide(bucket, error)

    def peek(self, key: str, rates: str, *, cost: int = 1) -> Decision:
        """Return what `hit` would say now, and what remains, without charging or writing.

        Args:
            key: As given to `hit`.
            rates: As given to `hit`.
            cost: As given to `hit`.

        Raises:
            ValueError: As `hit`.
            ConfigError: As `hit`.
        """
        where, _, bucket = self._targets.of(key, rates)
        look = self._targets.look(bucket, cost)
        try:
            return look(self.store.get(where))
        except StoreError as error:
            return self._outage.decide(bucket, error)

    def refund(self, key: str, rates: str, *, cost: int = 1) -> Decision:
        """Give `cost` back, as for a hit that should not have counted; never more than the limit.

        Args:
            key: As given to `hit`.
            rates: As given to `hit`.
            cost: How much to give back.

        Returns:
            How things stand afterwards.

        Raises:
            ValueError: As `hit`.
            ConfigError: As `hit`.
        """
        where, _, bucket = self._targets.of(key, rates)
        try:
            return self._apply(where, self._targets.refund(bucket, cost))
        except StoreError as error:
            return self._outage.decide(bucket, error)

    def reset(self, key: str, rates: str) -> bool:
        """Forget what `key` has used of `rates`; return whether there was anything.

        Args:
            key: As given to `hit`.
            rates: As given to `hit`.

        Raises:
            StoreError: It could not be done: an operator must know, so `on_error` does not apply.
            ConfigError: As `hit`.
        """
        return self.store.delete(self._targets.of(key, rates)[0])

    def _engine(self, *, loop: bool) -> Engine:
        return Engine(
            aio_face(self.store) if loop else Blocking(self.store),
            LoopWaits() if loop else ThreadWaits(),
            turns=self._turns,
            clock=monotonic,
            name=self._name,
        )

    def _thread_apply(self) -> _Apply:
        if isinstance(self.store, CanApply):
            return self.store.apply
        engine = self._engine(loop=False)

        def apply(key: str, change: Change[T]) -> T:
            return drive(engine.apply(key, change))

        return apply

    def _loop_apply(self) -> _AsyncApply:
        store = self.store
        if not isinstance(store, CanApply):
            return self._engine(loop=True).apply
        inline = bool(getattr(store, "never_waits", False))

        async def apply(key: str, change: Change[T]) -> T:
            if inline:
                return store.apply(key, change)
            return await in_thread(store.apply, key, change)

        return apply


class AsyncLimiter:
    """The async face of a `Limiter`: the same names, awaited. Made by `Limiter.aio`."""

    def __init__(
        self, store: AsyncStore, apply: _AsyncApply, targets: Targets, outage: Outage
    ) -> None:
        self._store = store
        self._apply = apply
        self._targets = targets
        self._outage = outage

    async def hit(self, key: str, rates: str, *, cost: int = 1) -> Decision:
        """See `Limiter.hit`."""
        where, change, bucket = self._targets.of(key, rates)
        if cost != 1:
            change = self._targets.hit(bucket, cost)
        try:
            return await self._apply(where, change)
        except StoreError as error:
            return self._outage.decide(bucket, error)

    async def peek(self, key: str, rates: str, *, cost: int = 1) -> Decision:
        """See `Limiter.peek`."""
        where, _, bucket = self._targets.of(key, rates)
        look = self._targets.look(bucket, cost)
        try:
            return look(await self._store.get(where))
        except StoreError as error:
            return self._outage.decide(bucket, error)

    async def refund(self, key: str, rates: str, *, cost: int = 1) -> Decision:
        """See `Limiter.refund`."""
        where, _, bucket = self._targets.of(key, rates)
        try:
            return await self._apply(where, self._targets.refund(bucket, cost))
        except StoreError as error:
            return self._outage.decide(bucket, error)

    async def reset(self, key: str, rates: str) -> bool:
        """See `Limiter.reset`."""
        return await self._store.delete(self._targets.of(key, rates)[0])
