"""Key: one secret, the keys derived from it, and when it may sign.

Law: a secret is used only through keys derived from it, one for each use and purpose, so that what
was signed for one purpose is worthless for another. It appears in no repr, error, log or pickle.
"""

import hmac
import math
from contextlib import suppress
from typing import NoReturn

from holdfast.errors import ConfigError
from holdfast.signing.strength import strong

__all__ = ["HEADER", "ID_BYTES", "VERSION", "Key", "length_prefixed"]

VERSION = 1
"""First byte of everything signed or sealed."""

ID_BYTES = 6
"""Length of a key id, which follows the version."""

HEADER = 1 + ID_BYTES
"""Bytes before the body: version and key id."""

_CACHED_KEYS = 64  # purposes are written in programs; a program that makes them up pays again


class Key:
    """One secret of a ring.

    Args:
        secret: At least 32 random bytes, or text; text counts as its UTF-8 bytes.
        activates: UTC seconds from which it may sign. It verifies before, so that every process
            can know it before one uses it.
        revoked: What this key signed or sealed is no longer believed.

    Attributes:
        id: Names the key in what it signed: a hash of the secret, the same in every process.
        activates: As given.
        revoked: As given.

    Raises:
        ConfigError: The secret is short, well known or made of a pattern, or the time is none.
    """

    __slots__ = ("_derived", "_master", "activates", "id", "revoked")

    def __init__(
        self, secret: str | bytes, *, activates: float = 0.0, revoked: bool = False
    ) -> None:
        self._master = hmac.digest(b"holdfast 1 master", strong(secret), "sha256")
        self._derived: dict[tuple[str, str], bytes] = {}
        self.id = hmac.digest(self._master, b"id", "sha256")[:ID_BYTES]
        self.activates = _checked(activates)
        self.revoked = revoked

    def derive(self, use: str, purpose: str) -> bytes:
        """Return the 32-byte key for one use (`"sign"`, `"seal"`) and one purpose."""
        key = self._derived.get((use, purpose))
        if key is None:
            label = b"key" + length_prefixed(use) + length_prefixed(purpose)
            key = hmac.digest(self._master, label, "sha256")
            if len(self._derived) < _CACHED_KEYS:
                self._derived[use, purpose] = key
        return key

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled: it would take the secret with it")

    def __repr__(self) -> str:
        return f"<Key {self.id.hex()}{' revoked' if self.revoked else ''}>"


def length_prefixed(text: str) -> bytes:
    """Return `text` as UTF-8 after its length, so that joined texts cannot be split otherwise."""
    data = text.encode("utf-8", "surrogatepass")
    return len(data).to_bytes(4, "big") + data


def _checked(activates: float) -> float:
    with suppress(TypeError, OverflowError):
        if math.isfinite(activates):
            return float(activates)
    raise ConfigError(f"activates={activates!r}: give UTC seconds, as time.time() does")
