"""Two processes change and read the same keys at random: how stale may what they read be?

A process never reads what is older than its own changes. What the other one changed is seen within
a bound: without a bus that of `near_ttl`, strictly; with one, soon, and `near_ttl` where it is
broken. `make soak` goes on for a minute each.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from model.history import Change, History, Read, Verdict, judge
from model.world import KEYS, Plan, live
from servers.postgresql import Postgresql
from servers.proxy import Proxy
from servers.redis import RedisServer

SECONDS = 60.0 if os.environ.get("HOLDFAST_SOAK") else 1.5
NEAR_TTL = 0.2  # that of the processes here: 5 s would show nothing in a short run
SKEW = 0.1  # `near_ttl` counts by the wall clock, the histories by the monotonic one
SOON = 3.0  # news need a thread of the one process and one of the other, on a busy machine
RECONNECTING = 4.0  # who changes something tells it when he is connected again: tries are 2 s apart
CUT_EVERY = 1.0


def seen(plan: Plan, bound: float) -> list[History]:
    """Let two processes live, and assert what holds of any of them."""
    histories = live(plan)
    verdict = judge(histories)
    changes = [change for history in histories for change in history.changes]
    print(  # noqa: T201 - shown by -s
        f"{sum(history.reads for history in histories)} reads, {len(changes)} changes,"
        f" unseen for {verdict.others:.3f} s at most"
    )
    assert not verdict.own, f"its own change was unseen: {verdict.own[0]}"
    assert verdict.others < bound, f"unseen for {verdict.others:.3f} s: {verdict.worst}"
    for key in range(KEYS):
        newest = max((change.version for change in changes if change.key == key), default=0)
        for history in histories:
            assert history.ends[key] >= newest, f"key {key} in process {history.process}"
    assert all(history.reads and history.changes for history in histories)
    return histories


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    store = f"sqlite:///{tmp_path}/cache.db?timeout=30"
    return Plan(tmp_path, store, seconds=SECONDS, bus=None, near_ttl=NEAR_TTL)


@pytest.fixture
def redis_plan(plan: Plan, redis_server: RedisServer) -> Plan:
    options = {"prefix": f"model-{os.urandom(4).hex()}"}
    return replace(plan, store=f"{redis_server.url}?timeout=30", options=options)


@pytest.fixture
def postgresql_plan(plan: Plan, postgresql: Postgresql) -> Plan:
    options = {"prefix": f"model-{os.urandom(4).hex()}"}
    return replace(plan, store=f"{postgresql.url}?timeout=30", options=options)


@pytest.mark.parametrize("near", [True, False], ids=["near", "far only"])
@pytest.mark.slow
def test_without_a_bus_near_ttl_bounds(plan: Plan, *, near: bool) -> None:
    histories = seen(replace(plan, options={"near": near}), NEAR_TTL + SKEW if near else 1e-9)
    assert any(history.near_hits for history in histories) == near


@pytest.mark.parametrize("kind", ["tracking", "pubsub"])
@pytest.mark.slow
@pytest.mark.server
def test_redis_tells_soon(redis_plan: Plan, redis_server: RedisServer, kind: str) -> None:
    plan = replace(redis_plan, bus=(f"{redis_server.url}?timeout=5", kind))
    for history in seen(plan, SOON):
        assert history.near_hits
        assert history.bus.startswith(kind)


@pytest.mark.slow
@pytest.mark.server
def test_values_that_are_refreshed_are_no_staler(
    redis_plan: Plan, redis_server: RedisServer
) -> None:
    options = redis_plan.options | {"ttl": 0.5, "refresh_at": 0.3}
    bus = (f"{redis_server.url}?timeout=5", "tracking")
    seen(replace(redis_plan, bus=bus, options=options), SOON)


@pytest.mark.slow
@pytest.mark.server
def test_postgresql_tells_soon(postgresql_plan: Plan, postgresql: Postgresql) -> None:
    plan = replace(postgresql_plan, bus=(f"{postgresql.url}?timeout=5", "listen"))
    for history in seen(plan, SOON):
        assert history.near_hits
        assert history.bus.startswith("listen")


@pytest.mark.parametrize("kind", ["tracking", "pubsub"])
@pytest.mark.slow
@pytest.mark.server
def test_a_bus_that_is_cut_again_and_again(
    redis_plan: Plan, redis_server: RedisServer, kind: str
) -> None:
    with Proxy(redis_server.port) as proxy, cut(proxy):
        seen_while_cut(redis_plan, f"redis://127.0.0.1:{proxy.port}", kind)
        assert proxy.taken > 2


@pytest.mark.slow
@pytest.mark.server
def test_a_bus_of_postgresql_that_is_cut(postgresql_plan: Plan, postgresql: Postgresql) -> None:
    with Proxy(postgresql.server.port) as proxy, cut(proxy):
        url = postgresql.url.replace(f":{postgresql.server.port}/", f":{proxy.port}/")
        assert url != postgresql.url
        seen_while_cut(postgresql_plan, url, "listen")
        assert proxy.taken > 2


def seen_while_cut(plan: Plan, url: str, kind: str) -> None:
    """As `seen`, with a bus at `url` that breaks now and then."""
    bound = NEAR_TTL + SOON + (0 if kind == "tracking" else RECONNECTING)
    seen(replace(plan, bus=(f"{url}?timeout=5", kind), settle=NEAR_TTL + RECONNECTING), bound)


@contextlib.contextmanager
def cut(proxy: Proxy) -> Iterator[None]:
    """Reset the connections of `proxy` again and again, while the block runs."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(CUT_EVERY if SECONDS > CUT_EVERY * 3 else SECONDS / 3):
            proxy.reset()

    cutter = threading.Thread(target=run)
    cutter.start()
    try:
        yield
    finally:
        over.set()
        cutter.join()


@pytest.mark.slow
def test_the_model_sees_what_nobody_is_told_of(plan: Plan) -> None:
    histories = live(replace(plan, near_ttl=30.0, settle=0.0))
    assert judge(histories).others > NEAR_TTL + SKEW


def change(version: int, at: float) -> Change:
    return Change(7, version, at, "a test")


def read(version: int, at: float) -> Read:
    return Read(7, version, at, "a test")


def test_staleness_is_the_time_since_the_oldest_change_that_was_unseen() -> None:
    writer = History(0, changes=[change(1, 10.0), change(2, 11.0), change(3, 15.0)])
    reader = History(1, behind=[read(1, 10.5), read(0, 10.5), read(1, 12.0), read(2, 14.0)])
    verdict = judge([writer, reader])
    assert (verdict.own, verdict.others) == ([], 1.0)
    assert verdict.worst == (change(2, 11.0), read(1, 12.0))


def test_what_was_not_acknowledged_when_the_read_began_need_not_be_seen() -> None:
    writer = History(0, changes=[change(1, 10.0)], behind=[read(0, 9.9)])
    assert judge([writer]) == Verdict()


def test_its_own_changes_a_process_sees_at_once() -> None:
    process = History(0, changes=[change(1, 10.0)], behind=[read(0, 10.001)])
    assert judge([process]).own == [(change(1, 10.0), read(0, 10.001))]
