"""A Tornado request as `holdfast.web.keys` sees it.

Law: reading only. The address is the one Tornado believes: the peer's, or with `xheaders=True` what
the proxy in front said.
"""

from typing import Any, Protocol

from tornado.httputil import HTTPServerRequest

from holdfast.session import Session

__all__ = ["TornadoRequest", "joined"]

_NO_ADDRESS = "0.0.0.0"  # noqa: S104 - what Tornado says of a unix socket's peer


class _Handler(Protocol):
    request: HTTPServerRequest

    @property
    def session(self) -> Session[Any]: ...


class TornadoRequest:
    """The request of a handler as a `holdfast.web.request.Request`."""

    def __init__(self, handler: _Handler) -> None:
        self._handler = handler
        self._request = handler.request

    @property
    def address(self) -> str | None:
        """See `Request`."""
        address = self._request.remote_ip
        return None if address == _NO_ADDRESS else address

    @property
    def method(self) -> str:
        """See `Request`."""
        return str(self._request.method)

    @property
    def path(self) -> str:
        """See `Request`."""
        return str(self._request.path)

    @property
    def session(self) -> Session[Any]:
        """See `Request`."""
        return self._handler.session

    def header(self, name: str) -> str | None:
        """See `Request`."""
        return joined(self._request, name)


def joined(request: HTTPServerRequest, name: str) -> str | None:
    """Return a request header; several are joined, those of Cookie by semicolons."""
    found = request.headers.get_list(name)
    if not found:
        return None
    return ("; " if name.lower() == "cookie" else ", ").join(found)
