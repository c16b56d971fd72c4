"""`pycket.session`: a session of a Tornado handler, under the id in its signed cookie.

Law: a session is a dict on a server; each call reads or changes it there, at once. Within a request
the id stays the same, for sessions and notifications alike. Who can sign such cookies is the
application alone, so an id without a record is one of its own: new, or a day old.
"""

from collections.abc import Callable, Iterator, KeysView
from typing import Any, TypeVar
from uuid import uuid4

from holdfast.compat.pycket.driver import DriverFactory, shared_driver

__all__ = [
    "ConfigurationError",
    "DriverFactory",
    "SessionManager",
    "SessionMixin",
    "create_mixin",
    "uuid4",
]

T = TypeVar("T")


class ConfigurationError(Exception):
    """The application's settings lack what pycket needs."""


class SessionManager:
    """The session of one handler.

    Args:
        handler: A `tornado.web.RequestHandler`.

    Attributes:
        handler: As given.
        settings: What stands under `pycket` in the application's settings.
        driver: Where the records lie.

    Raises:
        ConfigurationError: There is no `pycket` in the settings, or no `engine` in it.
        ValueError: There is no such engine.
    """

    SESSION_ID_NAME = "PYCKET_ID"
    STORAGE_CATEGORY = "db_sessions"

    driver: Any = None

    def __init__(self, handler: Any) -> None:
        self.handler = handler
        self.settings = handler.settings.get("pycket")
        if not self.settings:
            raise ConfigurationError('The "pycket" configurations are missing')
        engine = self.settings.get("engine")
        if not engine:
            raise ConfigurationError("You must define an engine to be used with pycket")
        storage = self.settings.get("storage", {})
        self.driver = shared_driver(engine, storage, self.STORAGE_CATEGORY)

    def set(self, name: Any, value: Any) -> None:
        """Write `value` under `name`.

        Raises:
            CodecError: It has an object whose class is not allowed.
            StoreError: The server gave no answer; as all methods.
        """

        def step(session: dict[Any, Any]) -> None:
            session[name] = value

        self._change(step)

    def get(self, name: Any, default: Any = None) -> Any:
        """Return the value under `name`, or `default`."""
        return self._record().get(name, default)

    def delete(self, *names: Any) -> None:
        """Remove values; a name that is not there is no error."""

        def step(session: dict[Any, Any]) -> None:
            for name in names:
                session.pop(name, None)

        self._change(step)

    __delitem__ = delete

    def keys(self) -> KeysView[Any]:
        """Return the names, as they are now."""
        return self._record().keys()

    def iterkeys(self) -> Iterator[Any]:
        """Iterate over the names, as they are now."""
        return iter(self._record())

    __iter__ = iterkeys

    def __getitem__(self, key: Any) -> Any:
        """Return the value under `key`; one that is None counts as none."""
        value = self.get(key)
        if value is None:
            raise KeyError(f"{key} not found in session")
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        self.set(key, value)

    def __contains__(self, key: Any) -> bool:
        return key in self._record()

    def _record(self) -> dict[Any, Any]:
        record: dict[Any, Any] = self.driver.get(self._session_id())
        return record

    def _change(self, step: Callable[[dict[Any, Any]], T], *, renew: bool = True) -> T:
        changed: T = self.driver.change(self._session_id(), step, renew=renew)
        return changed

    def _session_id(self) -> str:
        """Return the id in the cookie, or that of a cookie which this answer will set."""
        handler, kept = self.handler, f"_holdfast_{self.SESSION_ID_NAME}"
        signed = handler.get_secure_cookie(self.SESSION_ID_NAME)
        if signed is not None:
            return str(signed.decode() if isinstance(signed, bytes) else signed)
        if not hasattr(handler, kept):
            setattr(handler, kept, str(uuid4()))
            cookies = {"expires": None, "expires_days": None, **self.settings.get("cookies", {})}
            handler.set_secure_cookie(self.SESSION_ID_NAME, getattr(handler, kept), **cookies)
        return str(getattr(handler, kept))


class SessionMixin:
    """Gives a handler its session: `class Home(RequestHandler, SessionMixin)`."""

    @property
    def session(self) -> SessionManager:
        """The session of this request."""
        return create_mixin(self, "__session_manager", SessionManager)


def create_mixin(context: Any, manager_property: str, manager_class: Callable[[Any], T]) -> T:
    """Return what `context` has under a name, made of it at the first call."""
    made: T | None = getattr(context, manager_property, None)
    if made is None:
        made = manager_class(context)
        setattr(context, manager_property, made)
    return made
