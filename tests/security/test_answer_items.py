"""Items 28 to 30 of the security list: what caches may keep, and when a cookie is sent at all."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from visited_site import NAME, Place, Site, Visit, in_front, visiting

from holdfast import Cache, Cookie
from holdfast.testing.calls import Visitor
from holdfast.web import asgi, wsgi
from holdfast.web.httpcache import CacheMiddleware

visit = pytest.fixture(visiting)


def _item(session: Any) -> None:
    with suppress(KeyError):
        session["name"]


LOOKS: dict[str, Callable[[Any], object]] = {
    "[]": _item,
    "get": lambda session: session.get("name"),
    "in": lambda session: "name" in session,
    "not in": lambda session: "other" not in session,
    "len": len,
    "iter": iter,
    "list": list,
    "bool": bool,
    "keys": lambda session: list(session.keys()),
    "values": lambda session: list(session.values()),
    "items": lambda session: list(session.items()),
    "==": lambda session: session == {},
    "repr": repr,
    "user": lambda session: session.user,
    "id": lambda session: session.id,
    "is_new": lambda session: session.is_new,
    "created": lambda session: session.created,
    "seen": lambda session: session.seen,
    "expires": lambda session: session.expires,
    "fresh_for": lambda session: session.fresh_for(60),
    "peek_flash": lambda session: session.peek_flash(),
    "pop_flash": lambda session: session.pop_flash(),
    "take": lambda session: session.take("notice"),
    "check_csrf": lambda session: session.check_csrf("x"),
}


@in_front
def test_item_28_any_look_at_a_session_makes_the_answer_vary(visit: Visit, place: Place) -> None:
    site = visit(place)
    held = f"{NAME}={site.writer().cookies[NAME]}"
    for name, look in LOOKS.items():

        def view(session: Any, _path: str, look: Any = look) -> object:
            look(session)
            return "seen"

        for cookie in ("", held):
            answer = site.visitor(view).get(cookie=cookie)
            assert answer.all("vary") == ["Cookie"], name


@in_front
def test_item_28_vary_is_merged(visit: Visit, place: Place) -> None:
    site = visit(place)
    for said, merged in (
        (["Accept-Encoding"], ["Accept-Encoding, Cookie"]),
        (["cookie"], ["cookie"]),
        (["Accept, COOKIE"], ["Accept, COOKIE"]),
        (["*"], ["*"]),
        (["Accept", "Origin"], ["Accept", "Origin, Cookie"]),
    ):
        visitor = site.visitor(headers=[("Vary", value) for value in said])
        assert visitor.get("/").all("vary") == merged
        assert visitor.get("/write").all("vary") == merged
        assert visitor.get("/untouched").all("vary") == said


@in_front
def test_item_28_what_is_not_looked_at_is_not_refreshed(visit: Visit, place: Place) -> None:
    site = visit(place, transport=Cookie(persistent=True))
    visitor = site.writer()
    before = site.rows()
    site.clock.advance(600)
    answer = visitor.get("/untouched")
    assert [answer.all(name) for name in ("vary", "set-cookie", "cache-control")] == [[], [], []]
    assert site.rows() == before


@in_front
def test_item_29_what_sets_a_cookie_is_stored_nowhere(visit: Visit, place: Place) -> None:
    site = visit(place)
    for said, answered in (
        ([], ["no-store"]),
        (["public, max-age=600"], ["no-store"]),
        (["private", "max-age=600"], ["no-store"]),
        (['private="no-store"'], ["no-store"]),
        (["no-store, private"], ["no-store, private"]),
    ):
        headers = [("Cache-Control", value) for value in said]
        targeted = [("CDN-Cache-Control", "max-age=60"), ("Surrogate-Control", "max-age=60")]
        visitor = site.visitor(headers=[*headers, *targeted])
        for path in ("/write", "/login", "/logout"):
            answer = visitor.get(path)
            assert len(answer.all("set-cookie")) == 1, path
            assert answer.all("cache-control") == answered, path
            assert answer.all("cdn-cache-control") == answer.all("surrogate-control") == []
        answer = visitor.get("/untouched")
        assert answer.all("cache-control") == said
        assert len(answer.all("cdn-cache-control")) == 1


@in_front
@pytest.mark.parametrize("order", ["cache outside", "cache inside"])
def test_item_29_our_own_cache_keeps_no_page_of_a_session(
    visit: Visit, place: Place, order: str
) -> None:
    site, calls = visit(place), list[str]()

    def view(session: Any, path: str) -> object:
        calls.append(path)
        return "page" if path == "/untouched" else Site.view(session, path)

    around = wsgi.SessionMiddleware if place.face == "wsgi" else asgi.SessionMiddleware
    app: Any = site.visitor(view, headers=[("Cache-Control", "public, max-age=600")]).app
    with Cache(clock=site.clock) as cache:
        if order == "cache outside":
            app = CacheMiddleware(app, cache, clock=site.clock)
        else:
            app = around(CacheMiddleware(app.app, cache, clock=site.clock), site.sessions)
        ada, stranger = Visitor(app, place.face), Visitor(app, place.face)
        for path in ("/write", "/", "/login", "/", "/logout", "/write", "/"):
            calls.clear()
            assert ada.get(path).status == 200
            ada.get(path)
            answer = stranger.get("/")
            assert (answer.body, answer.all("set-cookie")) == (b"nobody", []), path
            assert calls == [path, path, "/"], "the cache answered"
        calls.clear()
        for visitor in (ada, stranger, ada):
            answer = visitor.get("/untouched")
            assert (answer.body, answer.all("set-cookie")) == (b"page", [])
        assert calls == ["/untouched"], "the cache keeps what is nobody's"


def _wsgi_late(fields: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("Cache-Control", "public, max-age=600")])
    yield b"this is "
    yield str(fields["holdfast.session"].get("name", "nobody")).encode()


async def _asgi_late(fields: Any, _receive: Any, send: Any) -> None:
    headers = [(b"cache-control", b"public, max-age=600")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"this is ", "more_body": True})
    name = str(fields["session"].get("name", "nobody")).encode()
    await send({"type": "http.response.body", "body": name})


@in_front
def test_item_29_nor_one_that_looks_at_it_after_the_headers(visit: Visit, place: Place) -> None:
    site = visit(place)
    app: Any = asgi.SessionMiddleware(_asgi_late, site.sessions)
    if place.face == "wsgi":
        app = wsgi.SessionMiddleware(_wsgi_late, site.sessions)
    with Cache(clock=site.clock) as cache:
        cached = CacheMiddleware(app, cache, clock=site.clock)
        ada, stranger = site.writer(), Visitor(cached, place.face)
        ada.app = cached
        for _ in range(2):
            assert ada.get("/").body == b"this is ada"
            assert stranger.get("/").body == b"this is nobody"


@in_front
def test_item_30_a_cookie_is_set_only_when_something_changed(visit: Visit, place: Place) -> None:
    site = visit(place)
    visitor = site.writer()
    for path in ("/", "/untouched", "/write", "/"):
        answer = visitor.get(path)
        assert answer.all("set-cookie") == answer.all("cache-control") == [], path
    stranger = site.visitor()
    for path in ("/", "/untouched", "/"):
        assert stranger.get(path).all("set-cookie") == [], path


@in_front
def test_item_30_a_304_and_a_static_file_have_none(visit: Visit, place: Place) -> None:
    site = visit(place)
    held = f"{NAME}={site.writer().cookies[NAME]}"
    for status in (200, 204, 304):
        for looks in (False, True):

            def view(session: Any, _path: str, status: int = status, looks: bool = looks) -> int:
                assert not looks or session.get("name") == "ada"
                return status

            answer = site.visitor(view).get("/favicon.ico", cookie=held)
            assert (answer.status, answer.all("set-cookie")) == (status, [])
            assert answer.all("vary") == (["Cookie"] if looks else [])
