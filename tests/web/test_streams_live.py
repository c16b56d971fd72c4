"""Streams and clients that go away, over real servers: uvicorn, and that of the standard library.

The servers run in threads of the test's own process, so that it sees what they store.
"""

import asyncio
import contextlib
import http.client
import io
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
import uvicorn
from starlette.responses import StreamingResponse

from holdfast import SessionCommitted, Sessions, open_store
from holdfast.store.memory import MemoryStore
from holdfast.web import asgi, wsgi

PATIENCE = 30.0
CHUNK = b"x" * 100_000
MANY = 300  # chunks: more than the buffers between server and client take
NAME = "__Host-sid"

pytestmark = pytest.mark.slow


class Stage:
    """What the applications and the test tell each other."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.over = threading.Event()
        self.errors: list[type[BaseException]] = []

    def wait(self) -> None:
        assert self.go_on.wait(PATIENCE)


def write(session: Any, path: str, when: str) -> None:
    """Write if the path says that it is time."""
    if when in path:
        session[when] = 1


def over_wsgi(stage: Stage) -> Any:
    """Return an application that streams, and waits for a word after its first byte."""

    def body(session: Any, path: str) -> Iterator[bytes]:
        yield b"first"
        stage.wait()
        write(session, path, "late")
        for _ in range(MANY if "long" in path else 1):
            yield CHUNK
        write(session, path, "last")

    def app(fields: dict[str, Any], start: Any) -> Iterator[bytes]:
        session, path = fields["holdfast.session"], fields["PATH_INFO"]
        write(session, path, "early")
        start("200 OK", [("Content-Type", "text/plain")])
        return body(session, path)

    return app


def over_asgi(stage: Stage) -> Any:
    """Return the same over ASGI, as Starlette streams."""

    async def body(session: Any, path: str) -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.to_thread(stage.wait)
        write(session, path, "late")
        for _ in range(MANY if "long" in path else 1):
            yield CHUNK
        write(session, path, "last")

    async def app(fields: Any, receive: Any, send: Any) -> None:
        session, path = fields["session"], fields["path"]
        write(session, path, "early")
        await StreamingResponse(body(session, path))(fields, receive, send)

    return app


class Noticed:
    """A WSGI body: tells when the server is done with it."""

    def __init__(self, body: Any, stage: Stage) -> None:
        self.body = body
        self.stage = stage

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self.body
        except BaseException as error:
            self.stage.errors.append(type(error))
            raise

    def close(self) -> None:
        try:
            self.body.close()
        finally:
            self.stage.over.set()


def noticed_wsgi(app: Any, stage: Stage) -> Any:
    return lambda fields, start: Noticed(app(fields, start), stage)


def noticed_asgi(app: Any, stage: Stage) -> Any:
    async def noticed(fields: Any, receive: Any, send: Any) -> None:
        try:
            await app(fields, receive, send)
        except BaseException as error:
            stage.errors.append(type(error))
            raise
        finally:
            stage.over.set()

    return noticed


class Threading(ThreadingMixIn, WSGIServer):
    """A thread for each request."""

    def handle_error(self, _request: Any, _address: Any) -> None:
        """Say nothing: clients that go away are what is tested."""


class Quiet(WSGIRequestHandler):
    """A handler that writes no log."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def get_stderr(self) -> Any:
        return io.StringIO()


@contextlib.contextmanager
def serving_wsgi(app: Any) -> Iterator[int]:
    server = make_server("127.0.0.1", 0, app, server_class=Threading, handler_class=Quiet)
    running = threading.Thread(target=server.serve_forever, args=(0.02,))
    running.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        running.join(PATIENCE)
        server.server_close()  # waits for the requests


@contextlib.contextmanager
def serving_asgi(app: Any) -> Iterator[int]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="critical"))
    running = threading.Thread(target=server.run, args=([listening],))
    running.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        running.join(PATIENCE)
        listening.close()


