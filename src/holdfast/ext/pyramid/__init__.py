"""Pyramid: `config.include("holdfast.ext.pyramid")`.

Law: including this connects nothing. What the settings do not ask for is not there; what an
application configures itself wins, as with everything that is included.

    holdfast.session.url = redis://localhost/0    request.session
    holdfast.cache.default.url = memory://        request.cache, and holdfast.regions
    holdfast.limit.url = redis://localhost/0      ..., and the option limit= of views
"""

from dataclasses import dataclass
from typing import Any

from pyramid.tweens import EXCVIEW

from holdfast.cache import Cache
from holdfast.cache.region import regions
from holdfast.errors import LimitExceeded, StoreError
from holdfast.ext.pyramid.limits import Limits, answered, limited_view, refused
from holdfast.ext.pyramid.sessions import CsrfTokens, PyramidSession, session_factory
from holdfast.ext.pyramid.settings import limits_from, sessions_from
from holdfast.session import Sessions
from holdfast.web.exchange import tell_store_down
from holdfast.web.headers import unavailable

__all__ = ["CsrfTokens", "Holdfast", "PyramidSession", "includeme", "session_factory"]

_TWEEN = "holdfast.ext.pyramid.limits.limit_tween_factory"


@dataclass
class Holdfast:
    """What the settings of one application made: `request.registry.holdfast`.

    Attributes:
        sessions: To list or revoke those of a user; None without `holdfast.session.*`.
        limits: None without `holdfast.limit.*`.
    """

    sessions: Sessions[Any] | None = None
    limits: Limits | None = None

    def close(self) -> None:
        """Close the stores of sessions and limits, as a test does at its end."""
        if self.sessions is not None:
            for store in (self.sessions.store, self.sessions.revocations):
                if store is not None:
                    store.close()
        if self.limits is not None:
            self.limits.limiter.store.close()


def includeme(config: Any) -> None:
    """Be included.

    Raises:
        ConfigError: A setting that begins with `holdfast.` is wrong; the message begins with it.
    """
    settings = config.registry.settings
    made = config.registry.holdfast = Holdfast(
        sessions_from(settings, config.maybe_dotted), limits_from(settings, config.maybe_dotted)
    )
    if made.sessions is not None:
        config.set_session_factory(session_factory(made.sessions))
        config.set_csrf_storage_policy(CsrfTokens())
    if any(key.startswith("holdfast.cache.") for key in settings):
        regions.from_settings(settings)
        config.add_request_method(_cache, "cache", property=True)
    config.add_view_deriver(limited_view, "holdfast_limit")
    config.add_exception_view(refused, context=LimitExceeded)
    config.add_exception_view(_unavailable, context=StoreError)
    if made.limits is not None and made.limits.rates is not None:
        config.add_tween(_TWEEN, under=EXCVIEW)


def _cache(_request: Any) -> Cache:
    return regions["default"]


def _unavailable(error: StoreError, request: Any) -> Any:
    sessions = request.registry.holdfast.sessions
    if sessions is not None:
        tell_store_down(sessions, error)
    return answered(unavailable())
