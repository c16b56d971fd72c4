"""ASGI: sessions, rate limits and protection from forged requests around any application.

`sessions.py`, `limits.py` and `csrf.py` have a middleware each, `sockets.py` the websocket that
ends with its session, `interface.py` the shapes of ASGI.
"""

from holdfast.web.asgi.csrf import CsrfMiddleware
from holdfast.web.asgi.limits import LimitMiddleware
from holdfast.web.asgi.sessions import SessionMiddleware

__all__ = ["CsrfMiddleware", "LimitMiddleware", "SessionMiddleware"]
