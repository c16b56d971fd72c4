"""How Beaker encrypts: modules by name, keys from passwords, sizes of nonces.

Law: every form is served by the package `cryptography`; bytes are those the named module wrote.
Without that package nothing encrypts, and nothing pretends to.
"""

import importlib
import warnings
from typing import Any

from holdfast.compat.beaker.crypto.pbkdf2 import pbkdf2
from holdfast.compat.beaker.crypto.util import hmac, hmac_sha1, md5, sha1
from holdfast.compat.beaker.exceptions import InvalidCryptoBackendError
from holdfast.compat.settings import CompatWarning

__all__ = [
    "CRYPTO_MODULES",
    "DEFAULT_NONCE_BITS",
    "InvalidCryptoBackendError",
    "generateCryptoKeys",
    "get_crypto_module",
    "get_nonce_size",
    "hmac",
    "hmac_sha1",
    "keyLength",
    "load_default_module",
    "md5",
    "pbkdf2",
    "register_crypto_module",
    "sha1",
]

keyLength = None  # noqa: N816 - a name of the past
DEFAULT_NONCE_BITS = 128

CRYPTO_MODULES: dict[str, Any] = {}
"""What `crypto_type` names: whatever has `aesEncrypt`, `aesDecrypt`, `has_aes`, `getKeyLength`."""

_FILES = {
    "cryptography": "pyca_cryptography",
    "nss": "nsscrypto",
    "pycrypto": "pycrypto",
    "pycryptodome": "pycrypto",
}
_NOT_TO_BE_HAD = ("nss", "pycrypto")


def get_crypto_module(name: str) -> Any:
    """Return the module that `crypto_type` names.

    Raises:
        InvalidCryptoBackendError: There is none of this name.
        ImportError: It was named, and the package `cryptography` is missing.
    """
    if name not in CRYPTO_MODULES:
        register_crypto_module(name, _load(name))
    return CRYPTO_MODULES[name]


def register_crypto_module(name: str, mod: Any) -> None:
    """Let `crypto_type=name` mean `mod`."""
    CRYPTO_MODULES[name] = mod


def load_default_module() -> Any:
    """Return the module for `cryptography`; without it, one whose `has_aes` is False."""
    try:
        return _module("pyca_cryptography")
    except ImportError:
        return _module("noencryption")


def _load(name: str) -> Any:
    if name == "default":
        return load_default_module()
    if name not in _FILES:
        raise InvalidCryptoBackendError(f"No crypto backend with name '{name}' is registered.")
    module = _module(_FILES[name])
    if name in _NOT_TO_BE_HAD:
        message = f"crypto_type={name!r}: its bytes are read and written by `cryptography` instead"
        warnings.warn(message, CompatWarning, stacklevel=3)
    return module


def _module(file: str) -> Any:
    return importlib.import_module(f"{__name__}.{file}")


def generateCryptoKeys(
    master_key: str | bytes, salt: str | bytes, iterations: int, keylen: int
) -> bytes:
    """Return a key of `keylen` bytes made of a password and a salt."""
    return pbkdf2(master_key, salt, iterations=iterations, dklen=keylen)


def get_nonce_size(number_of_bits: int) -> tuple[int, int]:
    """Return how many bytes a nonce of so many bits has, and how many characters in base 64.

    Raises:
        ValueError: They are no whole bytes.
    """
    if number_of_bits % 8:
        raise ValueError("Nonce complexity currently supports multiples of 8")
    size = number_of_bits // 8
    return size, -(-(4 * size // 3) // 4) * 4
