"""The near tier: bounded, like a dict that forgets, and with better eviction than LRU."""

import bisect
import functools
import gc
import itertools
import math
import random
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from holdfast.cache import Cache
from holdfast.cache.counts import Counts
from holdfast.cache.near import Near, Traits
from holdfast.cache.weight import weigh
from holdfast.errors import ConfigError
from holdfast.testing.clock import ManualClock

KEYS = st.sampled_from("abcdefgh")
LABELS = st.sets(st.sampled_from(["t:x", "t:y"]))


class NearMachine(RuleBasedStateMachine):
    """A near tier beside a dict of what may be in it, with times and labels."""

    @initialize(room=st.integers(1, 6))
    def start(self, room: int) -> None:
        self.clock = ManualClock()
        self.near = Near(room, self.clock)
        self.model: dict[str, tuple[int, float, set[str]]] = {}
        self.served = 0
        self.values = itertools.count()

    @rule(key=KEYS, ttl=st.integers(0, 5), labels=LABELS)
    def fill(self, key: str, ttl: int, labels: set[str]) -> None:
        value, until = next(self.values), self.clock() + ttl
        hold = self.near.hold(key)
        done = self.near.fill(hold, value, times=(until,) * 4, traits=Traits(tuple(labels)))
        self.near.release(hold)
        assert done is (ttl > 0)
        if done:
            self.model[key] = (value, until, labels)

    @rule(key=KEYS, between=st.sampled_from(["drop", "label", "clear", "fill"]), label=LABELS)
    def overtaken(self, key: str, between: str, label: set[str]) -> None:
        until = self.clock() + 5
        hold = self.near.hold(key)
        refused = True
        match between:
            case "drop":
                self.drop(key)
            case "label":
                self.drop_labels(label)
                refused = bool(label)
            case "clear":
                self.clear()
            case "fill":
                self.fill(key, 5, set())
        value = next(self.values)
        done = self.near.fill(hold, value, times=(until,) * 4, traits=Traits(tuple(label)))
        self.near.release(hold)
        assert done is not refused
        if done:
            self.model[key] = (value, until, label)

    @rule(key=KEYS)
    def drop(self, key: str) -> None:
        self.near.drop([key])
        self.model.pop(key, None)

    @rule(labels=LABELS)
    def drop_labels(self, labels: set[str]) -> None:
        self.near.drop_labels(labels)
        self.model = {key: row for key, row in self.model.items() if not row[2] & labels}

    @rule()
    def clear(self) -> None:
        self.near.clear()
        self.model.clear()

    @rule(seconds=st.integers(1, 3))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(key=KEYS)
    def read(self, key: str) -> None:
        cell = self.near.cells.get(key)
        if cell is not None and cell.until > self.clock():
            value, until, _ = self.model[key]
            assert (cell.value, cell.until) == (value, until)
            cell.hits += 1
            self.served += 1

    @rule(key=KEYS, by=st.integers(-3, 3))
    def add(self, key: str, by: int) -> None:
        cell = self.near.cells.get(key)
        alive = cell is not None and cell.until > self.clock()
        old, until, labels = self.model[key] if alive else (0, self.clock() + 4, set())
        assert self.near.add(key, by, self.clock() + 4) == old + by
        self.model[key] = (old + by, until, labels)

    @invariant()
    def is_bounded_and_counts(self) -> None:
        if not hasattr(self, "near"):
            return
        assert len(self.near.cells) <= self.near.max_entries
        assert self.near.hits == self.served
        assert len(self.near._eviction) <= 2 * self.near.max_entries + 65
        assert not self.near._holds
        assert set().union(*self.near._by_label.values()) <= self.near.cells.keys()


TestNear = NearMachine.TestCase
TestNear.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def put(near: Near, key: str, *labels: str) -> None:
    hold = near.hold(key)
    near.fill(hold, key, times=(1e12,) * 4, traits=Traits(labels))
    near.release(hold)


def put_all(near: Near, keys: str) -> None:
    for key in keys:
        put(near, key)


def test_a_dropped_cell_is_dead_for_whoever_points_at_it() -> None:
    near = Near(2, ManualClock())
    drops: list[Callable[[], None]] = [
        lambda: near.drop(["k"]),
        lambda: near.drop_labels(["t:x"]),
        near.clear,
        lambda: put(near, "k"),
        lambda: put_all(near, "abc"),
    ]
    for drop in drops:
        put(near, "k", "t:x")
        cell = near.cells["k"]
        assert cell.value == "k"
        drop()
        assert (cell.until, cell.stale_until, cell.value) == (float("-inf"), float("-inf"), None)
        near.clear()


def test_an_expired_entry_leaves_before_a_live_one() -> None:
    clock = ManualClock()
    near = Near(2, clock)
    hold = near.hold("old")
    near.fill(hold, 1, times=(clock.now + 1,) * 4)
    near.release(hold)
    near.cells["old"].hits += 3
    put(near, "live")
    clock.advance(2)
    put(near, "new")
    assert set(near.cells) == {"live", "new"}


def test_what_is_over_leaves_a_cache_that_is_never_full() -> None:
    clock = ManualClock()
    near = Near(1000, clock)
    for number in range(20):
        near.put(f"over {number}", number, times=(clock() + 1,) * 4, traits=Traits(("t:x",)))
        near.put(f"stale {number}", number, times=(clock(), clock(), clock() + 9, clock()))
    clock.advance(2)
    for number in range(80):
        put(near, "again")
        assert len(near.cells) <= 41
        if number > 60:
            assert set(near.cells) == {"again", *(f"stale {number}" for number in range(20))}
    assert near.evicted == 0
    assert not near._by_label


