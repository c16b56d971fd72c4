"""A session whose values lie in a store, and whose id travels.

Law: an id that a client brings and that names no record is never used. What two requests changed is
kept of both. A record that is gone stays gone. `settings.UNSAFE` names what asks for the old ways.
"""

import time
from datetime import datetime, timedelta
from typing import Any

from holdfast.codec.unpickle import NotAllowed
from holdfast.compat.beaker import util
from holdfast.compat.beaker.cache import clsmap
from holdfast.compat.beaker.crypto import (
    DEFAULT_NONCE_BITS,
    get_crypto_module,
    get_nonce_size,
)
from holdfast.compat.beaker.exceptions import BeakerException
from holdfast.compat.beaker.session_header import CarriedSession, _session_id
from holdfast.compat.beaker.session_merge import merge
from holdfast.compat.beaker.session_move import move
from holdfast.compat.beaker.session_record import Unreadable, forget, look, write
from holdfast.compat.beaker.session_seal import opened, sealed
from holdfast.compat.beaker.signed_cookie import own_value
from holdfast.compat.settings import current, tell
from holdfast.errors import CodecError, KeyRejected, StoreError

__all__ = ["Session"]

_MARGIN = 120
"""Seconds a server keeps a record beyond its timeout, which is judged when it is read."""

_LONGEST_ID = 200  # bytes
_SERIALIZERS = {"json": util.JsonSerializer, "pickle": util.PickleSerializer}


