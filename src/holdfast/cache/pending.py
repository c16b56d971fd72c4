"""Pending: invalidations, and ends of leases, the far tier has not heard of yet.

Law: what waits here is treated as absent in this process, whatever the far tier says. One entry per
key or label: the newest wins, be it an invalidation or a value that was written after it. Too many
become one invalidation of everything.
"""

import heapq
import itertools
import threading
from collections.abc import Iterable
from operator import itemgetter

from holdfast.cache.space import EVERYTHING, Item
from holdfast.forks import in_each_child

__all__ = ["Pending"]


class Pending:
    """At most `most` keys and labels.

    Attributes:
        waiting: Far keys and labels; the number of each, the oldest has the lowest, and whether it
            is a label. Read it freely: what waits is there at any moment, without the lock.
        settled: How often something ceased to wait. Who finds that it changed while he read the far
            tier reads again: what he read may be what was invalidated.
        leases: Tokens of leases that could not be given back, by key: nobody should wait for them.
    """

    def __init__(self, most: int = 10_000) -> None:
        self.waiting: dict[str, tuple[int, bool]] = {}
        self.settled = 0
        self.leases: dict[str, bytes] = {}
        self._most = most
        self._numbers = itertools.count(1)
        self._renew_lock()
        in_each_child(self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    def add(self, names: Iterable[str], *, labels: bool) -> None:
        """Let far keys, or labels, wait."""
        with self._lock:
            for name in names:
                self.waiting[name] = (next(self._numbers), labels)
            if len(self.waiting) > self._most:
                self.waiting = {EVERYTHING: (next(self._numbers), True)}

    def owe(self, lease: str, token: bytes) -> None:
        """Let a lease wait to be given back; one too many ends by itself."""
        with self._lock:
            if len(self.leases) < self._most:
                self.leases[lease] = token

    def gave_back(self, lease: str, token: bytes) -> None:
        """Forget a lease that was given back, unless there is a later one."""
        with self._lock:
            if self.leases.get(lease) == token:
                del self.leases[lease]

    def mark(self, name: str) -> tuple[int, bool] | None:
        """Return what `superseded` needs to know of `name`, before a value is made for it."""
        return self.waiting.get(name) if self.waiting else None

    def superseded(self, name: str, mark: tuple[int, bool] | None) -> None:
        """Forget `name` if it was not added again since: the far tier has something newer."""
        if mark is not None:
            with self._lock:
                if self.waiting.get(name) == mark:
                    self.settled += 1  # first: who reads must not see neither
                    del self.waiting[name]

    def newest_first(self, most: int) -> list[tuple[str, tuple[int, bool]]]:
        """Return what waits, at most so much of it."""
        with self._lock:
            return heapq.nlargest(most, self.waiting.items(), key=itemgetter(1))

    def hides(self, item: Item, labels: Iterable[str]) -> bool:
        """Return whether what the far tier has under `item`, with these labels, is over."""
        waiting = self.waiting
        return bool(waiting) and not waiting.keys().isdisjoint((item.far, EVERYTHING, *labels))
