"""One cache in each of its forms, and both faces behind one set of plain calls.

Law: what a test says through `Scene` it says of threads and of event loops alike. A scene ends with
nothing under way: no flight, no placeholder, no lease.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from holdfast.cache import Cache
from holdfast.store.memory import MemoryStore
from holdfast.store.protocol import OpenStore
from holdfast.testing.clock import ManualClock
from holdfast.testing.faults import FaultyStore

__all__ = [
    "FACES",
    "FOREVER",
    "TIERS",
    "Counter",
    "Scene",
    "Slow",
    "idle",
    "leases",
    "run",
    "scene_of",
    "turns",
    "until",
    "waiting",
]

T = TypeVar("T")
TIERS = ["near only", "near and far", "far only"]
FACES = ["sync", "async"]
FOREVER = 60.0
_PATIENCE = 30.0


class Counter:
    """A creation that returns 1, 2, 3 and so on.

    Attributes:
        runs: How often it ran.
        failure: Raised instead, if there is one.
        says: Called in each run, for what is to be said inside a creation.
    """

    def __init__(self, says: Callable[[], object] = lambda: None) -> None:
        self.runs = 0
        self.failure: Exception | None = None
        self.says = says

    def __call__(self) -> int:
        self.runs += 1
        if self.failure is not None:
            raise self.failure
        self.says()
        return self.runs


class Slow:
    """A creation that ends when it is let go.

    Attributes:
        runs: How often it was started.
        go: Lets it end.
        failure: Raised at the end, if there is one.
    """

    def __init__(self, value: object = "made") -> None:
        self.value = value
        self.runs = 0
        self.go = threading.Event()
        self.failure: BaseException | None = None

    def __call__(self) -> Any:
        self.runs += 1
        assert self.go.wait(30)
        return self._end()

    async def later(self) -> Any:
        """Do the same in an event loop."""
        self.runs += 1
        await turns(self.go.is_set)
        return self._end()

    def _end(self) -> Any:
        if self.failure is not None:
            raise self.failure
        return self.value


class Scene:
    """A store, a clock, and caches over them.

    Args:
        tiers: One of `TIERS`.
        face: One of `FACES`.

    Attributes:
        clock: The time, of the store too.
        store: The far tier; its faults are for the test to make.
        told: What the caches told: names of events.
        events: The same with their fields.
    """

    def __init__(self, tiers: str, face: str) -> None:
        self.tiers = tiers
        self.clock = ManualClock()
        self.store = FaultyStore(MemoryStore(clock=self.clock), clock=self.clock)
        self.events: list[tuple[str, Any]] = []
        self._runner = asyncio.Runner() if face == "async" else None
        self._caches: list[Cache] = []

    @property
    def told(self) -> list[str]:
        return [event for event, _ in self.events]

    def cache(self, store: OpenStore | None = None, **options: Any) -> Cache:
        """Return another cache over the same store and clock."""
        far = None if self.tiers == "near only" else store or self.store
        near = self.tiers != "far only"
        made = Cache(far, near=near, clock=self.clock, observer=self._hear, **options)
        self._caches.append(made)
        return made

    def _hear(self, event: str, fields: Any) -> None:
        self.events.append((event, fields))

    def call(self, cache: Cache, operation: str, *args: Any, **options: Any) -> Any:
        """Return what an operation of `cache` returns, by the face of the scene."""
        if self._runner is None:
            return getattr(cache, operation)(*args, **options)

        async def run() -> Any:
            async with asyncio.timeout(_PATIENCE):
                return await getattr(cache.aio, operation)(*args, **options)

        return self._runner.run(run())

    def settle(self) -> None:
        """Wait until nothing is under way in the background."""

        def settled() -> bool:
            return all(not cache._core.flights._flights for cache in self._caches)

        if self._runner is None:
            until(settled)
        else:
            self._runner.run(turns(settled))

    def end(self) -> None:
        """End it; nothing may be left."""
        if self._runner is not None:
            self._runner.close()
        for cache in self._caches:
            idle(cache)
        assert leases(self.store) == []


def idle(cache: Cache) -> None:
    """Assert that nobody is about to make or to keep anything."""
    until(lambda: not cache._core.flights._flights)
    until(lambda: not cache._core.near._holds)


def leases(store: FaultyStore) -> list[str]:
    """Return the keys of the leases in `store`."""
    inside = store.store
    assert isinstance(inside, MemoryStore)
    return [key for key in inside.scan() if key.partition(":")[0] in ("lv", "lvn")]


@contextmanager
def scene_of(tiers: str, face: str) -> Iterator[Scene]:
    """Give a scene, and end it if the test went well."""
    scene = Scene(tiers, face)
    try:
        yield scene
    except BaseException:
        if scene._runner is not None:
            scene._runner.close()
        raise
    scene.end()


def until(true: Callable[[], bool]) -> None:
    """Wait until it is true."""
    pause = threading.Event()
    for _ in range(int(_PATIENCE * 1000)):
        if true():
            return
        pause.wait(0.001)
    raise AssertionError("it never came true")


async def turns(true: Callable[[], bool]) -> None:
    """Let the loop turn until it is true."""
    async with asyncio.timeout(_PATIENCE):
        while not true():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.001)


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    """Run `main` in a loop of its own, but not for ever."""

    async def limited() -> Any:
        async with asyncio.timeout(30):
            return await main()

    return asyncio.run(limited())


def waiting(cache: Cache) -> int:
    flight = cache._core.flights._flights.get("k")
    return len(flight._callbacks) + len(flight._looking) if flight is not None else 0
