"""A store that is down, over both faces: 503 or anonymous, and a good cookie stays."""

import asyncio
from typing import Any

import pytest

from holdfast import Cookie, Header, Sessions, StoreUnavailable
from holdfast.store.memory import MemoryStore
from holdfast.testing.calls import Face, Visitor, one_view, scope, talk
from holdfast.testing.clock import ManualClock
from holdfast.web import asgi, wsgi

NAME = "__Host-sid"


class FailingStore(MemoryStore):
    """A memory store that can fail, wholly or in its writes alone."""

    reads = writes = True

    def get(self, key: str) -> bytes | None:
        if not self.reads:
            raise StoreUnavailable("failing")
        return super().get(key)

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        if not self.writes:
            raise StoreUnavailable("failing")
        return super().swap(key, old, new, ttl)


class Shop:
    """A site, its store, and what was observed."""

    def __init__(self, face: Face, **options: Any) -> None:
        self.face = face
        self.store = FailingStore("shop")
        self.events: list[str] = []
        self.clock = ManualClock()
        options = {"clock": self.clock, "transport": Cookie(), **options}
        self.sessions = Sessions(
            self.store, observer=lambda event, _: self.events.append(event), **options
        )

    def visitor(self) -> Visitor:
        kind: Any = wsgi if self.face == "wsgi" else asgi
        return Visitor(kind.SessionMiddleware(one_view(view, self.face), self.sessions), self.face)

    def known(self) -> Visitor:
        visitor = self.visitor()
        visitor.get("/write")
        self.events.clear()
        return visitor

    def fail(self, *, reads: bool = True) -> None:
        self.store.reads, self.store.writes = not reads, False

    def mend(self) -> None:
        self.store.reads = self.store.writes = True


def view(session: Any, path: str) -> object:
    match path.lstrip("/"):
        case "untouched":
            return "untouched"
        case "write":
            session["name"] = "ada"
        case "rename":
            session["name"] = "eve"
        case "login":
            session.login("ada")
        case "logout":
            session.logout()
        case "rotate":
            session.rotate()
        case "csrf":
            session.csrf_token()
    return session.get("name", "nobody")


@pytest.fixture(params=["wsgi", "asgi"])
def face(request: pytest.FixtureRequest) -> Face:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.parametrize("path", ["/", "/write", "/login", "/logout", "/rotate", "/csrf"])
def test_054_who_brings_a_token_is_told_at_the_first_touch(face: Face, path: str) -> None:
    shop = Shop(face)
    visitor = shop.known()
    held = dict(visitor.cookies)
    shop.fail()
    answer = visitor.get(path)
    assert (answer.status, answer.all("set-cookie")) == (503, [])
    assert answer.all("retry-after") == ["5"]
    assert answer.all("cache-control") == ["no-store"]
    assert shop.events == ["session.store_down"]
    assert visitor.get("/untouched").status == 200
    shop.mend()
    assert visitor.get("/").body == b"ada"
    assert visitor.cookies == held


def test_054_who_brings_none_is_told_at_his_first_write(face: Face) -> None:
    shop = Shop(face)
    shop.fail()
    for path, status in {"/": 200, "/untouched": 200, "/logout": 200, "/rotate": 200}.items():
        assert shop.visitor().get(path).status == status, path
    for path in ("/write", "/login", "/csrf"):
        answer = shop.visitor().get(path)
        assert (answer.status, answer.all("set-cookie")) == (503, []), path
    assert len(shop.store) == 0


@pytest.mark.parametrize("path", ["/rename", "/login", "/logout", "/rotate"])
def test_054_a_store_that_fails_at_commit_costs_no_cookie(face: Face, path: str) -> None:
    shop = Shop(face)
    visitor = shop.known()
    shop.fail(reads=False)
    answer = visitor.get(path)
    assert (answer.status, answer.all("set-cookie")) == (503, [])
    shop.mend()
    assert visitor.get("/").body == b"ada"


def test_054_a_failed_touch_of_seen_fails_nothing(face: Face) -> None:
    shop = Shop(face)
    visitor = shop.known()
    shop.clock.advance(200)
    shop.fail(reads=False)
    answer = visitor.get("/")
    assert (answer.status, answer.body, answer.all("set-cookie")) == (200, b"ada", [])
    assert "session.touch_failed" in shop.events


def test_054_anonymous_is_an_option(face: Face) -> None:
    shop = Shop(face, on_store_error="anonymous")
    visitor = shop.known()
    held = dict(visitor.cookies)
    shop.fail()
    for path, body in {"/": b"nobody", "/write": b"ada", "/csrf": b"nobody"}.items():
        for one in (visitor, shop.visitor()):
            answer = one.get(path)
            assert (answer.status, answer.body) == (200, body), path
            assert answer.all("set-cookie") == [], path
            assert answer.all("vary") == ["Cookie"], path
    assert "session.store_down" in shop.events
    assert visitor.cookies == held
    shop.mend()
    assert visitor.get("/").body == b"ada"
    assert len(shop.store) == 1


@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_054_who_somebody_is_cannot_be_decided_without_the_store(face: Face, path: str) -> None:
    shop = Shop(face, on_store_error="anonymous")
    visitor = shop.known()
    shop.fail()
    answer = visitor.get(path)
    assert (answer.status, answer.all("set-cookie")) == (503, [])
    shop.mend()
    assert visitor.get("/").body == b"ada"


def test_054_the_same_for_a_token_in_a_header(face: Face) -> None:
    for option, status in (("503", 503), ("anonymous", 200)):
        shop = Shop(face, transport=Header(), on_store_error=option)
        [token] = shop.visitor().get("/write").all("X-Auth-Token")
        shop.fail()
        answer = shop.visitor().get("/", headers=[("X-Auth-Token", token)])
        assert (answer.status, answer.all("X-Auth-Token")) == (status, [])
        shop.mend()
        assert shop.visitor().get("/", headers=[("X-Auth-Token", token)]).body == b"ada"


def test_054_a_websocket_is_anonymous_where_everybody_is() -> None:
    async def chat(fields: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": str(view(fields["session"], "/"))})

    shop = Shop("asgi", on_store_error="anonymous")
    token = shop.known().cookies[NAME]
    shop.fail()
    fields = scope(kind="websocket", headers=[("Cookie", f"{NAME}={token}")])
    app = asgi.SessionMiddleware(chat, shop.sessions)
    sent = asyncio.run(talk(app, fields, [{"type": "websocket.connect"}]))
    assert sent[1]["text"] == "nobody"
