"""WSGI: sessions around any WSGI application.

Law: the session is committed when the first byte of the body is about to leave (or the body ends
without one), and the response starts only then, so that its cookie can still be sent. An untouched
request passes through: its headers, its body and its `wsgi.file_wrapper` stay what they were.
`close()` of the application's body is called exactly once. Nothing here knows what a session is
made of.
"""

from collections.abc import Iterable, Iterator

from holdfast.errors import StoreError
from holdfast.session import Sessions
from holdfast.web.exchange import Exchange, client_of, show_to_caches, transport_of
from holdfast.web.headers import Headers, unavailable
from holdfast.web.request import Environ, WsgiRequest
from holdfast.web.transport import Transport
from holdfast.web.wsgi.interface import App, ExcInfo, StartResponse, Write, sendable

__all__ = ["SESSION", "Body", "Reply", "SessionMiddleware", "is_whole"]

SESSION = "holdfast.session"
"""Where an application finds its session, in the environ."""
_REPLY = "holdfast.reply"
_WHOLE = (list, tuple)


class SessionMiddleware:
    """Puts a lazy `holdfast.Session` into `environ["holdfast.session"]` and commits it.

    If the application raises before the response has started, its changes are dropped, but a
    rotation, login or logout it asked for is done (its cookie cannot be sent then: the visitor is
    anonymous at his next request); the same with a 5xx answer, which carries the cookie. When the
    store cannot be asked the answer is 503.

    Args:
        app: The WSGI application.
        sessions: Where its sessions are kept; their `transport` says how the token travels.
    """

    def __init__(self, app: App, sessions: Sessions) -> None:
        self.app = app
        self.sessions = sessions
        self.transport = transport_of(sessions)
        self._header = "HTTP_" + self.transport.header.upper().replace("-", "_")

    def open(self, environ: Environ) -> None:
        """Put the session into `environ` before this middleware is called; nothing is loaded."""
        if _REPLY not in environ:
            environ[_REPLY] = self._reply(environ)

    def _reply(self, environ: Environ) -> "Reply":
        reply = Reply(self.sessions, self.transport, environ.get(self._header))
        reply.environ = environ
        environ[SESSION] = reply.session = self.sessions.load(reply.carried[0])
        if self.sessions.keeps_client:
            reply.session.client = client_of(WsgiRequest(environ))
        show_to_caches(reply.session, environ)
        return reply

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        reply: Reply | None = environ.pop(
            _REPLY, None
        )  # an environ that is used twice is two requests
        if reply is None or reply.sessions is not self.sessions:
            reply = self._reply(environ)
        reply.server = start_response
        try:
            body = self.app(environ, reply)
        except StoreError as error:
            reply.abandon()
            return reply.store_down(error)
        except Exception:
            reply.abandon()
            raise
        if is_whole(body, environ):
            return reply.whole(body)
        return Body(reply, body)


class Reply(Exchange):
    """The response of one request: holds its start back until the session is committed."""

    __slots__ = ("_exc_info", "_headers", "_status", "_write", "environ", "server", "started")

    environ: Environ
    server: StartResponse

    def __init__(self, sessions: Sessions, transport: Transport, raw: str | None) -> None:
        Exchange.__init__(self, sessions, transport, raw)
        self._status = ""
        self.started = False

    def __call__(self, status: str, headers: Headers, exc_info: ExcInfo | None = None) -> Write:
        """Be the `start_response` of the application."""
        if self.started:
            return self.server(status, headers, exc_info)  # the server raises what was caught
        if self._status and exc_info is None:
            raise AssertionError("start_response was called twice without exc_info")
        self._status = status
        self._headers = headers
        self._exc_info = exc_info
        return self.write

    def write(self, data: bytes) -> object:
        """Send `data` at once: PEP 3333's old way, for applications that push."""
        if not self.started:
            if not data:  # no byte: the answer may still be replaced, and our cookie with it
                return None
            self.begin()
        return self._write(data)

    def begin(self) -> None:
        """Commit the session and start the response.

        Raises:
            StoreError: It could not be committed; nothing was started.
        """
        status = self._status
        headers = self._headers if status else self._unanswered()
        session = self.session
        if session.accessed or self.carried[2]:
            outcome = self.sessions.commit(session, failed=status >= "5")
            headers = self.answer(headers, outcome)
        session.response_begun()
        self._begin(status, headers)

    def finish(self) -> None:
        """Commit what was written after the first byte, for a client that holds the token."""
        if self.session.accessed:
            self.sessions.commit(self.session)

    def _begin(self, status: str, headers: Headers) -> None:
        exc_info = self._exc_info
        self.started = True
        if exc_info is None:
            self._write = self.server(status, headers)
        else:
            self._write = self.server(status, headers, exc_info)

    def _unanswered(self) -> Headers:
        self.abandon()
        raise AssertionError("the application sent a body without calling start_response")

    def whole(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Start the response of a body that is complete, and return the body itself."""
        try:
            if self.started:  # by write()
                self.finish()
            else:
                self.begin()
        except BaseException as error:
            _close(body)
            if isinstance(error, StoreError):
                return self.store_down(error)
            self.abandon()
            raise
        return body

    def abandon(self, *, failed: bool = True) -> None:
        """Commit though nothing will be sent: the application failed, or the client is gone."""
        try:
            self.sessions.commit(self.session, failed=failed)
        except StoreError as error:  # nobody is left to be told but the observer
            self.tell(error)

    def leave(self) -> None:
        """Commit for a client that went away: before the first byte, or in the midst of a body."""
        self.session.response_begun()  # no new token reaches him
        self.abandon(failed=not "1" <= self._status < "5")

    def store_down(self, error: StoreError) -> Iterable[bytes]:
        """Start the answer that says so, if it can still be started, and return its body."""
        if self.started:
            raise error
        self.tell(error)
        status, headers, body = unavailable()
        self._exc_info = None
        self._begin(status, headers)
        return [sendable(body, self.environ)]


class Body:
    """A lazy body: starts the response at its first byte, and closes the body exactly once."""

    __slots__ = ("_body", "_chunks", "_ended", "_reply")

    def __init__(self, reply: Reply, body: Iterable[bytes]) -> None:
        self._reply = reply
        self._body: Iterable[bytes] | None = body
        self._chunks: Iterator[bytes] | None = None
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        reply = self._reply
        if self._ended:
            raise StopIteration
        try:
            chunk = self._next()
            if not reply.started:
                reply.begin()
            if chunk is None:
                self._ended = True
                reply.finish()
        except StoreError as error:
            if reply.started:
                raise
            self._ended = True  # what the application would still say is dropped
            return next(iter(reply.store_down(error)))
        except Exception:
            self._ended = True
            reply.abandon()
            raise
        if chunk is None:
            raise StopIteration
        return chunk

    def _next(self) -> bytes | None:
        """Return the next chunk; before the start, the next that has a byte; None at the end."""
        if self._chunks is None:
            self._chunks = iter(self._body or ())
        for chunk in self._chunks:
            if chunk or self._reply.started:
                return chunk
        return None

    def close(self) -> None:
        """Let the application clean up, and commit what a client who went away has done."""
        body, self._body = self._body, None
        try:
            if not self._ended:
                self._ended = True
                self._reply.leave()
        finally:
            if body is not None:
                _close(body)


def is_whole(body: object, environ: Environ) -> bool:
    """Return whether `body` runs no code of the application, or is sent by the server itself."""
    if type(body) in _WHOLE:
        return True
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)  # uWSGI has a function there


def _close(body: Iterable[bytes]) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()
