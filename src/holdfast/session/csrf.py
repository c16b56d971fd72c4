"""CSRF tokens: the session's secret, masked anew for each page.

Law: pure but for the random mask. The secret itself never leaves the record; two masked tokens of
one secret have nothing in common that a compression side channel could measure.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets

__all__ = ["BYTES", "mask", "matches", "new_secret", "steady"]

BYTES = 32
"""Bytes of a secret."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{86}")  # 64 bytes: the mask, then the masked secret


def new_secret() -> bytes:
    """Return a new secret of 32 random bytes."""
    return secrets.token_bytes(BYTES)


def mask(secret: bytes) -> str:
    """Return a token that proves knowledge of `secret`, different at each call."""
    pad = secrets.token_bytes(BYTES)
    return _masked(secret, pad)


def steady(secret: bytes) -> str:
    """Return a token that is the same at each call, for who compares tokens by `==`."""
    return _masked(secret, hashlib.sha256(b"steady" + secret).digest())


def matches(secret: bytes, token: object) -> bool:
    """Return whether `token` was made from `secret`; anything else, of whatever type, is False."""
    if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
        return False
    try:
        raw = base64.urlsafe_b64decode(token + "==")
    except binascii.Error:  # pragma: no cover - the pattern allows nothing that cannot be decoded
        return False
    return hmac.compare_digest(_xor(raw[:BYTES], raw[BYTES:]), secret)


def _masked(secret: bytes, pad: bytes) -> str:
    return base64.urlsafe_b64encode(pad + _xor(pad, secret)).decode().rstrip("=")


def _xor(one: bytes, other: bytes) -> bytes:
    both = int.from_bytes(one) ^ int.from_bytes(other)
    return both.to_bytes(BYTES)
