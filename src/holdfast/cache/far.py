"""The far tier of a cache: a store whose writes are announced, and the stamps in it.

Law: a write is announced to the bus before it is done, and told of after it was done or may have
been. What was absent before is nobody's copy, so that it came to be is told to nobody.
"""

from collections.abc import Mapping, Sequence

from holdfast.cache.coherence import Coherence
from holdfast.cache.guard import Guard
from holdfast.cache.stamps import Stamps
from holdfast.store.protocol import AsyncStore

__all__ = ["Far"]


class Far:
    """The far tier, seen by one kind of engine.

    Args:
        guard: The store behind its breaker.
        prefix: What stands before all keys of the cache.
        coherence: Who is told of writes.

    Attributes:
        store: For values and stamps: announces what it writes.
        quiet: The same store for what is nobody's copy: leases.
        plain: The same store whatever the breaker says.
        stamps: The stamps of tags and namespaces.
    """

    def __init__(self, guard: Guard, prefix: str, coherence: Coherence) -> None:
        self.quiet: AsyncStore = guard
        self.plain = guard.store
        self.store: AsyncStore = guard if coherence.bus is None else Announcing(guard, coherence)
        self.stamps = Stamps(self.store, prefix)


class Announcing:
    """A store that tells a bus what is written to it."""

    def __init__(self, store: AsyncStore, coherence: Coherence) -> None:
        self._store = store
        self._coherence = coherence

    async def get(self, key: str) -> bytes | None:
        return await self._store.get(key)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return await self._store.get_many(keys)

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        await self.put_many({key: value}, ttl)

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        for key, value in items.items():
            self._coherence.wrote(key, value)
        try:
            await self._store.put_many(items, ttl)
        finally:
            self._coherence.publish(list(items))

    async def delete(self, key: str) -> bool:
        try:
            return await self._store.delete(key)
        finally:
            self._coherence.publish([key])

    async def delete_many(self, keys: Sequence[str]) -> int:
        try:
            return await self._store.delete_many(keys)
        finally:
            self._coherence.publish(keys)

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        if new is not None:
            self._coherence.wrote(key, new)
        done = True
        try:
            done = await self._store.swap(key, old, new, ttl)
        finally:
            if done and old is not None:
                self._coherence.publish([key])
        return done

    async def ping(self) -> None:
        await self._store.ping()

    async def close(self) -> None:
        await self._store.close()
