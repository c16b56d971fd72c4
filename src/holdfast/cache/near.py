"""The near tier: values as objects of this process, bounded, read without a lock.

Law: a hit is one lookup, one comparison of times and one count on the cell. A cell is never changed
after it was filled but for its count and its death: it dies by `until = -inf` *before* its value
goes, and readers take the value *before* they look at `until`, so a dead cell is never served and
needs no lock. Every write goes through a hold that was set before the writer's first far operation
and is refused if anything was dropped since. Who leaves when it is full stands in `eviction.py`.
Without a global interpreter lock a use that is counted while the eviction looks at its cell may put
the count back; nothing else depends on it.
"""

import math
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from holdfast.cache.counts import Counts
from holdfast.cache.eviction import MOST, Eviction
from holdfast.cache.weight import weigh
from holdfast.clock import Clock
from holdfast.forks import in_each_child

__all__ = ["NO_TRAITS", "Cell", "Hold", "Near", "Times", "Traits"]

Times = tuple[float, float, float, float]
"""Until when a value may be served unasked, is fresh, may be served stale; and until when it may be
made fresh again by being read (`sliding`)."""

_NEVER = -math.inf
_BOUNDLESS = math.inf
_HEAVIEST = 10  # one value may take a tenth of the bytes: it would turn out too many others


class Cell:
    """One value.

    Attributes:
        value: The very object that was put.
        until: It may be served before this time; -inf once it was dropped.
        hits: Uses since the eviction last looked at it; a float, because adding to an int beyond
            the small ones costs a tenth of a whole hit more.
        weight: Its bytes, where they are bounded; else 0.
    """

    __slots__ = ("_more", "hits", "until", "value")  # four, so that a cell is 64 bytes
    weight = 0

    def __init__(self, value: Any, times: Times, traits: "Traits") -> None:
        until = times[0]
        self.value = value
        self.until = until
        self.hits = 0.0
        plain = until == times[1] == times[2] == times[3]
        self._more: Any = traits if plain else (times, traits)

    @property
    def times(self) -> Times:
        """All its times; they matter where there is no far tier."""
        more = self._more  # once: it may die meanwhile
        if type(more) is tuple:
            times: Times = more[0]
            return times
        until = self.until
        return until, until, until, until

    @property
    def stale_until(self) -> float:
        """It may be served stale before this time, where there is no far tier."""
        return self.times[2]

    @property
    def traits(self) -> "Traits":
        """What it has in common with others: its labels, and who counts its hits."""
        more = self._more
        traits: Traits = more[1] if type(more) is tuple else more
        return traits

    def die(self) -> None:
        """Be served no more. The time goes first: see the law of this file."""
        self.until = _NEVER
        self._more = NO_TRAITS
        self.hits = 0.0
        self.value = None  # whoever still points here must not keep it alive


class _Weighed(Cell):
    # A cell of a near tier whose bytes are bounded: nobody else pays for the weight.
    __slots__ = ("weight",)

    def __init__(self, value: Any, times: Times, traits: "Traits", weight: int) -> None:
        super().__init__(value, times, traits)
        self.weight = weight


@dataclass(frozen=True, slots=True, eq=False)
class Traits:
    """What cells have in common; one object for many, so that a cell stays small.

    Attributes:
        labels: The tags and namespaces that drop it.
        counts: Who is told how often it was served, beside the near tier itself.
    """

    labels: tuple[str, ...] = ()
    counts: Counts | None = None


NO_TRAITS = Traits()


class Hold:
    """A writer's placeholder: may fill its key as long as nothing was dropped since.

    Attributes:
        key: The key it stands for.
        since: When it was set.
        void: Whether the key was dropped since.
        moved: Labels that were dropped since.
    """

    __slots__ = ("key", "moved", "since", "void")

    def __init__(self, key: str, since: float) -> None:
        self.key = key
        self.since = since
        self.void = False
        self.moved: set[str] = set()


