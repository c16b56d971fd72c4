"""What the two `LimitMiddleware` are made of, the same over WSGI and ASGI.

Law: no I/O; what cannot be meant is a `ConfigError` when the middleware is made.
"""

from typing import Generic, TypeVar

from holdfast.limit import Limiter
from holdfast.limit.rate import parse_rates
from holdfast.web.keys import Key, by_peer

__all__ = ["Limiting"]

App = TypeVar("App")


class Limiting(Generic[App]):
    """An application, and who may use it how often.

    Args:
        app: The application.
        limiter: What counts.
        rates: `"100/minute"`, or several: `"5/minute; 100/hour"`.
        key: Whose bucket a request falls into: one of `holdfast.web.keys`, or your own function of
            a `holdfast.web.request.Request`; None from it: not limited. Over ASGI it may be called
            twice.
        name: Two middlewares of different names never share a bucket.

    Raises:
        ConfigError: `rates` is no rate.
    """

    def __init__(
        self, app: App, limiter: Limiter, rates: str, *, key: Key = by_peer, name: str = ""
    ) -> None:
        parse_rates(rates)
        self.app = app
        self.limiter = limiter
        self.rates = rates
        self.key = key
        self.name = name
