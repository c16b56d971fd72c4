"""Timing: calibrated loops of many cases, in turns.

Law: the cases of a table take turns inside one process, one short sample each per round, in an
order drawn anew, so that a drift of the machine hits all alike; a ratio is the median of the ratios
of the rounds. A sample in which the system took the processor away is taken again. The garbage
collector rests during a sample. The cost of the loop itself is not subtracted.
"""

import asyncio
import gc
import inspect
import random
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack
from dataclasses import dataclass, field
from itertools import repeat
from statistics import median
from typing import Any

__all__ = [
    "FULL",
    "QUICK",
    "Absent",
    "Case",
    "Effort",
    "Missing",
    "Outcome",
    "Timing",
    "Work",
    "Works",
    "measure",
    "timing",
]

NOT_INSTALLED = "not installed"
_SOURCE = """\
{kind} loop(turns):
    _began = _clock()
    for _ in turns:
        {line}
    return _clock() - _began
"""
_SOURCE_OF_MANY = """\
async def loop(turns):
    async def task():
        for _ in turns:
            {line}
    _began = _clock()
    await _gather(*(task() for _ in range(_tasks)))
    return _clock() - _began
"""


class Absent(Exception):  # noqa: N818 - no error: a row without figures
    """What a row needs is not to be had; raised while it is made, and told in its row."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much time a run may take.

    Args:
        rounds: Samples per case; the median counts.
        sample: Seconds per sample.
        share: Factor for the sizes of tables that count instead of timing.
        tries: How often a sample that was disturbed is taken again; the best of them has to do.
    """

    rounds: int = 31
    sample: float = 0.003
    share: float = 1.0
    tries: int = 12

    def count(self, size: int) -> int:
        """Return `size`, made smaller for a quick run."""
        return max(1, int(size * self.share))


FULL = Effort()
QUICK = Effort(rounds=2, sample=0.0005, share=0.02)


@dataclass(frozen=True, slots=True)
class Work:
    """One statement to repeat; with `await` in it, it runs inside an event loop."""

    line: str
    names: Mapping[str, object] = field(default_factory=dict)


Works = Mapping[str, Work]
Made = Works | AbstractContextManager[Works] | AbstractAsyncContextManager[Works]


@dataclass(frozen=True, slots=True)
class Case:
    """One row: `make` builds what each column repeats; an ImportError there is "not installed".

    What must be closed afterwards comes out of a context manager; the rows of event loops share one
    loop, in which an async one is entered and left.
    """

    row: str
    make: Callable[[], Made]
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Timing:
    """Nanoseconds per repetition, one figure per round."""

    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.samples)

    @property
    def best(self) -> float:
        """The least disturbed one."""
        return min(self.samples)

    def over(self, other: "Timing") -> float:
        """Return how many times `other` this takes: the median over the rounds."""
        return median(a / b for a, b in zip(self.samples, other.samples, strict=True))

    def beyond(self, other: "Timing") -> float:
        """Return the nanoseconds this takes more than `other`: the median over the rounds."""
        return self.without(other).median

    def without(self, other: "Timing") -> "Timing":
        """Return what this takes more than `other`, round by round."""
        return Timing(tuple(a - b for a, b in zip(self.samples, other.samples, strict=True)))


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a row has no figures."""

    reason: str


Outcome = dict[str, dict[str, Timing] | Missing]


def timing(outcome: Outcome, row: str, column: str) -> Timing | None:
    """Return what was measured there, or None where the library is not installed."""
    timings = outcome[row]
    return None if isinstance(timings, Missing) else timings[column]


_Loop = Callable[[int], float]


def measure(cases: Sequence[Case], effort: Effort, *, tasks: int = 1) -> Outcome:
    """Time every column of every case, in turns; return row -> column -> timing.

    Args:
        cases: The rows.
        effort: How long.
        tasks: How many tasks of a loop share the repetitions of what is awaited.
    """
    outcome: Outcome = {}
    loops: dict[tuple[str, str], tuple[_Loop, int]] = {}
    with asyncio.Runner() as runner:
        ends = AsyncExitStack()
        try:
            for case in cases:
                works = _made(case, runner, ends)
                outcome[case.row] = works if isinstance(works, Missing) else {}
                for column, work in {} if isinstance(works, Missing) else works.items():
                    loop = _compiled(work, runner, tasks)
                    loops[case.row, column] = loop, _calibrated(loop, effort.sample, tasks)
            samples = _in_turns(loops, effort)
        finally:
            runner.run(ends.aclose())
    for (row, column), figures in samples.items():
        timings = outcome[row]
        assert not isinstance(timings, Missing)
        timings[column] = Timing(tuple(figures))
    return outcome


def _made(case: Case, runner: asyncio.Runner, ends: AsyncExitStack) -> Works | Missing:
    """Build what `case` repeats; `ends` will close it."""
    try:
        made = case.make()
        if isinstance(made, AbstractContextManager):
            return ends.enter_context(made)
        if isinstance(made, AbstractAsyncContextManager):
            return runner.run(ends.enter_async_context(made))
    except ImportError as error:
        if case.ours:
            raise  # a hole in the library itself is no missing peer
        return Missing(f"{NOT_INSTALLED} ({error.name})")
    except Absent as word:
        return Missing(str(word))
    return made


def _in_turns(
    loops: Mapping[tuple[str, str], tuple[_Loop, int]], effort: Effort
) -> dict[tuple[str, str], list[float]]:
    """Take one sample of every loop per round, in an order drawn anew."""
    samples: dict[tuple[str, str], list[float]] = {place: [] for place in loops}
    order, draw = list(loops), random.Random(1)  # noqa: S311 - any order will do
    for _ in range(effort.rounds):
        draw.shuffle(order)
        for place in order:
            loop, turns = loops[place]
            samples[place].append(_undisturbed(loop, turns, effort.tries) / turns)
    return samples


def _compiled(work: Work, runner: asyncio.Runner, tasks: int) -> _Loop:
    """Return a function that repeats `work` so many times and says how many nanoseconds it took."""
    own = {"_clock": time.perf_counter_ns, "_gather": asyncio.gather, "_tasks": tasks}
    space: dict[str, Any] = {**own, **work.names}
    kind = "async def" if "await " in work.line else "def"
    source = _SOURCE if tasks == 1 else _SOURCE_OF_MANY
    exec(source.format(kind=kind, line=work.line), space)  # noqa: S102 - a call would cost as much as a hit
    loop = space["loop"]
    if inspect.iscoroutinefunction(loop):
        return lambda turns: float(runner.run(loop(repeat(None, turns))))
    return lambda turns: float(loop(repeat(None, turns)))


def _undisturbed(loop: _Loop, turns: int, tries: int) -> float:
    """Time a sample in which no other process wanted this processor."""
    best = float("inf")
    for _ in range(tries):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
        best = min(best, _sample(loop, turns))
        if resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw == before:
            break
    return best


def _sample(loop: _Loop, turns: int) -> float:
    """Time one sample with the garbage collector at rest."""
    gc.collect(0)
    gc.disable()
    try:
        return loop(turns)
    finally:
        gc.enable()


def _calibrated(loop: _Loop, sample: float, least: int) -> int:
    """Return how many turns fill a sample, at least `least`; it warms the case up."""
    turns = least
    loop(turns)
    while (took := _sample(loop, turns)) < sample * 1e9 / 4:
        turns *= 4 if took < sample * 1e8 else 2
    return max(least, round(turns * sample * 1e9 / took))
