"""What tests ask of cached programs, on both faces."""

import asyncio

import pytest

from holdfast.cache import Cache
from holdfast.store.memory import MemoryStore
from holdfast.testing.caching import assert_cached, assert_not_cached, counting
from holdfast.testing.clock import ManualClock
from holdfast.testing.faults import FaultyStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["near", "far", "both"])
def cache(request: pytest.FixtureRequest, clock: ManualClock) -> Cache:
    if request.param == "near":
        return Cache(clock=clock)
    return Cache(MemoryStore(clock=clock), clock=clock, near=request.param == "both")


def test_a_function(cache: Cache, clock: ManualClock) -> None:
    @cache.cached(ttl=10, grace=10)
    def twice(number: int, *, less: int = 0) -> int:
        return 2 * number - less

    assert_not_cached(twice, 7)
    twice(7)
    assert_cached(twice, 7)
    assert_cached(twice, number=7, less=0)
    assert_not_cached(twice, 7, less=1)
    with pytest.raises(AssertionError, match=r"number=7.* is cached"):
        assert_not_cached(twice, 7)
    with pytest.raises(AssertionError, match=r"number=8.* is not cached"):
        assert_cached(twice, 8)
    twice.invalidate(7)
    assert_not_cached(twice, 7)
    twice(7)
    clock.advance(10)
    assert_not_cached(twice, 7)  # stale


def test_type_checkers_know_the_arguments(cache: Cache) -> None:
    @cache.cached()
    def twice(number: int) -> int:
        return 2 * number

    @cache.cached()
    async def late(number: int) -> int:
        return 2 * number

    assert_not_cached(twice, "7")  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        assert_cached(twice, nubmer=7)  # type: ignore[call-overload]
    looked = assert_not_cached(late, 7)  # which must be awaited
    asyncio.run(looked)


def test_a_cached_none_is_cached(cache: Cache) -> None:
    @cache.cached()
    def nothing() -> None:
        return None

    assert_not_cached(nothing)
    nothing()
    assert_cached(nothing)


def test_a_coroutine_function(cache: Cache) -> None:
    @cache.cached()
    async def nothing(number: int) -> None:  # noqa: ARG001 - it is in the key
        return None

    async def body() -> None:
        await assert_not_cached(nothing, 7)
        await nothing(7)
        await assert_cached(nothing, 7)
        with pytest.raises(AssertionError):
            await assert_cached(nothing, 8)

    asyncio.run(body())


def test_a_method(cache: Cache) -> None:
    class Shop:
        def __cache_key__(self) -> str:
            return "shop"

        @cache.cached()
        def price(self, number: int) -> int:
            return number

    shop = Shop()
    shop.price(7)
    assert_cached(shop.price, 7)
    assert_not_cached(shop.price, 8)


def test_a_cache(cache: Cache) -> None:
    part = cache.namespace("part")
    cache.put("a", None)
    cache.put("b", 1)
    assert_cached(cache, "a", "b")
    assert_not_cached(cache, "c", "d")
    assert_not_cached(part, "a")
    with pytest.raises(AssertionError, match="'c' is not cached"):
        assert_cached(cache, "a", "c")
    with pytest.raises(AssertionError, match="'b' is cached"):
        assert_not_cached(cache, "c", "b")
    with pytest.raises(TypeError, match="which keys"):
        assert_cached(cache)


def test_the_async_face(cache: Cache) -> None:
    async def body() -> None:
        await cache.aio.put("a", None)
        await assert_cached(cache.aio, "a")
        await assert_not_cached(cache.aio, "b")
        with pytest.raises(AssertionError):
            await assert_cached(cache.aio, "a", "b")

    asyncio.run(body())


def test_a_block_counts_what_happens_inside(cache: Cache) -> None:
    @cache.cached(ttl=10)
    def twice(number: int) -> int:
        return 2 * number

    @cache.cached()
    def other() -> int:
        return 1

    twice(1)
    with counting(twice) as calls, counting(cache) as all_calls:
        assert calls.creates == 0
        assert [twice(1), twice(2), twice(2)] == [2, 4, 4]
        other()
        assert (calls.creates, calls.hits, calls.misses) == (1, 2, 1)
        assert "creates=1" in repr(calls)
    twice(3)
    assert (calls.creates, calls.hits, calls.misses) == (1, 2, 1)
    assert (all_calls.creates, all_calls.hits) == (2, 2)


def test_a_block_counts_failures_and_stale_values(clock: ManualClock) -> None:
    store = FaultyStore(MemoryStore(clock=clock), clock=clock)
    cache = Cache(store, clock=clock, near=False)
    cache.get_or_create("k", lambda: 1, ttl=1, grace=10)
    with counting(cache) as calls:
        clock.advance(2)
        assert cache.get_or_create("k", lambda: 1 // 0, grace=10) == 1
        with store.fail():
            cache.get("k")
    assert calls.stale == 1
    assert calls.errors > 0
    assert calls.near_hits == 0
