"""Cancelled callers and loops that end: wherever it strikes, nothing is left under way."""

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tiers import TIERS, Scene, idle, leases, scene_of, turns, until

from holdfast import creation
from holdfast.cache import Cache

pytestmark = pytest.mark.slow

TINY = 1e-9


@pytest.fixture(params=TIERS)
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """Whatever the store is asked, its answer needs a turn of the loop on the way, and back."""
    with scene_of(request.param, "sync") as made:
        made.store.delay(seconds=TINY)
        yield made


@pytest.fixture(autouse=True)
def silence(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let no task be destroyed, and no exception be lost."""
    yield
    gc.collect()
    assert caplog.records == []


def markers(scene: Scene) -> list[str]:
    """Return the keys that hold a marker."""
    inside = scene.store.store
    rows = inside.get_many([key for key in inside.scan() if key.startswith("v:")])  # type: ignore[attr-defined]
    return [key for key, raw in rows.items() if raw[:2] == b"\x92\x00"]


def steps_of(start: Callable[[], Any]) -> int:
    """Return how many turns of a loop the coroutine needs that `start` makes."""

    async def main() -> int:
        task = asyncio.ensure_future(start())
        count = 0
        while not task.done():
            count += 1
            await asyncio.sleep(0)
        await task
        return count

    return asyncio.run(main())


async def cancelled_at(start: Callable[[], Any], turn: int) -> None:
    """Cancel after so many turns what `start` makes."""
    task = asyncio.ensure_future(start())
    for _ in range(turn):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def value() -> int:
    await asyncio.sleep(0)
    return 1


def calls(cache: Cache) -> dict[str, Callable[[], Any]]:
    """Return what may be cancelled."""
    aio = cache.aio

    async def tagged() -> int:
        creation().tag("late")
        return 1

    async def many(names: list[str]) -> dict[str, int]:
        await asyncio.sleep(0)
        return dict.fromkeys(names, 1)

    return {
        "create": lambda: aio.get_or_create("k", value),
        "tagged": lambda: aio.get_or_create("k", tagged),
        "timed": lambda: aio.get_or_create("k", value, hard_timeout=30),
        "many": lambda: aio.get_or_create_many(["k", "l", "m"], many),
        "get": lambda: aio.get("k"),
        "put": lambda: aio.put("k", 1),
        "delete": lambda: aio.delete("k"),
    }


NAMES = ["create", "tagged", "timed", "many", "get", "put", "delete"]


@pytest.mark.parametrize("name", NAMES)
def test_cancelled_anywhere(scene: Scene, name: str) -> None:
    count = steps_of(calls(scene.cache(prefix="first"))[name])
    for turn in range(count + 1):
        cache = scene.cache()
        call = calls(cache)[name]

        async def main(cache: Cache = cache, call: Any = call, turn: int = turn) -> None:
            await cancelled_at(call, turn)
            await turns(lambda: not cache._core.flights._flights)
            assert leases(scene.store) == [], turn
            assert markers(scene) == [], turn
            async with asyncio.timeout(30):
                assert await cache.aio.get_or_create("k", value) == 1
            await cache.aio.delete("k")

        asyncio.run(main())
        idle(cache)


@pytest.mark.parametrize("name", NAMES)
def test_the_loop_ends_anywhere(scene: Scene, name: str) -> None:
    count = steps_of(calls(scene.cache(prefix="first"))[name])
    for turn in range(count + 1):
        cache = scene.cache()
        call = calls(cache)[name]

        async def main(call: Any = call, turn: int = turn) -> None:
            task = asyncio.ensure_future(call())
            for _ in range(turn):
                await asyncio.sleep(0)
            assert task is not None

        asyncio.run(main())
        assert not cache._core.flights._flights, turn
        assert not cache._core.near._holds, turn
        assert leases(scene.store) == [], turn
        assert markers(scene) == [], turn
        assert cache.get_or_create("k", lambda: 1) == 1
        cache.delete("k")


def test_a_follower_is_cancelled_anywhere(scene: Scene) -> None:
    for turn in range(8):
        cache = scene.cache()

        async def main(cache: Cache = cache, turn: int = turn) -> None:
            go = asyncio.Event()

            async def create() -> int:
                await go.wait()
                return 1

            first = asyncio.ensure_future(cache.aio.get_or_create("k", create))
            await turns(lambda: "k" in cache._core.flights._flights)
            await cancelled_at(lambda: cache.aio.get_or_create("k", create), turn)
            go.set()
            assert await first == 1
            await cache.aio.delete("k")

        asyncio.run(main())
        idle(cache)


@pytest.mark.parametrize("callers", [2, 5])
def test_all_but_the_last_are_cancelled_anywhere(scene: Scene, callers: int) -> None:
    count = steps_of(calls(scene.cache(prefix="first"))["create"])
    for turn in range(count):
        cache = scene.cache()
        runs: list[int] = []

        async def main(cache: Cache = cache, turn: int = turn, runs: list[int] = runs) -> None:
            async def create() -> int:
                runs.append(1)
                return await value()

            tasks = [
                asyncio.ensure_future(cache.aio.get_or_create("k", create)) for _ in range(callers)
            ]
            for _ in range(turn):
                await asyncio.sleep(0)
            for task in tasks[:-1]:
                task.cancel()
            async with asyncio.timeout(30):
                assert await tasks[-1] == 1
                await asyncio.gather(*tasks, return_exceptions=True)
            assert len(runs) == 1
            await turns(lambda: not cache._core.flights._flights)
            await cache.aio.delete("k")

        asyncio.run(main())
        idle(cache)


def test_cancelled_while_another_process_creates() -> None:
    with scene_of("near and far", "sync") as scene:
        cache = scene.cache()
        scene.store.put("lv:k", b"of another process")

        async def main() -> None:
            callers = [asyncio.ensure_future(cache.aio.get_or_create("k", value)) for _ in range(3)]
            await asyncio.sleep(0.05)
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)
            await turns(lambda: not cache._core.flights._flights)

        asyncio.run(main())
        idle(cache)
        assert leases(scene.store) == ["lv:k"]  # it is not ours
        scene.store.delete("lv:k")


def test_a_loop_that_ends_hands_the_creation_on(scene: Scene) -> None:
    cache = scene.cache()
    begun = threading.Event()

    async def create() -> int:
        begun.set()
        await asyncio.sleep(30)
        return 1

    waiting = threading.Event()

    async def main() -> None:
        task = asyncio.ensure_future(cache.aio.get_or_create("k", create))
        await asyncio.to_thread(waiting.wait, 30)
        assert not task.done()

    with ThreadPoolExecutor(2) as pool:
        loop = pool.submit(asyncio.run, main())
        assert begun.wait(30)
        other = pool.submit(cache.get_or_create, "k", lambda: 2)
        until(lambda: len(cache._core.flights._flights["k"]._callbacks) == 2)
        waiting.set()
        assert other.result(30) == 2
        loop.result(30)


def test_a_loop_that_ends_during_a_refresh_leaves_nothing(scene: Scene) -> None:
    cache = scene.cache(ttl=100, refresh_at=0.5)
    cache.get_or_create("k", lambda: 1)
    scene.clock.advance(60)

    async def create() -> int:
        await asyncio.sleep(30)
        return 2

    async def main() -> None:
        assert await cache.aio.get_or_create("k", create) == 1
        await asyncio.sleep(0)

    asyncio.run(main())
    idle(cache)
    assert cache.get("k") == 1
    scene.clock.advance(10)
    assert cache.get_or_create("k", lambda: 3) == 1
    until(lambda: not cache._core.flights._flights)
    assert cache.get("k") == 3
