"""A websocket that ends with its session.

Law: the session is asked for every so often, and while the store gives no answer the websocket
stays open. Once the session is gone the peer is told `websocket.close`, the application
`websocket.disconnect`, and nothing it still sends leaves. No task outlives the websocket.
"""

import asyncio
import contextlib
from typing import Any

from holdfast.errors import StoreError
from holdfast.web.asgi.interface import POLICY_VIOLATION, App, Message, Receive, Send
from holdfast.web.exchange import Exchange
from holdfast.web.request import Scope

__all__ = ["serve_watched"]

_REASON = "the session is over"
_CLOSED = {"type": "websocket.disconnect", "code": POLICY_VIOLATION, "reason": _REASON}
_ENDINGS = ("websocket.close", "websocket.http.response.start")


class _SocketOverError(ConnectionError):
    """What the application is told that sends on: an `OSError`, as of a peer who is gone."""


async def serve_watched(
    app: App, scope: Scope, receive: Receive, send: Send, *, exchange: Exchange, every: float
) -> None:
    """Run `app` over a websocket, and close it soon after its session was destroyed.

    Args:
        app: The application.
        scope: Of type `websocket`.
        receive: The server's.
        send: The server's.
        exchange: Whose session is loaded and stored.
        every: Seconds between two looks at the session.
    """
    socket = _Socket(receive, send)
    watching = asyncio.ensure_future(_watch(socket, exchange, every))
    try:
        await app(scope, socket.receive, socket.send)
    except* _SocketOverError:
        pass
    finally:
        if not socket.over.done():
            watching.cancel()  # else it is closing the websocket, and the peer has to hear of it
        await asyncio.wait([watching, *socket.waiting()])
        if not watching.cancelled():
            watching.result()  # what a `check_user` of the application raised


async def _watch(socket: "_Socket", exchange: Exchange, every: float) -> None:
    """Close `socket` once its session is gone."""
    alive = True
    try:
        while alive:
            await asyncio.sleep(every)
            with contextlib.suppress(StoreError):
                alive = await exchange.sessions.aio.is_alive(exchange.session)
    except Exception:  # of the application's `check_user`: nobody stays who cannot be asked for
        await socket.close()
        raise
    await socket.close()


class _Socket:
    """`receive` and `send` of one websocket.

    Attributes:
        over: Done once it was closed from here.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._next: asyncio.Future[Any] | None = None  # what the server will say
        self._ended = False

    async def receive(self) -> Any:
        """Return the next message of the server, or that the websocket was closed."""
        if self._next is None:  # else the last who asked for it was cancelled
            self._next = asyncio.ensure_future(self._receive())
        said = self._next
        await asyncio.wait((said, self.over), return_when=asyncio.FIRST_COMPLETED)
        if self.over.done():
            return dict(_CLOSED)
        self._next = None
        message = said.result()
        self._ended = self._ended or message["type"] == _CLOSED["type"]
        return message

    async def send(self, message: Message) -> None:
        """Send a message; once the websocket was closed, raise as for a peer who is gone."""
        ending = message["type"] in _ENDINGS
        if not self.over.done():
            self._ended = self._ended or ending
            await self._send(message)
        elif not ending:
            raise _SocketOverError(_REASON)

    async def close(self) -> None:
        """Close the websocket, unless it is at its end already."""
        if self._ended:
            return
        self.over.set_result(None)
        closing = {"type": "websocket.close", "code": POLICY_VIOLATION, "reason": _REASON}
        with contextlib.suppress(OSError):  # the peer is gone
            await self._send(closing)

    def waiting(self) -> list[asyncio.Future[Any]]:
        """Return what still waits for the server, told not to."""
        if self._next is None:
            return []
        self._next.cancel()
        return [self._next]
