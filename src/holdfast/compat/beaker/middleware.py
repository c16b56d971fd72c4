"""WSGI middlewares that give each request its session, and the caches.

Law: options are read as Beaker reads them, its prefixes included; the session is kept when the
response begins, and only if the application has touched it.
"""

import warnings
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from holdfast.compat.beaker.cache import CacheManager
from holdfast.compat.beaker.caching_middleware import (
    CacheMiddleware,
    beaker_cache,
    paste_proxy,
    register,
)
from holdfast.compat.beaker.session import Session, SessionObject
from holdfast.compat.beaker.util import (
    coerce_cache_params,
    coerce_session_params,
    parse_cache_config_options,
)

__all__ = [
    "CacheManager",
    "CacheMiddleware",
    "Session",
    "SessionMiddleware",
    "SessionObject",
    "beaker_cache",
    "beaker_session",
    "coerce_cache_params",
    "coerce_session_params",
    "parse_cache_config_options",
    "session_filter_app_factory",
    "session_filter_factory",
]

beaker_session: Any = paste_proxy("Beaker Session")
"""The session of the request that runs, where Paste's registry is used; else None."""

_Application = Callable[..., Iterable[bytes]]

_PREFIXES = ("beaker.session.", "session.", "session_")


class SessionMiddleware:
    """Gives each request a session, made when it is first touched.

    Args:
        wrap_app: The application.
        config: Options of sessions, each under its name behind "session." or "beaker.session.".
        environ_key: Where in `environ` the session will be.
        kwargs: Options by name; they win over `config`, and are taken as they are.

    Attributes:
        app: The application, as is `wrap_app`.
        options: What sessions are made with.
        session: What Paste's registry knows the session by, if there is Paste.
    """

    session = beaker_session

    def __init__(
        self,
        wrap_app: _Application,
        config: Any = None,
        environ_key: str = "beaker.session",
        **kwargs: Any,
    ) -> None:
        self.options: dict[str, Any] = {
            "invalidate_corrupt": True,
            "type": None,
            "data_dir": None,
            "key": "beaker.session.id",
            "timeout": None,
            "save_accessed_time": True,
            "secret": None,
            "log_file": None,
        }
        for given in (config or {}, kwargs):
            self.options.update(_without_prefix(given))
        coerce_session_params(self.options)
        self.options.update(kwargs)
        self.wrap_app = self.app = wrap_app
        self.environ_key = environ_key

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        session = SessionObject(environ, **self.options)
        environ[self.environ_key] = session
        environ["beaker.get_session"] = self._get_session
        if "paste.registry" in environ:
            register(environ["paste.registry"], session, self.session)
        if "paste.testing_variables" in environ and "webtest_varname" in self.options:
            environ["paste.testing_variables"][self.options["webtest_varname"]] = session

        # No function in here: its annotations would be made for each request.
        return self.wrap_app(environ, partial(_begin, session, start_response))

    def _get_session(self) -> Session:
        """Return a new session that knows no cookie."""
        return Session({}, **{**self.options, "use_cookies": False})


def _begin(
    session: SessionObject,
    start_response: Callable[..., Any],
    status: str,
    headers: list[Any],
    exc_info: Any = None,
) -> Any:
    """Begin the response, with the cookie that the session asks for."""
    cookie = session.settled()
    if cookie:
        headers.append(("Set-cookie", cookie))
    return start_response(status, headers, exc_info)


def _without_prefix(given: Any) -> dict[str, Any]:
    """Return the options that have one of the prefixes, without it."""
    found = {}
    for key, value in given.items():
        prefix = next((prefix for prefix in _PREFIXES if key.startswith(prefix)), None)
        if prefix is None or key == "session_class":  # that is an option itself
            continue
        if prefix == "session_":
            warnings.warn(
                "Session options should start with session. instead of session_.",
                DeprecationWarning,
                stacklevel=3,
            )
        found[key.removeprefix(prefix)] = value
    return found


def session_filter_factory(
    global_conf: Any, **kwargs: Any
) -> Callable[[_Application], SessionMiddleware]:
    """Return what wraps an application, as Paste's filters are made."""

    def wrapped(app: _Application) -> SessionMiddleware:
        return SessionMiddleware(app, global_conf, **kwargs)

    return wrapped


def session_filter_app_factory(
    app: _Application, global_conf: Any, **kwargs: Any
) -> SessionMiddleware:
    """Return a wrapped application, as Paste makes them."""
    return SessionMiddleware(app, global_conf, **kwargs)
