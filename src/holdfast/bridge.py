"""The bridge: the one place where sync meets async.

Law: a sequence is one `async def`. Event loops await it; threads `drive` it over `Blocking`, whose
awaits never suspend. A store that only blocks reaches event loops through `Offload`, in threads.
Whatever needs threads and coroutines at once stands here.
"""

import asyncio
import contextlib
import functools
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor
from types import TracebackType
from typing import ParamSpec, Protocol, Self, TypeVar, cast

from holdfast.background import Background, start_task
from holdfast.locks import Flight
from holdfast.store.abilities import CanIncrement
from holdfast.store.protocol import AsyncStore, Store

__all__ = [
    "Blocking",
    "BlockingStore",
    "LoopWaits",
    "Offload",
    "ThreadWaits",
    "Waits",
    "aio_face",
    "drive",
    "in_thread",
]

T = TypeVar("T")
P = ParamSpec("P")


def drive(steps: Coroutine[object, None, T]) -> T:
    """Run `steps` to its end on the calling thread; it must never suspend.

    Raises:
        RuntimeError: It suspended, so it was not built on a blocking store.
    """
    try:
        steps.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    steps.close()
    raise RuntimeError("a blocking store suspended")


class Blocking:
    """A blocking store as engines see it: its awaits never suspend, so it can be driven."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, key: str) -> bytes | None:
        return self.store.get(key)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return self.store.get_many(keys)

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        self.store.put(key, value, ttl)

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        self.store.put_many(items, ttl)

    async def delete(self, key: str) -> bool:
        return self.store.delete(key)

    async def delete_many(self, keys: Sequence[str]) -> int:
        return self.store.delete_many(keys)

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return self.store.swap(key, old, new, ttl)

    async def ping(self) -> None:
        self.store.ping()

    async def close(self) -> None:
        self.store.close()


class Offload:
    """A blocking store for event loops: each operation runs in a thread.

    A cancelled task does not wait for its thread; whether the operation was done is then unknown.

    Args:
        store: The store; what it can beside the contract of `AsyncStore`, its face can as well.
        pool: Returns the threads; without it they are those of the running loop.
    """

    def __init__(self, store: Store, pool: Callable[[], Executor] | None = None) -> None:
        self.store = store
        self._pool = pool
        if isinstance(store, CanIncrement):
            self.increment = self._increment

    async def get(self, key: str) -> bytes | None:
        return await self._run(self.store.get, key)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return await self._run(self.store.get_many, keys)

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        await self._run(self.store.put, key, value, ttl)

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        await self._run(self.store.put_many, items, ttl)

    async def delete(self, key: str) -> bool:
        return await self._run(self.store.delete, key)

    async def delete_many(self, keys: Sequence[str]) -> int:
        return await self._run(self.store.delete_many, keys)

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return await self._run(self.store.swap, key, old, new, ttl)

    async def ping(self) -> None:
        await self._run(self.store.ping)

    async def close(self) -> None:
        await in_thread(self.store.close)

    async def _increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        return await self._run(cast("CanIncrement", self.store).increment, key, by, ttl)

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        pool = None if self._pool is None else self._pool()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, functools.partial(work, *args, **kwargs))


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` in a thread of the running loop's pool and return what it returns."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, functools.partial(work, *args, **kwargs))


class BlockingStore:
    """What the stores share: their name, their async face and their `with` block.

    A subclass has the nine methods of `Store`.

    Attributes:
        name: What the store is called in errors and logs, without password.
    """

    never_waits = False  # True: neither disk nor network; the async face needs no thread

    def __init__(self, name: str) -> None:
        self.name = name

    @functools.cached_property
    def aio(self) -> AsyncStore:
        """The async face of the same store."""
        return self._async_face()

    def _async_face(self) -> AsyncStore:
        """Make the async face; a store whose driver speaks to event loops itself has its own."""
        store = cast("Store", self)
        return Blocking(store) if self.never_waits else Offload(store)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        cast("Store", self).close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


def aio_face(store: Store) -> AsyncStore:
    """Return the async face of `store`: its own, or threads where it has none."""
    face = getattr(store, "aio", None)
    return face if isinstance(face, AsyncStore) else Offload(store)


class Waits(Protocol):
    """How an engine waits: for time to pass, or for another caller of this process.

    Attributes:
        detaches: Whether a caller may be cancelled, so that what others wait for as well must not
            run inside him.
    """

    detaches: bool

    def now(self) -> float:
        """Return seconds that never go back, for deadlines."""

    def is_cancelled(self) -> bool:
        """Return whether the caller is told to end, and did not just meet something that was."""

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""

    async def join(
        self, flight: Flight, timeout: float | None = None, *, or_looked: bool = False
    ) -> bool:
        """Wait until `flight` has landed, or has looked; return False if `timeout` s went by.

        A flight that is found lost is landed.
        """

    def start(
        self,
        steps: Callable[[], Coroutine[object, None, object]],
        over: Callable[[], object],
        *,
        hurried: bool,
    ) -> Callable[[], object] | None:
        """Run `steps` beside the caller, in his context, and call `over` at their end in any case.

        Args:
            steps: Makes them; they must not raise, but for what ends the program.
            over: Called once, also if they never began.
            hurried: Whether somebody waits for them; if not, and many are under way, they never
                begin.

        Returns:
            What cancels them, from any thread; None if they cannot be cancelled.
        """

    def apart(
        self, steps: Callable[[], Coroutine[object, None, object]], over: Callable[[], object]
    ) -> None:
        """Run `steps` in a thread of their own: they outlive the caller, and his event loop.

        Args:
            steps: Makes them; they must not raise.
            over: Called once, also if they never began.

        Raises:
            RuntimeError: There is no thread for them: the program ends.
        """


_unhurried = Background(4)
_hurried = Background()  # each has a caller who waits, or did until he was served a stale value
_apart = Background(64)  # what sleeps in there keeps nobody else waiting


class ThreadWaits:
    """`Waits` for threads: its awaits block and never suspend."""

    detaches = False

    def now(self) -> float:
        return time.monotonic()

    def is_cancelled(self) -> bool:
        return False

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def join(
        self, flight: Flight, timeout: float | None = None, *, or_looked: bool = False
    ) -> bool:
        landed = threading.Event()
        flight.when_landed(landed.set, or_looked=or_looked)
        if flight.loop is None:
            return landed.wait(timeout)
        return any(landed.wait(pause) for pause in flight.glances(timeout))

    def start(
        self,
        steps: Callable[[], Coroutine[object, None, object]],
        over: Callable[[], object],
        *,
        hurried: bool,
    ) -> None:
        _in_background(_hurried if hurried else _unhurried, lambda: drive(steps()), over)

    def apart(
        self, steps: Callable[[], Coroutine[object, None, object]], over: Callable[[], object]
    ) -> None:
        _in_background(_apart, lambda: drive(steps()), over)


class LoopWaits:
    """`Waits` for event loops."""

    detaches = True

    def now(self) -> float:
        return time.monotonic()

    def is_cancelled(self) -> bool:
        try:
            task = asyncio.current_task()
        except RuntimeError:  # its loop is gone
            return True
        return task is not None and task.cancelling() > 0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def join(
        self, flight: Flight, timeout: float | None = None, *, or_looked: bool = False
    ) -> bool:
        loop = asyncio.get_running_loop()
        landed = loop.create_future()

        def land() -> None:
            if not landed.done():
                landed.set_result(None)

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits any more
                loop.call_soon_threadsafe(land)

        flight.when_landed(tell, or_looked=or_looked)
        if flight.loop is not None and flight.loop is not loop:
            for pause in flight.glances(timeout):
                if (await asyncio.wait([landed], timeout=pause))[0]:
                    return True
            return False
        try:
            async with asyncio.timeout(timeout):
                await landed
        except TimeoutError:
            return flight.looked if or_looked else flight.landed
        return True

    def start(
        self,
        steps: Callable[[], Coroutine[object, None, object]],
        over: Callable[[], object],
        *,
        hurried: bool,  # noqa: ARG002 - tasks cost little
    ) -> Callable[[], object]:
        return start_task(steps, over)

    def apart(
        self, steps: Callable[[], Coroutine[object, None, object]], over: Callable[[], object]
    ) -> None:
        _in_background(_apart, lambda: asyncio.run(steps()), over)


def _in_background(
    threads: Background, work: Callable[[], object], over: Callable[[], object]
) -> None:
    def run() -> None:
        try:
            work()
        except (SystemExit, KeyboardInterrupt):
            pass  # for who waits to raise: it is not for this thread to end
        finally:
            over()

    begun = False
    try:
        begun = threads.run(run)
    finally:
        if not begun:
            over()
