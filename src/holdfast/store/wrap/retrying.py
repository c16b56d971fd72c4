"""Retrying: another attempt where a store did not answer, if a second one does no harm.

Law: what is repeated can be done twice: `get`, `get_many`, `put`, `put_many`, `delete`,
`delete_many`, `ping`. `swap`, `increment` and `apply` never are: whoever asked for them must know
what became of them. An answer is honest: a `delete` whose first attempt may have removed the key
does not claim that nothing was there.
"""

import random
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import TypeVar

from holdfast.bridge import LoopWaits, ThreadWaits, Waits, aio_face
from holdfast.clock import Clock, monotonic
from holdfast.durations import Duration, seconds
from holdfast.errors import ConfigError, StoreTimeout, StoreUnavailable
from holdfast.store.protocol import AsyncStore, OpenStore
from holdfast.store.wrap.around import Driven, Steps

__all__ = ["Retrying"]

T = TypeVar("T")
_FIRST_PAUSE = 0.05  # seconds at most before the second attempt; twice as much before each further


class Retrying(Driven):
    """A store that asks again after `StoreUnavailable` or `StoreTimeout`, where that is safe.

    Between attempts it waits, at random, longer each time. `never_waits` is False, even where the
    store inside never waits.

    Args:
        store: The store inside.
        attempts: How many there are at most, the first one included; at least 2.
        within: Seconds after the beginning of the call in which another attempt may begin. A call
            takes at most so long and one `timeout` of the store inside.
        clock: Seconds; only differences count.

    Raises:
        ConfigError: There would be no second attempt.
    """

    def __init__(
        self,
        store: OpenStore,
        *,
        attempts: int = 3,
        within: Duration = 2.0,
        clock: Clock = monotonic,
    ) -> None:
        if attempts < 2:
            raise ConfigError(f"attempts={attempts}: give at least 2, or leave the wrapper out")
        total = seconds(within, option="within")
        if total <= 0:
            raise ConfigError(f"within={within!r}: give more than no time")
        self._patience = _Patience(store.name, attempts, total, clock)
        super().__init__(store)
        self.never_waits = False

    def _over(self, inside: AsyncStore) -> Steps:
        return _Repeated(inside, self._patience, ThreadWaits())

    def _async_face(self) -> AsyncStore:
        return _Repeated(aio_face(self.store), self._patience, LoopWaits())


class _Patience:
    """How often, how long; shared by both faces."""

    def __init__(self, name: str, attempts: int, within: float, clock: Clock) -> None:
        self.name = name
        self.clock = clock
        self.closed = False
        self._attempts = attempts
        self._within = within

    def pauses(self, start: float) -> Iterator[float]:
        """Yield how long to wait before each further attempt of a call that began at `start`."""
        until = start + self._within
        for number in range(self._attempts - 1):
            pause = random.uniform(0.5, 1) * _FIRST_PAUSE * 2**number  # noqa: S311 - no secret
            if self.closed or self.clock() + pause > until:
                return
            yield pause


class _Repeated(Steps):
    """The steps of `Retrying`."""

    def __init__(self, inside: AsyncStore, patience: _Patience, waits: Waits) -> None:
        super().__init__(inside)
        self._patience = patience
        self._waits = waits

    async def _repeat(
        self, work: Callable[[], Coroutine[object, None, T]]
    ) -> tuple[T, Exception | None]:
        """Return what `work` returns, and the last error of the attempts before."""
        failed: Exception | None = None
        pauses = self._patience.pauses(self._patience.clock())
        while True:
            try:
                return await work(), failed
            except (StoreTimeout, StoreUnavailable) as error:
                pause = next(pauses, None)
                if pause is None:
                    raise
                failed = error
            await self._waits.sleep(pause)

    async def get(self, key: str) -> bytes | None:
        return (await self._repeat(lambda: self._inside.get(key)))[0]

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return (await self._repeat(lambda: self._inside.get_many(keys)))[0]

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        await self._repeat(lambda: self._inside.put(key, value, ttl))

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        await self._repeat(lambda: self._inside.put_many(items, ttl))

    async def delete(self, key: str) -> bool:
        there, failed = await self._repeat(lambda: self._inside.delete(key))
        if failed is not None and not there:
            raise self._unsure(f"{key!r} is gone, but whether it was there") from failed
        return there

    async def delete_many(self, keys: Sequence[str]) -> int:
        count, failed = await self._repeat(lambda: self._inside.delete_many(keys))
        if failed is not None and count < len(set(keys)):
            raise self._unsure("the keys are gone, but how many were there") from failed
        return count

    async def ping(self) -> None:
        await self._repeat(self._inside.ping)

    async def close(self) -> None:
        self._patience.closed = True
        await self._inside.close()

    def _unsure(self, what: str) -> StoreTimeout:
        return StoreTimeout(self._patience.name, f"{what} is unknown: an attempt was not answered")
