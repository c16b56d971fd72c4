"""The limit sequence for stores that can only `swap`: read, decide, swap.

Law: a swap is repeated only after a refusal that is known, with the clock read anew, so no hit is
charged twice. One caller per key and process swaps at a time; rounds and time are bounded.
"""

import random
from collections.abc import Callable
from typing import TypeVar

from holdfast.bridge import Waits
from holdfast.clock import Clock
from holdfast.errors import StoreUnavailable
from holdfast.locks import Turns
from holdfast.store.protocol import AsyncStore

__all__ = ["Engine"]

T = TypeVar("T")
_ROUNDS = 64
_PATIENCE = 1.0  # seconds: a limit check must not become the slowest part of a request
_PAUSE = 0.002  # seconds: about one round trip


class Engine:
    """The sequence, awaited by event loops and driven by threads.

    Args:
        store: Where the records are.
        waits: How to wait here.
        turns: Who swaps which key in this process; shared by both faces of a limiter.
        clock: Monotonic seconds, for the deadline.
        name: The store's name, for errors.
    """

    def __init__(
        self, store: AsyncStore, waits: Waits, *, turns: Turns, clock: Clock, name: str
    ) -> None:
        self._store = store
        self._waits = waits
        self._turns = turns
        self._clock = clock
        self._name = name

    async def apply(
        self, key: str, change: Callable[[bytes | None], tuple[bytes | None, float | None, T]]
    ) -> T:
        """Do what `CanApply.apply` does, by swaps.

        Raises:
            StoreUnavailable: Too many callers at once; nothing was charged.
            StoreTimeout: The outcome is unknown; it was charged once or not at all.
        """
        until = self._clock() + _PATIENCE
        turn = self._turns.ask(key)
        try:
            if not turn.landed and not await self._waits.join(turn, _PATIENCE):
                raise StoreUnavailable(self._name, f"{key!r} was busy for {_PATIENCE} s")
            return await self._swap(key, change, until)
        finally:
            self._turns.leave(key, turn)

    async def _swap(
        self,
        key: str,
        change: Callable[[bytes | None], tuple[bytes | None, float | None, T]],
        until: float,
    ) -> T:
        for turn in range(_ROUNDS):
            present = await self._store.get(key)
            new, ttl, answer = change(present)
            if new is present or await self._store.swap(key, present, new, ttl):
                return answer
            if self._clock() >= until:
                break
            if turn:  # a first refusal says nothing about the next
                pause = random.random() * _PAUSE * min(turn, 8)  # noqa: S311 - jitter, not secret
                await self._waits.sleep(pause)
        raise StoreUnavailable(self._name, f"{key!r} changed under each of our swaps")
