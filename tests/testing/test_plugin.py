"""The fixtures for pytest, and regions that live in memory for a while."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.cache import Cache
from holdfast.cache.region import Regions, regions
from holdfast.errors import ConfigError
from holdfast.testing.caching import assert_cached, assert_not_cached, regions_in_memory
from holdfast.testing.clock import ManualClock

pytest_plugins = ["holdfast.testing.plugin"]


@regions.cached("of_the_plugins_test", ttl=60)
def twice(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize("time", [1, 2])
def test_each_test_has_an_empty_cache_on_its_clock(
    time: int, holdfast_cache: Cache, holdfast_clock: ManualClock
) -> None:
    assert_not_cached(holdfast_cache, "k")
    holdfast_cache.put("k", time, ttl=60)
    holdfast_clock.advance(59)
    assert_cached(holdfast_cache, "k")
    holdfast_clock.advance(1)
    assert_not_cached(holdfast_cache, "k")


@pytest.mark.parametrize("time", [1, 2])
def test_each_test_has_empty_regions_on_its_clock(
    time: int, holdfast_regions: Regions, holdfast_clock: ManualClock
) -> None:
    assert holdfast_regions is regions
    assert_not_cached(twice, time)
    assert twice(1) == 2
    assert twice(2) == 4
    assert_cached(twice, time)
    holdfast_clock.advance(60)
    assert_not_cached(twice, time)


def test_without_the_fixture_nothing_is_configured() -> None:
    with pytest.raises(ConfigError, match="of_the_plugins_test"):
        twice(1)


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[Regions]:
    """Regions that are configured, one of them with a file."""
    regions = Regions()
    url = f"sqlite:///{tmp_path}/cache.db"
    regions.configure({"default": {"ttl": 5}, "stored": {"url": url, "near": False}, "near": {}})
    yield regions
    regions.close()


def test_options_stay_and_stores_do_not(mine: Regions, tmp_path: Path) -> None:
    stored = mine["stored"]
    stored.put("k", "in the file")
    clock = ManualClock()
    with regions_in_memory(mine, clock=clock) as inside:
        assert inside is mine
        for region in ("stored", "near"):
            assert_not_cached(mine[region], "k")
            mine[region].put("k", "in memory")
            clock.advance(4)
            assert_cached(mine[region], "k")
            clock.advance(1)
            assert_not_cached(mine[region], "k")
        assert str(tmp_path) not in repr(mine["stored"])
        assert "memory" in repr(mine["stored"])
        mine["another"].put("k", 1)
    assert mine["stored"] is stored  # open still, and what it was
    assert stored.get("k") == "in the file"
    with pytest.raises(ConfigError):
        mine["another"]


def test_what_is_configured_or_closed_inside_counts_inside(mine: Regions) -> None:
    near = mine["near"]
    with regions_in_memory(mine, clock=ManualClock()):
        mine.configure({"other": {}})
        mine["other"].put("k", 1)
    assert mine["near"] is near
    with regions_in_memory(mine, clock=ManualClock()):
        mine.close()
    assert mine["near"] is near


def test_functions_follow_and_return(mine: Regions) -> None:
    @mine.cached("stored")
    def word() -> str:
        return "word"

    word()
    assert_cached(word)
    with regions_in_memory(mine, clock=ManualClock()):
        assert_not_cached(word)
        word()
        assert_cached(word)
        word.invalidate()
    assert_cached(word)


def test_regions_are_what_they_were_even_after_a_failure(mine: Regions) -> None:
    near = mine["near"]
    with pytest.raises(ZeroDivisionError), regions_in_memory(mine, clock=ManualClock()):
        raise ZeroDivisionError
    assert mine["near"] is near


def test_regions_in_regions(mine: Regions) -> None:
    near = mine["near"]
    with regions_in_memory(mine, clock=ManualClock()):
        mine["near"].put("k", 1)
        with regions_in_memory(mine, clock=ManualClock()):
            assert_not_cached(mine["near"], "k")
        assert_cached(mine["near"], "k")
    assert mine["near"] is near
