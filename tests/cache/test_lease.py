"""Leases: how long who waits for one lets pass before he looks again."""

from collections.abc import Sequence

from holdfast.bridge import ThreadWaits, drive
from holdfast.cache import Cache
from holdfast.cache.lease import Lease
from holdfast.locks import Flight
from holdfast.store.bus import Listener


class Whole:
    """A bus on which nothing is told."""

    name = "whole"
    speaks = True

    def listen(self, prefixes: Sequence[str], listener: Listener) -> None:
        assert prefixes
        listener.ready()

    def wrote(self, key: str, value: bytes) -> None: ...

    def publish(self, keys: Sequence[str]) -> None: ...

    def close(self) -> None: ...


class Patient(ThreadWaits):
    """Waits that take no time, and are noted."""

    def __init__(self) -> None:
        self.time = 0.0
        self.pauses: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds

    async def join(
        self, flight: Flight, timeout: float | None = None, *, or_looked: bool = False
    ) -> bool:
        assert timeout is not None
        await self.sleep(timeout)
        return flight.landed or or_looked


def pauses(bus: Whole | None) -> list[float]:
    """Return the pauses of who waits for 20 seconds for somebody who was killed."""
    with Cache("memory://", bus=bus) as cache:
        engine, waits = cache._engine, Patient()
        far, item = engine._far, cache._space.item("k")
        assert far is not None
        waiting = Lease(cache._core, far, item, waits)
        while waits.time < 20:
            drive(waiting.wait())
        drive(waiting.release())
    return waits.pauses


def test_who_waits_looks_soon_at_first_and_never_late() -> None:
    alone = pauses(None)
    assert max(alone[:5]) < 0.01
    assert max(alone) < 0.35


def test_who_is_to_be_woken_does_not_rely_on_it() -> None:
    heard = pauses(Whole())
    assert max(heard) <= 0.4  # who was killed wakes nobody
    assert len(heard) < len(pauses(None))
