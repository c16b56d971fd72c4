"""The WSGI middleware: when it commits, what it leaves alone, what it does when things go wrong."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest

from holdfast import Sessions, StoreUnavailable
from holdfast.errors import CodecError
from holdfast.store.memory import MemoryStore
from holdfast.testing.calls import Answer, Visitor, call_wsgi, environ
from holdfast.web.wsgi import SessionMiddleware

NAME = "__Host-sid"
PLAIN = [("Content-Type", "text/plain")]
App = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Shop:
    """A store, its sessions, and what was observed."""

    def __init__(self) -> None:
        self.store = MemoryStore("shop")
        self.events: list[str] = []
        self.sessions = Sessions(self.store, observer=lambda event, _: self.events.append(event))

    def visitor(self, app: App) -> Visitor:
        return Visitor(SessionMiddleware(app, self.sessions), "wsgi")

    def token(self, **data: Any) -> str:
        session = self.sessions.load(None)
        session.update(data)
        token = self.sessions.commit(session).token
        assert token is not None
        return token

    def data(self, token: str) -> dict[str, Any]:
        return dict(self.sessions.load(token))


@pytest.fixture
def shop() -> Shop:
    return Shop()


def cookie(token: str) -> str:
    return f"{NAME}={token}"


def test_a_session_lives_from_one_request_to_the_next(shop: Shop) -> None:
    def app(env: dict[str, Any], start: Any) -> list[bytes]:
        session = env["holdfast.session"]
        session.increment("visits")
        start("200 OK", PLAIN)
        return [str(session["visits"]).encode()]

    visitor = shop.visitor(app)
    assert [visitor.get().body for _ in range(3)] == [b"1", b"2", b"3"]
    assert len(visitor.get().all("set-cookie")) == 0  # the client holds the token already


def test_an_untouched_request_passes_as_it_is(shop: Shop) -> None:
    headers = [("Content-Type", "text/plain"), ("Cache-Control", "public, max-age=60")]
    body = [b"one", b"two"]
    seen: list[object] = []

    def app(_env: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", headers)
        return body

    def start_response(status: str, sent: list[tuple[str, str]]) -> Callable[[bytes], None]:
        seen.extend((status, sent))
        return lambda _: None

    middleware = SessionMiddleware(app, shop.sessions)
    shop.store.close()  # an untouched request does not even ask
    fields = environ(headers=[("Cookie", cookie("a" * 42 + "A"))])
    assert middleware(fields, start_response) is body
    assert seen == ["200 OK", headers]
    assert seen[1] is headers


def test_a_file_goes_to_the_server_as_the_file_it_is(shop: Shop) -> None:
    def app(env: dict[str, Any], start: Any) -> Iterable[bytes]:
        start("200 OK", PLAIN)
        wrapped: Iterable[bytes] = env["wsgi.file_wrapper"](io.BytesIO(b"file"))
        return wrapped

    fields = environ() | {"wsgi.file_wrapper": FileWrapper}
    body = SessionMiddleware(app, shop.sessions)(fields, lambda _status, _headers: print)
    assert type(body) is FileWrapper


@pytest.mark.parametrize("wrapper", [lambda file, _size=0: file, None])
def test_a_file_wrapper_need_not_be_a_class(shop: Shop, wrapper: object) -> None:
    def app(env: dict[str, Any], start: Any) -> Iterable[bytes]:
        env["holdfast.session"]["a"] = 1
        start("200 OK", PLAIN)
        return io.BytesIO(b"file")

    fields = environ() | {"wsgi.file_wrapper": wrapper}
    answer = call_wsgi(SessionMiddleware(app, shop.sessions), fields)
    assert answer.body == b"file"
    assert len(answer.all("set-cookie")) == 1


@pytest.mark.parametrize(
    "touch",
    [
        lambda session: session.get("a"),
        lambda session: "a" in session,
        len,
        list,
        bool,
        repr,
        lambda session: session.keys() and None,
        lambda session: session.user,
        lambda session: session.is_new,
        lambda session: session.peek_flash(),
        lambda session: session == {},
    ],
)
def test_028_any_access_makes_the_answer_vary(shop: Shop, touch: Callable[[Any], object]) -> None:
    def app(env: dict[str, Any], start: Any) -> list[bytes]:
        touch(env["holdfast.session"])
        start("200 OK", [("Vary", "Accept")])
        return [b"x"]

    for raw in (None, cookie(shop.token(a=1))):
        answer = shop.visitor(app).get(cookie=raw)
        assert answer.all("vary") == ["Accept, Cookie"]
        assert answer.all("set-cookie") == []
        assert answer.all("cache-control") == []


def test_029_an_answer_that_sets_a_cookie_is_stored_nowhere(shop: Shop) -> None:
    def app(env: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [("Cache-Control", "public, max-age=60")])
        env["holdfast.session"]["a"] = 1  # after start_response, before the first byte
        return [b"x"]

    answer = shop.visitor(app).get()
    assert len(answer.all("set-cookie")) == 1
    assert answer.all("cache-control") == ["no-store"]
    assert answer.all("vary") == ["Cookie"]


def test_030_writing_what_is_there_sets_no_cookie(shop: Shop) -> None:
    def app(env: dict[str, Any], start: Any) -> list[bytes]:
        env["holdfast.session"]["a"] = 1
        start("304 Not Modified", [])
        return []

    assert shop.visitor(app).get(cookie=cookie(shop.token(a=1))).all("set-cookie") == []


def stream(*steps: Callable[[Any], bytes]) -> App:
    def app(env: dict[str, Any], start: Any) -> Iterator[bytes]:
        start("200 OK", PLAIN)
        for step in steps:
            yield step(env["holdfast.session"])

    return app


def write(session: Any) -> bytes:
    session["late"] = "yes"
    return b"wrote"


def test_a_generator_may_write_until_its_first_byte(shop: Shop) -> None:
    def write_and_say_nothing(session: Any) -> bytes:
        write(session)
        return b""

    visitor = shop.visitor(stream(lambda _: b"", write_and_say_nothing, lambda _: b"x"))
    answer = visitor.get()
    assert answer.body == b"x"
    assert shop.data(visitor.cookies[NAME]) == {"late": "yes"}


def test_a_generator_stays_lazy(shop: Shop) -> None:
    made: list[int] = []

    def app(_env: dict[str, Any], start: Any) -> Iterator[bytes]:
        start("200 OK", PLAIN)
        for number in range(3):
            made.append(number)
            yield b"x"

    started: list[str] = []

    def start_response(status: str, _headers: object) -> Any:
        started.append(status)

    body = iter(SessionMiddleware(app, shop.sessions)(environ(), start_response))
    assert (made, started) == ([], [])
    next(body)
    assert (made, started) == ([0], ["200 OK"])


def test_a_late_write_is_stored_if_the_client_holds_the_token(shop: Shop) -> None:
    token = shop.token(a=1)
    shop.visitor(stream(lambda _: b"first", write)).get(cookie=cookie(token))
    assert shop.data(token) == {"a": 1, "late": "yes"}


def test_a_late_write_without_a_token_is_an_error_not_a_loss(shop: Shop) -> None:
    with pytest.raises(Exception, match="response has begun"):
        shop.visitor(stream(lambda _: b"first", write)).get()
    assert len(shop.store) == 0


def test_an_empty_generator_commits_at_its_end(shop: Shop) -> None:
    def app(env: dict[str, Any], start: Any) -> Iterator[bytes]:
        start("204 No Content", [])
        write(env["holdfast.session"])
        yield from ()

    visitor = shop.visitor(app)
    assert visitor.get().status == 204
    assert shop.data(visitor.cookies[NAME]) == {"late": "yes"}


def test_write_starts_the_response(shop: Shop) -> None:
    def app(env: dict[str, Any], start: Any) -> list[bytes]:
        push = start("200 OK", PLAIN)
        env["holdfast.session"]["a"] = 1
        push(b"pushed ")
        return [b"returned"]

    visitor = shop.visitor(app)
    answer = visitor.get()
    assert answer.body == b"pushed returned"
    assert shop.data(visitor.cookies[NAME]) == {"a": 1}


class Closing:
    """A body that counts how often it is closed."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks = chunks
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.chunks)

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("iterate", [True, False])
def test_a_body_is_closed_once(shop: Shop, iterate: object) -> None:
    inner = Closing([b"x"])

    def app(env: dict[str, Any], start: Any) -> Closing:
        env["holdfast.session"]["a"] = 2
        start("200 OK", PLAIN)
        return inner

    token = shop.token(a=1)
    fields = environ(headers=[("Cookie", cookie(token))])
    body: Any = SessionMiddleware(app, shop.sessions)(fields, lambda _status, _headers: print)
    if iterate:
        list(body)
    body.close()
    body.close()
    assert inner.closed == 1
    assert shop.data(token) == {"a": 2}  # also of a client that went away


