"""One creation per key and process, for threads and tasks together."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from holdfast.cache import Cache
from holdfast.cache.near import Hold
from holdfast.store.memory import MemoryStore

CALLERS = 50


@pytest.fixture(params=["near only", "near and far", "far only"])
def cache(request: pytest.FixtureRequest) -> Cache:
    if request.param == "near only":
        return Cache()
    return Cache(MemoryStore(), near=request.param == "near and far")


class Slow:
    """A creation that ends when enough callers are there, or when it is let go.

    Attributes:
        runs: How often it was started.
    """

    def __init__(self) -> None:
        self.runs = 0
        self.started = threading.Event()
        self.go = threading.Event()

    def __call__(self) -> int:
        self.runs += 1
        self.started.set()
        assert self.go.wait(10)
        return self.runs


def waiting(cache: Cache, key: str) -> int:
    """Return how many wait for the running creation of `key`."""
    flight = cache._core.flights._flights.get(key)
    return len(flight._callbacks) if flight is not None else 0


def until(true: Callable[[], bool]) -> None:
    """Spin until it is true."""
    for _ in range(10_000):
        if true():
            return
        threading.Event().wait(0.001)
    raise AssertionError("it never came true")


async def turns(true: Callable[[], bool]) -> None:
    """Let the loop turn until it is true."""
    while not true():  # noqa: ASYNC110 - what is waited for is how many wait, which tells nobody
        await asyncio.sleep(0)


def test_fifty_threads_create_once(cache: Cache) -> None:
    create = Slow()
    with ThreadPoolExecutor(CALLERS) as pool:
        calls = [pool.submit(cache.get_or_create, "k", create) for _ in range(CALLERS)]
        until(lambda: waiting(cache, "k") == CALLERS - 1)
        create.go.set()
        assert [call.result() for call in calls] == [1] * CALLERS
    assert create.runs == 1


def test_fifty_tasks_create_once(cache: Cache) -> None:
    runs: list[int] = []

    async def create() -> int:
        runs.append(1)
        await turns(lambda: waiting(cache, "k") == CALLERS)  # the first waits for his task, too
        return len(runs)

    async def main() -> list[int]:
        async with asyncio.timeout(10):
            return await asyncio.gather(
                *(cache.aio.get_or_create("k", create) for _ in range(CALLERS))
            )

    assert asyncio.run(main()) == [1] * CALLERS


def test_a_task_waits_for_a_thread(cache: Cache) -> None:
    create = Slow()

    async def main() -> int:
        task = asyncio.create_task(cache.aio.get_or_create("k", create))
        await turns(lambda: bool(waiting(cache, "k")))
        create.go.set()
        async with asyncio.timeout(10):
            return await task

    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(cache.get_or_create, "k", create)
        assert create.started.wait(10)
        assert asyncio.run(main()) == 1
        assert call.result() == 1
    assert create.runs == 1


def test_a_thread_waits_for_a_task(cache: Cache) -> None:
    async def create() -> str:
        await turns(lambda: bool(waiting(cache, "k")))
        return "by the task"

    async def main() -> tuple[str, str]:
        async with asyncio.timeout(10):
            task = asyncio.create_task(cache.aio.get_or_create("k", create))
            await turns(lambda: "k" in cache._core.flights._flights)
            by_thread = await asyncio.to_thread(cache.get_or_create, "k", lambda: "by the thread")
            return await task, by_thread

    assert asyncio.run(main()) == ("by the task", "by the task")


def test_a_creation_outlives_the_task_that_began_it(cache: Cache) -> None:
    runs: list[int] = []
    go = threading.Event()

    async def create() -> int:
        runs.append(len(runs) + 1)
        await turns(go.is_set)
        return runs[-1]

    async def main() -> list[int | BaseException]:
        async with asyncio.timeout(10):
            first = asyncio.create_task(cache.aio.get_or_create("k", create))
            await turns(lambda: bool(runs))
            others = [asyncio.create_task(cache.aio.get_or_create("k", create)) for _ in range(3)]
            await turns(lambda: waiting(cache, "k") == 4)
            first.cancel()
            await turns(first.done)
            go.set()
            return await asyncio.gather(first, *others, return_exceptions=True)

    first, *others = asyncio.run(main())
    assert isinstance(first, asyncio.CancelledError)
    assert others == [1, 1, 1]


def test_a_creation_nobody_waits_for_any_more_is_cancelled(cache: Cache) -> None:
    cancelled: list[bool] = []

    async def create() -> int:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return 1

    async def main() -> int:
        async with asyncio.timeout(10):
            callers = [asyncio.create_task(cache.aio.get_or_create("k", create)) for _ in range(3)]
            await turns(lambda: waiting(cache, "k") == 3)
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)
            await turns(lambda: bool(cancelled))
            return await cache.aio.get_or_create("k", lambda: 2)

    assert asyncio.run(main()) == 2


def test_a_cancelled_waiter_leaves_the_creation_alone(cache: Cache) -> None:
    async def main() -> int:
        go = asyncio.Event()

        async def create() -> int:
            await go.wait()
            return 1

        async with asyncio.timeout(10):
            first = asyncio.create_task(cache.aio.get_or_create("k", create))
            second = asyncio.create_task(cache.aio.get_or_create("k", create))
            await turns(lambda: bool(waiting(cache, "k")))
            second.cancel()
            await asyncio.sleep(0)
            go.set()
            return await first

    assert asyncio.run(main()) == 1


def test_a_failure_reaches_all_who_waited(cache: Cache) -> None:
    create = Slow()

    def fail() -> int:
        create()
        raise LookupError("no such price")

    with ThreadPoolExecutor(5) as pool:
        calls = [pool.submit(cache.get_or_create, "k", fail) for _ in range(5)]
        until(lambda: waiting(cache, "k") == 4)
        create.go.set()
        errors = [call.exception() for call in calls]
    assert all(isinstance(error, LookupError) for error in errors)
    assert create.runs == 1
    assert cache.get_or_create("k", lambda: 2) == 2


def test_a_recursion_over_its_own_key_ends(cache: Cache) -> None:
    def outer() -> int:
        return cache.get_or_create("k", lambda: 41) + 1

    assert cache.get_or_create("k", outer) == 42
    assert cache.get("k") == 41  # the first publish wins


def test_two_creations_that_need_each_other_end(cache: Cache) -> None:
    together = threading.Barrier(2, timeout=10)

    def ask(name: str, other: str) -> str:
        def inner() -> str:
            return cache.get_or_create(name, lambda: name)

        def outer() -> str:
            together.wait()
            return cache.get_or_create(other, inner)

        return cache.get_or_create(name, outer)

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.submit(ask, "a", "b"), pool.submit(ask, "b", "a")
        assert one.result(10) in ("a", "b")
        assert two.result(10) in ("a", "b")


def test_the_thread_of_a_loop_never_waits_for_its_own_task(cache: Cache) -> None:
    async def main() -> tuple[str, str]:
        go, begun = asyncio.Event(), asyncio.Event()

        async def create() -> str:
            begun.set()
            await go.wait()
            return "by the task"

        async with asyncio.timeout(10):
            task = asyncio.create_task(cache.aio.get_or_create("k", create))
            await begun.wait()
            direct = cache.get_or_create("k", lambda: "by the call")
            go.set()
            return await task, direct

    ended: list[tuple[str, str]] = []
    thread = threading.Thread(target=lambda: ended.append(asyncio.run(main())), daemon=True)
    thread.start()
    thread.join(20)
    assert ended == [("by the task", "by the call")]


def test_after_a_delete_nobody_waits_for_what_is_doomed(cache: Cache) -> None:
    create = Slow()
    with ThreadPoolExecutor(2) as pool:
        doomed = pool.submit(cache.get_or_create, "k", create)
        assert create.started.wait(10)
        cache.delete("k")
        try:
            assert pool.submit(cache.get_or_create, "k", lambda: 2).result(5) == 2
        finally:
            create.go.set()
        assert doomed.result() == 1
    assert cache.get("k") == 2


def test_a_put_stays_where_an_older_creation_ends_in_the_midst_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache, create = Cache(), Slow()
    near = cache._core.near
    hold = near.hold
    with ThreadPoolExecutor(1) as pool:
        older = pool.submit(cache.get_or_create, "k", create)
        assert create.started.wait(10)

        def hold_and_let_it_end(key: str) -> Hold:
            made = hold(key)
            create.go.set()
            older.result(10)
            return made

        monkeypatch.setattr(near, "hold", hold_and_let_it_end)
        cache.put("k", "put")
        create.go.set()
        older.result(10)
    monkeypatch.undo()
    assert cache.get("k") == "put"


def test_the_two_faces_share_what_is_near() -> None:
    cache = Cache()
    value = object()
    cache.put("k", value)
    assert asyncio.run(cache.aio.get("k")) is value
    asyncio.run(cache.aio.delete("k"))
    assert cache.get("k") is None
