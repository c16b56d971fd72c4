"""`f.stats()`: what happened to calls of one function, and to no other."""

import asyncio

import pytest

from holdfast.cache import Cache, Stats
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["near only", "near and far", "far only"])
def cache(request: pytest.FixtureRequest, clock: ManualClock) -> Cache:
    if request.param == "near only":
        return Cache(clock=clock)
    near = request.param == "near and far"
    return Cache(MemoryStore(clock=clock), near=near, clock=clock, near_ttl=1000)


def counted(stats: Stats) -> tuple[int, int, int, int, int]:
    """Return what tests compare."""
    return stats.hits, stats.misses, stats.stale, stats.creates, stats.errors


def test_each_function_has_its_own(cache: Cache) -> None:
    @cache.cached()
    def f(a: int) -> int:
        return a

    @cache.cached()
    async def g(a: int) -> int:
        return a

    assert counted(f.stats()) == counted(g.stats()) == (0, 0, 0, 0, 0)
    assert [f(1), f(1), f(1), f(2)] == [1, 1, 1, 2]
    assert counted(f.stats()) == (2, 2, 0, 2, 0)
    assert counted(g.stats()) == (0, 0, 0, 0, 0)

    async def main() -> None:
        assert [await g(1), await g(1)] == [1, 1]

    asyncio.run(main())
    assert counted(g.stats()) == (1, 1, 0, 1, 0)
    cache.get("nothing")
    assert counted(cache.stats()) == (3, 4, 0, 3, 0)
    assert f.stats().ratio == 0.5


def test_near_hits_are_counted_apart(cache: Cache) -> None:
    @cache.cached()
    def f(a: int) -> int:
        return a

    for _ in range(5):
        f(1)
    stats = f.stats()
    near = cache._core.near.max_entries > 0
    assert (stats.hits, stats.near_hits) == (4, 4 if near else 0)
    f.invalidate(1)
    assert f.peek(1) is None
    assert f.stats().hits == 4
    f.refresh(1)
    f(1)
    assert (f.stats().hits, f.stats().creates) == (5, 2)


def test_what_is_turned_out_stays_counted() -> None:
    cache = Cache(max_entries=3)

    @cache.cached()
    def f(a: int) -> int:
        return a

    for number in range(50):
        assert f(number) == f(number) == number
    assert counted(f.stats()) == (50, 50, 0, 50, 0)
    assert counted(cache.stats()) == (50, 50, 0, 50, 0)


def test_stale_values_are_counted(cache: Cache, clock: ManualClock) -> None:
    fails = False

    @cache.cached(ttl=10, grace=100)
    def f() -> int:
        if fails:
            raise LookupError
        return 1

    f()
    fails = True
    clock.advance(20)
    assert f() == 1
    stats = f.stats()
    assert (stats.stale, stats.creates) == (1, 1)


def test_functions_of_classes_count_too(cache: Cache) -> None:
    class Shop:
        def __cache_key__(self) -> str:
            return "shop"

        @cache.cached()
        def item(self, number: int) -> int:
            return number

        @cache.cached()
        @classmethod
        def kind(cls) -> str:
            return cls.__name__

    assert [Shop().item(1), Shop().item(1), Shop.kind(), Shop.kind()] == [1, 1, "Shop", "Shop"]
    for function in (Shop().item, Shop.item, Shop.kind, Shop().kind):
        assert counted(function.stats()) == (1, 1, 0, 1, 0)
