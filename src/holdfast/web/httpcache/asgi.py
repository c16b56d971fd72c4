"""The response cache around an ASGI application.

Law: only `http` is looked at. A body that is complete in its first message is stored before it
leaves; any other leaves message by message and is stored if it came to its end. Messages that are
neither start nor body (early hints, a file the server sends by itself, trailers) pass, and a
response that has one after its start is not stored.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

from holdfast.web.headers import Headers
from holdfast.web.httpcache.asked import Asked
from holdfast.web.httpcache.engine import Call, Engine, Sent
from holdfast.web.httpcache.fetch import NOTES, Fetch, taken_tags
from holdfast.web.httpcache.middleware import CacheMiddleware
from holdfast.web.httpcache.reply import Reply, cache_status
from holdfast.web.httpcache.settings import Settings
from holdfast.web.request import AsgiRequest, Scope

__all__ = ["AsgiCacheMiddleware"]

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class AsgiCacheMiddleware(CacheMiddleware, interface="asgi"):
    """See `CacheMiddleware`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or let the application do it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        engine = self._engine
        step = await engine.look(self._asked(scope), lambda: self._background(scope))
        if isinstance(step, Reply):
            await _sent(step, send)
        elif step.place is None:
            step.fields = {**scope, NOTES: step.notes}
            passing = _Passing(engine, step, send, self.settings)
            try:
                await self.app(step.fields, receive, passing)
            finally:
                await passing.changed()
        else:
            await self._fetched(step, scope, receive, send)

    def _asked(self, scope: Scope) -> Asked:
        headers: dict[str, str] = {}
        for name, value in _text(scope["headers"]):
            key = name.lower()
            joint = "; " if key == "cookie" else ", "
            headers[key] = f"{headers[key]}{joint}{value}" if key in headers else value
        server = scope.get("server") or ("", None)
        private = self.settings.private
        path, root = scope["path"], scope.get("root_path", "")
        raw = (scope.get("raw_path") or path.encode("utf-8", "replace")).decode("latin-1")
        return Asked(
            method=scope["method"],
            scheme=scope.get("scheme", "http"),
            host=headers.get("host") or f"{server[0]}:{server[1]}",
            path=path,
            raw=f"{root}\n{raw}",  # some dispatchers take the root off the path
            query=self.settings.without_ignored(scope.get("query_string", b"").decode("latin-1")),
            headers=headers,
            owner=None if private is None else private(AsgiRequest(scope)),
        )

    async def _fetched(self, fetch: Fetch, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application for a page that may be stored."""
        response = _Response(self._engine, fetch, send, self.settings)

        async def hearing() -> Any:
            message = await receive()
            if message.get("body"):  # HTTP/2 need not announce it
                fetch.asked = fetch.asked.with_body()
            return message

        fetch.fields = _with_conditions(scope, fetch)
        try:
            await self.app(fetch.fields, hearing, response)
            await response.flush()
        except Exception as error:
            stale = None if response.is_begun else await self._engine.failed(fetch, error)
            if stale is None:
                raise
            await _sent(stale, send)
        finally:
            await self._engine.ended(fetch)

    def _background(self, scope: Scope) -> Call:
        async def call(fetch: Fetch) -> Sent:
            fetch.fields = _with_conditions(scope, fetch)
            over = asyncio.Event()
            asked = iter([{"type": "http.request", "body": b"", "more_body": False}])
            start: Message = {"status": 500}
            data = bytearray()

            async def receive() -> Message:
                for message in asked:
                    return message
                await over.wait()
                return {"type": "http.disconnect"}

            async def send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    start.update(message)
                elif message["type"] == "http.response.body":
                    data.extend(message.get("body", b""))
                    if len(data) > self.settings.max_body:  # not kept, and may have no end
                        raise OSError("a page to be renewed is too long")
                    if not message.get("more_body", False):
                        over.set()

            await self.app(fetch.fields, receive, send)
            status = _status(start["status"] if over.is_set() else 500)
            headers, fetch.tags = taken_tags(
                _text(start.get("headers", ())), self.settings.tag_header
            )
            return status, headers, bytes(data)

        return call


class _Response:
    """The `send` of an application whose page may be stored.

    Attributes:
        is_begun: Something of the response has left.
    """

    def __init__(self, engine: Engine, fetch: Fetch, send: Send, settings: Settings) -> None:
        self.is_begun = False
        self._is_replaced = False
        self._engine = engine
        self._fetch = fetch
        self._send = send
        self._settings = settings
        self._start: Message | None = None
        self._headers: Headers = []
        self._data: bytearray | None = None

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if self._is_replaced:  # our answer has left in the place of this one
            return
        if kind == "http.response.start" and self._start is None:
            await self._starts(message)
        elif kind == "http.response.body" and self._start is not None:
            await self._continues(message)
        else:
            if self._start is not None:
                await self.flush()
            await self._send(message)

    async def flush(self) -> None:
        """Send the start that was held back; the response is not stored."""
        await self._drop()
        if self._start is not None and not self.is_begun:
            await self._begin(self._start)

    async def _starts(self, message: Message) -> None:
        self._start = message
        headers = _text(message.get("headers", ()))
        self._headers, self._fetch.tags = taken_tags(headers, self._settings.tag_header)
        if self._engine.settles(self._fetch, message["status"]):
            await self._answer(b"")
        elif message.get("trailers", False):
            await self.flush()

    async def _begin(self, start: Message) -> None:
        self.is_begun = True
        headers = [*self._headers, ("Cache-Status", cache_status(fwd=self._fetch.why))]
        await self._send({**start, "headers": _octets(headers)})

    async def _answer(self, body: bytes) -> None:
        """Answer with the whole response, or with what it stands for."""
        assert self._start is not None  # noqa: S101 - it is what is answered
        status = _status(self._start["status"])
        answer = await self._engine.answered(self._fetch, status, self._headers, body)
        self.is_begun = self._is_replaced = True
        await _sent(answer, self._send)

    async def _continues(self, message: Message) -> None:
        assert self._start is not None  # noqa: S101 - asked before
        body, more = message.get("body", b""), message.get("more_body", False)
        status = _status(self._start["status"])
        if not self.is_begun:
            if not more:
                await self._answer(bytes(body))  # it may be a buffer that is used again
                return
            if await self._engine.begins(self._fetch, status, self._headers):
                self._data = bytearray()
            await self._begin(self._start)
        if self._data is not None:
            self._data += body
            if len(self._data) > self._settings.max_body:
                await self._drop()
        if not more and self._data is not None:
            data = bytes(self._data)
            await self._engine.streamed(self._fetch, status, self._headers, data)
        await self._send(message)

    async def _drop(self) -> None:
        self._data = None
        await self._engine.ended(self._fetch, in_vain=True)


class _Passing:
    """The `send` of an application whose answer is not for others."""

    def __init__(self, engine: Engine, fetch: Fetch, send: Send, settings: Settings) -> None:
        self._engine = engine
        self._asked = fetch.asked
        self._why = fetch.why
        self._send = send
        self._tag_header = settings.tag_header
        self._status = 0
        self._headers: Headers = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers, _ = taken_tags(_text(message.get("headers", ())), self._tag_header)
            self._status, self._headers = message["status"], headers
            await self.changed()
            if self._asked.is_safe:
                headers = [*headers, ("Cache-Status", cache_status(fwd=self._why))]
            message = {**message, "headers": _octets(headers)}
        await self._send(message)

    async def changed(self) -> None:
        """Forget what the request changed: at its start and, for what follows, at its end."""
        await self._engine.changed(self._asked, self._status, self._headers)


def _with_conditions(scope: Scope, fetch: Fetch) -> dict[str, Any]:
    """Return the scope for the application, which is asked as `fetch` has it."""
    changes = {name.encode(): value for name, value in fetch.conditions.items()}
    headers = [header for header in scope["headers"] if header[0].lower() not in changes]
    headers += [(name, value.encode("latin-1")) for name, value in changes.items() if value]
    query = fetch.asked.query.encode("latin-1")
    asked = {"method": fetch.asked.method, "query_string": query, "headers": headers}
    return {**scope, **asked, NOTES: fetch.notes}


async def _sent(answer: Reply, send: Send) -> None:
    status, headers, body = answer
    start = {"type": "http.response.start", "status": int(status[:3]), "headers": _octets(headers)}
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _status(code: int) -> str:
    """Return the status line of WSGI and HTTP/1 for `code`."""
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return f"{code} Status"


def _text(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _octets(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
