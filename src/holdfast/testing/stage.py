"""The stage of `interleave`: a store, a clock and waits that pause, so that others may go on there.

Law: nothing happens here but between two pauses. A pause says what comes next, so that whoever
plays the callers knows what may meet.
"""

import functools
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from holdfast.errors import StoreTimeout
from holdfast.locks import Flight
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock

__all__ = ["Caller", "Pause", "Stage"]

Caller = Coroutine[object, None, object]
T = TypeVar("T")
_READS = frozenset({"get", "get_many", "ping"})
_WRITES = frozenset({"put", "delete", "swap"})


@dataclass(frozen=True, slots=True)
class Pause:
    """Where a caller stands: before a store operation, asleep, or waiting for a flight."""

    operation: str
    key: str = ""
    flight: Flight | None = None

    def __await__(self) -> Generator["Pause", None, None]:
        yield self

    @property
    def over(self) -> bool:
        """Whether the caller may go on."""
        if self.flight is None:
            return True
        return self.flight.looked if self.operation == "look" else self.flight.landed

    def meets(self, other: "Pause") -> bool:
        """Return whether it matters who of two in different processes goes on first."""
        if self.operation in _READS and other.operation in _READS:
            return False
        if {self.operation, other.operation} <= _READS | _WRITES:
            return not set(self.key.split()).isdisjoint(other.key.split())
        return True


class PausingStore:
    """An `AsyncStore` over `rows` whose every operation pauses first.

    Attributes:
        lose: Called with operation and key; "request" loses the operation, "reply" does it and then
            raises `StoreTimeout` as a server does whose answer got lost, "" does neither.
    """

    def __init__(self, rows: MemoryStore) -> None:
        self.rows = rows
        self.lose: Callable[[str, str], str] = lambda _operation, _key: ""

    async def _pause(self, operation: str, key: str) -> bool:
        await Pause(operation, key)
        lost = self.lose(operation, key)
        if lost == "request":
            raise StoreTimeout("stage", "the request was lost")
        return lost == "reply"

    async def get(self, key: str) -> bytes | None:
        lost = await self._pause("get", key)
        value = self.rows.get(key)
        return _answer(value, lost=lost)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        lost = await self._pause("get_many", " ".join(keys))
        return _answer(self.rows.get_many(keys), lost=lost)

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        lost = await self._pause("put", key)
        self.rows.put(key, value, ttl)
        _answer(None, lost=lost)

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        for key, value in items.items():  # not atomic, and said to be so: others may come between
            await self.put(key, value, ttl)

    async def delete(self, key: str) -> bool:
        lost = await self._pause("delete", key)
        return _answer(self.rows.delete(key), lost=lost)

    async def delete_many(self, keys: Sequence[str]) -> int:
        return sum([await self.delete(key) for key in keys])

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        lost = await self._pause("swap", key)
        return _answer(self.rows.swap(key, old, new, ttl), lost=lost)

    async def ping(self) -> None:
        await self._pause("ping", "")

    async def close(self) -> None:
        self.rows.close()


def _answer(value: T, *, lost: bool) -> T:
    if lost:
        raise StoreTimeout("stage", "the reply was lost")
    return value


class StageWaits:
    """`bridge.Waits` on a stage: a sleep moves the stage's clock, a join waits to be let on.

    Attributes:
        patient: Whether who would wait only for so long waits to the end; if not, he is let on at
            any time, and told how much has come to pass.
        detaches: See `bridge.Waits`; True plays event loops.
        begun: What was started and has not come onto the stage yet.
        cancelled: Who is cancelled as soon as he goes on.
    """

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.patient = False
        self.detaches = False
        self.begun: list[Caller] = []
        self.cancelled: set[Caller] = set()

    def now(self) -> float:
        """Return the stage's time."""
        return self._clock()

    def is_cancelled(self) -> bool:
        """Return whether one who met a cancellation was told to end: on a stage, always."""
        return self.detaches

    async def sleep(self, seconds: float) -> None:
        await Pause("sleep")
        self._clock.advance(seconds)

    async def join(
        self, flight: Flight, timeout: float | None = None, *, or_looked: bool = False
    ) -> bool:
        if timeout is not None and not self.patient:
            await self.sleep(timeout)
            return flight.looked if or_looked else flight.landed
        over = flight.looked if or_looked else flight.landed
        await Pause("pass" if over else "look" if or_looked else "join", flight=flight)
        return True

    def start(
        self,
        steps: Callable[[], Coroutine[object, None, object]],
        over: Callable[[], object],
        *,
        hurried: bool,  # noqa: ARG002 - all have the same stage
    ) -> Callable[[], object] | None:
        """Put `steps` onto the stage, as one more caller in the process of who starts them."""

        async def run() -> None:
            try:
                await Pause("begin")
                await steps()
            finally:
                over()

        begun = run()
        self.begun.append(begun)
        return functools.partial(self.cancelled.add, begun) if self.detaches else None

    def apart(
        self, steps: Callable[[], Coroutine[object, None, object]], over: Callable[[], object]
    ) -> None:
        """The same: on a stage nobody has a thread of his own."""
        self.start(steps, over, hurried=True)


class Stage:
    """Where callers meet.

    Attributes:
        clock: The time of everybody.
        rows: What the store holds, to be read and written without a pause.
        store: The same rows as an `AsyncStore` that pauses before each operation.
        waits: How engines wait here.
        log: What was done so far: the number of the caller and where he stood.
    """

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.rows = MemoryStore("stage", clock=self.clock)
        self.store = PausingStore(self.rows)
        self.waits = StageWaits(self.clock)
        self.log: list[tuple[int, Pause | str]] = []

    async def pause(self, label: str = "") -> None:
        """Let others go on here: what a caller does when his application takes its time."""
        await Pause("pause", label)
