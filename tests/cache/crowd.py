"""A crowd: several processes, each with many callers, who all want one cold key at the same moment.

Law: the processes share nothing but what the scene opens in each of them. Nobody calls before all
stand at the line. What is counted is how often `create` was begun, in whatever process. A crowd
that hangs is killed, and is an `AssertionError`; no process outlives it.
"""

import asyncio
import contextlib
import multiprocessing
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Self

__all__ = ["AsyncScene", "Crowd", "Rush", "Scene", "holdfast_tasks", "holdfast_threads"]

Scene = Callable[..., AbstractContextManager[Callable[[str], str]]]
"""`scene(create, *arguments)`: opens a cache and gives what a caller calls with a key.

It is a function of a module, for it travels by name. `create(key)` makes the value.
"""
AsyncScene = Callable[..., AbstractAsyncContextManager[Callable[[str], Awaitable[str]]]]
"""The same for tasks; `create` is a coroutine function."""

_WARM = "warm"  # each process has called once before: imports and first connections are no stampede
_HEAD_START = 0.1  # seconds from the word to the start, until which it has reached everybody
_LEAVES = 30.0


@dataclass(slots=True)
class Rush:
    """What came of one rush.

    Attributes:
        creations: How often a creation was begun.
        slowest: Seconds from the start to the last answer.
        answers: How many callers had one, an error included.
        values: The different values they got.
        errors: The different exceptions they got.
        killed: The pid of the process that was killed.
    """

    creations: int = 0
    slowest: float = 0.0
    answers: int = 0
    values: set[str] = field(default_factory=set)
    errors: set[str] = field(default_factory=set)
    killed: int | None = None

    def add(self, part: "Rush") -> None:
        """Add what came of it in one process."""
        self.slowest = max(self.slowest, part.slowest)
        self.answers += part.answers
        self.values |= part.values
        self.errors |= part.errors


class Crowd:
    """Processes that stand ready; a context manager, whose end is theirs.

    Args:
        scene: What each process opens, of threads or of tasks.
        *arguments: What else the scene is called with.
        processes: How many.
        callers: How many threads, or tasks, in each.
        tasks: Whether the scene is one of tasks.
        seconds: How long a creation takes.
        patience: Seconds until a crowd that does not answer counts as hanging.
    """

    def __init__(
        self,
        scene: Scene | AsyncScene,
        *arguments: object,
        processes: int = 4,
        callers: int = 50,
        tasks: bool = False,
        seconds: float = 0.2,
        patience: float = 60.0,
    ) -> None:
        self._patience = patience
        self._people: dict[Connection, BaseProcess] = {}
        context = multiprocessing.get_context("spawn")
        for _ in range(processes):
            ours, theirs = context.Pipe()
            part = _Part(theirs, callers, seconds)
            body = _attend_tasks if tasks else _attend
            process = context.Process(target=body, args=(part, scene, arguments), daemon=True)
            self._people[ours] = process

    def __enter__(self) -> Self:
        try:
            for process in self._people.values():
                process.start()
            self._hear("ready")
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for line in self._people:
            with contextlib.suppress(OSError):
                line.send(None)
        until = time.monotonic() + _LEAVES
        for process in self._people.values():
            process.join(max(0.0, until - time.monotonic()))
        hanging = [process.pid for process in self._people.values() if process.is_alive()]
        self._kill()
        assert not hanging, f"they do not end: {hanging}"

    def rush(self, key: str, *, kill: bool = False) -> Rush:
        """Let all callers want `key` at once; return what came of it.

        Args:
            key: One that nobody has asked for yet.
            kill: Whether the process that begins the first creation is killed (SIGKILL) in it; its
                callers answer no more, and the process is gone for later rushes.
        """
        told = Rush()
        for line in self._people:
            line.send(key)
        self._hear("set")
        start = time.monotonic() + _HEAD_START
        for line in self._people:
            line.send(start)
        waiting = set(self._people)
        for line, (word, part) in self._told(waiting):
            if word == "create":
                told.creations += 1
                if kill and told.killed is None:
                    told.killed = self._people[line].pid
                    waiting.remove(line)
                    self._remove(line)
            else:
                assert isinstance(part, Rush)
                told.add(part)
                waiting.remove(line)
        return told

    def _hear(self, expected: str) -> None:
        """Wait until each process has said one word."""
        waiting = set(self._people)
        for line, (word, _) in self._told(waiting):
            assert word == expected, f"{word}, where {expected} was expected"
            waiting.remove(line)

    def _told(self, waiting: set[Connection]) -> Iterator[tuple[Connection, tuple[str, object]]]:
        """Yield what is said, as long as somebody is waited for."""
        until = time.monotonic() + self._patience
        while waiting:
            speaking = wait(list(waiting), max(0.0, until - time.monotonic()))
            if not speaking:
                self._kill()
                raise AssertionError(f"{len(waiting)} processes hang")
            for line in speaking:
                assert isinstance(line, Connection)
                yield line, self._heard(line)

    def _heard(self, line: Connection) -> tuple[str, object]:
        try:
            word, told = line.recv()
        except EOFError:
            word, told = "failed", "it ended"
        assert word != "failed", told
        return word, told

    def _remove(self, line: Connection) -> None:
        process = self._people.pop(line)
        process.kill()
        process.join()
        process.close()
        line.close()

    def _kill(self) -> None:
        for line, process in list(self._people.items()):
            if process.pid is not None:
                self._remove(line)
        self._people.clear()


