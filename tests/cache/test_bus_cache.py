"""Caches of several processes on real servers: what one changes, the others serve no more.

Law: two caches of one process stand for two processes, each with a bus of its own. Near values live
for 300 s here, so that what is gone at once was told, and did not just end.
"""

import itertools
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from tiers import until

from holdfast import creation, open_store
from holdfast.cache import Cache
from holdfast.testing.clock import ManualClock
from holdfast.testing.faults import FaultyStore
from holdfast.testing.trial import in_processes, in_threads
from servers.redis import RedisServer, run_redis

pytestmark = pytest.mark.server

KINDS = ["tracking", "pubsub", "listen"]
Opens = Callable[..., Cache]
_prefixes = map("p{}".format, itertools.count())


def whole(cache: Cache) -> Cache:
    """Return `cache` when it hears."""
    cache.get("~nothing")
    until(lambda: cache.stats().bus != "")
    return cache


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest) -> str:
    server: Any = request.getfixturevalue("postgresql" if kind == "listen" else "redis_server")
    return str(server.url)


@pytest.fixture
def opens(kind: str, url: str) -> Iterator[Opens]:
    """Open caches that hear each other and nobody else."""
    prefix = next(_prefixes)
    with ExitStack() as stack:

        def make(**options: Any) -> Cache:
            options = {"prefix": prefix, "bus": kind, "deadline": 10, **options}
            return whole(stack.enter_context(Cache(url, **options)))

        yield make


def bus_threads() -> int:
    return sum(thread.name == "holdfast-bus" for thread in threading.enumerate())


def late() -> str:
    creation().tags.append("late one")
    return "old"


