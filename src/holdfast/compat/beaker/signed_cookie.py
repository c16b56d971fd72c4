"""Cookies that are signed, and which of the cookies that came is ours.

Law: the form on the wire is Beaker's: 40 hex digits of HMAC-SHA1 over the value, then the value
itself. The signature is checked, in constant time, before anything else is looked at. What others
put into the header, however broken, does not hide a cookie of ours.
"""

import hmac
from http.cookies import BaseCookie, CookieError
from typing import Any

from holdfast.compat.beaker.cookie import SimpleCookie

__all__ = ["InvalidSignature", "SignedCookie", "cookies_of", "own_value"]

_DIGITS = 40


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
        if not val:
            return None, val
        signature, value = val[:_DIGITS], val[_DIGITS:]
        if hmac.compare_digest(_bytes(self._sign(value)), _bytes(signature)):
            return value, val
        return InvalidSignature, val

    def value_encode(self, val: Any) -> tuple[str, str]:
        """Return the value, and what travels: the signature before it."""
        return str(val), f"{self._sign(val)}{val}"

    def _sign(self, value: str) -> str:
        return hmac.digest(self.secret, _bytes(value), "sha1").hex()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def cookies_of(header: str | None, secret: str | None) -> SimpleCookie:
    """Return the cookies of a `Cookie` header; none of them where it cannot be read."""
    try:
        return SignedCookie(secret, header) if secret else SimpleCookie(header)
    except CookieError:
        return SignedCookie(secret) if secret else SimpleCookie()


def own_value(cookies: SimpleCookie, key: str, header: str | None) -> Any:
    """Return the value of the cookie `key`, `InvalidSignature`, or None if there is none.

    `http.cookies` gives up a header at its first fault, and keeps only the last of several cookies
    of one name: where that gives nothing good, each part of the header is tried, the last first.
    """
    found = cookies[key].value if key in cookies else None
    if found or not header:
        return found
    for part in reversed(header.split(";")):
        name, _, coded = part.strip().partition("=")
        if name == key:
            value = cookies.value_decode(coded)[0]
            if value:
                return value
    return found
