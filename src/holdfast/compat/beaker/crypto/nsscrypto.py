"""AES in block chaining as Beaker 1.10 wrote it with python-nss, by `cryptography`.

Law: the first block is chained to zeros, so a key may serve once: the salt in each session sees to
that. The text is padded as in PKCS #7. The signature of the cookie notices changed bytes.
"""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

__all__ = ["aesDecrypt", "aesEncrypt", "getKeyLength", "has_aes"]

has_aes = True


def aesEncrypt(data: bytes, key: bytes) -> bytes:
    """Return `data` encrypted by a key of 16, 24 or 32 bytes."""
    pad, step = PKCS7(128).padder(), _cipher(key).encryptor()
    return step.update(pad.update(data) + pad.finalize()) + step.finalize()


def aesDecrypt(data: bytes, key: bytes) -> bytes:
    """Return what `aesEncrypt` was given.

    Raises:
        ValueError: It was another key, or other data.
    """
    step, unpad = _cipher(key).decryptor(), PKCS7(128).unpadder()
    return unpad.update(step.update(data) + step.finalize()) + unpad.finalize()


def _cipher(key: bytes) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(key), modes.CBC(bytes(16)))


def getKeyLength() -> int:
    """Return how many bytes a key has."""
    return 32
