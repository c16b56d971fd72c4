"""ASGI: protection from forged requests around any ASGI application.

Law: see `holdfast.web.csrf`. A websocket of another origin is refused before it is accepted. The
application is told the whole body, whatever was received of it here.
"""

from holdfast.web.asgi.interface import POLICY_VIOLATION, App, Message, Receive, Send, refuse
from holdfast.web.csrf import PEEKED, Guarding, forbidden, is_form, is_safe, token_in
from holdfast.web.request import AsgiRequest, Scope

__all__ = ["CsrfMiddleware"]


class CsrfMiddleware(Guarding[App]):
    """Answers 403 to a request that changes something and was not made by a page of ours.

    A websocket that another site's page opens is refused. It stands inside a `SessionMiddleware`.
    For its arguments see `Guarding`.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection, or let the application do it."""
        kind = scope["type"]
        mode = "origin" if kind == "websocket" else self.mode
        if kind in ("http", "websocket") and not is_safe(scope.get("method", "")):
            request = AsgiRequest(scope)
            if mode == "token":
                ours, receive = await self._has_token(request, receive)
            else:
                ours = self.comes_from_us(request, scope.get("scheme", "http"))
            if not ours:
                await refuse(scope, receive, send, forbidden(mode), POLICY_VIOLATION)
                return
        await self.app(scope, receive, send)

    async def _has_token(self, request: AsgiRequest, receive: Receive) -> tuple[bool, Receive]:
        """Return whether a token of the session came, and what the application receives."""
        session = await request.session.load()
        token = request.header("x-csrf-token")
        if token is None and is_form(request):
            begin, receive = await _peek(receive)
            token = token_in(begin)
        return session.check_csrf(token), receive


async def _peek(receive: Receive) -> tuple[bytes, Receive]:
    """Return the beginning of the body, and a `receive` that tells it all."""
    begin, more, told = bytearray(), True, list[Message]()
    while more and len(begin) < PEEKED:
        message = await receive()
        if message["type"] != "http.request":
            told.append(message)
            break
        begin += message.get("body", b"")
        more = message.get("more_body", False)
    told.append({"type": "http.request", "body": bytes(begin), "more_body": more})

    async def receive_all() -> Message:
        return told.pop() if told else await receive()

    return bytes(begin[:PEEKED]), receive_all
