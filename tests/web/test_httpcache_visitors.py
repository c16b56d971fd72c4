"""The response cache between visitors: nothing of one ever reaches another."""

from collections.abc import Callable
from typing import Any

import pytest
from cached_site import Face, Heard, Said, Site

from holdfast import Cache, Sessions
from holdfast.errors import ConfigError
from holdfast.store.memory import MemoryStore
from holdfast.testing.calls import Visitor, call_asgi, call_wsgi, environ, scope
from holdfast.testing.clock import ManualClock
from holdfast.web import asgi, wsgi
from holdfast.web.httpcache import CacheMiddleware
from holdfast.web.httpcache.page import load
from holdfast.web.request import Request

FACES: tuple[Face, ...] = ("wsgi", "asgi")
FRESH = ("Cache-Control", "max-age=60")


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Face:
    return request.param  # type: ignore[no-any-return]


def kept(here: Site, **headers: str) -> bool:
    here.get(**headers)
    before = here.calls
    here.get(**headers)
    return here.calls == before


def test_a_response_that_sets_a_cookie_is_never_stored(face: Face) -> None:
    for name in ("Set-Cookie", "set-cookie", "Set-Cookie2"):
        said = Said(headers=[("Cache-Control", "public, max-age=60"), (name, "sid=secret")])
        here = Site(face, says=said)
        assert not kept(here)
        assert here.get().all(name) == ["sid=secret"]
    said.headers = [FRESH, ("Set-Cookie", "sid=secret")]
    assert not kept(Site(face, says=said, options={"private": lambda _: "ada"}))


AUTHORIZED = {
    "max-age=60": False,
    "public, max-age=60": True,
    "s-maxage=60": True,
    "max-age=60, must-revalidate": True,
    "max-age=60, proxy-revalidate": False,
}


@pytest.mark.parametrize("said", AUTHORIZED)
def test_an_answer_to_authorization_is_stored_only_if_it_says_so(face: Face, said: str) -> None:
    here = Site(face, says=Said(headers=[("Cache-Control", said)]))
    assert kept(here, authorization="Bearer ada") is AUTHORIZED[said]


@pytest.mark.parametrize("vary", ["Cookie", "cookie", "Accept, COOKIE", "Authorization"])
def test_what_varies_by_who_asks_is_not_stored(face: Face, vary: str) -> None:
    here = Site(face, says=Said(headers=[("Cache-Control", "public, max-age=60"), ("Vary", vary)]))
    assert not kept(here)
    assert "detail=vary-cookie" in here.get("/other").all("cache-status")[0]


def test_a_page_of_one_is_kept_for_him_alone_where_that_is_asked_for(face: Face) -> None:
    def owner(request: Request) -> str | None:
        return request.header("x-user")

    def view(heard: Heard) -> Said:
        said = [("Cache-Control", "private, max-age=60"), ("Vary", "Cookie")]
        return Said(heard.headers.get("x-user", "nobody").encode(), said)

    here = Site(face, view=view, options={"private": owner})
    bodies = [here.get(x_user=name, cookie="a=1").body for name in ("ada", "bob", "ada", "bob")]
    assert bodies == [b"ada", b"bob", b"ada", b"bob"]
    assert here.calls == 2
    assert here.get(x_user="ada", cookie="a=2").body == b"ada"
    assert here.calls == 2
    assert not kept(here)  # nobody's page follows the rules for all
    here.middleware.purge("/")
    here.get(x_user="ada")
    assert here.calls == 5


# Sessions of ours, outside and inside

NEVER, READ, WROTE, LATE = "/never", "/read", "/wrote", "/late"


def session_of(fields: Any) -> Any:
    return fields.get("holdfast.session") or fields["session"]


def wsgi_shop(fields: dict[str, Any], start: Callable[..., Any]) -> Any:
    session, path = fields["holdfast.session"], fields["PATH_INFO"]
    if path == READ:
        session.get("name")
    if path == WROTE:
        session["name"] = "ada"
    start("200 OK", [FRESH])
    return late(session) if path == LATE else [b"page"]


def late(session: Any) -> Any:
    yield b"pa"
    yield f"ge{session.get('name')}".encode()


async def asgi_shop(fields: Any, _receive: Any, send: Any) -> None:
    session, path = fields["session"], fields["path"]
    if path == READ:
        session.get("name")
    if path == WROTE:
        session["name"] = "ada"
    pairs = [(b"cache-control", b"max-age=60")]
    await send({"type": "http.response.start", "status": 200, "headers": pairs})
    if path == LATE:
        await send({"type": "http.response.body", "body": b"pa", "more_body": True})
        last = f"ge{session.get('name')}".encode()
        await send({"type": "http.response.body", "body": last})
    else:
        await send({"type": "http.response.body", "body": b"page"})


