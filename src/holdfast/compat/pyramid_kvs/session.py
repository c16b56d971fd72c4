"""`request.session` of pyramid_kvs: by a cookie, or by a header that holds an API's token.

Law: a request's changes are found by comparison and go onto what the store holds by then, so two
requests that overlap lose nothing; one that only reads renews the ttl. What was removed meanwhile
is not written again: a logout stands. A cookie names a session only if there is one of that name.
"""

import logging
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyramid.interfaces import ISession, ISessionFactory
from zope.interface import implementer

from holdfast.clock import wall
from holdfast.compat.pyramid_kvs.cookies import cookie_of
from holdfast.compat.pyramid_kvs.kvs import KVS
from holdfast.compat.pyramid_kvs.options import options_of
from holdfast.compat.pyramid_kvs.reading import Reading
from holdfast.compat.settings import current, tell
from holdfast.errors import CodecError, ConfigError, KeyRejected, StoreUnavailable

__all__ = ["AuthTokenSession", "CookieSession", "SessionBase", "SessionFactory"]

_log = logging.getLogger(__name__)
_CREATED = "__created"  # in the record, not among the names of the session
_TRIES = 100  # times that others may be quicker


def _create_token() -> str:
    return secrets.token_hex(20)


@implementer(ISession)
class SessionBase(Reading):
    """What both kinds have in common.

    Args:
        request: Of Pyramid.
        client: The `KVS` it lies in.
        key_name: Of the cookie or header.
    """

    def __init__(self, request: Any, client: Any, key_name: Any) -> None:
        self.request = request
        self.client = client
        self.key_name = key_name
        self._dirty = False
        self._raw: Any = None  # the record as it lay there
        self._remove: list[str] = []  # keys of records that must go
        self._session_data: defaultdict[Any, Any] = defaultdict(dict)
        self._born = wall()
        self._session_key = self.get_session_key()
        if not self._session_key:
            _log.warning("no session: the request names none")
        elif not self._load():
            self.changed()

    def get_session_key(self) -> str | None:
        """Return under which key the request's session lies."""
        raise NotImplementedError

    @property
    def session_key(self) -> str | None:
        """The key of this session in the store, without the prefix; None where there is none."""
        return self._session_key

    def _load(self) -> bool:
        """Take over the record; return whether it holds anything."""
        try:
            self._raw = self.client.raw_get(self._session_key)
        except (KeyRejected, UnicodeError):  # clients send anything
            self._raw = self._session_key = None
        found = self._decoded(self._raw)
        if found is None:
            self._not_found()
            return False
        self._born = found.pop(_CREATED, self._born)
        self._session_data.update(found)
        return bool(self._session_data)

    def _not_found(self) -> None:
        """Decide what the session's key is if nothing lies under the one that the request has."""

    def _decoded(self, raw: Any) -> dict[Any, Any] | None:
        if raw is None:
            return None
        try:
            found = self.client.loads(raw)
        except CodecError as error:
            tell(str(error), "pyramid_kvs: a session")
            return None
        return dict(found) if isinstance(found, Mapping) else None

    # What is read and written

    def __getitem__(self, key: Any) -> Any:
        self.changed()
        return self._session_data[key]  # a name that is missing becomes an empty dict, as ever

    def __setitem__(self, key: Any, value: Any) -> None:
        self.changed()
        self._session_data[key] = value

    def __delitem__(self, key: Any) -> None:
        self.changed()
        del self._session_data[key]

    def __iter__(self) -> Iterator[Any]:
        self.changed()
        return super().__iter__()

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value under `key`, or `default`."""
        self.changed()
        return super().get(key, default)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """Return the value under `key`, which is `default` if there was none."""
        self.changed()
        return self._session_data.setdefault(key, default)

    def pop(self, key: Any, default: Any = None) -> Any:
        """Remove `key` and return its value, or `default`."""
        self.changed()
        return self._session_data.pop(key, default)

    def popitem(self) -> tuple[Any, Any]:
        """Remove a name and return it with its value; `KeyError` if there is none."""
        self.changed()
        return self._session_data.popitem()

    def update(self, dict_: Any) -> None:
        """Set several names."""
        self.changed()
        self._session_data.update(dict_)

    def clear(self) -> None:
        """Remove all names."""
        self.changed()
        self._session_data.clear()

    def items(self) -> Any:
        """Return names with their values."""
        self.changed()
        return super().items()

    # What Pyramid asks of sessions

    @property
    def created(self) -> int:
        """When the session began, in whole seconds UTC; now, if its record does not say."""
        return int(self._born)

    @property
    def new(self) -> bool:
        """Whether it has no record yet."""
        return self._raw is None

    def changed(self) -> None:
        """Have the session looked at when the response is made."""
        if not self._dirty:
            self._dirty = True
            self.request.add_response_callback(self.save_session)

    def invalidate(self) -> None:
        """Forget the session: its record goes, and what is set from now on is a new session's."""
        self.changed()
        self._session_data = defaultdict(dict)
        if "kept-records" not in current().unsafe and self._session_key:
            self._remove.append(self._session_key)
            self._raw = None
            self._born = wall()
            self._renew_key()

    def _renew_key(self) -> None:
        """Take another key, where it is ours to choose."""

    def new_csrf_token(self) -> str:
        """Make another CSRF token and return it."""
        token = _create_token()
        self["__csrf_token"] = token
        return token

    def get_csrf_token(self) -> str:
        """Return the CSRF token; make one if there is none."""
        if "__csrf_token" not in self:
            return self.new_csrf_token()
        return str(self["__csrf_token"])

    def flash(self, msg: Any, queue: str = "", allow_duplicate: bool = True) -> None:
        """Keep a message for the next page; not twice, unless it may be."""
        messages = self.setdefault("_f_" + queue, [])
        if allow_duplicate or msg not in messages:
            messages.append(msg)

    def pop_flash(self, queue: str = "") -> Any:
        """Return the messages of a queue, and forget them."""
        return self.pop("_f_" + queue, [])

    def peek_flash(self, queue: str = "") -> Any:
        """Return the messages of a queue."""
        return self.get("_f_" + queue, [])

    # How it is kept

    def save_session(self, request: Any = None, response: Any = None) -> None:
        """Write what is to be written, and tell the client: Pyramid calls it with the response."""
        raise NotImplementedError

    def _save(self) -> bool:
        """Write the session; return whether there is one now."""
        self._dirty = False
        removed, self._remove = self._remove, []
        for key in removed:
            self.client.delete(key)
        if removed and not self._session_data:
            return False
        change = self._change()
        for _ in range(_TRIES):
            new = change(self._raw)
            if self.client.raw_swap(self._session_key, self._raw, new, self.client.ttl):
                self._raw = new
                return True
            found = self.client.raw_get(self._session_key)
            if found is None and self._raw is not None:
                return False  # another request logged out
            self._raw = found
        raise StoreUnavailable("pyramid_kvs", f"a session was written to by others {_TRIES} times")

    def _change(self) -> Callable[[Any], Any]:
        """Return what does to a record what this request did to its own."""
        self.client.dumps(self._record(self._session_data))  # its error says where in the session
        dumps = self.client.dumps
        before = self._decoded(self._raw) or {}
        now = self._session_data
        gone = before.keys() - now.keys() - {_CREATED}
        told = {
            name: value
            for name, value in now.items()
            if name not in before or dumps(value) != dumps(before[name])
        }

        def change(raw: Any) -> Any:
            if raw is not None and not told and not gone:
                return raw
            kept = self._decoded(raw) or {}
            return dumps(self._record({k: v for k, v in kept.items() if k not in gone} | told))

        return change

    def _record(self, data: Mapping[Any, Any]) -> dict[Any, Any]:
        """Return what is written; the programs of old have no time of birth in it."""
        return dict(data) if current().old_form else {**data, _CREATED: self._born}


