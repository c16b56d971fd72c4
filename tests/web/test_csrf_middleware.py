"""Requests that another site's page makes are refused, over both faces."""

import asyncio
import io
import re
import time
from typing import Any

import pytest

from holdfast import Header, Sessions
from holdfast.errors import ConfigError
from holdfast.store.memory import MemoryStore
from holdfast.testing.calls import Answer, Face, Visitor, call_wsgi, environ, scope, talk
from holdfast.web import asgi, wsgi
from holdfast.web.csrf import PEEKED, token_in

Fields = list[tuple[str, str]]
FORM = ("Content-Type", "application/x-www-form-urlencoded")
HOST = ("Host", "shop.example")
ORIGIN = "https://shop.example"


def act(session: Any, path: str, body: bytes) -> bytes:
    match path:
        case "/token":
            return str(session.csrf_token()).encode()
        case "/login":
            session.login("ada")
        case "/write":
            session["name"] = "ada"
        case "/echo":
            return body
    return b"done"


def wsgi_app(fields: dict[str, Any], start: Any) -> list[bytes]:
    length = fields.get("CONTENT_LENGTH")
    body = fields["wsgi.input"].read(int(length)) if length else fields["wsgi.input"].read()
    said = act(fields["holdfast.session"], fields["PATH_INFO"], body)
    start("200 OK", [])
    return [said]