class Counted:
    """An application that counts its calls, with its middlewares in the order asked for."""

    def __init__(self, face: Face, order: str, **options: Any) -> None:
        self.calls = 0
        sessions = Sessions(MemoryStore("shop"))
        inside: Any = self.wsgi if face == "wsgi" else self.asgi
        kind = wsgi.SessionMiddleware if face == "wsgi" else asgi.SessionMiddleware
        cache = Cache(clock=ManualClock())
        if order == "session outside":
            self.app: Any = kind(CacheMiddleware(inside, cache, **options), sessions)
        else:
            self.app = CacheMiddleware(_Plain(face, kind(inside, sessions)).app, cache, **options)

    def wsgi(self, fields: Any, start: Any) -> Any:
        self.calls += 1
        return wsgi_shop(fields, start)

    async def asgi(self, fields: Any, receive: Any, send: Any) -> None:
        self.calls += 1
        await asgi_shop(fields, receive, send)


class _Plain:
    """Somebody's middleware in between, which copies what it hands on and shows nothing."""

    def __init__(self, face: Face, app: Any) -> None:
        self.inner = app
        self.app: Any = self.wsgi if face == "wsgi" else self.asgi

    def wsgi(self, fields: Any, start: Any) -> Any:
        return self.inner(dict(fields), start)

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        await self.inner(dict(scope), receive, send)


@pytest.mark.parametrize("order", ["session outside", "session inside"])
def test_a_page_whose_request_touched_its_session_is_not_stored(face: Face, order: str) -> None:
    here = Counted(face, order)
    calls = {}
    for path in (NEVER, READ, WROTE, LATE):
        before = here.calls
        for _ in range(3):
            Visitor(here.app, face).get(path)
        calls[path] = here.calls - before
    assert calls == {NEVER: 1, READ: 3, WROTE: 3, LATE: 3}


@pytest.mark.parametrize("order", ["session outside", "session inside"])
def test_a_stored_page_leaves_the_visitors_session_alone(face: Face, order: str) -> None:
    here = Counted(face, order)
    ada = Visitor(here.app, face)
    ada.get(WROTE)
    assert len(ada.cookies) == 1
    ada.get(NEVER)
    bob = Visitor(here.app, face)
    answer = bob.get(NEVER)
    assert answer.all("set-cookie") == []
    assert answer.all("age") == ["0"]
    assert bob.cookies == {}
    assert ada.get(NEVER).body == b"page"


def test_pages_of_those_who_are_signed_in_are_kept_by_user() -> None:
    calls: list[object] = []

    def app(fields: Any, start: Any) -> Any:
        user = fields["holdfast.session"].user
        calls.append(user)
        start("200 OK", [FRESH])
        return [f"hello {user}".encode()]

    def owner(request: Request) -> str | None:
        user = request.session.user
        return None if user is None else str(user)

    sessions = Sessions(MemoryStore("shop"))
    cached = CacheMiddleware(app, Cache(), private=owner)
    shop = wsgi.SessionMiddleware(cached, sessions)
    visitors = []
    for name in ("ada", "bob"):
        session = sessions.load(None)
        session.login(name)
        visitor = Visitor(shop, "wsgi")
        visitor.cookies["__Host-sid"] = sessions.commit(session).token or ""
        visitors.append(visitor)
    pages = [visitor.get().body for visitor in visitors * 2]
    assert pages == [b"hello ada", b"hello bob"] * 2
    assert calls == ["ada", "bob"]
    assert [Visitor(shop, "wsgi").get().body for _ in range(2)] == [b"hello None"] * 2
    assert len(calls) == 4


# What an attacker may send


def test_a_name_cannot_be_made_to_look_like_another(face: Face) -> None:
    here = Site(face, view=lambda heard: Said(f"{heard.path} {heard.query}".encode()))
    evil = [("/a", "shop.example"), ("/a?b", "shop.example"), ("/a", "shop.example/a?")]
    pages = {here.get(path, host=host).body for path, host in evil}
    assert here.calls == 3
    assert len(pages) == 2  # the second host has the first path
    here.get("/a\x00", host="shop.example")
    assert here.calls == 4


def test_a_get_with_a_body_is_neither_stored_nor_served() -> None:
    here = Site("wsgi")
    for fields in ({"CONTENT_LENGTH": "3"}, {"HTTP_TRANSFER_ENCODING": "chunked"}):
        call_wsgi(here.app, {**environ(), **fields})
    call_wsgi(here.app, {**environ(), "CONTENT_LENGTH": ""})
    call_wsgi(here.app, {**environ(), "CONTENT_LENGTH": "0"})
    call_wsgi(here.app, {**environ(), "CONTENT_LENGTH": "3"})
    assert here.calls == 4
    here = Site("asgi")
    for length in ("3", "0", "3"):
        call_asgi(here.app, scope(headers=[("Content-Length", length)]))
    call_asgi(here.app, scope())
    assert here.calls == 3


