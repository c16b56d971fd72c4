"""An invalidation in one process wins over a creation in another: each store, each form.

What is near in the process that creates may be served until it hears of the invalidation: that is
the bound of `near_ttl` and of a bus (`tests/model` measures it). All else is new at once.
"""

import contextlib
import multiprocessing
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from racing import HOWS, Racer, racer

from holdfast import Cache

ROUNDS = 8  # of each form
SHORT = 0.01  # seconds a creation or a wait before an invalidation takes at most
PATIENCE = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.server]


@dataclass(frozen=True)
class Place:
    """How a process opens the cache."""

    url: str
    options: dict[str, Any]
    tasks: bool

    def open(self) -> contextlib.AbstractContextManager[Racer]:
        return racer(Cache(self.url, **self.options), tasks=self.tasks)


class Other:
    """The other process: it does what it is told."""

    def __init__(self, place: Place) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._line, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_obey, args=(theirs, place), daemon=True)
        self._process.start()

    def change(self, truth: int, how: str, key: str) -> None:
        """Tell it that the truth is another; return when the cache has been told."""
        self._ask("change", truth, how, key)

    def read(self, key: str) -> int:
        """Return what it reads."""
        return int(self._ask("read", 0, "", key))

    def bus(self) -> str:
        """Return what it hears by."""
        return str(self._ask("bus", 0, "", "warm"))

    def close(self) -> None:
        """Let it end."""
        self._line.send(None)
        self._process.join(PATIENCE)
        self._process.kill()
        self._line.close()

    def _ask(self, *words: object) -> Any:
        self._line.send(words)
        assert self._line.poll(PATIENCE), "the other process hangs"
        return self._line.recv()


def _obey(line: Connection, place: Place) -> None:
    with place.open() as user:
        while (words := line.recv()) is not None:
            word, truth, how, key = words
            if word == "change":
                user.truth = truth
                user.change(how, key)
                line.send(None)
            else:
                value = user.read(key)
                line.send(user._cache.stats().bus if word == "bus" else value)


@pytest.fixture(params=["redis", "postgresql", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/cache.db?timeout=30"
    name = "redis_server" if request.param == "redis" else "postgresql"
    return f"{request.getfixturevalue(name).url}?timeout=30"


@contextlib.contextmanager
def two(place: Place) -> Iterator[tuple[Racer, Other]]:
    """Give this process's user of a cache, and the other process."""
    with contextlib.ExitStack() as stack:
        other = Other(place)
        stack.callback(other.close)
        user = stack.enter_context(place.open())
        other.read("warm")
        user.read("warm")
        yield user, other


def options(**more: Any) -> dict[str, Any]:
    return {"prefix": f"race-{os.urandom(4).hex()}", "bus": None, **more}


def race(
    user: Racer, other: Other, how: str, key: str, ends: Callable[[threading.Event], object]
) -> int:
    """Let a creation here and an invalidation there cross each other; return the new truth.

    `ends` is called in the creation, with what says that the invalidation has returned.
    """
    started, over = threading.Event(), threading.Event()
    user.truth += 1

    def create() -> int:
        value = user.truth
        started.set()
        ends(over)
        return value

    running = user.create(key, create, late=how == "late tag")
    assert started.wait(PATIENCE)
    user.truth += 1
    other.change(user.truth, how, key)
    over.set()
    assert other.read(key) == user.truth, f"{how}: it does not see its own change"
    assert running.result(PATIENCE) in (user.truth - 1, user.truth)
    return user.truth


@pytest.mark.parametrize("tasks", [False, True], ids=["threads", "tasks"])
def test_far_only_both_read_the_new_value_at_once(url: str, *, tasks: bool) -> None:
    chance = random.Random(7)  # noqa: S311 - repeatable
    with two(Place(url, options(near=False), tasks)) as (user, other):
        for how in HOWS:
            for number in range(ROUNDS):
                key, takes = f"{how} {number}", chance.uniform(0, SHORT)
                new = race(user, other, how, key, after(takes))
                assert user.read(key) == new, how


@pytest.mark.parametrize("tasks", [False, True], ids=["threads", "tasks"])
def test_what_was_created_meanwhile_is_not_kept_near(url: str, *, tasks: bool) -> None:
    with two(Place(url, options(near_ttl=60), tasks)) as (user, other):
        for how in HOWS:
            if how == "refresh":
                continue  # it waits for that creation
            for number in range(ROUNDS):
                key = f"{how} {number}"
                new = race(user, other, how, key, lambda over: over.wait(PATIENCE))
                assert user.read(key) == new, how


@pytest.mark.parametrize("tasks", [False, True], ids=["threads", "tasks"])
@pytest.mark.parametrize("bus", ["tracking", "pubsub", "listen"])
def test_a_bus_tells_of_it_soon(request: pytest.FixtureRequest, bus: str, *, tasks: bool) -> None:
    server = request.getfixturevalue("postgresql" if bus == "listen" else "redis_server")
    chance = random.Random(7)  # noqa: S311 - repeatable
    place = Place(f"{server.url}?timeout=30", options(bus=bus), tasks)
    with two(place) as (user, other):
        soon(lambda: user._cache.stats().bus and other.bus())
        for how in HOWS:
            for number in range(ROUNDS):
                key, takes = f"{how} {number}", chance.uniform(0, SHORT)
                new = race(user, other, how, key, after(takes))
                soon(partial(reads, user, key, new))
                assert other.read(key) == new


def after(seconds: float) -> Callable[[threading.Event], None]:
    """Return what lets a creation take so long."""
    return lambda _: time.sleep(seconds)


def reads(user: Racer, key: str, value: int) -> bool:
    return user.read(key) == value


def soon(is_so: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < until, "it is never told"
        time.sleep(0.005)
