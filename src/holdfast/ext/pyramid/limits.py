"""Pyramid: rate limits, around the whole application and around single views.

Law: nothing is counted but by the limiter. A refusal is raised as `LimitExceeded`, so that an
exception view of the application's own can say it in its own words.
"""

from collections.abc import Callable
from typing import Any

from pyramid.response import Response

from holdfast.errors import ConfigError, LimitExceeded
from holdfast.limit import Limiter
from holdfast.limit.rate import parse_rates
from holdfast.session import Session
from holdfast.web.headers import Answer, denial, limited
from holdfast.web.keys import Key, bucket
from holdfast.web.request import WsgiRequest

__all__ = ["Limits", "answered", "limit_tween_factory", "limited_view", "refused"]

View = Callable[[Any, Any], Any]


class _PyramidRequest(WsgiRequest):
    """A request of Pyramid as a limit's key function sees it."""

    def __init__(self, request: Any) -> None:
        WsgiRequest.__init__(self, request.environ)
        self._request = request

    @property
    def session(self) -> Session:
        """See `holdfast.web.request.Request`."""
        session = self._request.session
        if not isinstance(session, Session):
            raise ConfigError("holdfast.limit.key: request.session is not one of Holdfast's")
        return session


class Limits:
    """What limits the requests of one application.

    Args:
        limiter: What counts.
        key: Whose bucket a request falls into.
        rates: Those of the whole application; None: only views have some.
    """

    def __init__(self, limiter: Limiter, key: Key, rates: str | None = None) -> None:
        if rates is not None:
            parse_rates(rates)
        self.limiter = limiter
        self.key = key
        self.rates = rates

    def check(self, request: Any, rates: str, name: str = "") -> None:
        """Count a request, and let its response say what remains.

        Raises:
            LimitExceeded: It was one too many.
        """
        key = self.key(_PyramidRequest(request))
        if key is None:
            return
        decision = self.limiter.hit(bucket(name, key), rates)
        if not decision.allowed:
            raise LimitExceeded(decision)

        def tell(_request: Any, response: Any) -> None:
            response.headerlist = limited(list(response.headerlist), decision)

        request.add_response_callback(tell)


def limit_tween_factory(handler: Callable[[Any], Any], registry: Any) -> Callable[[Any], Any]:
    """Return the tween that counts every request against `holdfast.limit.rates`."""
    limits: Limits = registry.holdfast.limits
    rates = limits.rates or ""

    def limit_tween(request: Any) -> Any:
        limits.check(request, rates)
        return handler(request)

    return limit_tween


def limited_view(view: View, info: Any) -> View:
    """Derive the views that were given `limit="5/minute"`; each has buckets of its own."""
    rates = info.options.get("limit")
    if rates is None:
        return view
    parse_rates(rates)
    name = _name_of(info)

    def counted(context: Any, request: Any) -> Any:
        limits = request.registry.holdfast.limits
        if limits is None:
            raise ConfigError(f"limit={rates!r}: holdfast.limit.url says where to count")
        limits.check(request, rates, name)
        return view(context, request)

    return counted


limited_view.options = ("limit",)  # type: ignore[attr-defined] # how Pyramid is told of an option


def _name_of(info: Any) -> str:
    """Return what names a view in the store, the same in each process."""
    view, options = info.original_view, info.options
    own = f"{getattr(view, '__module__', '')}.{getattr(view, '__qualname__', type(view).__name__)}"
    parts = (options.get("route_name"), options.get("name"), own, options.get("attr"))
    return ":".join(str(part) for part in parts if part)


def answered(answer: Answer) -> Response:
    """Return `answer` as a response of Pyramid."""
    status, headers, body = answer
    return Response(body, status=status, headerlist=headers)


def refused(error: Any, _request: Any) -> Response:
    """Be the view of a `LimitExceeded`, where the application has none: 429, and when to return."""
    return answered(denial(error.decision))
