"""The mixin for request handlers and websockets of Tornado.

Law: a session is loaded before the handler runs, if a token came, and committed when its headers
are about to leave (`reply.py`). A websocket never sets a cookie: what it writes is stored when it
ends, and only under a token its client holds already; it ends soon after its session. What any
header says stands in `holdfast.web`.
"""

from contextlib import AbstractAsyncContextManager, nullcontext
from functools import cached_property, partial
from types import TracebackType
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

from tornado.log import gen_log
from tornado.web import HTTPError, RequestHandler
from tornado.websocket import WebSocketHandler

from holdfast.durations import Duration
from holdfast.errors import (
    ConfigError,
    LimitExceeded,
    StoreError,
)
from holdfast.ext.tornado.reply import Reply
from holdfast.ext.tornado.request import TornadoRequest, joined
from holdfast.ext.tornado.sockets import interval, watched
from holdfast.limit import Limiter
from holdfast.limit.decision import Decision
from holdfast.session import Session, Sessions
from holdfast.web.exchange import Exchange, client_of, transport_of, unreachable
from holdfast.web.headers import Answer, denial, unavailable
from holdfast.web.keys import Key, bucket, by_peer
from holdfast.web.transport import Transport

__all__ = ["Limited", "Notifications", "SessionMixin"]

_transports: WeakKeyDictionary[Sessions[Any], Transport] = WeakKeyDictionary()


class Limited(HTTPError, LimitExceeded):  # noqa: N818 - as its kin
    """A limit said no: answered 429, or 503 where the store could not be asked.

    Attributes:
        decision: The `holdfast.limit.Decision`, with `retry_after` in seconds.
    """

    def __init__(self, decision: Decision) -> None:
        self.answer = denial(decision)
        super().__init__(int(self.answer[0][:3]), "rate limit exceeded")
        self.decision = decision

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.decision,)


class Notifications:
    """Values of a session that are read once. Made by `SessionMixin.notifications`."""

    def __init__(self, handler: "SessionMixin") -> None:
        self._handler = handler

    def notify(self, name: str, value: Any) -> None:
        """Leave `value` under `name`; several wait in a row.

        Raises:
            CodecError: `value` is nothing the codec can carry.
            SessionCommitted: The response has begun and the client holds no token.
        """
        self._handler.session.notify(name, value)

    async def take(self, name: str, default: Any = None) -> Any:
        """Return the oldest value under `name` and remove it, now; of two requests one gets it.

        Raises:
            StoreError: It could not be claimed; whoever asks again may get it.
        """
        return await self._handler.session.aio.take(name, default)


