"""The crowd itself: it counts creations, waits for all, kills the creator, and hangs for nobody."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from crowd import Crowd, holdfast_tasks, holdfast_threads

pytestmark = pytest.mark.slow
Call = Callable[[str], str]


@contextlib.contextmanager
def uncached(create: Call) -> Iterator[Call]:
    yield create


@contextlib.asynccontextmanager
async def uncached_tasks(
    create: Callable[[str], Awaitable[str]],
) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    yield create


@contextlib.contextmanager
def never(create: Call) -> Iterator[Call]:
    def call(key: str) -> str:
        if key == "never":
            time.sleep(600)
        return create(key)

    yield call


@contextlib.contextmanager
def broken(create: Call) -> Iterator[Call]:
    def call(key: str) -> str:
        if key == "broken":
            raise LookupError(key)
        return create(key)

    yield call


def not_open(create: Call) -> contextlib.AbstractContextManager[Call]:
    raise OSError(f"no such cache for {create}")


def test_without_a_cache_each_caller_creates() -> None:
    with Crowd(uncached, processes=2, callers=3, seconds=0.05) as crowd:
        told = [crowd.rush(key) for key in ("a", "b")]
    assert [rush.creations for rush in told] == [6, 6]
    assert [rush.answers for rush in told] == [6, 6]
    assert all(rush.slowest >= 0.05 for rush in told)
    assert not any(rush.errors for rush in told)


def test_tasks_are_counted_alike() -> None:
    with Crowd(uncached_tasks, processes=2, callers=3, tasks=True, seconds=0.05) as crowd:
        told = crowd.rush("a")
    assert (told.creations, told.answers, told.errors) == (6, 6, set())
    assert told.slowest >= 0.05


@pytest.mark.parametrize("tasks", [False, True])
def test_one_process_of_a_cache_creates_once(tmp_path: Path, *, tasks: bool) -> None:
    scene, url = holdfast_tasks if tasks else holdfast_threads, f"sqlite:///{tmp_path}/c.db"
    with Crowd(scene, f"{url}?timeout=30", processes=1, callers=20, tasks=tasks) as crowd:
        told = crowd.rush("a")
    assert (told.creations, told.answers, told.errors) == (1, 20, set())
    assert len(told.values) == 1


def test_the_creator_is_killed_and_the_others_answer() -> None:
    with Crowd(uncached, processes=3, callers=2, seconds=1.0) as crowd:
        told = crowd.rush("a", kill=True)
        again = crowd.rush("b")
    assert told.killed is not None
    with pytest.raises(ProcessLookupError):
        os.kill(told.killed, 0)
    assert told.answers == 4
    assert again.answers == again.creations == 4


def test_an_error_of_a_caller_is_told() -> None:
    with Crowd(broken, processes=1, callers=2) as crowd:
        told = crowd.rush("broken")
    assert (told.creations, told.answers, told.values) == (0, 2, set())
    assert told.errors == {"LookupError('broken')"}


def test_a_crowd_that_hangs_is_killed() -> None:
    with Crowd(never, processes=2, callers=1) as crowd:
        pids = [process.pid for process in crowd._people.values()]
        crowd._patience = 0.5
        with pytest.raises(AssertionError, match="processes hang"):
            crowd.rush("never")
    for pid in pids:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_scene_that_does_not_open_says_why() -> None:
    with pytest.raises(AssertionError, match="no such cache"), Crowd(not_open, processes=2):
        pass


def test_a_crowd_may_stand_beside_a_loop() -> None:
    async def body() -> int:
        def play() -> int:
            with Crowd(uncached, processes=1, callers=1, seconds=0.01) as crowd:
                return crowd.rush("a").creations

        return await asyncio.to_thread(play)

    assert asyncio.run(body()) == 1
