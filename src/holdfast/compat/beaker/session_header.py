"""What a session says in Set-Cookie: its name and value, where it belongs and when it ends.

Law: byte for byte what Beaker sends for the same options. A domain or path that would end the
attribute, or the header, is refused.
"""

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from holdfast.compat.beaker.cookie import SimpleCookie
from holdfast.compat.beaker.exceptions import BeakerException
from holdfast.compat.beaker.signed_cookie import cookies_of

__all__ = ["months", "weekdays"]

# fmt: off
months = (None, "Jan", "Feb", "Mar", "Apr", "May", "Jun",
          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
weekdays = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# fmt: on

_LAST_SECOND = 0x7FFFFFFF  # of a signed 32-bit clock: as near to "never" as old browsers know
_breaks_attribute = re.compile(r"[\x00-\x1f\x7f;]").search
_breaks_header = re.compile(r"[\x00-\x1f\x7f]").search


def _session_id() -> str:
    return uuid.uuid4().hex


class _ConfigurableSession(dict[Any, Any]):
    """A dict that always knows its cookie's domain and path: `clear` brings the configured ones."""

    def __init__(self, cookie_domain: str | None = None, cookie_path: str | None = "/") -> None:
        super().__init__()
        self._config = {"_domain": cookie_domain, "_path": cookie_path}

    def clear(self) -> None:
        """Forget all values; domain and path are again those of the configuration."""
        super().clear()
        self.update(self._config)


class CarriedSession(_ConfigurableSession):
    """A session that travels in a cookie, or whose id does.

    Attributes:
        request: A dict: `cookie` is the header that came, `cookie_out` what Set-Cookie will say,
            and `set_cookie` whether it will be sent.
        key: The name of the cookie.
        cookie_expires: When the browser forgets it: True is when it closes, False is never; else a
            time, or how long from now (a `timedelta`, or seconds).
    """

    request: dict[str, Any]
    key: str
    cookie_expires: Any
    secure: Any
    httponly: Any
    samesite: Any
    id: Any
    use_cookies: bool = True
    _signing: str | None = None  # the secret of the cookie, if it has one
    _cookie: SimpleCookie | None = None  # ours alone, until somebody asks for all
    _read_all = False

    @property
    def cookie(self) -> Any:
        """All cookies that came, and ours; read when somebody asks."""
        cookies = self._ours
        if not self._read_all:
            self._read_all = True
            came = cookies_of(self.request.get("cookie"), self._signing)
            for name, morsel in came.items():
                dict.setdefault(cookies, name, morsel)  # as it is: it is decoded already
        return cookies

    @cookie.setter
    def cookie(self, cookie: SimpleCookie) -> None:
        self._cookie, self._read_all = cookie, True

    @property
    def _ours(self) -> SimpleCookie:
        if self._cookie is None:
            self._cookie = cookies_of(None, self._signing)
        return self._cookie

    @property
    def created(self) -> Any:
        """When the session began, in seconds since 1970."""
        return self["_creation_time"]

    @property
    def domain(self) -> Any:
        """The domain of the cookie; setting it sends the cookie anew."""
        return self["_domain"]

    @domain.setter
    def domain(self, domain: str | None) -> None:
        self["_domain"] = domain
        self._place_changed()

    @property
    def path(self) -> Any:
        """The path of the cookie; setting it sends the cookie anew."""
        return self.get("_path", "/")

    @path.setter
    def path(self, path: str | None) -> None:
        self["_path"] = path
        self._place_changed()

    def _place_changed(self) -> None:
        if self.use_cookies:
            self._update_cookie_out()

    @staticmethod
    def serialize_cookie_date(v: datetime) -> str:
        """Return a time as cookies have it; its zone is not looked at."""
        # in English, whatever the locale
        day = f"{weekdays[v.weekday()]}, {v.day:02}-{months[v.month]}-{v.year}"
        return f"{day} {v:%H:%M:%S} GMT"

    def _set_cookie_values(self, expires: Any = None) -> None:
        self._ours[self.key] = self.id
        self._dress_cookie(expires)

    def _dress_cookie(self, expires: Any = None) -> None:
        """Give the cookie its attributes."""
        morsel = self._ours[self.key]
        if self.domain:
            morsel["domain"] = _attribute("domain", self.domain)
        if self.secure:
            morsel["secure"] = True
        if self.samesite:
            morsel["samesite"] = _attribute("samesite", self.samesite)
        self._set_cookie_http_only()
        morsel["path"] = _attribute("path", self.path)
        self._set_cookie_expires(expires)

    def _set_cookie_http_only(self) -> None:
        if self.httponly:
            self._ours[self.key]["httponly"] = True

    def _set_cookie_expires(self, expires: Any) -> Any:
        """Say when the cookie ends; return that time, or True for the end of the browser."""
        if expires is None:
            expires = self.cookie_expires
        ends = _end(expires)
        self.cookie_expires = expires
        if self.key not in self._ours:
            self._ours[self.key] = self.id
        self._ours[self.key]["expires"] = "" if ends is True else self.serialize_cookie_date(ends)
        return ends

    def _update_cookie_out(self, set_cookie: bool = True) -> None:
        self._set_cookie_values()
        self._send(set_cookie)

    def _send(self, set_cookie: bool) -> None:
        said = self._ours[self.key].output(header="")
        if _breaks_header(said):
            raise BeakerException(f"the cookie {self.key!r} would break the header it stands in")
        self.request["cookie_out"] = said
        self.request["set_cookie"] = set_cookie

    def _delete_cookie(self) -> None:
        """Ask the browser to forget the cookie."""
        self.request["set_cookie"] = True
        self._set_cookie_values(datetime.now(UTC) - timedelta(365))
        self._update_cookie_out()


def _end(expires: Any) -> Any:
    if expires is True:
        return True
    if expires is False:
        return datetime.fromtimestamp(_LAST_SECOND)  # noqa: DTZ006 - Beaker names the local hour
    if isinstance(expires, int):
        expires = timedelta(seconds=expires)
    if isinstance(expires, timedelta):
        return datetime.now(UTC) + expires
    if isinstance(expires, datetime):
        return expires
    raise ValueError(f"Invalid argument for cookie_expires: {expires!r}")


def _attribute(name: str, value: Any) -> Any:
    if isinstance(value, str) and _breaks_attribute(value):
        raise BeakerException(f"a cookie cannot have the {name} {value!r}")
    return value
