"""Regions: named before they are configured, configured in one place, exchanged at once."""

import asyncio
import gc
import inspect
import os
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any, assert_type, cast

import pytest

import holdfast
from holdfast.cache import Cache, Options
from holdfast.cache.region import Regions
from holdfast.cache.region_options import RegionOptions
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock


@pytest.fixture
def regions() -> Iterator[Regions]:
    made = Regions()
    yield made
    made.close()


class Counted:
    """Functions of region `short`, of every kind, that return how often they ran."""

    def __init__(self, regions: Regions) -> None:
        self.calls = 0
        outer = self

        @regions.cached("short", key="plain:{number}")
        def plain(number: int) -> int:
            return outer.ran(number)

        @regions.cached("short", key="late:{number}")
        async def late(number: int) -> int:
            return outer.ran(number)

        class Shop:
            def __cache_key__(self) -> str:
                return "shop"

            @regions.cached("short")
            def item(self, number: int) -> int:
                return outer.ran(number)

            @regions.cached("short")
            @classmethod
            def kind(cls, number: int) -> int:
                return outer.ran(number)

            @staticmethod
            @regions.cached("short")
            def tax(number: int) -> int:
                return outer.ran(number)

        self.plain, self.late, self.shop = plain, late, Shop()

    def ran(self, number: int) -> int:
        self.calls += 1
        return number * 100 + self.calls

    def ways(self) -> list[Callable[[int], int]]:
        return [
            self.plain,
            lambda number: asyncio.run(self.late(number)),
            self.shop.item,
            self.shop.kind,
            self.shop.tax,
        ]


def test_a_call_before_configure_names_the_region_and_the_mend(regions: Regions) -> None:
    counted = Counted(regions)
    for call in counted.ways():
        with pytest.raises(ConfigError, match=r"region short .*configure\(\{\"short\":"):
            call(1)
    for ask in (counted.plain.peek, counted.plain.invalidate, counted.plain.refresh):
        with pytest.raises(ConfigError, match="region short"):
            ask(1)
    with pytest.raises(ConfigError, match="region short"):
        regions["short"]
    assert counted.calls == 0


def test_what_needs_no_cache_works_before_configure(regions: Regions) -> None:
    counted = Counted(regions)
    assert counted.plain.key(7) == "plain:7"
    assert counted.plain.uncached(7) == 701
    assert asyncio.run(counted.late.uncached(7)) == 702
    assert regions.stats() == {}
    assert list(regions) == []
    assert "not configured" in repr(regions)


def test_after_configure_every_kind_of_function_is_cached(regions: Regions) -> None:
    counted = Counted(regions)
    regions.configure({"short": {"ttl": 60}})
    for number, call in enumerate(counted.ways(), 1):
        assert call(1) == call(1)
        assert counted.calls == number
    cached = counted.plain
    assert cached.peek(1) == cached(1)
    old = cached(1)
    assert cached.refresh(1) == cached(1) == old + 5
    cached.invalidate(1)
    assert cached.peek(1) is None
    for bound in (counted.shop.item, counted.shop.kind, counted.shop.tax):
        assert bound.peek(1) == bound(1)
    assert regions["short"].get("late:1") == 102


def test_decorated_after_configure_it_is_cached_at_once(regions: Regions) -> None:
    regions.configure({"short": {}})
    counted = Counted(regions)
    for call in counted.ways():
        assert call(1) == call(1)


def test_generators_are_collected_on_request(regions: Regions) -> None:
    @regions.cached("short", collect=True)
    def some(number: int) -> Iterator[int]:
        yield from range(number)

    @regions.cached("short", collect=True)
    async def more(number: int) -> AsyncIterator[int]:
        for each in range(number):
            yield each

    regions.configure({"short": {}})
    assert_type(some(3), list[int])
    assert some(3) == asyncio.run(more(3)) == [0, 1, 2]
    assert some(3) is some(3)


