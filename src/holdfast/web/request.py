"""The view of a request that a limit's key function gets, the same over WSGI and ASGI.

Law: reading only, and nothing is believed that the client could have written without saying so:
`address` is the peer of the connection, whatever the headers claim.
"""

from collections.abc import Mapping, MutableMapping
from typing import Any, Protocol, TypeVar

from holdfast.errors import ConfigError
from holdfast.session import Session

__all__ = ["AsgiRequest", "Request", "SessionNotOpen", "WsgiRequest", "inner", "joined"]

T = TypeVar("T")
Environ = dict[str, Any]
Scope = MutableMapping[str, Any]


class Request(Protocol):
    """What a key function sees."""

    @property
    def address(self) -> str | None:
        """The address of the peer; None where it has none, as on a unix socket."""

    @property
    def method(self) -> str:
        """`GET`, `POST`, ...; `GET` for a websocket."""

    @property
    def path(self) -> str:
        """The path below the host, as the server decoded it."""

    @property
    def session(self) -> Session:
        """The session of this request.

        Raises:
            ConfigError: There is no session middleware in this application.
        """

    def header(self, name: str) -> str | None:
        """Return the request header `name`; several are joined by commas; None if there is none."""


class SessionNotOpen(Exception):  # noqa: N818 - a signal between the request and its middleware
    """The session has to be loaded before the key function can be asked again."""


def _no_session() -> ConfigError:
    return ConfigError("request.session: no SessionMiddleware stands around this")


class WsgiRequest:
    """A WSGI environ as a `Request`."""

    def __init__(self, environ: Environ) -> None:
        self.environ = environ

    @property
    def address(self) -> str | None:
        """See `Request`."""
        return self.environ.get("REMOTE_ADDR") or None

    @property
    def method(self) -> str:
        """See `Request`."""
        return str(self.environ["REQUEST_METHOD"])

    @property
    def path(self) -> str:
        """See `Request`."""
        return str(self.environ.get("SCRIPT_NAME", "")) + str(self.environ.get("PATH_INFO", ""))

    @property
    def session(self) -> Session:
        """See `Request`."""
        session = self.environ.get("holdfast.session")
        if not isinstance(session, Session):
            raise _no_session()
        return session

    def header(self, name: str) -> str | None:
        """See `Request`."""
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        value: str | None = self.environ.get(key)
        return value


class AsgiRequest:
    """An ASGI scope as a `Request`.

    Args:
        scope: Of type `http` or `websocket`.
        sessions_inside: There is a session middleware further in that can load the session.
    """

    def __init__(self, scope: Scope, *, sessions_inside: bool = False) -> None:
        self.scope = scope
        self._sessions_inside = sessions_inside

    @property
    def address(self) -> str | None:
        """See `Request`."""
        client = self.scope.get("client")
        return (client[0] or None) if client else None

    @property
    def method(self) -> str:
        """See `Request`."""
        return str(self.scope.get("method", "GET"))

    @property
    def path(self) -> str:
        """See `Request`."""
        return str(self.scope["path"])

    @property
    def session(self) -> Session:
        """See `Request`."""
        session = self.scope.get("session")
        if isinstance(session, Session):  # not that of another library's middleware
            return session
        raise SessionNotOpen if self._sessions_inside else _no_session()

    def header(self, name: str) -> str | None:
        """See `Request`."""
        return joined(self.scope, name)


def joined(scope: Mapping[str, Any], name: str) -> str | None:
    """Return the request header `name` of an ASGI scope; several are joined by commas.

    Those of Cookie are joined by semicolons (RFC 9113, 8.2.3).
    """
    wanted = name.lower().encode("latin-1")
    found = [value.decode("latin-1") for key, value in scope["headers"] if key == wanted]
    if not found:
        return None
    return ("; " if wanted == b"cookie" else ", ").join(found)


def inner(app: object, kind: type[T]) -> T | None:
    """Return the middleware of this kind that `app` is, or wraps as its `app`, if there is one."""
    for _ in range(50):  # a ring of wrappers is somebody's bug, not an endless start
        if app is None or isinstance(app, kind):
            return app
        app = getattr(app, "app", None)
    return None
