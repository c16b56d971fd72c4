"""Tornado: stores that fail, limits that refuse, and the pages that say so."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tornado.web import Application, RequestHandler
from tornado_site import Site, page, serve

from holdfast import Limiter, Sessions
from holdfast.errors import ConfigError, LimitExceeded, StoreUnavailable
from holdfast.ext.tornado import Limited, SessionMixin
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock
from holdfast.testing.faults import FaultyStore
from holdfast.web.keys import by_header, by_session, by_user


class Shop:
    """A store that can fail, its sessions and limits, and what was observed."""

    def __init__(self, **options: Any) -> None:
        self.store = FaultyStore(MemoryStore("shop"))
        self.hits = FaultyStore(MemoryStore("hits"))
        self.clock = ManualClock()
        self.events: list[str] = []
        self.closing = ExitStack()
        self.sessions = Sessions(
            self.store, observer=lambda event, _: self.events.append(event), **options
        )

    def serve(self, *handlers: type[RequestHandler], **settings: Any) -> Site:
        """Run a server for these handlers."""
        settings = {
            "holdfast_sessions": self.sessions,
            "holdfast_limiter": Limiter(self.hits, clock=self.clock),
            **settings,
        }
        routes: Any = [(f"/{cls.__name__}", cls) for cls in (write, read, plain, *handlers)]
        return self.closing.enter_context(serve(Application(routes, **settings)))


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    with shop.closing:
        yield shop


@page
def write(self: SessionMixin) -> None:
    self.session["a"] = "1"
    self.write("written")


@page
def read(self: SessionMixin) -> None:
    self.write(dict(self.session))


@page
def plain(self: SessionMixin) -> None:
    self.write("plain")


@page
def login(self: SessionMixin) -> None:
    self.session.login("ada")
    self.write("in")


# A store that is down


def test_without_its_store_a_session_is_503_and_its_cookie_stays(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    site = shop.serve()
    visitor = site.visitor()
    visitor.get("/write")
    shop.events.clear()
    with shop.store.fail():
        for path in ("/read", "/write"):
            answer = visitor.get(path)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
            assert answer.headers["cache-control"] == "no-store"
            assert "set-cookie" not in answer.headers
            assert answer.text.startswith("The session store cannot be reached")
        assert shop.events == ["session.store_down"] * 2
        told = [line for line in caplog.messages if "was told to fail" in line]
        assert told[0].startswith("503 GET /read (127.0.0.1): shop: get")
        assert "Traceback" not in caplog.text
        assert visitor.get("/plain").text == "plain"
        assert site.visitor().get("/read").json() == {}
        assert visitor.get("/read", "HEAD").text == ""
    assert visitor.get("/read").json() == {"a": "1"}


def test_a_commit_that_fails_takes_the_answer_back(shop: Shop) -> None:
    site = shop.serve(login)
    visitor = site.visitor()
    visitor.get("/write")
    shop.events.clear()
    with shop.store.fail("swap"):
        for path in ("/write", "/login"):
            stranger = site.visitor()
            answer = stranger.get(path)
            assert answer.status_code == 503
            assert answer.headers["content-length"] == str(len(answer.text))
            assert answer.text.startswith("The session store cannot be reached")
            assert stranger.cookies == {}
        head = site.visitor().get("/write", "HEAD")
        assert (head.status_code, head.text) == (503, "")
    assert shop.events == ["session.store_down"] * 3
    assert visitor.get("/read").json() == {"a": "1"}


@page
async def stream(self: SessionMixin) -> None:
    self.session["a"] = "2"
    self.write("a")
    self.flush()
    self.write("b")
    self.flush()
    await asyncio.sleep(0.05)
    self.write("c")


def test_nothing_is_added_to_an_answer_that_took_anothers_place(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    site = shop.serve(stream)
    visitor = site.visitor()
    with shop.store.delay("swap", seconds=0.01):
        assert visitor.get("/stream").text == "abc"
    with shop.store.fail("swap"):
        answer = site.visitor().get("/stream")
    assert (answer.status_code, answer.text[:11]) == (503, "The session")
    assert visitor.get("/read").json() == {"a": "2"}
    assert "Tried to write" not in caplog.text


def test_a_visitor_may_be_anonymous_meanwhile() -> None:
    shop = Shop(on_store_error="anonymous")
    with shop.closing:
        visitor = shop.serve().visitor()
        visitor.get("/write")
        with shop.store.fail():
            assert visitor.get("/read").json() == {}
            assert visitor.get("/write").text == "written"
        assert visitor.get("/read").json() == {"a": "1"}


class OwnPages(SessionMixin, RequestHandler):
    """A handler with error pages of its own."""

    def get(self) -> None:
        self.write(dict(self.session))

    async def post(self) -> None:
        await self.limit("1/hour")
        self.write("posted")

    def put(self) -> None:
        self.session.rotate()
        raise StoreUnavailable("another")

    def write_error(self, status_code: int, **_: Any) -> None:
        self.finish(f"own page {status_code}")


def test_error_pages_of_the_application_are_shown(shop: Shop) -> None:
    visitor = shop.serve(OwnPages).visitor()
    visitor.get("/write")
    with shop.store.fail():
        answer = visitor.get("/OwnPages")
        assert (answer.status_code, answer.text) == (503, "own page 503")
        assert answer.headers["retry-after"] == "5"
        assert answer.headers["cache-control"] == "no-store"
    with shop.store.fail(
        "put", "swap", "delete"
    ):  # nor can the rotation be done that was asked for
        assert visitor.get("/OwnPages", "PUT").text == "own page 503"
    assert visitor.get("/OwnPages", "POST").text == "posted"
    answer = visitor.get("/OwnPages", "POST")
    assert (answer.status_code, answer.text) == (429, "own page 429")
    assert int(answer.headers["retry-after"]) in (3600, 3601)


def test_a_fault_of_check_user_is_answered_500(caplog: pytest.LogCaptureFixture) -> None:
    def fault(user: object) -> bool:
        raise ZeroDivisionError(user)

    shop = Shop(check_user=fault)
    with shop.closing:
        visitor = shop.serve(login).visitor()
        visitor.get("/login")
        for path in ("/read", "/plain"):
            assert visitor.get(path).status_code == 500
        assert "ZeroDivisionError" in caplog.text
        visitor.cookies.clear()
        assert visitor.get("/plain").text == "plain"


# Limits


@page
async def limited(self: SessionMixin) -> None:
    await self.limit("2/minute")
    self.write("done")


@page
async def other(self: SessionMixin) -> None:
    await self.limit("2/minute")
    await self.limit("9/hour", key=self.get_argument("name", ""), name="names")
    self.write("done")


def test_who_hits_too_often_is_answered_429(shop: Shop) -> None:
    site = shop.serve(limited, other)
    visitor = site.visitor()
    first = visitor.get("/limited")
    assert first.text == "done"
    assert first.headers["ratelimit"] == '"2/60s";r=1;t=30'
    assert first.headers["ratelimit-policy"] == '"2/60s";q=2;w=60'
    assert first.headers["x-ratelimit-remaining"] == "1"
    visitor.get("/limited")
    answer = visitor.get("/limited")
    assert answer.status_code == 429
    assert answer.reason_phrase == "Too Many Requests"
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) in (30, 31)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert json.loads(answer.text)["violated-policies"] == ["2/60s"]
    assert visitor.get("/plain").status_code == 200
    both = visitor.get("/other?name=ada")  # a class of its own, so a bucket of its own
    assert both.headers.get_list("ratelimit") == ['"2/60s";r=1;t=30', '"9/3600s";r=8;t=400']
    assert both.headers["x-ratelimit-limit"] == "2"
    shop.clock.advance(60)
    assert visitor.get("/limited").text == "done"


@page
async def by_who(self: SessionMixin) -> None:
    await self.limit("1/minute", key=by_session, name="who")
    await self.limit("1/minute", key=by_user, name="user")
    await self.limit("1/minute", key=by_header("X-Key"), name="key")
    assert await self.limit("1/minute", key=lambda request: request.header("X-Nobody")) is None
    self.write("done")


def test_whose_bucket_it_is_the_keys_of_the_middlewares_say(shop: Shop) -> None:
    site = shop.serve(by_who, login)
    ada, bob = site.visitor(), site.visitor()
    ada.get("/login")
    bob.get("/write")
    assert ada.get("/by_who", **{"X-Key": "a"}).text == "done"
    assert ada.get("/by_who", **{"X-Key": "b"}).status_code == 429
    assert bob.get("/by_who", **{"X-Key": "c"}).text == "done"
    with shop.store.fail():
        assert bob.get("/by_who").status_code == 503


def test_a_limiter_without_its_store_lets_through_or_refuses(shop: Shop) -> None:
    site = shop.serve(limited)
    with shop.hits.fail():
        assert site.visitor().get("/limited").text == "done"
        strict = shop.serve(limited, holdfast_limiter=Limiter(shop.hits, on_error="deny"))
        answer = strict.visitor().get("/limited")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"


def test_limits_need_no_sessions_and_sessions_no_limiter(shop: Shop) -> None:
    alone = shop.serve(limited, holdfast_sessions=None)
    assert [alone.visitor().get("/limited").status_code for _ in range(3)] == [200, 200, 429]
    none = shop.serve(limited, holdfast_limiter=None)
    assert none.visitor().get("/limited").status_code == 500
    assert none.visitor().get("/write").text == "written"


def test_a_refusal_is_an_error_of_both_worlds() -> None:
    limiter = Limiter("memory://")
    limiter.hit("a", "1/minute")
    decision = limiter.hit("a", "1/minute")
    error = Limited(decision)
    assert isinstance(error, LimitExceeded)
    assert error.status_code == 429
    assert error.decision is decision
    assert error.__reduce__() == (Limited, (decision,))


# Notifications


@page
async def tell(self: SessionMixin) -> None:
    self.notifications.notify("once", "read me")
    self.write("told")


@page
async def hear(self: SessionMixin) -> None:
    await asyncio.sleep(0)
    self.write(str(await self.notifications.take("once", "nothing")))


def test_a_notification_is_read_once_also_by_two_at_once(shop: Shop) -> None:
    site = shop.serve(tell, hear)
    visitor = site.visitor()
    visitor.get("/tell")
    cookie = visitor.headers()["Cookie"]
    ask = f"GET /hear HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: {cookie}"

    async def read() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(f"{ask}\r\n\r\n".encode())
        said = await reader.read()
        writer.close()
        await writer.wait_closed()
        return said.rpartition(b"\r\n\r\n")[2]

    async def both() -> list[bytes]:
        return await asyncio.gather(*[read() for _ in range(5)])

    with shop.store.delay("get", seconds=0.01):
        heard = site.do(both())
    assert sorted(heard) == [b"nothing"] * 4 + [b"read me"]


def test_revoke_check_is_a_duration() -> None:
    for wrong in (0, "often", -1):
        with pytest.raises(ConfigError):
            type("Socket", (SessionMixin, RequestHandler), {"revoke_check": wrong})
    type("Socket", (SessionMixin, RequestHandler), {"revoke_check": None})
