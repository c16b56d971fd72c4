"""Seal: encrypt bytes so that only this application can read or make them (AES-256-GCM).

Law: a message is

    version (1) | key id (6) | salt (24) | ciphertext and tag (length + 16)

Its key is the keyed BLAKE2b (RFC 7693) of the salt under a key derived from the secret for this
purpose: every message has its own, so a long-lived secret never meets the nonce limit of AES-GCM.
The nonce is the first 12 bytes of the salt. Version, key id, purpose and what the message is bound
to are associated data. Version and key id select among what is configured; no other key is tried.
Whatever is wrong, the error is the same.
"""

import functools
import os
from hashlib import blake2b
from typing import TYPE_CHECKING

from holdfast.codec.text import from_text, to_text
from holdfast.errors import CodecError, ConfigError
from holdfast.signing import HEADER, VERSION, Key, KeyRing, length_prefixed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["OVERHEAD", "Seal"]

_VERSION_BYTE = bytes([VERSION])
_SALT_BYTES = 24
_NONCE_BYTES = 12
_TAG_BYTES = 16
_BODY = HEADER + _SALT_BYTES

OVERHEAD = _BODY + _TAG_BYTES
"""Bytes a sealed message is longer than its content."""


class Seal:
    """Seals bytes with the newest key of a ring; unseals what any key that may verify sealed.

    It is also a stage of a `Chain`, then bound to nothing.

    Args:
        ring: The secrets.
        purpose: What the messages are for; no other purpose can read them.

    Raises:
        ConfigError: The package `cryptography` is missing.
    """

    name = "seal"

    def __init__(self, ring: KeyRing, purpose: str) -> None:
        self.ring = ring
        self.purpose = purpose
        self._aead, self._invalid = _aead()
        self._purpose_data = length_prefixed(purpose)

    def seal(self, data: bytes, bound: str = "") -> bytes:
        """Return `data` sealed by the newest key.

        Args:
            data: What to hide.
            bound: What the message belongs to (a cookie's name, a record's id); `unseal` must be
                told the same. It is not contained in the message.
        """
        key = self.ring.newest
        header = _VERSION_BYTE + key.id
        salt = os.urandom(_SALT_BYTES)
        hidden = self._cipher(key, salt).encrypt(
            salt[:_NONCE_BYTES], data, self._associated(header, bound)
        )
        return header + salt + hidden

    def unseal(self, data: bytes, bound: str = "") -> bytes:
        """Return what was sealed.

        Args:
            data: The sealed message.
            bound: What it must belong to.

        Raises:
            CodecError: It is not ours, changed, of an unknown or revoked key, for another purpose
                or bound to something else: one message for all of them.
        """
        header = data[:HEADER]
        if header[:1] != _VERSION_BYTE or len(data) < OVERHEAD:
            raise _broken()
        key = self.ring.find(header[1:])
        if key is None:
            raise _broken()
        salt = data[HEADER:_BODY]
        try:
            return self._cipher(key, salt).decrypt(
                salt[:_NONCE_BYTES], data[_BODY:], self._associated(header, bound)
            )
        except self._invalid:
            raise _broken() from None

    def seal_text(self, data: bytes, bound: str = "") -> str:
        """Return `seal(data, bound)` as url-safe text for a cookie or a header."""
        return to_text(self.seal(data, bound))

    def unseal_text(self, text: str, bound: str = "") -> bytes:
        """Return what `seal_text` sealed; `CodecError` as in `unseal`, also for any other text."""
        try:
            data = from_text(text)
        except CodecError:
            raise _broken() from None
        return self.unseal(data, bound)

    def encode(self, data: bytes, /) -> bytes:
        """Return `data` sealed, bound to nothing."""
        return self.seal(data)

    def decode(self, data: bytes, /) -> bytes:
        """Return what `encode` sealed; `CodecError` as in `unseal`."""
        return self.unseal(data)

    def _cipher(self, key: Key, salt: bytes) -> "AESGCM":
        derived = key.derive("seal", self.purpose)
        return self._aead(blake2b(salt, digest_size=32, key=derived).digest())

    def _associated(self, header: bytes, bound: str) -> bytes:
        return header + self._purpose_data + _bound_data(bound)


_bound_data = functools.lru_cache(maxsize=256)(length_prefixed)


def _broken() -> CodecError:
    return CodecError("not sealed by a key of this application for this use", codec="seal")


def _aead() -> "tuple[type[AESGCM], type[Exception]]":
    try:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - the same
    except ImportError as error:
        raise ConfigError(
            "sealing needs the package cryptography: pip install 'holdfast[crypto]'"
        ) from error
    return AESGCM, InvalidTag
