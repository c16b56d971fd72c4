"""`cache.aio`: the async face of a cache.

Law: the names and sentences of `Cache`, awaited. What does no I/O stays plain.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar, Unpack, overload

from holdfast.cache.counts import Stats
from holdfast.cache.creation import NOTHING
from holdfast.cache.engine import Engine
from holdfast.cache.face import Face
from holdfast.cache.policy import Options

__all__ = ["AsyncCache"]

T = TypeVar("T")
D = TypeVar("D")


class AsyncCache(Face):
    """A `Cache` for event loops; get it as `cache.aio`."""

    @overload
    async def get(self, key: str) -> Any: ...
    @overload
    async def get(self, key: str, default: D) -> Any | D: ...
    async def get(self, key: str, default: Any = None) -> Any:
        """See `Cache.get`."""
        value = self._near(key)
        if value is NOTHING:
            value = await self._engine.get(self._space.item(key), self._policy)
        return default if value is NOTHING else value

    async def put(self, key: str, value: Any, **options: Unpack[Options]) -> None:
        """See `Cache.put`."""
        policy = self._policy.but(options)
        await self._engine.put(self._space.item(key, policy.tags), value, policy)

    async def delete(self, key: str) -> bool:
        """See `Cache.delete`."""
        return await self._engine.delete_many([self._space.item(key)]) > 0

    async def contains(self, key: str) -> bool:
        """Return whether `key` has a fresh value; `in` cannot be awaited."""
        return await self.get(key, NOTHING) is not NOTHING

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """See `Cache.get_many`."""
        items = [self._space.item(key) for key in dict.fromkeys(keys)]
        return await self._engine.get_many(items, self._policy)

    async def put_many(self, values: Mapping[str, Any], **options: Unpack[Options]) -> None:
        """See `Cache.put_many`."""
        policy = self._policy.but(options)
        items = {self._space.item(key, policy.tags): value for key, value in values.items()}
        await self._engine.put_many(items, policy)

    async def delete_many(self, keys: Iterable[str]) -> int:
        """See `Cache.delete_many`."""
        items = [self._space.item(key) for key in dict.fromkeys(keys)]
        return await self._engine.delete_many(items) if items else 0

    @overload
    async def get_or_create(
        self, key: str, create: Callable[[], Awaitable[T]], **options: Unpack[Options]
    ) -> T: ...
    @overload
    async def get_or_create(
        self, key: str, create: Callable[[], T], **options: Unpack[Options]
    ) -> T: ...
    async def get_or_create(
        self, key: str, create: Callable[[], Any], **options: Unpack[Options]
    ) -> Any:
        """See `Cache.get_or_create`; `create` may be a coroutine function or a plain one."""
        value = self._near(key)
        if value is NOTHING:
            policy = self._policy.but(options)
            item = self._space.item(key, policy.tags)
            value = await self._engine.get_or_create(item, _steps(create), policy)
        return value

    async def get_or_create_many(
        self,
        keys: Iterable[str],
        create: Callable[[list[str]], Awaitable[Mapping[str, T]] | Mapping[str, T]],
        **options: Unpack[Options],
    ) -> dict[str, T]:
        """See `Cache.get_or_create_many`; `create` may be a coroutine function or a plain one."""
        policy = self._policy.but(options)
        items = [self._space.item(key, policy.tags) for key in dict.fromkeys(keys)]

        async def run(missing: list[str]) -> Mapping[str, T]:
            made = create(missing)
            return await made if inspect.isawaitable(made) else made

        return await self._engine.get_or_create_many(items, run, policy)

    async def increment(self, key: str, by: int = 1, **options: Unpack[Options]) -> int:
        """See `Cache.increment`."""
        policy = self._policy.but(options)
        return await self._engine.increment(self._space.item(key, policy.tags), by, policy)

    async def invalidate_tags(self, *tags: str) -> None:
        """See `Cache.invalidate_tags`."""
        await self._engine.invalidate_tags(tags)

    async def clear(self) -> None:
        """See `Cache.clear`."""
        await self._engine.clear(self._space)

    def namespace(self, name: str) -> "AsyncCache":
        """See `Cache.namespace`."""
        return AsyncCache(self._engines, self._space.within(name), self._policy)

    def stats(self) -> Stats:
        """See `Cache.stats`."""
        return self._core.stats()

    @property
    def _engine(self) -> Engine:
        return self._engines.looping()


def _steps(create: Callable[[], Any]) -> Callable[[], Awaitable[Any]]:
    async def run() -> Any:
        value = create()
        return await value if inspect.isawaitable(value) else value

    return run