@dataclass(slots=True)
class _Part:
    """What one process knows: its line to the crowd, and who calls."""

    line: Connection
    callers: int
    seconds: float
    talking: Any = None

    def say(self, word: str, told: object = None) -> None:
        with self.talking or contextlib.nullcontext():
            self.line.send((word, told))

    def wanted(self) -> Iterator[str]:
        """Yield the keys that are wanted; end with the crowd."""
        with contextlib.suppress(EOFError, ConnectionError):
            while (key := self.line.recv()) is not None:
                yield key


def _attend(part: _Part, scene: Scene, arguments: tuple[object, ...]) -> None:
    """Be one process of threads."""
    part.talking = threading.Lock()

    def create(key: str) -> str:
        if key != _WARM:
            part.say("create")
            time.sleep(part.seconds)
        return f"{key} {time.monotonic_ns()}"

    try:
        with scene(create, *arguments) as call:
            call(_WARM)
            part.say("ready")
            for key in part.wanted():
                part.say("done", _threads_at(part, call, key))
    except Exception:  # noqa: BLE001 - all of it is told to the crowd, which raises it
        part.say("failed", traceback.format_exc())


def _threads_at(part: _Part, call: Callable[[str], str], key: str) -> Rush:
    start, go = 0.0, threading.Event()
    told = Rush()

    def caller() -> None:
        go.wait()
        time.sleep(max(0.0, start - time.monotonic()))
        outcome, value = told.values, ""
        try:
            value = call(key)
        except Exception as error:  # noqa: BLE001 - told
            outcome, value = told.errors, repr(error)
        ended = time.monotonic() - start
        with part.talking:
            outcome.add(value)
            told.answers += 1
            told.slowest = max(told.slowest, ended)

    threads = [threading.Thread(target=caller, daemon=True) for _ in range(part.callers)]
    for thread in threads:
        thread.start()
    part.say("set")
    start = part.line.recv()
    go.set()
    for thread in threads:
        thread.join()
    return told


def _attend_tasks(part: _Part, scene: AsyncScene, arguments: tuple[object, ...]) -> None:
    """Be one process of tasks."""
    try:
        asyncio.run(_attend_loop(part, scene, arguments))
    except Exception:  # noqa: BLE001 - as above
        part.say("failed", traceback.format_exc())


async def _attend_loop(part: _Part, scene: AsyncScene, arguments: tuple[object, ...]) -> None:
    async def create(key: str) -> str:
        if key != _WARM:
            part.say("create")
            await asyncio.sleep(part.seconds)
        return f"{key} {time.monotonic_ns()}"

    async with scene(create, *arguments) as call:
        await call(_WARM)
        part.say("ready")
        keys = part.wanted()
        while (key := await asyncio.to_thread(next, keys, None)) is not None:
            part.say("done", await _tasks_at(part, call, key))


async def _tasks_at(part: _Part, call: Callable[[str], Awaitable[str]], key: str) -> Rush:
    told = Rush()
    part.say("set")
    start: float = await asyncio.to_thread(part.line.recv)

    async def caller() -> None:
        await asyncio.sleep(max(0.0, start - time.monotonic()))
        try:
            told.values.add(await call(key))
        except Exception as error:  # noqa: BLE001 - told
            told.errors.add(repr(error))
        told.answers += 1
        told.slowest = max(told.slowest, time.monotonic() - start)

    await asyncio.gather(*(caller() for _ in range(part.callers)))
    return told


@contextlib.contextmanager
def holdfast_threads(
    create: Callable[[str], str], url: str, options: dict[str, Any] | None = None
) -> Iterator[Callable[[str], str]]:
    """A cached function over a store, for a crowd of threads; `options` are those of `Cache`."""
    from holdfast import Cache  # noqa: PLC0415 - a crowd of another library does without

    with Cache(url, **(options or {})) as cache:
        yield cache.cached(key="{key}")(create)


@contextlib.asynccontextmanager
async def holdfast_tasks(
    create: Callable[[str], Awaitable[str]], url: str, options: dict[str, Any] | None = None
) -> Any:
    """The same for a crowd of tasks."""
    from holdfast import Cache, open_store  # noqa: PLC0415 - as above

    store = open_store(url)
    with Cache(store, **(options or {})) as cache:
        yield cache.cached(key="{key}")(create)
        await store.aio.close()
