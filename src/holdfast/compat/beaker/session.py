"""Sessions of Beaker: in a store, or in the cookie itself.

Law: names only; what they mean stands in the files they come from.
"""

from holdfast.compat.beaker.cookie_session import CookieSession
from holdfast.compat.beaker.session_header import (
    _ConfigurableSession,
    _session_id,
    months,
    weekdays,
)
from holdfast.compat.beaker.session_object import SessionObject
from holdfast.compat.beaker.signed_cookie import (
    InvalidSignature,
    SignedCookie,
    _InvalidSignatureType,
)
from holdfast.compat.beaker.stored_session import Session

__all__ = [
    "CookieSession",
    "InvalidSignature",
    "Session",
    "SessionObject",
    "SignedCookie",
    "_ConfigurableSession",
    "_InvalidSignatureType",
    "_session_id",
    "months",
    "weekdays",
]