def test_a_client_that_goes_away_leaves_no_session_nobody_holds(shop: Shop) -> None:
    def app(env: dict[str, Any], start: Any) -> Closing:
        env["holdfast.session"]["a"] = 2
        start("200 OK", PLAIN)
        return Closing([b"x"])

    body: Any = SessionMiddleware(app, shop.sessions)(environ(), lambda *_: print)
    body.close()
    assert len(shop.store) == 0


class Oops(Exception):  # noqa: N818 - not a fault of ours
    """What an application may raise."""


def fail(env: dict[str, Any], _start: Any) -> list[bytes]:
    session = env["holdfast.session"]
    session["a"] = 2
    match env["PATH_INFO"]:
        case "/logout":
            session.logout()
        case "/rotate":
            session.rotate()
    raise Oops


def fail_in_body(env: dict[str, Any], start: Any) -> Iterator[bytes]:
    start("200 OK", PLAIN)
    yield from fail(env, start)


@pytest.mark.parametrize("app", [fail, fail_in_body])
def test_052_what_fails_writes_nothing_but_logs_out_and_rotates(shop: Shop, app: App) -> None:
    token = shop.token(a=1)
    visitor = shop.visitor(app)
    with pytest.raises(Oops):
        visitor.get("/", cookie=cookie(token))
    assert shop.data(token) == {"a": 1}
    with pytest.raises(Oops):
        visitor.get("/rotate", cookie=cookie(token))
    assert shop.data(token) == {}
    token = shop.token(a=1)
    with pytest.raises(Oops):
        visitor.get("/logout", cookie=cookie(token))
    assert shop.data(token) == {}


