"""Cookies that are signed, and which of the cookies that came is ours.

Law: the form on the wire is Beaker's: 40 hex digits of HMAC-SHA1 over the value, then the value
itself. The signature is checked, in constant time, before anything else is looked at. What others
put into the header, however broken, does not hide a cookie of ours.
"""

import hmac
import re
from functools import cache
from http.cookies import BaseCookie, CookieError
from typing import Any

from holdfast.compat.beaker.cookie import SimpleCookie

__all__ = ["InvalidSignature", "SignedCookie", "cookies_of", "own_value"]

_DIGITS = 40
_LONG, _MOST = 16_384, 50  # characters of a header, more than browsers send; cookies read of those


class _InvalidSignatureType:
    """The type of `InvalidSignature`, which is false."""

    def __bool__(self) -> bool:
        return False


InvalidSignature = _InvalidSignatureType()
"""What the value of a cookie is whose signature is wrong."""


class SignedCookie(SimpleCookie):
    """Cookies whose values carry a signature.

    Args:
        secret: Signs, and checks signatures.
        input: A `Cookie` header, or a mapping of names to values, or None.
    """

    def __init__(self, secret: str, input: Any = None) -> None:
        self.secret = secret.encode("utf-8")
        BaseCookie.__init__(self, input)

    def value_decode(self, val: str) -> tuple[Any, str]:
        """Return the value without its signature, or `InvalidSignature`, beside what came."""
        val = val.strip('"')
        return _verified(self.secret, val), val

    def value_encode(self, val: Any) -> tuple[str, str]:
        """Return the value, and what travels: the signature before it."""
        return str(val), f"{_signature(self.secret, val)}{val}"


def _verified(secret: bytes, val: str) -> Any:
    if not val:
        return None
    signature, value = val[:_DIGITS], val[_DIGITS:]
    if hmac.compare_digest(_signature(secret, value).encode(), _bytes(signature)):
        return value
    return InvalidSignature


def _signature(secret: bytes, value: str) -> str:
    return hmac.digest(secret, _bytes(value), "sha1").hex()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def cookies_of(header: str | None, secret: str | None) -> SimpleCookie:
    """Return the cookies of a `Cookie` header; none of them where it cannot be read."""
    try:
        return SignedCookie(secret, header) if secret else SimpleCookie(header)
    except CookieError:
        return SignedCookie(secret) if secret else SimpleCookie()


def own_value(key: str, header: str | None, secret: str | None) -> Any:
    """Return the value of the cookie `key`, `InvalidSignature`, or None if there is none.

    Of several cookies of that name the last counts, as it does in `http.cookies`; the last whose
    signature is good, where they are signed.
    """
    if not header or key not in header:
        return None
    if len(header) > _LONG:  # to read all of it would take seconds
        header = ";".join([part for part in header.split(";") if key in part][-_MOST:])
    plain = _only_one(key).search(header) if header.count(key) == 1 and '"' not in header else None
    if plain:  # the usual case: no need to read what is not ours
        value = plain.group(1)
        return _verified(secret.encode(), value) if secret else value
    cookies = cookies_of(header, secret)
    found = cookies[key].value if key in cookies else None
    if secret and not found:  # an empty one of somebody else, too
        return _last_good(key, header, secret) or found
    return found


def _last_good(key: str, header: str, secret: str) -> Any:
    for part in reversed(header.split(";")):
        name, _, coded = part.strip().partition("=")
        if name == key:
            value = _verified(secret.encode(), coded.strip('"'))
            if value:
                return value
    return None


@cache
def _only_one(key: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|;)\s*{re.escape(key)}=([\w+/=.-]*)\s*(?:;|$)", re.ASCII)
