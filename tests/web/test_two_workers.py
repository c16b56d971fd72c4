"""The races that lose writes and undo logouts elsewhere, over real HTTP, between two processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.errors import ConfigError
from holdfast.testing.races import RACES, run_races
from holdfast.testing.races.gate import Gate
from holdfast.testing.races.scene import Scene, is_dead, is_nobody
from servers.process import free_port

HERE = Path(__file__).parent
PATIENCE = 30.0
SERVERS = {
    "gunicorn": [
        *("gunicorn", "--workers={workers}", f"--chdir={HERE}", "--bind=127.0.0.1:{port}"),
        *("--log-level=error", "--no-control-socket", "race_apps:over_wsgi"),
    ],
    "uvicorn": [
        *("uvicorn", "--workers={workers}", f"--app-dir={HERE}", "--host=127.0.0.1"),
        *("--port={port}", "--lifespan=off", "--log-level=error", "race_apps:over_asgi"),
    ],
}

pytestmark = pytest.mark.slow


@contextmanager
def serving(name: str, store: str, workers: int = 2) -> Iterator[str]:
    """Serve the application of `race_apps` with its sessions in `store`; yield its URL."""
    port = free_port()
    environment = os.environ | {"HOLDFAST_RACE_URL": store, "PYTHONPATH": str(HERE)}
    words = [word.format(port=port, workers=workers) for word in SERVERS[name]]
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", *words], env=environment, start_new_session=True
    )
    try:
        wait_for(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


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
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('race')}/race.db"
    return str(request.getfixturevalue(request.param).url)


@pytest.mark.parametrize("name", SERVERS)
def test_no_race_between_two_workers_is_lost(name: str, store: str) -> None:
    with serving(name, store) as url:
        report = run_races(url, patience=PATIENCE)
        for slow in ("/append?cart=tea", "/login?user=ada"):
            nothing_undoes_a_logout(url, slow)
    assert report.those("kept") == list(RACES), f"\n{report}"
    assert not any(verdict.why for verdict in report.verdicts), "nobody waited for anybody"


def nothing_undoes_a_logout(url: str, slow: str) -> None:
    """Play what is a rule of ours only: not even a login does."""
    with ThreadPoolExecutor(2) as pool, Gate() as gate:
        scene = Scene(url, gate, pool, PATIENCE)
        visitor = scene.visitor("/set?a=1", "/login?user=ada")
        scene.overlap(visitor, slow, "/logout")
        is_nobody(visitor)
        for copy in visitor.past():
            is_dead(copy, "a copy of the cookie")


@pytest.mark.parametrize("name", SERVERS)
def test_a_worker_that_waits_answers_nobody_else(name: str, tmp_path: Path) -> None:
    with (
        serving(name, f"sqlite:///{tmp_path}/race.db", workers=1) as url,
        pytest.raises(ConfigError, match="one request at a time"),
    ):
        run_races(url, patience=2)
