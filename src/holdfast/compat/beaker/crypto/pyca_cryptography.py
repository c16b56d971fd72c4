"""AES-GCM as Beaker writes it with `cryptography`: nonce (12) | tag (16) | ciphertext.

Law: what was changed or cut off is never decrypted.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["aesDecrypt", "aesEncrypt", "getKeyLength", "has_aes"]

has_aes = True
_NONCE, _TAG = 12, 16


def aesEncrypt(data: bytes, key: bytes) -> bytes:
    """Return `data` encrypted by a key of 16, 24 or 32 bytes."""
    nonce = os.urandom(_NONCE)
    sealed = AESGCM(key).encrypt(nonce, data, None)
    return nonce + sealed[-_TAG:] + sealed[:-_TAG]


def aesDecrypt(data: bytes, key: bytes) -> bytes:
    """Return what `aesEncrypt` was given.

    Raises:
        cryptography.exceptions.InvalidTag: It was another key, or other data.
    """
    nonce, tag, text = data[:_NONCE], data[_NONCE : _NONCE + _TAG], data[_NONCE + _TAG :]
    if len(tag) < _TAG:
        raise InvalidTag
    return AESGCM(key).decrypt(nonce, text + tag, None)


def getKeyLength() -> int:
    """Return how many bytes a key has."""
    return 32
