"""The races that lose writes and undo logouts elsewhere, over real HTTP, between two processes."""

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from servers.process import free_port

HERE = Path(__file__).parent
PATIENCE = 30.0
SERVERS = {
    "gunicorn": [
        *("gunicorn", "--workers=2", f"--chdir={HERE}", "--bind=127.0.0.1:{port}"),
        *("--log-level=error", "--no-control-socket", "race_apps:over_wsgi"),
    ],
    "uvicorn": [
        *("uvicorn", "--workers=2", f"--app-dir={HERE}", "--host=127.0.0.1", "--port={port}"),
        *("--lifespan=off", "--log-level=error", "race_apps:over_asgi"),
    ],
}

pytestmark = pytest.mark.slow


class Server:
    """Two workers on a loopback port, and the pipes their slow requests wait at."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port = port
        self.told = os.open(folder / "told", os.O_RDWR)
        self.on = os.open(folder / "on", os.O_RDWR)
        self.pool = ThreadPoolExecutor(4)

    def close(self) -> None:
        self.pool.shutdown()
        os.close(self.told)
        os.close(self.on)

    def start_slow(self, tab: "Tab", path: str) -> "Future[dict[str, Any]]":
        """Send a request and return once it is under way in a worker."""
        answer = self.pool.submit(tab.get, f"/slow{path}")
        assert select.select([self.told], [], [], PATIENCE)[0], "the slow request never arrived"
        os.read(self.told, 1)
        return answer

    def let_on(self, answer: "Future[dict[str, Any]]") -> dict[str, Any]:
        """Let a slow request go on, and return what it was answered."""
        os.write(self.on, b"x")
        return answer.result(PATIENCE)


class Tab:
    """One tab of a browser."""

    def __init__(self, port: int, cookie: str = "") -> None:
        self.port = port
        self.cookie = cookie

    def get(self, path: str) -> dict[str, Any]:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        link.request("GET", path, headers={"Cookie": self.cookie, "Connection": "close"})
        answer = link.getresponse()
        assert answer.status == 200
        body: dict[str, Any] = json.loads(answer.read())
        if line := answer.getheader("Set-Cookie"):
            self.cookie = "" if "Max-Age=0" in line else line.partition(";")[0]
        link.close()
        return body

    def twin(self) -> "Tab":
        return Tab(self.port, self.cookie)


@contextmanager
def serving(command: list[str], folder: Path, url: str) -> Iterator[Server]:
    for pipe in ("told", "on"):
        os.mkfifo(folder / pipe)
    port = free_port()
    environment = os.environ | {
        "HOLDFAST_RACE": str(folder),
        "HOLDFAST_RACE_URL": url,
        "PYTHONPATH": str(HERE),
    }
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", *(word.format(port=port) for word in command)],
        env=environment,
        start_new_session=True,
    )
    server = Server(port, folder)
    try:
        wait_for(process, port)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        server.close()


def wait_for(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Return when the server listens; only polling can tell."""
    latest = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, "the server did not start"
            assert time.monotonic() < latest, "the server does not listen"
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="module", params=["sqlite", "redis_server", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('race')}/race.db"
    return str(request.getfixturevalue(request.param).url)


@pytest.fixture(scope="module", params=SERVERS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, url: str
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("race")
    with serving(SERVERS[request.param], folder, url) as running:
        yield running


@pytest.fixture
def tab(server: Server) -> Tab:
    tab = Tab(server.port)
    tab.get("/login")
    tab.get("/write?a=1")
    assert tab.cookie.startswith("__Host-sid=")
    return tab


def test_a_slow_reader_does_not_undo_a_write(server: Server, tab: Tab) -> None:
    reader = server.start_slow(tab.twin(), "/show")
    written = tab.get("/write?b=2")
    read = server.let_on(reader)
    assert read["data"] == {"a": "1"}
    assert tab.get("/show")["data"] == {"a": "1", "b": "2"}
    assert read["pid"] != written["pid"]


def test_two_writers_both_keep_what_they_wrote(server: Server, tab: Tab) -> None:
    writer = server.start_slow(tab.twin(), "/write?slow=yes")
    tab.get("/write?fast=yes")
    server.let_on(writer)
    assert tab.get("/show")["data"] == {"a": "1", "slow": "yes", "fast": "yes"}


def test_two_tabs_both_keep_what_they_appended(server: Server, tab: Tab) -> None:
    tab.get("/append?cart=tea")
    slow = server.start_slow(tab.twin(), "/append?cart=milk")
    tab.get("/append?cart=sugar")
    server.let_on(slow)
    assert sorted(tab.get("/show")["data"]["cart"]) == ["milk", "sugar", "tea"]


@pytest.mark.parametrize("path", ["/show", "/write?b=2", "/append?cart=tea", "/login"])
def test_nothing_undoes_a_logout(server: Server, tab: Tab, path: str) -> None:
    before, other = tab.twin(), tab.twin()
    slow = server.start_slow(other, path)
    tab.get("/logout")
    server.let_on(slow)
    for cookie in (before.cookie, other.cookie):
        shown = Tab(server.port, cookie).get("/show")
        assert (shown["user"], shown["data"]) == (None, {})


def test_a_write_that_overlaps_a_login_follows_it(server: Server, tab: Tab) -> None:
    slow = server.start_slow(tab.twin(), "/write?slow=yes")
    before = tab.cookie
    tab.get("/login")
    server.let_on(slow)
    shown = tab.get("/show")
    assert tab.cookie != before
    assert (shown["user"], shown["data"]) == ("ada", {"a": "1", "slow": "yes"})
    assert Tab(server.port, before).get("/show")["user"] is None
