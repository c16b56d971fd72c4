"""The ASGI middleware: when it loads and commits, what passes untouched, what goes wrong well."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from holdfast import Sessions, StoreUnavailable
from holdfast.bridge import Blocking
from holdfast.errors import CodecError
from holdfast.store.memory import MemoryStore
from holdfast.testing.calls import Answer, Visitor, scope, talk
from holdfast.web.asgi import SessionMiddleware

NAME = "__Host-sid"
App = Callable[[Any, Any, Any], Awaitable[None]]


class SlowFace(Blocking):
    """An async face whose every operation suspends, as over a network, and may be held up."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.gate: asyncio.Event | None = None
        self.begun: asyncio.Event | None = None

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        if self.begun is not None and self.gate is not None:
            self.begun.set()
            await self.gate.wait()
        await asyncio.sleep(0)
        return await super().swap(key, old, new, ttl)


class SlowStore(MemoryStore):
    """A memory store that waits like one behind a network."""

    never_waits = False

    def __init__(self) -> None:
        super().__init__("slow")
        self.slow = SlowFace(self)

    @property
    def aio(self) -> SlowFace:
        return self.slow


class Shop:
    """A store, its sessions, and what was observed."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.events: list[str] = []
        self.sessions = Sessions(store, observer=lambda event, _: self.events.append(event))

    def visitor(self, app: App, **options: Any) -> Visitor:
        return Visitor(SessionMiddleware(app, self.sessions, **options), "asgi")

    def token(self, **data: Any) -> str:
        session = self.sessions.load(None)
        session.update(data)
        token = self.sessions.commit(session).token
        assert token is not None
        return token

    def data(self, token: str) -> dict[str, Any]:
        return dict(self.sessions.load(token))


@pytest.fixture(params=[MemoryStore, SlowStore])
def shop(request: pytest.FixtureRequest) -> Shop:
    return Shop(request.param())


def cookie(token: str) -> str:
    return f"{NAME}={token}"


def start(status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(content: bytes = b"x", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


async def say(send: Any, content: bytes = b"x", status: int = 200) -> None:
    await send(start(status))
    await send(body(content))


def test_a_session_lives_from_one_request_to_the_next(shop: Shop) -> None:
    async def app(fields: Any, _receive: Any, send: Any) -> None:
        session = fields["session"]
        session.increment("visits")
        await say(send, str(session["visits"]).encode())

    visitor = shop.visitor(app)
    assert [visitor.get().body for _ in range(3)] == [b"1", b"2", b"3"]
    assert visitor.get().all("set-cookie") == []


def test_every_message_but_the_start_passes_as_it_is(shop: Shop) -> None:
    sent = [
        start(200, ((b"x", b"y"),)),
        body(more=True),
        body(),
        {"type": "http.response.trailers"},
    ]

    async def app(fields: Any, receive: Any, send: Any) -> None:
        if fields["path"] == "/write":
            fields["session"]["a"] = 1
        assert await receive() is told[0]
        for message in sent:
            await send(message)

    told = [{"type": "http.request", "body": b"hello"}]
    middleware = SessionMiddleware(app, shop.sessions)
    untouched = asyncio.run(talk(middleware, scope(), told))
    assert all(one is other for one, other in zip(untouched, sent, strict=True))
    written = asyncio.run(talk(middleware, scope("/write"), told))
    assert all(one is other for one, other in zip(written[1:], sent[1:], strict=True))
    assert written[0]["headers"][0] == (b"x", b"y")
    assert {name for name, _ in written[0]["headers"]} >= {b"vary", b"set-cookie", b"cache-control"}


def test_the_scope_of_the_server_is_left_alone(shop: Shop) -> None:
    async def app(_fields: Any, _receive: Any, send: Any) -> None:
        await say(send)

    fields = scope()
    before = dict(fields)
    asyncio.run(talk(SessionMiddleware(app, shop.sessions), fields))
    assert fields == before


def test_several_cookie_headers_are_one(shop: Shop) -> None:
    async def app(fields: Any, _receive: Any, send: Any) -> None:
        await say(send, str(fields["session"].get("a")).encode())

    fields = scope(headers=[("Cookie", "x=y"), ("Cookie", cookie(shop.token(a=1)))])
    sent = asyncio.run(talk(SessionMiddleware(app, shop.sessions), fields))
    assert sent[1]["body"] == b"1"
    twice = [("Cookie", cookie("a" * 43)), ("Cookie", cookie(shop.token(a=1)))]
    sent = asyncio.run(talk(SessionMiddleware(app, shop.sessions), scope(headers=twice)))
    assert sent[1]["body"] == b"None"
    assert "session.cookie_tossing" in shop.events


@pytest.mark.parametrize(
    "touch",
    [lambda session: session.get("a"), lambda session: "a" in session, len, list, bool, repr],
)
def test_028_any_access_makes_the_answer_vary(shop: Shop, touch: Callable[[Any], object]) -> None:
    async def app(fields: Any, _receive: Any, send: Any) -> None:
        touch(fields["session"])
        await send(start(200, ((b"vary", b"accept"),)))
        await send(body())

    for raw in (None, cookie(shop.token(a=1))):
        answer = shop.visitor(app).get(cookie=raw)
        assert answer.all("vary") == ["accept, Cookie"]
        assert answer.all("set-cookie") == []


def test_029_030_a_cookie_only_when_something_changed_and_stored_nowhere(shop: Shop) -> None:
    async def app(fields: Any, _receive: Any, send: Any) -> None:
        fields["session"]["a"] = 1
        await send(start(200, ((b"cache-control", b"public"),)))
        await send(body())

    visitor = shop.visitor(app)
    first, second = visitor.get(), visitor.get()
    assert (len(first.all("set-cookie")), first.all("cache-control")) == (1, ["no-store"])
    assert (second.all("set-cookie"), second.all("cache-control")) == ([], ["public"])


def test_streams_stay_streams_and_late_writes_are_kept(shop: Shop) -> None:
    async def app(fields: Any, _receive: Any, send: Any) -> None:
        await send(start())
        await send(body(more=True))
        fields["session"]["late"] = "yes"
        await send(body())

    token = shop.token(a=1)
    assert shop.visitor(app).get(cookie=cookie(token)).body == b"xx"
    assert shop.data(token) == {"a": 1, "late": "yes"}
    rows = len(shop.store)
    with pytest.raises(Exception, match="response has begun"):
        shop.visitor(app).get()
    assert len(shop.store) == rows


class Oops(Exception):  # noqa: N818 - not a fault of ours
    """What an application may raise."""


def change(fields: Any) -> None:
    session = fields["session"]
    session["a"] = 2
    match fields["path"]:
        case "/logout":
            session.logout()
        case "/rotate":
            session.rotate()


async def fail(fields: Any, _receive: Any, _send: Any) -> None:
    change(fields)
    raise Oops


async def answer_500(fields: Any, _receive: Any, send: Any) -> None:
    change(fields)
    await say(send, b"sorry", 500)


def test_052_what_fails_writes_nothing_but_logs_out_and_rotates(shop: Shop) -> None:
    token = shop.token(a=1)
    visitor = shop.visitor(fail)
    with pytest.raises(Oops):
        visitor.get("/", cookie=cookie(token))
    assert shop.data(token) == {"a": 1}
    for path in ("/rotate", "/logout"):
        token = shop.token(a=1)
        with pytest.raises(Oops):
            visitor.get(path, cookie=cookie(token))
        assert shop.data(token) == {}


def test_052_a_500_writes_nothing_but_sends_the_cookie_of_a_rotation(shop: Shop) -> None:
    token = shop.token(a=1)
    visitor = shop.visitor(answer_500)
    assert visitor.get("/", cookie=cookie(token)).all("set-cookie") == []
    assert shop.data(token) == {"a": 1}
    visitor.get("/rotate", cookie=cookie(token))
    assert shop.data(token) == {}
    assert shop.data(visitor.cookies[NAME]) == {"a": 1}
    visitor.get("/logout")
    assert visitor.cookies == {}


@pytest.mark.parametrize("path", ["/", "/rotate", "/logout"])
def test_053_a_commit_that_has_begun_is_finished(path: str) -> None:
    store = SlowStore()
    shop = Shop(store)
    token = shop.token(a=1)

    async def app(fields: Any, _receive: Any, send: Any) -> None:
        change(fields)
        await say(send)

    async def disconnect() -> None:
        store.slow.gate, store.slow.begun = asyncio.Event(), asyncio.Event()
        fields = scope(path, headers=[("Cookie", cookie(token))])
        task = asyncio.ensure_future(talk(SessionMiddleware(app, shop.sessions), fields))
        await store.slow.begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        store.slow.gate.set()
        for _ in range(50):
            await asyncio.sleep(0)

    asyncio.run(disconnect())
    assert shop.data(token) == ({"a": 2} if path == "/" else {})


def test_053_a_request_cancelled_before_its_commit_writes_nothing() -> None:
    shop = Shop(SlowStore())
    token = shop.token(a=1)

    async def app(fields: Any, _receive: Any, _send: Any) -> None:
        change(fields)
        await asyncio.Event().wait()

    async def disconnect() -> None:
        fields = scope("/", headers=[("Cookie", cookie(token))])
        task = asyncio.ensure_future(talk(SessionMiddleware(app, shop.sessions), fields))
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(disconnect())
    assert shop.data(token) == {"a": 1}


async def read_or_write(fields: Any, _receive: Any, send: Any) -> None:
    session = fields["session"]
    if fields["path"] == "/read":
        session.get("a")
    if fields["path"] == "/write":
        session["a"] = 2
    await say(send)


def check_down(answer: Answer) -> None:
    assert answer.status == 503
    assert answer.all("set-cookie") == []
    assert answer.all("retry-after")
    assert answer.body != b"x"


def test_054_a_store_that_is_down_is_said_and_no_cookie_is_touched(shop: Shop) -> None:
    token = shop.token(a=1)
    shop.store.close()
    visitor = shop.visitor(read_or_write)
    check_down(visitor.get("/read", cookie=cookie(token)))
    check_down(visitor.get("/write", cookie=cookie(token)))
    assert visitor.get("/", cookie=cookie(token)).body == b"x"  # who does not need it is served
    assert visitor.get("/").status == 200
    assert visitor.get("/read").status == 200
    check_down(visitor.get("/write"))
    assert "session.store_down" in shop.events


def test_the_answer_to_head_has_no_body_when_the_store_is_down(shop: Shop) -> None:
    shop.store.close()
    answer = shop.visitor(read_or_write).get("/write", method="HEAD")
    assert (answer.status, answer.body) == (503, b"")


def test_054_a_store_error_of_the_application_itself_is_said_too(shop: Shop) -> None:
    async def app(_fields: Any, _receive: Any, _send: Any) -> None:
        raise StoreUnavailable("other")

    check_down(shop.visitor(app).get())


def test_a_value_that_cannot_be_written_is_an_error_that_names_it(shop: Shop) -> None:
    async def app(fields: Any, _receive: Any, send: Any) -> None:
        fields["session"]["odd"] = object()
        await say(send)

    with pytest.raises(CodecError, match="odd"):
        shop.visitor(app).get()
    assert len(shop.store) == 0


def test_lazy_loads_only_when_asked(shop: Shop) -> None:
    async def app(fields: Any, _receive: Any, send: Any) -> None:
        if fields["path"] == "/load":
            await fields["session"].load()
            fields["session"].increment("a")
            await say(send, str(fields["session"]["a"]).encode())
        else:
            await say(send)

    token = shop.token(a=1)
    visitor = shop.visitor(app, lazy=True)
    assert visitor.get("/load", cookie=cookie(token)).body == b"2"
    assert shop.data(token) == {"a": 2}
    shop.store.close()
    assert visitor.get("/", cookie=cookie(token)).body == b"x"


def test_lifespan_passes(shop: Shop) -> None:
    seen: list[Any] = []

    async def app(fields: Any, _receive: Any, _send: Any) -> None:
        seen.append(fields)

    fields = {"type": "lifespan"}
    asyncio.run(talk(SessionMiddleware(app, shop.sessions), fields))
    assert seen[0] is fields


# Websockets


def chat(act: Callable[[Any], object]) -> App:
    async def app(fields: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept", "headers": []})
        await send({"type": "websocket.send", "text": str(act(fields["session"]))})
        await send({"type": "websocket.close", "code": 1000})

    return app


def converse(shop: Shop, app: App, token: str | None) -> list[dict[str, Any]]:
    headers = [("Cookie", cookie(token))] if token else []
    fields = scope(kind="websocket", headers=headers)
    told = [{"type": "websocket.connect"}]
    return asyncio.run(talk(SessionMiddleware(app, shop.sessions), fields, told))


def write(session: Any) -> None:
    session["said"] = "hello"


def test_051_a_websocket_reads_and_writes_but_sets_no_cookie(shop: Shop) -> None:
    token = shop.token(a=1)
    sent = converse(shop, chat(lambda session: session["a"]), token)
    assert sent[1]["text"] == "1"
    sent = converse(shop, chat(write), token)
    assert sent[0] == {"type": "websocket.accept", "headers": []}
    assert shop.data(token) == {"a": 1, "said": "hello"}


def test_051_a_websocket_without_a_session_stores_none(shop: Shop) -> None:
    with pytest.raises(Exception, match="response has begun"):
        converse(shop, chat(write), None)
    with pytest.raises(Exception, match="response has begun"):
        converse(shop, chat(write), "a" * 42 + "A")
    assert len(shop.store) == 0


@pytest.mark.parametrize("act", [lambda s: s.rotate(), lambda s: s.login("ada")])
def test_051_a_websocket_cannot_take_the_token_away(
    shop: Shop, act: Callable[[Any], object]
) -> None:
    token = shop.token(a=1)
    with pytest.raises(Exception, match="no new token can be sent"):
        converse(shop, chat(act), token)
    assert shop.data(token) == {"a": 1}


def test_051_a_websocket_may_log_out(shop: Shop) -> None:
    token = shop.token(a=1)
    converse(shop, chat(lambda session: session.logout()), token)
    assert shop.data(token) == {}


@pytest.mark.parametrize("with_response", [True, False])
def test_054_a_websocket_is_refused_while_the_store_is_down(
    shop: Shop, with_response: object
) -> None:
    token = shop.token(a=1)
    shop.store.close()
    fields = scope(kind="websocket", headers=[("Cookie", cookie(token))])
    if with_response:
        fields["extensions"] = {"websocket.http.response": {}}
    app = SessionMiddleware(chat(write), shop.sessions)
    sent = asyncio.run(talk(app, fields, [{"type": "websocket.connect"}]))
    if with_response:
        assert sent[0]["type"] == "websocket.http.response.start"
        assert sent[0]["status"] == 503
    else:
        assert sent == [{"type": "websocket.close", "code": 1013}]
