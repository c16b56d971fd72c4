"""WSGI: sessions, rate limits and protection from forged requests around any application.

`sessions.py`, `limits.py` and `csrf.py` have a middleware each, `interface.py` the shapes of WSGI.
"""

from holdfast.web.wsgi.csrf import CsrfMiddleware
from holdfast.web.wsgi.limits import LimitMiddleware
from holdfast.web.wsgi.sessions import SessionMiddleware

__all__ = ["CsrfMiddleware", "LimitMiddleware", "SessionMiddleware"]