CHANGES: dict[str, Callable[[Cache], object]] = {
    "delete": lambda cache: cache.delete("k"),
    "delete_many": lambda cache: cache.delete_many(["x", "k"]),
    "put": lambda cache: cache.put("k", "new"),
    "put_many": lambda cache: cache.put_many({"x": 1, "k": "new"}),
    "ttl 0": lambda cache: cache.put("k", "new", ttl=0),
    "tag": lambda cache: cache.invalidate_tags("x", "two words"),
    "late tag": lambda cache: cache.invalidate_tags("late one"),
    "clear": lambda cache: cache.clear(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_others_see_each_change(opens: Opens, change: str) -> None:
    here, there = opens(), opens()
    for cache in (here, there):
        assert cache.get_or_create("k", late, tags=["two words"]) == "old"
    assert here.get("k") == "old"
    CHANGES[change](there)
    seen = "new" if change.startswith("put") else None
    until(lambda: here.get("k") == seen)
    assert there.get("k") == seen


PLACES: dict[str, Callable[[Cache], Cache]] = {
    "root": lambda cache: cache,
    "namespace": lambda cache: cache.namespace("users"),
    "deep": lambda cache: cache.namespace("users").namespace("v2"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["k", "two words", "ü" * 200, "a:b:c", "~probe:1", "\0x\0y", ""])
def test_whatever_the_name_is(opens: Opens, place: str, name: str) -> None:
    here, there = (PLACES[place](opens()) for _ in range(2))
    here.put(name, "old", tags=["ä ö"])
    there.put(name, "new", tags=["ä ö"])
    until(lambda: here.get(name) == "new")
    there.delete(name)
    until(lambda: here.get(name) is None)
    for forget in ("tag", "clear"):
        here.put(name, "again", tags=["ä ö"])
        if forget == "tag":
            there.invalidate_tags("ä ö")
        else:
            there.clear()
        until(lambda: here.get(name) is None)


def test_a_clear_above_is_heard_below_and_not_beside(opens: Opens) -> None:
    here, there = opens(), opens()
    below, beside = here.namespace("a").namespace("b"), here.namespace("c")
    below.put("k", 1)
    beside.put("k", 2)
    there.namespace("a").clear()
    until(lambda: below.get("k") is None)
    hits = here.stats().near_hits
    assert beside.get("k") == 2
    assert here.stats().near_hits == hits + 1


@pytest.mark.parametrize("prefix", ["", "v", "a.b.c", "x-1_2"])
def test_whatever_the_prefix_is(opens: Opens, prefix: str) -> None:
    here, there, near_by = opens(prefix=prefix), opens(prefix=prefix), opens(prefix=prefix + "x")
    for cache in (here, near_by):
        cache.put("k", "old", tags=["t"])
    there.invalidate_tags("t")
    until(lambda: here.get("k") is None)
    hits = near_by.stats().near_hits
    assert near_by.get("k") == "old"
    assert near_by.stats().near_hits == hits + 1
    for cache in (here, near_by):
        cache.clear()


def test_what_we_wrote_ourselves_stays_near(opens: Opens) -> None:
    here, there = opens(), opens()
    names = [f"k{number}" for number in range(1000)]
    for name in names[:400]:
        here.put(name, 1, tags=["t"])
    for name in names[400:800]:
        here.get_or_create(name, lambda: 1, tags=["t"])
    here.get_or_create_many(names[800:], lambda missing: dict.fromkeys(missing, 1))
    for name in names[:100]:  # and once more over what is there
        here.put(name, 1)
    there.put("told last", 1)
    here.put("told last", 2)
    there.put("told last", 3)
    until(lambda: here.get("told last") == 3)  # so all that came before was heard
    hits = here.stats().near_hits
    for name in names:
        assert here.get(name) == 1
    assert here.stats().near_hits - hits == 1000


def test_it_comes_within_milliseconds(opens: Opens) -> None:
    """Target 4: half of all within 5 ms, where nothing else runs; here other tests may."""
    here, there = opens(), opens()
    took = []
    for number in range(200):
        name = f"k{number}"
        here.put(name, 1)
        began = time.perf_counter()
        there.delete(name)
        while here.get(name) is not None:
            time.sleep(0.0002)
        took.append(time.perf_counter() - began)
    shown = [f"{1000 * each:.1f}" for each in statistics.quantiles(took, n=100)[49::49]]
    print(f"a delete is seen after {' / '.join(shown)} ms (p50 / p99)")  # noqa: T201 - shown by -s
    assert statistics.median(took) < 0.05, shown


def test_what_the_store_never_had_is_not_kept_for_long(url: str, kind: str) -> None:
    """That it is gone is told to nobody by a server that never had it."""
    clock = ManualClock()
    store = FaultyStore(open_store(url, timeout=10))
    with Cache(store, prefix=next(_prefixes), bus=kind, clock=clock, on_error="queue") as cache:
        whole(cache)
        with store.fail():
            assert cache.get_or_create("k", lambda: "made while it failed") is not None
            cache.put("l", "put while it failed")
        for seconds, seen in ((4.9, True), (0.1, False)):
            clock.advance(seconds)
            assert [cache.get("k") is not None, cache.get("l") is not None] == [seen, seen]


def test_who_waits_for_another_process_is_woken(opens: Opens) -> None:
    here, there = opens(), opens()
    late_by = []
    for number in range(5):
        ends: dict[str, float] = {}
        lead = {"is": False}

        def create(lead: dict[str, bool] = lead) -> int:
            assert not lead["is"], "two at once"
            lead["is"] = True
            time.sleep(1.0)  # who only looks now and then would come 0.1 s late
            return 1

        def ask(who: int, name: str = f"k{number}", ends: dict[str, float] = ends) -> None:
            time.sleep(0.05 * who)
            assert (here, there)[who].get_or_create(name, create) == 1
            ends[str(who)] = time.perf_counter()

        in_threads(2, ask)
        late_by.append(ends["1"] - ends["0"])
    assert statistics.median(late_by) < 0.05, late_by


def test_forked_children_hear_and_are_heard(opens: Opens) -> None:
    here = opens()
    here.put("k", "old")

    def work(_number: int) -> None:
        until(lambda: here.stats().bus != "")
        assert here.get("k") == "old"
        here.put("from the child", os.getpid())
        here.delete("k")
        until(lambda: here.get("answer") == 1)
        here.close()

    in_child = []
    in_threads(
        2,
        lambda number: in_child.append(in_processes(1, work)) if number else (_await_child(here)),
    )
    assert in_child == [[0]]


def _await_child(cache: Cache) -> None:
    until(lambda: cache.get("k") is None)
    cache.put("answer", 1)


@pytest.mark.parametrize("near", [True, False])
@pytest.mark.parametrize("ends", ["closed", "exit"])
def test_an_invalidation_is_told_though_its_process_ends(
    opens: Opens, url: str, kind: str, ends: str, near: bool
) -> None:
    """A script that changes one thing and is done."""
    here = opens()
    here.put("k", "old")
    options = {"prefix": here._core.prefix, "near": near, "deadline": 10}
    if kind == "pubsub":  # which is not what a Redis of today comes to
        options["bus"] = kind
    script = f"from holdfast import Cache\nc = Cache({url!r}, **{options})\nc.delete('k')\n"
    if ends == "closed":
        script += "c.close()\n"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)  # noqa: S603 - our own
    until(lambda: here.get("k") is None)


@pytest.mark.parametrize("kind", ["pubsub", "listen"])
def test_who_keeps_nothing_near_speaks_where_no_server_does(opens: Opens, kind: str) -> None:
    here, there = opens(), opens(near=False, bus="pubsub" if kind == "pubsub" else "auto")
    here.put("k", "old", tags=["t"])
    there.invalidate_tags("t")
    until(lambda: here.get("k") is None)


# Trouble


def kill_buses(server: RedisServer) -> int:
    """End all connections that hear, and no other; return how many there were."""
    with redis.Redis(port=server.port) as client:
        hears = [each for each in client.client_list() if {"t", "P"} & set(each["flags"])]
        for each in hears:
            client.client_kill_filter(_id=each["id"])
    return len(hears)


@pytest.fixture(scope="module")
def own_redis() -> Iterator[RedisServer]:
    with run_redis() as server:
        yield server


@pytest.mark.parametrize("kind", ["tracking", "pubsub"])
def test_while_nothing_is_heard_near_values_are_short_lived(
    own_redis: RedisServer, kind: str
) -> None:
    told: list[str] = []

    def observe(event: str, _fields: object) -> None:
        told.append(event)

    prefix = next(_prefixes)
    with (
        Cache(own_redis.url, prefix=prefix, bus=kind, deadline=10, observer=observe) as here,
        Cache(own_redis.url, prefix=prefix, bus=kind, deadline=10) as there,
    ):
        whole(here)
        whole(there)
        for _ in range(3):
            here.put("k", "old")
            assert here._core.near.cells["k"].until > time.time() + 100
            lost = told.count("cache.bus_lost")
            assert kill_buses(own_redis) == 2
            there.put("k", "new")  # perhaps nobody hears of it
            until(lambda lost=lost: told.count("cache.bus_lost") > lost)  # type: ignore[misc]
            assert here.get("k") == "new"
            whole(here)
            whole(there)
            assert here.get("k") == "new"


def test_who_empties_the_server_empties_all(own_redis: RedisServer) -> None:
    with Cache(own_redis.url, prefix=next(_prefixes), bus="tracking", deadline=10) as cache:
        whole(cache).put("k", 1)
        with redis.Redis(port=own_redis.port) as client:
            client.flushall()
        until(lambda: cache.get("k") is None)
        cache.put("k", 2)
        assert cache.get("k") == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tracking", "pubsub"])
def test_a_server_that_comes_back_empty(kind: str) -> None:
    with run_redis() as server, ExitStack() as stack:
        caches = [stack.enter_context(Cache(server.url, bus=kind, deadline=5)) for _ in range(2)]
        for cache in caches:
            whole(cache).put("k", "old")
        server.server.kill()
        until(lambda: not any(cache.stats().bus for cache in caches))
        assert [cache.get("k") for cache in caches] == [None, None]
        assert caches[0].get_or_create("k", lambda: "made meanwhile") == "made meanwhile"
        server.server.start()
        for cache in caches:
            until(lambda cache=cache: cache.get("~") is None and not cache.stats().far_open)  # type: ignore[misc]
            whole(cache)
        assert caches[0].get_or_create("k", lambda: "new") == "new"
        assert caches[1].get("k") == "new"
        caches[1].delete("k")
        until(lambda: caches[0].get("k") is None)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tracking", "pubsub"])
def test_a_server_that_stands_still_holds_up_nobody_for_long(kind: str) -> None:
    """Target of the issue: under 100 ms after the breaker opens."""
    with run_redis() as server, Cache(server.url, bus=kind) as cache:
        whole(cache).put("k", "old")
        server.server.pause()
        try:
            began = time.perf_counter()
            for number in range(3):
                assert cache.get_or_create(f"a{number}", lambda: 1) == 1
            assert cache.stats().far_open
            assert time.perf_counter() - began < 10, "three deadlines of 0.25 s, and creations"
            took = []
            for number in range(200):
                began = time.perf_counter()
                assert cache.get_or_create(f"b{number}", lambda: 1) == 1
                took.append(time.perf_counter() - began)
            assert statistics.quantiles(took, n=10)[8] < 0.1, max(took)
            until(lambda: cache.stats().bus == "")
            assert cache.get("k") is None, "it may be another by now"
        finally:
            server.server.go_on()
        until(lambda: not cache.stats().far_open)
        assert whole(cache).get("k") == "old"


# Who has none


@pytest.mark.parametrize(
    "store", ["memory://", "sqlite:///{}/rows.db", "file:///{}/rows", "null://"]
)
def test_stores_without_a_bus(store: str, tmp_path: Path) -> None:
    before = bus_threads()
    with Cache(store.format(tmp_path)) as cache:
        cache.put("k", 1)
        assert cache.stats().bus == ""
        assert bus_threads() == before


def test_a_server_that_tells_by_itself_needs_no_bus_of_who_keeps_nothing(
    redis_server: RedisServer,
) -> None:
    without: list[dict[str, Any]] = [{"near": False}, {"enabled": False}, {"bus": None}]
    for options in without:
        before = bus_threads()
        with Cache(redis_server.url, prefix=next(_prefixes), **options) as cache:
            cache.put("k", 1)
            cache.delete("k")
            assert cache.stats().bus == ""
            assert bus_threads() == before


def test_a_closed_cache_hears_no_more(opens: Opens) -> None:
    here, there = opens(), opens()
    here.put("k", "old")
    here.close()
    assert here.stats().bus == ""
    there.delete("k")
    assert here.get("k") is None
    there.put("k", "new")