def test_a_function_stays_the_object_it_was(regions: Regions) -> None:
    def plain(number: int, *, loud: bool = False) -> int:
        """Say it."""
        return number + loud

    cached = regions.cached("short")(plain)
    key = cached.key(1)
    regions.configure({"short": {}})
    assert cached.key(1) == key
    assert cached.__name__ == "plain"
    assert cached.__doc__ == "Say it."
    assert inspect.signature(cached) == inspect.signature(plain)


def test_options_of_the_function_win_over_those_of_the_region(regions: Regions) -> None:
    clock = ManualClock()

    @regions.cached("short", ttl=10)
    def soon() -> float:
        return clock()

    @regions.cached("short")
    def later() -> float:
        return clock()

    regions.configure({"short": {"ttl": 60, "clock": clock}})
    born = soon(), later()
    clock.advance(11)
    assert (soon(), later()) == (born[0] + 11, born[1])
    clock.advance(50)
    assert later() == born[1] + 61


def test_a_wrong_function_is_refused_where_it_is_written(regions: Regions) -> None:
    def price(number: int) -> int:
        return number

    with pytest.raises(ConfigError, match="nobody"):
        regions.cached("short", key="price:{nobody}")(price)
    with pytest.raises(ConfigError, match="ttl='soon'"):
        regions.cached("short", ttl="soon")(price)
    with pytest.raises(TypeError, match="tll"):
        cast("Any", regions.cached)("short", tll=3)(price)
    with pytest.raises(ConfigError, match="a b"):
        regions.cached("a b")
    with pytest.raises(ConfigError, match="region"):
        cast("Any", regions.cached)(price)


def test_configure_again_replaces_and_functions_follow(regions: Regions) -> None:
    counted = Counted(regions)
    regions.configure({"short": {"url": "memory://"}})
    before = [call(1) for call in counted.ways()]
    old = regions["short"]
    regions.configure({"short": {"url": "memory://"}})
    after = [call(1) for call in counted.ways()]
    assert [call(1) for call in counted.ways()] == after
    assert not set(before) & set(after)
    assert regions["short"] is not old
    with pytest.raises(StoreUnavailable):
        old.put("k", 1)


def test_a_region_that_is_left_out_is_an_error_again(regions: Regions) -> None:
    counted = Counted(regions)
    regions.configure({"short": {}})
    assert counted.plain(1) == counted.plain(1)
    regions.configure({"shirt": {}})
    with pytest.raises(ConfigError, match=r"unknown region short, did you mean shirt\?"):
        counted.plain(1)
    with pytest.raises(ConfigError, match="did you mean shirt"):
        regions["short"]
    regions.close()
    with pytest.raises(ConfigError, match="before it is configured"):
        counted.plain(1)
    regions.close()
    regions.configure({"short": {}})
    assert counted.plain(1) == counted.plain(1)


WRONG: list[tuple[Any, str]] = [
    ({"short": {"tll": 3}}, "short: unknown option tll, did you mean ttl"),
    ({"short": {"ttl": "soon"}}, "short.ttl='soon'"),
    ({"default": {"ttl": "soon"}, "short": {}}, "default.ttl='soon'"),
    ({"short": {"jitter": 3}}, "short.jitter=3"),
    ({"short": {"max_entries": 0}}, "short.max_entries=0"),
    ({"short": {"url": "redsi://h"}}, "short.url: unknown scheme"),
    ({"short": {"url": 7}}, "short.url: a int is no store"),
    ({"short": {"near": False}}, "short.near=False without a store"),
    ({"short": {"near": "no"}}, "short.near='no': give True or False"),
    ({"short": {"prefix": "a b"}}, "short.prefix='a b.short'"),
    ({"short": 60}, "short: give its options"),
    ({"a.b": {}}, "region 'a.b'"),
    ({7: {}}, "region 7"),
]


