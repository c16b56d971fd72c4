"""The async face of the Redis store.

Law: what tasks ask for in one turn of the loop leaves together. A cancelled task disturbs no other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from holdfast.lifetimes import PerLoop
from holdfast.store.redis.errors import FAULTS, translated
from holdfast.store.redis.operations import Operations
from holdfast.store.redis.streams import Streams

__all__ = ["AsyncRedisStore"]

T = TypeVar("T")


class AsyncRedisStore:
    """See `RedisStore`."""

    def __init__(
        self,
        name: str,
        timeout: float,
        streams: PerLoop[Streams],
        close_rest: Callable[[], Awaitable[None]],
    ) -> None:
        self.name = name
        self._timeout = timeout
        self._streams = streams
        self._close_rest = close_rest

    def _here(self) -> Operations:
        return self._streams.here().operations

    async def _run(self, steps: Awaitable[T]) -> T:
        """Await `steps`, and translate what goes wrong."""
        try:
            return await steps
        except FAULTS as error:
            raise translated(self.name, self._timeout, error) from error

    async def _timely(self, steps: Awaitable[T]) -> T:
        """Await what may take several exchanges, all within one deadline."""
        async with asyncio.timeout(self._timeout):
            return await steps

    async def get(self, key: str) -> bytes | None:
        return await self._run(self._here().get(key))

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return await self._run(self._here().get_many(keys))

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        await self._run(self._here().put(key, value, ttl))

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        await self._run(self._here().put_many(items, ttl))

    async def delete(self, key: str) -> bool:
        return await self._run(self._here().delete(key))

    async def delete_many(self, keys: Sequence[str]) -> int:
        return await self._run(self._here().delete_many(keys))

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return await self._run(self._timely(self._here().swap(key, old, new, ttl)))

    async def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """See `AsyncCanIncrement`."""
        return await self._run(self._timely(self._here().increment(key, by, ttl)))

    async def ping(self) -> None:
        await self._run(self._here().ping())

    async def close(self) -> None:
        """See `AsyncStore.close`; what is the threads' is closed too."""
        await self._close_rest()
        await self._streams.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"
