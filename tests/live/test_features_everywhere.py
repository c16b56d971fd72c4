"""Sessions, caches and limits keep their word on every store, whatever keeps the bytes."""

import asyncio
import contextlib
import importlib
import io
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from holdfast import Cache, Limiter, Sessions, open_store
from holdfast.errors import ConfigError
from holdfast.store.abilities import CanScan
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
    here, there = (Sessions(opened(), accept_eviction=True) for _ in range(2))
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


def test_a_user_has_as_many_sessions_as_he_may_and_all_can_be_ended(opened: Opened) -> None:
    """From both faces and two hosts; records and indexes sealed."""
    options: dict[str, Any] = {
        "max_sessions": 2,
        "accept_eviction": True,
        "secrets": secrets.token_bytes(32),
    }
    here, there = Sessions(opened(), **options), Sessions(opened(), **options)
    tokens: list[str | None] = []
    for host in (here, there, here):
        session = host.load(None)
        session.login("ada", f"device {len(tokens)}")
        tokens.append(host.commit(session).token)
    assert [here.load(token).user for token in tokens] == [None, "ada", "ada"]
    with there.load(tokens[1]).lock():
        assert {info.label for info in here.of("ada")} == {"device 1", "device 2"}

    async def body() -> None:
        current = await there.aio.load(tokens[2])
        assert await there.aio.revoke("ada", keep=current) == 1
        assert [info.id for info in await there.aio.of("ada")] == [current.id]
        current.rotate()
        tokens.append((await there.aio.commit(current)).token)
        assert there.store is not None
        await there.store.aio.close()

    asyncio.run(body())
    assert [here.load(token).user for token in tokens] == [None, None, None, "ada"]
    assert here.revoke("ada") == 1
    assert here.load(tokens[3]).user is None


def test_sessions_go_out_of_a_store_and_back(opened: Opened) -> None:
    here = Sessions(opened(), prefix="dumped")
    store: object = here.store
    stream = io.BytesIO()
    if not isinstance(store, CanScan):
        with pytest.raises(ConfigError):
            here.dump(stream)
        return
    tokens = []
    for number in range(30):
        session = here.load(None)
        session["n"] = number
        tokens.append(here.commit(session).token)
    assert here.dump(stream) == here.count() == 30
    there = Sessions(opened(), prefix="restored")
    stream.seek(0)
    assert there.restore(stream) == 30
    assert [there.load(token)["n"] for token in tokens] == list(range(30))


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