def test_a_path_that_was_sent_otherwise_is_another_page() -> None:
    here = Site("asgi", view=lambda heard: Said(heard.fields["raw_path"]))

    def get(raw: bytes) -> bytes:
        return call_asgi(here.app, {**scope("/a/b"), "raw_path": raw}).body

    assert [get(b"/a%2Fb"), get(b"/a/b"), get(b"/a%2Fb")] == [b"/a%2Fb", b"/a/b", b"/a%2Fb"]
    here.middleware.purge("/a/b")
    get(b"/a%2Fb")
    get(b"/a/b")
    assert here.calls == 4


def test_scheme_counts(face: Face) -> None:
    here = Site(face)
    for scheme in ("http", "https", "http"):
        if face == "wsgi":
            call_wsgi(here.app, {**environ(), "wsgi.url_scheme": scheme})
        else:
            call_asgi(here.app, {**scope(), "scheme": scheme})
    assert here.calls == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"cache_control": "max-age=" + "9" * 5000},
        {"cache_control": '"' * 999},
        {"cache_control": "=,;=" * 99},
        {"range": "bytes=" + "9" * 5000 + "-"},
        {"range": "bytes=--1"},
        {"if_none_match": 'W/"' * 999},
        {"if_modified_since": "Thu, 99 Foo 99999 99:99:99 GMT"},
        {"if_range": '"'},
        {"accept": "\xff\xfe" * 99},
    ],
)
def test_no_request_header_breaks_it(face: Face, headers: dict[str, str]) -> None:
    said = [FRESH, ("Vary", "Accept"), ("Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT")]
    here = Site(face, says=Said(headers=said))
    here.get(**headers)
    assert here.get(**headers).status in (200, 206, 304, 416)


def test_hop_by_hop_headers_and_those_of_one_answer_are_not_stored(face: Face) -> None:
    named = ["Connection", "Keep-Alive", "X-Mine", "Transfer-Encoding", "Proxy-Authenticate", "Age"]
    said = [(name, "5") for name in named if name != "Connection"]
    here = Site(face, says=Said(headers=[FRESH, ("Connection", "close, X-Mine"), *said]))
    here.get()
    answer = here.get()
    assert here.calls == 1
    assert [answer.all(name) for name in named[:-1]] == [[]] * 5
    assert answer.all("age") == ["5"]


# The cache itself


def test_a_cache_that_is_off_or_broken_lets_everything_pass(face: Face) -> None:
    off = Site(face, cache=Cache(enabled=False))
    assert [off.get().body for _ in range(2)] == [b"page"] * 2
    assert off.calls == 2
    store = MemoryStore("gone")
    broken = Site(face, cache=Cache(store, near=False))
    store.close()
    assert [broken.get().body for _ in range(2)] == [b"page"] * 2
    assert broken.get(method="POST").status == 200
    assert broken.calls == 3


def test_pages_live_in_a_store_byte_for_byte(face: Face) -> None:
    clock = ManualClock()
    store = MemoryStore("pages")
    body = bytes(range(256))
    for number in range(2):  # another process, so to say, that has nothing near
        cache = Cache(store, clock=clock, near=False)
        here = Site(face, says=Said(body, [FRESH, ("X-Kind", "\xe4")]), cache=cache, clock=clock)
        assert here.get().body == body
        assert here.get().all("x-kind") == ["\xe4"]
        assert here.calls == (1 if number == 0 else 0)
    store.close()


def test_a_codec_that_knows_no_bytes_is_refused_at_once(face: Face) -> None:
    with Cache("memory://", codec="json") as cache, pytest.raises(ConfigError, match="msgpack"):
        Site(face, cache=cache)
    assert kept(Site(face, cache=Cache(codec="json")))  # without a store nothing is written


def test_what_else_lies_under_a_pages_key_is_no_page() -> None:
    good: list[Any] = [1, "200 OK", [["a", "b"]], b"", 1.0, 0.0, 60.0, False]
    assert load(good) is not None
    wrongs: list[Any] = [2, 200, "a", "text", "now", None, [], 0]
    for at, wrong in enumerate(wrongs):
        assert load([*good[:at], wrong, *good[at + 1 :]]) is None
    values: list[Any] = [None, 1, "text", [], {}, good[:-1], [*good, 1]]
    for value in values:
        assert load(value) is None
