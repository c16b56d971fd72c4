"""Every order of several callers, played without threads and without a loop.

Law: a caller is a coroutine over a store that pauses before each operation. Whoever plays it
decides who goes on next, so every order (and a crash between any two operations) is one run,
repeatable to the step. Of orders that differ only in the turns of what cannot meet, one is played.
Nothing here knows what is played.

    def scene(stage: Stage) -> Scene:
        stage.rows.put("n", b"0")
        def check(ends: list[End]) -> None:
            assert stage.rows.get("n") == b"2"
        return Scene([add_one(stage.store), add_one(stage.store)], check)

    assert play_every_order(scene) > 1
"""

import contextlib
import contextvars
import random
from asyncio import CancelledError
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from holdfast.testing.stage import Caller, Pause, Stage

__all__ = ["Caller", "End", "Scene", "Stage", "play_every_order", "play_some_orders"]

_TOO_LONG = 2000
Fates = Mapping[str, Sequence[int]]


@dataclass(slots=True)
class End:
    """How a caller ended: with a value, with an error, or not at all.

    Attributes:
        value: What he returned.
        error: What he raised.
        crashed: Whether he stopped for ever in the middle.
        over: Whether he came to an end of his own.
        cancelled: Whether that end was that he was cancelled.
    """

    value: object = None
    error: Exception | None = None
    crashed: bool = False
    over: bool = False
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """The callers, and what must hold when all have ended.

    Attributes:
        callers: Each runs in a context of his own, as a thread or a task does.
        check: Given how each ended: first the callers, then what they started.
        homes: The process of each caller: those of different processes share the store and the
            clock, and meet nowhere else. Empty: all are in one.
    """

    callers: Sequence[Caller]
    check: Callable[[list[End]], None]
    homes: Sequence[int] = ()


class _Step(NamedTuple):
    """What may come next: `number` goes on from where he stands, or his fate befalls him there."""

    number: int
    fate: str
    home: int
    pause: Pause

    def meets(self, other: "_Step") -> bool:
        if self.number == other.number or (self.fate and other.fate):
            return True
        if "crash" in (self.fate, other.fate):
            return False
        cancelled = bool(self.fate or other.fate)
        return cancelled or self.home == other.home or self.pause.meets(other.pause)


class _Gone(BaseException):
    """What ends a caller who crashed: no store hears of it."""


class _Run:
    """One order of a scene, as far as it has come."""

    def __init__(self, scene: Scene, stage: Stage, fates: Fates) -> None:
        self.stage = stage
        self.ends: list[End] = []
        self._fates = fates
        self._callers: list[Caller] = []
        self._contexts: list[contextvars.Context] = []
        self._homes: list[int] = []
        self._standing: dict[int, Pause] = {}
        self._names: dict[str, str] = {}
        self._crashed = self._befallen = False
        homes = scene.homes or [0] * len(scene.callers)
        for caller, home in zip(scene.callers, homes, strict=True):
            self._enter(caller, home, contextvars.copy_context())
        for number in range(len(scene.callers)):
            self._resume(number)

    def _enter(self, caller: Caller, home: int, context: contextvars.Context) -> None:
        self.ends.append(End())
        self._callers.append(caller)
        self._contexts.append(context)
        self._homes.append(home)

    def steps(self) -> list[_Step]:
        """Return what may come next."""
        steps = [
            self._step(number, "")
            for number, pause in self._standing.items()
            if pause.over or self._callers[number] in self.stage.waits.cancelled
        ]
        if not self._befallen:
            for fate, numbers in self._fates.items():
                steps += [
                    self._step(number, fate)
                    for number in numbers
                    if number in self._standing
                    and (fate == "cancel" or self._standing[number].over)
                ]
        if self._standing and not steps and not self._crashed:
            raise AssertionError(f"everybody waits for somebody: {self._standing}")
        return steps

    def _step(self, number: int, fate: str) -> _Step:
        """Return what comes next for `number`, with its keys named as they turned up in this order.

        A scene may have random keys: the same beginning played again has others.
        """
        pause, names = self._standing[number], self._names
        keys = [names.setdefault(key, str(len(names))) for key in pause.key.split()]
        known = Pause(pause.operation, " ".join(keys), pause.flight)
        return _Step(number, fate, self._homes[number], known)

    def go(self, step: _Step) -> None:
        pause = self._standing.pop(step.number)
        self.stage.log.append((step.number, step.fate or pause))
        self._befallen = self._befallen or bool(step.fate)
        if step.fate == "crash":
            self._crashed = self.ends[step.number].crashed = True
            return
        if step.fate == "cancel":
            self.stage.waits.cancelled.add(self._callers[step.number])
        self._resume(step.number)

    def _resume(self, number: int) -> None:
        end, caller, waits = self.ends[number], self._callers[number], self.stage.waits
        try:
            if caller in waits.cancelled:
                waits.cancelled.discard(caller)
                pause = self._contexts[number].run(caller.throw, CancelledError())
            else:
                pause = self._contexts[number].run(caller.send, None)
        except StopIteration as done:
            end.value, end.over = done.value, True
        except CancelledError:
            end.cancelled = end.over = True
        except Exception as error:  # noqa: BLE001 - how a caller ends is for the check to judge
            end.error, end.over = error, True
        else:
            assert isinstance(pause, Pause), f"awaited something that is not on stage: {pause!r}"
            self._standing[number] = pause
        begun, waits.begun = waits.begun, []
        for steps in begun:
            self._enter(steps, self._homes[number], self._contexts[number].copy())
            self._resume(len(self._callers) - 1)

    def close(self) -> None:
        for caller, context in zip(self._callers, self._contexts, strict=True):
            with contextlib.suppress(_Gone, CancelledError, Exception):
                while True:  # each of his blocks may want to clean up: a crashed caller does not
                    context.run(caller.throw, _Gone())


