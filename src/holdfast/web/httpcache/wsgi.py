"""The response cache around a WSGI application.

Law: what need not be stored passes as it is, body and `wsgi.file_wrapper` included. A body that is
complete in its first piece is stored before it leaves; any other leaves piece by piece and is
stored if it came to its end. `close()` of the application's body is called exactly once.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from holdfast.bridge import drive
from holdfast.web.headers import Headers
from holdfast.web.httpcache.asked import Asked
from holdfast.web.httpcache.engine import Call, Engine, Sent
from holdfast.web.httpcache.fetch import NOTES, Fetch, taken_tags
from holdfast.web.httpcache.fields import all_of
from holdfast.web.httpcache.middleware import CacheMiddleware
from holdfast.web.httpcache.reply import Reply, cache_status
from holdfast.web.request import Environ, WsgiRequest

__all__ = ["WsgiCacheMiddleware"]

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
Write = Callable[[bytes], object]
StartResponse = Callable[..., Write]


class WsgiCacheMiddleware(CacheMiddleware, interface="wsgi"):
    """See `CacheMiddleware`."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, or let the application do it."""
        step = drive(self._engine.look(self._asked(environ), lambda: self._background(environ)))
        if isinstance(step, Reply):
            return _sent(step, start_response)
        response = _Response(self._engine, step, start_response, self.settings.tag_header)
        if step.place is None:
            step.fields = environ
            environ[NOTES] = step.notes
            body = self.app(environ, response.passing)
            return body if step.asked.is_safe else response.changing(body)
        step.fields = _with_conditions(environ, step)
        return self._fetched(response)

    def _asked(self, environ: Environ) -> Asked:
        fields = {
            name[5:].replace("_", "-").lower(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        fields["content-length"] = environ.get("CONTENT_LENGTH") or "0"
        if environ.get("CONTENT_TYPE"):
            fields["content-type"] = environ["CONTENT_TYPE"]
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        sent = environ.get("RAW_URI") or environ.get("REQUEST_URI") or path
        private = self.settings.private
        return Asked(
            method=environ["REQUEST_METHOD"],
            scheme=environ["wsgi.url_scheme"],
            host=fields.get("host") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}",
            path=path.encode("latin-1", "replace").decode("utf-8", "replace"),
            raw=f"{path}\n{sent.partition('?')[0]}",
            query=self.settings.without_ignored(environ.get("QUERY_STRING", "")),
            headers=fields,
            owner=None if private is None else private(WsgiRequest(environ)),
        )

    def _fetched(self, response: "_Response") -> Iterable[bytes]:
        """Call the application for a page that may be stored."""
        fetch, engine = response.fetch, self._engine
        body: Iterable[bytes] | None = None
        try:
            body = self.app(fetch.fields, response)
            if _is_file(body, fetch.fields):
                return response.untouched(body)
            chunks = iter(body)
            first = next(filter(None, chunks), b"")
            if response.is_begun:  # by write()
                return response.untouched(_Rest(body, first, chunks))
            status, headers = response.taken()
        except Exception as error:
            _close(body)
            stale = None if response.is_begun else drive(engine.failed(fetch, error))
            if stale is None:
                drive(engine.ended(fetch))
                raise
            return _sent(stale, response.server)
        except BaseException:
            _close(body)
            drive(engine.ended(fetch))
            raise
        return self._received(response, status, headers, _Rest(body, first, chunks))

    def _received(
        self, response: "_Response", status: str, headers: Headers, rest: "_Rest"
    ) -> Iterable[bytes]:
        """Answer with what the application began to send, or with what it stands for."""
        fetch, engine = response.fetch, self._engine
        try:
            if engine.settles(fetch, int(status[:3])):
                data = b""
            elif rest.is_all(headers):
                data = b"".join(rest)
            else:
                return response.streaming(rest, self.settings.max_body)
        except BaseException:
            drive(engine.ended(fetch, in_vain=True))
            rest.close()
            raise
        try:
            rest.close()
            return _sent(drive(engine.answered(fetch, status, headers, data)), response.server)
        finally:
            drive(engine.ended(fetch))

    def _background(self, environ: Environ) -> Call:
        fields = {**environ, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"}

        async def call(fetch: Fetch) -> Sent:
            fetch.fields = _with_conditions(fields, fetch)
            taken: list[Any] = ["", []]
            data = bytearray()

            def start(status: str, headers: Headers, _exc_info: ExcInfo | None = None) -> Write:
                taken[:] = [status, headers]
                return data.extend

            body = self.app(fetch.fields, start)
            try:
                for chunk in body:
                    data.extend(chunk)
                    if len(data) > self.settings.max_body:
                        break  # it will not be kept, and may have no end
            finally:
                _close(body)
            headers, fetch.tags = taken_tags(taken[1], self.settings.tag_header)
            return taken[0], headers, bytes(data)

        return call


class _Response:
    """The response of one request: the `start_response` of the application."""

    __slots__ = (
        "_exc_info",
        "_headers",
        "_status",
        "_tag_header",
        "_write",
        "engine",
        "fetch",
        "is_begun",
        "server",
    )

    def __init__(
        self, engine: Engine, fetch: Fetch, server: StartResponse, tag_header: str
    ) -> None:
        self.engine = engine
        self.fetch = fetch
        self.server = server
        self.is_begun = False
        self._tag_header = tag_header
        self._status = ""

    def __call__(self, status: str, headers: Headers, exc_info: ExcInfo | None = None) -> Write:
        """Be the `start_response` of an application whose page may be stored."""
        if self.is_begun:
            return self.server(status, headers, exc_info)  # the server raises what was caught
        if self._status and exc_info is None:
            raise AssertionError("start_response was called twice without exc_info")
        self._status, self._exc_info = status, exc_info
        self._headers, self.fetch.tags = taken_tags(list(headers), self._tag_header)
        return self.write

    def changing(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return the body of a response that may have changed something, even after its start."""
        if isinstance(body, list | tuple) or _is_file(body, self.fetch.fields):
            self.changed()
            return body
        return _Changing(self, body)

    def changed(self) -> None:
        """Forget once more what has changed: what was made meanwhile may be of before."""
        if self._status:
            drive(self.engine.changed(self.fetch.asked, int(self._status[:3]), self._headers))

    def passing(self, status: str, headers: Headers, exc_info: ExcInfo | None = None) -> Write:
        """Be the `start_response` of an application whose answer is not for others."""
        headers, _ = taken_tags(list(headers), self._tag_header)
        self._status, self._headers = status, headers
        self.changed()
        if self.fetch.asked.is_safe:
            headers = [*headers, ("Cache-Status", cache_status(fwd=self.fetch.why))]
        if exc_info is None:
            return self.server(status, headers)
        return self.server(status, headers, exc_info)

    def taken(self) -> tuple[str, Headers]:
        """Return status and headers as the application gave them, without its tags."""
        if not self._status:
            raise AssertionError("the application sent a body without calling start_response")
        return self._status, self._headers

    def begin(self) -> None:
        """Start the response, as the application has it."""
        status, headers = self.taken()
        headers = [*headers, ("Cache-Status", cache_status(fwd=self.fetch.why))]
        self.is_begun = True
        if self._exc_info is None:
            self._write = self.server(status, headers)
        else:
            self._write = self.server(status, headers, self._exc_info)

    def write(self, data: bytes) -> object:
        """Send `data` at once: PEP 3333's old way; such a response is not stored."""
        if not self.is_begun:
            drive(self.engine.ended(self.fetch, in_vain=True))
            self.begin()
        return self._write(data)

    def untouched(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return the body of a response that is not collected."""
        drive(self.engine.ended(self.fetch, in_vain=True))
        if not self.is_begun:
            self.begin()
        return body

    def streaming(self, rest: "_Rest", most: int) -> Iterable[bytes]:
        """Start the response and return its body, which is collected as it passes."""
        status, headers = self.taken()
        is_collected = drive(self.engine.begins(self.fetch, status, headers))
        self.begin()
        return _Collected(self, rest, most) if is_collected else rest


class _Rest:
    """A body that was begun: its first piece, then the others."""

    def __init__(self, body: Iterable[bytes], first: bytes, chunks: Iterator[bytes]) -> None:
        self._body: Iterable[bytes] | None = body
        self._first = first
        self._chunks = chunks

    def is_all(self, headers: Headers) -> bool:
        """Return whether nothing can follow the first piece that would have to be waited for."""
        lengths = all_of(headers, "content-length")
        return (
            not self._first
            or isinstance(self._body, list | tuple)
            or lengths == [str(len(self._first))]
        )

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        first, self._first = self._first, b""
        return first or next(self._chunks)

    def close(self) -> None:
        """Let the application clean up, once."""
        body, self._body = self._body, None
        _close(body)


class _Changing:
    """A body whose making may change something until it is closed."""

    def __init__(self, response: _Response, body: Iterable[bytes]) -> None:
        self._response = response
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """Let the application clean up, and forget what it changed."""
        try:
            _close(self._body)
        finally:
            self._response.changed()


class _Collected:
    """A body that is collected while it leaves, and kept if it came to its end."""

    def __init__(self, response: _Response, rest: _Rest, most: int) -> None:
        self._response = response
        self._rest = rest
        self._most = most
        self._data: bytearray | None = bytearray()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self._rest)
        except StopIteration:
            self._keep()
            raise
        except BaseException:
            self._drop()
            raise
        if self._data is not None:
            self._data += chunk
            if len(self._data) > self._most:
                self._drop(in_vain=True)
        return chunk

    def close(self) -> None:
        """Let the application clean up; a body that did not come to its end is not kept."""
        self._drop()
        self._rest.close()

    def _keep(self) -> None:
        data, self._data = self._data, None
        if data is not None:
            response = self._response
            drive(response.engine.streamed(response.fetch, *response.taken(), bytes(data)))

    def _drop(self, *, in_vain: bool = False) -> None:
        data, self._data = self._data, None
        if data is not None:
            drive(self._response.engine.ended(self._response.fetch, in_vain=in_vain))


def _with_conditions(environ: Environ, fetch: Fetch) -> Environ:
    """Return the environ for the application, which is asked as `fetch` has it."""
    fields = dict(environ)
    fields[NOTES] = fetch.notes
    fields["REQUEST_METHOD"] = fetch.asked.method
    fields["QUERY_STRING"] = fetch.asked.query
    for name, value in fetch.conditions.items():
        key = "HTTP_" + name.upper().replace("-", "_")
        if value is None:
            fields.pop(key, None)
        else:
            fields[key] = value
    return fields


def _sent(answer: Reply, start_response: StartResponse) -> Iterable[bytes]:
    start_response(answer.status, answer.headers)
    return [answer.body]


def _is_file(body: object, environ: Any) -> bool:
    """Return whether `body` is the server's own file wrapper, which it may send by itself."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)


def _close(body: object) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()
