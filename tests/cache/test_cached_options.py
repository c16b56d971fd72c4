"""Every option of a cache is one of a cached function, and wins over that of its cache."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from holdfast.cache import Cache
from holdfast.errors import CreateTimeout
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock

PATIENCE = 60.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["near only", "near and far"])
def cache(request: pytest.FixtureRequest, clock: ManualClock) -> Cache:
    store = None if request.param == "near only" else MemoryStore(clock=clock)
    return Cache(store, clock=clock, ttl=1000, near_ttl=0.001)


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that happens elsewhere."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.005)):
        if holds():
            return
        pause.wait(0.005)
    raise AssertionError


def test_ttl_and_none_ttl(cache: Cache, clock: ManualClock) -> None:
    runs: list[int | None] = []

    @cache.cached(ttl=10, none_ttl=1)
    def f(a: int | None) -> int | None:
        runs.append(a)
        return a

    for moment in (1, None):
        f(moment)
    clock.advance(5)
    for moment in (1, None):
        f(moment)
    assert runs == [1, None, None]


def test_refresh_at(cache: Cache, clock: ManualClock) -> None:
    runs: list[int] = []

    @cache.cached(ttl=100, refresh_at=0.5)
    def f() -> int:
        runs.append(1)
        return len(runs)

    assert f() == 1
    clock.advance(60)
    assert f() == 1
    until(lambda: f() == 2)
    assert len(runs) == 2
    clock.advance(60)
    assert f() == 2


def test_soft_timeout(cache: Cache, clock: ManualClock) -> None:
    runs: list[int] = []
    go = threading.Event()

    @cache.cached(ttl=10, grace=1000, soft_timeout=0.01)
    def f() -> int:
        runs.append(1)
        if len(runs) > 1:
            assert go.wait(PATIENCE)
        return len(runs)

    assert f() == 1
    clock.advance(20)
    assert f() == 1
    go.set()
    until(lambda: f() == 2)


def test_hard_timeout(cache: Cache) -> None:
    go = threading.Event()

    @cache.cached(hard_timeout=0.01)
    def f() -> int:
        assert go.wait(PATIENCE)
        return 1

    with pytest.raises(CreateTimeout):
        f()
    go.set()
    until(lambda: f.peek() == 1)


def test_hard_timeout_of_a_coroutine_function(cache: Cache) -> None:
    async def main() -> None:
        go = asyncio.Event()

        @cache.cached(hard_timeout=0.01)
        async def f() -> int:
            await go.wait()
            return 1

        with pytest.raises(CreateTimeout):
            await f()
        go.set()
        value = None
        while value is None:
            value = await f.peek()
            await asyncio.sleep(0.005)
        assert value == 1

    asyncio.run(main())


def test_retry_after(cache: Cache, clock: ManualClock) -> None:
    runs: list[int] = []

    @cache.cached(ttl=10, grace=1000, retry_after=30)
    def f() -> int:
        runs.append(1)
        if len(runs) > 1:
            raise LookupError
        return 1

    assert f() == 1
    for _ in range(3):
        clock.advance(20)
        assert [f(), f()] == [1, 1]
    assert len(runs) == 3  # at 20 s, at 60 s; at 40 s it was not asked


def test_sliding(cache: Cache, clock: ManualClock) -> None:
    runs: list[int] = []

    @cache.cached(ttl=25, sliding=10)
    def f() -> int:
        runs.append(1)
        return len(runs)

    seen = []
    for _ in range(4):
        seen.append(f())
        clock.advance(8)
    assert seen == [1, 1, 1, 1]  # at 24 s for the last time
    assert f() == 2
    clock.advance(11)
    assert f() == 3


def test_tags_and_jitter(cache: Cache, clock: ManualClock) -> None:
    @cache.cached(ttl=100, jitter=0.5, tags=["all", "one:{a}"])
    def f(a: int) -> int:
        return a

    for number in range(50):
        f(number)
    clock.advance(75)
    alive = [number for number in range(50) if f.peek(number) is not None]
    assert 0 < len(alive) < 50
    cache.invalidate_tags(f"one:{alive[0]}")
    assert f.peek(alive[0]) is None
    cache.invalidate_tags("all")
    assert all(f.peek(number) is None for number in alive)


def test_an_option_that_cannot_be_meant_is_found_when_it_is_written(cache: Cache) -> None:
    with pytest.raises(TypeError, match="unknown option tll"):
        cache.cached(tll=1)  # type: ignore[call-overload]