class Site:
    """A store, its sessions, and a server that streams."""

    def __init__(self, face: str, store: Any) -> None:
        self.store = store
        self.sessions = Sessions(store)
        self.stage = Stage()
        self.port = 0
        if face == "wsgi":
            app: Any = wsgi.SessionMiddleware(over_wsgi(self.stage), self.sessions)
            self.serving = serving_wsgi(noticed_wsgi(app, self.stage))
        else:
            app = asgi.SessionMiddleware(over_asgi(self.stage), self.sessions)
            self.serving = serving_asgi(noticed_asgi(app, self.stage))

    def token(self) -> str:
        session = self.sessions.load(None)
        session["a"] = 1
        token = self.sessions.commit(session).token
        assert token is not None
        return token

    def data(self, token: str) -> dict[str, Any]:
        return dict(self.sessions.load(token))

    def ask(self, path: str, token: str = "") -> socket.socket:
        """Send a request, and return once the first bytes of its answer are there to be read."""
        link = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        link.sendall(
            f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            f"Cookie: {NAME}={token}\r\n\r\n".encode()
        )
        assert link.recv(1, socket.MSG_PEEK)
        return link

    def hear(self, link: socket.socket) -> tuple[str, bytes]:
        """Read an answer to its end, once it may go on; return its Set-Cookie and its body."""
        self.stage.go_on.set()
        with link:
            answer = http.client.HTTPResponse(link)
            answer.begin()
            try:
                body = answer.read()
            except http.client.IncompleteRead as cut:
                body = cut.partial
        assert self.stage.over.wait(PATIENCE)
        return answer.getheader("Set-Cookie") or "", body


@pytest.fixture(params=["wsgi", "asgi"])
def face(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["memory", "sqlite"])
def site(request: pytest.FixtureRequest, face: str, tmp_path: Path) -> Iterator[Site]:
    kept = MemoryStore("s") if request.param == "memory" else open_store(f"sqlite:///{tmp_path}/s")
    with kept as store:
        made = Site(face, store)
        with made.serving as made.port:
            yield made


def test_the_first_byte_comes_with_the_cookie_of_what_is_stored_by_then(site: Site) -> None:
    link = site.ask("/early")
    assert len(list(site.store.scan())) == 1  # while the answer is under way
    cookie, body = site.hear(link)
    assert site.data(cookie.partition("=")[2].partition(";")[0]) == {"early": 1}
    assert body == b"first" + CHUNK


def test_late_writes_are_stored_for_who_holds_the_token(site: Site) -> None:
    token = site.token()
    link = site.ask("/early/late/last", token)
    assert site.data(token) == {"a": 1, "early": 1}
    assert site.hear(link) == ("", b"first" + CHUNK)
    assert site.data(token) == {"a": 1, "early": 1, "late": 1, "last": 1}
    assert site.stage.errors == []


def test_a_late_write_of_who_holds_none_is_an_error_and_stores_nothing(site: Site) -> None:
    cookie, body = site.hear(site.ask("/late"))
    assert (cookie, body) == ("", b"first")
    assert site.stage.errors == [SessionCommitted]
    assert len(list(site.store.scan())) == 0


def test_late_writes_after_a_logout_meanwhile_bring_nothing_back(site: Site) -> None:
    token = site.token()
    link = site.ask("/early/late/last", token)
    assert site.sessions.destroy(site.sessions.load(token).id)
    assert site.hear(link)[1] == b"first" + CHUNK
    assert len(list(site.store.scan())) == 0


def test_053_a_client_that_goes_away_leaves_what_was_committed(site: Site) -> None:
    token = site.token()
    link = site.ask("/early/late/long/last", token)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    link.close()  # without a word: the server gets a reset
    site.stage.go_on.set()
    assert site.stage.over.wait(PATIENCE)
    stored = site.data(token)
    late = stored.pop("late", 1), stored.pop("last", 1)
    assert (stored, late) == ({"a": 1, "early": 1}, (1, 1))
    assert len(list(site.store.scan())) == 1
    site.stage.over.clear()
    assert site.hear(site.ask("/early", token))[1] == b"first" + CHUNK  # and the server goes on
