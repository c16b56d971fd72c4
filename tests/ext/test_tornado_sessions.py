"""Tornado: a session is loaded before its handler and committed before its answer leaves."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tornado.web import (
    Application,
    Finish,
    HTTPError,
    RequestHandler,
    StaticFileHandler,
    authenticated,
    stream_request_body,
)
from tornado_site import Site, Visitor, page, serve, until

from holdfast import Cookie, Header, Sessions
from holdfast.errors import ConfigError, SessionCommitted
from holdfast.ext.tornado import SessionMixin
from holdfast.store.memory import MemoryStore
from holdfast.testing.faults import FaultyStore

Handler = type[RequestHandler]
Open = Callable[..., Site]


class Shop:
    """A store, its sessions, and what was observed."""

    def __init__(self, *, slow: bool, **options: Any) -> None:
        self.store = FaultyStore(MemoryStore("shop"))
        if slow:  # a commit takes some turns of the loop
            self.store.delay("get", "swap", seconds=0.005)
        self.events: list[str] = []
        self.seen: list[Any] = []
        self.sessions = Sessions(
            self.store, observer=lambda event, _: self.events.append(event), **options
        )

    def settings(self) -> dict[str, Any]:
        return {"holdfast_sessions": self.sessions, "shop": self}


@page
def write(self: SessionMixin) -> None:
    self.session[self.get_argument("name", "a")] = self.get_argument("value", "1")
    self.write("written")


@page
def read(self: SessionMixin) -> None:
    self.write(dict(self.session))


@page
def count(self: SessionMixin) -> None:
    self.session.increment("visits")
    self.write(str(self.session["visits"]))


@page
def plain(self: SessionMixin) -> None:
    self.write("plain")


@pytest.fixture(params=["memory", "slow"])
def shop(request: pytest.FixtureRequest) -> Shop:
    return Shop(slow=request.param == "slow")


@pytest.fixture
def run() -> Iterator[Open]:
    served: list[AbstractContextManager[Site]] = []

    def run(shop: Shop, *handlers: Handler, **settings: Any) -> Site:
        always: tuple[Handler, ...] = (write, read, count, plain)
        routes: Any = [(f"/{cls.__name__}", cls) for cls in (*always, *handlers)]
        served.append(serve(Application(routes, **{**shop.settings(), **settings})))
        return served[-1].__enter__()

    yield run
    for one in served:
        one.__exit__(None, None, None)


def known(site: Site) -> Visitor:
    visitor = site.visitor()
    assert visitor.get("/write").text == "written"
    assert list(visitor.cookies) == ["__Host-sid"]
    return visitor


def test_a_session_lives_from_request_to_request(shop: Shop, run: Open) -> None:
    visitor = run(shop).visitor()
    first = visitor.get("/count")
    assert first.text == "1"
    [line] = first.headers.get_list("set-cookie")
    assert line.startswith("__Host-sid=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(line.split("; "))
    assert first.headers.get_list("cache-control") == ["no-store"]
    assert first.headers.get_list("vary") == ["Cookie"]
    second = visitor.get("/count")
    assert second.text == "2"
    assert "set-cookie" not in second.headers
    assert visitor.get("/read").json() == {"visits": 2}


def test_an_untouched_answer_stays_what_it_was(shop: Shop, run: Open) -> None:
    visitor = known(run(shop))
    answer = visitor.get("/plain")
    assert answer.text == "plain"
    assert not {"vary", "set-cookie", "cache-control"} & set(answer.headers)
    read = visitor.get("/read")
    assert read.headers["vary"] == "Cookie"
    assert "cache-control" not in read.headers


@page
def redirect(self: SessionMixin) -> None:
    self.session["a"] = "2"
    self.redirect("/read")


@page
async def finished(self: SessionMixin) -> None:
    self.session["a"] = "2"
    await self.finish("done")


@page
def raised(self: SessionMixin) -> None:
    self.session["a"] = "2"
    raise Finish("raised")


@page
def lost(self: SessionMixin) -> None:
    self.session["a"] = "2"
    raise HTTPError(404)


@page
async def streamed(self: SessionMixin) -> None:
    self.session["a"] = "2"
    for letter in "abc":
        self.write(letter)
        await self.flush()


@page
def hasty(self: SessionMixin) -> None:
    self.session["a"] = "2"
    for letter in "abc":
        self.write(letter)
        self.flush()  # a future nobody waits for
    self.finish("d")


WAYS: list[tuple[Handler, int, str]] = [
    (redirect, 302, ""),
    (finished, 200, "done"),
    (raised, 200, "raised"),
    (lost, 404, "<html><title>404: Not Found</title><body>404: Not Found</body></html>"),
    (streamed, 200, "abc"),
    (hasty, 200, "abcd"),
]


@pytest.mark.parametrize(("handler", "status", "body"), WAYS, ids=[w[0].__name__ for w in WAYS])
def test_however_an_answer_ends_the_session_is_stored_before_it(
    shop: Shop, run: Open, handler: Handler, status: int, body: str
) -> None:
    site = run(shop, handler)
    for method in ("GET", "HEAD"):
        for visitor in (site.visitor(), known(site)):
            is_new = not visitor.cookies
            answer = visitor.get(f"/{handler.__name__}", method)
            assert (answer.status_code, answer.text) == (status, body if method == "GET" else "")
            assert ("set-cookie" in answer.headers) is is_new
            assert visitor.get("/read").json() == {"a": "2"}


class Asset(SessionMixin, StaticFileHandler):
    """Files for those who are signed in."""

    def prepare(self) -> None:
        if not self.current_user:
            raise HTTPError(403)


def test_files_may_be_for_those_who_are_signed_in(shop: Shop, run: Open, tmp_path: Path) -> None:
    (tmp_path / "big.txt").write_text("0123456789" * 20_000)
    site = run(shop, login)
    site.application.add_handlers(".*", [("/files/(.*)", Asset, {"path": str(tmp_path)})])
    visitor = site.visitor()
    assert visitor.get("/files/big.txt").status_code == 403
    visitor.get("/login?name=ada")
    answer = visitor.get("/files/big.txt")
    assert len(answer.text) == 200_000
    assert answer.headers["vary"] == "Cookie"
    part = visitor.get("/files/big.txt", Range="bytes=3-5")
    assert (part.status_code, part.text) == (206, "345")


@stream_request_body
class Upload(SessionMixin, RequestHandler):
    """Counts the bytes of a body that it never holds."""

    def prepare(self) -> None:
        self.session["size"] = 0

    def data_received(self, chunk: bytes) -> None:
        self.session.increment("size", len(chunk))

    def post(self) -> None:
        self.write(str(self.session["size"]))


def test_a_body_may_be_streamed(shop: Shop, run: Open) -> None:
    visitor = run(shop, Upload).visitor()
    assert visitor.get("/Upload", "POST", body="x" * 300_000).text == "300000"
    assert visitor.get("/read").json() == {"size": 300_000}


def test_requests_of_one_connection_follow_each_other(shop: Shop, run: Open) -> None:
    site = run(shop)
    visitor = known(site)
    ask = f"GET /count HTTP/1.1\r\nHost: a\r\nCookie: {visitor.headers()['Cookie']}\r\n"

    async def pipelined() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(f"{ask}\r\n{ask}\r\n{ask}Connection: close\r\n\r\n".encode())
        said = await reader.read()
        writer.close()
        await writer.wait_closed()
        return said

    said = site.do(pipelined())
    assert [part[-1:] for part in said.split(b"HTTP/1.1 200 OK")[1:]] == [b"1", b"2", b"3"]


def test_who_goes_away_has_written_all_the_same(shop: Shop, run: Open) -> None:
    site = run(shop)
    visitor = known(site)

    async def leave() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        cookie = visitor.headers()["Cookie"]
        writer.write(f"GET /count HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    site.do(leave())
    until(lambda: "visits" in visitor.get("/read").json())
    assert visitor.get("/read").json()["visits"] == 1


@page
async def late(self: SessionMixin) -> None:
    self.write("a")
    await self.flush()
    try:
        self.session["late"] = 1
    except SessionCommitted:
        self.write("too late")


@page
async def later(self: SessionMixin) -> None:
    self.session["early"] = 1
    self.write("a")
    await self.flush()
    self.session["late"] = 1


def is_late(who: Visitor) -> bool:
    return bool(who.get("/read").json().get("late") == 1)


def test_a_write_after_the_first_byte_counts_if_the_client_holds_the_token(
    shop: Shop, run: Open
) -> None:
    site = run(shop, late, later)
    assert site.visitor().get("/late").text == "atoo late"
    visitor = known(site)
    assert visitor.get("/late").text == "a"
    stored = site.visitor()
    assert stored.get("/later").text == "a"
    for who in (visitor, stored):
        until(partial(is_late, who))


@page
def impatient(self: SessionMixin) -> None:
    shop, session = self.settings["shop"], self.session
    session["a"] = "2"
    session["list"] = [1]
    self.flush()
    refused: list[Callable[[], object]] = [
        lambda: session.update(b="3"),
        session.clear,
        session.rotate,
        session.destroy,
        session.revert,
        lambda: session.login("ada"),
        lambda: session.notify("a", 1),
        session.csrf_token,
        lambda: self.session.increment("n"),
    ]
    for act in refused:
        try:
            act()
        except SessionCommitted as error:
            shop.seen.append(str(error))
    session["list"].append(2)
    shop.seen.append((self.session["a"], self.current_user, len(session)))


def test_a_session_that_is_being_committed_is_read_only(run: Open) -> None:
    shop = Shop(slow=True)
    seen: list[Any] = []
    site = run(shop, impatient, log_function=lambda handler: seen.append(handler.current_user))
    visitor = site.visitor()
    visitor.get("/impatient")
    *refused, read = shop.seen
    assert len(refused) == 9
    assert all("is being committed" in message for message in refused)
    assert read == ("2", None, 2)
    until(lambda: visitor.get("/read").json() == {"a": "2", "list": [1, 2]})
    assert seen[0] is None


@page
def fails(self: SessionMixin) -> None:
    self.session["a"] = "lost"
    if self.get_argument("login", ""):
        self.session.login("ada")
    raise ZeroDivisionError


def test_a_failure_keeps_nothing_but_a_login(shop: Shop, run: Open) -> None:
    visitor = known(run(shop, fails, who))
    assert visitor.get("/fails").status_code == 500
    assert visitor.get("/read").json() == {"a": "1"}
    before = dict(visitor.cookies)
    assert visitor.get("/fails?login=1").status_code == 500
    assert visitor.cookies != before
    assert visitor.get("/read").json() == {"a": "1"}
    assert visitor.get("/who").text == "ada"


@page
@authenticated
def who(self: SessionMixin) -> None:
    self.write(str(self.current_user))


@page
def login(self: SessionMixin) -> None:
    self.session.login(self.get_argument("name"))
    self.write("in")


@page
def logout(self: SessionMixin) -> None:
    self.session.logout()
    self.write("out")


def test_login_changes_the_token_and_logout_ends_it(shop: Shop, run: Open) -> None:
    site = run(shop, who, login, logout, login_url="/login")
    visitor = known(site)
    assert visitor.get("/who").status_code == 302
    old = dict(visitor.cookies)
    visitor.get("/login?name=ada")
    assert visitor.cookies != old
    assert visitor.get("/who").text == "ada"
    thief = site.visitor()
    thief.cookies = old
    assert thief.get("/who").status_code == 302
    signed_in = dict(visitor.cookies)
    answer = visitor.get("/logout")
    assert answer.headers["cache-control"] == "no-store"
    assert visitor.cookies == {}
    visitor.cookies = signed_in
    assert visitor.get("/who").status_code == 302


@page
def hungry(self: SessionMixin) -> None:
    self.session["open"] = object()
    self.write("fed")


def test_a_value_that_no_codec_takes_is_answered_500_and_logged(
    shop: Shop, run: Open, caplog: pytest.LogCaptureFixture
) -> None:
    visitor = known(run(shop, hungry))
    with caplog.at_level(logging.ERROR):
        for method in ("GET", "HEAD"):
            answer = visitor.get("/hungry", method)
            assert answer.status_code in (500, 405)
    assert "fed" not in answer.text
    assert "'open'" in caplog.text
    assert visitor.get("/read").json() == {"a": "1"}


def test_compressed_answers_and_not_modified_ones(shop: Shop, run: Open) -> None:
    visitor = known(run(shop, compress_response=True))
    first = visitor.get("/read", **{"Accept-Encoding": "gzip"})
    assert first.headers["vary"] == "Accept-Encoding, Cookie"
    again = visitor.get("/read", **{"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.headers["vary"] == "Accept-Encoding, Cookie"


def test_a_header_may_carry_the_token(run: Open) -> None:
    shop = Shop(slow=False, transport=Header("X-Auth-Token"))
    visitor = run(shop).visitor()
    first = visitor.get("/count")
    token = first.headers["x-auth-token"]
    assert "set-cookie" not in first.headers
    again = visitor.get("/count", **{"X-Auth-Token": token})
    assert again.text == "2"
    assert again.headers["cache-control"] == "private"


@page
def swell(self: SessionMixin) -> None:
    self.session["big"] = "x" * 5000
    self.write("swollen")


def test_a_session_may_travel_whole(run: Open, caplog: pytest.LogCaptureFixture) -> None:
    shop = Shop(slow=False)
    whole = Sessions.in_cookie([secrets.token_urlsafe(32)])
    visitor = run(shop, swell, later, holdfast_sessions=whole).visitor()
    assert [visitor.get("/count").text for _ in range(3)] == ["1", "2", "3"]
    assert visitor.get("/swell").status_code == 500
    assert "SessionTooLarge" in caplog.text
    assert "SessionCommitted" not in caplog.text
    assert visitor.get("/later").status_code == 200
    assert visitor.get("/read").json() == {"visits": 3, "early": 1}
    assert "SessionCommitted" in caplog.text  # for its cookie had left


def test_two_cookies_of_the_name_are_none(shop: Shop, run: Open) -> None:
    visitor = known(run(shop))
    both = f"{visitor.headers()['Cookie']}; __Host-sid=other"
    answer = visitor.get("/plain", Cookie=both)
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert "session.cookie_tossing" in shop.events


def test_the_client_is_kept_where_it_was_asked_for(run: Open) -> None:
    shop = Shop(slow=False, keep_client=["address", "agent"])
    site = run(shop, login)
    site.visitor().get("/login?name=ada", **{"User-Agent": "Mozilla/5.0 (X11) Firefox/140.0"})
    [info] = shop.sessions.of("ada")
    assert info.address == "127.0.0.0/24"
    assert "Firefox" in str(info.agent)


class Bare(SessionMixin):
    """A handler that names no other base."""

    def initialize(self) -> None:
        try:
            self.session  # noqa: B018 - it is asked for
        except ConfigError as error:
            self.early = str(error)

    def get(self) -> None:
        self.write(self.early)


def test_a_wrong_program_is_told(shop: Shop, run: Open) -> None:
    site = run(shop, Bare)
    assert "from prepare() on" in site.visitor().get("/Bare").text
    none = run(shop, holdfast_sessions=None)
    assert none.visitor().get("/plain").text == "plain"
    assert none.visitor().get("/read").status_code == 500
    wrong = run(shop, holdfast_sessions="redis://localhost")
    assert wrong.visitor().get("/plain").status_code == 500
    with pytest.raises(ConfigError, match="revoke_check=0"):
        type("Zero", (SessionMixin, RequestHandler), {"revoke_check": 0})


def test_a_cookie_is_made_of_the_transport_once(run: Open) -> None:
    shop = Shop(slow=False, transport=Cookie("shop"))
    visitor = run(shop).visitor()
    assert visitor.get("/count").text == "1"
    assert list(visitor.cookies) == ["__Host-shop"]
    assert visitor.get("/count").text == "2"
