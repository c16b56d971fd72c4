"""The near tier by bytes: what values weigh, and that all together never weigh more than asked."""

import collections
import datetime as dt
import gc
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from holdfast.cache import Cache
from holdfast.cache.near import Near, Traits
from holdfast.cache.weight import weigh
from holdfast.testing.clock import ManualClock

pytestmark = pytest.mark.slow

KEYS = st.sampled_from("abcdefghijkl")
LABELS = st.sets(st.sampled_from(["t:x", "t:y"]))
ROOM = 4000


class WeighedMachine(RuleBasedStateMachine):
    """A near tier of 4,000 bytes, whose every value can be weighed again."""

    @initialize(entries=st.sampled_from([3, 1000]))
    def start(self, entries: int) -> None:
        self.clock = ManualClock()
        self.near = Near(entries, self.clock, max_bytes=ROOM)
        self.served = 0

    @rule(key=KEYS, size=st.integers(0, 300), ttl=st.integers(1, 5), labels=LABELS)
    def put(self, key: str, size: int, ttl: int, labels: set[str]) -> None:
        value, until, names = bytes(size), self.clock() + ttl, tuple(labels)
        kept = self.near.put(key, value, times=(until,) * 4, traits=Traits(names))
        assert kept is (weigh(key, value, names) <= ROOM / 10)
        assert (key in self.near.cells) is kept
        if kept:
            assert self.near.cells[key].value is value

    @rule(key=KEYS, size=st.integers(0, 300), labels=LABELS, dropped=st.booleans())
    def fill(self, key: str, size: int, labels: set[str], *, dropped: bool) -> None:
        hold, value, names = self.near.hold(key), bytes(size), tuple(labels)
        if dropped:
            self.near.drop([key])
        until = self.clock() + 3
        kept = self.near.fill(hold, value, times=(until,) * 4, traits=Traits(names))
        self.near.release(hold)
        assert kept is (not dropped and weigh(key, value, names) <= ROOM / 10)
        assert (key in self.near.cells) is kept

    @rule(key=KEYS, by=st.sampled_from([1, 10**40]))
    def count(self, key: str, by: int) -> None:
        cell = self.near.cells.get(key)
        if cell is None or type(cell.value) is int or cell.until <= self.clock():
            self.near.add(key, by, self.clock() + 4)

    @rule(key=KEYS)
    def read(self, key: str) -> None:
        cell = self.near.cells.get(key)
        if cell is not None:
            cell.hits += 1
            self.served += 1

    @rule(keys=st.lists(KEYS, max_size=3))
    def drop(self, keys: list[str]) -> None:
        self.near.drop(keys)

    @rule(labels=LABELS)
    def drop_labels(self, labels: set[str]) -> None:
        self.near.drop_labels(labels)

    @rule()
    def clear(self) -> None:
        self.near.clear()

    @rule(seconds=st.integers(1, 3))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def weighs_no_more_than_asked(self) -> None:
        if not hasattr(self, "near"):
            return
        cells = self.near.cells
        again = sum(weigh(key, cell.value, cell.traits.labels) for key, cell in cells.items())
        assert self.near.bytes == again <= ROOM
        assert len(cells) <= self.near.max_entries
        assert self.near.hits == self.served
        assert set().union(*self.near._by_label.values()) <= cells.keys()


TestWeighed = WeighedMachine.TestCase
TestWeighed.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)


def put(near: Near, key: str, value: object) -> bool:
    return near.put(key, value, times=(1e12,) * 4)


def test_a_value_that_is_too_heavy_takes_the_old_one_with_it() -> None:
    near = Near(100, ManualClock(), max_bytes=100_000)
    assert put(near, "k", "old")
    assert not put(near, "k", bytes(10_000))
    assert not near.cells
    assert near.bytes == 0


def test_a_value_that_is_too_heavy_turns_nobody_out() -> None:
    near = Near(100, ManualClock(), max_bytes=10_000)
    for number in range(20):
        put(near, f"{number}", number)
    assert not put(near, "big", bytes(1000))
    assert len(near.cells) == 20
    assert near.evicted == 0


