"""The near tier: values as objects of this process, bounded, read without a lock.

Law: a hit is one lookup, one comparison of times and one count on the cell. A cell is never changed
after it was filled but for its count and its death: it dies by `until = -inf` *before* its value
goes, and readers take the value *before* they look at `until`, so a dead cell is never served and
needs no lock. Every write goes through a hold that was set before the writer's first far operation
and is refused if anything was dropped since. Eviction is S3-FIFO: a small queue for newcomers, a
main queue for what was used again, and a memory of whom the small queue turned out.
"""

import os
import threading
import weakref
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from holdfast.cache.counts import Counts
from holdfast.clock import Clock

__all__ = ["NO_TRAITS", "Cell", "Hold", "Near", "Times", "Traits"]

Times = tuple[float, float, float, float]
"""Until when a value may be served unasked, is fresh, may be served stale; and until when it may be
made fresh again by being read (`sliding`)."""

_NEVER = float("-inf")
_MOST = 3.0  # uses beyond this give no longer life: yesterday's favourite must be able to leave
_SMALL = 10  # the small queue has a tenth of the room


class Cell:
    """One value.

    Attributes:
        value: The very object that was put.
        until: It may be served before this time; -inf once it was dropped.
        hits: Uses since the eviction last looked at it; a float, because adding to an int beyond
            the small ones costs a tenth of a whole hit more.
    """

    __slots__ = ("_more", "hits", "until", "value")  # four, so that a cell is 64 bytes

    def __init__(self, value: Any, times: Times, traits: "Traits", hits: float) -> None:
        until = times[0]
        self.value = value
        self.until = until
        self.hits = hits
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
    """At most `max_entries` values; 0 keeps none.

    Attributes:
        cells: What is kept, alive or not, by key. Read it freely, change it never.
        evicted: How many were turned out to make room.
    """

    def __init__(self, max_entries: int, clock: Clock) -> None:
        self.max_entries = max_entries
        self.cells: dict[str, Cell] = {}
        self.evicted = 0
        self._clock = clock
        self._small_room = max(1, max_entries // _SMALL)
        self._small: deque[str] = deque()
        self._main: deque[str] = deque()
        self._turned_out: set[int] = set()
        self._turned_out_before: set[int] = set()
        self._by_label: dict[str, set[str]] = {}
        self._holds: dict[str, set[Hold]] = {}
        self._counted = 0.0
        self._renew_lock()
        renew = weakref.WeakMethod(self._renew_lock)
        os.register_at_fork(after_in_child=lambda: (again := renew()) and again())

    def _renew_lock(self) -> None:
        # re-entrant: dropping a value may run its finalizer, which may come back here
        self._lock = threading.RLock()

    @property
    def hits(self) -> int:
        """How often a value was served, of cells here and gone; a few may be lost to races."""
        return int(self._counted + sum(cell.hits for cell in list(self.cells.values())))

    def hits_of(self, counts: Counts) -> int:
        """Return how often a value was served whose hits `counts` is told."""
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
        with self._lock:
            if hold.void or not hold.moved.isdisjoint(traits.labels):
                return False
            if times[2] <= self._clock():
                return False
            self._void(hold.key)
            if self.max_entries > 0:
                self._keep(hold.key, value, times, traits)
            return True

    def put(self, key: str, value: Any, *, times: Times, traits: Traits = NO_TRAITS) -> None:
        """Keep `value`, and refuse what is under way: the last word where there is no far tier."""
        with self._lock:
            self._void(key)
            self._keep(key, value, times, traits)

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
            for queue in (self._small, self._main):
                queue.clear()
            self._turned_out.clear()
            self._turned_out_before.clear()

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
            self._keep(key, value + by, (until, until, until, until), traits)
            return value + by

    def _void(self, key: str) -> None:
        for hold in self._holds.get(key, ()):
            hold.void = True

    def _keep(self, key: str, value: Any, times: Times, traits: Traits) -> None:
        old = self.cells.get(key)
        if old is not None:
            hits = min(old.hits, _MOST)
            self._kill(key, old, kept=hits)
        else:
            hits = 0.0
            while len(self.cells) >= self.max_entries:
                self._evict()
            self._queue(key)
        self.cells[key] = Cell(value, times, traits, hits)
        for label in traits.labels:
            self._by_label.setdefault(label, set()).add(key)

    def _queue(self, key: str) -> None:
        mark = hash(key)
        if mark in self._turned_out or mark in self._turned_out_before:
            self._main.append(key)
        else:
            self._small.append(key)
        if len(self._small) + len(self._main) > 2 * len(self.cells) + 64:
            self._sweep_queues()

    def _sweep_queues(self) -> None:
        seen: set[str] = set()
        for queue in (self._main, self._small):  # a dropped key stays in its queue until here
            alive = [key for key in dict.fromkeys(queue) if key in self.cells and key not in seen]
            seen.update(alive)
            queue.clear()
            queue.extend(alive)

    def _remove(self, key: str) -> None:
        cell = self.cells.pop(key, None)
        if cell is not None:
            self._kill(key, cell)

    def _kill(self, key: str, cell: Cell, *, kept: float = 0.0) -> None:
        traits = cell.traits
        self._count(traits, cell.hits - kept)
        for label in traits.labels:
            keys = self._by_label.get(label)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self._by_label[label]
        cell.die()

    def _count(self, traits: Traits, hits: float) -> None:
        self._counted += hits
        if traits.counts is not None:
            traits.counts.near_hits += hits

    def _evict(self) -> None:
        """Make room for one."""
        now = self._clock()
        while True:
            if not self._small and not self._main:  # lost in a fork, or by an interrupt
                self._main.extend(self.cells)
            if len(self._small) > self._small_room or not self._main:
                key = self._small.popleft()
                cell = self.cells.get(key)
                if cell is None:
                    continue
                if cell.hits > 0 and cell.stale_until > now:
                    self._main.append(key)
                    continue
                self._turn_out(key)
                return
            key = self._main.popleft()
            cell = self.cells.get(key)
            if cell is None:
                continue
            if cell.hits > 0 and cell.stale_until > now:
                left = min(cell.hits, _MOST) - 1
                self._count(cell.traits, cell.hits - left)
                cell.hits = left
                self._main.append(key)
                continue
            self._remove(key)
            self.evicted += 1
            return

    def _turn_out(self, key: str) -> None:
        self._remove(key)
        self.evicted += 1
        self._turned_out.add(hash(key))
        if 2 * len(self._turned_out) >= self.max_entries:
            self._turned_out_before = self._turned_out
            self._turned_out = set()
