"""Tokens and ids: the token travels, its hash names the record.

Law: nothing is looked up by what a client sent, only by a hash of it, and only if it has the one
form we make. An id can be logged and listed: nobody gets back to the token from it.
"""

import hashlib
import re
import secrets

__all__ = ["BYTES", "id_of", "is_id", "new_token"]

BYTES = 32
"""Random bytes in a token: 256 bits."""

# 43 characters carry 258 bits: the two spare ones are zero, so a token has one spelling only.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
_ID = re.compile(r"[0-9a-f]{64}")
_well_formed = _TOKEN.fullmatch
_sha256 = hashlib.sha256


def new_token() -> str:
    """Return a new token: 43 characters of url-safe base64 that nobody can guess."""
    return secrets.token_urlsafe(BYTES)


def id_of(token: str) -> str | None:
    """Return the id of `token`, 64 hexadecimal digits; None if it cannot be one of ours.

    Raises:
        TypeError: It is no text: no client sent that.
    """
    if not isinstance(token, str):
        raise TypeError(f"a token is text, not {type(token).__name__}")
    if _well_formed(token) is None:
        return None
    return _sha256(token.encode()).hexdigest()


def is_id(handle: str) -> bool:
    """Return whether `handle` has the form of an id.

    Raises:
        TypeError: It is no text, but perhaps a whole session.
    """
    if not isinstance(handle, str):
        raise TypeError(f"a session is named by its id, which is text, not {type(handle).__name__}")
    return _ID.fullmatch(handle) is not None
