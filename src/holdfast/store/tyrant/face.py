"""The async face of the Tyrant store: the same steps, over one connection per server and loop.

Law: a task that is cancelled while it changes something is gone at once; behind it the lock is
released, which would stand in the way of others until its lease is over. A change that was not sent
by then is never sent: it must not come after what its caller does next.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

from holdfast.lifetimes import PerLoop, PerProcess
from holdfast.store.tyrant.aio import AsyncTyrantClient
from holdfast.store.tyrant.client import TyrantClient
from holdfast.store.tyrant.leases import Leases
from holdfast.store.tyrant.ring import Ring
from holdfast.store.tyrant.steps import Steps
from holdfast.store.tyrant.way import Settings
from holdfast.store.tyrant.wire import Command

__all__ = ["AsyncTyrantStore", "LoopClients"]

T = TypeVar("T")


class _Asker:
    """Who asked for a change.

    Attributes:
        waits: Whether he waits for it still.
    """

    waits = True


_asker: ContextVar[_Asker] = ContextVar("_asker")


class LoopClients:
    """The clients of one event loop, and the changes that run in it."""

    def __init__(self, settings: Settings) -> None:
        self.clients = [
            AsyncTyrantClient(host, port, timeout=settings.timeout)
            for host, port in settings.servers
        ]
        self._changes: set[asyncio.Task[Any]] = set()

    async def to_its_end(self, steps: Coroutine[Any, Any, T]) -> T:
        """Await `steps`; if whoever awaits them is cancelled, they clear up and end."""
        asker = _Asker()
        before = _asker.set(asker)
        task = asyncio.get_running_loop().create_task(steps)  # which takes its asker along
        _asker.reset(before)
        self._changes.add(task)
        task.add_done_callback(self._over)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            asker.waits = False
            raise

    def _over(self, task: "asyncio.Task[Any]") -> None:
        self._changes.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may be gone: then nobody is left to be told

    async def close(self) -> None:
        """Close the connections; changes that run end, for better or worse."""
        for client in self.clients:
            client.close()
        await asyncio.gather(*self._changes, return_exceptions=True)

    def drop(self) -> None:
        """Let go of the connections from outside, when the loop is over."""
        for client in self.clients:
            client.drop()


class _LoopWay:
    """The way of tasks."""

    def __init__(self, loops: PerLoop[LoopClients]) -> None:
        self._loops = loops

    async def send(
        self,
        server: int,
        commands: Sequence[Command[Any]],
        deadline: float,
        *,
        takes_back: bool = False,
    ) -> list[Any]:
        client = self._loops.here().clients[server]
        return await client.call_all(commands, deadline, takes_back=takes_back)

    def is_wanted(self) -> bool:
        asker = _asker.get(None)
        return asker is None or asker.waits

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def all(self, jobs: Sequence[Coroutine[object, None, T]]) -> list[T]:
        if len(jobs) == 1:
            return [await jobs[0]]
        answers = await asyncio.gather(*jobs, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers  # type: ignore[return-value] # no exception is left among them


class AsyncTyrantStore:
    """`TyrantStore` for event loops.

    Args:
        settings: Those of the store.
        ring: Which server has a key.
        leases: What this process knows of each server's locks.
        clients: Those of the sync face, which closes with this one.
        loops: Those of the loops.
    """

    def __init__(
        self,
        settings: Settings,
        ring: Ring,
        leases: Sequence[Leases],
        clients: PerProcess[list[TyrantClient]],
        loops: PerLoop[LoopClients],
    ) -> None:
        self._name = settings.name
        self._clients, self._loops = clients, loops
        self._steps = Steps(settings, ring, leases, _LoopWay(loops))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"

    async def get(self, key: str) -> bytes | None:
        return await self._steps.get(key)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return await self._steps.get_many(keys)

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        await self._to_its_end(self._steps.put_many({key: value}, ttl))

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        await self._to_its_end(self._steps.put_many(items, ttl))

    async def delete(self, key: str) -> bool:
        return await self._to_its_end(self._steps.delete_many([key])) > 0

    async def delete_many(self, keys: Sequence[str]) -> int:
        return await self._to_its_end(self._steps.delete_many(keys))

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return await self._to_its_end(self._steps.swap(key, old, new, ttl))

    async def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """See `CanIncrement`."""
        return await self._to_its_end(self._steps.increment(key, by, ttl))

    async def ping(self) -> None:
        await self._steps.ping()

    async def close(self) -> None:
        self._clients.close()
        await self._loops.close()

    async def _to_its_end(self, steps: Coroutine[Any, Any, T]) -> T:
        try:
            loop = self._loops.here()
        except BaseException:
            steps.close()
            raise
        return await loop.to_its_end(steps)
