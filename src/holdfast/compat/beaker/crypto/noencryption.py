"""What stands for encryption where `cryptography` is not installed: nothing.

Law: it says so by `has_aes`; who asks it to encrypt all the same gets the error, never his data as
it was.
"""

from typing import NoReturn

from holdfast.compat.beaker.exceptions import InvalidCryptoBackendError

__all__ = ["aesDecrypt", "aesEncrypt", "getKeyLength", "has_aes"]

has_aes = False


def aesEncrypt(data: bytes, key: bytes) -> NoReturn:  # noqa: ARG001 - as of the others
    """Refuse.

    Raises:
        InvalidCryptoBackendError: Always.
    """
    raise InvalidCryptoBackendError(
        "No AES library is installed, so nothing can be encrypted: pip install cryptography"
    )


aesDecrypt = aesEncrypt  # noqa: N816 - a name of the past


def getKeyLength() -> int:
    """Return how many bytes a key has."""
    return 32
