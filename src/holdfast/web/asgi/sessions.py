"""ASGI: sessions around any ASGI application.

Law: a session is loaded before the application runs, if a token came, and committed when
`http.response.start` is about to leave, so that its cookie can still be sent. A commit that has
begun is finished though its task be cancelled. A websocket never sets a cookie: what it writes is
stored when it ends, and only under a token its client holds already; it ends soon after its
session. Every message but the start passes untouched.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from holdfast.durations import Duration, seconds
from holdfast.errors import ConfigError, StoreError
from holdfast.session import Outcome, Sessions
from holdfast.session.outcome import NOTHING
from holdfast.web.asgi.interface import (
    TRY_AGAIN_LATER,
    App,
    Message,
    Receive,
    Send,
    as_octets,
    as_text,
    refuse,
    send_answer,
)
from holdfast.web.asgi.sockets import serve_watched
from holdfast.web.exchange import (
    Exchange,
    client_of,
    show_to_caches,
    transport_of,
    unreachable,
)
from holdfast.web.headers import unavailable
from holdfast.web.request import AsgiRequest, Scope, joined

__all__ = ["SESSION", "SessionMiddleware"]

SESSION = "session"
"""Where an application finds its session, in the scope."""
_EXCHANGE = "holdfast.exchange"
_finishing: set[asyncio.Task[None]] = set()  # a loop itself holds its tasks by weak references


class SessionMiddleware:
    """Puts a `holdfast.Session` into `scope["session"]` and commits it.

    If the application raises before the response has started, its changes are dropped, but a
    rotation, login or logout it asked for is done (its cookie cannot be sent then: the visitor is
    anonymous at his next request); the same with a 5xx answer, which carries the cookie. When the
    store cannot be asked the answer is 503.

    Args:
        app: The ASGI application.
        sessions: Where its sessions are kept; their `transport` says how the token travels.
        lazy: Load nothing by itself; the application awaits `scope["session"].load()`. A websocket
            has its session loaded all the same.
        revoke_check: How often it is asked, while a websocket is open, whether its session is still
            there; if not, the websocket is closed with code 1008. None: never.

    Raises:
        ConfigError: `revoke_check` is no duration, or zero.
    """

    def __init__(
        self,
        app: App,
        sessions: Sessions,
        *,
        lazy: bool = False,
        revoke_check: Duration | None = "5s",
    ) -> None:
        self._look_every = 0.0
        if revoke_check is not None:
            self._look_every = seconds(revoke_check, option="revoke_check")
            if not self._look_every:
                raise ConfigError("revoke_check=0: give a duration such as '5s', or None for never")
        self.app = app
        self.sessions = sessions
        self.transport = transport_of(sessions)
        self.lazy = lazy

    async def open(self, scope: Scope) -> Scope:
        """Return a scope with the session in it, for a middleware that needs it further out.

        Raises:
            StoreError: It could not be loaded.
        """
        exchange = self._carried(scope)
        await self._load(exchange, scope)
        return {**scope, SESSION: exchange.session, _EXCHANGE: exchange}

    def _carried(self, scope: Scope) -> Exchange:
        raw = joined(scope, self.transport.header)
        return Exchange(self.sessions, self.transport, raw)

    async def _load(self, exchange: Exchange, scope: Scope, *, lazy: bool = False) -> None:
        face = self.sessions.aio
        token = exchange.carried[0]
        exchange.session = face.lazy(token) if lazy else await face.load(token)
        if self.sessions.keeps_client:
            exchange.session.client = client_of(AsgiRequest(scope))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        exchange = scope.get(_EXCHANGE)
        if exchange is None or exchange.sessions is not self.sessions:
            exchange = self._carried(scope)
            try:
                await self._load(exchange, scope, lazy=self.lazy and kind == "http")
            except StoreError as error:
                if kind == "websocket":
                    exchange.tell(error)
                    await refuse(scope, receive, send, unavailable(), TRY_AGAIN_LATER)
                    return
                exchange.session = unreachable(error)
        show_to_caches(exchange.session, scope)
        scope = {**scope, SESSION: exchange.session, _EXCHANGE: None}
        if kind == "http":
            await self._http(exchange, scope, receive, send)
        else:
            await self._websocket(exchange, scope, receive, send)

    async def _http(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        reply = _Reply(exchange, send, bodyless=scope["method"] == "HEAD")
        try:
            await self.app(scope, receive, reply)
        except BaseException as error:
            if not reply.over:
                await _abandon(exchange)
            if reply.started or not isinstance(error, StoreError):
                raise
            await reply.store_down(error)
            return
        if exchange.session.accessed and not reply.over:  # what was written after the first byte
            await _commit(exchange, failed=not reply.started)

    async def _websocket(
        self, exchange: Exchange, scope: Scope, receive: Receive, send: Send
    ) -> None:
        exchange.session.response_begun()
        every = self._look_every
        try:
            if every and exchange.carried[0] and not exchange.session.is_new:
                await serve_watched(self.app, scope, receive, send, exchange=exchange, every=every)
            else:
                await self.app(scope, receive, send)
        except BaseException:  # the usual end: the peer is gone, and what it said counts
            await _abandon(exchange, failed=False)
            raise
        await _commit(exchange, failed=False)


class _Reply:
    """The `send` of one request: commits the session before the response starts.

    Attributes:
        started: The response has begun, ours or the application's.
        over: Nothing is to be committed any more.
    """

    __slots__ = ("_bodyless", "_exchange", "_replaced", "_send", "over", "started")

    def __init__(self, exchange: Exchange, send: Send, *, bodyless: bool) -> None:
        self._exchange = exchange
        self._bodyless = bodyless
        self._send = send
        self._replaced = False
        self.over = False
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self.started:
            exchange = self._exchange
            if not exchange.untouched:
                try:
                    message = await _answered(exchange, message)
                except StoreError as error:
                    await self.store_down(error)
                    return
                except asyncio.CancelledError:
                    self.over = True  # the commit goes on by itself
                    raise
            exchange.session.response_begun()
            self.started = True
        if not self._replaced:
            await self._send(message)

    async def store_down(self, error: StoreError) -> None:
        """Send the answer that says so; what the application still sends is dropped."""
        self._exchange.tell(error)
        self.started = self._replaced = self.over = True
        await send_answer(self._send, unavailable(), "http.response", bodyless=self._bodyless)


async def _answered(exchange: Exchange, message: Message) -> Message:
    """Commit, and return the start of the response with what it must say."""
    outcome = await _commit(exchange, failed=message["status"] >= 500)
    headers = exchange.answer(as_text(message.get("headers", ())), outcome)
    return {**message, "headers": as_octets(headers)}


async def _commit(exchange: Exchange, *, failed: bool) -> Outcome:
    """Commit to the end, though the task that waits for it be cancelled."""
    sessions = exchange.sessions
    if not failed and sessions.aio.is_idle(exchange.session):
        return NOTHING  # a task for it would take longer than to load the session
    steps = sessions.aio.commit(exchange.session, failed=failed)
    store = sessions.store or sessions.revocations
    if store is None or getattr(store, "never_waits", False):
        return await steps
    # What `asyncio.shield` does, which would tell of the end two turns of the loop later.
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Outcome] = loop.create_future()
    task = loop.create_task(_finish(exchange, steps, answer))
    _finishing.add(task)
    task.add_done_callback(_finishing.discard)
    try:
        return await answer
    except asyncio.CancelledError:
        if not answer.cancelled():  # the end and the cancellation met in one turn
            _overhear(exchange, answer.exception())
        raise


def _overhear(exchange: Exchange, error: BaseException | None) -> None:
    """Tell the observer of a commit that failed though nobody waits for it any more."""
    if isinstance(error, StoreError):
        exchange.tell(error)


async def _finish(
    exchange: Exchange, steps: Coroutine[Any, Any, Outcome], answer: "asyncio.Future[Outcome]"
) -> None:
    """Commit, and give `answer` what comes of it; nobody waits for it if he was cancelled."""
    try:
        outcome = await steps
    except BaseException as error:
        if answer.done():
            _overhear(exchange, error)
        else:
            answer.set_exception(error)
        if not isinstance(error, Exception):
            raise
    else:
        if not answer.done():
            answer.set_result(outcome)


async def _abandon(exchange: Exchange, *, failed: bool = True) -> None:
    """Commit though no cookie will be sent: the application failed, or it was a websocket."""
    try:
        await _commit(exchange, failed=failed)
    except StoreError as error:  # nobody is left to be told but the observer
        exchange.tell(error)
