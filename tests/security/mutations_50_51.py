"""Items 50, 51, 54 without their defences: forged requests, websockets that outlive a session."""

from mutation import Mutation

__all__ = ["MUTATIONS"]

_FORGED = "tests/web/test_csrf_middleware.py"
_SOCKETS = "tests/web/test_websocket_sessions.py"
_RULES = "web/csrf.py"
_WSGI = "web/wsgi/csrf.py"
_ASGI = "web/asgi/csrf.py"
_SOCKET = "web/asgi/sockets.py"
_DECIDES = f"{_FORGED}::test_050_where_a_request_comes_from_decides"
_NEEDED = f"{_FORGED}::test_050_the_token_of_the_session_is_needed"
_OTHER_SITE = f"{_FORGED}::test_051_a_websocket_of_another_site_is_refused"

MUTATIONS = [
    Mutation(
        "50: a subdomain is one of ours",
        _RULES,
        'return site in ("same-origin", "none")',
        'return site in ("same-origin", "same-site", "none")',
        f"{_DECIDES}[wsgi-a subdomain]",
    ),
    Mutation(
        "50: an origin of an older browser is not compared",
        _RULES,
        'return not origin or _is_own(origin, request.header("host"), scheme)',
        "return True",
        f"{_DECIDES}[asgi-the older browser of another]",
    ),
    Mutation(
        "50: a page without TLS is ours",
        _RULES,
        'if scheme in ("https", "wss") and theirs != "https":',
        "if not theirs:",
        f"{_DECIDES}[wsgi-our page without TLS]",
    ),
    Mutation(
        "50: a method in another case is safe",
        _RULES,
        "return method in _SAFE",
        "return method.upper() in _SAFE",
        f"{_DECIDES}[asgi-another site]",
    ),
    Mutation(
        "50: the token is not compared over WSGI",
        _WSGI,
        "return request.session.check_csrf(token)",
        "return token is not None",
        f"{_NEEDED}[wsgi]",
    ),
    Mutation(
        "50: the token is not compared over ASGI",
        _ASGI,
        "return session.check_csrf(token), receive",
        "return token is not None, receive",
        f"{_NEEDED}[asgi]",
    ),
    Mutation(
        "51: a websocket is asked for nothing",
        _ASGI,
        'if kind in ("http", "websocket") and not is_safe',
        'if kind == "http" and not is_safe',
        f"{_OTHER_SITE}[another site-origin]",
    ),
    Mutation(
        "51: a websocket is asked for a token it cannot send",
        _ASGI,
        'mode = "origin" if kind == "websocket" else self.mode',
        "mode = self.mode",
        f"{_OTHER_SITE}[a page of ours-token]",
    ),
    Mutation(
        "51: nobody looks whether the session is still there",
        _SOCKET,
        "                alive = await exchange.sessions.aio.is_alive(exchange.session)\n",
        "                await exchange.sessions.aio.is_alive(exchange.session)\n",
        f"{_SOCKETS}::test_051_what_other_requests_do_to_the_session_decides[a revocation]",
    ),
    Mutation(
        "51: something leaves after the end",
        _SOCKET,
        "            raise _SocketOverError(_REASON)\n",
        "            await self._send(message)\n            raise _SocketOverError(_REASON)\n",
        f"{_SOCKETS}::test_051_a_websocket_is_closed_soon_after_its_session_is_destroyed[echo]",
    ),
    Mutation(
        "54: a store that is down closes websockets",
        _SOCKET,
        "with contextlib.suppress(StoreError):",
        "with contextlib.suppress():",
        f"{_SOCKETS}::test_054_a_websocket_stays_open_while_the_store_is_down",
    ),
    Mutation(
        "51: who looks after a websocket outlives it",
        _SOCKET,
        "            watching.cancel()",
        "            pass",
        f"{_SOCKETS}::test_051_a_websocket_stays_open_while_its_session_lives",
    ),
]