@implementer(ISession)
class CookieSession(SessionBase):
    """The session of a browser; the cookie and the record live `ttl` seconds from the last use."""

    def get_session_key(self) -> str:
        """Return the cookie's value, or a new token."""
        return cookie_of(self.request, self.key_name) or _create_token()

    def _not_found(self) -> None:
        if self._session_key is None or "unknown-ids" not in current().unsafe:
            self._renew_key()
            self._raw = None

    def _renew_key(self) -> None:
        self._session_key = _create_token()

    def save_session(self, request: Any = None, response: Any = None) -> None:  # noqa: ARG002
        """See `SessionBase`."""
        key = self._session_key
        if self._save():
            response.set_cookie(
                self.key_name, key, max_age=int(self.client.ttl), httponly=True, samesite="Lax"
            )
        elif self._raw is None:
            response.delete_cookie(self.key_name)


@implementer(ISession)
class AuthTokenSession(SessionBase):
    """A session of an API: the token in a header names it, whether it is known or not."""

    def get_session_key(self) -> str | None:
        """Return the first header that is there, with its value."""
        names = self.key_name if isinstance(self.key_name, list | tuple) else [self.key_name]
        for name in names:
            if name in self.request.headers:
                return _named(name, self.request.headers[name])
        return None

    def update_session_token(self, header_name: str, value: str) -> None:
        """Let the session lie under another token from now on."""
        if self._session_key:
            self._remove.append(self._session_key)
        self._session_key = _named(header_name, value)
        self._raw = self.client.raw_get(self._session_key)
        self.changed()

    def save_session(self, request: Any = None, response: Any = None) -> None:  # noqa: ARG002
        """See `SessionBase`; without a token nothing is kept."""
        if self._session_key:
            self._save()


def _named(header: str, value: str) -> str:
    return f"{header.lower().replace('_', '-')}::{value}"


_CLASSES: dict[str, type[SessionBase]] = {"header": AuthTokenSession, "cookie": CookieSession}


@implementer(ISessionFactory)
class SessionFactory:
    """Makes `request.session`, as `kvs.session` of the settings says.

    Args:
        settings: Of the application.

    Attributes:
        session_class: `CookieSession` or `AuthTokenSession`.
        key_name: Of the cookie or header; a list of headers is looked through in its order.

    Raises:
        ConfigError: An option is wrong.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        options = {"key_prefix": "session::"} | options_of(settings, "kvs.session")
        kind = options.pop("session_type", "cookie")
        if kind not in _CLASSES:
            raise ConfigError(f"kvs.session: session_type={kind!r}: choose 'cookie' or 'header'")
        self.session_class = _CLASSES[kind]
        self.key_name = options.pop("key_name", "session_id")
        self._client = KVS(**options)

    def __call__(self, request: Any) -> SessionBase:
        """Return the session of a request."""
        return self.session_class(request, self._client, self.key_name)