class SessionMixin(RequestHandler):
    """Gives a handler its session, its notifications and its limits.

    It is a handler itself, and stands first: `class Home(SessionMixin, RequestHandler)`. The
    settings of the application say where things are: `holdfast_sessions` (a `Sessions`) and
    `holdfast_limiter` (a `Limiter`). A handler may override the methods as usual.

    An answer of 500 and above keeps nothing of what the handler wrote, but a rotation, login or
    logout it asked for is done. When the store cannot be asked the answer is 503.

    Attributes:
        revoke_check: How often it is asked, while a websocket is open, whether its session is still
            there; if not, the websocket is closed with code 1008. None: never.
    """

    revoke_check: Duration | None = "5s"

    # What a handler uses

    @property
    def session(self) -> Session[Any]:
        """The session of this request; read only between `flush()` or `finish()` and its end.

        Raises:
            ConfigError: The application has no `holdfast_sessions`.
        """
        if self._reply.exchange is None:
            raise ConfigError(
                "self.session: Application(..., holdfast_sessions=Sessions(...)); from prepare() on"
            )
        return self._reply.exchange.session

    @property
    def notifications(self) -> Notifications:
        """What this session is told once."""
        return Notifications(self)

    async def limit(
        self, rates: str, *, key: Key | str = by_peer, name: str | None = None, cost: int = 1
    ) -> Decision | None:
        """Count a hit, and go on only if it was allowed; the answer's headers tell what remains.

        Args:
            rates: `"5/minute; 100/hour"`.
            key: Whose bucket it falls into: one of `holdfast.web.keys`, your own function of a
                `holdfast.web.request.Request` (None from it: not limited), or the bucket itself,
                such as `f"login:{name}"`.
            name: Handlers that give the same name share their buckets; None: this class alone.
            cost: How much this hit weighs.

        Returns:
            What the limiter said; None if the request is not limited.

        Raises:
            Limited: It is too often. Tornado answers 429, with `Retry-After`.
            ConfigError: The application has no `holdfast_limiter`, or `rates` is no rate.
            StoreError: The key function asked for the session, and its store failed.
        """
        limiter = self.settings.get("holdfast_limiter")
        if not isinstance(limiter, Limiter):
            raise ConfigError("self.limit: Application(..., holdfast_limiter=Limiter(...))")
        whose = key if isinstance(key, str) else key(TornadoRequest(self))
        if whose is None:
            return None
        if name is None:
            name = f"{type(self).__module__}.{type(self).__qualname__}"
        decision = await limiter.aio.hit(bucket(name, whose), rates, cost=cost)
        self._reply.decisions.append(decision)
        if not decision.allowed:
            raise Limited(decision)
        return decision

    def get_current_user(self) -> Any:
        """Return who is signed in: `self.current_user`, and what `@authenticated` asks for."""
        return super().get_current_user() if self._reply.exchange is None else self.session.user

    # What Tornado calls

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        interval(cls.revoke_check)

    async def _execute(self, transforms: Any, *args: bytes, **kwargs: bytes) -> None:
        """Load the session, handle the request, and commit what the response did not."""
        self.request.connection = reply = self._reply
        socket: AbstractAsyncContextManager[None] = nullcontext()
        try:
            exchange = await self._load()
            if exchange is not None and isinstance(self, WebSocketHandler):
                socket = watched(self, exchange, interval(self.revoke_check))
        except Exception as error:  # noqa: BLE001 - whatever it is, Tornado answers it in its way
            self.prepare = partial(_fail, error)  # type: ignore[method-assign]
        try:
            async with socket:
                await super()._execute(transforms, *args, **kwargs)
        finally:
            await reply.end()

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Send an error page; 503 where a store could not be asked."""
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, StoreError) and self._reply.exchange is not None:
            self._reply.exchange.tell(error)
        answer = _refusal(error)
        if answer is not None and not self._reply.begun:
            self._reply.refusal = answer
            status_code = int(answer[0][:3])
        super().send_error(status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write an error page; override it as that of any handler."""
        refusal = self._reply.refusal
        if refusal is None:
            super().write_error(status_code, **kwargs)
            return
        _, fields, body = refusal
        self.set_header("Content-Type", dict(fields)["Content-Type"])
        self.finish(body)

    def log_exception(
        self, typ: Any, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Log an exception; of a store that is down a line, for each request may have one."""
        if isinstance(value, StoreError):
            gen_log.warning("503 %s: %s", self._request_summary(), value)
        else:
            super().log_exception(typ, value, tb)

    # How

    @cached_property
    def _reply(self) -> Reply:
        return Reply(
            self.request.connection,
            bodyless=self.request.method == "HEAD",
            is_socket=isinstance(self, WebSocketHandler),
            log=self.log_exception,
        )

    async def _load(self) -> Exchange | None:
        """Load the session; where its store fails, whoever touches it is told."""
        sessions = self.settings.get("holdfast_sessions")
        if sessions is None:
            return None
        transport = _transport(sessions)
        exchange = Exchange(sessions, transport, joined(self.request, transport.header))
        exchange.session = sessions.aio.lazy(exchange.carried[0])
        self._reply.exchange = exchange
        if sessions.keeps_client:
            exchange.session.client = client_of(TornadoRequest(self))
        is_socket = isinstance(self, WebSocketHandler)
        try:
            await exchange.session.load()
        except StoreError as error:
            if is_socket:
                raise  # nobody could say when its session ends
            exchange.session = unreachable(error)
        if is_socket:
            exchange.session.response_begun()
        return exchange


def _refusal(error: object) -> Answer | None:
    """Return the answer to a request that failed so, where it is one of ours."""
    if isinstance(error, Limited):
        return error.answer
    return unavailable() if isinstance(error, StoreError) else None


def _fail(error: Exception) -> NoReturn:
    """Be the `prepare` of a request that failed before it."""
    raise error


def _transport(sessions: Any) -> Transport:
    """Return the transport of `sessions`, made once."""
    if isinstance(sessions, Sessions) and (known := _transports.get(sessions)) is not None:
        return known
    _transports[sessions] = transport = transport_of(sessions)
    return transport
