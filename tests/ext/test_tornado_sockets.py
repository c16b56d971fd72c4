"""Tornado's websockets: they read their session, never set a cookie, and end with it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tornado.web import Application
from tornado.websocket import WebSocketHandler
from tornado_site import SOON, Site, Visitor, page, serve, until

from holdfast import Limiter, Sessions
from holdfast.durations import Duration
from holdfast.errors import SessionCommitted
from holdfast.ext.tornado import SessionMixin
from holdfast.store.memory import MemoryStore
from holdfast.testing.faults import FaultyStore

PATIENCE = 30


class Talk(SessionMixin, WebSocketHandler):
    """Answers what its session holds; `name=value` writes."""

    revoke_check: Duration | None = SOON

    def prepare(self) -> Awaitable[None] | None:
        if self.get_argument("limit", ""):
            return self.once()
        if name := self.get_argument("write", ""):
            self.session[name] = "early"
        return None

    async def once(self) -> None:
        await self.limit("1/hour")

    def on_message(self, message: str | bytes) -> None:
        self.settings["heard"].append(message)
        name, is_write, value = str(message).partition("=")
        if is_write:
            try:
                self.session[name] = value
            except SessionCommitted:
                value = "too late"
        elif name == "login":
            try:
                self.session.login("ada")
            except SessionCommitted:
                value = "no login"
        else:
            value = str(self.session.get(name))
        self.write_message(value)

    def on_close(self) -> None:
        self.settings["ends"].append(self.close_code)


class Forever(Talk):
    """Never asks whether its session is still there."""

    revoke_check = None


@page
def login(self: SessionMixin) -> None:
    self.session["a"] = "1"
    self.session.login("ada")


@page
def read(self: SessionMixin) -> None:
    self.write(dict(self.session))


class Shop:
    """A site, its store, and what its websockets heard."""

    def __init__(self, **options: Any) -> None:
        self.store = FaultyStore(MemoryStore("shop"))
        self.sessions = Sessions(self.store, **options)
        self.heard: list[Any] = []
        self.ends: list[Any] = []
        self.closing = ExitStack()

    def serve(self) -> Site:
        routes: Any = [(f"/{cls.__name__}", cls) for cls in (Talk, Forever, login, read)]
        settings: dict[str, Any] = {"heard": self.heard, "ends": self.ends}
        settings["holdfast_limiter"] = Limiter("memory://")
        return self.closing.enter_context(
            serve(Application(routes, holdfast_sessions=self.sessions, **settings))
        )


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    with shop.closing:
        yield shop


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Version": "13",
}


def known(site: Site) -> Visitor:
    visitor = site.visitor()
    visitor.get("/login")
    return visitor


def test_it_reads_and_writes_under_the_token_its_client_holds(shop: Shop) -> None:
    visitor = known(shop.serve())
    assert visitor.talk("/Talk", "a", "b=2", "b", "login") == ["1", "2", "2", "no login", None]
    until(lambda: visitor.get("/read").json() == {"a": "1", "b": "2"})


def test_a_stranger_is_sent_no_cookie_and_nothing_is_stored(shop: Shop) -> None:
    site = shop.serve()
    assert site.visitor().talk("/Talk", "a", "b=2") == ["None", "too late", None]

    async def handshake() -> dict[str, str]:
        async with site.visitor().connected("/Talk") as socket:
            return dict(socket.headers)

    assert "Set-Cookie" not in site.do(handshake())


def test_what_is_written_before_the_handshake_counts_as_well(shop: Shop) -> None:
    site = shop.serve()
    visitor = known(site)
    assert visitor.talk("/Talk?write=p", "p", "a") == ["early", "1", None]
    until(lambda: visitor.get("/read").json() == {"a": "1", "p": "early"})
    assert site.visitor().get("/Talk?write=p", **HANDSHAKE).status_code == 500


async def _told_of_the_end(visitor: Visitor, path: str, end: Callable[[], object]) -> Any:
    """Open a websocket, end its session from outside, and return how it was closed."""
    async with visitor.connected(path) as socket:
        await socket.write_message("a")
        assert await socket.read_message() == "1"
        end()
        assert await asyncio.wait_for(socket.read_message(), PATIENCE) is None
        return socket.close_code, socket.close_reason


def test_it_ends_soon_after_its_session(shop: Shop) -> None:
    site = shop.serve()
    visitor = known(site)
    closed = site.do(_told_of_the_end(visitor, "/Talk", lambda: shop.sessions.revoke("ada")))
    assert closed == (1008, "the session is over")
    until(lambda: shop.ends == [1008])


def test_nobody_watches_a_websocket_that_is_over(shop: Shop) -> None:
    site = shop.serve()

    async def watchers() -> int:
        return sum("_watch" in repr(task) for task in asyncio.all_tasks())

    async def during(visitor: Visitor) -> int:
        async with visitor.connected("/Talk") as socket:
            await socket.write_message("a")
            await socket.read_message()
            return await watchers()

    assert site.do(during(known(site))) == 1
    assert site.do(during(site.visitor())) == 0
    until(lambda: site.do(watchers()) == 0)


def test_a_store_that_is_down_ends_no_websocket(shop: Shop) -> None:
    site = shop.serve()
    visitor = known(site)

    async def outlive() -> Any:
        async with visitor.connected("/Talk") as socket:
            with shop.store.fail() as fault:
                await asyncio.to_thread(until, lambda: fault.struck > 2)  # looked for in vain
            await socket.write_message("a")
            return await socket.read_message()

    assert site.do(outlive()) == "1"


def _frame(said: bytes) -> bytes:
    """Return a short text as a client sends it."""
    return bytes((0x81, 0x80 | len(said), 0, 0, 0, 0)) + said


def test_nothing_is_heard_of_a_peer_whose_session_is_over(shop: Shop) -> None:
    site = shop.serve()
    visitor = known(site)

    async def go_on() -> None:  # by hand: any client of Tornado answers the closing handshake
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        fields = {"Host": "a", **HANDSHAKE, **visitor.headers()}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"GET /Talk HTTP/1.1\r\n{head}\r\n".encode())
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(_frame(b"a"))
        assert await reader.readexactly(3) == b"\x81\x011"
        shop.sessions.revoke("ada")
        assert await reader.readexactly(4) == b"\x88\x15\x03\xf0"  # closed: 1008
        writer.write(_frame(b"b") * 10)
        writer.write_eof()
        assert await reader.read() == b"the session is over"
        writer.close()
        await writer.wait_closed()

    site.do(go_on())
    until(lambda: shop.ends)
    assert shop.heard == ["a"]


def test_it_may_go_unwatched(shop: Shop) -> None:
    site = shop.serve()
    visitor = known(site)

    async def stay() -> Any:
        async with visitor.connected("/Forever") as socket:
            shop.sessions.revoke("ada")
            await asyncio.sleep(5 * SOON)
            await socket.write_message("a")
            return await socket.read_message()

    assert site.do(stay()) == "1"


def test_a_user_nobody_can_ask_for_is_out(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[object] = []

    def check(user: object) -> bool:
        asked.append(user)
        if len(asked) > 2:
            raise ZeroDivisionError
        return True

    shop = Shop(check_user=check)
    with shop.closing:
        site = shop.serve()
        closed = site.do(_told_of_the_end(known(site), "/Talk", lambda: asked.extend("ab")))
    assert closed[0] == 1008
    assert "ZeroDivisionError" in caplog.text


def test_it_is_refused_where_its_session_cannot_be_looked_for(shop: Shop) -> None:
    site = shop.serve()
    visitor = known(site)
    with shop.store.fail():
        answer = visitor.get("/Talk", **HANDSHAKE)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert site.visitor().talk("/Talk", "a") == ["None", None]


def test_a_limit_refuses_the_handshake(shop: Shop) -> None:
    visitor = known(shop.serve())
    assert visitor.talk("/Talk?limit=1", "a") == ["1", None]
    assert visitor.get("/Talk?limit=1", **HANDSHAKE).status_code == 429
