"""Eviction: who leaves a near tier that is full, by S3-FIFO.

Law: asked under the lock of its near tier only. A newcomer waits in a small queue, a tenth of
all. Who was used there goes on to the main queue; who was not leaves, and is remembered: if he is
back soon, he goes to the main queue at once. There every use is good for one more round, three at
most.

Source: Yang, Zhang, Qiu, Yue, Rashmi, "FIFO queues are all you need for cache eviction", SOSP 2023.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.cache.near import Cell

__all__ = ["MOST", "Eviction"]

MOST = 3.0
"""Uses beyond this give no longer life: yesterday's favourite must be able to leave."""
_SMALL = 10  # the small queue has a tenth of the room


class Eviction:
    """The order in which `cells` leave.

    Args:
        cells: Those of the near tier. A key that is no longer there is passed over.
        spend: Called with a cell and the uses it has left, to take the others off it.
    """

    def __init__(self, cells: Mapping[str, "Cell"], spend: Callable[["Cell", float], None]) -> None:
        self._cells = cells
        self._spend = spend
        self._small: deque[str] = deque()
        self._main: deque[str] = deque()
        self._left: set[int] = set()
        self._left_before: set[int] = set()

    def __len__(self) -> int:
        """How many places there are in both queues, left ones included."""
        return len(self._small) + len(self._main)

    def enter(self, key: str) -> None:
        """Give a newcomer his place."""
        mark = hash(key)
        back = mark in self._left or mark in self._left_before
        (self._main if back else self._small).append(key)
        if len(self._small) + len(self._main) > 2 * len(self._cells) + 64:
            self._close_ranks()

    def choose(self, now: float) -> str:
        """Return who leaves; there is somebody. He has no place any more."""
        while True:
            if not self._small and not self._main:  # lost in a fork, or by an interrupt
                self._main.extend(self._cells)
            waiting = len(self._small)
            small = 1 < waiting > len(self._cells) // _SMALL or not self._main
            key = (self._small if small else self._main).popleft()
            cell = self._cells.get(key)
            if cell is None:
                continue
            if cell.hits <= 0 or cell.stale_until <= now:
                if small:
                    self._remember(key)
                return key
            if not small:
                self._spend(cell, min(cell.hits, MOST) - 1)
            self._main.append(key)

    def clear(self) -> None:
        """Forget everybody, those who left included."""
        for places in (self._small, self._main, self._left, self._left_before):
            places.clear()

    def _remember(self, key: str) -> None:
        self._left.add(hash(key))
        if 2 * len(self._left) >= len(self._cells):
            self._left_before = self._left
            self._left = set()

    def _close_ranks(self) -> None:
        seen: set[str] = set()
        for queue in (self._main, self._small):  # who was dropped keeps his place until here
            alive = [key for key in dict.fromkeys(queue) if key in self._cells and key not in seen]
            seen.update(alive)
            queue.clear()
            queue.extend(alive)
