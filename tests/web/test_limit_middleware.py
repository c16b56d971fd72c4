"""Rate limits around applications, over both faces, outside and inside the session middleware."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from holdfast import Limiter, Sessions
from holdfast.errors import ConfigError
from holdfast.store.memory import MemoryStore
from holdfast.testing.calls import Face, Visitor, call_wsgi, environ, one_view, scope, talk
from holdfast.testing.clock import ManualClock
from holdfast.web import asgi, wsgi
from holdfast.web.keys import Key, by_address, by_header, by_session, by_user

FIGURES = ["ratelimit", "ratelimit-policy", "x-ratelimit-limit", "x-ratelimit-remaining"]


def view(session: Any, path: str) -> object:
    if path == "/write":
        session.increment("visits")
    return str(session.get("visits", 0)) if path != "/untouched" else "untouched"


class Site:
    """An application with sessions and limits in one store."""

    def __init__(self, face: Face) -> None:
        self.face = face
        self.clock = ManualClock()
        self.store = MemoryStore("site")
        self.events: list[str] = []
        self.sessions = Sessions(self.store, observer=lambda event, _: self.events.append(event))
        self.limiter = Limiter(MemoryStore("limits"), clock=self.clock)

    def bare(self) -> Any:
        return one_view(view, self.face)

    def with_sessions(self, app: Any) -> Any:
        kind = wsgi if self.face == "wsgi" else asgi
        return kind.SessionMiddleware(app, self.sessions)

    def limited(self, app: Any, rates: str = "2/minute", **options: Any) -> Any:
        kind = wsgi if self.face == "wsgi" else asgi
        return kind.LimitMiddleware(app, self.limiter, rates, **options)

    def visitor(self, app: Any) -> Visitor:
        return Visitor(app, self.face)


@pytest.fixture(params=["wsgi", "asgi"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    return Site(request.param)  # type: ignore[return-value]


def statuses(visitor: Visitor, times: int, **options: Any) -> list[int]:
    return [visitor.get(**options).status for _ in range(times)]


def test_whoever_hits_too_often_is_told_when_to_come_again(site: Site) -> None:
    visitor = site.visitor(site.limited(site.with_sessions(site.bare())))
    first = visitor.get()
    assert [first.all(name) for name in FIGURES] == [
        ['"2/60s";r=1;t=30'],
        ['"2/60s";q=2;w=60'],
        ["2"],
        ["1"],
    ]
    assert visitor.get().status == 200
    refused = visitor.get()
    assert refused.status == 429
    assert refused.all("retry-after") == ["30"] or refused.all("retry-after") == ["31"]
    assert refused.all("content-type") == ["application/problem+json"]
    assert refused.all("x-ratelimit-remaining") == ["0"]
    assert json.loads(refused.body)["violated-policies"] == ["2/60s"]
    site.clock.advance(31)
    assert statuses(visitor, 2) == [200, 429]


def test_a_denied_head_has_no_body(site: Site) -> None:
    visitor = site.visitor(site.limited(site.with_sessions(site.bare()), "1/minute"))
    visitor.get()
    refused = visitor.get(method="HEAD")
    assert (refused.status, refused.body) == (429, b"")


@pytest.mark.parametrize("outside", [True, False])
def test_sessions_are_counted_inside_and_outside_their_middleware(
    site: Site, outside: object
) -> None:
    if outside:
        app = site.limited(site.with_sessions(site.bare()), key=by_session)
    else:
        app = site.with_sessions(site.limited(site.bare(), key=by_session))
    ada, bob = site.visitor(app), site.visitor(app)
    assert [ada.get("/write").status, bob.get("/write").status] == [200, 200]  # by address: new
    assert statuses(ada, 3) == [200, 200, 429]
    assert statuses(bob, 3) == [200, 200, 429]
    assert statuses(site.visitor(app), 1) == [429]  # dropping the cookie is no way out
    assert statuses(site.visitor(app), 1, cookie=f"__Host-sid={'a' * 42}A") == [429]
    answer = ada.get("/untouched")
    assert answer.all("set-cookie") == []


@pytest.mark.parametrize("key", [by_session, by_user])
def test_a_session_is_loaded_once_for_limit_and_application(
    site: Site, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = site.visitor(site.limited(site.with_sessions(site.bare()), "9/minute", key=key))
    visitor.get("/write")
    reads: list[str] = []
    get = site.store.get

    def counted(key: str) -> bytes | None:
        reads.append(key)
        return get(key)

    monkeypatch.setattr(site.store, "get", counted)
    assert visitor.get("/write").body == b"2"
    assert len(reads) == 1
    assert visitor.get("/untouched").all("vary") == ["Cookie"]  # the decision depended on it


def test_a_limit_by_address_loads_no_session_for_who_is_refused(site: Site) -> None:
    app = site.limited(site.with_sessions(site.bare()), "1/minute", key=by_address())
    visitor = site.visitor(app)
    visitor.get("/write")
    site.store.close()
    assert visitor.get().status == 429


def test_a_limit_by_session_is_a_503_while_the_store_is_down(site: Site) -> None:
    visitor = site.visitor(site.limited(site.with_sessions(site.bare()), key=by_session))
    visitor.get("/write")
    site.store.close()
    answer = visitor.get()
    assert (answer.status, answer.all("set-cookie")) == (503, [])
    assert visitor.get(method="HEAD").body == b""


@pytest.mark.parametrize("outside", [True, False])
def test_the_observer_hears_of_a_store_that_a_limit_could_not_ask(
    site: Site, outside: object
) -> None:
    if outside:
        app = site.limited(site.with_sessions(site.bare()), key=by_session)
    else:
        app = site.with_sessions(site.limited(site.bare(), key=by_session))
    visitor = site.visitor(app)
    visitor.get("/write")
    site.events.clear()
    site.store.close()
    assert visitor.get().status == 503
    assert site.events == ["session.store_down"]


def test_without_a_session_middleware_the_mistake_is_named(site: Site) -> None:
    with pytest.raises(ConfigError, match="SessionMiddleware"):
        site.visitor(site.limited(site.bare(), key=by_session)).get()


def test_a_wrong_rate_is_refused_at_start(site: Site) -> None:
    with pytest.raises(ConfigError):
        site.limited(site.bare(), "often")


def test_none_is_not_limited(site: Site) -> None:
    app = site.limited(site.with_sessions(site.bare()), "1/minute", key=lambda _: None)
    answer = site.visitor(app).get()
    assert answer.all("ratelimit") == []
    assert statuses(site.visitor(app), 3) == [200, 200, 200]


def test_names_have_buckets_of_their_own(site: Site) -> None:
    inner = site.with_sessions(site.bare())
    pages = site.visitor(site.limited(inner, "1/minute", name="pages"))
    search = site.visitor(site.limited(inner, "1/minute", name="search"))
    same = site.visitor(site.limited(inner, "1/minute", name="search"))
    assert [pages.get().status, search.get().status, same.get().status] == [200, 200, 429]


def test_two_limits_show_both_and_the_tighter_one_counts(site: Site) -> None:
    inside = site.limited(site.with_sessions(site.bare()), "2/minute")
    answer = site.visitor(site.limited(inside, "100/hour")).get()
    assert len(answer.all("ratelimit")) == 2
    assert answer.all("x-ratelimit-remaining") == ["1"]


def test_a_key_by_header(site: Site) -> None:
    app = site.limited(site.with_sessions(site.bare()), "1/minute", key=by_header("X-Api-Key"))
    visitor = site.visitor(app)
    assert statuses(visitor, 2, headers=[("X-Api-Key", "a")]) == [200, 429]
    assert statuses(visitor, 2, headers=[("X-Api-Key", "b")]) == [200, 429]


@pytest.mark.parametrize(("on_error", "status"), [("allow", 200), ("deny", 503)])
def test_a_limit_store_that_is_down_decides_as_told(site: Site, on_error: Any, status: int) -> None:
    store = MemoryStore("gone")
    site.limiter = Limiter(store, on_error=on_error)
    store.close()
    answer = site.visitor(site.limited(site.with_sessions(site.bare()))).get()
    assert answer.status == status
    assert answer.all("ratelimit") == []


def test_exc_info_reaches_the_server() -> None:
    seen: list[object] = []
    site = Site("wsgi")

    def app(_environ: dict[str, Any], start: Any) -> list[bytes]:
        start("500 Oops", [], (ValueError, ValueError(), None))
        return []

    def start_response(_status: str, _headers: object, exc_info: object = None) -> None:
        seen.append(exc_info)

    site.limited(app)(environ(), start_response)
    assert isinstance(seen[0], tuple)


def test_a_body_goes_through_as_it_is() -> None:
    body = [b"x"]
    site = Site("wsgi")

    def app(_environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [])
        return body

    assert site.limited(app)(environ(), lambda *_: None) is body
    assert call_wsgi(site.limited(app), environ()).body == b"x"


async def chat(_fields: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})


def test_a_websocket_is_refused_before_it_is_accepted() -> None:
    app = Site("asgi").limited(chat, "1/minute")

    def connect(**extra: Any) -> list[dict[str, Any]]:
        fields = scope(kind="websocket") | extra
        return asyncio.run(talk(app, fields, [{"type": "websocket.connect"}]))

    assert connect() == [{"type": "websocket.accept"}]
    assert connect() == [{"type": "websocket.close", "code": 1008}]
    start, body = connect(extensions={"websocket.http.response": {}})
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 429)
    assert json.loads(body["body"])["status"] == 429


def test_lifespan_is_not_counted() -> None:
    seen: list[Any] = []

    async def app(fields: Any, _receive: Any, _send: Any) -> None:
        seen.append(fields)

    limited = Site("asgi").limited(app, "1/minute")
    for _ in range(3):
        asyncio.run(talk(limited, {"type": "lifespan"}))
    assert len(seen) == 3
