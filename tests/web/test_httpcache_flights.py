"""The response cache where requests meet: one call for many, streams, stale pages, lost races."""

import asyncio
import io
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import httpx
import pytest
from cached_site import Face, Heard, Said, Site

from holdfast import Cache
from holdfast.clock import Clock, wall
from holdfast.testing.calls import call_asgi, call_wsgi, environ, scope, talk
from holdfast.testing.clock import ManualClock
from holdfast.web.httpcache import CacheMiddleware

pytestmark = pytest.mark.slow

FACES: tuple[Face, ...] = ("wsgi", "asgi")
FRESH = [("Cache-Control", "max-age=60")]
WAIT = 20.0
SLOW = 0.25


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Face:
    return request.param  # type: ignore[no-any-return]


def at_once(app: Callable[..., Any], crowd: int) -> list[bytes]:
    """Return what `crowd` threads get who ask for one page at once."""
    bodies: list[bytes] = []
    gate = threading.Barrier(crowd)

    def ask() -> None:
        gate.wait(WAIT)
        bodies.append(call_wsgi(app, environ()).body)

    threads = [threading.Thread(target=ask) for _ in range(crowd)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    return bodies


async def gathered(app: Callable[..., Awaitable[object]], crowd: int) -> list[bytes]:
    """Return what `crowd` tasks get who ask for one page at once."""

    async def ask() -> bytes:
        sent = await talk(app, scope())
        return b"".join(message.get("body", b"") for message in sent)

    return list(await asyncio.gather(*(ask() for _ in range(crowd))))


class Crowd:
    """Applications that are slow enough for a crowd to gather, and count their calls."""

    def __init__(self, headers: list[tuple[str, str]]) -> None:
        self.headers = headers
        self.calls = 0
        self.together = 0
        self.most = 0
        self._guard = threading.Lock()

    def __enter__(self) -> None:
        with self._guard:
            self.calls += 1
            self.together += 1
            self.most = max(self.most, self.together)

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self.together -= 1

    def wsgi(self, _environ: Any, start: Any) -> Iterable[bytes]:
        with self:
            time.sleep(SLOW)
        start("200 OK", self.headers)
        return [b"page"]

    async def asgi(self, _scope: Any, _receive: Any, send: Any) -> None:
        with self:
            await asyncio.sleep(SLOW)
        pairs = [(name.encode(), value.encode()) for name, value in self.headers]
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": b"page"})

    def visit(
        self, face: Face, crowd: int, cache: Cache | None = None, clock: Clock = wall
    ) -> list[bytes]:
        cache = cache or Cache()
        if face == "wsgi":
            return at_once(CacheMiddleware(self.wsgi, cache, clock=clock), crowd)
        return asyncio.run(gathered(CacheMiddleware(self.asgi, cache, clock=clock), crowd))


@pytest.mark.parametrize("store", [None, "memory://"])
def test_a_crowd_at_a_cold_page_is_one_call(face: Face, store: str | None) -> None:
    crowd = Crowd(FRESH)
    with Cache(store) as cache:
        assert crowd.visit(face, 20, cache) == [b"page"] * 20
    assert crowd.calls == 1


def test_a_crowd_at_a_page_that_varies_is_one_call(face: Face) -> None:
    crowd = Crowd([*FRESH, ("Vary", "Accept")])
    assert crowd.visit(face, 20) == [b"page"] * 20
    assert crowd.calls == 1


def test_a_crowd_at_a_stale_page_is_one_call(face: Face) -> None:
    clock = ManualClock()
    crowd = Crowd([*FRESH, ("ETag", '"v1"')])
    with Cache("memory://", clock=clock) as cache:
        crowd.visit(face, 1, cache, clock)
        clock.advance(61)
        assert crowd.visit(face, 20, cache, clock) == [b"page"] * 20
    assert crowd.calls == 2


def test_a_crowd_at_a_page_that_must_be_asked_about_does_not_queue(face: Face) -> None:
    crowd = Crowd([("Cache-Control", "no-cache, max-age=60"), ("ETag", '"v1"')])
    with Cache("memory://") as cache:
        crowd.visit(face, 1, cache)
        assert crowd.visit(face, 10, cache) == [b"page"] * 10
    assert crowd.calls == 11
    assert crowd.most > 2


@pytest.mark.parametrize("said", ["private", "no-store", "max-age=60, no-cache"])
def test_what_is_not_for_all_is_waited_for_once_and_then_made_side_by_side(
    face: Face, said: str
) -> None:
    crowd = Crowd([("Cache-Control", said)])
    assert crowd.visit(face, 10) == [b"page"] * 10
    assert crowd.calls == 10
    assert crowd.most > 2  # nine at once, not one after the other


@pytest.mark.slow
def test_two_processes_make_one_call(tmp_path: Any) -> None:
    """Two middlewares with a cache of their own over one store stand for two processes."""
    crowd = Crowd(FRESH)
    with Cache(f"sqlite:///{tmp_path}/c.db") as one, Cache(f"sqlite:///{tmp_path}/c.db") as two:
        apps = [CacheMiddleware(crowd.wsgi, cache) for cache in (one, two)]
        turn = iter(range(100))

        def app(fields: Any, start: Any) -> Any:
            return apps[next(turn) % 2](fields, start)

        assert at_once(app, 10) == [b"page"] * 10
    assert crowd.calls == 1


def test_a_crowd_at_a_failing_page_does_not_queue(face: Face) -> None:
    crowd = Crowd(FRESH)

    def broken(_environ: Any, _start: Any) -> Any:
        with crowd:
            time.sleep(SLOW)
        raise LookupError

    async def abroken(_scope: Any, _receive: Any, _send: Any) -> None:
        with crowd:
            await asyncio.sleep(SLOW)
        raise LookupError

    failures: list[object] = []

    def ask(app: Any) -> None:
        try:
            call_wsgi(app, environ())
        except LookupError as error:
            failures.append(error)

    async def meet() -> None:
        app = CacheMiddleware(abroken, Cache())
        asks = [talk(app, scope()) for _ in range(8)]
        failures.extend(await asyncio.gather(*asks, return_exceptions=True))

    if face == "wsgi":
        app = CacheMiddleware(broken, Cache())
        threads = [threading.Thread(target=ask, args=(app,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
    else:
        asyncio.run(meet())
    assert [type(error) for error in failures] == [LookupError] * 8
    assert crowd.most > 2


# Stale pages


def renewing(**directives: int) -> Callable[[Heard], Said]:
    said = ", ".join(f"{name.replace('_', '-')}={value}" for name, value in directives.items())
    number = iter(range(1, 100))

    def view(_heard: Heard) -> Said:
        return Said(str(next(number)).encode(), [("Cache-Control", f"max-age=60, {said}")])

    return view


def ask_until(ask: Callable[[], bytes], wanted: bytes) -> None:
    end = time.monotonic() + WAIT
    while ask() != wanted:
        assert time.monotonic() < end, f"never {wanted!r}"
        time.sleep(0.01)


def test_stale_while_revalidate_serves_and_renews_beside_wsgi() -> None:
    here = Site("wsgi", view=renewing(stale_while_revalidate=30))
    here.get()
    here.clock.advance(70)
    stale = here.get()
    assert (stale.body, stale.all("age")) == (b"1", ["70"])
    ask_until(lambda: here.get().body, b"2")
    assert here.calls == 2
    here.clock.advance(91)
    assert here.get().body == b"3"


def test_stale_while_revalidate_serves_and_renews_beside_asgi() -> None:
    here = Site("asgi", view=renewing(stale_while_revalidate=30))

    async def ask(method: str = "GET", **headers: str) -> bytes:
        sent = await talk(here.app, scope(method=method, headers=list(headers.items())))
        return b"".join(message.get("body", b"") for message in sent)

    async def meet() -> None:
        assert await ask() == b"1"
        here.clock.advance(70)
        assert await ask("HEAD") == b""
        assert await ask(range="bytes=0-0") in (b"1", b"2")
        for _ in range(1000):
            if await ask() == b"2":
                break
            await asyncio.sleep(0.01)
        assert await ask() == b"2"
        assert here.calls == 2
        assert here.heard[1].method == "GET"  # though a HEAD and a part set it off
        assert "range" not in here.heard[1].headers

    asyncio.run(meet())


def test_a_renewal_that_fails_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    here = Site("wsgi")
    here.says = Said(b"1", [("Cache-Control", "max-age=60, stale-while-revalidate=30")])
    here.get()
    here.clock.advance(70)
    here.says = Said(error=LookupError("no"))
    assert here.get().body == b"1"
    end = time.monotonic() + WAIT
    while "could not be made anew" not in caplog.text:
        assert time.monotonic() < end
        time.sleep(0.01)
    calls = here.calls
    assert [here.get().body for _ in range(3)] == [b"1"] * 3
    assert here.calls == calls  # the application is left in peace for a second
    here.clock.advance(2)
    here.says = Said(b"2")
    ask_until(lambda: here.get().body, b"2")


def test_a_failing_application_is_replaced_by_its_stale_page(
    face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    said = [("Cache-Control", "max-age=60, stale-if-error=600")]
    for trouble in (Said(b"oops", [], 503), Said(error=LookupError("no"))):
        here = Site(face, says=Said(b"good", said))
        here.get()
        here.clock.advance(70)
        here.says = trouble
        answers = [here.get() for _ in range(3)]
        assert [(answer.status, answer.body) for answer in answers] == [(200, b"good")] * 3
        assert "stale-if-error" in answers[0].all("cache-status")[0]
        assert answers[0].all("age") == ["70"]
        assert here.calls == 2  # the application is left in peace for a second
        here.clock.advance(2)
        assert here.get().body == b"good"
        assert here.calls == 3
        here.clock.advance(600)
        if trouble.error is None:
            assert here.get().status == 503
        else:
            with pytest.raises(LookupError):
                here.get()
    assert "LookupError" in caplog.text


@pytest.mark.parametrize("strict", ["must-revalidate", "proxy-revalidate", "no-cache"])
def test_what_must_be_revalidated_is_never_served_stale(face: Face, strict: str) -> None:
    said = f"max-age=60, stale-if-error=600, stale-while-revalidate=600, {strict}"
    here = Site(face, says=Said(b"good", [("Cache-Control", said), ("ETag", '"v1"')]))
    here.get()
    here.clock.advance(70)
    here.says = Said(b"oops", [], 500)
    assert here.get().status == 500


def test_an_error_that_says_nothing_of_a_404_is_not_replaced(face: Face) -> None:
    said = [("Cache-Control", "max-age=60, stale-if-error=600")]
    here = Site(face, says=Said(b"good", said))
    here.get()
    here.clock.advance(70)
    here.says = Said(b"gone", [], 404)
    assert here.get().status == 404


# Races with whoever changes something

CHANGES: dict[str, Callable[[Site], object]] = {
    "purge path": lambda here: here.middleware.purge("/"),
    "purge tag": lambda here: here.middleware.purge(tags=["a"]),
    "tag of the cache": lambda here: here.cache.invalidate_tags("a"),
    "clear": lambda here: here.middleware.clear(),
    "clear the cache": lambda here: here.cache.clear(),
    "post": lambda here: here.get(method="POST"),
}


@pytest.mark.parametrize("store", [None, "memory://"])
@pytest.mark.parametrize("vary", ["", "Accept"])
@pytest.mark.parametrize("is_warm", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_a_page_that_is_made_while_it_changes_is_not_kept(
    change: str, store: str | None, vary: str, is_warm: bool
) -> None:
    """The change comes while the application makes the page of the old state."""
    clock = ManualClock()
    state = ["old"]
    with Cache(store, clock=clock) as cache:
        here = Site("wsgi", clock=clock, cache=cache)

        def view(heard: Heard) -> Said:
            said = [("Cache-Control", "max-age=60"), ("Cache-Tag", "a")]
            body = state[0].encode()
            if heard.method == "GET" and state[0] == "old" and (not is_warm or here.calls > 2):
                state[0] = "new"
                CHANGES[change](here)
            return Said(body, [*said, ("Vary", vary)] if vary else said)

        here.view = view
        if is_warm:
            here.get()
            here.get()
            clock.advance(61)
        while here.get().body != b"old" or state[0] != "new":
            clock.advance(61)
        assert here.get().body == b"new"
        assert here.get().body == b"new"


# Streams


def test_a_stream_passes_as_it_comes_and_is_kept_at_its_end_wsgi() -> None:
    events: list[str] = []

    def app(_environ: Any, start: Any) -> Iterator[bytes]:
        start("200 OK", FRESH)
        for piece in (b"", b"a", b"b", b"c"):
            events.append(f"made {piece.decode()}")
            yield piece

    middleware = CacheMiddleware(app, Cache())
    body = middleware(environ(), lambda *_: lambda _: None)
    events.extend(f"sent {chunk.decode()}" for chunk in body)
    body.close()
    assert events == ["made ", "made a", "sent a", "made b", "sent b", "made c", "sent c"]
    assert call_wsgi(middleware, environ()).body == b"abc"
    assert len(events) == 7


def test_a_stream_passes_as_it_comes_and_is_kept_at_its_end_asgi() -> None:
    here = Site("asgi", says=Said([b"a", b"b"]))
    sent = asyncio.run(talk(here.app, scope()))
    assert [message.get("body") for message in sent[1:]] == [b"a", b"b", b""]
    assert [message["more_body"] for message in sent[1:]] == [True, True, False]
    assert call_asgi(here.app, scope()).body == b"ab"
    assert here.calls == 1


def test_a_stream_that_is_not_for_all_passes(face: Face) -> None:
    here = Site(face, says=Said([b"a", b"b"], [("Cache-Control", "private")]))
    assert [here.get().body for _ in range(2)] == [b"ab"] * 2
    assert here.calls == 2


@pytest.mark.parametrize("how", ["client leaves", "application raises"])
def test_a_stream_that_broke_off_is_not_kept_wsgi(how: str) -> None:
    closed: list[int] = []

    def app(_environ: Any, start: Any) -> Iterator[bytes]:
        start("200 OK", FRESH)
        try:
            yield b"a"
            if how != "client leaves":
                raise LookupError
            yield b"b"
        finally:
            closed.append(1)

    middleware = CacheMiddleware(app, Cache())
    for _ in range(2):
        body = middleware(environ(), lambda *_: lambda _: None)
        assert next(iter(body)) == b"a"
        if how != "client leaves":
            with pytest.raises(LookupError):
                next(iter(body))
        body.close()
        body.close()
    assert len(closed) == 2


class Breaking:
    """An ASGI application, and a client, of whom one breaks off in the middle of the body."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.calls = 0
        self.begun = asyncio.Event()

    async def app(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.calls += 1
        pairs = [(b"cache-control", b"max-age=60")]
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        if self.how == "application raises":
            raise LookupError
        if self.how == "no end":
            return
        if self.how == "cancelled":
            await asyncio.sleep(WAIT)
        await send({"type": "http.response.body", "body": b"b", "more_body": True})
        await send({"type": "http.response.body", "body": b"c"})

    async def receive(self) -> Any:
        return {"type": "http.request"}

    async def send(self, message: Any) -> None:
        if message.get("body") == b"a":
            self.begun.set()
        if self.how == "send fails" and message.get("body") == b"b":
            raise OSError


@pytest.mark.parametrize("how", ["cancelled", "send fails", "application raises", "no end"])
def test_a_stream_that_broke_off_is_not_kept_asgi(how: str) -> None:
    async def meet() -> None:
        breaking = Breaking(how)
        middleware = CacheMiddleware(breaking.app, Cache())
        for calls in (1, 2):
            breaking.begun.clear()
            steps = middleware(scope(), breaking.receive, breaking.send)
            task = asyncio.ensure_future(steps)
            await breaking.begun.wait()
            if how == "cancelled":
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert breaking.calls == calls

    asyncio.run(meet())


def test_who_waits_for_a_slow_stream_is_served_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client who reads nothing holds up nobody for longer than the patience of the others."""
    monkeypatch.setattr("holdfast.web.httpcache.engine._PATIENCE", 0.05)
    here = Site("wsgi", says=Said([b"a", b"b"]))
    hanging = here.app(environ("/"), lambda *_: lambda _: None)
    assert next(iter(hanging)) == b"a"
    assert here.get(host="test.example").body == b"ab"
    hanging.close()


def test_messages_that_are_no_body_pass_and_are_not_kept() -> None:
    async def app(fields: Any, _receive: Any, send: Any) -> None:
        pairs = [(b"cache-control", b"max-age=60")]
        if fields["path"] == "/hint":
            await send({"type": "http.response.early_hint", "links": [b"</a>"]})
        start = {"type": "http.response.start", "status": 200, "headers": pairs}
        if fields["path"] == "/trailers":
            start["trailers"] = True
        await send(start)
        if fields["path"] == "/file":
            await send({"type": "http.response.pathsend", "path": "/etc/hostname"})
            return
        await send({"type": "http.response.body", "body": b"a"})
        if fields["path"] == "/trailers":
            await send({"type": "http.response.trailers", "headers": []})

    middleware = CacheMiddleware(app, Cache())

    def kinds(path: str) -> list[str]:
        sent = asyncio.run(talk(middleware, scope(path)))
        return [message["type"].rpartition(".")[2] for message in sent]

    assert kinds("/hint") == ["early_hint", "start", "body"]
    assert kinds("/hint") == ["start", "body"]
    for _ in range(2):
        assert kinds("/file") == ["start", "pathsend"]
        assert kinds("/trailers") == ["start", "body", "trailers"]


def test_other_scopes_pass() -> None:
    seen: list[str] = []

    async def app(fields: Any, _receive: Any, _send: Any) -> None:
        seen.append(fields["type"])

    middleware = CacheMiddleware(app, Cache())
    asyncio.run(talk(middleware, {"type": "lifespan"}))
    asyncio.run(talk(middleware, scope(kind="websocket")))
    assert seen == ["lifespan", "websocket"]


# WSGI's own ways


def test_the_validator_of_wsgi_has_nothing_to_say() -> None:
    bodies: list[Any] = [[b"page"], iter([b"pa", b"ge"]), []]
    for body in bodies:

        def app(_environ: Any, start: Any, body: Any = body) -> Any:
            start("200 OK", [*FRESH, ("Content-Type", "text/plain")])
            return body

        middleware = validator(CacheMiddleware(validator(app), Cache(), interface="wsgi"))
        for headers in ([], [("If-None-Match", "*")], [("Range", "bytes=1-2")]):
            for method in ("GET", "HEAD"):
                call_wsgi(middleware, environ(method=method, headers=headers))


def test_write_and_file_wrappers_pass_and_are_not_kept() -> None:
    def pushing(_environ: Any, start: Any) -> list[bytes]:
        write = start("200 OK", FRESH)
        write(b"a")
        write(b"b")
        return [b"c"]

    wrapped = FileWrapper(io.BytesIO(b"file"))

    def sending(_environ: Any, start: Any) -> Any:
        start("200 OK", FRESH)
        return wrapped

    middleware = CacheMiddleware(pushing, Cache())
    assert [call_wsgi(middleware, environ()).body for _ in range(2)] == [b"abc"] * 2
    middleware = CacheMiddleware(sending, Cache())
    fields = {**environ(), "wsgi.file_wrapper": FileWrapper}
    assert middleware(fields, lambda *_: lambda _: None) is wrapped


def test_the_body_is_closed_once_whatever_happens() -> None:
    closed: list[str] = []

    class Body:
        def __init__(self, name: str) -> None:
            self.name = name

        def __iter__(self) -> Iterator[bytes]:
            if self.name == "raises":
                raise LookupError
            return iter([b"pa", b"ge"])

        def close(self) -> None:
            closed.append(self.name)

    def app(fields: Any, start: Any) -> Any:
        start("200 OK", FRESH)
        return Body(fields["PATH_INFO"][1:])

    middleware = CacheMiddleware(app, Cache())
    assert call_wsgi(middleware, environ("/streams")).body == b"page"
    with pytest.raises(LookupError):
        call_wsgi(middleware, environ("/raises"))
    assert closed == ["streams", "raises"]
    assert call_wsgi(middleware, environ("/streams")).body == b"page"
    assert closed == ["streams", "raises"]


def test_an_error_page_replaces_a_start_that_has_not_left() -> None:
    def app(_environ: Any, start: Any) -> list[bytes]:
        start("200 OK", FRESH)
        error = LookupError()
        start("500 Oops", [], (LookupError, error, error.__traceback__))
        return [b"oops"]

    middleware = CacheMiddleware(app, Cache())
    assert [call_wsgi(middleware, environ()).status for _ in range(2)] == [500, 500]


# ASGI as clients and frameworks see it


async def _answers(app: Any) -> list[httpx.Response]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as client:
        return [
            await client.get("/"),
            await client.get("/"),
            await client.head("/"),
            await client.get("/", headers={"Range": "bytes=0-1"}),
            await client.post("/"),
            await client.get("/"),
        ]


def test_httpx_gets_what_it_should() -> None:
    here = Site("asgi")
    answers = asyncio.run(_answers(here.app))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 206, 200, 200]
    assert [answer.text for answer in answers] == ["page", "page", "", "pa", "page", "page"]
    assert here.calls == 3


def test_starlette_pages_are_kept() -> None:
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.middleware import Middleware  # noqa: PLC0415
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import PlainTextResponse, StreamingResponse  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    calls: list[str] = []

    async def page(request: Request) -> PlainTextResponse:
        calls.append(request.url.path)
        request.scope["holdfast.httpcache"].tag("pages")
        return PlainTextResponse("page", headers={"Cache-Control": "max-age=60"})

    async def stream(request: Request) -> StreamingResponse:
        calls.append(request.url.path)
        return StreamingResponse(iter(["a", "b"]), headers={"Cache-Control": "max-age=60"})

    app = Starlette(
        routes=[Route("/", page), Route("/stream", stream)],
        middleware=[Middleware(CacheMiddleware, cache=Cache())],
    )

    async def meet() -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
            for path, text in (("/", "page"), ("/stream", "ab")):
                assert [(await client.get(path)).text for _ in range(3)] == [text] * 3

    asyncio.run(meet())
    assert calls == ["/", "/stream"]


def test_purge_is_awaited_in_event_loops() -> None:
    here = Site("asgi", cache=Cache("memory://"))

    async def meet() -> None:
        await talk(here.app, scope())
        await here.middleware.aio.purge("/", tags=["x"])
        await talk(here.app, scope())
        await here.middleware.aio.clear()
        await talk(here.app, scope())
        await talk(here.app, scope())

    asyncio.run(meet())
    assert here.calls == 3
    here.cache.close()
