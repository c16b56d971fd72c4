"""Items 50 and 51 of the security list: requests that another site makes, and websockets."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from visited_site import NAME, Place, Site, Visit, in_front, over_asgi, visiting

from holdfast import SessionCommitted
from holdfast.testing.calls import Visitor, one_view, scope, talk
from holdfast.web import asgi, wsgi

visit = pytest.fixture(visiting)

HOST = ("Host", "shop.example")
ORIGIN = "https://shop.example"
PATIENCE = 30
CLOSED = {"type": "websocket.close", "code": 1008, "reason": "the session is over"}


def guarded(site: Site, mode: Any) -> Visitor:
    """Return a visitor of an application that guards itself; `/token` says what a form brings."""

    def view(session: Any, path: str) -> object:
        return session.csrf_token() if path == "/token" else Site.view(session, path)

    app = one_view(view, site.face)
    kind = wsgi if site.face == "wsgi" else asgi
    return site.visitor_of(kind.CsrfMiddleware(app, mode=mode))


def post(visitor: Visitor, path: str, *headers: tuple[str, str]) -> int:
    return visitor.get(path, method="POST", headers=[HOST, *headers]).status


@in_front
def test_item_50_a_form_needs_the_token_of_its_session(visit: Visit, place: Place) -> None:
    site = visit(place)
    ada, eve = guarded(site, "token"), guarded(site, "token")
    tokens = [ada.get("/token").body.decode() for _ in range(8)]
    assert len(set(tokens)) == 8, "masked anew for each page"
    columns = [set(column) for column in zip(*tokens, strict=True)]
    assert not [column for column in columns if len(column) == 1], "nothing is the same in all"
    for token in tokens:
        assert post(ada, "/write", ("X-CSRF-Token", token)) == 200
    theirs = eve.get("/token").body.decode()
    before = site.rows()
    for wrong in ("", theirs, tokens[0][:-2] + "AA", tokens[0] + "A", tokens[0][43:], "A" * 86):
        assert post(ada, "/clear", ("X-CSRF-Token", wrong)) == 403, wrong
    assert post(ada, "/clear") == 403
    assert post(guarded(site, "token"), "/write", ("X-CSRF-Token", tokens[0])) == 403
    assert site.rows() == before
    assert ada.get("/").body == b"ada"
    ada.get("/login")
    assert post(ada, "/clear", ("X-CSRF-Token", tokens[0])) == 403, "of before the login"
    token = ada.get("/token").body.decode()
    assert post(ada, "/rotate", ("X-CSRF-Token", token)) == 200
    assert post(ada, "/logout", ("X-CSRF-Token", token)) == 200, "it is the session's"
    assert post(ada, "/write", ("X-CSRF-Token", token)) == 403, "and ends with it"


@in_front
def test_item_50_where_a_request_comes_from_decides(visit: Visit, place: Place) -> None:
    site = visit(place)
    visitor = guarded(site, "origin")
    assert post(visitor, "/write", ("Sec-Fetch-Site", "same-origin")) == 200
    foreign = [
        [("Sec-Fetch-Site", "cross-site")],
        [("Sec-Fetch-Site", "same-site"), ("Origin", "https://x.shop.example")],
        [("Sec-Fetch-Site", "cross-site"), ("Origin", ORIGIN)],
        [("Origin", "https://evil.example")],
        [("Origin", "https://shop.example.evil.example")],
        [("Origin", "http://shop.example")],
        [("Origin", "null")],
    ]
    for headers in foreign:
        answer = visitor.get("/clear", method="POST", headers=[HOST, *headers])
        assert (answer.status, answer.all("set-cookie")) == (403, []), headers
        assert visitor.get("/", headers=[HOST, *headers]).body == b"ada", "a link may lead here"
    for headers in ([("Origin", ORIGIN)], [("Sec-Fetch-Site", "none")], []):
        assert post(visitor, "/write", *headers) == 200, headers


async def echo(fields: Any, receive: Any, send: Any) -> None:
    """Accept, write to the session if there is one, and say what is heard."""
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    try:
        fields["session"]["late"] = "yes"
        said = "written"
    except SessionCommitted:
        said = "refused"
    await send({"type": "websocket.send", "text": said})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": message["text"]})


def connected(
    site: Site, cookie: str, act: Callable[[asyncio.Queue[Any]], object] | None
) -> list[dict[str, Any]]:
    """Return what a websocket hears: accepted, it hears what `act` does; None: it goes away."""
    heard: list[dict[str, Any]] = []

    async def scene() -> None:
        told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        told.put_nowait({"type": "websocket.connect"})
        greeted = asyncio.Event()

        async def send(message: dict[str, Any]) -> None:
            heard.append(message)
            if message["type"] == "websocket.send":
                greeted.set()

        app = asgi.SessionMiddleware(echo, site.sessions, revoke_check=0.02)
        fields = scope(kind="websocket", headers=[("Cookie", cookie)] if cookie else [])
        running = asyncio.ensure_future(app(fields, told.get, send))
        await greeted.wait()
        if act is None:
            told.put_nowait({"type": "websocket.disconnect", "code": 1001})
        else:
            await asyncio.to_thread(act, told)
        await running

    asyncio.run(asyncio.wait_for(scene(), PATIENCE))
    return heard


@over_asgi
def test_item_51_a_websocket_ends_with_its_session(visit: Visit, place: Place) -> None:
    def ends(site: Site, end: str) -> None:
        visitor = site.writer()
        visitor.get("/login")
        token = visitor.cookies[NAME]

        def act(_told: object) -> None:
            if end == "revoke":
                site.sessions.revoke("ada")
            else:
                visitor.get(end)

        heard = connected(site, f"{NAME}={token}", act)
        assert heard[0] == {"type": "websocket.accept"}
        assert heard[-1] == CLOSED, (site.sessions, end)
        assert heard.count(CLOSED) == 1
        assert site.ask(token).body == b"nobody"

    for site in (visit(place), visit(place, revocable=True)):
        for end in ("/logout", "revoke", "/fail/login"):  # the last one signs in another
            ends(site, end)


@over_asgi
def test_item_51_a_websocket_sets_no_cookie(visit: Visit, place: Place) -> None:
    site = visit(place)
    visitor = site.writer()
    before = site.rows()
    for cookie in ("", f"{NAME}={'A' * 43}"):
        heard = connected(site, cookie, None)
        assert heard == [
            {"type": "websocket.accept"},
            {"type": "websocket.send", "text": "refused"},
        ]
    assert site.rows() == before
    heard = connected(site, f"{NAME}={visitor.cookies[NAME]}", None)
    assert [list(message) for message in heard] == [["type"], ["type", "text"]]
    assert heard[1]["text"] == "written"
    seen = visitor.twin()
    seen.app = site.visitor(lambda session, _path: session.get("late", "lost")).app
    assert seen.get("/").body == b"yes"


@over_asgi
def test_item_51_a_websocket_of_another_site_is_refused(visit: Visit, place: Place) -> None:
    site = visit(place)
    cookie = ("Cookie", f"{NAME}={site.writer().cookies[NAME]}")
    before = site.rows()
    app = asgi.SessionMiddleware(asgi.CsrfMiddleware(echo), site.sessions)
    told: list[dict[str, Any]] = [
        {"type": "websocket.connect"},
        {"type": "websocket.disconnect", "code": 1001},
    ]
    for origin in ("https://evil.example", "https://x.shop.example", "http://shop.example", "null"):
        fields = scope(kind="websocket", headers=[HOST, cookie, ("Origin", origin)])
        assert asyncio.run(talk(app, fields, told)) == [{"type": "websocket.close", "code": 1008}]
    assert site.rows() == before
    fields = scope(kind="websocket", headers=[HOST, cookie, ("Origin", ORIGIN)])
    assert asyncio.run(talk(app, fields, told))[0] == {"type": "websocket.accept"}
