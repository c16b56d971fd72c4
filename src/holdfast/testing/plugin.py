"""Fixtures for pytest: `pytest_plugins = ["holdfast.testing.plugin"]` in your `conftest.py`.

Law: nothing happens before a test asks for it, and nothing is left when it ends.
"""

from collections.abc import Iterator

import pytest

from holdfast.cache import Cache
from holdfast.cache.region import Regions, regions
from holdfast.testing.caching import regions_in_memory
from holdfast.testing.clock import ManualClock

__all__ = ["holdfast_cache", "holdfast_clock", "holdfast_regions"]


@pytest.fixture
def holdfast_clock() -> ManualClock:
    """Return a clock that stands still until the test moves it."""
    return ManualClock()


@pytest.fixture
def holdfast_cache(holdfast_clock: ManualClock) -> Iterator[Cache]:
    """Return an empty cache in this process, on `holdfast_clock`."""
    with Cache(clock=holdfast_clock) as cache:
        yield cache


@pytest.fixture
def holdfast_regions(holdfast_clock: ManualClock) -> Iterator[Regions]:
    """Let `holdfast.regions` live in this process, empty and on `holdfast_clock`, for one test."""
    with regions_in_memory(regions, clock=holdfast_clock) as inside:
        yield inside
