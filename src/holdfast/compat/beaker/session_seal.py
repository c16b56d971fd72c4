"""The text a session becomes in a record or cookie, encrypted if there is a key; and back.

Law: the form is Beaker's: base64 of what the serializer gives; or a nonce in base64, then base64 of
the ciphertext, under a key derived from both keys and the nonce. Asking for encryption where there
is none to be had is an error, never plain text.
"""

import os
from base64 import b64decode, b64encode
from typing import Any

from holdfast.compat.beaker import crypto
from holdfast.compat.beaker.exceptions import BeakerException, InvalidCryptoBackendError
from holdfast.errors import CodecError

__all__ = ["opened", "sealed"]


def sealed(session: Any, data: dict[Any, Any]) -> str:
    """Return `data` as text, by the serializer and keys of `session`."""
    if not session.encrypt_key:
        return b64encode(session.serializer.dumps(data)).decode("ascii")
    size, length = session.encrypt_nonce_size
    nonce = b64encode(os.urandom(size)).decode("ascii")[:length]
    key = _key(session, nonce)
    ciphertext = session.crypto_module.aesEncrypt(session.serializer.dumps(data), key)
    return nonce + b64encode(ciphertext).decode("ascii")


def opened(session: Any, record: Any) -> dict[Any, Any]:
    """Return what `sealed` was given.

    Raises:
        CodecError: It holds something else than a session.
        Exception: Whatever the serializer or the cipher raises: the record is corrupt.
    """
    data = _opened(session, record)
    if data is not None and not isinstance(data, dict):
        raise CodecError(f"a session is a dict, this is a {type(data).__name__}", codec="compat")
    return data or {}


def _opened(session: Any, record: Any) -> Any:
    if isinstance(record, bytes):  # Python 2 had no other text
        record = record.decode("ascii")
    if not session.encrypt_key:
        if isinstance(record, dict):  # Beaker 1.10 encoded only what it encrypted
            return record
        return session.serializer.loads(b64decode(record.encode("ascii")))
    _, length = session.encrypt_nonce_size
    key = _key(session, record[:length])
    ciphertext = b64decode(record[length:].encode("ascii"))
    return session.serializer.loads(session.crypto_module.aesDecrypt(ciphertext, key))


def _key(session: Any, nonce: str) -> bytes:
    module = session.crypto_module
    if not module.has_aes:
        raise InvalidCryptoBackendError("sessions cannot be encrypted: install holdfast[crypto]")
    if session.validate_key is None:
        raise BeakerException("encrypt_key is given, but no validate_key")
    key: bytes = crypto.generateCryptoKeys(
        session.encrypt_key, session.validate_key + nonce, 1, module.getKeyLength()
    )
    return key
