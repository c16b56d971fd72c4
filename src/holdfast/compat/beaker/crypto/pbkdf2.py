"""PBKDF2 as Beaker calls it: SHA-1 unless another hash is given.

Law: pure.
"""

import hashlib
from collections.abc import Callable
from typing import Any

__all__ = ["pbkdf2"]


def pbkdf2(
    password: Any,
    salt: Any,
    iterations: int,
    dklen: int = 0,
    digest: Callable[[], Any] | None = None,
) -> bytes:
    """Return a key made of a password (RFC 8018).

    Args:
        password: Bytes, or a text in ASCII.
        salt: The same.
        iterations: How often it is hashed.
        dklen: Bytes of the key; 0 is as many as the hash has.
        digest: The hash, such as `hashlib.sha256`; None is SHA-1.
    """
    name = digest().name if digest else "sha1"
    return hashlib.pbkdf2_hmac(name, _ascii(password), _ascii(salt), iterations, dklen or None)


def _ascii(text: Any) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode("ascii")
