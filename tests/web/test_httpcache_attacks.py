"""The response cache under attack: poisoned keys, costly headers, crowds, late changes."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cached_site import Face, Heard, Said, Site

from holdfast import Cache
from holdfast.errors import StoreTimeout
from holdfast.store.memory import MemoryStore
from holdfast.testing.calls import call_asgi, call_wsgi, environ, scope, talk
from holdfast.testing.clock import ManualClock
from holdfast.web.httpcache import CacheMiddleware
from holdfast.web.httpcache.fields import directives, matches, span, words

FACES: tuple[Face, ...] = ("wsgi", "asgi")
FRESH = [("Cache-Control", "max-age=60")]
WAIT = 20.0


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Face:
    return request.param  # type: ignore[no-any-return]


# What is in no key


def test_an_ignored_parameter_does_not_reach_the_page_of_all(face: Face) -> None:
    here = Site(
        face,
        view=lambda heard: Said(heard.query.encode()),
        options={"ignore_query": ["utm_*"]},
    )
    assert here.get("/?a=1&utm_source=<script>").body == b"a=1"
    assert here.get("/?a=1").body == b"a=1"
    assert here.calls == 1
    here.get("/?a=1&utm_source=x", method="POST")
    assert here.heard[1].query == "a=1&utm_source=x"  # what is nobody else's page gets all


def test_a_semicolon_hides_no_parameter(face: Face) -> None:
    here = Site(face, options={"ignore_query": ["utm_*"]})
    here.get("/?utm_source=x;evil=1")
    here.get("/")
    assert here.calls == 2
    assert here.heard[0].query == "utm_source=x;evil=1"


@pytest.mark.parametrize("name", ["Accept-Language", "Accept"])
def test_the_order_of_what_is_preferred_counts(face: Face, name: str) -> None:
    def view(heard: Heard) -> Said:
        first = heard.headers[name.lower()].split(",")[0].strip()
        return Said(first.encode(), [*FRESH, ("Vary", name)])

    here = Site(face, view=view)
    key = name.replace("-", "_").lower()
    assert here.get(**{key: "de, en"}).body == b"de"
    assert here.get(**{key: "en, de"}).body == b"en"
    assert here.get(**{key: "de,en"}).body == b"de"
    assert here.calls == 2


def test_a_page_may_vary_by_the_type_of_what_the_request_carries() -> None:
    def app(fields: Any, start: Any) -> list[bytes]:
        start("200 OK", [*FRESH, ("Vary", "Content-Type")])
        return [fields.get("CONTENT_TYPE", "").encode()]

    middleware = CacheMiddleware(app, Cache())
    evil = {**environ(), "CONTENT_TYPE": "evil"}
    assert [call_wsgi(middleware, fields).body for fields in (evil, environ())] == [b"evil", b""]


def test_applications_below_different_roots_share_no_page() -> None:
    async def app(fields: Any, _receive: Any, send: Any) -> None:
        pairs = [(b"cache-control", b"max-age=60")]
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": fields["root_path"].encode()})

    middleware = CacheMiddleware(app, Cache())
    roots = ["/a", "/b"]
    bodies = [call_asgi(middleware, {**scope("/x"), "root_path": root}).body for root in roots]
    assert bodies == [b"/a", b"/b"]


def test_a_body_that_no_header_announced_makes_no_page_for_others() -> None:
    """HTTP/2 needs neither Content-Length nor Transfer-Encoding."""

    async def app(_fields: Any, receive: Any, send: Any) -> None:
        message = await receive()
        pairs = [(b"cache-control", b"max-age=60")]
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": message["body"] or b"page"})

    async def ask(body: bytes) -> bytes:
        sent = await talk(middleware, scope(), [{"type": "http.request", "body": body}])
        return b"".join(message.get("body", b"") for message in sent)

    clock = ManualClock()
    middleware = CacheMiddleware(app, Cache(clock=clock), clock=clock)
    assert asyncio.run(ask(b"evil")) == b"evil"
    clock.advance(11)  # its requests wait for each other again
    assert [asyncio.run(ask(body)) for body in (b"", b"evil")] == [b"page"] * 2


def test_a_buffer_that_is_used_again_does_not_change_a_stored_page() -> None:
    buffer = bytearray(b"good")

    async def app(_fields: Any, _receive: Any, send: Any) -> None:
        pairs = [(b"cache-control", b"max-age=60")]
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": buffer})

    middleware = CacheMiddleware(app, Cache())
    call_asgi(middleware, scope())
    buffer[:] = b"evil"
    answer = call_asgi(middleware, scope())
    assert (answer.body, answer.all("age")) == (b"good", ["0"])


# What one request brings about


@pytest.mark.parametrize("status", [400, 401, 407, 408, 413, 417, 421, 425, 429, 431])
def test_an_error_that_is_the_fault_of_one_request_is_not_stored(face: Face, status: int) -> None:
    def view(heard: Heard) -> Said:
        return Said(b"oops", status=status) if "x-evil" in heard.headers else Said()

    here = Site(face, view=view)
    assert here.get(x_evil="1").status == status
    assert here.get().body == b"page"


@pytest.mark.parametrize("header", ["authorization", "cookie"])
def test_who_signs_in_does_not_keep_the_page_of_the_others_from_being_stored(
    face: Face, header: str
) -> None:
    def view(heard: Heard) -> Said:
        return Said(headers=[("Cache-Control", "private")]) if header in heard.headers else Said()

    here = Site(face, view=view)
    here.get(**{header: "ada=1"})
    here.get()
    assert here.get().all("age") == ["0"]
    assert here.calls == 2


def test_a_request_that_is_refused_keeps_a_page_from_being_stored_for_a_second_only(
    face: Face,
) -> None:
    def view(heard: Heard) -> Said:
        return Said(b"", [], 406) if heard.headers.get("accept") == "none/" else Said()

    here = Site(face, view=view)
    here.get(accept="none/")
    here.clock.advance(1.1)
    here.get()
    assert here.get().all("age") == ["0"]


def test_who_leaves_in_the_middle_of_a_stream_does_not_keep_it_from_being_stored() -> None:
    here = Site("wsgi", says=Said([b"a", b"b"]))
    body = here.app(environ(), lambda *_: lambda _: None)
    assert next(iter(body)) == b"a"
    body.close()
    call_wsgi(here.app, environ())
    assert call_wsgi(here.app, environ()).all("age") == ["0"]

    here = Site("asgi", says=Said([b"a", b"b"]))

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        if message.get("body") == b"b":
            raise OSError("the client has gone")

    with pytest.raises(OSError, match="gone"):
        asyncio.run(here.app(scope(), receive, send))
    call_asgi(here.app, scope())
    assert call_asgi(here.app, scope()).all("age") == ["0"]


def test_a_part_that_is_not_there_is_no_page_for_caches_on_the_way(face: Face) -> None:
    later = ("Expires", "Sun, 06 Nov 2094 08:49:37 GMT")
    here = Site(face, says=Said(headers=[*FRESH, later]))
    here.get()
    answer = here.get(range="bytes=9-")
    assert (answer.status, answer.all("cache-control")) == (416, ["no-store"])
    assert answer.all("expires") == []


def test_a_304_about_another_page_leaves_the_headers_of_ours(face: Face) -> None:
    def view(heard: Heard) -> Said:
        if "if-none-match" in heard.headers:
            return Said(b"", [*FRESH, ("ETag", '"v2"'), ("X-Of", "v2")], 304)
        return Said(b"page", [*FRESH, ("ETag", '"v1"')])

    here = Site(face, view=view)
    here.get()
    here.clock.advance(61)
    answer = here.get()
    assert (answer.body, answer.all("etag"), answer.all("x-of")) == (b"page", ['"v1"'], [])


def test_a_session_that_does_not_say_so_counts_as_looked_at_if_it_holds_something(
    face: Face,
) -> None:
    here = Site(face)
    for session in ({"user": "ada"}, {}, {}):
        here.clock.advance(11)  # its requests wait for each other again
        if face == "wsgi":
            call_wsgi(here.app, {**environ(), "session": session})
        else:
            call_asgi(here.app, {**scope(), "session": session})
    assert here.calls == 2


@pytest.mark.parametrize(
    "line",
    [
        " " * 60_000 + "x",
        "a" + " " * 60_000 + "x",
        "a=" + " " * 60_000 + '"',
        'a="\\,' * 12_000,
        '"' * 60_001,
        "\t," * 30_000,
    ],
)
def test_no_header_costs_much(line: str) -> None:
    began = time.process_time()
    directives(line)
    words(line)
    matches(line, '"v1"')
    span(f"bytes={line}", 10)
    assert time.process_time() - began < 5


# Crowds


def test_who_gave_up_waiting_waits_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that takes longer than the patience of a crowd is not made by each of the crowd."""
    monkeypatch.setattr("holdfast.web.httpcache.engine._PATIENCE", 0.5)
    calls: list[float] = []
    guard = threading.Lock()

    def app(_fields: Any, start: Callable[..., Any]) -> list[bytes]:
        with guard:
            calls.append(time.monotonic())
        time.sleep(0.8)
        start("200 OK", FRESH)
        return [b"page"]

    middleware = CacheMiddleware(app, Cache())
    threads = [threading.Thread(target=call_wsgi, args=(middleware, environ())) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert len(calls) <= 8  # each of the 16, were a flight forgotten that came after


@pytest.mark.parametrize("vary", ["", "Accept"])
def test_a_crowd_is_two_calls_at_most_while_the_store_is_down(vary: str) -> None:
    calls: list[int] = []

    async def app(_fields: Any, _receive: Any, send: Any) -> None:
        calls.append(1)
        await asyncio.sleep(0.1)
        pairs = [(b"cache-control", b"max-age=60"), (b"vary", vary.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": b"page"})

    async def meet() -> None:
        await asyncio.gather(*(talk(middleware, scope()) for _ in range(20)))

    store = MemoryStore("shop")
    with Cache(store) as cache:
        store.close()
        middleware = CacheMiddleware(app, cache)
        asyncio.run(meet())
    assert len(calls) <= 2  # the second, where what it varies by was not known before


class Hanging(MemoryStore):
    """A store of which no answer comes."""

    def __init__(self) -> None:
        super().__init__("hanging")
        self.asked = 0

    def _no_answer(self, *_: object) -> Any:
        self.asked += 1
        raise StoreTimeout("hanging")

    def ping(self) -> None:
        raise StoreTimeout("hanging")

    get = get_many = put = put_many = delete = delete_many = swap = _no_answer  # type: ignore[assignment]


def test_requests_wait_for_three_deadlines_in_all_while_the_store_is_down(face: Face) -> None:
    store = Hanging()
    with Cache(store) as cache:
        here = Site(face, cache=cache)
        for number in range(10):
            assert here.get(f"/{number}").body == b"page"
            assert here.get(f"/{number}", method="POST").status == 200
    assert store.asked == 3


# Changes that come after the response has started


def _late(kind: str, state: list[str], peek: Callable[[], object]) -> Any:
    """Return a WSGI application whose POST starts its response, then changes something."""

    def work() -> None:
        peek()  # another visitor asks in between
        state[0] = "new"

    def stream(start: Any) -> Iterator[bytes]:
        start("200 OK", [])
        work()
        yield b"done"

    def app(fields: Any, start: Any) -> Any:
        if fields["REQUEST_METHOD"] == "GET":
            start("200 OK", FRESH)
            return [state[0].encode()]
        if kind == "stream":
            return stream(start)
        start("200 OK", [])
        work()
        return [b"done"]

    return app


@pytest.mark.parametrize("kind", ["list", "stream"])
def test_what_wsgi_changes_after_its_start_is_forgotten(kind: str) -> None:
    state = ["old"]
    middleware: Any = None
    app = _late(kind, state, lambda: call_wsgi(middleware, environ()))
    middleware = CacheMiddleware(app, Cache())
    assert call_wsgi(middleware, environ(method="POST")).body == b"done"
    assert call_wsgi(middleware, environ()).body == b"new"


def test_what_asgi_changes_after_its_answer_is_forgotten() -> None:
    state = ["old"]

    async def app(fields: Any, _receive: Any, send: Any) -> None:
        pairs = [(b"cache-control", b"max-age=60")]
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": state[0].encode()})
        if fields["method"] == "POST":  # as a background task of Starlette does
            await talk(middleware, scope())
            state[0] = "new"

    middleware: Any = CacheMiddleware(app, Cache())
    call_asgi(middleware, scope(method="POST"))
    assert call_asgi(middleware, scope()).body == b"new"


def test_the_tags_of_a_purge_are_forgotten_though_its_paths_could_not_be() -> None:
    store = MemoryStore("shop")
    clock = ManualClock()
    with Cache(store, clock=clock) as cache:
        here = Site("wsgi", clock=clock, cache=cache)
        here.says = Said(headers=[*FRESH, ("Cache-Tag", "a")])
        here.get("/tagged")
        down = type(store).delete_many
        try:
            type(store).delete_many = _fails  # type: ignore[method-assign,assignment]
            with pytest.raises(OSError, match="down"):
                here.middleware.purge("/", tags=["a"])
        finally:
            type(store).delete_many = down  # type: ignore[method-assign]
        before = here.calls
        here.get("/tagged")
        assert here.calls == before + 1
    store.close()


def _fails(*_: object) -> int:
    raise OSError("down")


# What Cache-Status says


def test_stored_is_said_only_of_what_can_be_found(face: Face) -> None:
    here = Site(face, says=Said(headers=[*FRESH, ("Age", "60")]))  # stale when it arrives
    assert here.get().all("cache-status") == ["holdfast; fwd=uri-miss; fwd-status=200"]
    assert here.get().all("age") == []
    store = MemoryStore("shop")
    with Cache(store, near=False) as cache:
        here = Site(face, cache=cache)
        assert "stored" in here.get().all("cache-status")[0]
        store.close()
        assert here.get().all("cache-status") == ["holdfast; fwd=uri-miss; fwd-status=200"]


def test_a_page_without_end_is_not_collected_in_the_background() -> None:
    endless = [False]
    made: list[int] = []

    def app(_fields: Any, start: Any) -> Iterator[bytes]:
        start("200 OK", [("Cache-Control", "max-age=60, stale-while-revalidate=600")])
        yield b"page"
        while endless[0]:
            made.append(1)
            yield b"x" * 100

    clock = ManualClock()
    cache = Cache(clock=clock)
    middleware = CacheMiddleware(app, cache, clock=clock, max_body=1000)
    call_wsgi(middleware, environ())
    endless[0] = True
    clock.advance(70)
    assert call_wsgi(middleware, environ()).body == b"page"
    end = time.monotonic() + WAIT
    while len(made) < 10:
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(0.05)
    assert len(made) == 10
    endless[0] = False
