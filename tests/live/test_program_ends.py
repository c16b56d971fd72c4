"""Programs end in silence: whatever store they opened, closed or left open, in threads or loops."""

import contextlib
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.server, pytest.mark.slow]

SERVERS = {
    "redis": "redis",
    "sentinel": "redis_cluster",
    "cluster": "redis_cluster",
    "memcached": "memcached",
    "postgresql": "postgresql",
    "mariadb": "mariadb",
    "mongodb": "mongodb",
    "dynamodb": "dynamodb",
    "datastore": "datastore",
    "tyrant": "tyrant",
}
"""Name of a store -> module of `servers` that has its `run_<name>`."""
SCHEMES = {"postgresql": ("psycopg", "asyncpg"), "mariadb": ("pymysql", "asyncmy")}

ENDS = {
    "left open": "use(); asyncio.run(use_in_loop()); asyncio.run(use_in_loop())",
    "left open by features": "asyncio.run(features())",
    "closed": "use(); asyncio.run(use_in_loop()); store.close()",
    "closed in a loop": "use(); asyncio.run(use_in_loop(store.close))",
    "closed by its other face": "use(); asyncio.run(use_in_loop(lambda: store.aio.close()))",
}
PROGRAM = """
import asyncio, inspect, sys
from holdfast import Limiter, Sessions, open_store

store = open_store(sys.argv[1], timeout=20)

def use():
    store.put("k", b"v", 60)
    assert store.get("k") == b"v"

async def use_in_loop(then=lambda: None):
    await store.aio.put("k", b"v", 60)
    assert await store.aio.get("k") == b"v"
    done = then()
    if inspect.isawaitable(done):
        await done

sessions, limiter = Sessions(store), Limiter(sys.argv[1])

async def features():
    session = await sessions.aio.load(None)
    session["a"] = 1
    await sessions.aio.commit(session)
    limiter.hit("k", "5/minute")

"""


@pytest.fixture(scope="module", params=["file", "sqlite", "sqlite+aiosqlite", "dbm", *SERVERS])
def urls(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[str]]:
    name: str = request.param
    with contextlib.ExitStack() as servers:
        if name in SERVERS:
            module = importlib.import_module(f"servers.{SERVERS[name]}")
            server = servers.enter_context(getattr(module, f"run_{name}")())
            drivers = SCHEMES.get(name)
            yield [server.url_of(driver) for driver in drivers] if drivers else [server.url]
        else:
            yield [f"{name}:///{tmp_path_factory.mktemp('ends')}/rows"]


@pytest.mark.parametrize("end", ENDS)
def test_a_program_ends_in_silence(urls: list[str], end: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM + ENDS[end] + "\n")
    for url in urls:
        ended = subprocess.run(  # noqa: S603 - our own words
            [sys.executable, "-W", "error", str(program), url],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
