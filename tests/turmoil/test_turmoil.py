"""Eight processes do what they like to fifty sessions, while the server, or one of them, is killed.

What was acknowledged is there, counted once; what was removed stays removed; nobody meets anything
but `StoreError`. `make soak` goes on for a minute on each store.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from servers.memcached import run_memcached
from servers.postgresql import Postgresql
from servers.process import Server
from servers.redis import run_redis
from turmoil.journal import Told
from turmoil.world import Plan, World, verdict

SOAK = bool(os.environ.get("HOLDFAST_SOAK"))
SECONDS = 60.0 if SOAK else 10.0
EVERY = 4.0 if SOAK else 2.5  # seconds between two troubles

pytestmark = [pytest.mark.slow, pytest.mark.server]


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Plan]:
    seed = random.randrange(2**32)  # noqa: S311 - that of pytest-randomly
    print(f"seed {seed}")  # noqa: T201 - shown where it fails
    options = {"seconds": SECONDS, "seed": seed}
    return lambda url, **more: Plan(tmp_path, url, **options | more)


def lived(world: World) -> Told:
    """Let `world` end; assert what holds of any."""
    told = world.told()
    verbs = Counter(verb[0] for deed in told.deeds() if deed.done for verb in deed.verbs)
    events = Counter(event for deed in told.deeds() for event, _ in deed.events)
    outcomes = Counter(deed.outcome for deed in told.deeds())
    print(f"{len(told.lives)} sessions, {told.errors} errors; {outcomes} {verbs} {events}")  # noqa: T201
    wrong = verdict(world, told)
    assert not wrong, wrong
    wanted = {"set", "increment", "append", "flash", "notify", "pop", "take", "rotate", "destroy"}
    assert wanted <= verbs.keys(), verbs
    assert events["conflict_merged"], "nobody met anybody"
    assert any(deed.taken for deed in told.deeds())
    return told


def reborn(server: Server) -> tuple[float, float]:
    """Kill a server and start it again; return from when to when it was not there."""
    began = time.monotonic()
    server.kill()
    server.start()
    return began, time.monotonic()


def frozen(server: Server) -> None:
    """Let a server answer too late: what it was asked, it does when nobody waits any more."""
    server.pause()
    time.sleep(1.5)
    server.go_on()


def test_redis_that_writes_all_down(plan: Callable[..., Plan]) -> None:
    with run_redis("--appendonly", "yes", "--appendfsync", "always") as redis:
        with World(plan(redis.url)) as world:
            world.befall(lambda: reborn(redis.server), lambda: frozen(redis.server), every=EVERY)
        told = lived(world)
    assert told.errors, "nobody noticed that it was killed"


def test_postgresql(plan: Callable[..., Plan], postgresql: Postgresql) -> None:
    with World(plan(postgresql.url)) as world:
        world.befall(
            lambda: reborn(postgresql.server), lambda: frozen(postgresql.server), every=EVERY
        )
    assert lived(world).errors, "nobody noticed that it was killed"


def test_sqlite_whose_writers_are_killed(plan: Callable[..., Plan], tmp_path: Path) -> None:
    with World(plan(f"sqlite:///{tmp_path}/sessions.db", timeout=30)) as world:
        world.befall(world.kill_process, every=EVERY / 3)
    lived(world)


def test_memcached_that_forgets(plan: Callable[..., Plan]) -> None:
    with run_memcached() as memcached:
        with World(plan(memcached.url)) as world:
            world.befall(lambda: world.wipes.append(reborn(memcached.server)), every=EVERY)
        told = lived(world)
    assert world.wipes
    assert told.errors, "nobody noticed that it was killed"


def test_a_store_that_does_not_compare_is_found_out(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    broken = plan(f"sqlite:///{tmp_path}/sessions.db", timeout=30, seconds=1.5, careless=True)
    with World(broken) as world:
        pass
    # What is found first is a matter of luck: a write that is lost, one to what was destroyed, ...
    assert verdict(world, world.told()).startswith(f"seed {broken.seed}, session ")
