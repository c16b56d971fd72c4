"""What runs inside a creation with a timeout, or without: context, exits, recursions."""

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tiers import FOREVER, TIERS, Scene, Slow, run, scene_of, turns, until, waiting

from holdfast.errors import ConfigError


@pytest.fixture(params=TIERS)
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene_of(request.param, "sync") as made:
        yield made


_who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


@pytest.mark.parametrize("timeout", [None, FOREVER])
def test_a_creation_runs_in_the_context_of_who_began_it(
    scene: Scene, timeout: float | None
) -> None:
    cache = scene.cache(hard_timeout=timeout)

    async def later() -> str:
        return _who.get()

    token = _who.set("me")
    try:
        assert cache.get_or_create("k", _who.get) == "me"
        assert run(lambda: cache.aio.get_or_create("l", later)) == "me"
    finally:
        _who.reset(token)


@pytest.mark.parametrize("timeout", [None, FOREVER])
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_who_exits_inside_a_creation_exits(
    scene: Scene, timeout: float | None, kind: type[BaseException]
) -> None:
    cache = scene.cache(hard_timeout=timeout)

    def leave() -> Any:
        raise kind

    with ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(cache.get_or_create, "k", leave).exception(10), kind)
    assert cache.get_or_create("k", lambda: 1) == 1
    for number in range(3):  # nobody who creates in the background was lost
        assert cache.get_or_create(f"k{number}", lambda: 1, hard_timeout=FOREVER) == 1


@pytest.mark.parametrize("timeout", [None, FOREVER])
def test_who_waits_for_one_who_exits_creates_himself(scene: Scene, timeout: float | None) -> None:
    cache, create = scene.cache(hard_timeout=timeout), Slow()
    create.failure = SystemExit()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get_or_create, "k", create)
        until(lambda: create.runs == 1)
        other = pool.submit(cache.get_or_create, "k", lambda: "mine")
        until(lambda: waiting(cache) > (timeout is not None))
        create.go.set()
        assert isinstance(first.exception(30), SystemExit)
        assert other.result(30) == "mine"


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_who_exits_inside_a_creation_ends_the_loop(
    scene: Scene, kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    cache = scene.cache()

    async def leave() -> Any:
        raise kind

    with pytest.raises(kind):
        run(lambda: cache.aio.get_or_create("k", leave))
    assert not caplog.records
    assert cache.get_or_create("k", lambda: 1) == 1


def test_a_creation_that_meets_something_cancelled_is_not_repeated(scene: Scene) -> None:
    cache, runs = scene.cache(), []

    async def create() -> Any:
        runs.append(1)
        other = asyncio.ensure_future(asyncio.sleep(FOREVER))
        other.cancel()
        return await other

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await cache.aio.get_or_create("k", create)

    run(main)
    assert len(runs) == 1
    assert cache.get_or_create("k", lambda: 1) == 1


@pytest.mark.parametrize("timeout", [None, FOREVER])
def test_what_can_be_read_only_once_is_refused(scene: Scene, timeout: float | None) -> None:
    cache = scene.cache(hard_timeout=timeout)

    async def coroutine() -> int:
        return 1

    async def main() -> None:
        with pytest.raises(ConfigError):
            await cache.aio.get_or_create("k", lambda: (number for number in range(3)))

    with pytest.raises(ConfigError):
        cache.get_or_create("k", coroutine)  # type: ignore[unused-coroutine]  # nor can it be awaited
    with pytest.raises(ConfigError):
        cache.get_or_create("k", lambda: (number for number in range(3)))
    run(main)
    assert cache.get("k") is None


# Recursion


@pytest.mark.parametrize("timeout", [None, FOREVER])
def test_a_creation_may_ask_for_its_own_key(scene: Scene, timeout: float | None) -> None:
    cache = scene.cache(hard_timeout=timeout)

    async def outer() -> int:
        return await cache.aio.get_or_create("l", lambda: 41) + 1

    with ThreadPoolExecutor(1) as pool:
        nested = pool.submit(
            cache.get_or_create, "k", lambda: cache.get_or_create("k", lambda: 41) + 1
        )
        assert nested.result(30) == 42
    assert run(lambda: cache.aio.get_or_create("l", outer)) == 42


@pytest.mark.parametrize("timeout", [None, FOREVER])
def test_two_threads_may_ask_crosswise(scene: Scene, timeout: float | None) -> None:
    cache = scene.cache(hard_timeout=timeout)
    together = threading.Barrier(2, timeout=30)

    def ask(name: str, other: str) -> str:
        def outer() -> str:
            together.wait()
            return cache.get_or_create(other, lambda: name)

        return cache.get_or_create(name, outer)

    with ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(ask, "a", "b"), pool.submit(ask, "b", "a")]
        assert {end.result(30) for end in ends} <= {"a", "b"}