def test_hits_are_of_the_counts_they_were_counted_for() -> None:
    """Whatever replaces a value, or turns it out."""
    near, draw = Near(5, ManualClock()), random.Random(3)  # noqa: S311 - repeatable
    traits = [Traits((), Counts()), Traits(("t:x",), Counts()), Traits()]
    told, served = dict.fromkeys(traits, 0), 0
    for _ in range(5000):
        key = draw.choice("abcdefgh")
        cell = near.cells.get(key)
        if cell is None or draw.random() < 0.1:
            near.put(key, key, times=(1e12,) * 4, traits=draw.choice(traits))
        elif draw.random() < 0.01:
            near.drop([key])
        else:
            cell.hits += 1
            told[cell.traits] += 1
            served += 1
        for trait in traits[:2]:
            assert trait.counts is not None
            assert near.hits_of(trait.counts) == told[trait]
        assert near.hits == served
    assert near.evicted > 100


def test_a_finalizer_may_come_back() -> None:
    near = Near(4, ManualClock(), max_bytes=100_000)

    class Restless:
        def __init__(self, key: str) -> None:
            self.key = key

        def __del__(self) -> None:
            near.put(self.key, f"of {self.key}", times=(1e12,) * 4, traits=Traits(("t:y",)))

    for number in range(200):
        key = "abcdef"[number % 6]
        near.put(key, Restless("fedcba"[number % 5]), times=(1e12,) * 4, traits=Traits(("t:x",)))
        assert len(near.cells) <= 4
        cells = near.cells.items()
        assert near.bytes == sum(weigh(k, cell.value, cell.traits.labels) for k, cell in cells)
        assert set().union(*near._by_label.values()) == near.cells.keys()
    near.drop_labels(["t:x"])
    near.drop_labels(["t:y"])
    assert (near.cells, near._by_label, near.bytes) == ({}, {}, 0)


def test_queues_that_were_lost_are_made_anew() -> None:
    near = Near(2, ManualClock())  # as in a child whose parent forked while it swept
    for key in ("a", "b"):
        near.put(key, key, times=(math.inf,) * 4)
    near._eviction.clear()
    for key in ("c", "d", "e"):
        near.put(key, key, times=(math.inf,) * 4)
    assert len(near.cells) == 2
    assert near.cells["e"].value == "e"


def test_putting_and_deleting_for_ever_takes_no_room() -> None:
    near = Near(100, ManualClock())
    for _ in range(5000):
        put(near, "k")
        near.drop(["k"])
    assert len(near._eviction) < 200


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_the_cache_is_a_dict_that_forgets(data: st.DataObject) -> None:
    clock = ManualClock()
    cache, model = Cache(max_entries=50, clock=clock, ttl=None), dict[str, int]()
    for number in range(30):
        key = data.draw(KEYS)
        match data.draw(st.sampled_from(["put", "delete", "get", "create"])):
            case "put":
                cache.put(key, number)
                model[key] = number
            case "delete":
                assert cache.delete(key) is (key in model)
                model.pop(key, None)
            case "get":
                assert cache.get(key, "none") == model.get(key, "none")
            case "create":
                want = model.setdefault(key, number)
                assert cache.get_or_create(key, lambda made=number: made) == want  # type: ignore[misc]
    assert cache.get_many("abcdefgh") == model


@pytest.mark.parametrize("entries", [0, -1, True, 1.5, "10"])
def test_max_entries_is_a_number_of_entries(entries: object) -> None:
    with pytest.raises(ConfigError, match="max_entries"):
        Cache(max_entries=entries)  # type: ignore[arg-type]


def test_a_near_entry_is_small() -> None:
    """At most 170 bytes beyond key and value."""
    keys, value, count = [f"key:{number:052}" for number in range(20_000)], object(), 20_000
    cache = Cache(max_entries=count)
    gc.collect()
    tracemalloc.start()
    try:
        for key in keys:
            cache.put(key, value)
        gc.collect()
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert used / count <= 170


def trace(count: int, keys: int, reshuffle: int = 0) -> list[int]:
    draw = random.Random(7)  # noqa: S311 - repeatable
    weights = list(itertools.accumulate(1 / rank**0.99 for rank in range(1, keys + 1)))
    names, requests = list(range(keys)), []
    for number in range(count):
        if reshuffle and number % reshuffle == 0:
            draw.shuffle(names)
        requests.append(names[bisect.bisect_left(weights, draw.random() * weights[-1])])
    return requests


def ratios(requests: list[int], room: int) -> tuple[float, float]:
    near = Near(room, lambda: 0.0)
    names = {number: str(number) for number in set(requests)}
    for number in requests:
        cell = near.cells.get(names[number])
        if cell is None:
            put(near, names[number])
        else:
            cell.hits += 1
    lru = functools.lru_cache(room)(lambda _: None)
    for number in requests:
        lru(number)
    return near.hits / len(requests), lru.cache_info().hits / len(requests)


def test_eviction_is_better_than_lru() -> None:
    ours, lru = ratios(trace(200_000, 20_000), 200)
    assert ours >= lru + 0.07


def test_eviction_follows_when_favourites_change() -> None:
    ours, lru = ratios(trace(200_000, 20_000, reshuffle=20_000), 2000)
    assert ours >= lru - 0.02
