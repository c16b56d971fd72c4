"""A store that was used before gunicorn forked its workers shares no connection with them."""

import http.client
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast import open_store
from servers.process import free_port

HERE = Path(__file__).parent
PATIENCE = 30.0
SERVERS = {
    "redis": "redis",
    "memcached": "memcached",
    "postgresql": "postgresql",
    "mariadb": "mariadb",
    "mongodb": "mongodb",
    "tyrant": "tyrant",
}

pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture(params=SERVERS)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    name: str = request.param
    run = getattr(importlib.import_module(f"servers.{SERVERS[name]}"), f"run_{name}")
    with run() as server:
        yield server.url


@pytest.fixture
def port(url: str) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(  # noqa: S603 - our own words
        [
            *(sys.executable, "-m", "gunicorn", "--preload", "--workers=3", "--threads=3"),
            *(f"--chdir={HERE}", f"--bind=127.0.0.1:{port}", "--log-level=error"),
            *("--no-control-socket", "preload_app:application"),
        ],
        env=os.environ | {"HOLDFAST_PRELOAD": url},
        start_new_session=True,
    )
    latest = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            assert process.poll() is None, "the server did not start"
            assert time.monotonic() < latest, "the server does not listen"
            time.sleep(0.05)
    yield port
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(PATIENCE)


def ask(port: int, key: str) -> tuple[int, str]:
    """Return which worker answered, and what it read back."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    link.request("GET", f"/?key={key}", headers={"Connection": "close"})
    answer = link.getresponse()
    said = answer.read()
    link.close()
    assert answer.status == 200
    body = json.loads(said)
    return int(body["pid"]), str(body["seen"])


def test_workers_share_no_connection_with_their_parent(url: str, port: int) -> None:
    keys = [f"k{number}" for number in range(300)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda key: ask(port, key), keys))
    assert [seen for _, seen in answers] == [f"value of {key}" for key in keys]
    with open_store(url) as store:
        assert store.get("count") == b"300"
        parent = int(store.get("parent") or b"0")
    pids = {pid for pid, _ in answers}
    assert len(pids) > 1, "one worker alone proves nothing"
    assert parent not in pids
