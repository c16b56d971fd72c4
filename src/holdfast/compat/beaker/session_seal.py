"""The text a session becomes in a record or cookie, encrypted if there is a key; and back.

Law: the form is Beaker's: base64 of what the serializer gives; or a nonce in base64, then base64 of
the ciphertext, under a key derived from both keys and the nonce. Asking for encryption where there
is none to be had is an error, never plain text.
"""

import os
from binascii import a2b_base64, b2a_base64
from copy import deepcopy
from typing import Any

from holdfast.compat.beaker import crypto
from holdfast.compat.beaker.exceptions import BeakerException, InvalidCryptoBackendError
from holdfast.errors import CodecError

__all__ = ["opened", "sealed"]


def sealed(session: Any, data: dict[Any, Any]) -> Any:
    """Return `data` as text, by the serializer and keys of `session`.

    A manager whose values others read as they are (`as_plain`) is given a copy of the data itself.
    """
    if not session.encrypt_key:
        as_plain = getattr(getattr(session, "namespace_class", None), "as_plain", None)
        if as_plain is not None:
            return as_plain(data)
        return _base64(session.serializer.dumps(data))
    size, length = session.encrypt_nonce_size
    nonce = _base64(os.urandom(size))[:length]
    key = _key(session, nonce)
    ciphertext = session.crypto_module.aesEncrypt(session.serializer.dumps(data), key)
    return nonce + _base64(ciphertext)


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
            return deepcopy(record)  # what was read must not change with the session
        return session.serializer.loads(a2b_base64(record))
    _, length = session.encrypt_nonce_size
    key = _key(session, record[:length])
    ciphertext = a2b_base64(record[length:])
    return session.serializer.loads(session.crypto_module.aesDecrypt(ciphertext, key))


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii")


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
