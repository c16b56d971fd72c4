"""WSGI: protection from forged requests around any WSGI application.

Law: see `holdfast.web.csrf`. The application finds the whole body, whatever was read of it here.
"""

import io
from collections.abc import Iterable
from typing import Any

from holdfast.web.csrf import PEEKED, Guarding, forbidden, is_form, is_safe, token_in
from holdfast.web.request import Environ, WsgiRequest
from holdfast.web.wsgi.interface import App, StartResponse, answered

__all__ = ["CsrfMiddleware"]


class CsrfMiddleware(Guarding[App]):
    """Answers 403 to a request that changes something and was not made by a page of ours.

    It stands inside a `SessionMiddleware`. For its arguments see `Guarding`.
    """

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, or let the application do it."""
        request = WsgiRequest(environ)
        if is_safe(request.method) or self._is_ours(request):
            return self.app(environ, start_response)
        return answered(forbidden(self.mode), environ, start_response)

    def _is_ours(self, request: WsgiRequest) -> bool:
        if self.mode == "origin":
            return self.comes_from_us(request, request.environ["wsgi.url_scheme"])
        token = request.header("x-csrf-token")
        if token is None and is_form(request):
            token = token_in(_peek(request.environ))
        return request.session.check_csrf(token)


def _peek(environ: Environ) -> bytes:
    """Return the beginning of the body, and put a stream in its place that has it all."""
    length = _length(environ)
    if length is None:  # nobody knows where it ends
        return b""
    stream, begin = environ["wsgi.input"], bytearray()
    while chunk := stream.read(min(length, PEEKED) - len(begin)):
        begin += chunk
    rest = _Rejoined(bytes(begin), stream, length - len(begin))
    environ["wsgi.input"] = io.BufferedReader(rest)
    return bytes(begin)


def _length(environ: Environ) -> int | None:
    said = environ.get("CONTENT_LENGTH") or ""
    if said.isascii() and said.isdecimal():
        return int(said)
    return 1 << 62 if environ.get("wsgi.input_terminated") else None


class _Rejoined(io.RawIOBase):
    """What was read of a stream, and what is left of it: the server may block beyond its end."""

    def __init__(self, begin: bytes, stream: Any, left: int) -> None:
        self._begin = begin
        self._stream = stream
        self._left = left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = len(buffer)
        if self._begin:
            chunk, self._begin = self._begin[:size], self._begin[size:]
        else:
            chunk = self._stream.read(min(size, self._left)) if self._left else b""
            self._left -= len(chunk)
        buffer[: len(chunk)] = chunk
        return len(chunk)
