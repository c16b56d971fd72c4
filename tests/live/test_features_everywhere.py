"""Sessions, caches and limits keep their word on every store, whatever keeps the bytes."""

import asyncio
import contextlib
import importlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast import Cache, Limiter, Sessions, open_store
from holdfast.store.protocol import OpenStore
from holdfast.testing.races import RACES, run_races
from holdfast.testing.races.site import asgi_site, wsgi_site
from holdfast.web import asgi, wsgi

pytestmark = pytest.mark.server

SERVERS = {
    "redis": "redis",
    "valkey": "redis",
    "cluster": "redis_cluster",
    "sentinel": "redis_cluster",
    "memcached": "memcached",
    "postgresql": "postgresql",
    "mariadb": "mariadb",
    "mongodb": "mongodb",
    "dynamodb": "dynamodb",
    "tyrant": "tyrant",
}
"""Name of a store -> module of `servers` that has its `run_<name>`."""
TIMEOUT = "?timeout=5"  # the machines that run all tests at once are busy


@pytest.fixture(scope="module", params=["file", "sqlite", "dbm", *SERVERS])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    name: str = request.param
    if name not in SERVERS:
        yield f"{name}:///{tmp_path_factory.mktemp(name)}/rows{TIMEOUT}"
        return
    run = getattr(importlib.import_module(f"servers.{SERVERS[name]}"), f"run_{name}")
    with run() as server:
        yield server.url + (TIMEOUT if "?" not in server.url else "&timeout=5")


@pytest.fixture
def opened(url: str, tmp_path: Path) -> Iterator[Callable[[], OpenStore]]:
    """Open handles on the same rows, as two hosts would."""
    with contextlib.ExitStack() as stores:
        yield lambda: stores.enter_context(open_store(url, prefix=f"t{abs(hash(tmp_path))}"))


Opened = Callable[[], OpenStore]


def test_two_requests_of_one_visitor_lose_nothing(opened: Opened) -> None:
    here, there = Sessions(opened()), Sessions(opened())
    first = here.load(None)
    first["cart"] = ["tea"]
    token = here.commit(first).token
    one, two = here.load(token), there.load(token)
    one["colour"], two["size"] = "green", 7
    one.increment("visits")
    two.increment("visits")
    here.commit(one)
    there.commit(two)
    assert dict(here.load(token)) == {"cart": ["tea"], "colour": "green", "size": 7, "visits": 2}


def test_a_logout_is_not_undone_by_a_slow_request(opened: Opened) -> None:
    here, there = Sessions(opened()), Sessions(opened())
    first = here.load(None)
    first.login("ada")
    token = here.commit(first).token
    slow, leaving = here.load(token), there.load(token)
    slow["late"] = True
    leaving.logout()
    there.commit(leaving)
    here.commit(slow)
    assert here.load(token).user is None
    assert dict(there.load(token)) == {}


@pytest.mark.parametrize("face", ["wsgi", "asgi"])
def test_no_race_of_two_tabs_is_lost(opened: Opened, face: str) -> None:
    sessions = Sessions(opened(), accept_eviction=True)
    if face == "wsgi":
        report = run_races(wsgi.SessionMiddleware(wsgi_site, sessions))
    else:
        report = run_races(asgi.SessionMiddleware(asgi_site, sessions))
    assert report.those("kept") == list(RACES), f"\n{report}"


def test_sessions_of_an_event_loop(opened: Opened) -> None:
    store = opened()
    sessions = Sessions(store)

    async def body() -> None:
        session = await sessions.aio.load(None)
        session["n"] = 0
        outcome = await sessions.aio.commit(session)

        async def visit() -> None:
            again = await sessions.aio.load(outcome.token)
            again.increment("n")
            await sessions.aio.commit(again)

        await asyncio.gather(*(visit() for _ in range(8)))
        assert (await sessions.aio.load(outcome.token))["n"] == 8
        await store.aio.close()

    asyncio.run(body())


def test_a_tag_is_invalidated_for_all(opened: Opened) -> None:
    here, there = (Cache(opened(), near=False) for _ in range(2))
    assert here.get_or_create("a", lambda: "old", ttl=60, tags=["t"]) == "old"
    assert there.get("a") == "old"
    assert here.get_or_create("b", lambda: "stays", ttl=60) == "stays"
    there.invalidate_tags("t")
    assert here.get("a") is None
    assert here.get_or_create("a", lambda: "new", ttl=60, tags=["t"]) == "new"
    assert there.get_many(["a", "b"]) == {"a": "new", "b": "stays"}
    here.clear()
    assert there.get_many(["a", "b"]) == {}


def test_a_cache_of_an_event_loop(opened: Opened) -> None:
    store = opened()
    cache = Cache(store, near=False)
    made: list[str] = []

    async def create() -> str:
        made.append("x")
        await asyncio.sleep(0)
        return "value"

    async def body() -> None:
        crowd = (cache.aio.get_or_create("k", create, ttl=60) for _ in range(20))
        assert set(await asyncio.gather(*crowd)) == {"value"}
        assert len(made) == 1
        await cache.aio.put_many({f"k{n}": n for n in range(50)}, ttl=60)
        assert len(await cache.aio.get_many([f"k{n}" for n in range(50)])) == 50
        await store.aio.close()

    asyncio.run(body())


def test_a_limit_is_one_limit_for_all(opened: Opened) -> None:
    limiters = [Limiter(opened(), on_error="deny") for _ in range(2)]
    with ThreadPoolExecutor(4) as threads:
        decisions = list(
            threads.map(lambda n: limiters[n % 2].hit("login", "10/hour").allowed, range(30))
        )
    assert decisions.count(True) == 10
    assert not limiters[0].peek("login", "10/hour").allowed