class Near:
    """At most `max_entries` values, of at most `max_bytes`; 0 keeps none.

    Args:
        max_entries: How many values.
        clock: The time.
        max_bytes: How many bytes all of them may take with their keys and what is needed to keep
            them, as `weigh` estimates it. A value heavier than a tenth of it is not kept at all.
            None: values are not weighed.

    Attributes:
        cells: What is kept, alive or not, by key. Read it freely, change it never.
        bytes: How many bytes that takes; 0 where they are not bounded.
        evicted: How many were turned out to make room.
    """

    def __init__(self, max_entries: int, clock: Clock, *, max_bytes: int | None = None) -> None:
        self.max_entries = max_entries
        self.max_bytes = _BOUNDLESS if max_bytes is None else max_bytes
        self.cells: dict[str, Cell] = {}
        self.bytes = 0
        self.evicted = 0
        self._clock = clock
        self._eviction = Eviction(self.cells, self._spend)
        self._round: Iterator[str] = iter(())
        self._by_label: dict[str, set[str]] = {}
        self._holds: dict[str, set[Hold]] = {}
        self._counted = 0.0
        # re-entrant: dropping a value may run its finalizer, which may come back here
        self._lock = threading.RLock()
        in_each_child(self._begin_anew)

    def _begin_anew(self) -> None:
        """Begin anew in the child of a fork, which has none of the other threads."""
        is_whole = self._lock.acquire(blocking=False)
        self._lock = threading.RLock()
        for key in self._holds:
            self._void(key)
        self._holds = {}
        if not is_whole:  # one of those threads was about to change something
            self.clear()
            self._by_label = {}
            self.bytes = 0

    @property
    def hits(self) -> int:
        """How often a value was served, of cells here and gone; a few may be lost to races."""
        with self._lock:  # else what the eviction moves meanwhile could be counted twice
            return int(self._counted + sum(cell.hits for cell in list(self.cells.values())))

    def hits_of(self, counts: Counts) -> int:
        """Return how often a value was served whose hits `counts` is told."""
        with self._lock:
            alive = [cell for cell in list(self.cells.values()) if cell.traits.counts is counts]
            return int(counts.near_hits + sum(cell.hits for cell in alive))

    def hold(self, key: str) -> Hold:
        """Set a placeholder; every one needs its `release`."""
        hold = Hold(key, self._clock())
        with self._lock:
            self._holds.setdefault(key, set()).add(hold)
        return hold

    def release(self, hold: Hold) -> None:
        """Take the placeholder away."""
        with self._lock:
            standing = self._holds.get(hold.key)
            if standing is not None:
                standing.discard(hold)
                if not standing:
                    del self._holds[hold.key]

    def fill(
        self,
        hold: Hold,
        value: Any,
        *,
        times: Times,
        traits: Traits = NO_TRAITS,
    ) -> bool:
        """Keep `value` if the placeholder still stands and none of its labels moved; say whether.

        Args:
            hold: The placeholder.
            value: What to keep.
            times: See `Times`.
            traits: What else may drop it, and who counts its hits.
        """
        cell = self._cell(hold.key, value, times, traits)
        with self._lock:
            if hold.void or not hold.moved.isdisjoint(traits.labels):
                return False
            if times[2] <= self._clock():
                return False
            self._void(hold.key)
            return self._keep(hold.key, cell)

    def put(self, key: str, value: Any, *, times: Times, traits: Traits = NO_TRAITS) -> bool:
        """Keep `value`, and refuse what is under way: the last word where there is no far tier.

        Return whether it is kept: it may be too heavy. What was there before is gone in any case.
        """
        cell = self._cell(key, value, times, traits)
        with self._lock:
            self._void(key)
            return self._keep(key, cell)

    def drop(self, keys: Iterable[str]) -> None:
        """Forget `keys`, and refuse what is under way to them."""
        with self._lock:
            for key in keys:
                self._void(key)
                self._remove(key)

    def drop_labels(self, labels: Iterable[str]) -> None:
        """Forget whatever has one of `labels`, and refuse such as is under way."""
        with self._lock:
            for label in labels:
                for holds in list(self._holds.values()):
                    for hold in list(holds):
                        hold.moved.add(label)
                for key in list(self._by_label.get(label, ())):
                    self._remove(key)

    def clear(self) -> None:
        """Forget everything, and refuse everything under way."""
        with self._lock:
            for key in list(self._holds):
                self._void(key)
            for key in list(self.cells):
                self._remove(key)
            self._eviction.clear()

    def add(self, key: str, by: int, until: float, traits: Traits = NO_TRAITS) -> int:
        """Count up, in one step; a value that is not there counts as 0 and lives until `until`.

        Raises:
            TypeError: What is there is no integer.
        """
        with self._lock:
            cell = self.cells.get(key)
            if cell is None or cell.until <= self._clock():
                value = 0
            else:
                value, until, traits = cell.value, cell.until, cell.traits
            if type(value) is not int:
                raise TypeError(f"{key!r} holds no integer")
            self._void(key)
            self._keep(key, self._cell(key, value + by, (until, until, until, until), traits))
            return value + by

    def _void(self, key: str) -> None:
        for hold in self._holds.get(key, ()):
            hold.void = True

    def _cell(self, key: str, value: Any, times: Times, traits: Traits) -> Cell:
        if self.max_bytes == _BOUNDLESS:
            return Cell(value, times, traits)
        return _Weighed(value, times, traits, weigh(key, value, traits.labels))

    def _keep(self, key: str, cell: Cell) -> bool:
        self._tidy()
        if not self.max_entries or cell.weight * _HEAVIEST > self.max_bytes:
            self._remove(key)
            return False
        old = self._make_room(key, cell.weight)
        traits = cell.traits
        if old is not None:
            cell.hits = min(old.hits, MOST)
            self._count(traits, -cell.hits)  # they are counted with the old one
        self.cells[key] = cell
        self.bytes += cell.weight
        if old is None:
            self._eviction.enter(key)
        else:
            self._forget(key, old)
        for label in traits.labels:
            self._by_label.setdefault(label, set()).add(key)
        if old is not None:
            old.die()  # last: its value may have a finalizer that comes back here
        return True

    def _make_room(self, key: str, weight: int) -> Cell | None:
        """Turn out who must leave; return what is under `key`: it may have to leave itself."""
        while True:
            old = self.cells.get(key)
            fits = old is not None or len(self.cells) < self.max_entries
            if fits and self.bytes + weight - (old.weight if old else 0) <= self.max_bytes:
                return old
            self._remove(self._eviction.choose(self._clock()))
            self.evicted += 1

    def _tidy(self) -> None:
        """Look at the next cell, so that what is over leaves a cache that is never full."""
        key = next(self._round, None)
        if key is None:
            self._round = iter(list(self.cells))
            return
        cell = self.cells.get(key)
        if cell is not None and cell.until <= (now := self._clock()) and cell.stale_until <= now:
            self._remove(key)

    def _remove(self, key: str) -> None:
        cell = self.cells.pop(key, None)
        if cell is not None:
            self._forget(key, cell)
            cell.die()

    def _forget(self, key: str, cell: Cell) -> None:
        """Take what goes out of the sums and from under its labels."""
        traits = cell.traits
        self._count(traits, cell.hits)
        self.bytes -= cell.weight
        for label in traits.labels:
            keys = self._by_label.get(label)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self._by_label[label]

    def _spend(self, cell: Cell, left: float) -> None:
        """Leave `cell` so many of its uses; the others are counted."""
        self._count(cell.traits, cell.hits - left)
        cell.hits = left

    def _count(self, traits: Traits, hits: float) -> None:
        self._counted += hits
        if traits.counts is not None:
            traits.counts.near_hits += hits
