"""Namespaces over servers where each value has a key of its own.

Law: the namespace stands in the key. What cannot be read is not there: it is counted, and the
KeyError has the reason as its cause.
"""

from typing import Any

from holdfast.compat.beaker.crypto.util import sha1
from holdfast.compat.beaker.namespaces import NamespaceManager
from holdfast.compat.settings import tell
from holdfast.compat.values import decode, encode, name_of
from holdfast.errors import CodecError
from holdfast.store.plain import PlainStore

__all__ = ["ManyKeys"]

_NOTHING = (None, None)


class ManyKeys(NamespaceManager):
    """What the managers over Redis and MongoDB share.

    Subclasses have `MAX_KEY_LENGTH`, `PREFIX`, which stands before the namespace, and `_plain`.
    """

    MAX_KEY_LENGTH: int
    _seen: dict[Any, tuple[bytes | None, Any]] | None = None  # by `reread`; few managers have any
    PREFIX = ""

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        self.lock_dir: str | None = None  # the server has the locks

    @property
    def _plain(self) -> PlainStore:
        """Where the values are, for this process."""
        raise NotImplementedError

    @property
    def _beginning(self) -> str:
        """What all keys of this namespace begin with."""
        return f"{self.PREFIX}{self.namespace}:"

    def _format_key(self, key: Any) -> str:
        """Return the key on the server: one that would be too long stands there as its SHA-1."""
        name: str = key if isinstance(key, str) else key.decode("ascii")
        if len(name) > self.MAX_KEY_LENGTH - len(self._beginning):
            name = sha1(name.encode("utf-8")).hexdigest()
        return self._beginning + name

    def _lives(self, expiretime: Any) -> float | None:
        """Return for how many seconds a value is kept."""
        return None if expiretime is None else float(expiretime)

    def __getitem__(self, key: Any) -> Any:
        return self._decoded(key, self._plain.get(self._format_key(key)))

    def _decoded(self, key: Any, data: bytes | None) -> Any:
        if data is None:
            raise KeyError(key)
        try:
            return decode(data)
        except CodecError as error:
            tell(str(error), self._format_key(key))
            raise KeyError(key) from error

    def _find(self, key: Any) -> Any:
        return self[key]

    def __contains__(self, key: Any) -> Any:
        return self._plain.get(self._format_key(key)) is not None

    def has_key(self, key: Any) -> Any:
        return key in self

    def set_value(self, key: Any, value: Any, expiretime: Any = None) -> None:
        data = encode(value, name=name_of(key))
        self._plain.put(self._format_key(key), data, self._lives(expiretime))

    def __setitem__(self, key: Any, value: Any) -> None:
        self.set_value(key, value)

    def __delitem__(self, key: Any) -> None:
        self._plain.delete(self._format_key(key))

    def reread(self, key: Any) -> Any:
        data = self._plain.get(self._format_key(key))
        self._saw(key, data, None)
        value = self._decoded(key, data)
        self._saw(key, data, value)
        return value

    def recall(self, key: Any) -> Any:
        return None if self._seen is None else self._seen.get(key, _NOTHING)[1]

    def swap_value(self, key: Any, value: Any, expiretime: Any = None) -> bool:
        data = encode(value, name=name_of(key))
        old = (self._seen or {}).get(key, _NOTHING)[0]
        if not self._plain.swap(self._format_key(key), old, data, self._lives(expiretime)):
            return False
        self._saw(key, data, value)
        return True

    def _saw(self, key: Any, data: bytes | None, value: Any) -> None:
        self._seen = {**(self._seen or {}), key: (data, value)}