def test_a_value_that_grows_turns_others_out() -> None:
    near = Near(100, ManualClock(), max_bytes=10_000)
    for number in range(1000):
        put(near, f"{number % 30}", bytes(number // 2))
        assert near.bytes <= 10_000
    assert near.evicted > 0
    assert 10 <= len(near.cells) < 30


def test_favourites_stay_where_only_bytes_are_bounded() -> None:
    near = Near(10**9, ManualClock(), max_bytes=100_000)
    for number in range(20_000):
        put(near, f"once {number}", None)
        for key in ("one", "two", "three"):
            if (cell := near.cells.get(key)) is None:
                put(near, key, bytes(1000))
            else:
                cell.hits += 1
    assert near.hits >= 3 * 20_000 - 9
    assert 50_000 < near.bytes <= 100_000


def test_where_bytes_are_not_bounded_nothing_is_weighed() -> None:
    class Weightless:
        def __sizeof__(self) -> int:
            raise AssertionError

    near = Near(10, ManualClock())
    assert put(near, "k", Weightless())
    assert near.bytes == near.cells["k"].weight == 0


def test_a_cache_is_bounded_by_bytes_where_asked() -> None:
    cache = Cache(max_bytes=100_000)

    @cache.cached()
    def page(number: int) -> bytes:
        return bytes(number)

    for number in range(0, 20_000, 20):
        assert len(page(number)) == number
        assert cache.stats().entries < 100
        if not 9000 < number < 10_000:  # where a tenth is depends on the length of the key
            assert (page.peek(number) is not None) is (number <= 9000)
    assert cache.stats().evicted > 100


@dataclass
class Plain:
    """A value with a dict of its own."""

    name: str
    price: float
    tags: list[str]


@dataclass(slots=True)
class Slim:
    """A value with slots."""

    name: str
    price: float
    tags: list[str]


class Struct(msgspec.Struct):
    """A value that is neither."""

    name: str
    price: float
    tags: list[str]


def named(number: int) -> str:
    return f"name number {number}"


VALUES: dict[str, Callable[[], Any]] = {
    "text": lambda: "x" * 5000,
    "bytearray": lambda: bytearray(5000),
    "integers": lambda: [number * 1000 for number in range(5000)],
    "rows": lambda: [{"id": n + 1000, "name": named(n), "text": "y" * n} for n in range(1000)],
    "tuples": lambda: [(n + 1000, named(n), n * 1.5, named(-n)) for n in range(1000)],
    "dict": lambda: {named(n): named(-n) for n in range(2000)},
    "set": lambda: {named(n) for n in range(2000)},
    "nested": lambda: {named(n): [{named(m): [named(m)] * 9} for m in range(9)] for n in range(9)},
    "dataclasses": lambda: [Plain(named(n), n * 1.5, [named(n)]) for n in range(500)],
    "slots": lambda: [Slim(named(n), n * 1.5, [named(n)]) for n in range(500)],
    "structs": lambda: [Struct(named(n), n * 1.5, [named(n)]) for n in range(500)],
    "one object": lambda: Plain("one", 1.5, [named(n) for n in range(100)]),
    "defaultdict": lambda: collections.defaultdict(list, {named(n): [named(n)] for n in range(99)}),
    "deque": lambda: collections.deque(named(n) for n in range(300)),
    "dates": lambda: [dt.date.fromordinal(1 + n) for n in range(300)],
}


@pytest.mark.parametrize("make", VALUES.values(), ids=VALUES)
def test_the_weight_is_about_what_the_value_takes(make: Callable[[], Any]) -> None:
    make()  # what is made once and kept is not the value's
    gc.collect()
    tracemalloc.start()
    try:
        value = make()
        gc.collect()
        takes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    told = weigh("", value) - weigh("", None)
    assert takes / 1.5 <= told <= takes * 1.5


def test_the_weight_has_the_key_and_what_it_costs_to_keep_it() -> None:
    """The lightest entries: what all of them take is what they are told to take, or less."""
    near, keys = Near(10_000, ManualClock(), max_bytes=10**9), [f"{n:050}" for n in range(10_000)]
    gc.collect()
    tracemalloc.start()
    try:
        for key in keys:
            put(near, key, None)
        gc.collect()
        takes = tracemalloc.get_traced_memory()[0] + sum(key.__sizeof__() for key in keys)
    finally:
        tracemalloc.stop()
    assert takes <= near.bytes <= 1.3 * takes


def test_what_holds_itself_and_what_is_deep_has_a_weight() -> None:
    circle: list[Any] = [1, 2]
    circle.append(circle)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert 0 < weigh("k", circle) < 1000
    assert 0 < weigh("k", deep) < 1000
