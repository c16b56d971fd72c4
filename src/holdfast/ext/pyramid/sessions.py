"""Pyramid: `request.session`, from the request's header to the headers of its response.

Law: the session is committed by the last response callback, when views, exception views and tweens
have had their say and nothing has left yet. What an answer must say of it stands in `holdfast.web`.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from pyramid.interfaces import ICSRFStoragePolicy, ISession
from pyramid.response import FileIter
from zope.interface import implementer

from holdfast.errors import StoreError
from holdfast.session import Session, Sessions
from holdfast.session.csrf import steady
from holdfast.web.exchange import client_of, show_to_caches, transport_of
from holdfast.web.headers import Answer, unavailable
from holdfast.web.request import WsgiRequest
from holdfast.web.transport import Transport
from holdfast.web.wsgi.sessions import SESSION, Body, Reply, is_whole

__all__ = ["CsrfTokens", "PyramidSession", "become", "session_factory"]

_TOKEN = "_csrft_"  # noqa: S105 - where pyramid.csrf.SessionCSRFStoragePolicy keeps its own


@implementer(ISession)
class PyramidSession(Session):
    """A `holdfast.Session` that is what Pyramid asks of one (`pyramid.interfaces.ISession`) too.

    Attributes:
        accessed: Whether the application looked at it or touched it in any way.
    """

    __slots__ = ()

    @property
    def new(self) -> bool:
        """Whether nothing is stored yet."""
        return self.is_new

    @property
    def created(self) -> int:
        """When it was born, or its user signed in: whole UTC seconds."""
        return int(super().created)

    def changed(self) -> None:  # type: ignore[override] # Pyramid calls what is a property of ours
        """Write at commit even if unchanged; values changed in place are found without."""
        self.save()

    def invalidate(self) -> None:
        """Destroy the session; what is written afterwards is in a new one.

        Raises:
            SessionCommitted: Cookie-only: the response has begun.
        """
        self.destroy()

    def login(self, user: str | int, label: str | None = None) -> None:
        """Sign `user` in at commit; see `Session.login`. No CSRF token of before is good then."""
        super().login(user, label)
        self.pop(_TOKEN, None)

    def flash(self, message: Any, queue: str = "", allow_duplicate: bool = True) -> None:  # noqa: FBT001, FBT002 - Pyramid's signature
        """Leave `message` for the next page; it waits for `pop_flash`, until the session ends.

        Args:
            message: What the codec can carry.
            queue: Which of several rows it waits in.
            allow_duplicate: False: not if it waits in that row already.

        Raises:
            CodecError: `message` is nothing the codec can carry.
            SessionCommitted: The response has begun and the client holds no token.
        """
        if allow_duplicate or message not in self.peek_flash(queue):
            super().flash(message, queue)

    def new_csrf_token(self) -> str:
        """Return a CSRF token; those of before are good no more once this is committed.

        Raises:
            SessionCommitted: The response has begun and the client holds no token.
        """
        self._writing().renew_csrf()
        return self.get_csrf_token()

    def get_csrf_token(self) -> str:
        """Return a CSRF token, the same one until the next login, for who compares them by `==`.

        Raises:
            SessionCommitted: The response has begun and there is no stored session to bind it to.
        """
        self.csrf_token()  # which makes a secret where there is none
        return steady(self._open().csrf_secret())


@implementer(ICSRFStoragePolicy)
class CsrfTokens:
    """CSRF tokens of the session: a different one on each page, and all of them are good."""

    def new_csrf_token(self, request: Any) -> str:
        """Return a token; those of before are good no more."""
        request.session.new_csrf_token()
        return self.get_csrf_token(request)

    def get_csrf_token(self, request: Any) -> str:
        """Return a token for a form of this session."""
        token: str = request.session.csrf_token()
        return token

    def check_csrf_token(self, request: Any, supplied_token: object) -> bool:
        """Return whether this is a token of this session, since its last login."""
        return bool(request.session.check_csrf(supplied_token))


def session_factory(sessions: Sessions[Any]) -> Callable[[Any], PyramidSession]:
    """Return what `config.set_session_factory` takes.

    Args:
        sessions: Where sessions are kept; their `transport` says how the token travels.

    Raises:
        ConfigError: These are no sessions.
    """
    transport = transport_of(sessions)

    def factory(request: Any) -> PyramidSession:
        return _Visit(sessions, transport, request).session

    return factory


class _Visit(Reply):
    """One request's session, and what its response must say about it."""

    __slots__ = ("_lost", "_waited")

    session: PyramidSession

    def __init__(self, sessions: Sessions[Any], transport: Transport, request: Any) -> None:
        environ = request.environ
        Reply.__init__(self, sessions, transport, WsgiRequest(environ).header(transport.header))
        self.environ = environ
        self._lost = self._waited = False
        self.session = PyramidSession(sessions._home, self.carried[0])  # noqa: SLF001 - one of us
        if sessions.keeps_client:
            self.session.client = client_of(WsgiRequest(environ))
        environ[SESSION] = self.session
        show_to_caches(self.session, environ)
        request.add_response_callback(self.respond)
        request.add_finished_callback(self.end)

    def respond(self, request: Any, response: Any) -> None:
        """Commit, and put what the client must be told into `response`."""
        if request.response_callbacks and not self._waited:  # others may still touch the session
            self._waited = True
            request.add_response_callback(self.respond)
            return
        if _is_tried_again(request):
            self.started = self._lost = True
            return
        try:
            self._commit(response)
        except StoreError as error:
            self.tell(error)
            become(response, unavailable())
            self._lost = True
        self.started = True
        self._status = response.status
        body = response.app_iter
        if not (is_whole(body, self.environ) or isinstance(body, FileIter)):
            headers = list(response.headerlist)
            response.app_iter = Body(self, body)
            response.headerlist = headers  # the length is what it was

    def _commit(self, response: Any) -> None:
        if not self.untouched:
            outcome = self.sessions.commit(self.session, failed=response.status >= "5")
            response.headerlist = self.answer(list(response.headerlist), outcome)
        self.session.response_begun()

    def end(self, request: Any) -> None:
        """Commit what was done too late for the response, or though there is none."""
        if self.started:
            if not self._lost:
                self.finish()
        elif not _is_tried_again(request):
            self.abandon()


def _is_tried_again(request: Any) -> bool:
    """Return whether pyramid_retry will answer by another attempt: then nothing of this one counts.

    Else a login would end the session that the next attempt comes with.
    """
    error = getattr(request, "exception", None) or sys.exc_info()[1]
    if error is None or "retry.attempts" not in request.environ:
        return False
    return bool(import_module("pyramid_retry").is_error_retryable(request, error))


def become(response: Any, answer: Answer) -> None:
    """Turn a response into another answer; its body is let go of."""
    close = getattr(response.app_iter, "close", None)
    if close is not None:
        close()
    status, headers, body = answer
    response.status = status
    response.app_iter = [body]
    response.headerlist = headers
