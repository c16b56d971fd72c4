"""Namespaces that are one dictionary each, in one row of a table or one entity.

Law: the row is read when it is opened, but for a tenth of a second after it was, so that what other
processes wrote is seen and a busy value costs nothing; who writes has it read when he looks. It is
decoded only if its bytes have changed. A row is written by `swap`: where another process was
quicker, what was changed here is put onto what it wrote.
"""

import threading
from typing import Any

from holdfast.clock import monotonic
from holdfast.compat.beaker.namespaces import OpenResourceNamespaceManager
from holdfast.compat.beaker.old_keys import asked_for
from holdfast.compat.settings import tell
from holdfast.compat.values import decode, encode
from holdfast.errors import CodecError, StoreTimeout
from holdfast.store.plain import PlainStore

__all__ = ["OneRow"]

_GONE = object()
_REPEAT = 0.1  # seconds in which who only reads is content with what was read
_TRIES = 100  # how often others may come between; after so many something else is wrong


class _Turn:
    """The lock of one manager, whose threads share `hash`; others have `swap`.

    Readers take turns, too: they hold it for no longer than they need to look.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def acquire_write_lock(self, wait: bool = True) -> bool:
        return self._lock.acquire(wait)

    def release_write_lock(self) -> None:
        self._lock.release()

    acquire_read_lock, release_read_lock = acquire_write_lock, release_write_lock


class OneRow(OpenResourceNamespaceManager):
    """What the managers over SQL and Datastore share.

    Subclasses set `_plain`, where the rows are.

    Attributes:
        hash: The values, as of the last opening.
        loaded: Whether `hash` was read.
        flags: How it is open: "r" or "c"; None while it is not.
    """

    _plain: PlainStore

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        self.hash: dict[Any, Any] = {}
        self.flags: str | None = None
        self.loaded = False
        self._is_new = False
        self._repeats_until = 0.0
        self._data: bytes | None = None
        self._changed: dict[Any, Any] = {}
        self._swapped = False
        self._is_fresh = False  # nobody has used what this opening read
        self._is_late = False  # who writes has it read when he looks, and `swap` look for him
        self._unreadable: CodecError | None = None

    def get_access_lock(self) -> Any:
        return _Turn()

    def do_open(self, flags: str, replace: bool) -> None:
        if not self.loaded or (flags == "r" and monotonic() >= self._repeats_until):
            self._read()
            self._is_fresh = True
        self._changed, self._swapped = {}, False
        self._is_late = flags != "r" and not (replace or self._is_fresh)
        self.flags = flags

    def do_close(self) -> None:
        flags, self.flags = self.flags, None
        self._is_fresh = self._is_late = False
        if (flags in ("c", "w") or self._changed) and not self._swapped:
            try:
                self._write()
            except BaseException:
                self.loaded = False  # `hash` has what the row has not
                raise

    def do_remove(self) -> None:
        self._plain.delete(self.namespace)
        self.hash, self._data, self._changed = {}, None, {}
        self._is_new = True

    def __getitem__(self, key: Any) -> Any:
        self._catch_up()
        try:
            return self.hash[key]
        except KeyError:
            raise KeyError(key) from self._unreadable

    def __contains__(self, key: Any) -> Any:
        self._catch_up()
        return key in self.hash

    def __setitem__(self, key: Any, value: Any) -> None:
        self._changed[key] = self.hash[key] = value
        self._swapped = False

    def __delitem__(self, key: Any) -> None:
        self._catch_up()
        del self.hash[key]
        self._changed[key] = _GONE
        self._swapped = False

    def keys(self) -> Any:
        self._catch_up()
        return self.hash.keys()

    def _find_anew(self, key: Any) -> Any:
        if not self._is_fresh:
            self._read()
        return self._find(key)

    def reread(self, key: Any) -> Any:
        if not self._is_fresh:
            self._read()
        self._is_fresh = False
        return self[key]

    def recall(self, key: Any) -> Any:
        return self.hash.get(key)

    def swap_value(self, key: Any, value: Any, expiretime: Any = None) -> bool:  # noqa: ARG002 - rows know none
        self._swapped = self._swap({**self.hash, key: value})
        return self._swapped

    def _read(self) -> None:
        data = self._plain.get(self.namespace)
        if data != self._data or not self.loaded:
            self.hash = self._decoded(data)
        self._data, self._is_new, self.loaded, self._is_late = data, data is None, True, False
        self._repeats_until = monotonic() + _REPEAT

    def _decoded(self, data: bytes | None) -> dict[Any, Any]:
        self._unreadable = None
        if data is None:
            return {}
        try:
            return _dictionary(data, self.namespace)
        except CodecError as error:
            tell(str(error), self.namespace)
            self._unreadable = error
            return {}

    def _swap(self, values: dict[Any, Any]) -> bool:
        data = encode(values, name=self.namespace)
        if not self._plain.swap(self.namespace, self._data, data):
            return False
        self.hash, self._data, self._is_new = values, data, False
        return True

    def _write(self) -> None:
        """Write what is in `hash`; after another's write, only what was changed here."""
        changed, self._changed = self._changed, {}
        if not changed and not self.hash:
            return
        for _ in range(_TRIES):
            if self._swap(self.hash):
                return
            self._read()
            if not changed:
                return  # another wrote, and we have nothing to add
            self._put_onto(changed)
        raise StoreTimeout(
            self._plain.name, f"others came between {_TRIES} times; nothing was done"
        )

    def _catch_up(self) -> None:
        if self._is_late:
            self._read()
            self._put_onto(self._changed)

    def _put_onto(self, changed: dict[Any, Any]) -> None:
        """Put what was changed here onto what was read."""
        if changed:
            kept = {key: value for key, value in self.hash.items() if key not in changed}
            self.hash = kept | {key: new for key, new in changed.items() if new is not _GONE}


def _dictionary(data: bytes, name: str) -> dict[Any, Any]:
    found = decode(data)
    if not isinstance(found, dict):
        raise CodecError("not a dictionary", name=name)
    return asked_for(found, data)
