"""A session whose values travel in the cookie itself.

Law: the signature is checked before anything in the cookie is looked at; without one there is no
session. Nothing is stored, so nobody can end such a session but its browser and its timeout.
"""

import time
from datetime import datetime, timedelta
from typing import Any

from holdfast.codec.unpickle import NotAllowed
from holdfast.compat.beaker.crypto import (
    DEFAULT_NONCE_BITS,
    get_crypto_module,
    get_nonce_size,
)
from holdfast.compat.beaker.exceptions import BeakerException, InvalidCryptoBackendError
from holdfast.compat.beaker.session_header import _session_id
from holdfast.compat.beaker.signed_cookie import InvalidSignature, own_value
from holdfast.compat.beaker.stored_session import Session, _checked_timeout

__all__ = ["CookieSession"]

_LONGEST = 4064
"""Characters of a value; signature, name and attributes come to it, and browsers take 4096."""


class CookieSession(Session):
    """A session in a cookie.

    Args:
        request: As in `Session`.
        key: The name of the cookie.
        timeout: Seconds without a request after which the session is over.
        save_accessed_time: Whether a request that only reads sends the time.
        cookie_expires: As in `Session`.
        cookie_domain: The cookie's domain.
        cookie_path: The cookie's path.
        encrypt_key: Encrypts the values; without it the user can read them.
        validate_key: Signs the cookie. It is required.
        secure: Whether the cookie is for https alone.
        httponly: Whether scripts cannot see the cookie.
        data_serializer: As in `Session`.
        encrypt_nonce_bits: As in `Session`.
        invalidate_corrupt: Whether a cookie that is not ours becomes a new session; else raises.
        crypto_type: Which form of encryption.
        samesite: "Lax", "Strict", or None.
        kwargs: Options of other sessions; they change nothing.

    Raises:
        BeakerException: There is no `validate_key`, options contradict each other, or the values
            are too long for a cookie.
        InvalidCryptoBackendError: There is nothing to encrypt with.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the original signature
        self,
        request: Any,
        key: str = "beaker.session.id",
        timeout: int | None = None,
        save_accessed_time: Any = True,
        cookie_expires: bool | datetime | timedelta | int = True,
        cookie_domain: str | None = None,
        cookie_path: str | None = "/",
        encrypt_key: str | None = None,
        validate_key: str | None = None,
        secure: Any = False,
        httponly: Any = False,
        data_serializer: Any = "pickle",
        encrypt_nonce_bits: int = DEFAULT_NONCE_BITS,
        invalidate_corrupt: Any = False,
        crypto_type: str = "default",
        samesite: str | None = "Lax",
        **kwargs: Any,  # noqa: ARG002 - options of stored sessions are no fault
    ) -> None:
        super(Session, self).__init__(cookie_domain=cookie_domain, cookie_path=cookie_path)
        self.clear()
        self.crypto_module = get_crypto_module(crypto_type)
        if encrypt_key and not self.crypto_module.has_aes:
            raise InvalidCryptoBackendError(
                "No AES library is installed, can't generate encrypted cookie-only Session."
            )
        self.request = request
        self.key = key
        self.timeout = timeout
        self.save_atime = save_accessed_time
        self.cookie_expires = cookie_expires
        self.encrypt_key = encrypt_key
        self.validate_key = self._signing = validate_key
        self.encrypt_nonce_size = get_nonce_size(encrypt_nonce_bits)
        self.request["set_cookie"] = False
        self.secure = secure
        self.httponly = httponly
        self.samesite = samesite
        self.invalidate_corrupt = invalidate_corrupt
        self._set_serializer(data_serializer)
        self.accessed_dict = {}
        if validate_key is None:
            raise BeakerException("No validate_key specified for Cookie only Session.")
        _checked_timeout(timeout, save_accessed_time)
        self["_id"] = _session_id()
        came = own_value(key, request.get("cookie", ""), validate_key)
        self.is_new = came is None
        if not self.is_new:
            self._load_cookie(came)

    def _load_cookie(self, came: Any) -> None:
        try:
            self.update(self._verified(came))
        except Exception as error:
            if not (self.invalidate_corrupt or isinstance(error, NotAllowed)):
                raise
            self._tell_corrupt(error)
            self.invalidate()
        if self._timed_out(self, time.time()):
            self.clear()
        self.accessed_dict = self.copy()
        self._create_cookie()

    def _verified(self, came: Any) -> dict[Any, Any]:
        if came is InvalidSignature:
            raise BeakerException("Invalid signature")
        return self._decrypt_data(came)

    @property
    def id(self) -> Any:
        """What names this session; it is one of its values."""
        return self["_id"]

    @id.setter  # noqa: A003 - the same name
    def id(self, id: str) -> None:
        self["_id"] = self.accessed_dict["_id"] = id

    def _create_id(self, set_new: bool = True) -> None:  # noqa: ARG002 - nothing lies under the old one
        self.id = _session_id()

    def _place_changed(self) -> None:
        """Wait for `save`: the cookie is made of all the values."""

    def save(self, accessed_only: bool = False) -> None:
        """Make the cookie that will be sent.

        Args:
            accessed_only: Send only that it was used: what the request changed is not kept.

        Raises:
            BeakerException: The values are too long for a cookie.
            CodecError: A value is of a class that may not be written.
        """
        if accessed_only and (self.is_new or not self.save_atime):
            return
        if accessed_only:
            self.revert()
        self._create_cookie()

    def _create_cookie(self) -> None:
        now = time.time()
        self.setdefault("_creation_time", now)
        if "_id" not in self:
            self.id = _session_id()
        self["_accessed_time"] = now
        value = self._encrypt_data()
        if len(value) > _LONGEST:
            raise BeakerException("Cookie value is too long to store")
        self._ours[self.key] = value
        self._dress_cookie()
        self._send(set_cookie=True)

    def expire(self) -> None:
        """Forget when the cookie ends, as Beaker before 1.11 wrote it among the values."""
        self.pop("_expires", None)

    def delete(self) -> None:
        """Forget all values, and ask the browser to forget the cookie."""
        self._delete_cookie()
        self.clear()

    def invalidate(self) -> None:
        """Forget all values and begin a new session."""
        self.clear()
        self.id = _session_id()
