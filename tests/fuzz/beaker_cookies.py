"""The law of Beaker's cookies: any header is a session; the user's only where his cookie stands.

Law: nothing that came is an error, and what is signed, but no session, is a new one.
"""

import warnings
from typing import Any

from fuzz.edits import edited, octets
from holdfast.compat.beaker.container import MemoryNamespaceManager
from holdfast.compat.beaker.session import SessionObject, SignedCookie
from holdfast.compat.settings import refused

__all__ = ["BEAKER_HEADERS", "beaker_cookies"]

_KEY = "k"
_KINDS: list[dict[str, Any]] = [
    {"type": "memory", "secret": _KEY},
    {"type": "cookie", "validate_key": _KEY},
    {"type": "cookie", "validate_key": _KEY, "data_serializer": "json"},
    {"type": "cookie", "validate_key": _KEY, "encrypt_key": "e"},
]
_SAME: dict[str, Any] = {"key": "sid", "invalidate_corrupt": True, "timeout": 10**12}


def _opened(header: str, options: dict[str, Any]) -> SessionObject:
    session = SessionObject({"HTTP_COOKIE": header}, **_SAME, **options)
    assert session.id
    return session


def _cookie(options: dict[str, Any]) -> str:
    session = _opened("", options)
    session["user"] = "ada"
    session.save()
    session.persist()
    value: str = session.request["cookie_out"]
    return value.strip().partition(";")[0]


_GOOD = [_cookie(options) for options in _KINDS]
_NAMES = MemoryNamespaceManager.namespaces.dict
_KEPT = dict(_NAMES)
BEAKER_HEADERS = [
    *(cookie.encode() for cookie in _GOOD),
    *(f"a=b; {cookie}; sid=; c=d".encode() for cookie in _GOOD),
    *(cookie.replace("=", '="', 1).encode() + b'"' for cookie in _GOOD),
    b'sid="\\101"; $Version=1; sid=\xff\x00',
    b"sid=" + b"A" * 5000,
]


def beaker_cookies(data: bytes) -> None:
    """Assert it of a header, and of a value that is signed."""
    headers = [octets(data)]
    if data:
        sample = BEAKER_HEADERS[data[0] % len(BEAKER_HEADERS)]
        headers.append(octets(edited(sample, data[1:])))
    value = octets(data).encode("ascii", "replace").decode()
    signed = f"sid={SignedCookie(_KEY).value_encode(value)[1]}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of each that is corrupt
        for options, good in zip(_KINDS, _GOOD, strict=True):
            mine = good.removeprefix("sid=")
            for header in (*headers, signed):
                assert "user" not in _opened(header, options) or mine in header
    _NAMES.clear()  # each id that nobody knew
    _NAMES.update(_KEPT)
    refused.clear()
