"""The shapes of WSGI (PEP 3333), and an answer in the application's place.

Law: nothing here knows what a session or a limit is.
"""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from holdfast.web.headers import Answer
from holdfast.web.request import Environ

__all__ = ["App", "ExcInfo", "StartResponse", "Write", "answered", "sendable"]

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
Write = Callable[[bytes], object]
StartResponse = Callable[..., Write]
App = Callable[[Environ, Any], Iterable[bytes]]


def answered(answer: Answer, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer in the application's place."""
    status, headers, body = answer
    start_response(status, headers)
    return [sendable(body, environ)]


def sendable(body: bytes, environ: Environ) -> bytes:
    """Return `body`, or nothing for HEAD: some servers send what they get, whatever was asked."""
    return b"" if environ["REQUEST_METHOD"] == "HEAD" else body
