"""Calling WSGI and ASGI applications as a server does, without a server.

Law: what is sent is exactly what the test says, octet by octet, and what came back is shown as it
was: nothing is parsed, mended or added but the cookies a `Visitor` is asked to keep.

    visitor = Visitor(app, "asgi")
    answer = visitor.get("/cart")
    assert answer.status == 200 and answer.all("set-cookie") == []
"""

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

__all__ = ["Answer", "Face", "Visitor", "call_asgi", "call_wsgi", "environ", "scope", "talk"]

Face = Literal["wsgi", "asgi"]
Headers = Sequence[tuple[str, str]]


class Answer(NamedTuple):
    """What an application answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return the values of the header `name`, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


def environ(
    path: str = "/", *, method: str = "GET", headers: Headers = (), body: bytes = b""
) -> dict[str, Any]:
    """Return the WSGI environ of a request."""
    fields: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.partition("?")[0],
        "QUERY_STRING": path.partition("?")[2],
        "SERVER_NAME": "test.example",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "203.0.113.9",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in headers:
        key = name.upper().replace("-", "_")
        fields[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return fields


def call_wsgi(app: Callable[..., Iterable[bytes]], fields: dict[str, Any]) -> Answer:
    """Return what a WSGI application answers; the response starts at its first byte."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    sent: list[tuple[str, list[tuple[str, str]]]] = []
    body = bytearray()

    def write(data: bytes) -> None:
        if not started:
            raise AssertionError("a body before start_response")
        if data and not sent:
            sent.append(started[-1])
        body.extend(data)

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        if exc_info and sent:
            raise exc_info[1].with_traceback(exc_info[2])
        if started and not exc_info:
            raise AssertionError("start_response was called twice")
        started.append((status, list(headers)))
        return write

    chunks = app(fields, start_response)
    try:
        for chunk in chunks:
            write(chunk)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    status, headers = (sent or started)[-1]
    return Answer(int(status[:3]), headers, bytes(body))


def scope(
    path: str = "/", *, method: str = "GET", headers: Headers = (), kind: str = "http"
) -> dict[str, Any]:
    """Return the ASGI scope of a request, or of a websocket."""
    fields = {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "2",
        "scheme": "https" if kind == "http" else "wss",
        "path": path.partition("?")[0],
        "raw_path": path.partition("?")[0].encode("utf-8"),
        "query_string": path.partition("?")[2].encode("utf-8"),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": ("203.0.113.9", 4711),
        "server": ("test.example", 443),
    }
    return {**fields, "method": method} if kind == "http" else fields


async def talk(
    app: Callable[..., Awaitable[object]],
    fields: dict[str, Any],
    receives: Iterable[dict[str, Any]] = ({"type": "http.request", "body": b""},),
) -> list[dict[str, Any]]:
    """Return the messages an ASGI application sends; `receives` is what it is told, in turn."""
    sent: list[dict[str, Any]] = []
    told = iter(receives)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return next(told, {"type": "http.disconnect"})

    async def send(message: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    await app(fields, receive, send)
    return sent


def call_asgi(
    app: Callable[..., Awaitable[object]], fields: dict[str, Any], body: bytes = b""
) -> Answer:
    """Return what an ASGI application answers."""
    sent = asyncio.run(talk(app, fields, [{"type": "http.request", "body": body}]))
    starts = [message for message in sent if message["type"] == "http.response.start"]
    if len(starts) != 1 or sent[0] is not starts[0]:
        raise AssertionError(f"not one start, in front: {sent}")
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in starts[0].get("headers", ())
    ]
    said = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(starts[0]["status"], headers, said)


class Visitor:
    """A browser of few virtues: it keeps cookies by name, whatever their attributes.

    Args:
        app: The application.
        face: How it is called.

    Attributes:
        cookies: What it holds, by name.
    """

    def __init__(self, app: Callable[..., Any], face: Face) -> None:
        self.app = app
        self.face = face
        self.cookies: dict[str, str] = {}

    def get(
        self,
        path: str = "/",
        *,
        cookie: str | None = None,
        headers: Headers = (),
        method: str = "GET",
        body: bytes = b"",
    ) -> Answer:
        """Send a request and keep the cookies of the answer.

        Args:
            path: The path.
            cookie: A raw Cookie header instead of what this visitor holds.
            headers: Other request headers.
            method: The method.
            body: What is sent with it.
        """
        held = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        raw = held if cookie is None else cookie
        sent = [*headers, ("Cookie", raw)] if raw else headers
        if self.face == "wsgi":
            answer = call_wsgi(self.app, environ(path, method=method, headers=sent, body=body))
        else:
            answer = call_asgi(self.app, scope(path, method=method, headers=sent), body)
        self._keep(answer)
        return answer

    def twin(self) -> "Visitor":
        """Return another tab: the same application, and the cookies held now."""
        other = Visitor(self.app, self.face)
        other.cookies = dict(self.cookies)
        return other

    def _keep(self, answer: Answer) -> None:
        for line in answer.all("set-cookie"):
            name, _, value = line.split(";")[0].partition("=")
            if "; max-age=0" in line.lower():
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value


def one_view(
    view: Callable[[Any, str], object], face: Face, headers: Headers = ()
) -> Callable[..., Any]:
    """Return an application of one view: `view(session, path)`, and what it returns as text.

    A returned int is a status; an exception is raised. Every answer has `headers`.
    """
    said = [("Content-Type", "text/plain"), *headers]
    return _wsgi_view(view, said) if face == "wsgi" else _asgi_view(view, said)


def _rendered(result: object) -> tuple[int, bytes]:
    return (result, b"") if isinstance(result, int) else (200, str(result).encode())


def _wsgi_view(view: Callable[[Any, str], object], headers: Headers) -> Callable[..., Any]:
    def app(fields: Mapping[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        status, body = _rendered(view(fields["holdfast.session"], fields["PATH_INFO"]))
        start_response(f"{status} Said", list(headers))
        return [body]

    return app


def _asgi_view(view: Callable[[Any, str], object], headers: Headers) -> Callable[..., Any]:
    octets = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]

    async def app(fields: Mapping[str, Any], _receive: object, send: Any) -> None:
        status, body = _rendered(view(fields["session"], fields["path"]))
        await send({"type": "http.response.start", "status": status, "headers": octets})
        await send({"type": "http.response.body", "body": body})

    return app
