"""Forged requests (CSRF): whether a request was made by one of our own pages.

Law: no I/O. A request that only reads passes. Of the others it is asked where they come from, which
the browser says and no page can change; or for a token of the session, which no other site can
know. Who sends neither `Sec-Fetch-Site` nor `Origin` is no browser: nobody's cookies are abused.
"""

import re
from collections.abc import Iterable
from typing import Generic, Literal, TypeVar

from holdfast.errors import ConfigError
from holdfast.web.headers import Answer
from holdfast.web.request import Request

__all__ = ["PEEKED", "Guarding", "forbidden", "is_form", "is_safe", "token_in"]

PEEKED = 65536
"""Bytes of a form's body in which its token is looked for."""

App = TypeVar("App")

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110, 9.2.1
_ORIGIN = re.compile(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")
_PORTS = {"http": ":80", "https": ":443"}
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
# Any valid token proves the same, wherever it stands, so that nothing need be parsed as the
# application will; the few header lines of a part are bounded, for the body is a stranger's.
_FIELD = re.compile(
    rb"(?:\A|&)csrf_token=([A-Za-z0-9_-]{86})(?=&|\Z)"
    rb'|\r\nContent-Disposition: form-data; name="csrf_token"\r\n'
    rb"(?:[^\r\n]+\r\n){0,4}\r\n([A-Za-z0-9_-]{86})\r\n",
    re.IGNORECASE,
)
_REASONS = {
    "origin": "This request was made by a page of another site and has been refused.\n",
    "token": (
        "This request has no valid CSRF token and has been refused. Reload the page and try again;"
        " programs send the token in the header X-CSRF-Token.\n"
    ),
}


class Guarding(Generic[App]):
    """An application, and how it is told which requests are its own.

    Args:
        app: The application.
        mode: `"origin"`: the browser says where a request comes from (`Sec-Fetch-Site`, in older
            ones `Origin`); pages need nothing. `"token"`: the header `X-CSRF-Token` or the form
            field `csrf_token` has what `session.csrf_token()` returned; the field must stand in the
            first 64 KiB of a form. Websockets cannot send a token: their origin counts.
        trusted_origins: Other origins that may send requests and open websockets, such as
            `["https://admin.example.com"]`; in the mode `"token"` for websockets only.

    Raises:
        ConfigError: The mode is unknown, or an origin is none.
    """

    def __init__(
        self,
        app: App,
        *,
        mode: Literal["origin", "token"] = "origin",
        trusted_origins: Iterable[str] = (),
    ) -> None:
        if mode not in _REASONS:
            raise ConfigError(f"mode={mode!r}: 'origin' or 'token'")
        given: object = trusted_origins
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise ConfigError(f"trusted_origins={trusted_origins!r}: give a list of origins")
        self.app = app
        self.mode = mode
        self.trusted_origins = frozenset(map(_trusted, trusted_origins))

    def comes_from_us(self, request: Request, scheme: str) -> bool:
        """Return whether no foreign page made this request.

        Args:
            request: The request.
            scheme: Its scheme, as far as the server knows: behind a proxy it may be `http` though
                the browser speaks https, never the other way round.
        """
        origin, site = request.header("origin"), request.header("sec-fetch-site")
        if origin and _normal(origin) in self.trusted_origins:
            return True
        if site:
            return site in ("same-origin", "none")
        return not origin or _is_own(origin, request.header("host"), scheme)


def is_safe(method: str) -> bool:
    """Return whether requests of this method change nothing."""
    return method in _SAFE


def is_form(request: Request) -> bool:
    """Return whether the request has a body that a browser's form may have made."""
    return (request.header("content-type") or "").lower().startswith(_FORMS)


def token_in(body: bytes) -> str | None:
    """Return the field `csrf_token` of a form, of which `body` is the beginning."""
    found = _FIELD.search(body)
    return None if found is None else (found[1] or found[2]).decode("ascii")


def forbidden(mode: str) -> Answer:
    """Return status, headers and body of the answer to a request that is none of ours."""
    body = _REASONS[mode].encode()
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    return "403 Forbidden", headers, body


def _trusted(origin: object) -> str:
    normal = _normal(origin) if isinstance(origin, str) else None
    if normal is None:
        raise ConfigError(f"trusted_origins: {origin!r}: write it as 'https://admin.example.com'")
    return normal


def _normal(origin: str) -> str | None:
    """Return an origin as it is compared, without the port of its scheme; None if it is none."""
    found = _ORIGIN.fullmatch(origin.lower())
    return found and f"{found[1]}://{_place(found[1], (found[2]) + (found[3] or ''))}"


def _is_own(origin: str, host: str | None, scheme: str) -> bool:
    """Return whether `origin` is the place the request was sent to."""
    normal = _normal(origin)
    if normal is None or not host:
        return False
    theirs, _, place = normal.partition("://")
    if scheme in ("https", "wss") and theirs != "https":
        return False  # whoever is in the network between can write such a page
    return place == _place(theirs, host.lower())


def _place(scheme: str, host: str) -> str:
    return host.removesuffix(_PORTS[scheme])
