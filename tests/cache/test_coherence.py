"""Coherence: what a cache makes of what its bus tells, without any server."""

import gc
import weakref
from collections.abc import Iterator, Sequence

import pytest

from holdfast.cache import Cache, coherence
from holdfast.keys import short
from holdfast.store.bus import Listener
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock


class Told:
    """A bus by which a test tells.

    Attributes:
        said: What the cache said, key by key.
    """

    name, speaks = "told", True

    def __init__(self) -> None:
        self.prefixes: list[str] = []
        self.said: list[str] = []
        self.is_closed = False
        self._listener: weakref.ref[Listener] | None = None

    def listen(self, prefixes: Sequence[str], listener: Listener) -> None:
        assert self._listener is None
        self.prefixes = list(prefixes)
        self._listener = weakref.ref(listener)

    @property
    def listener(self) -> Listener:
        assert self._listener is not None
        listener = self._listener()
        assert listener is not None
        return listener

    @property
    def is_heard(self) -> bool:
        return self._listener is not None and self._listener() is not None

    def wrote(self, key: str, value: bytes) -> None:
        """Nothing comes back."""

    def publish(self, keys: Sequence[str]) -> None:
        self.said += keys

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def bus() -> Told:
    return Told()


@pytest.fixture
def rows(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock=clock)


@pytest.fixture
def cache(rows: MemoryStore, bus: Told, clock: ManualClock) -> Iterator[Cache]:
    with Cache(rows, prefix="shop", bus=bus, clock=clock, max_entries=30_000) as made:
        made.get("~")
        yield made


def near(cache: Cache) -> set[str]:
    return set(cache._core.near.cells)


def test_it_listens_once_and_to_its_own_keys(cache: Cache, bus: Told) -> None:
    assert bus.prefixes == ["shop:v:", "shop:vn:", "shop:t:", "shop:n:"]
    cache.namespace("users").put("k", 1)


def test_near_values_live_long_only_between_ready_and_lost(
    cache: Cache, bus: Told, clock: ManualClock
) -> None:
    def lives(seconds: float) -> None:
        cache.put("k", 1, ttl=100)
        assert cache._core.near.cells["k"].until == clock.now + seconds

    lives(5)
    bus.listener.ready()
    assert near(cache) == set(), "it may have changed unheard"
    assert cache.stats().bus == "told"
    lives(100)
    bus.listener.lost()
    assert near(cache) == set()
    assert cache.stats().bus == ""
    lives(5)
    bus.listener.ready()
    lives(100)
    cache.close()
    assert bus.is_closed
    assert near(cache) == set()


def test_near_ttl_bounds_in_any_case(cache: Cache, bus: Told, clock: ManualClock) -> None:
    bus.listener.ready()
    cache.put("k", 1, near_ttl=2)
    assert cache._core.near.cells["k"].until == clock.now + 2


def test_what_is_under_way_is_refused(cache: Cache, bus: Told, rows: MemoryStore) -> None:
    bus.listener.ready()
    for tell in (
        lambda: bus.listener.changed(["shop:v:k"]),
        lambda: bus.listener.changed(["shop:t:t"]),
        lambda: bus.listener.changed(["shop:n:~all"]),
        bus.listener.lost,
        bus.listener.ready,
    ):

        def create(tell: object = tell) -> int:
            assert callable(tell)
            tell()
            return 1

        cache.get_or_create("k", create, tags=["t"])
        assert near(cache) == set()
        rows.delete("shop:v:k")


def test_nobody_is_told_of_what_was_absent(cache: Cache, bus: Told) -> None:
    cache.get_or_create("k", lambda: 1, tags=["t"])
    assert bus.said == ["shop:v:k"], "its marker was there; stamps and leases are nobody's copy"
    bus.said.clear()
    cache.increment("n")
    assert bus.said == []
    cache.increment("n")
    cache.delete("k")
    cache.invalidate_tags("t")
    assert bus.said == ["shop:v:n", "shop:v:k", "shop:t:~any", "shop:t:t"]


@pytest.mark.parametrize("key", ["", "shop", "shop:v", "shop:vn:", "stock:v:k", "shop:lv:k"])
def test_keys_that_are_not_ours_change_nothing(cache: Cache, bus: Told, key: str) -> None:
    cache.put("k", 1)
    bus.listener.changed([key])
    assert near(cache) == {"k"}


def test_hashed_names_are_known_as_long_as_they_are_near(
    cache: Cache, bus: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coherence, "_FEWEST", 10)
    cache._core.near.max_entries = 5
    bus.listener.ready()
    for number in range(100):
        name = f"the name {number}"
        cache.put(name, 1, tags=[f"the tag {number % 3}"])
        assert len(cache._core.coherence._hashed) <= 10
    for name in near(cache):
        bus.listener.changed([f"shop:v:{short(name)}"])
    assert near(cache) == set()
    for number in range(6):
        cache.put("one name", 1, tags=["the tag 0"])
        kept = dict(cache._core.coherence._hashed)
        cache.get(f"plain{number}")
        assert near(cache) == {"one name"}
        assert kept.keys() <= cache._core.coherence._hashed.keys()
    bus.listener.changed([f"shop:t:{short('the tag 0')}"])
    assert near(cache) == set()


def test_a_cache_that_is_forgotten_is_told_no_more(rows: MemoryStore, bus: Told) -> None:
    cache = Cache(rows, bus=bus)
    cache.put("k", 1)
    assert bus.is_heard
    del cache
    gc.collect()
    assert not bus.is_heard