@pytest.mark.parametrize(("settings", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_wrong_configuration_changes_nothing(regions: Regions, settings: Any, said: str) -> None:
    counted = Counted(regions)
    regions.configure({"short": {"url": "memory://"}})
    value, cache = counted.plain(1), regions["short"]
    with pytest.raises(ConfigError) as caught:
        regions.configure({"good": {"url": "memory://"}, **settings})
    assert said in str(caught.value)
    assert regions["short"] is cache
    assert counted.plain(1) == value
    cache.put("k", 1)
    assert list(regions) == ["short"]


def test_a_function_that_does_not_fit_its_region_is_named(regions: Regions) -> None:
    @regions.cached("short", refresh_at=0.8)
    def price() -> int:
        return 1

    with pytest.raises(ConfigError, match=r"price, in region short: sliding"):
        regions.configure({"short": {"sliding": 5}})
    assert list(regions) == []
    regions.configure({"short": {}})
    assert price() == 1


def test_others_must_be_possible_too(regions: Regions) -> None:
    with pytest.raises(ConfigError, match=r"others\.ttl='soon'"):
        regions.configure(others={"ttl": "soon"})
    assert list(regions) == []


def test_one_url_is_one_store_and_a_clear_is_of_one_region(regions: Regions) -> None:
    regions.configure(
        {
            "default": {"url": "memory://", "near": False},
            "short": {},
            "long": {"ttl": None},
            "other": {"url": "memory://other"},
        }
    )
    short, long, other = regions["short"], regions["long"], regions["other"]
    assert short._engines.store is long._engines.store is not other._engines.store
    for cache in (short, long):
        cache.put("k", repr(cache), tags=["all"])
    short.clear()
    assert "k" not in short
    assert "k" in long
    short.put("k", 1, tags=["all"])
    short.invalidate_tags("all")
    assert "k" in long
    regions.clear()
    assert "k" not in long


def test_what_regions_keep_is_named_in_the_store(regions: Regions) -> None:
    store = MemoryStore()
    regions.configure(
        {"default": {"url": store, "prefix": "shop"}, "short": {}, "long": {"prefix": ""}}
    )
    for region in regions:
        regions[region].put("k", 1)
    assert {key for key in store.scan("") if ":v:" in key} == {
        "shop.default:v:k",
        "shop.short:v:k",
        "long:v:k",
    }


def test_an_open_store_belongs_to_its_regions(regions: Regions) -> None:
    store = MemoryStore()
    regions.configure({"short": {"url": store}})
    with pytest.raises(ConfigError, match="open store"):
        regions.configure({"short": {"url": store}})
    regions["short"].put("k", 1)
    regions.close()
    with pytest.raises(StoreUnavailable):
        store.get("k")


def test_default_is_inherited_and_a_region_itself(regions: Regions) -> None:
    clock = ManualClock()
    regions.configure({"default": {"ttl": 10, "clock": clock}, "short": {}, "long": {"ttl": 60}})
    assert list(regions) == ["default", "short", "long"]
    for region in regions:
        regions[region].put("k", 1)
    clock.advance(11)
    assert [region for region in regions if "k" in regions[region]] == ["long"]


def test_others_are_made_when_they_are_used(regions: Regions) -> None:
    counted = Counted(regions)
    regions.configure({"default": {"url": "memory://"}}, others={"ttl": 5})
    assert counted.plain(1) == counted.plain(1)
    assert list(regions) == ["default", "short"]
    assert regions["long"] is regions["long"]
    with pytest.raises(ConfigError, match="region 'a b'"):
        regions["a b"]
    assert regions["long"]._engines.store is regions["default"]._engines.store
    late = Counted(regions)
    assert late.plain(2) == late.plain(2)
    assert set(regions.stats()) == {"default", "short", "long"}
    long = regions["long"]
    regions.close()
    with pytest.raises(StoreUnavailable):
        long.put("k", 1)


def test_stats_are_by_region(regions: Regions) -> None:
    counted = Counted(regions)
    regions.configure({"short": {}, "long": {}})
    counted.plain(1)
    counted.plain(1)
    stats = regions.stats()
    assert (stats["short"].hits, stats["short"].misses, stats["short"].creates) == (1, 1, 1)
    assert stats["long"].misses == 0


def test_stats_of_a_function_are_those_of_its_region_now(regions: Regions) -> None:
    counted = Counted(regions)
    with pytest.raises(ConfigError, match="region short"):
        counted.plain.stats()
    regions.configure({"short": {}})
    for _ in range(3):
        counted.plain(1)
    counted.shop.tax(1)
    stats = counted.plain.stats()
    assert (stats.hits, stats.misses, stats.creates) == (2, 1, 1)
    assert regions.stats()["short"].creates == 2
    regions.configure({"short": {}})
    assert counted.plain.stats().hits == 0


def test_switched_off_it_creates_and_invalidates(regions: Regions) -> None:
    elsewhere = Regions()
    elsewhere.configure({"short": {"url": "memory://switched", "near": False}})
    there, here = Counted(elsewhere), Counted(regions)
    regions.configure(
        {"default": {"url": "memory://switched"}, "short": {"enabled": True}}, enabled=False
    )
    kept = there.plain(1)
    assert here.plain(1) != here.plain(1)
    assert asyncio.run(here.late(1)) != asyncio.run(here.late(1))
    assert here.plain.peek(1) is None
    assert there.plain(1) == kept
    here.plain.invalidate(1)
    assert there.plain(1) != kept
    elsewhere.close()


def test_one_region_can_be_off(regions: Regions) -> None:
    regions.configure({"short": {"enabled": False}, "long": {}})
    for region in regions:
        regions[region].put("k", 1)
    assert "k" not in regions["short"]
    assert "k" in regions["long"]


def test_a_function_that_nobody_has_any_more_is_let_go(regions: Regions) -> None:
    regions.configure({"short": {}})
    counted = Counted(regions)
    counted.plain(1)
    gone = weakref.ref(counted.plain)
    del counted
    gc.collect()
    assert gone() is None
    regions.configure({"short": {}})


def test_calls_during_configure_see_one_configuration_or_the_other(regions: Regions) -> None:
    @regions.cached("short")
    def answer(number: int) -> int:
        return number

    regions.configure({"short": {"url": "memory://"}})
    over = threading.Event()
    wrong: list[object] = []

    def ask() -> None:
        while not over.is_set():
            for number in range(20):
                try:
                    value = answer(number)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is wrong
                    wrong.append(error)
                else:
                    wrong.extend([value] if value != number else [])

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        regions.configure({"short": {"url": "memory://", "near": False}})
        regions.configure({"short": {"ttl": 60}})
        with suppress(ConfigError):
            regions.configure({"short": cast("RegionOptions", {"near": 3})})
    over.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_value_of_before_never_comes_back(regions: Regions) -> None:
    """A creation that began under the old configuration keeps nothing under the new one."""
    begun, go_on = threading.Event(), threading.Event()
    source = ["old"]

    @regions.cached("short")
    def answer() -> str:
        value = source[0]
        if value == "old":
            begun.set()
            go_on.wait(30)
        return value

    regions.configure({"short": {}})
    thread = threading.Thread(target=answer)
    thread.start()
    assert begun.wait(30)
    source[0] = "new"
    regions.configure({"short": {}})
    go_on.set()
    thread.join()
    assert answer() == "new"
    assert answer() == "new"


def test_the_wrapper_of_a_hit_is_that_of_a_cache(regions: Regions) -> None:
    """No frame and no look-up more than under `Cache.cached`: the code is the same."""

    def plain(number: int) -> int:
        return number

    here = cast("Any", regions.cached("short")(plain))
    there = cast("Any", Cache().cached()(plain))
    assert here.__code__.co_code == there.__code__.co_code
    assert here.__code__.co_names == there.__code__.co_names


def test_regions_know_every_option_of_a_cache() -> None:
    own = set(inspect.signature(Cache).parameters) - {"store", "options"}
    assert set(RegionOptions.__annotations__) == own | set(Options.__annotations__) | {"url"}


def test_the_regions_of_the_application_listen_to_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert isinstance(holdfast.regions, Regions)
    assert holdfast.regions._environ is os.environ
    counted = Counted(holdfast.regions)
    monkeypatch.setenv("HOLDFAST_CACHE_ENABLED", "0")
    holdfast.regions.configure({"short": {}})
    assert counted.plain(1) != counted.plain(1)
    holdfast.regions.close()
