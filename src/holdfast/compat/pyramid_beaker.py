"""pyramid_beaker, as Pyramid applications include it: Beaker's sessions and cache regions.

Law: the names and settings are those of pyramid_beaker 0.9. What a session is, and where it is
kept, stands in `compat.beaker`; here it becomes what Pyramid calls a session.
"""

import secrets
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Protocol, TypeVar

from pyramid.interfaces import ISession
from pyramid.settings import asbool
from zope.interface import implementer

from holdfast.compat.beaker import cache
from holdfast.compat.beaker.session import CookieSession, SessionObject
from holdfast.compat.beaker.util import coerce_cache_params, coerce_session_params

__all__ = [
    "BeakerSessionFactoryConfig",
    "call_save",
    "includeme",
    "session_factory_from_settings",
    "set_cache_regions_from_settings",
]

_SESSION = ("session.", "beaker.session.")
_CACHE = ("cache.", "beaker.cache.")
_INHERITED: dict[str, Any] = {"data_dir": None, "lock_dir": None, "expire": 60, "enabled": True}
_INHERITED |= {"key_length": 250, "type": "memory", "url": None}
_FLASH, _TOKEN = "_f_", "_csrft_"  # names in the session, where others find what we left

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class _Saved(Protocol):
    def save(self) -> None: ...


def call_save(wrapped: F) -> F:
    """Return a method that does what `wrapped` does and has the session saved."""

    @wraps(wrapped)
    def saving(session: _Saved, *args: Any, **kwargs: Any) -> Any:
        value = wrapped(session, *args, **kwargs)
        session.save()
        return value

    return saving  # type: ignore[return-value] # of the same signature


@implementer(ISession)
class _PyramidSession(SessionObject):
    """Beaker's session as Pyramid asks for it: whoever changes it need not say so."""

    _options: Mapping[str, Any] = {}
    _cookie_on_exception: bool = True
    _constant_csrf_token: str | bool = False

    def __init__(self, request: Any) -> None:
        super().__init__(request.environ, **self._options)
        request.add_response_callback(self._respond)

    def _respond(self, request: Any, response: Any) -> None:
        """Keep what was done, and send the cookie; after an exception, only if that was wanted."""
        failed = getattr(request, "exception", None) is not None
        cookie = None if failed and not self._cookie_on_exception else self.settled()
        if cookie:
            response.headerlist.append(("Set-Cookie", cookie))

    @property
    def new(self) -> bool:
        session = self._session()
        if isinstance(session, CookieSession):  # which notes no times of use
            return bool(session.is_new)
        return session.last_accessed is None

    changed = SessionObject.save

    # A dict; what is not here is the session's own

    __setitem__ = call_save(SessionObject.__setitem__)
    __delitem__ = call_save(SessionObject.__delitem__)

    @call_save
    def clear(self) -> None:
        self._session().clear()

    @call_save
    def update(self, d: Any, **kw: Any) -> None:
        self._session().update(d, **kw)

    @call_save
    def setdefault(self, k: Any, d: Any = None) -> Any:
        return self._session().setdefault(k, d)

    @call_save
    def pop(self, k: Any, d: Any = None) -> Any:
        return self._session().pop(k, d)

    @call_save
    def popitem(self) -> tuple[Any, Any]:
        pair: tuple[Any, Any] = self._session().popitem()
        return pair

    # Messages for the next page

    def flash(self, msg: Any, queue: str = "", allow_duplicate: bool = True) -> None:
        waiting = self.setdefault(_FLASH + queue, [])
        if allow_duplicate or msg not in waiting:
            waiting.append(msg)

    def pop_flash(self, queue: str = "") -> Any:
        return self.pop(_FLASH + queue, [])

    def peek_flash(self, queue: str = "") -> Any:
        return self._session().get(_FLASH + queue, [])

    # Forged requests

    def new_csrf_token(self) -> Any:
        token = self[_TOKEN] = self._constant_csrf_token or secrets.token_hex(20)
        return token

    def get_csrf_token(self) -> Any:
        token = self._session().get(_TOKEN)
        return self.new_csrf_token() if token is None else token


def BeakerSessionFactoryConfig(**options: Any) -> type[_PyramidSession]:
    """Return what `config.set_session_factory` takes: a class, called with each request.

    Args:
        options: Those of `beaker.session.Session`; `cookie_on_exception`, whether an answer of an
            exception view keeps the session too, default True; and `constant_csrf_token`, for
            tests.
    """
    members = {
        "_cookie_on_exception": options.pop("cookie_on_exception", True),
        "_constant_csrf_token": options.pop("constant_csrf_token", False),
        "_options": options,
    }
    return type("PyramidBeakerSessionObject", (_PyramidSession,), members)


def session_factory_from_settings(settings: Mapping[str, Any]) -> type[_PyramidSession]:
    """Return the session factory that settings ask for, by `session.*` or `beaker.session.*`."""
    options = _without_prefix(settings, _SESSION)
    if "cookie_on_exception" in options:
        options["cookie_on_exception"] = asbool(options["cookie_on_exception"])
    return BeakerSessionFactoryConfig(**coerce_session_params(options))


def set_cache_regions_from_settings(settings: Mapping[str, Any]) -> None:
    """Make the regions that settings ask for, by `cache.*` or `beaker.cache.*`.

    A region has its own `cache.NAME.expire` and so on, else that of all (`cache.expire`), else the
    default.
    """
    common = _without_prefix(settings, _CACHE)
    common = {option.strip(): _stripped(value) for option, value in common.items()}
    coerce_cache_params(common)
    for region in filter(None, common.get("regions") or ()):
        chosen = {option: common.get(option, default) for option, default in _INHERITED.items()}
        chosen |= _without_prefix(common, (f"{region}.",))
        coerce_cache_params(chosen)
        cache.cache_regions[region] = chosen


def includeme(config: Any) -> None:
    """Do both, as the settings of the application say."""
    settings = config.registry.settings
    config.set_session_factory(session_factory_from_settings(settings))
    set_cache_regions_from_settings(settings)


def _without_prefix(settings: Mapping[str, Any], prefixes: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings that begin with one of `prefixes`, by what stands behind it."""
    return {
        key.removeprefix(prefix): value
        for key, value in settings.items()
        for prefix in prefixes
        if key.startswith(prefix)
    }


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value
