"""The old cookie, read for the new sessions: who was signed in before `holdfast migrate` stays so.

    from holdfast import Cookie, Sessions
    from holdfast.compat.carry import OldCookie

    transport = OldCookie(Cookie(), old="beaker.session.id", secret="that of the old application")
    sessions = Sessions("redis://localhost", transport=transport, rotate_every="1d")

Law: the new cookie counts where there is one. Of the old one nothing is looked at before its
signature, where the old application had a secret. What comes of it is the token that the migrated
record lies under; the first answer that writes a token expires the old cookie.
"""

import base64
import hashlib
from dataclasses import dataclass
from typing import Any, Literal

from holdfast.compat.beaker.signed_cookie import own_value
from holdfast.errors import ConfigError
from holdfast.web.cookie import cookie_name, values
from holdfast.web.transport import NOTHING, Carried, Cookie, Fields

__all__ = ["NAMES", "OldCookie", "token_for"]

Library = Literal["beaker", "pycket", "kvs"]
NAMES: dict[str, str] = {
    "beaker": "beaker.session.id",
    "pycket": "PYCKET_ID",
    "kvs": "session_id",
}
"""Libraries, and what their cookies are called where nobody says otherwise."""

_LONGEST_ID = 200


def token_for(library: str, old_id: str) -> str:
    """Return the token that a session of `library` with this id goes on under."""
    digest = hashlib.sha256(f"{library}:{old_id}".encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass(frozen=True, init=False)
class OldCookie:
    """A transport: the cookie of native sessions, else that of the old library.

    The cookie that is written is always the new one. Sessions that were carried over get a new
    token at the first request if `Sessions` has `rotate_every`, else at the next login; until then
    the old cookie opens them.

    Args:
        cookie: The new cookie.
        old: The name of the old one; default: that of the library.
        secret: What the old application signed it with: `session.secret` of Beaker, the
            `cookie_secret` of Tornado; None: it was not signed.
        library: "beaker" (and pyramid_beaker), "pycket" or "kvs" (pyramid_kvs).

    Raises:
        ConfigError: There is no such library; it always signed, or never, and `secret` says
            otherwise; Tornado is not installed; or both cookies have one name.
    """

    cookie: Cookie
    old: str
    library: str

    def __init__(
        self,
        cookie: Cookie,
        *,
        old: str | None = None,
        secret: str | None = None,
        library: Library = "beaker",
    ) -> None:
        if library not in NAMES:
            raise ConfigError(f"library={library!r}: choose from {', '.join(NAMES)}")
        name = cookie_name(NAMES[library] if old is None else old)
        if name == cookie.bound_name:
            raise ConfigError(f"old={name!r} is the new cookie's name: give Cookie another")
        if (library == "pycket") is not bool(secret) and library != "beaker":
            need = "give secret=, Tornado's cookie_secret" if not secret else "it has no secret"
            raise ConfigError(f"OldCookie(library={library!r}): {need}")
        if secret == "":
            raise ConfigError("secret='': give the old application's, or leave it out")
        if library == "pycket":
            _tornado()
        for attribute, value in (("cookie", cookie), ("old", name), ("library", library)):
            object.__setattr__(self, attribute, value)
        object.__setattr__(self, "_secret", secret)

    @property
    def bound_name(self) -> str:
        """See `Transport`; that of the new cookie, as all that is written."""
        return self.cookie.bound_name

    @property
    def room(self) -> int:
        """See `Transport`."""
        return self.cookie.room

    @property
    def header(self) -> str:
        """See `Transport`."""
        return self.cookie.header

    @property
    def personal(self) -> bool:
        """See `Transport`."""
        return self.cookie.personal

    @property
    def persistent(self) -> bool:
        """Whether the client keeps the token when it closes."""
        return self.cookie.persistent

    @property
    def farewell(self) -> Fields:
        """See `Transport`."""
        return self.cookie.farewell

    def read(self, raw: str) -> Carried:
        """Return the token of the new cookie, else the one derived from the old cookie."""
        token, expire, event = self.cookie.read(raw)
        if self.old not in raw or not values(raw, self.old):
            return token, expire, event
        if token is not None or event:
            return token, (*expire, self.old), event
        old_id = self._id_in(raw)
        if old_id is None:
            return NOTHING
        return token_for(self.library, old_id), (self.old,), ""

    def write(
        self, token: str, *, max_age: int | None = None, expire: tuple[str, ...] = ()
    ) -> Fields:
        """Return the Set-Cookie headers: the new cookie, and the end of the old one."""
        return self.cookie.write(token, max_age=max_age, expire=expire)

    def forget(self, expire: tuple[str, ...] = ()) -> Fields:
        """Return the Set-Cookie headers that expire the new cookie and the old one."""
        return self.cookie.forget((*expire, self.old))

    def _id_in(self, raw: str) -> str | None:
        """Return the id in the old cookie, or None where there is none that may be believed."""
        secret: str | None = getattr(self, "_secret", None)
        if self.library == "pycket":
            found = _signed_by_tornado(secret or "", self.old, values(raw, self.old))
        else:
            found = own_value(self.old, raw, secret)
        usable = isinstance(found, str) and found.isprintable() and 0 < len(found) <= _LONGEST_ID
        return found if usable else None


def _signed_by_tornado(secret: str, name: str, found: list[str]) -> str | None:
    if len(found) != 1:
        return None
    value = _tornado().decode_signed_value(secret, name, found[0].strip('"'), max_age_days=31)
    try:
        return None if value is None else str(value.decode())
    except UnicodeDecodeError:
        return None


def _tornado() -> Any:
    try:
        import tornado.web  # noqa: PLC0415 - for sessions of pycket alone
    except ImportError as error:
        raise ConfigError("OldCookie(library='pycket') needs Tornado, which signed it") from error
    return tornado.web
