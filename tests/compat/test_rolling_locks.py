"""Old and new processes at once, many new ones, one that is killed: nothing lost, nothing torn."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from compat.fixtures import write
from compat.live import Live, live
from compat.old_beaker import Places
from servers.memcached import run_memcached
from servers.mongodb import MongodbServer
from servers.redis import RedisServer

pytestmark = [pytest.mark.server, pytest.mark.slow]

_WORKER = Path(__file__).with_name("rolling_worker.py")
_PLACES = ["file", "dbm", "database", "redis", "mongodb", "memcached, bmemcached"]
_PROCESSES, _TIMES = 8, 12
Start = Callable[..., AbstractContextManager[Live]]


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("counter") / "number"


@pytest.fixture(scope="module")
def start(
    tmp_path_factory: pytest.TempPathFactory,
    counter: Path,
    redis_server: RedisServer,
    mongodb: MongodbServer,
) -> Iterator[Start]:
    """Give what starts a process."""
    with run_memcached() as memcached:
        places = Places(
            tmp_path_factory.mktemp("locks"),
            redis=f"{redis_server.url}/10",
            memcached=f"127.0.0.1:{memcached.port}",
            mongodb=f"{mongodb.url}/beaker_locks",
        )
        told = {name: places.placed(write.PLACES[name]) for name in _PLACES}
        told["database"]["lock_dir"] = str(places.folder)

        def start(which: str, shared: str = "c") -> AbstractContextManager[Live]:
            words = (json.dumps(told), str(counter), shared * 32)
            return live(which, "beaker", _WORKER, *words)

        yield start


@pytest.fixture(scope="module")
def both(start: Start) -> Iterator[list[Live]]:
    with start("genuine", "b") as theirs, start("old form", "b") as ours:
        yield [theirs, ours]


@pytest.mark.parametrize("place", _PLACES)
def test_the_lock_of_who_makes_a_value(both: list[Live], counter: Path, place: str) -> None:
    # of two genuine processes that make a new dbm database at once, one fails
    both[0].ask(place=place, do="creation lock", times=0)
    times = 5 if place in {"redis", "mongodb"} else 50  # there who waits looks five times a second
    _count(both, counter, times, place=place, do="creation lock")


@pytest.mark.parametrize("place", ["file", "dbm"])
def test_the_lock_of_a_session(both: list[Live], counter: Path, place: str) -> None:
    both[0].ask(place=place, do="begin", n=1)
    _count(both, counter, 50, place=place, do="session lock")


def _count(both: list[Live], counter: Path, times: int, **question: Any) -> None:
    counter.write_text("0")
    for process in both:
        process.begin(**question, times=times)
    assert [process.end() for process in both] == [None, None]
    assert int(counter.read_text()) == 2 * times


@pytest.fixture(scope="module")
def eight(start: Start) -> Iterator[list[Live]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(start("ours")) for _ in range(_PROCESSES)]


@pytest.mark.parametrize("place", _PLACES)
def test_eight_processes_lose_nothing_of_one_session(eight: list[Live], place: str) -> None:
    eight[0].ask(place=place, do="begin", n=1)
    for number, process in enumerate(eight):
        process.begin(place=place, do="count", name=f"of {number}", times=_TIMES)
    assert [process.end() for process in eight] == [None] * _PROCESSES
    found = eight[0].ask(place=place, do="read")
    assert found == {"n": 1, **{f"of {number}": _TIMES for number in range(_PROCESSES)}}


@pytest.mark.parametrize(
    ("place", "which"),
    [("file", "old form"), *((place, "ours") for place in _PLACES if place != "dbm")],
)
def test_who_is_killed_leaves_the_old_or_the_new(
    start: Start, eight: list[Live], place: str, which: str
) -> None:
    ask = partial(eight[0].ask, place=place)
    ask(do="begin", a=0, b=0, filler="")
    last = 0
    for number in range(2):
        with start(which) as writer:
            writer.begin(place=place, do="write on")
            while ask(do="read")["a"] < last + 3:
                time.sleep(0.001)
            time.sleep(0.003 * number)
            writer.process.kill()
            writer.process.wait()
        found = ask(do="read")
        assert found["a"] == found["b"] > last
        assert found["filler"] == f"{found['a']}" * 20_000
        last = found["a"]
    eight[1].ask(place=place, do="count", name="a", times=1)
    assert ask(do="read")["a"] == last + 1