class Session(CarriedSession):
    """A session in a store.

    Args:
        request: A dict with the `Cookie` header under "cookie"; gets `cookie_out`, `set_cookie`.
        id: Which session; without one, that of the cookie.
        invalidate_corrupt: Whether a record that cannot be read becomes a new session; else raises.
        use_cookies: Whether the id is read from, and sent in, a cookie.
        type: The kind of manager, a key of `beaker.cache.clsmap`.
        data_dir: The folder of managers that keep files.
        key: The name of the cookie.
        timeout: Seconds without a request after which the session is over.
        save_accessed_time: Whether a request that only reads writes the time.
        cookie_expires: When the browser forgets the cookie: True is when it closes, False never; or
            a datetime, a timedelta, or seconds.
        cookie_domain: The cookie's domain.
        cookie_path: The cookie's path.
        data_serializer: "pickle", "json", or an object with `loads` and `dumps`.
        secret: Signs the cookie.
        secure: Whether the cookie is for https alone.
        namespace_class: The manager, instead of `type`.
        httponly: Whether scripts cannot see the cookie.
        encrypt_key: Encrypts the record, together with:
        validate_key: The other half of the key.
        encrypt_nonce_bits: Of the nonce; 48 reads what Beaker before 1.8 wrote.
        crypto_type: Which form of encryption.
        samesite: "Lax", "Strict", or None.
        namespace_args: For the manager.

    Raises:
        BeakerException: Options that contradict each other.
    """

    accessed_dict: dict[Any, Any]
    last_accessed: Any = None
    namespace: Any = None

    _brought: str | None = None  # the id a client came with
    _origin: Any = None  # the id of the record this session was read from, or written to
    _text: Any = None  # what lay there
    _cleared = False  # whether all of it was cleared
    _saved = False  # whether this request has written it whole
    _locked: Any = None  # the namespace that `lock` has locked
    _over = False  # whether it was deleted

    def __init__(  # noqa: PLR0913, PLR0917 - the original signature
        self,
        request: Any,
        id: Any = None,
        invalidate_corrupt: Any = False,
        use_cookies: Any = True,
        type: Any = None,
        data_dir: Any = None,
        key: str = "beaker.session.id",
        timeout: int | None = None,
        save_accessed_time: Any = True,
        cookie_expires: bool | datetime | timedelta | int = True,
        cookie_domain: str | None = None,
        cookie_path: str | None = "/",
        data_serializer: Any = "pickle",
        secret: str | None = None,
        secure: Any = False,
        namespace_class: Any = None,
        httponly: Any = False,
        encrypt_key: str | None = None,
        validate_key: str | None = None,
        encrypt_nonce_bits: int = DEFAULT_NONCE_BITS,
        crypto_type: str = "default",
        samesite: str | None = "Lax",
        **namespace_args: Any,
    ) -> None:
        super().__init__(cookie_domain=cookie_domain, cookie_path=cookie_path)
        self.clear()
        self.type = type or ("file" if data_dir else "memory")
        self.namespace_class = namespace_class or clsmap[self.type]
        self.namespace_args = namespace_args
        self.request = request
        self.data_dir = data_dir
        self.key = key
        self.timeout = _checked_timeout(timeout, save_accessed_time)
        if timeout is not None:
            namespace_args["timeout"] = timeout + _MARGIN
        self.save_atime = save_accessed_time
        self.use_cookies = use_cookies
        self.cookie_expires = cookie_expires
        self._set_serializer(data_serializer)
        self.was_invalidated = False
        self.secret = self._signing = secret
        self.secure = secure
        self.httponly = httponly
        self.samesite = samesite
        self.encrypt_key = encrypt_key
        self.validate_key = validate_key
        self.encrypt_nonce_size = get_nonce_size(encrypt_nonce_bits)
        self.crypto_module = get_crypto_module(crypto_type)
        self.id = id
        self.accessed_dict = {}
        self.invalidate_corrupt = invalidate_corrupt
        if use_cookies:
            self._read_cookie(request.get("cookie", ""))
        self.is_new = self.id is None
        if self.is_new:
            self._create_id()
            self["_accessed_time"] = self["_creation_time"] = time.time()
        else:
            self._load_or_begin()

    def _set_serializer(self, data_serializer: Any) -> None:
        self.data_serializer = self.serializer = data_serializer
        if isinstance(data_serializer, str):
            if data_serializer not in _SERIALIZERS:
                raise BeakerException(f"Invalid value for data_serializer: {data_serializer}")
            self.serializer = _SERIALIZERS[data_serializer]()

    def _read_cookie(self, header: str | None) -> None:
        came = None if self.id else own_value(self.key, header, self.secret)
        if came and came.isprintable() and len(came.encode()) <= _LONGEST_ID:
            self.id = self._brought = came  # else it names no record

    def _load_or_begin(self) -> None:
        try:
            self.load()
        except StoreError:
            raise  # whether it is corrupt, nobody knows: an outage logs nobody out
        except Exception as error:
            if not (self.invalidate_corrupt or isinstance(error, NotAllowed)):
                raise
            self._tell_corrupt(error)
            self.invalidate()

    def _tell_corrupt(self, error: Exception) -> None:
        """Warn, and count what could be read only by running it."""
        if isinstance(error, CodecError) and not isinstance(error, Unreadable):
            tell(error.message, f"session in the cookie {self.key!r}")
        util.warn(
            f"Invalidating corrupt session {self.id[:6]}...; error was: {error}.  "
            "Set invalidate_corrupt=False to propagate this exception."
        )

    def has_key(self, name: Any) -> bool:
        """Return whether there is a value of this name."""
        return name in self

    def clear(self) -> None:
        """Forget all values, those as well that others are writing meanwhile."""
        super().clear()
        self._cleared = True

    def _create_id(self, set_new: bool = True) -> None:
        self.id = _session_id()
        if set_new:
            self.is_new = True
            self.last_accessed = None
        if self.use_cookies:
            self._update_cookie_out(set_cookie=set_new is False)

    def _encrypt_data(self, session_data: Any = None) -> Any:
        """Return the text that the session, or other data, becomes in a record."""
        return sealed(self, session_data or self.copy())

    def _decrypt_data(self, session_data: Any) -> dict[Any, Any]:
        """Return the data that a record's text holds."""
        return opened(self, session_data)

    def _open_namespace(self, id: Any) -> Any:
        return self.namespace_class(
            id, data_dir=self.data_dir, digest_filenames=False, **self.namespace_args
        )

    def _namespace_of(self, id: Any) -> Any:
        """Return that of `id`: our own, which may be locked, if it is that."""
        space = self.namespace
        known = space is not None and space.namespace == id
        return space if known else self._open_namespace(id)

    def load(self) -> None:
        """Read the session; where there is none, or it has timed out, begin a new one."""
        self.namespace = self._open_namespace(self.id)
        now = time.time()
        if self.use_cookies:
            self.request["set_cookie"] = True
        self.clear()
        self._forget_past()
        try:
            text = self._look()
        except KeyRejected:
            if self.id != self._brought:
                raise
            self._create_id()  # the client's names no record, whatever the store
            self.load()
            return
        data = self._readable(text)
        if not data:
            self._begin(now)
        elif self._timed_out(data, now):
            self.invalidate()
        else:
            self.last_accessed = None if self.is_new else data.get("_accessed_time")
            self._origin, self._text = self.id, text
            data["_accessed_time"] = now
            self._take(data)

    def _look(self) -> Any:
        self.namespace.acquire_read_lock()
        try:
            return look(self.namespace)
        finally:
            self.namespace.release_read_lock()

    def _readable(self, text: Any) -> Any:
        if text is None:
            return None
        try:
            return self._decrypt_data(text)
        except TypeError:  # as the original: no text at all is no session
            return None

    def _timed_out(self, data: dict[Any, Any], now: float) -> bool:
        seen = data.get("_accessed_time")
        return self.timeout is not None and seen is not None and now - seen > self.timeout

    def _begin(self, now: float) -> None:
        """Go on as a new session."""
        if self.id == self._brought and "unknown-ids" not in current().unsafe:
            self._create_id()  # the client's choice names no record
            self.namespace = self._open_namespace(self.id)
        self.is_new = True
        self.last_accessed = None
        self._take({"_creation_time": now, "_accessed_time": now})

    def _take(self, data: dict[Any, Any]) -> None:
        self.update(data)
        self.accessed_dict = data

    def _forget_past(self) -> None:
        self._origin = self._text = None
        self._cleared = self._saved = self._over = False

    def delete(self) -> None:
        """Remove the session and its record, and ask the browser to forget the cookie."""
        self._remove_record()
        if self.use_cookies:
            self._delete_cookie()
        self.clear()
        self._over = "kept-records" not in current().unsafe

    def invalidate(self) -> None:
        """Remove the session and its record, and begin a new one under a new id."""
        self._remove_record()
        self.clear()
        self.was_invalidated = True
        self._create_id()
        self.load()

    def _remove_record(self) -> None:
        if self._origin is not None and "kept-records" not in current().unsafe:
            forget(self._namespace_of(self._origin))

    def save(self, accessed_only: bool = False) -> None:
        """Write the session over what lies in the store now.

        Args:
            accessed_only: Write only that it was used: what the request changed is not kept.

        Raises:
            CodecError: A value is of a class that may not be written.
            StoreError: The world's fault.
        """
        if self._over or (accessed_only and not self._access_counts()):
            return
        mine = dict(self.accessed_dict if accessed_only else self)
        if not self._write(mine, whole=not accessed_only):
            self.request["set_cookie"] = False
        elif self.use_cookies and self.is_new:
            self.request["set_cookie"] = True

    def _access_counts(self) -> bool:
        return not self.is_new and not self._saved and (self.save_atime or self._moved)

    @property
    def _moved(self) -> bool:
        """Whether the id has changed since the record was read."""
        return self._origin is not None and self._origin != self.id

    def _write(self, mine: dict[Any, Any], *, whole: bool) -> bool:
        """Write the record, under its new id if it has one; return whether it was still there."""
        merged: dict[Any, Any] | None = None

        def text(now: Any) -> Any:
            nonlocal merged
            merged = self._merged(mine, now)
            return self._encrypt_data(mine if merged is None else merged)

        if self._moved:
            old, self.namespace = self._namespace_of(self._origin), self._open_namespace(self.id)
            written = move(old, self.namespace, text, leave="old-ids" in current().unsafe)
        else:
            self.namespace = self._namespace_of(self.id)
            written = write(self.namespace, text, known=self._origin is not None)
        if written is not None:
            self._settle(written, merged, whole=whole)
        return written is not None

    def _settle(self, text: Any, merged: dict[Any, Any] | None, *, whole: bool) -> None:
        """Know what lies in the store now, and have the values that others wrote."""
        self._origin = self.id
        if whole or merged is None:
            self._text = text
        if whole:
            self._saved, self._cleared = True, False
            if merged is not None:
                super().clear()
                self.update(merged)

    def _merged(self, mine: dict[Any, Any], now: Any) -> dict[Any, Any] | None:
        """Return what `mine` and others' changes make; None if nobody else wrote."""
        if now is None or now == self._text or self._cleared:
            return None
        try:
            theirs = self._decrypt_data(now)
            base = {} if self._text is None else self._decrypt_data(self._text)
        except Exception:  # noqa: BLE001 - serializers and ciphers raise anything: it was read once, so ours is better
            return None
        return merge(mine, {**self._config, **base}, theirs)

    def revert(self) -> None:
        """Bring back the values the session had when it was read."""
        self.clear()
        self.update(self.accessed_dict)
        self._cleared = False

    def regenerate_id(self) -> None:
        """Change the id and keep the values, as is good when a user signs in."""
        self._create_id(set_new=False)

    def lock(self) -> None:
        """Keep all others from reading and writing this session, until `unlock`."""
        self._locked = self.namespace = self._namespace_of(self.id)
        self._locked.acquire_write_lock()

    def unlock(self) -> None:
        """End what `lock` began."""
        (self._locked or self.namespace).release_write_lock()


def _checked_timeout(timeout: int | None, save_accessed_time: Any) -> int | None:
    if timeout and not save_accessed_time:
        raise BeakerException("timeout requires save_accessed_time")
    return timeout
