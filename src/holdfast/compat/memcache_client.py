"""A client with the verbs of python-memcached, over Holdfast's store.

Law: what it writes, the client of the name given reads, and the other way round, as far as the
settings let it: pickles only through the allow-list. A value that cannot be read is not there, and
counted. A server that cannot be reached is a `StoreError`, where the original said nothing.
"""

import time as clock
from collections.abc import Iterable, Mapping
from typing import Any

from holdfast.compat.settings import tell
from holdfast.compat.values import decode, encode
from holdfast.errors import CodecError, ConfigError, KeyRejected
from holdfast.store.memcached.plain import Flagged, PlainMemcached

__all__ = ["Client"]

_DATES = 10**9  # seconds: what is more than 31 years is a date, as memcached takes it
_OWN_FORMS = {"pickler", "unpickler", "pload", "pid", "compressor", "decompressor", "key_encoder"}
"""Options that would bring a form of their own for values and keys."""


class Client:
    """Python's objects on memcached servers.

    Args:
        servers: `host:port`, `("host:port", weight)`, `unix:/path`; the order decides where a key
            lies.
        module: Whose keys, flags and choice of a server: `memcache`, `cmemcache`, `pylibmc`,
            `bmemcached`; `auto` is the one that is installed.
        socket_timeout: Seconds an operation may take.
        behaviors: Those of pylibmc that say where a key lies; others change nothing.
        options: Those of the original; they change nothing but what is refused below.

    Attributes:
        store: The bytes behind it, a `PlainMemcached`.

    Raises:
        ConfigError: An option brings a form of its own for values or keys.
    """

    def __init__(
        self,
        servers: Iterable[str | tuple[str, int]] = ("127.0.0.1:11211",),
        *,
        module: str = "auto",
        socket_timeout: float = 3.0,
        behaviors: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        for name in options:
            if name in _OWN_FORMS:
                raise ConfigError(f"memcached: {name}= is not served; give allow= to install()")
        servers = [servers] if isinstance(servers, str) else servers
        self.store = PlainMemcached(
            servers, module=module, timeout=socket_timeout, behaviors=behaviors
        )
        self._form = self.store.form

    def get(self, key: str | bytes, default: Any = None) -> Any:
        """Return the value, or `default`.

        Raises:
            StoreError: No server that may keep it can be reached; as all methods.
        """
        data = self.store.get(_text(key))
        return default if data is None else self.decoded(data, _text(key), default)

    def get_multi(self, keys: Iterable[Any], key_prefix: str = "") -> dict[Any, Any]:
        """Return the values that are there; the prefix stands before the keys on the servers."""
        found = {}
        for key in keys:
            value = self.get(f"{key_prefix}{_text(key)}", self)
            if value is not self:
                found[key] = value
        return found

    def set(self, key: str | bytes, val: Any, time: float = 0, min_compress_len: int = 0) -> bool:
        """Write a value for `time` seconds; 0 is for ever, what is 31 years and more is a date."""
        data = self.encoded(val, _text(key), min_compress_len)
        self.store.put(_text(key), data, _ttl(time))
        return True

    def set_multi(
        self,
        mapping: Mapping[Any, Any],
        time: float = 0,
        key_prefix: str = "",
        min_compress_len: int = 0,
    ) -> list[Any]:
        """Write several; the keys that could not be written would be in the list it returns."""
        for key, value in mapping.items():
            self.set(f"{key_prefix}{_text(key)}", value, time, min_compress_len)
        return []

    def add(self, key: str | bytes, val: Any, time: float = 0, min_compress_len: int = 0) -> bool:
        """Write a value where there is none; return whether it was."""
        data = self.encoded(val, _text(key), min_compress_len)
        return self.store.swap(_text(key), None, data, _ttl(time))

    def replace(
        self, key: str | bytes, val: Any, time: float = 0, min_compress_len: int = 0
    ) -> bool:
        """Write a value where there is one; return whether it was."""
        data = self.encoded(val, _text(key), min_compress_len)
        while (seen := self.store.get(_text(key))) is not None:
            if self.store.swap(_text(key), seen, data, _ttl(time)):
                return True
        return False

    def delete(self, key: str | bytes, time: float = 0) -> bool:  # noqa: ARG002 - no server knows it any more
        """Remove a value; where there is none, that is as good."""
        self.store.delete(_text(key))
        return True

    def delete_multi(self, keys: Iterable[Any], time: float = 0, key_prefix: str = "") -> bool:  # noqa: ARG002 - the same
        """Remove several."""
        for key in keys:
            self.store.delete(f"{key_prefix}{_text(key)}")
        return True

    def incr(self, key: str | bytes, delta: int = 1) -> int | None:
        """Add to a number; return it, or None where there is none."""
        return self.store.count(_text(key), delta)

    def decr(self, key: str | bytes, delta: int = 1) -> int | None:
        """Take from a number, down to 0; return it, or None where there is none."""
        return self.store.count(_text(key), -delta)

    def flush_all(self) -> bool:
        """Empty the servers, of everybody's values."""
        self.store.flush()
        return True

    def disconnect_all(self) -> None:
        """Do nothing: connections that are not used cost nothing, and `close` closes them."""

    def close(self) -> None:
        """Close the connections, for good."""
        self.store.close()

    def encoded(self, value: Any, key: str, min_compress_len: int = 0) -> Flagged:
        """Return what lies on a server for `value`.

        Raises:
            CodecError: It has an object whose class is not allowed.
        """

        def dumps(value: object) -> bytes:
            return encode(value, name=key, protocol=self._form.protocol)

        return self._form.write(value, dumps, zips=min_compress_len or None)

    def decoded(self, data: Flagged, key: str, default: Any = None) -> Any:
        """Return the value, or `default` for what cannot be read, which is counted."""
        try:
            return self._form.read(data, decode)
        except CodecError as error:
            tell(str(error), f"memcached: {key}")
            return default


def _text(key: Any) -> str:
    try:
        return key.decode() if isinstance(key, bytes) else str(key)
    except UnicodeDecodeError as error:
        raise KeyRejected(f"{key!r} is no key: write UTF-8") from error


def _ttl(time: float) -> float | None:
    """Return the seconds that are left, 0 or less for none; None is for ever."""
    if time > _DATES:
        return time - clock.time()
    return time or None
