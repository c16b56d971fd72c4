"""The session an application sees: made when it is first touched, kept as the options say.

Law: a request that does not touch it costs nothing, and reads nothing.
"""

from collections.abc import Iterator
from typing import Any

from holdfast.compat.beaker.cookie_session import CookieSession
from holdfast.compat.beaker.stored_session import Session

__all__ = ["SessionObject"]


class SessionObject:
    """Stands for a session that there may be no need to read.

    Args:
        environ: The request's; its `HTTP_COOKIE` counts.
        params: Options of `Session` or `CookieSession`, and `session_class`, which is used instead
            of them; `auto` saves whatever was touched.
    """

    def __init__(self, environ: Any, **params: Any) -> None:
        own = self.__dict__
        own["_params"] = params
        own["_environ"] = environ
        own["_sess"] = None
        own["_headers"] = {}

    def _session(self) -> Any:
        """Return the session itself, which is made now if it was not before."""
        session = self.__dict__["_sess"]
        if session is None:
            request = {"cookie_out": None, "cookie": self.__dict__["_environ"].get("HTTP_COOKIE")}
            self.__dict__["_headers"] = request
            params = self.__dict__["_params"]
            session = self.__dict__["_sess"] = _class_of(params)(request, **params)
        return session

    def __getattr__(self, attr: str) -> Any:
        return getattr(self._session(), attr)

    def __setattr__(self, attr: str, value: Any) -> None:
        setattr(self._session(), attr, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._session(), name)

    def __getitem__(self, key: Any) -> Any:
        return self._session()[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._session()[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._session()[key]

    def __repr__(self) -> str:
        return repr(self._session())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._session())

    def __contains__(self, key: Any) -> bool:
        return key in self._session()

    def has_key(self, key: Any) -> bool:
        """Return whether there is a value of this name."""
        return key in self._session()

    def get_by_id(self, id: Any) -> Any:
        """Return the session of another id, or None if there is none."""
        params = {**self.__dict__["_params"], "use_cookies": False, "id": id}
        session = Session({}, **params)
        return None if session.is_new else session

    def save(self) -> None:
        """Have the session kept when the response begins."""
        self.__dict__["_dirty"] = True

    def delete(self) -> None:
        """Remove the session, and ask the browser to forget its cookie."""
        self.__dict__["_dirty"] = True
        self._session().delete()

    def persist(self) -> None:
        """Keep now what `save`, or the options `auto` and `save_accessed_time`, ask for."""
        params = self.__dict__["_params"]
        session = self._session()
        if params.get("auto") or self.dirty():
            session.save()
        elif params.get("save_accessed_time", True) or session._moved:  # noqa: SLF001 - its other half
            session.save(accessed_only=True)

    def settled(self) -> str | None:
        """Keep what is to be kept if the session was touched; return what Set-Cookie must say."""
        if self.__dict__["_sess"] is None:
            return None
        self.persist()
        request = self.__dict__["_headers"]
        said: str | None = request["cookie_out"] if request.get("set_cookie") else None
        return said

    def dirty(self) -> bool:
        """Return whether `save` or `delete` was called."""
        return bool(self.__dict__.get("_dirty", False))

    def accessed(self) -> bool:
        """Return whether the session was touched at all."""
        return self.__dict__["_sess"] is not None


def _class_of(params: dict[str, Any]) -> type[Session]:
    wanted: type[Session] | None = params.get("session_class")
    if wanted is None:
        return CookieSession if params.get("type") == "cookie" else Session
    if not issubclass(wanted, Session):
        raise AssertionError(f"Not a Session: {wanted}")  # noqa: TRY004 - as the original
    return wanted