def _play(
    scene: Callable[[Stage], Scene],
    choose: Callable[[list[_Step]], _Step | None],
    fates: Fates,
) -> None:
    """Play one order, up to where `choose` returns None."""
    stage = Stage()
    here = scene(stage)
    run = _Run(here, stage, fates)
    try:
        while steps := run.steps():
            step = choose(steps)
            if step is None:
                return
            run.go(step)
            assert len(stage.log) < _TOO_LONG, "they go on for ever"
        here.check(run.ends)
    except AssertionError as error:
        lines = "\n".join(f"  {number}: {what}" for number, what in stage.log[:200])
        raise AssertionError(f"{error}\nin this order:\n{lines}\nends: {run.ends}") from error
    finally:
        run.close()


@dataclass(slots=True)
class _Fork:
    """A moment of a run: what may come next there, and what was played or is asleep.

    What was played here and does not meet the step that is played now need not be played after it
    either, until something meets it: it is asleep (Godefroid, "Partial-Order Methods", 1996).
    """

    steps: list[_Step]
    asleep: list[_Step]
    at: int = 0

    @property
    def step(self) -> _Step:
        return self.steps[self.at]

    def next(self, steps: list[_Step]) -> "_Fork":
        """Return the moment after `step`, where `steps` may come next."""
        asleep = [each for each in self.asleep + self.steps[: self.at] if not each.meets(self.step)]
        known = {(each.number, each.fate) for each in asleep}
        return _Fork([each for each in steps if (each.number, each.fate) not in known], asleep)


class _Path:
    """One way through the moments of `forks`, and on from their end."""

    def __init__(self, forks: list[_Fork]) -> None:
        self._forks = forks
        self._passed = 0

    def choose(self, steps: list[_Step]) -> _Step | None:
        forks = self._forks
        if self._passed == len(forks):
            forks.append(forks[-1].next(steps) if forks else _Fork(steps, []))
        fork = forks[self._passed]
        self._passed += 1
        return fork.step if fork.steps else None  # None: whatever may come was played elsewhere


def play_every_order(
    scene: Callable[[Stage], Scene],
    *,
    crash: Sequence[int] = (),
    cancel: Sequence[int] = (),
    at_most: int = 200_000,
) -> int:
    """Play `scene` in every order of its callers; return how many orders there were.

    Args:
        scene: Sets the stage and returns the callers; called anew for each order. What it keeps
            elsewhere it must begin anew: an order that turns out to be played already is left.
        crash: Numbers of callers that may also stop for ever before any of their operations.
        cancel: Numbers of callers that may also be cancelled wherever they stand; in each order,
            one caller crashes or is cancelled.
        at_most: Fail if there are more orders than that.

    Raises:
        AssertionError: The scene's check failed, or callers wait for each other; with the order.
    """
    path: list[_Fork] = []
    played = 0
    while True:
        _play(scene, _Path(path).choose, {"crash": crash, "cancel": cancel})
        played += bool(not path or path[-1].steps)
        assert played <= at_most, f"more than {at_most} orders"
        while path and path[-1].at + 1 >= len(path[-1].steps):
            path.pop()
        if not path:
            return played
        path[-1].at += 1


def play_some_orders(
    scene: Callable[[Stage], Scene],
    count: int,
    *,
    seed: int,
    crash: Sequence[int] = (),
    cancel: Sequence[int] = (),
) -> None:
    """Play `count` orders of `scene` drawn with `seed`: for three callers and more."""
    draw = random.Random(seed)  # noqa: S311 - repeatable, not secret
    for _ in range(count):
        _play(scene, draw.choice, {"crash": crash, "cancel": cancel})
