"""Every order of several callers, played without threads and without a loop.

Law: a caller is a coroutine over a store that pauses before each operation. Whoever plays it
decides who goes on next, so every order (and a crash between any two operations) is one run,
repeatable to the step. Nothing here knows what is played.

    def scene(stage: Stage) -> Scene:
        stage.rows.put("n", b"0")
        def check(ends: list[End]) -> None:
            assert stage.rows.get("n") == b"2"
        return Scene([add_one(stage.store), add_one(stage.store)], check)

    assert play_every_order(scene) > 1
"""

import contextlib
import random
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from holdfast.errors import StoreTimeout
from holdfast.locks import Flight
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock

__all__ = ["End", "Scene", "Stage", "play_every_order", "play_some_orders"]

Caller = Coroutine[object, None, object]
T = TypeVar("T")
_TOO_LONG = 2000


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

    Who would wait only for so long is let on at any time, and told how much has come to pass.
    """

    detaches = False

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def now(self) -> float:
        """Return the stage's time."""
        return self._clock()

    async def sleep(self, seconds: float) -> None:
        await Pause("sleep")
        self._clock.advance(seconds)

    async def join(
        self, flight: Flight, timeout: float | None = None, *, or_looked: bool = False
    ) -> bool:
        if timeout is not None:
            await self.sleep(timeout)
            return flight.looked if or_looked else flight.landed
        await Pause("look" if or_looked else "join", flight=flight)
        return True

    def start(
        self,
        steps: Callable[[], Coroutine[object, None, object]],
        over: Callable[[], object],
        *,
        hurried: bool,
    ) -> None:
        """Refuse: on a stage every caller is one that was put there."""
        raise NotImplementedError


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


@dataclass(slots=True)
class End:
    """How a caller ended: with a value, with an error, or not at all."""

    value: object = None
    error: Exception | None = None
    crashed: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """The callers, and what must hold when all have ended."""

    callers: Sequence[Caller]
    check: Callable[[list[End]], None]


@dataclass(slots=True)
class _Run:
    scene: Scene
    stage: Stage
    may_crash: frozenset[int]
    ends: list[End] = field(default_factory=list)
    standing: dict[int, Pause] = field(default_factory=dict)
    crashed: int | None = None

    def start(self) -> None:
        for number, caller in enumerate(self.scene.callers):
            self.ends.append(End())
            self._resume(number, caller)

    def choices(self) -> list[tuple[int, bool]]:
        """Return who may go on; with True, who may crash where he stands."""
        able = [number for number, pause in self.standing.items() if pause.over]
        going = [(number, False) for number in able]
        if self.crashed is None:
            going += [(number, True) for number in able if number in self.may_crash]
        if self.standing and not going and self.crashed is None:
            raise AssertionError(f"everybody waits for somebody: {self.standing}")
        return going

    def go(self, number: int, *, crash: bool) -> None:
        if crash:
            self.stage.log.append((number, "crash"))
            self.crashed = number
            self.ends[number].crashed = True
            del self.standing[number]
            return
        self.stage.log.append((number, self.standing.pop(number)))
        self._resume(number, self.scene.callers[number])

    def _resume(self, number: int, caller: Caller) -> None:
        try:
            pause = caller.send(None)
        except StopIteration as done:
            self.ends[number].value = done.value
        except Exception as error:  # noqa: BLE001 - how a caller ends is for the check to judge
            self.ends[number].error = error
        else:
            assert isinstance(pause, Pause), f"awaited something that is not on stage: {pause!r}"
            self.standing[number] = pause

    def close(self) -> None:
        for caller in self.scene.callers:
            with contextlib.suppress(RuntimeError):  # a crashed caller cleans up nothing
                caller.close()


def _play(
    scene: Callable[[Stage], Scene],
    choose: Callable[[int], int],
    may_crash: frozenset[int],
) -> None:
    stage = Stage()
    run = _Run(scene(stage), stage, may_crash)
    try:
        run.start()
        while choices := run.choices():
            number, crash = choices[choose(len(choices))]
            run.go(number, crash=crash)
            assert len(stage.log) < _TOO_LONG, "they go on for ever"
        run.scene.check(run.ends)
    except AssertionError as error:
        lines = "\n".join(f"  {number}: {what}" for number, what in stage.log[:200])
        raise AssertionError(f"{error}\nin this order:\n{lines}\nends: {run.ends}") from error
    finally:
        run.close()


def play_every_order(
    scene: Callable[[Stage], Scene], *, crash: Sequence[int] = (), at_most: int = 200_000
) -> int:
    """Play `scene` in every order of its callers; return how many orders there were.

    Args:
        scene: Sets the stage and returns the callers; called anew for each order.
        crash: Numbers of callers that may also stop for ever before any of their operations, one
            of them in each order.
        at_most: Fail if there are more orders than that.

    Raises:
        AssertionError: The scene's check failed, or callers wait for each other; with the order.
    """
    path: list[int] = []
    played = 0
    while True:
        widths: list[int] = []

        def choose(width: int, path: list[int] = path, widths: list[int] = widths) -> int:
            widths.append(width)
            return path[len(widths) - 1] if len(widths) <= len(path) else 0

        _play(scene, choose, frozenset(crash))
        played += 1
        assert played <= at_most, f"more than {at_most} orders"
        path = path + [0] * (len(widths) - len(path))
        while path and path[-1] + 1 >= widths[len(path) - 1]:
            path.pop()
        if not path:
            return played
        path[-1] += 1


def play_some_orders(
    scene: Callable[[Stage], Scene], count: int, *, seed: int, crash: Sequence[int] = ()
) -> None:
    """Play `count` orders of `scene` drawn with `seed`: for three callers and more."""
    draw = random.Random(seed)  # noqa: S311 - repeatable, not secret
    for _ in range(count):
        _play(scene, draw.randrange, frozenset(crash))
