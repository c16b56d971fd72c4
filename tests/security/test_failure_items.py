"""Items 52 to 56 of the security list: what fails, and what must not get out meanwhile."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from visited_site import (
    NAME,
    Place,
    Site,
    Visit,
    everywhere,
    in_front,
    over_asgi,
    over_wsgi,
    stored,
    visiting,
)

from holdfast import Cookie
from holdfast.codec.msgpack import Msgpack
from holdfast.session.data import Record, decode
from holdfast.testing.calls import environ, scope, talk
from holdfast.testing.clock import ManualClock
from holdfast.testing.faults import FaultyStore
from holdfast.web import asgi, wsgi

visit = pytest.fixture(visiting)

ADA = {"name": Msgpack().encode("ada")}


@everywhere
def test_item_52_what_fails_writes_nothing_but_logs_in_and_out(visit: Visit, place: Place) -> None:
    visitor = visit(place).writer()
    before = visitor.cookies[NAME]
    assert visitor.get("/fail/write").all("set-cookie") == []
    assert visitor.get("/").body == b"ada"
    assert len(visitor.get("/fail/login").all("set-cookie")) == 1
    assert visitor.cookies[NAME] != before
    assert visitor.get("/").body == b"ada"
    assert "Max-Age=0" in visitor.get("/fail/logout").all("set-cookie")[0]
    assert visitor.get("/").body == b"nobody"


@stored
def test_item_52_what_raises_writes_nothing_but_ends_the_old_token(
    visit: Visit, place: Place
) -> None:
    """No cookie can be sent then, so that whoever signs in or out is anonymous afterwards."""

    def view(session: Any, path: str) -> object:
        session["name"] = "eve"
        session.increment("visits")
        Site.view(session, path)
        raise ZeroDivisionError

    site = visit(place)
    for path, left in (("/write", b"ada"), ("/rotate", b""), ("/login", b""), ("/logout", b"")):
        _emptied(site)
        visitor = site.writer()
        failing = visitor.twin()
        failing.app = site.visitor(view).app
        with pytest.raises(ZeroDivisionError):
            failing.get(path)
        assert visitor.get("/").body == (left or b"nobody"), path
        assert [record.data for record in _records(site)] == ([] if path == "/logout" else [ADA])


def _act(session: Any, path: str) -> None:
    """Do all that a request can ask for; what it writes belongs together."""
    session["a"] = session["b"] = b"as it is now"
    if path == "/rotate":
        session.rotate()
    elif path == "/login":
        session.login("eve")
        session["a"] = session["b"] = b"as it is now"
    elif path == "/logout":
        session.logout()


def _records(site: Site) -> list[Record]:
    """Return the sessions that are stored."""
    found = [decode(raw) for key, raw in site.rows().items() if key.startswith("s:")]
    return [one for one in found if isinstance(one, Record)]


def _emptied(site: Site) -> None:
    """Remove all that is stored."""
    store = site.sessions.store
    assert store is not None
    store.delete_many(list(site.rows()))


def _begun(site: Site) -> str:
    """Return the token of the only session there is."""
    _emptied(site)
    session = site.sessions.load(None)
    session["a"] = session["b"] = b"as it was"
    session.login("ada")
    return site.sessions.commit(session).token or ""


def _half_done(site: Site, token: str, path: str) -> str:
    """Return what is half done, if anything is."""
    records = _records(site)
    if not records:
        return "" if path == "/logout" else "the session is gone"
    if len(records) > 1:
        return "a session too many"
    values = set(records[0].data.values())
    if len(values) != 1 or len(records[0].data) != 2:
        return f"of what was written a part: {values}"
    is_new = values == {Msgpack().encode(b"as it is now")}
    must_be_new = is_new and path in ("/rotate", "/login")
    if site.sessions.load(token).is_new != must_be_new:
        return "both tokens are good, or none"
    return ""


@over_asgi
@pytest.mark.parametrize("path", ["/write", "/rotate", "/login", "/logout"])
def test_item_53_a_request_is_cancelled_at_any_moment(
    visit: Visit, place: Place, path: str
) -> None:
    site = visit(place, around=lambda store: FaultyStore(store, clock=ManualClock()))
    store = site.sessions.store
    assert isinstance(store, FaultyStore)

    async def app(fields: Mapping[str, Any], _receive: object, send: Any) -> None:
        _act(fields["session"], fields["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    middleware = asgi.SessionMiddleware(app, site.sessions)

    async def cancelled(token: str, turns: int) -> bool:
        fields = scope(path, headers=[("Cookie", f"{NAME}={token}")])
        request = asyncio.ensure_future(talk(middleware, fields))
        for _ in range(turns):
            await asyncio.sleep(0)
        was_running = request.cancel()
        await asyncio.wait([request])
        mine = {asyncio.current_task()}
        while rest := asyncio.all_tasks() - mine:  # a commit that had begun goes on
            await asyncio.wait(rest)
        return was_running

    turns, running = 0, True
    while running:
        token = _begun(site)
        with store.delay():  # each operation takes a turn of the loop
            running = asyncio.run(cancelled(token, turns))
        assert _half_done(site, token, path) == "", turns
        turns += 1 + turns // 8
    assert turns > 5


def _start(_status: str, _headers: object, _exc_info: object = None) -> Any:
    """Be the start_response of a server nobody listens to."""
    return lambda _data: None


@over_wsgi
@pytest.mark.parametrize("path", ["/write", "/rotate", "/login", "/logout"])
def test_item_53_a_client_goes_away_before_he_has_read_it_all(
    visit: Visit, place: Place, path: str
) -> None:
    site = visit(place)

    def app(fields: Mapping[str, Any], start: Any) -> Iterator[bytes]:
        start("200 OK", [])
        _act(fields["holdfast.session"], fields["PATH_INFO"])
        return iter((b"x", b"x"))

    for chunks in range(3):
        token = _begun(site)
        fields = environ(path, headers=[("Cookie", f"{NAME}={token}")])
        body: Any = wsgi.SessionMiddleware(app, site.sessions)(fields, _start)
        for _ in range(chunks):
            next(body)
        body.close()
        assert _half_done(site, token, path) == "", chunks
        stored_bytes = b"".join(site.rows().values())
        assert b"as it was" not in stored_bytes, "what he asked for was done"


@stored
def test_item_54_a_store_that_is_down_never_costs_a_cookie(visit: Visit, place: Place) -> None:
    site = visit(place, around=FaultyStore)
    store = site.sessions.store
    assert isinstance(store, FaultyStore)
    visitor, stranger = site.writer(), site.visitor()
    with store.fail():
        for path in ("/", "/write", "/login", "/logout"):
            answer = visitor.get(path)
            assert (answer.status, answer.all("set-cookie")) == (503, []), path
            assert re.fullmatch(r"\d+", answer.all("retry-after")[0])
        assert visitor.get("/untouched").status == 200
        assert [stranger.get(path).status for path in ("/", "/untouched", "/logout")] == [200] * 3
        assert (stranger.get("/write").status, stranger.cookies) == (503, {})
    assert visitor.get("/").body == b"ada"


@stored
def test_item_54_a_time_that_cannot_be_noted_fails_nothing(visit: Visit, place: Place) -> None:
    site = visit(place, around=FaultyStore)
    store = site.sessions.store
    assert isinstance(store, FaultyStore)
    visitor = site.writer()
    for hangs in (False, True):
        site.clock.advance(90)
        with store.hang("swap", seconds=0) if hangs else store.fail("swap") as fault:
            answer = visitor.get("/")
        assert (answer.status, answer.body, answer.all("set-cookie")) == (200, b"ada", [])
        assert fault.struck == 1
    assert site.events.count("session.touch_failed") == 2


@stored
def test_item_54_visitors_may_be_anonymous_for_a_while(visit: Visit, place: Place) -> None:
    site = visit(place, around=FaultyStore, on_store_error="anonymous")
    store = site.sessions.store
    assert isinstance(store, FaultyStore)
    visitor, stranger = site.writer(), site.visitor()
    visitor.get("/login")
    before = site.rows()
    with store.fail():
        for path in ("/", "/write"):
            for who in (visitor, stranger):
                answer = who.get(path)
                assert (answer.status, answer.all("set-cookie")) == (200, []), path
        assert visitor.get("/").body == b"nobody"
        for path in ("/login", "/logout"):
            answer = visitor.get(path)
            assert (answer.status, answer.all("set-cookie")) == (503, []), path
    with store.fail("swap"):
        assert (visitor.get("/write").status, visitor.get("/").body) == (200, b"ada")
        for path in ("/login", "/rotate", "/logout"):
            answer = visitor.get(path)
            assert (answer.status, answer.all("set-cookie")) == (503, []), path
    assert "session.store_down" in site.events
    assert site.rows() == before
    assert visitor.get("/").body == b"ada"


@in_front
def test_item_55_no_subdomain_can_plant_a_cookie_by_default(visit: Visit, place: Place) -> None:
    [line] = visit(place).visitor().get("/write").all("set-cookie")
    assert line.startswith("__Host-")
    assert "domain" not in line.lower()
    assert Cookie(domain="example.com").bound_name.startswith("__Secure-")
