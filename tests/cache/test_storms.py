"""Loops that stand still, forks and closings in the middle: others go on, nothing stays."""

import asyncio
import contextlib
import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from holdfast.background import _running
from holdfast.cache import Cache
from holdfast.cache.coherence import Coherence
from holdfast.cache.near import Near
from holdfast.errors import StoreUnavailable
from holdfast.events import silent
from holdfast.listening import Listening
from holdfast.locks import Flight
from holdfast.store.memory import MemoryStore
from holdfast.testing.faults import FaultyStore

pytestmark = pytest.mark.slow

PATIENCE = 30.0
STORES = ["near", "memory"]
_left: set["asyncio.Task[Any]"] = set()


@pytest.fixture(params=STORES)
def cache(request: pytest.FixtureRequest) -> Iterator[Cache]:
    with Cache(None if request.param == "near" else "memory://", lease=0.2) as made:
        yield made


@contextlib.contextmanager
def still_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that is run for a while, and closed as it is: with tasks that have not ended."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # the caller's own task is his own affair
    try:
        yield loop
    finally:
        loop.close()
        _left.clear()
        gc.collect()


async def never() -> Any:
    await asyncio.sleep(3600)


async def leave(cache: Cache, key: str) -> None:
    """Begin a creation and go while it is under way."""
    began = asyncio.Event()

    async def create() -> None:
        began.set()
        await never()

    _left.add(asyncio.ensure_future(cache.aio.get_or_create(key, create)))
    await began.wait()


def tasks_of(loop: asyncio.AbstractEventLoop) -> list[object]:
    return [task for task in list(_running) if task.get_loop() is loop]


