"""One face of a store under faults, called from a test that blocks: alone, or by many at once.

Law: a step is written once, over the async face; threads drive it over the sync one. Only the
world's faults are outcomes; any other exception fails the test.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from holdfast.bridge import Blocking, drive
from holdfast.errors import StoreError, StoreTimeout
from holdfast.store.protocol import AsyncStore, OpenStore
from holdfast.testing.trial import in_threads

__all__ = ["Face", "Outcome", "Step", "outcome_of", "patiently", "until"]

_LATE = 0.15  # seconds; less than any timeout of the suite
_PATIENCE = 20.0  # seconds until a step counts as stuck
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Step = Callable[[AsyncStore], Coroutine[object, None, T]]


@dataclass(frozen=True)
class Outcome(Generic[T_co]):
    """What became of a step.

    Attributes:
        value: What it returned, where `error` is None.
        error: The fault it raised.
        seconds: How long it took.
    """

    value: T_co | None
    error: StoreError | None
    seconds: float

    @property
    def was_late(self) -> bool:
        """Whether time was up; a lost reply, too, is a `StoreTimeout`, but an early one."""
        return isinstance(self.error, StoreTimeout) and self.seconds >= _LATE


async def outcome_of(step: Coroutine[object, None, T]) -> Outcome[T]:
    """Run `step` and tell what became of it."""
    value, error = None, None
    started = time.monotonic()
    try:
        value = await step
    except StoreError as caught:
        error = caught
    return Outcome(value, error, time.monotonic() - started)


async def patiently(ask: Callable[[], Coroutine[object, None, T]]) -> T:
    """Return what may be asked again, when there is no fault: a busy machine is none."""
    for _ in range(5):
        outcome = await outcome_of(ask())
        if not outcome.was_late:
            break
    if outcome.error is not None:
        raise outcome.error
    return cast("T", outcome.value)


class Face:
    """One face of `store`; all its tasks run in one event loop, which stands still between calls.

    Attributes:
        crowd: How many threads or tasks make a crowd.
    """

    def __init__(self, store: OpenStore, kind: str) -> None:
        self.store = store
        self.crowd = 20 if kind == "sync" else 50
        self._face: AsyncStore = Blocking(store) if kind == "sync" else store.aio
        self._runner = None if kind == "sync" else asyncio.Runner()

    def do(self, step: Step[T]) -> T:
        """Run one step."""
        if self._runner is None:
            return drive(step(self._face))
        return self._runner.run(_before_patience_ends(step(self._face)))

    def calmly(self, step: Step[T]) -> T:
        """Run a step that may be repeated, when there is no fault: a busy machine is none."""
        return self.do(lambda store: patiently(lambda: step(store)))

    def attempt(self, step: Step[T]) -> Outcome[T]:
        """Run one step, and tell what became of it."""
        return self.do(lambda store: outcome_of(step(store)))

    def all_at_once(self, steps: Sequence[Step[T]]) -> list[Outcome[T]]:
        """Run steps in as many threads or tasks; tell what became of each."""
        if self._runner is not None:
            return self.do(lambda store: _together(store, steps))
        found: dict[int, Outcome[T]] = {}

        def work(number: int) -> None:
            found[number] = self.attempt(steps[number])

        in_threads(len(steps), work)
        return [found[number] for number in range(len(steps))]

    def close(self) -> None:
        """Close the store, in the loop that its connections belong to; twice is fine."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.run(self._face.close())
            runner.close()
        self.store.close()


async def _before_patience_ends(step: Coroutine[object, None, T]) -> T:
    """Fail the test where a call would wait for ever."""
    async with asyncio.timeout(_PATIENCE):
        return await step


async def _together(store: AsyncStore, steps: Sequence[Step[T]]) -> list[Outcome[T]]:
    return list(await asyncio.gather(*(outcome_of(step(store)) for step in steps)))


def until(done: Callable[[], bool], what: str, patience: float = 20) -> None:
    """Wait until something is so."""
    end = time.monotonic() + patience
    while not done():
        assert time.monotonic() < end, f"it never came: {what}"
        time.sleep(0.01)
