"""The async face: the same operations, in a greenlet of the running loop, each with a deadline.

Law: a cancelled call passes its cancellation on; its connection is cut, never used again. The gets
of one turn of the loop leave as one statement.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import ParamSpec, TypeVar

from sqlalchemy.util import greenlet_spawn

from holdfast.errors import StoreTimeout
from holdfast.gather import Gather
from holdfast.keys import check
from holdfast.store.sqlalchemy.operations import Operations, chunks
from holdfast.store.sqlalchemy.statements import CHUNK

__all__ = ["AsyncFace", "InLoop"]

P = ParamSpec("P")
T = TypeVar("T")


class InLoop:
    """The operations of one event loop.

    Args:
        does: The operations, on an engine or a connection of this loop.
    """

    def __init__(self, does: Operations) -> None:
        self.does = does
        self.gets: Gather[str, bytes | None] = Gather(self._get_all, CHUNK)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one of the operations, to its deadline."""
        links = self.does.links
        try:
            async with asyncio.timeout(links.timeout):
                return await greenlet_spawn(functools.partial(work, *args, **kwargs))
        except TimeoutError as error:
            raise StoreTimeout(
                links.name, f"no answer in {links.timeout:g} s; whether it was done is unknown"
            ) from error

    async def _get_all(self, keys: list[str]) -> Sequence[bytes | None]:
        if len(keys) == 1:
            return [await self.run(self.does.get, keys[0])]
        found = await self.run(self.does.get_chunk, list(dict.fromkeys(keys)))
        return [found.get(key) for key in keys]


class AsyncFace:
    """The store for event loops.

    Args:
        here: Returns what belongs to the running loop.
        end: Closes the store.
    """

    def __init__(
        self, here: Callable[[], InLoop], end: Callable[[], Coroutine[object, None, None]]
    ) -> None:
        self._here = here
        self._end = end

    async def get(self, key: str) -> bytes | None:
        here = self._here()
        if here.does.links.joined:
            return await here.run(here.does.get, key)
        return await here.gets.ask(check(key))

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        here = self._here()
        found: dict[str, bytes] = {}
        for chunk in chunks(keys):
            found.update(await here.run(here.does.get_chunk, chunk))
        return found

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        here = self._here()
        await here.run(here.does.put, key, value, ttl)

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        if ttl is not None and ttl <= 0:
            await self.delete_many(list(items))
            return
        here = self._here()
        for chunk in chunks(list(items)):
            await here.run(here.does.put_chunk, [(key, items[key]) for key in chunk], ttl)

    async def delete(self, key: str) -> bool:
        here = self._here()
        return await here.run(here.does.delete, key)

    async def delete_many(self, keys: Sequence[str]) -> int:
        here = self._here()
        return sum([await here.run(here.does.delete_chunk, chunk) for chunk in chunks(keys)])

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        here = self._here()
        return await here.run(here.does.swap, key, old, new, ttl)

    async def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """See `CanIncrement.increment`."""
        here = self._here()
        return await here.run(here.does.increment, key, by, ttl)

    async def ping(self) -> None:
        here = self._here()
        await here.run(here.does.ping)

    async def close(self) -> None:
        await self._end()