class TestStillLoops:
    """A creation whose event loop nobody runs any more is nobody's to wait for."""

    @pytest.mark.parametrize("closed", [True, False])
    def test_other_threads_begin_anew(self, cache: Cache, *, closed: bool) -> None:
        with still_loop() as loop, ThreadPoolExecutor() as pool:
            loop.run_until_complete(leave(cache, "k"))
            if closed:
                loop.close()
            future = pool.submit(cache.get_or_create, "k", lambda: "new")
            assert future.result(PATIENCE) == "new"

    def test_other_loops_begin_anew(self, cache: Cache) -> None:
        with still_loop() as loop:
            loop.run_until_complete(leave(cache, "k"))

            async def main() -> Any:
                async with asyncio.timeout(PATIENCE):
                    return await cache.aio.get_or_create("k", lambda: "new")

            assert asyncio.run(main()) == "new"

    @pytest.mark.parametrize("asynchronous", [True, False])
    def test_who_waits_already_begins_anew(self, cache: Cache, *, asynchronous: bool) -> None:
        def ask() -> Any:
            if asynchronous:
                return asyncio.run(cache.aio.get_or_create("k", lambda: "new"))
            return cache.get_or_create("k", lambda: "new")

        async def main() -> Any:
            await leave(cache, "k")
            flight = cache._core.flights._flights["k"]
            future = pool.submit(ask)
            while flight._waiting < 2:  # noqa: ASYNC110 - it is another thread's
                await asyncio.sleep(0.001)
            return future

        with still_loop() as loop, ThreadPoolExecutor() as pool:
            future = loop.run_until_complete(main())
            assert not future.done()
            loop.close()
            assert future.result(PATIENCE) == "new"

    def test_a_loop_that_runs_again_still_lands(self, cache: Cache) -> None:
        made = asyncio.Event()

        async def create() -> str:
            await made.wait()
            return "old"

        async def begin() -> "asyncio.Task[Any]":
            task = asyncio.ensure_future(cache.aio.get_or_create("k", create))
            await asyncio.sleep(0.01)
            return task

        async def end(task: "asyncio.Task[Any]") -> Any:
            made.set()
            return await task

        with still_loop() as loop, ThreadPoolExecutor() as pool:
            task = loop.run_until_complete(begin())
            assert pool.submit(cache.get_or_create, "k", lambda: "new").result(PATIENCE) == "new"
            assert loop.run_until_complete(end(task)) in ("old", "new")
            assert cache.get("k") == "new"
        assert cache._core.flights._flights == {}

    def test_a_refresh_leaves_nothing_where_its_loop_was_closed(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = FaultyStore(MemoryStore())
        store.delay(seconds=1e-9)  # no answer without a turn of the loop
        cache = Cache(store, refresh_at=0.001, ttl=100, near=False)

        async def main() -> None:
            await cache.aio.get_or_create("k", lambda: 1)
            await asyncio.sleep(0.2)
            assert await cache.aio.get_or_create("k", never) == 1
            await asyncio.sleep(0.01)

        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        assert len(tasks_of(loop)) == 1
        asyncio.run(cache.aio.get_or_create("other", lambda: 1))
        gc.collect()
        assert tasks_of(loop) == []
        assert cache._core.flights._flights == {}
        assert cache._core.near._holds == {}
        assert caplog.records == []


class TestGlances:
    """Who flies is looked at only where he might stand still."""

    def test_a_thread_lands_by_itself(self) -> None:
        assert Flight().loop is None
        assert not Flight().is_lost

    def test_a_loop_that_runs_is_not_lost(self) -> None:
        async def main() -> Flight:
            flight = Flight()
            assert not flight.is_lost
            return flight

        assert asyncio.run(main()).is_lost

    def test_they_end_with_the_time(self) -> None:
        flight = Flight()
        began = time.monotonic()
        pauses = list(map(time.sleep, flight.glances(0.05)))
        assert len(pauses) < 50
        assert time.monotonic() - began >= 0.05
        assert not flight.landed


class TestForks:
    """A child has none of the other threads, and nothing they left half-done."""

    def test_what_is_under_way_elsewhere_is_not_held(self) -> None:
        near = Near(10, time.time)
        hold = near.hold("k")
        in_child(lambda: check(near._holds == {} and hold.void))
        assert near._holds == {"k": {hold}}
        assert not hold.void

    def test_what_another_thread_was_changing_is_dropped(self) -> None:
        near = Near(10, time.time)
        near.put("k", 1, times=(9e9, 9e9, 9e9, 9e9))
        cell = near.cells["k"]
        with ThreadPoolExecutor() as pool:
            pool.submit(near._lock.acquire).result()
            in_child(lambda: check(near.cells == {} and cell.until < 0))
            pool.submit(near._lock.release).result()
        assert near.cells == {"k": cell}

    def test_what_nobody_was_changing_stays(self) -> None:
        near = Near(10, time.time)
        near.put("k", 1, times=(9e9, 9e9, 9e9, 9e9))
        in_child(lambda: check(near.cells["k"].value == 1))


def check(condition: bool) -> None:
    assert condition


def in_child(work: Callable[[], object]) -> None:
    """Run `work` in a forked child, and fail where it raises."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


class DeafWay:
    """Reaches no server."""

    name, publishes, speaks = "deaf", True, True

    def connect(self, prefixes: object) -> Any:  # noqa: ARG002
        raise StoreUnavailable("deaf")

    def wrote(self, key: str, value: bytes) -> None:
        """Need not know."""

    def forget(self) -> None:
        """Have nothing to forget."""


class TestClosing:
    """A cache that was closed can be asked: it has no store."""

    def test_the_first_use_may_come_after_the_end(self) -> None:
        bus = Listening(DeafWay())
        cache = Cache("memory://", bus=bus)
        cache.close()
        assert cache.get("k") is None
        assert cache.get_or_create("k", lambda: 1) == 1
        assert asyncio.run(cache.aio.get_or_create("k", lambda: 1)) == 1

    def test_a_bus_of_another_is_still_an_error(self) -> None:
        bus = Listening(DeafWay())
        first, second = (Coherence("", Near(1, time.time), silent, bus) for _ in range(2))
        first.begin()
        with pytest.raises(RuntimeError, match="has a listener already"):
            second.begin()
        bus.close()
        assert "holdfast-bus" not in {thread.name for thread in threading.enumerate()}


class TestLeases:
    """A lease that could not be given back keeps nobody waiting once the store is there again."""

    @pytest.mark.parametrize("asynchronous", [True, False])
    def test_it_is_given_back_as_soon_as_the_store_answers(self, *, asynchronous: bool) -> None:
        store = FaultyStore(MemoryStore())

        def create() -> str:
            store.fail("swap")  # neither the publish nor the release comes through
            return "made"

        with Cache(store, lease=1000) as cache:
            if asynchronous:
                assert asyncio.run(cache.aio.get_or_create("k", create)) == "made"
            else:
                assert cache.get_or_create("k", create) == "made"
            assert store.store.get("lv:k") is not None
            store.mend()
            until = time.monotonic() + PATIENCE
            while store.store.get("lv:k") is not None and time.monotonic() < until:
                cache.get("other")  # it is asked for something, and found well
                time.sleep(0.01)
            assert store.store.get("lv:k") is None
            with Cache(store, lease=1000) as other:
                assert other.get_or_create("k", lambda: "new") == "new"
            assert cache._core.pending.leases == {}

    def test_the_lease_of_another_is_not_taken_from_him(self) -> None:
        store = FaultyStore(MemoryStore())
        with Cache(store, lease=1000) as cache:
            cache._core.pending.owe("lv:k", b"ours, of long ago")
            cache._core.pending.owe("lv:gone", b"it ended by itself")
            store.put("lv:k", b"another's")
            until = time.monotonic() + PATIENCE
            while cache._core.pending.leases and time.monotonic() < until:
                cache.get("other")
                time.sleep(0.01)
            assert cache._core.pending.leases == {}
            assert store.get("lv:k") == b"another's"