def answer_500(env: dict[str, Any], start: Any) -> list[bytes]:
    try:
        fail(env, start)
    except Oops:
        start("500 Internal Server Error", PLAIN)
    return [b"sorry"]


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


def test_exc_info_replaces_an_answer_that_has_not_started(shop: Shop) -> None:
    def app(_env: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", PLAIN)
        start("500 Oops", PLAIN, (Oops, Oops(), None))
        return [b"sorry"]

    assert shop.visitor(app).get().status == 500


def test_an_empty_write_does_not_start_the_answer(shop: Shop) -> None:
    def app(env: dict[str, Any], start: Any) -> list[bytes]:
        env["holdfast.session"]["a"] = 1
        start("200 OK", PLAIN)(b"")
        start("404 Not Found", PLAIN, (Oops, Oops(), None))
        return [b"sorry"]

    answer = shop.visitor(app).get()
    assert answer.status == 404
    assert len(answer.all("set-cookie")) == 1


def test_exc_info_is_raised_by_the_server_once_the_answer_has_started(shop: Shop) -> None:
    def app(_env: dict[str, Any], start: Any) -> Iterator[bytes]:
        start("200 OK", PLAIN)
        yield b"x"
        error = Oops()
        start("500 Oops", PLAIN, (Oops, error, None))

    with pytest.raises(Oops):
        shop.visitor(app).get()


def test_two_starts_without_exc_info_are_a_fault_of_the_application(shop: Shop) -> None:
    def app(_env: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", PLAIN)
        start("200 OK", PLAIN)
        return []

    with pytest.raises(AssertionError, match="twice"):
        shop.visitor(app).get()


@pytest.mark.parametrize("body", [[b"x"], iter([b"x"])])
def test_a_body_without_a_start_is_a_fault_of_the_application(
    shop: Shop, body: Iterable[bytes]
) -> None:
    with pytest.raises(AssertionError, match="start_response"):
        shop.visitor(lambda _env, _start: body).get()


def test_a_value_that_cannot_be_written_is_an_error_that_names_it(shop: Shop) -> None:
    inner = Closing([b"x"])

    def app(env: dict[str, Any], start: Any) -> Iterable[bytes]:
        env["holdfast.session"]["odd"] = object()
        start("200 OK", PLAIN)
        return [b"x"] if env["PATH_INFO"] == "/list" else inner

    for path in ("/list", "/stream"):
        with pytest.raises(CodecError, match="odd"):
            shop.visitor(app).get(path)
    assert inner.closed == 1
    assert len(shop.store) == 0


def test_a_file_that_is_not_sent_after_all_is_closed(shop: Shop) -> None:
    file = io.BytesIO(b"file")

    def app(env: dict[str, Any], start: Any) -> Iterable[bytes]:
        env["holdfast.session"]["odd"] = object() if env["PATH_INFO"] == "/odd" else 1
        start("200 OK", PLAIN)
        return FileWrapper(file)

    with pytest.raises(CodecError):
        call_wsgi(
            SessionMiddleware(app, shop.sessions),
            environ("/odd") | {"wsgi.file_wrapper": FileWrapper},
        )
    assert file.closed
    file = io.BytesIO(b"file")
    shop.store.close()
    answer = call_wsgi(
        SessionMiddleware(app, shop.sessions), environ() | {"wsgi.file_wrapper": FileWrapper}
    )
    assert answer.status == 503
    assert file.closed


def by_kind(kind: str) -> App:
    """Return an application that reads and writes, and answers in one of three ways."""

    def app(env: dict[str, Any], start: Any) -> Iterable[bytes]:
        def body() -> Iterator[bytes]:
            session = env["holdfast.session"]
            if env["PATH_INFO"] == "/read":
                session.get("a")
            if env["PATH_INFO"] == "/write":
                session["a"] = 2
            yield b"x"

        push = start("200 OK", PLAIN)
        if kind == "generator":
            return body()
        if kind == "write":
            push(b"".join(body()))
            return []
        return list(body())

    return app


def check_down(answer: Answer) -> None:
    assert answer.status == 503
    assert answer.all("set-cookie") == []
    assert answer.all("retry-after")
    assert answer.all("content-type") == ["text/plain; charset=utf-8"]
    assert answer.body != b"x"


@pytest.mark.parametrize("kind", ["list", "generator", "write"])
def test_054_a_store_that_is_down_is_said_at_the_first_touch(shop: Shop, kind: str) -> None:
    token = shop.token(a=1)
    shop.store.close()
    visitor = shop.visitor(by_kind(kind))
    assert visitor.get("/", cookie=cookie(token)).status == 200
    check_down(visitor.get("/read", cookie=cookie(token)))
    check_down(visitor.get("/write", cookie=cookie(token)))
    assert visitor.get("/read").status == 200
    check_down(visitor.get("/write"))
    assert "session.store_down" in shop.events


@pytest.mark.parametrize("kind", ["list", "generator", "write"])
def test_the_answer_to_head_has_no_body_when_the_store_is_down(shop: Shop, kind: str) -> None:
    shop.store.close()
    answer = shop.visitor(by_kind(kind)).get("/write", method="HEAD")
    assert (answer.status, answer.body) == (503, b"")


def test_054_a_store_error_after_the_first_byte_is_the_servers(shop: Shop) -> None:
    def app(env: dict[str, Any], start: Any) -> Iterator[bytes]:
        start("200 OK", PLAIN)
        yield b"x"
        shop.store.close()
        env["holdfast.session"].get("a")

    with pytest.raises(StoreUnavailable):
        shop.visitor(app).get(cookie=cookie(shop.token(a=1)))


@pytest.mark.parametrize("kind", ["list", "generator", "write"])
@pytest.mark.parametrize("path", ["/", "/read", "/write"])
@pytest.mark.filterwarnings("ignore::wsgiref.validate.WSGIWarning")
def test_the_servers_contract_is_kept(shop: Shop, kind: str, path: str) -> None:
    app: Any = validator(SessionMiddleware(validator(by_kind(kind)), shop.sessions))
    assert call_wsgi(app, environ(path)).body == b"x"


def test_an_environ_that_is_used_twice_is_two_requests(shop: Shop) -> None:
    fields = environ()
    app = SessionMiddleware(by_kind("list"), shop.sessions)
    fields["PATH_INFO"] = "/write"
    first = call_wsgi(app, fields)
    second = call_wsgi(app, fields)
    assert first.all("set-cookie") != second.all("set-cookie")
