"""An invalidation during a creation wins, in one process: threads and tasks, in every form."""

import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from racing import HOWS, Racer, racer

from holdfast import Cache
from holdfast.errors import StoreError
from holdfast.store.memory import MemoryStore
from holdfast.testing.faults import FaultyStore
from servers.redis import RedisServer

ROUNDS = 40
SHORT = 0.004  # seconds a creation or a wait before an invalidation takes at most


@pytest.fixture(params=["near only", "near and far", "far only"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Cache:
    if request.param == "near only":
        return Cache()
    url = f"sqlite:///{tmp_path}/cache.db?timeout=30"
    return Cache(url, near=request.param == "near and far", near_ttl=60)


@pytest.fixture(params=[False, True], ids=["threads", "tasks"])
def user(request: pytest.FixtureRequest, cache: Cache) -> Iterator[Racer]:
    with racer(cache, tasks=request.param) as made:
        yield made


def race(user: Racer, how: str, key: str, chance: random.Random) -> None:
    """Let a creation and an invalidation cross each other; then the new value must be read."""
    started, takes = threading.Event(), chance.uniform(0, SHORT)
    old = user.truth

    def create() -> int:
        value = user.truth
        started.set()
        time.sleep(takes)
        return value

    running = user.create(key, create, late=how == "late tag")
    assert started.wait(60)
    time.sleep(chance.uniform(0, SHORT))
    user.truth = old + 1
    user.change(how, key)
    assert user.read(key) == old + 1
    assert running.result(60) in (old, old + 1)
    assert user.read(key) == old + 1


@pytest.mark.slow
@pytest.mark.parametrize("how", HOWS)
def test_the_invalidation_wins(user: Racer, how: str) -> None:
    chance = random.Random(how)  # noqa: S311 - repeatable
    for number in range(ROUNDS):
        race(user, how, f"key-{number}", chance)
    for _ in range(ROUNDS):
        race(user, how, "one key", chance)
        user.change("delete", "one key")


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("tasks", [False, True], ids=["threads", "tasks"])
@pytest.mark.parametrize("bus", ["tracking", "pubsub"])
def test_with_a_bus_it_wins_as_well(
    redis_server: RedisServer, how: str, bus: str, *, tasks: bool
) -> None:
    prefix = f"race-{os.urandom(4).hex()}"
    cache = Cache(f"{redis_server.url}?timeout=30", prefix=prefix, bus=bus)
    chance = random.Random(how)  # noqa: S311 - repeatable
    with racer(cache, tasks=tasks) as user:
        until = time.monotonic() + 60
        while not cache.stats().bus:
            user.read("until there is a bus")
            assert time.monotonic() < until
        for number in range(ROUNDS):
            race(user, how, f"key-{number}", chance)


def test_a_refresh_wins_over_a_creation_that_outlives_its_lease() -> None:
    rows, started, ends = MemoryStore(), threading.Event(), threading.Event()
    mine, theirs = Cache(rows, lease=0.05), Cache(rows, lease=0.05)
    with racer(mine, tasks=False) as one, racer(theirs, tasks=False) as other:
        one.truth, other.truth = 1, 2

        def create() -> int:
            started.set()
            assert ends.wait(60)
            return 1

        slow = one.create("k", create)
        assert started.wait(60)

        def load(key: str):  # type: ignore[no-untyped-def]  # noqa: ANN202, ARG001 - no form
            ends.set()
            assert slow.result(60) == 1  # it is published first, over the same base
            return 2

        assert other._part.cached(key="{key}")(load).refresh("k") == 2
        assert other.read("k") == 2
        assert theirs.namespace("part").get("k") == 2


@pytest.mark.parametrize("on_error", ["raise", "queue"])
def test_a_refresh_that_is_not_heard_of_is_repeated(on_error: Literal["raise", "queue"]) -> None:
    rows = MemoryStore()
    store = FaultyStore(rows)
    with Cache(store, on_error=on_error) as cache:
        versions = iter([1, 2, 3])
        load = cache.cached(key="{key}")(lambda key: (key, next(versions)))
        assert load("k") == ("k", 1)
        with store.fail():
            if on_error == "raise":
                with pytest.raises(StoreError):
                    load.refresh("k")
            else:
                assert load.refresh("k") == ("k", 2)
            assert cache.stats().pending == 1
        assert load("k") == ("k", 3)  # what stands there was to be replaced
        assert cache.stats().pending == 0
        assert Cache(rows).get("k") == ("k", 3)


def test_what_is_gone_in_the_far_tier_is_not_near_while_it_is_made_anew() -> None:
    """Our own marker is no news to us, and may come before the news that the value is gone."""
    rows, near = MemoryStore(), list[object]()
    with Cache(rows, ttl=600) as cache:

        @cache.cached(key="k")
        def load() -> int:
            near.append(cache.get("k"))
            return 1

        load()
        rows.delete("v:k")  # by another process
        load.refresh()
        assert near == [None, None]
        assert load.peek() == 1
        assert cache.stats().near_hits