@pytest.mark.parametrize("timeout", [None, FOREVER])
@pytest.mark.parametrize("between", [0, 1])
def test_two_tasks_may_ask_crosswise(scene: Scene, timeout: float | None, between: int) -> None:
    """Directly, and each over one more creation."""
    cache = scene.cache(hard_timeout=timeout)

    async def main() -> list[str]:
        together = asyncio.Barrier(2)

        async def ask(name: str, other: str) -> str:
            async def inner() -> str:
                return await cache.aio.get_or_create(other, lambda: name)

            async def outer() -> str:
                await together.wait()
                if between:
                    return await cache.aio.get_or_create(f"{name} to {other}", inner)
                return await inner()

            return await cache.aio.get_or_create(name, outer)

        return list(await asyncio.gather(ask("a", "b"), ask("b", "a")))

    assert set(run(main)) <= {"a", "b"}


def test_a_thread_and_a_task_may_ask_crosswise(scene: Scene) -> None:
    cache = scene.cache()
    together = threading.Barrier(2, timeout=30)

    def by_thread() -> str:
        together.wait()
        return cache.get_or_create("b", lambda: "thread")

    async def by_task() -> str:
        await asyncio.to_thread(together.wait)
        return await cache.aio.get_or_create("a", lambda: "task")

    with ThreadPoolExecutor(1) as pool:
        thread = pool.submit(cache.get_or_create, "a", by_thread)
        assert run(lambda: cache.aio.get_or_create("b", by_task)) in ("thread", "task")
        assert thread.result(30) in ("thread", "task")


def test_a_call_that_blocks_a_loop_does_not_wait_for_what_needs_the_loop(scene: Scene) -> None:
    """A thread makes `a`, and needs `b` for it; a task of the loop makes `b`."""
    cache = scene.cache()
    begun = threading.Event()

    async def main() -> list[str]:
        go = asyncio.Event()

        async def by_task() -> str:
            await go.wait()
            return "task"

        def by_thread() -> str:
            begun.set()
            return cache.get_or_create("b", lambda: "thread")

        task = asyncio.create_task(cache.aio.get_or_create("b", by_task))
        await turns(lambda: "b" in cache._core.flights._flights)
        thread = asyncio.create_task(asyncio.to_thread(cache.get_or_create, "a", by_thread))
        await asyncio.to_thread(begun.wait, 30)
        blocking = cache.get_or_create("a", lambda: "blocking")
        go.set()
        return [await task, blocking, await thread]

    ends: list[list[str]] = []
    thread = threading.Thread(target=lambda: ends.append(run(main)), daemon=True)
    thread.start()
    thread.join(20)
    assert ends, "a deadlock"


def test_creations_with_timeouts_may_be_nested_however_many_there_are(scene: Scene) -> None:
    """Each of them takes a thread, and holds it until the one inside it has ended."""
    callers = 80
    cache = scene.cache(hard_timeout=FOREVER)
    begun = threading.Semaphore(0)
    go = threading.Event()

    def ask(number: int) -> int:
        def outer() -> int:
            begun.release()
            assert go.wait(30)
            return cache.get_or_create(f"inner {number}", lambda: number)

        return cache.get_or_create(f"outer {number}", outer)

    with ThreadPoolExecutor(callers) as pool:
        calls = [pool.submit(ask, number) for number in range(callers)]
        for _ in range(64):
            assert begun.acquire(timeout=30)
        go.set()
        assert [call.result(30) for call in calls] == list(range(callers))
