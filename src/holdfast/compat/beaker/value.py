"""One value of a namespace: whether there is one, how old it is, and who makes a new one.

Law: what lies in a namespace is `(storedtime, expiretime, value)`, times in seconds since 1970; an
`expiretime` of None never ends. While one makes a new value, others get the old one, or wait where
there is none. No lock is held while the user's function runs but the one of creation.
"""

import contextlib
import time
from collections.abc import Callable
from typing import Any

from holdfast.compat.beaker.namespaces import NamespaceManager
from holdfast.compat.settings import tell

__all__ = ["Value"]


class Value:
    """A key of a namespace, with the function that makes its value.

    Args:
        key: Any key the manager takes.
        namespace: A `NamespaceManager`.
        createfunc: Makes the value where there is none, or an old one.
        expiretime: Seconds a value that is written from here is good for; None is for ever.
        starttime: What was stored before this time (seconds since 1970) is old.
    """

    __slots__ = (
        "createfunc",
        "expire_argument",
        "expiretime",
        "key",
        "namespace",
        "starttime",
        "storedtime",
    )

    def __init__(
        self,
        key: Any,
        namespace: Any,
        createfunc: Callable[[], Any] | None = None,
        expiretime: float | None = None,
        starttime: float | None = None,
    ) -> None:
        self.key = key
        self.namespace = namespace
        self.createfunc = createfunc
        self.expire_argument = expiretime
        self.starttime = starttime
        self.storedtime = -1

    def has_value(self) -> Any:
        """Return whether there is a value, however old."""
        self.namespace.acquire_read_lock()
        try:
            return self.key in self.namespace
        finally:
            self.namespace.release_read_lock()

    def can_have_value(self) -> bool:
        """Return whether `get_value` would give one."""
        return self.has_current_value() or self.createfunc is not None

    def has_current_value(self) -> bool:
        """Return whether there is a value that is not too old."""
        return self._read()[1]

    def get_value(self) -> Any:
        """Return the value; a new one if there is none that is current.

        Raises:
            KeyError: There is none, and no function to make one.
        """
        found, current, value = self._read()
        if current:
            return value
        if self.createfunc is None:
            raise KeyError(self.key)
        creation = self.namespace.get_creation_lock(self.key)
        if not found:
            creation.acquire()
        elif not creation.acquire(wait=False):
            return value  # somebody is making a new one: the old one must do
        try:
            _, current, value = self._read(anew=True)  # who held the lock before may have made it
            if not current:
                value = self.createfunc()
                self.set_value(value)
            return value
        finally:
            creation.release()

    def set_value(self, value: Any, storedtime: float | None = None) -> None:
        """Write `value`, as of now, or as of `storedtime` (seconds since 1970)."""
        namespace, ends = self.namespace, self.expire_argument
        namespace.acquire_write_lock()
        try:
            stored = time.time() if storedtime is None else storedtime
            namespace.set_value(self.key, (stored, ends, value), expiretime=ends)
        finally:
            namespace.release_write_lock()

    def clear_value(self) -> None:
        """Remove the value, however old; nothing happens where there is none."""
        self.storedtime = -1
        namespace = self.namespace
        namespace.acquire_write_lock()
        try:
            with contextlib.suppress(KeyError):  # another process may be faster
                if self.key in namespace:
                    del namespace[self.key]
        finally:
            namespace.release_write_lock()

    def _read(self, *, anew: bool = False) -> tuple[bool, bool, Any]:
        """Return whether there is a value, whether it is current, and the value."""
        self.namespace.acquire_read_lock()
        try:
            stored, expires, value = self._get_value(anew=anew)
        except KeyError:
            return False, False, None
        finally:
            self.namespace.release_read_lock()
        try:
            return True, not self._is_expired(stored, expires), value
        except TypeError:  # the store says that time is a text
            self._tell()
            return False, False, None

    def _is_expired(self, storedtime: float, expiretime: float | None) -> bool:
        if self.starttime is not None and storedtime < self.starttime:
            return True
        return expiretime is not None and time.time() >= storedtime + expiretime

    def _get_value(self, *, anew: bool = False) -> tuple[float, float | None, Any]:
        """Return the times and the value; called with the read lock held."""
        namespace = self.namespace
        if isinstance(namespace, NamespaceManager):
            find = namespace._find_anew if anew else namespace._find  # noqa: SLF001 - a manager's second face, for us
            found = find(self.key)
        else:  # whatever behaves as one will do
            found = NamespaceManager._find(namespace, self.key)  # noqa: SLF001 - the same
        if type(found) is tuple and len(found) == 3:
            return found
        return self._older_form(found)

    def _older_form(self, found: Any) -> tuple[float, float | None, Any]:
        """Return what was written before Beaker 1.1, after writing it anew, or by JSON as a list.

        Raises:
            KeyError: It is None, which servers say when they forget, or no entry at all.
        """
        if isinstance(found, tuple | list) and len(found) == 3:
            return found[0], found[1], found[2]
        if isinstance(found, tuple | list) and len(found) == 2:
            stored, value = found
            self.namespace.release_read_lock()
            try:
                self.set_value(value, stored)
            finally:
                self.namespace.acquire_read_lock()
            return stored, self.expire_argument, value
        if found is not None:
            self._tell()
        raise KeyError(self.key)

    def _tell(self) -> None:
        tell("not an entry of a cache", f"{self.namespace.namespace}: {self.key!r}")
