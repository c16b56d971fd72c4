"""Keyed locks of this process: who is making what, for threads and tasks alike.

Law: no waiting here. A caller either becomes the one who flies, or is handed the flight of another
and waits for its landing in his own way (`bridge.Waits`). A flight carries no value, only a
failure: whoever waited reads again. Where each must do the work himself, they take `Turns`.
An event loop that stands still flies nothing: nobody waits for what it has begun.
"""

import asyncio
import contextlib
import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType

from holdfast.clock import monotonic
from holdfast.forks import in_each_child

__all__ = ["Flight", "Flights", "Turns"]

_GLANCE = 1.0  # seconds


class Flight:
    """One running creation.

    Attributes:
        landed: Whether it is over.
        error: What it failed with, to be raised in each who waited; None if it did not fail.
        trace: Where it failed. Each raises it with this one: the error of many must not grow.
        thread: The identity of the thread that flies it: who blocks that one must not wait for it.
        loop: The event loop that flies it; None if a thread does.
        standing: Whether something may be served while it flies; known when it has looked.
        vain: Whether its value may not be kept, so that each who waited needs one of his own.
        cancel: Ends it, where it can be ended; called when the last who waited has gone.
    """

    __slots__ = (
        "_callbacks",
        "_guard",
        "_looking",
        "_waiting",
        "cancel",
        "error",
        "landed",
        "looked",
        "loop",
        "standing",
        "thread",
        "trace",
        "vain",
    )

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.loop = _running_loop()
        self._guard = threading.Lock()
        self._callbacks: list[Callable[[], object]] = []
        self._looking: list[Callable[[], object]] = []
        self._waiting = 0
        self.landed = False
        self.looked = False
        self.standing = False
        self.vain = False
        self.cancel: Callable[[], object] | None = None
        self.error: BaseException | None = None
        self.trace: TracebackType | None = None

    @property
    def is_lost(self) -> bool:
        """Whether the event loop that flies it stands still: nobody runs it, or it was closed."""
        return self.loop is not None and not self.loop.is_running()

    def when_landed(self, tell: Callable[[], object], *, or_looked: bool = False) -> None:
        """Call `tell` once it has landed: at once if it has, else on the thread that lands it.

        Args:
            tell: Called once.
            or_looked: Call it as soon as it has looked what stands there now.
        """
        with self._guard:
            if not (self.looked if or_looked else self.landed):
                (self._looking if or_looked else self._callbacks).append(tell)
                return
        tell()

    def look_over(self, *, standing: bool) -> None:
        """Wake who waits for the look: what stands there may be served now, or there is nothing."""
        with self._guard:
            self.looked, self.standing = True, standing
            callbacks, self._looking = self._looking, []
        _tell(callbacks)

    def glances(self, timeout: float | None) -> Iterator[float]:
        """Yield how many seconds to wait before each look at it, until `timeout` s went by.

        If it is lost, it is landed.
        """
        end = math.inf if timeout is None else monotonic() + timeout
        left = math.inf
        while left > _GLANCE:
            if self.is_lost:
                self.land()
            left = end - monotonic()
            yield max(0.0, min(_GLANCE, left))

    def enter(self) -> None:
        """Begin to wait for it; `leave` must follow."""
        with self._guard:
            self._waiting += 1

    def leave(self, *, give_up: bool = False) -> None:
        """Wait for it no longer.

        Args:
            give_up: Whether the caller was cancelled: if nobody else waits, so is the flight. One
                that somebody left to go on goes on.
        """
        with self._guard:
            self._waiting -= 1
            cancel = self.cancel if give_up and not self._waiting and not self.landed else None
            if not give_up and not self.landed:
                self.cancel = None
        if cancel is not None:
            cancel()

    def land(self, error: BaseException | None = None) -> None:
        """End the flight and wake everybody who waits for it; a second landing changes nothing."""
        with self._guard:
            if self.landed:
                return
            self.error, self.landed, self.looked = error, True, True
            self.trace = None if error is None else error.__traceback__
            callbacks, self._callbacks = self._callbacks + self._looking, []
            self._looking = []
            self.cancel = None
        _tell(callbacks)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _tell(callbacks: list[Callable[[], object]]) -> None:
    if not callbacks:
        return
    with contextlib.ExitStack() as telling:  # all are told, even if one of them raises
        for tell in reversed(callbacks):
            telling.callback(tell)


class Flights:
    """At most one flight per key in this process; a forked child starts with none."""

    def __init__(self) -> None:
        self._forget()
        in_each_child(self._forget)

    def _forget(self) -> None:
        self._guard = threading.Lock()
        self._flights: dict[str, Flight] = {}

    def board(self, key: str) -> tuple[Flight, bool]:
        """Return the flight of `key` and whether the caller flies it: then he must `land` it."""
        with self._guard:
            before = self._flights.get(key)
            if before is not None and not before.is_lost and not before.landed:
                return before, False
            flight = self._flights[key] = Flight()
        if before is not None:
            before.land()  # nobody flies it any more
        return flight, True

    def wake(self, key: str) -> None:
        """End the flight of `key`, if there is one: for those who only wait to be woken."""
        with self._guard:
            flight = self._flights.pop(key, None)
        if flight is not None:
            flight.land()

    def flies(self, key: str) -> bool:
        """Return whether there is a flight of `key`."""
        return key in self._flights

    def forget(self, key: str, flight: Flight | None = None) -> None:
        """Let the next who boards `key` fly anew; who waits already goes on waiting.

        Args:
            key: Whose flight.
            flight: The one that is meant; another that came after it stays.
        """
        with self._guard:
            if flight is None or self._flights.get(key) is flight:
                self._flights.pop(key, None)

    def land(self, key: str, flight: Flight, error: BaseException | None = None) -> None:
        """End `flight`; the next who boards `key` flies anew."""
        with self._guard:
            if self._flights.get(key) is flight:
                del self._flights[key]
        flight.land(error)


class Turns:
    """One caller at a time for a key, in the order they came; a forked child starts with none.

    Only the next one is woken: were all woken, the work would grow with the square of their number.
    """

    def __init__(self) -> None:
        self._forget()
        in_each_child(self._forget)

    def _forget(self) -> None:
        self._guard = threading.Lock()
        self._waiting: dict[str, deque[Flight]] = {}  # whose turn it is, is not among them

    def ask(self, key: str) -> Flight:
        """Return what lands when it is the caller's turn; he must `leave` with it in any case."""
        mine = Flight()
        with self._guard:
            waiting = self._waiting.get(key)
            if waiting is not None:
                waiting.append(mine)
                return mine
            self._waiting[key] = deque()
        mine.land()
        return mine

    def leave(self, key: str, mine: Flight) -> None:
        """End the turn, so that the next has his; or wait for it no longer."""
        with self._guard:
            waiting = self._waiting.get(key)
            if waiting is None:  # asked for before a fork
                return
            if not mine.landed and mine in waiting:
                waiting.remove(mine)
                return
            if not waiting:
                del self._waiting[key]
                return
            following = waiting.popleft()
        following.land()
