"""ASGI: rate limits around any ASGI application.

Law: nothing is counted but by the limiter, and nothing is changed but the headers of the answer.
"""

from functools import cached_property

from holdfast.errors import StoreError
from holdfast.limit.decision import Decision
from holdfast.session import Session
from holdfast.web.asgi.interface import (
    POLICY_VIOLATION,
    TRY_AGAIN_LATER,
    App,
    Message,
    Receive,
    Send,
    as_octets,
    as_text,
    refuse,
)
from holdfast.web.asgi.sessions import SESSION, SessionMiddleware
from holdfast.web.exchange import tell_store_down
from holdfast.web.headers import denial, limited, unavailable
from holdfast.web.keys import bucket
from holdfast.web.limiting import Limiting
from holdfast.web.request import AsgiRequest, Scope, SessionNotOpen, inner

__all__ = ["LimitMiddleware"]


class LimitMiddleware(Limiting[App]):
    """Answers 429 to whoever hits too often, and tells everybody what remains.

    It may stand outside a `SessionMiddleware` or inside it; `by_session` works in both places. A
    websocket counts once, when it is opened; one that is refused is closed with code 1008. For its
    arguments see `Limiting`.
    """

    @cached_property
    def _inside(self) -> SessionMiddleware | None:
        return inner(self.app, SessionMiddleware)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection, or let the application do it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        try:
            scope, key = await self._key(scope)
        except StoreError as error:
            outside = isinstance(scope.get(SESSION), Session) and self._inside is None
            if outside and scope["type"] == "http":
                raise  # the session middleware outside answers, and tells its observer
            if self._inside is not None:
                tell_store_down(self._inside.sessions, error)
            await refuse(scope, receive, send, unavailable(), TRY_AGAIN_LATER)
            return
        if key is None:
            await self.app(scope, receive, send)
            return
        decision = await self.limiter.aio.hit(bucket(self.name, key), self.rates)
        if decision.allowed:
            await self.app(scope, receive, _with_figures(send, decision))
        else:
            await refuse(scope, receive, send, denial(decision), POLICY_VIOLATION)

    async def _key(self, scope: Scope) -> tuple[Scope, str | None]:
        """Return whose bucket this is, and the scope with the session if that had to be loaded."""
        try:
            request = AsgiRequest(scope, sessions_inside=self._inside is not None)
            return scope, self.key(request)
        except SessionNotOpen:
            assert self._inside is not None  # noqa: S101 - nobody else raises it
            scope = await self._inside.open(scope)
            return scope, self.key(AsgiRequest(scope))


def _with_figures(send: Send, decision: Decision) -> Send:
    """Return a `send` that tells what remains."""

    async def send_with_figures(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = limited(as_text(message.get("headers", ())), decision)
            message = {**message, "headers": as_octets(headers)}
        await send(message)

    return send_with_figures
