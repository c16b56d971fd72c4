"""One request's session, from the header it came in to the headers of the answer.

Law: no I/O of its own, and nothing of WSGI or ASGI: both middlewares load and commit in their own
way and ask here what the answer must say. An untouched session costs next to nothing.
"""

from collections.abc import Mapping
from typing import Any, NoReturn, cast

from holdfast.errors import ConfigError, StoreError
from holdfast.session import Outcome, Session, Sessions
from holdfast.session.homes import Home
from holdfast.web.headers import Headers, forbid_sharing, forbid_storing, vary_by
from holdfast.web.request import Request
from holdfast.web.transport import NOTHING, Carried, Cookie, Transport

__all__ = [
    "Exchange",
    "client_of",
    "show_to_caches",
    "tell_store_down",
    "transport_of",
    "unreachable",
]


def transport_of(sessions: Sessions) -> Transport:
    """Return the transport `sessions` were made with, or a cookie with the secure defaults.

    Raises:
        ConfigError: These are no sessions, or it is nothing that can read and write headers.
    """
    if not isinstance(sessions, Sessions):
        raise ConfigError(f"sessions={sessions!r}: give Sessions(...)")
    transport = sessions.transport
    if transport is None:
        return Cookie()
    if not isinstance(transport, Transport):
        raise ConfigError(f"transport={transport!r}: give a Cookie(...) or a Header(...)")
    return transport


class Exchange:
    """What one request carried, its session, and what the answer must say about it.

    Attributes:
        sessions: Where the session is loaded from.
        transport: How its token travels.
        carried: What the request carried.
        session: The session; over ASGI set once it is loaded.
    """

    __slots__ = ("carried", "session", "sessions", "transport")

    session: Session

    def __init__(self, sessions: Sessions, transport: Transport, raw: str | None) -> None:
        self.sessions = sessions
        self.transport = transport
        self.carried: Carried = transport.read(raw) if raw else NOTHING
        if self.carried[2]:
            sessions.observer(f"session.{self.carried[2]}", {"names": self.carried[1]})

    @property
    def untouched(self) -> bool:
        """Whether the answer need not know that there are sessions."""
        return not (self.session.accessed or self.carried[2])

    def answer(self, headers: Headers, outcome: Outcome) -> Headers:
        """Return the response headers with what `outcome` and this request make necessary."""
        transport, (_, names, event) = self.transport, self.carried
        if self.session.accessed or event:
            headers = vary_by(headers, transport.header)
            if transport.personal:
                headers = forbid_sharing(headers)
        if outcome.token is not None:
            ours = transport.write(outcome.token, max_age=outcome.max_age, expire=names)
        elif outcome.expire or (names and event):
            ours = transport.forget(names)
        else:
            return headers
        if outcome.expire:
            ours += transport.farewell
        return forbid_storing(headers) + ours

    def tell(self, error: StoreError) -> None:
        """Tell the observer of an error that does not reach the application."""
        tell_store_down(self.sessions, error)


def show_to_caches(session: Session, fields: Mapping[str, Any]) -> None:
    """Show a session to a response cache further out: what looks at it is nobody else's page.

    Args:
        session: The session.
        fields: The environ or the scope of the request.
    """
    notes = fields.get("holdfast.httpcache")
    if notes is not None:
        notes.sessions.append(session)


def client_of(request: Request) -> tuple[str | None, str | None]:
    """Return the address of the peer and its User-Agent, for a session that keeps them."""
    return request.address, request.header("user-agent")


def tell_store_down(sessions: Sessions, error: StoreError) -> None:
    """Tell the observer that the store of `sessions` gave no answer."""
    sessions.observer("session.store_down", {"store": error.store, "error": error})


def unreachable(error: StoreError) -> Session:
    """Return a session whose store gave no answer: whoever needs it is told so then."""
    return Session(cast("Home", _Unreachable(error)), None)


class _Unreachable:
    """The home of such a session."""

    def __init__(self, error: StoreError) -> None:
        self._error = error

    def __getattr__(self, name: str) -> NoReturn:
        raise self._error
