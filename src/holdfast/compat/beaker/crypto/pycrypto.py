"""AES in counter mode as Beaker writes it with PyCrypto and PyCryptodome, by `cryptography`.

Law: the counter begins at 0, so a key may serve once: the salt in each session sees to that.
Nothing here notices changed bytes; the signature of the cookie does.
"""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

__all__ = ["aesDecrypt", "aesEncrypt", "getKeyLength", "has_aes"]

has_aes = True


def aesEncrypt(data: bytes, key: bytes) -> bytes:
    """Return `data` encrypted by a key of 16, 24 or 32 bytes; done again, it is decrypted."""
    step = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    return step.update(data) + step.finalize()


aesDecrypt = aesEncrypt  # noqa: N816 - a name of the past


def getKeyLength() -> int:
    """Return how many bytes a key has."""
    return 32
