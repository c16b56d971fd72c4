"""Programs of several processes, under gunicorn and Tornado: a killed one loses nothing."""

import contextlib
import http.client
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import pytest

from servers.memcached import MemcachedServer
from servers.process import Server, free_port
from servers.redis import RedisServer

PROGRAMS = Path(__file__).parent / "programs"
USERS = ("ada", "bob", "cleo")
THREADS, ROUNDS = 6, 15  # two threads for each user

pytestmark = [pytest.mark.server, pytest.mark.slow]


TWO, PRELOAD = ["--workers=2"], ["--workers=4", "--preload"]


@pytest.fixture
def options(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    kind: str = request.param
    lock = {"lock_dir": f"{tmp_path}/lock"}
    if kind == "file":
        place = {"type": "file", "data_dir": f"{tmp_path}/data"}
    elif kind == "database":
        place = {"type": "ext:database", "url": f"sqlite:///{tmp_path}/shop.db", **lock}
    elif kind == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        place = {"type": "ext:redis", "url": f"{server.url}/8"}
    else:
        memcached: MemcachedServer = request.getfixturevalue("memcached_server")
        place = {"type": "ext:memcached", "url": f"127.0.0.1:{memcached.port}", **lock}
    names = {
        f"{part}.{name}": value for part in ("session", "cache") for name, value in place.items()
    }
    return {**names, "session.secret": "s", "session.key": "shop"}


class Program:
    """A server that runs, and its workers."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def kill_a_worker(self) -> str:
        pid = self.workers()[0]
        os.kill(pid, signal.SIGKILL)
        return str(pid)

    def stop(self) -> None:
        workers = self.workers()
        self.server.stop()
        for pid in workers:  # those of Tornado outlive it
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def get(self, cookies: dict[str, str], path: str, **asked: object) -> tuple[str | None, object]:
        """Ask until somebody answers; return who the program thinks it is, and what it says."""
        for again in range(20):
            link = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
            sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
            try:
                link.request("GET", f"{path}?{urlencode(asked)}", headers=sent)
                answer = link.getresponse()
                page = answer.read()
            except (OSError, http.client.HTTPException):  # the worker was killed as it answered
                time.sleep(0.05 * (again + 1))
                continue
            finally:
                link.close()
            assert answer.status == 200, page
            for morsel in SimpleCookie(answer.headers["Set-Cookie"] or "").values():
                cookies[morsel.key] = morsel.value
            user, said = json.loads(page)
            return user, said
        pytest.fail("nobody answers")


@contextlib.contextmanager
def served(folder: Path, port: int, command: list[str], **environ: str) -> Iterator[Program]:
    server = Server([sys.executable, *command], port, log=folder / "log", env=environ)
    server.start()
    program = Program(server)
    try:
        yield program
    finally:
        program.stop()


@pytest.mark.parametrize(
    ("options", "words"),
    [("file", TWO), ("database", PRELOAD), ("redis", PRELOAD), ("memcached", TWO)],
    indirect=["options"],
    ids=["file", "database", "redis", "memcached"],
)
def test_a_killed_worker_and_a_reload_lose_nothing(
    tmp_path: Path, options: dict[str, str], words: list[str]
) -> None:
    port, made = free_port(), tmp_path / "made"
    command = ["-m", "gunicorn", f"--chdir={PROGRAMS}", f"--bind=127.0.0.1:{port}", "--threads=3"]
    command += ["--no-control-socket", "--log-level=warning", *words, "wsgi_shop:application"]
    environ = {"HOLDFAST_COMPAT": "beaker", "SHOP": json.dumps(options), "MADE": str(made)}
    with served(tmp_path, port, command, **environ) as program:

        def reload() -> None:
            time.sleep(0.1)
            os.kill(program.server.pid, signal.SIGHUP)

        def read(cookies: dict[str, str], user: str, each: int) -> None:
            topic = f"{port}-{each}"
            assert program.get(cookies, "/news", topic=topic) == (user, [topic])

        # in Redis, the lock of a maker that was killed is held for fifteen minutes, as ever
        killed = shop_and_kill(program, read, reload, spare_makers="redis" in options["cache.type"])
    assert_made_once(made.read_text().splitlines(), killed)
    said = (tmp_path / "log").read_text()
    assert "Traceback" not in said, said


@pytest.mark.parametrize("engine", ["redis", "memcached"])
def test_a_killed_process_of_tornado_loses_nothing(
    tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    store: RedisServer | MemcachedServer = request.getfixturevalue(f"{engine}_server")
    port = free_port()
    command = [str(PROGRAMS / "tornado_shop.py"), engine, str(store.port), str(port)]
    with served(tmp_path, port, command, HOLDFAST_COMPAT="pycket") as program:
        shop_and_kill(program, spare_makers=True)


def shop_and_kill(
    program: Program,
    read: Callable[[dict[str, str], str, int], None] = lambda *_: None,
    then: Callable[[], None] = lambda: None,
    *,
    spare_makers: bool = False,
) -> str:
    """Let users buy, two threads each; kill a worker amidst; return which, once all is there."""
    browsers: dict[str, dict[str, str]] = {user: {} for user in USERS}
    for user, cookies in browsers.items():
        program.get(cookies, "/login", name=user)
    begun, gone = (threading.Barrier(THREADS + 1) for _ in range(2))

    def shop(number: int) -> None:
        user = USERS[number % len(USERS)]
        cookies = dict(browsers[user])
        for each in range(ROUNDS):
            if each == ROUNDS // 3:
                begun.wait(60)
            who, _ = program.get(cookies, "/buy", what=f"{number}-{each}", count=each)
            assert who == user
            if each == ROUNDS // 3 and spare_makers:
                gone.wait(60)
            read(cookies, user, each)
        assert cookies == browsers[user]

    with ThreadPoolExecutor(THREADS) as threads:
        shopping = [threads.submit(shop, number) for number in range(THREADS)]
        begun.wait(60)
        if not spare_makers:
            time.sleep(0.04)  # until somebody makes what is read
        killed = program.kill_a_worker()
        if spare_makers:
            gone.wait(60)
        then()
        for thread in shopping:
            thread.result(120)
    for at, (user, cookies) in enumerate(browsers.items()):
        buyers = range(at, THREADS, len(USERS))
        bought = {f"{number}-{each}": str(each) for number in buyers for each in range(ROUNDS)}
        assert program.get(cookies, "/cart") == (user, {"user": user, **bought})
    return killed


def assert_made_once(lines: list[str], killed: str) -> None:
    """Assert that each value was made by one alone, and again only where that one was killed."""
    makers: dict[str, list[str]] = {}
    making: dict[str, str] = {}
    for line in lines:
        topic, what, pid = line.split()
        if what == "begin":
            assert making.get(topic) in (None, killed)
            making[topic] = pid
            makers.setdefault(topic, []).append(pid)
        else:
            assert making.pop(topic) == pid
    assert set(making.values()) <= {killed}
    assert len(makers) == ROUNDS
    again = {pid for pids in makers.values() for pid in pids[:-1]}
    assert again <= {killed}