async def asgi_app(fields: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    said = act(fields["session"], fields["path"], body)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": said})


class Shop:
    """A site that guards itself."""

    def __init__(self, face: Face) -> None:
        self.face = face
        self.store = MemoryStore("shop")
        self.sessions = Sessions(self.store)
        self.kind: Any = wsgi if face == "wsgi" else asgi

    def guarded(self, **options: Any) -> Any:
        return self.kind.CsrfMiddleware(wsgi_app if self.face == "wsgi" else asgi_app, **options)

    def visitor(self, lazy: dict[str, bool] | None = None, **options: Any) -> Visitor:
        app = self.kind.SessionMiddleware(self.guarded(**options), self.sessions, **(lazy or {}))
        return Visitor(app, self.face)

    def post(self, path: str = "/", *headers: tuple[str, str], **options: Any) -> Answer:
        return self.visitor(**options).get(path, method="POST", headers=[HOST, *headers])


@pytest.fixture(params=["wsgi", "asgi"])
def shop(request: pytest.FixtureRequest) -> Shop:
    return Shop(request.param)


# By origin

FROM: dict[str, tuple[Fields, int]] = {
    "a page of ours": ([("Sec-Fetch-Site", "same-origin"), ("Origin", ORIGIN)], 200),
    "the user himself": ([("Sec-Fetch-Site", "none")], 200),
    "another site": ([("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")], 403),
    "a subdomain": ([("Sec-Fetch-Site", "same-site"), ("Origin", "https://x.shop.example")], 403),
    "what says so": ([("Sec-Fetch-Site", "cross-site"), ("Origin", ORIGIN)], 403),
    "two sayings": ([("Sec-Fetch-Site", "same-origin, cross-site")], 403),
    "another case": ([("Sec-Fetch-Site", "Same-Origin")], 403),
    "no browser": ([], 200),
    "an older browser": ([("Origin", ORIGIN)], 200),
    "with its port": ([("Origin", f"{ORIGIN}:443")], 200),
    "another port": ([("Origin", f"{ORIGIN}:8443")], 403),
    "the older browser of another": ([("Origin", "https://evil.example")], 403),
    "a sandbox": ([("Origin", "null")], 403),
    "our name in front": ([("Origin", "https://shop.example.evil.example")], 403),
    "our name behind": ([("Origin", "https://evil-shop.example")], 403),
    "our name as a user": ([("Origin", "https://shop.example@evil.example")], 403),
    "a path": ([("Origin", f"{ORIGIN}/")], 403),
    "two origins": ([("Origin", f"{ORIGIN}, https://evil.example")], 403),
    "our page without TLS": ([("Origin", "http://shop.example")], 403),
    "a file": ([("Origin", "file://")], 403),
    "garbage": ([("Origin", "\xff\0")], 403),
    "a trusted one": ([("Sec-Fetch-Site", "cross-site"), ("Origin", "https://pay.example")], 200),
    "a trusted one, older": ([("Origin", "https://pay.example")], 200),
    "a trusted one, other port": ([("Origin", "https://pay.example:444")], 403),
    "a trusted one without TLS": ([("Origin", "http://pay.example")], 403),
}


@pytest.mark.parametrize("case", FROM)
def test_050_where_a_request_comes_from_decides(shop: Shop, case: str) -> None:
    headers, status = FROM[case]
    trusted = ["https://PAY.example:443"]
    assert shop.post("/write", *headers, trusted_origins=trusted).status == status
    assert len(shop.store) == (status == 200)
    for method in ("PUT", "PATCH", "DELETE", "get", ""):
        visitor = shop.visitor(trusted_origins=trusted)
        assert visitor.get(method=method, headers=[HOST, *headers]).status == status
    for method in ("GET", "HEAD", "OPTIONS"):
        visitor = shop.visitor(trusted_origins=trusted)
        assert visitor.get(method=method, headers=[HOST, *headers]).status == 200


def test_without_a_host_no_origin_is_ours(shop: Shop) -> None:
    visitor = shop.visitor()
    assert visitor.get(method="POST", headers=[("Origin", ORIGIN)]).status == 403
    named = [("Origin", "https://127.0.0.1:8080"), ("Host", "127.0.0.1:8080")]
    assert visitor.get(method="POST", headers=named).status == 200
    named = [("Origin", "https://[::1]"), ("Host", "[::1]:443")]
    assert visitor.get(method="POST", headers=named).status == 200


def test_behind_a_proxy_that_ends_tls_the_scheme_is_not_known(shop: Shop) -> None:
    app = shop.visitor().app
    for origin, status in ((ORIGIN, 200), ("http://shop.example", 200), ("null", 403)):
        headers = [HOST, ("Origin", origin)]
        if shop.face == "wsgi":
            fields = environ(method="POST", headers=headers) | {"wsgi.url_scheme": "http"}
            assert call_wsgi(app, fields).status == status
        else:
            fields = scope(method="POST", headers=headers) | {"scheme": "http"}
            assert asyncio.run(talk(app, fields))[0]["status"] == status


def test_the_refusal_says_why_and_is_not_kept(shop: Shop) -> None:
    answer = shop.post("/", ("Origin", "null"))
    assert b"another site" in answer.body
    assert answer.all("cache-control") == ["no-store"]
    assert answer.all("content-type") == ["text/plain; charset=utf-8"]
    assert b"X-CSRF-Token" in shop.post("/", mode="token").body


def test_by_origin_no_session_is_looked_at(shop: Shop) -> None:
    assert shop.post().all("vary") == []
    bare = Visitor(shop.guarded(), shop.face)  # nor is one needed, until the application asks
    assert bare.get(method="POST", headers=[("Origin", "null")]).status == 403


# By token


def send(visitor: Visitor, body: bytes = b"", *headers: tuple[str, str]) -> Answer:
    length = [("Content-Length", str(len(body)))] if body else []
    return visitor.get("/echo", method="POST", body=body, headers=[HOST, *headers, *length])


def test_050_the_token_of_the_session_is_needed(shop: Shop) -> None:
    visitor, other = shop.visitor(mode="token"), shop.visitor(mode="token")
    first, second = visitor.get("/token").body.decode(), visitor.get("/token").body.decode()
    foreign = other.get("/token").body.decode()
    assert first != second
    for token in (first, second):
        assert send(visitor, b"", ("X-CSRF-Token", token)).status == 200
    flipped = ("A" if first[0] != "A" else "B") + first[1:]
    for wrong in (foreign, flipped, "", "x", first + "A", "\xff" * 86):
        assert send(visitor, b"", ("X-CSRF-Token", wrong)).status == 403
    assert send(visitor).status == 403
    stranger = shop.visitor(mode="token")
    assert send(stranger, b"", ("X-CSRF-Token", first)).status == 403
    cross = ("Sec-Fetch-Site", "cross-site")
    assert send(visitor, b"", ("X-CSRF-Token", first), cross).status == 200


def test_050_a_login_replaces_the_token(shop: Shop) -> None:
    visitor = shop.visitor(mode="token")
    token = visitor.get("/token").body.decode()
    visitor.get("/login")
    assert send(visitor, b"", ("X-CSRF-Token", token)).status == 403
    token = visitor.get("/token").body.decode()
    assert send(visitor, b"", ("X-CSRF-Token", token)).status == 200


def multipart(token: str, *, first: bool = True, file: bytes = b"\0" * 99) -> bytes:
    field = f'--xx\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{token}\r\n'
    head = '--xx\r\nContent-Disposition: form-data; name="f"; filename="f"\r\nContent-Type: a/b'
    parts = [field.encode(), head.encode() + b"\r\n\r\n" + file + b"\r\n"]
    return b"".join(parts if first else parts[::-1]) + b"--xx--\r\n"


def bodies(token: str) -> dict[str, tuple[str, bytes, int]]:
    form, parts = FORM[1], "multipart/form-data; boundary=xx"
    big = b"a=" + b"b" * 3 * PEEKED
    return {
        "alone": (form, f"csrf_token={token}".encode(), 200),
        "in front": (form, f"csrf_token={token}&a=1".encode(), 200),
        "behind": (form, f"a=1&csrf_token={token}".encode(), 200),
        "with a charset": (f"{form}; charset=utf-8", f"csrf_token={token}".encode(), 200),
        "in front of much": (form, f"csrf_token={token}&".encode() + big, 200),
        "behind too much": (form, big + f"&csrf_token={token}".encode(), 403),
        "as another name": (form, f"xcsrf_token={token}".encode(), 403),
        "in a value": (form, f"a=csrf_token={token}".encode(), 403),
        "with a tail": (form, f"csrf_token={token}A".encode(), 403),
        "empty": (form, b"csrf_token=", 403),
        "in a part": (parts, multipart(token), 200),
        "in a later part": (parts, multipart(token, first=False), 200),
        "in front of a big file": (parts, multipart(token, file=b"\0" * 3 * PEEKED), 200),
        "in no form": ("application/json", f'{{"csrf_token": "{token}"}}'.encode(), 403),
        "in text": ("text/plain", f"csrf_token={token}".encode(), 403),
    }


@pytest.mark.parametrize("case", bodies(""))
def test_050_a_form_brings_the_token_and_reaches_the_application_whole(
    shop: Shop, case: str
) -> None:
    visitor = shop.visitor(mode="token")
    kind, body, status = bodies(visitor.get("/token").body.decode())[case]
    answer = send(visitor, body, ("Content-Type", kind))
    assert answer.status == status
    assert answer.body == body if status == 200 else b"CSRF" in answer.body


def test_the_header_counts_before_the_form(shop: Shop) -> None:
    visitor = shop.visitor(mode="token")
    body = b"csrf_token=" + visitor.get("/token").body
    assert send(visitor, body, FORM, ("X-CSRF-Token", "wrong")).status == 403


def test_a_session_in_a_header_has_tokens_too(shop: Shop) -> None:
    shop.sessions = Sessions(shop.store, transport=Header())
    visitor = shop.visitor(mode="token")
    answer = visitor.get("/token")
    sent = [("X-Auth-Token", answer.all("X-Auth-Token")[0])]
    assert send(visitor, b"", *sent).status == 403
    assert send(visitor, b"", *sent, ("X-CSRF-Token", answer.body.decode())).status == 200


def test_054_a_store_that_is_down_is_no_forgery(shop: Shop) -> None:
    visitor = shop.visitor(mode="token")
    token = visitor.get("/token").body.decode()
    shop.store.close()
    answer = send(visitor, b"", ("X-CSRF-Token", token))
    assert (answer.status, answer.all("set-cookie")) == (503, [])


def test_a_lazy_session_is_loaded_for_the_check() -> None:
    shop = Shop("asgi")
    visitor = Visitor(asgi.SessionMiddleware(shop.guarded(mode="token"), shop.sessions), "asgi")
    token = visitor.get("/token").body.decode()
    lazy = shop.visitor(mode="token", lazy={"lazy": True})
    lazy.cookies = visitor.cookies
    assert send(lazy, b"", ("X-CSRF-Token", token)).status == 200


def test_the_middleware_stands_inside_that_of_sessions(shop: Shop) -> None:
    visitor = Visitor(shop.guarded(mode="token"), shop.face)
    with pytest.raises(ConfigError, match="SessionMiddleware"):
        visitor.get(method="POST")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mode": "both"}, "mode"),
        ({"trusted_origins": ORIGIN}, "list"),
        ({"trusted_origins": ["null"]}, "null"),
        ({"trusted_origins": ["*"]}, "write it as"),
        ({"trusted_origins": ["shop.example"]}, "write it as"),
        ({"trusted_origins": [f"{ORIGIN}/"]}, "write it as"),
        ({"trusted_origins": [f"{ORIGIN}\n"]}, "write it as"),
        ({"trusted_origins": ["https://*.shop.example"]}, "write it as"),
        ({"trusted_origins": ["ftp://shop.example"]}, "write it as"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_start(
    shop: Shop, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        shop.guarded(**options)


@pytest.mark.parametrize(
    "unit",
    [
        b'\r\nContent-Disposition: form-data; name="csrf_token"',
        b'\r\nContent-Disposition: form-data; name="csrf_token"\r\na: b',
        b"&csrf_token=",
        b"&csrf_token=" + b"a" * 85,
        b"\r\n",
    ],
)
def test_the_search_for_a_token_takes_no_square(unit: bytes) -> None:
    began = time.process_time()
    assert token_in(unit * (PEEKED // len(unit))) is None
    assert time.process_time() - began < 1


# Bodies over WSGI


class Pipe(io.BytesIO):
    """A connection: whoever reads beyond the request waits for ever."""

    def __init__(self, body: bytes, piece: int) -> None:
        super().__init__(body)
        self.left = len(body)
        self.piece = piece

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert 0 <= size <= self.left, "this would wait for ever"
        said = super().read(min(size, self.piece))
        self.left -= len(said)
        return said


@pytest.mark.parametrize("piece", [7, 1000, 1 << 20])
@pytest.mark.parametrize("length", [100, PEEKED - 1, PEEKED, PEEKED + 1, 2 * PEEKED + 5])
def test_no_byte_beyond_the_body_is_read(piece: int, length: int) -> None:
    shop = Shop("wsgi")
    visitor = shop.visitor(mode="token")
    body = b"csrf_token=" + visitor.get("/token").body + b"&a=" + b"b" * (length - 100)
    body = body[:length].ljust(length, b"c")
    seen: list[bytes] = []

    def app(fields: dict[str, Any], start: Any) -> list[bytes]:
        stream = fields["wsgi.input"]
        seen.append(stream.readline(50) + stream.read(10) + b"".join(stream))
        start("200 OK", [])
        return [b""]

    site = wsgi.SessionMiddleware(wsgi.CsrfMiddleware(app, mode="token"), shop.sessions)
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    fields = environ(method="POST", headers=[FORM, ("Cookie", cookie)])
    fields |= {"CONTENT_LENGTH": str(length), "wsgi.input": Pipe(body, piece)}
    assert call_wsgi(site, fields).status == 200
    assert seen == [body]


@pytest.mark.parametrize("length", [None, "", "-1", "x", "1e3", "\xb2"])
def test_a_body_without_an_end_is_left_alone(length: str | None) -> None:
    shop = Shop("wsgi")
    app = shop.visitor(mode="token").app
    fields = environ(method="POST", headers=[FORM])
    fields["wsgi.input"] = Pipe(b"", 1)
    if length is not None:
        fields["CONTENT_LENGTH"] = length
    assert call_wsgi(app, fields).status == 403


def test_a_chunked_body_is_read_where_the_server_knows_its_end() -> None:
    shop = Shop("wsgi")
    visitor = shop.visitor(mode="token")
    body = b"csrf_token=" + visitor.get("/token").body + b"&a=" + b"b" * 2 * PEEKED
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    fields = environ("/echo", method="POST", headers=[FORM, ("Cookie", cookie)], body=body)
    fields["wsgi.input_terminated"] = True
    assert call_wsgi(visitor.app, fields).body == body


# Bodies and websockets over ASGI


@pytest.mark.parametrize("piece", [1000, PEEKED, 3 * PEEKED])
def test_a_body_in_pieces_is_told_whole(piece: int) -> None:
    shop = Shop("asgi")
    visitor = shop.visitor(mode="token")
    body = b"csrf_token=" + visitor.get("/token").body + b"&a=" + b"b" * 2 * PEEKED
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    told: list[dict[str, Any]] = [
        {"type": "http.request", "body": body[at : at + piece], "more_body": at + piece < len(body)}
        for at in range(0, len(body), piece)
    ]
    fields = scope("/echo", method="POST", headers=[FORM, ("Cookie", cookie)])
    assert asyncio.run(talk(visitor.app, fields, told))[1]["body"] == body


def test_a_client_that_goes_away_in_the_midst_is_told_of() -> None:
    heard: list[Any] = []

    async def app(_fields: Any, receive: Any, _send: Any) -> None:
        heard.extend([await receive(), await receive(), await receive()])

    shop = Shop("asgi")
    visitor = shop.visitor(mode="token")
    body = b"csrf_token=" + visitor.get("/token").body
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    guarded = asgi.CsrfMiddleware(app, mode="token")
    fields = scope(method="POST", headers=[FORM, ("Cookie", cookie)])
    told: list[dict[str, Any]] = [
        {"type": "http.request", "body": body, "more_body": True},
        {"type": "http.disconnect"},
    ]
    asyncio.run(talk(asgi.SessionMiddleware(guarded, shop.sessions), fields, told))
    assert heard[0] == {"type": "http.request", "body": body, "more_body": True}
    assert [one["type"] for one in heard[1:]] == ["http.disconnect"] * 2


async def chat(_fields: Any, receive: Any, send: Any) -> None:
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})


@pytest.mark.parametrize("mode", ["origin", "token"])
@pytest.mark.parametrize("case", FROM)
def test_051_a_websocket_of_another_site_is_refused(case: str, mode: Any) -> None:
    headers, status = FROM[case]
    app = asgi.CsrfMiddleware(chat, mode=mode, trusted_origins=["https://pay.example"])
    fields = scope(kind="websocket", headers=[HOST, *headers])
    sent = asyncio.run(talk(app, fields, [{"type": "websocket.connect"}]))
    if status == 200:
        assert sent == [{"type": "websocket.accept"}]
    else:
        assert sent == [{"type": "websocket.close", "code": 1008}]
        fields["extensions"] = {"websocket.http.response": {}}
        sent = asyncio.run(talk(app, fields, [{"type": "websocket.connect"}]))
        assert sent[0]["status"] == 403


def test_lifespan_passes() -> None:
    seen: list[Any] = []

    async def app(fields: Any, _receive: Any, _send: Any) -> None:
        seen.append(fields)

    asyncio.run(talk(asgi.CsrfMiddleware(app, mode="token"), {"type": "lifespan"}))
    assert seen == [{"type": "lifespan"}]
