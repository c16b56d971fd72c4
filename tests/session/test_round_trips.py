"""What a request with a session asks of a server, in the server's own words.

Law: the connections stand before anything is counted, and nobody else speaks to these servers.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import redis

from holdfast import Sessions, open_store
from holdfast.session import Session
from holdfast.testing.calls import call_wsgi, environ, scope, talk
from holdfast.testing.clock import ManualClock
from holdfast.web import asgi, wsgi
from servers.memcached import run_memcached
from servers.postgresql import run_postgresql
from servers.redis import RedisServer, run_redis, run_valkey

pytestmark = [pytest.mark.server, pytest.mark.slow]

Asked = Mapping[str, int]


@dataclass(frozen=True)
class Counted:
    """A server that counts.

    Attributes:
        url: Opens a store on it.
        asked: Returns what it was asked so far, but for this question.
        load: What it says of one read,
        swap: of one change of a record,
        create: and of a new one.
    """

    url: str
    asked: Callable[[], Counter[str]]
    load: Asked
    swap: Asked
    create: Asked


@contextmanager
def counted_redis(server: RedisServer, swap: Asked) -> Iterator[Counted]:
    """Count by `INFO`: what a script did stands there, too."""
    with closing(redis.Redis(port=server.port)) as client:

        def asked() -> Counter[str]:
            told: Any = client.info("commandstats")
            calls = Counter({name[8:]: stats["calls"] for name, stats in told.items()})
            calls.pop("info", None)
            return calls

        yield Counted(server.url, asked, {"get": 1}, swap, {"set": 1})


@contextmanager
def on_redis() -> Iterator[Counted]:
    """A swap is one command, a script of two more; or one that can compare, where there is such."""
    with run_redis() as server:
        with closing(redis.Redis(port=server.port)) as client:
            compares = "delex" in client.command()
        script = {"evalsha": 1, "get": 1, "set": 1}
        with counted_redis(server, {"set": 1} if compares else script) as counted:
            yield counted


@contextmanager
def on_valkey() -> Iterator[Counted]:
    """A swap is one command that compares."""
    with run_valkey() as server, counted_redis(server, {"set": 1}) as counted:
        yield counted


@contextmanager
def on_memcached() -> Iterator[Counted]:
    """A swap reads, for it is refused by what was read."""
    with run_memcached() as server:

        def asked() -> Counter[str]:
            return Counter({name: server.stat(name) for name in ("cmd_get", "cmd_set")})

        swap = {"cmd_get": 1, "cmd_set": 1}
        yield Counted(server.url, asked, {"cmd_get": 1}, swap, {"cmd_set": 1})


@contextmanager
def on_postgresql() -> Iterator[Counted]:
    """Each is one statement, and none begins or ends a transaction."""
    with run_postgresql() as found:
        url = found.url.replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
        found.server.kill()
        found.server.start()
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("CREATE EXTENSION pg_stat_statements")

            def asked() -> Counter[str]:
                calls: Counter[str] = Counter()
                for query, count in admin.execute("SELECT query, calls FROM pg_stat_statements"):
                    if "pg_stat" not in query:
                        calls[query.split()[0]] += count
                return calls

            yield Counted(found.url, asked, {"SELECT": 1}, {"UPDATE": 1}, {"INSERT": 1})


SERVERS = {
    "redis": on_redis,
    "valkey": on_valkey,
    "memcached": on_memcached,
    "postgresql": on_postgresql,
}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Counted]:
    with SERVERS[request.param]() as found:
        yield found


@pytest.fixture
def sessions(server: Counted, clock: ManualClock) -> Iterator[Sessions]:
    with open_store(server.url, timeout=30) as store:
        yield Sessions(store, clock=clock)


def act(session: Session, path: str) -> None:
    """Be the application."""
    if path == "/read":
        assert session.get("visits", 1) == 1
        assert session.get("cart", []) == []
    elif path == "/write":
        session["visits"] = 1 - session.get("visits", 0)
    elif path == "/fill":
        session.update(visits=1, cart=[])


class Tab:
    """A visitor, who keeps his cookie."""

    def __init__(self) -> None:
        self.cookie: list[tuple[str, str]] = []

    def visit(self, path: str) -> None:
        """Send a request."""
        for name, value in self.call(path):
            if name.lower() == "set-cookie":
                self.cookie = [("Cookie", value.partition(";")[0])]

    def call(self, path: str) -> list[tuple[str, str]]:
        """Return the headers of the answer."""
        raise NotImplementedError

    def end(self) -> None:
        """Close what is his."""


class WsgiTab(Tab):
    """Over WSGI."""

    def __init__(self, sessions: Sessions) -> None:
        super().__init__()
        self._app = wsgi.SessionMiddleware(self._page, sessions)

    def _page(self, fields: dict[str, Any], start_response: Any) -> list[bytes]:
        act(fields["holdfast.session"], fields["PATH_INFO"])
        start_response("200 OK", [])
        return [b"ok"]

    def call(self, path: str) -> list[tuple[str, str]]:
        return call_wsgi(self._app, environ(path, headers=self.cookie)).headers


class AsgiTab(Tab):
    """Over ASGI, in one loop; a lazy one loads where the page looks at its session."""

    def __init__(self, sessions: Sessions, *, lazy: bool) -> None:
        super().__init__()
        self._app = asgi.SessionMiddleware(self._page, sessions, lazy=lazy)
        self._runner = asyncio.Runner()

    async def _page(self, fields: dict[str, Any], _: Any, send: Any) -> None:
        if fields["path"] != "/untouched":
            await fields["session"].load()
            act(fields["session"], fields["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    def call(self, path: str) -> list[tuple[str, str]]:
        start, _ = self._runner.run(talk(self._app, scope(path, headers=self.cookie)))
        return [(name.decode(), value.decode()) for name, value in start["headers"]]

    def end(self) -> None:
        self._runner.close()


MAKERS: dict[str, Callable[[Sessions], Tab]] = {
    "wsgi": WsgiTab,
    "asgi": lambda sessions: AsgiTab(sessions, lazy=False),
    "asgi lazy": lambda sessions: AsgiTab(sessions, lazy=True),
}


@pytest.fixture(params=MAKERS)
def face(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tab(face: str, sessions: Sessions) -> Iterator[Tab]:
    """One who has been there: the table is made, the script is known, the connections stand."""
    made = MAKERS[face](sessions)
    for path in ("/fill", "/write", "/write", "/read"):
        made.visit(path)
    yield made
    made.end()


def asked_by(server: Counted, tab: Tab, path: str) -> Asked:
    """Return what the server was asked for one request."""
    before = server.asked()
    tab.visit(path)
    return dict(server.asked() - before)


def test_a_read_is_one_load_and_its_commit_nothing(server: Counted, tab: Tab) -> None:
    for _ in range(3):
        assert asked_by(server, tab, "/read") == server.load


def test_a_write_is_a_load_and_a_swap(server: Counted, tab: Tab) -> None:
    for _ in range(4):
        assert asked_by(server, tab, "/write") == Counter(server.load) + Counter(server.swap)


def test_a_read_notes_the_time_once_a_minute(server: Counted, tab: Tab, clock: ManualClock) -> None:
    clock.advance(60)
    assert asked_by(server, tab, "/read") == Counter(server.load) + Counter(server.swap)
    assert asked_by(server, tab, "/read") == server.load


def test_an_untouched_request_asks_nothing_where_loading_is_lazy(
    server: Counted, tab: Tab, face: str
) -> None:
    wanted = server.load if face == "asgi" else {}
    assert asked_by(server, tab, "/untouched") == wanted


def test_a_first_visit_that_writes_is_one_write(server: Counted, tab: Tab) -> None:
    tab.cookie = []
    assert asked_by(server, tab, "/fill") == server.create
    assert tab.cookie
    assert asked_by(server, tab, "/read") == server.load


@pytest.mark.parametrize("path", ["/untouched", "/read"])
@pytest.mark.parametrize("cookie", ["", "__Host-sid=no-token-of-ours"])
def test_a_visitor_without_a_session_asks_nothing(
    server: Counted, tab: Tab, path: str, cookie: str
) -> None:
    tab.cookie = [("Cookie", cookie)] if cookie else []
    assert asked_by(server, tab, path) == {}


def test_threads_load_at_the_first_touch(server: Counted, sessions: Sessions) -> None:
    session = sessions.load(None)
    session["a"] = 1
    token = sessions.commit(session).token
    before = server.asked()
    session = sessions.load(token)
    assert server.asked() - before == {}
    assert session["a"] == 1
    assert server.asked() - before == server.load
    sessions.commit(session)
    assert server.asked() - before == server.load
