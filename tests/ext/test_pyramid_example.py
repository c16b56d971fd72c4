"""Pyramid: the example, from its .ini file: in this process, and by pserve over HTTP."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pyramid.paster import get_app

from holdfast import regions
from holdfast.testing.calls import Visitor
from servers.process import Server, free_port
from servers.redis import RedisServer

EXAMPLES = Path(__file__).parents[2] / "examples"

INI = """
[app:main]
use = config:{examples}/pyramid.ini
holdfast.session.url = {url}
holdfast.cache.default.url = {url}
holdfast.limit.url = {url}

[server:main]
use = egg:waitress#main
listen = 127.0.0.1:{port}
"""


def ini(folder: Path, url: str, port: int = 0) -> Path:
    path = folder / "test.ini"
    path.write_text(INI.format(examples=EXAMPLES, url=url, port=port), encoding="utf-8")
    return path


@contextmanager
def served(folder: Path, url: str) -> Iterator[str]:
    """Run pserve, and return where it listens."""
    port = free_port()
    command = [sys.executable, "-m", "pyramid.scripts.pserve", str(ini(folder, url, port))]
    server = Server(command, port, log=folder / "log", env={"PYTHONPATH": str(EXAMPLES)})
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()


def csrf(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_the_example_counts_signs_in_and_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    app = get_app(str(ini(tmp_path, f"sqlite:///{tmp_path}/a.db")))
    try:
        visitor = Visitor(app, "wsgi")
        assert b"Hello stranger, this is visit 1." in visitor.get().body
        page = visitor.get().body.decode()
        prices = re.search("prices are of ([0-9:]+)", page)
        assert prices is not None
        here = [
            ("Host", "test.example"), ("Origin", "https://test.example"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ]  # fmt: skip

        def sign_in(form: str) -> int:
            headers = [*here, ("Content-Length", str(len(form)))]
            answer = visitor.get("/login", method="POST", headers=headers, body=form.encode())
            return answer.status

        old = visitor.cookies["__Host-sid"]
        assert sign_in("name=Mallory") == 400
        assert sign_in(f"name=Ada&csrf_token={csrf(page)}") == 303
        assert visitor.cookies["__Host-sid"] != old
        page = visitor.get().body.decode()
        assert "Welcome! Hello Ada, this is visit 3." in page
        assert prices[0] in page
        assert "Welcome!" not in visitor.get().body.decode()
        statuses = []
        for _ in range(5):
            token = csrf(visitor.get().body.decode())
            statuses.append(sign_in(f"name=Ada&csrf_token={token}"))
        assert statuses == [303] * 4 + [429]
    finally:
        app.registry.holdfast.close()
        regions.close()


def walk(folder: Path, url: str) -> None:
    """Visit the example by HTTP as a browser would whose cookies go to localhost."""
    with served(folder, url) as place, httpx.Client(base_url=place) as client:
        first = client.get("/")
        assert first.status_code == 200
        assert "this is visit 1." in first.text
        line = first.headers["set-cookie"]
        assert "; Secure; HttpOnly; SameSite=Lax" in line
        assert first.headers["cache-control"] == "no-store"
        assert first.headers["x-ratelimit-limit"] == "60"
        cookie = {"Cookie": line.partition(";")[0]}
        second = client.get("/", headers=cookie)
        assert "this is visit 2." in second.text
        assert "set-cookie" not in second.headers
        form = {"name": "Ada", "csrf_token": csrf(second.text)}
        signed = client.post("/login", data=form, headers=cookie)
        assert signed.status_code == 303
        new = {"Cookie": signed.headers["set-cookie"].partition(";")[0]}
        assert "Welcome! Hello Ada, this is visit 3." in client.get("/", headers=new).text
        assert "Hello stranger, this is visit 1." in client.get("/", headers=cookie).text


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.parametrize("url", ["sqlite:///{}/a.db", "memory://"], ids=["sqlite", "memory"])
def test_pserve_serves_it_from_this_machine(tmp_path: Path, url: str) -> None:
    walk(tmp_path, url.format(tmp_path))


@pytest.mark.slow
@pytest.mark.server
def test_pserve_serves_it_from_redis(tmp_path: Path, redis_server: RedisServer) -> None:
    walk(tmp_path, redis_server.url)
