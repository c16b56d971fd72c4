"""The shapes of ASGI 3, and an answer in the application's place.

Law: nothing here knows what a session or a limit is.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from holdfast.web.headers import Answer, Headers
from holdfast.web.request import Scope

__all__ = [
    "POLICY_VIOLATION",
    "TRY_AGAIN_LATER",
    "App",
    "Message",
    "Receive",
    "Send",
    "as_octets",
    "as_text",
    "refuse",
    "send_answer",
]

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[object]]

POLICY_VIOLATION = 1008
"""The close code of a websocket that may not be (RFC 6455, 7.4.1)."""
TRY_AGAIN_LATER = 1013
"""The close code of a websocket that could be at another time (IANA)."""


def as_text(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers of an ASGI message as text, one character per octet."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def as_octets(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI messages have them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


async def refuse(
    scope: Scope, receive: Receive, send: Send, answer: Answer, close_code: int
) -> None:
    """Answer in the application's place; a websocket is closed before it was accepted."""
    if scope["type"] == "http":
        await send_answer(send, answer, "http.response", bodyless=scope["method"] == "HEAD")
        return
    await receive()  # websocket.connect
    if "websocket.http.response" in scope.get("extensions", {}):
        await send_answer(send, answer, "websocket.http.response")
    else:
        await send({"type": "websocket.close", "code": close_code})


async def send_answer(send: Send, answer: Answer, kind: str, *, bodyless: bool = False) -> None:
    """Send a whole answer, as messages of this kind."""
    status, headers, body = answer
    start = {"type": f"{kind}.start", "status": int(status[:3]), "headers": as_octets(headers)}
    await send(start)
    await send({"type": f"{kind}.body", "body": b"" if bodyless else body})
