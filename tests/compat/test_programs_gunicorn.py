"""gunicorn and a program on Beaker's middlewares: a killed worker and a reload lose nothing."""

import http.client
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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


class Gunicorn:
    """The server that runs."""

    def __init__(self, server: Server, made: Path) -> None:
        self.server, self.made = server, made

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def reload(self) -> None:
        os.kill(self.server.pid, signal.SIGHUP)

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


@contextmanager
def served(folder: Path, options: dict[str, str], *words: str) -> Iterator[Gunicorn]:
    port, made = free_port(), folder / "made"
    command = [sys.executable, "-m", "gunicorn", f"--chdir={PROGRAMS}", f"--bind=127.0.0.1:{port}"]
    command += ["--no-control-socket", "--log-level=warning", *words, "wsgi_shop:application"]
    environ = {"HOLDFAST_COMPAT": "beaker", "SHOP": json.dumps(options), "MADE": str(made)}
    server = Server(command, port, log=folder / "log", env=environ)
    server.start()
    try:
        yield Gunicorn(server, made)
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("options", "words"),
    [("file", TWO), ("database", PRELOAD), ("redis", PRELOAD), ("memcached", TWO)],
    indirect=["options"],
    ids=["file", "database", "redis", "memcached"],
)
def test_a_killed_worker_and_a_reload_lose_nothing(
    tmp_path: Path, options: dict[str, str], words: list[str]
) -> None:
    with served(tmp_path, options, "--threads=3", *words) as gunicorn:
        browsers: dict[str, dict[str, str]] = {user: {} for user in USERS}
        for user, cookies in browsers.items():
            gunicorn.get(cookies, "/login", name=user)
        begun = threading.Barrier(THREADS + 1)
        shop = _shopper(gunicorn, browsers, begun)
        with ThreadPoolExecutor(THREADS) as threads:
            shopping = [threads.submit(shop, number) for number in range(THREADS)]
            begun.wait(60)
            os.kill(gunicorn.workers()[0], signal.SIGKILL)
            time.sleep(0.1)
            gunicorn.reload()
            for each in shopping:
                each.result(120)
        expected = {f"{n}-{r}": str(r) for n in range(THREADS) for r in range(ROUNDS)}
        for at, (user, cookies) in enumerate(browsers.items()):
            who, cart = gunicorn.get(cookies, "/cart")
            assert who == user
            bought = {k: v for k, v in expected.items() if int(k[0]) % len(USERS) == at}
            assert cart == {"user": user, **bought}
    _assert_made_one_at_a_time(gunicorn.made.read_text().splitlines())
    said = (tmp_path / "log").read_text()
    assert "Traceback" not in said, said


def _shopper(
    gunicorn: Gunicorn, browsers: dict[str, dict[str, str]], begun: threading.Barrier
) -> Callable[[int], None]:
    def shop(number: int) -> None:
        user = USERS[number % len(USERS)]
        cookies = dict(browsers[user])
        for each in range(ROUNDS):
            if each == ROUNDS // 3:
                begun.wait(60)
            who, _ = gunicorn.get(cookies, "/buy", what=f"{number}-{each}", count=each)
            assert who == user
            topic = f"{gunicorn.server.port}-{each}"
            assert gunicorn.get(cookies, "/news", topic=topic) == (user, [topic])
        assert cookies == browsers[user]

    return shop


def _assert_made_one_at_a_time(lines: list[str]) -> None:
    """Assert that each value was made once, and again only where who made it was killed."""
    making: dict[str, str] = {}
    ends: Counter[str] = Counter()
    killed: set[str] = set()
    for line in lines:
        topic, what, pid = line.split()
        if what == "begin":
            killed |= {making[topic]} if topic in making else set()
            making[topic] = pid
        else:
            assert making.pop(topic) == pid
            ends[topic] += 1
    assert len(killed) <= 1
    assert sorted(ends.values()) == [1] * ROUNDS
