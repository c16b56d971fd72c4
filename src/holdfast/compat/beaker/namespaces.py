"""Where values of one namespace lie: what every manager can do, and the two kinds that most extend.

Law: programs subclass these and override any method, so each step of the protocol goes through the
public one. A manager moves values only; how old they are, and who makes new ones, is `value.py`'s.
A record that cannot be read is a `KeyError` whose `__cause__` is the `CodecError`.
"""

import threading
from collections.abc import KeysView
from typing import Any, ClassVar

from holdfast.compat.beaker import util
from holdfast.compat.beaker.synchronization import NameLock

__all__ = [
    "AbstractDictionaryNSManager",
    "MemoryNamespaceManager",
    "NamespaceManager",
    "OpenResourceNamespaceManager",
]


class NamespaceManager:
    """A mapping from keys to values, under one name, with locks around reading and writing.

    Subclasses say where the values lie: `[]`, `in`, `del`, `do_remove`, `get_creation_lock`, and
    `keys` where the server can list them. What is written here is for managers over servers that
    need no lock.

    Args:
        namespace: The name. Managers of one name and kind share their values.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        said = vars(cls)
        if ("__contains__" in said or "__getitem__" in said) and "_find" not in said:
            # Its `[]` may count on being asked only for what its `in` says is there.
            cls._find = NamespaceManager._find  # type: ignore[method-assign] # the shape is the same

    @classmethod
    def _init_dependencies(cls) -> None:
        """Import what this kind of manager needs; called whenever one is made."""

    def __init__(self, namespace: str) -> None:
        self._init_dependencies()
        self.namespace = namespace

    def get_creation_lock(self, key: Any) -> Any:
        """Return the lock (`acquire(wait=True)`, `release()`) of who makes a value for `key`."""
        raise NotImplementedError

    def do_remove(self) -> None:
        """Remove everything in the namespace; callers use `remove`."""
        raise NotImplementedError

    def acquire_read_lock(self) -> Any:
        """Begin to read."""

    def release_read_lock(self) -> Any:
        """End reading."""

    def acquire_write_lock(self, wait: bool = True, replace: bool = False) -> Any:  # noqa: ARG002 - for those who override it
        """Begin to write; return whether it may be done.

        Args:
            wait: For others that read or write; else the answer may be False.
            replace: Nothing that is there now is needed, so it need not be read.
        """
        return True

    def release_write_lock(self) -> Any:
        """End writing."""

    def has_key(self, key: Any) -> Any:
        """Return whether `key` is there, however old."""
        return self.__contains__(key)

    def __getitem__(self, key: Any) -> Any:
        raise NotImplementedError

    def __setitem__(self, key: Any, value: Any) -> None:
        raise NotImplementedError

    def set_value(self, key: Any, value: Any, expiretime: Any = None) -> None:  # noqa: ARG002 - the same
        """Write `value`; `expiretime` (seconds) is for servers that forget by themselves."""
        self[key] = value

    def __contains__(self, key: Any) -> Any:
        raise NotImplementedError

    def __delitem__(self, key: Any) -> None:
        raise NotImplementedError

    def keys(self) -> Any:
        """Return the keys, where the server can list them."""
        raise NotImplementedError

    def remove(self) -> None:
        """Remove everything in the namespace."""
        self.do_remove()

    # Beyond the original

    def _find(self, key: Any) -> Any:
        """Return the value, or raise KeyError; a manager that needs one look for it does it in one.

        A None is given back as it is: to servers like memcached it means that nothing is there.
        """
        if key not in self:
            raise KeyError(key)
        return self[key]

    def _find_anew(self, key: Any) -> Any:
        """Return what `_find` does, as it lies in the store now; for managers that repeat."""
        return self._find(key)

    def reread(self, key: Any) -> Any:
        """Return the value as it lies in the store now, and remember it for `swap_value`.

        Raises:
            KeyError: Nothing is there.
        """
        return self[key]

    def recall(self, key: Any) -> Any:  # noqa: ARG002 - for those who remember
        """Return what `swap_value` will compare with, without asking the store.

        None: nothing, or it does not compare, so `reread` has to come first.
        """
        return None

    def swap_value(self, key: Any, value: Any, expiretime: Any = None) -> bool:
        """Write `value` only if the store still holds what `reread` last saw; return if it did.

        Managers whose write lock keeps all others out need not look, and always write.
        """
        if expiretime is None:
            self[key] = value  # there are managers whose `set_value` takes no expiretime
        else:
            self.set_value(key, value, expiretime)
        return True


class OpenResourceNamespaceManager(NamespaceManager):
    """A manager that opens something before it reads or writes, under a lock, and closes it then.

    Subclasses have `get_access_lock`, `do_open` and `do_close`. Whoever comes while it is open, in
    this thread or beside it, uses what is open; the last one closes it.

    Attributes:
        access_lock: Held by many readers or one writer.
        openers: How many are using what is open.
        mutex: Held while something is opened or closed.
    """

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        self.access_lock = self.get_access_lock()
        self.openers = 0
        self.mutex = threading.Lock()

    def get_access_lock(self) -> Any:
        """Return the lock of all managers of this name; called once, when one is made."""
        raise NotImplementedError

    def do_open(self, flags: str, replace: bool) -> None:
        """Open what is behind: `flags` is "r" to read, "c" to write, `replace` as in the lock."""
        raise NotImplementedError

    def do_close(self) -> None:
        """Close what `do_open` opened, after writing what has changed."""
        raise NotImplementedError

    def acquire_read_lock(self) -> Any:
        self.access_lock.acquire_read_lock()
        try:
            self.open("r", checkcount=True)
        except BaseException:
            self.access_lock.release_read_lock()
            raise

    def release_read_lock(self) -> Any:
        try:
            self.close(checkcount=True)
        finally:
            self.access_lock.release_read_lock()

    def acquire_write_lock(self, wait: bool = True, replace: bool = False) -> Any:
        held = self.access_lock.acquire_write_lock(wait)
        if not held and not wait:
            return held  # locks that wait need not say that they hold
        try:
            self.open("c", checkcount=True, replace=replace)
        except BaseException:
            self.access_lock.release_write_lock()
            raise
        return held

    def release_write_lock(self) -> Any:
        try:
            self.close(checkcount=True)
        finally:
            self.access_lock.release_write_lock()

    def open(self, flags: str, checkcount: bool = False, replace: bool = False) -> None:
        """Open it for one more, or, without `checkcount`, anew."""
        with self.mutex:
            if not checkcount or self.openers == 0:
                self.do_open(flags, replace)
            self.openers = self.openers + 1 if checkcount else 1

    def close(self, checkcount: bool = False) -> None:
        """Close it for one, or, without `checkcount`, for all."""
        with self.mutex:
            was = self.openers
            self.openers = was - 1 if checkcount else 0
            if was == 1 or (was > 1 and not checkcount):
                self.do_close()

    def remove(self) -> None:
        self.access_lock.acquire_write_lock()
        try:
            self.close(checkcount=False)
            self.do_remove()
        finally:
            self.access_lock.release_write_lock()


_ABSENT = object()


class AbstractDictionaryNSManager(NamespaceManager):
    """A manager of values in a dictionary, or in what behaves as one.

    Subclasses set `dictionary`, which belongs to their namespace alone.
    """

    dictionary: Any
    _swapping = threading.Lock()

    def get_creation_lock(self, key: Any) -> Any:
        return NameLock(
            identifier=f"memorynamespace/funclock/{self.namespace}/{key}", reentrant=True
        )

    def __getitem__(self, key: Any) -> Any:
        return self.dictionary[key]

    def _find(self, key: Any) -> Any:
        return self[key]

    def __contains__(self, key: Any) -> Any:
        return key in self.dictionary

    def has_key(self, key: Any) -> Any:
        return key in self.dictionary

    def __setitem__(self, key: Any, value: Any) -> None:
        self.dictionary[key] = value

    def __delitem__(self, key: Any) -> None:
        del self.dictionary[key]

    def do_remove(self) -> None:
        self.dictionary.clear()

    def keys(self) -> Any:
        return self.dictionary.keys()

    def reread(self, key: Any) -> Any:
        self._seen = {key: self[key]} if key in self else {}
        return self._seen[key]

    def swap_value(self, key: Any, value: Any, expiretime: Any = None) -> bool:
        with self._swapping:
            now = self[key] if key in self else _ABSENT  # noqa: SIM401 - it has no `get`
            seen = getattr(self, "_seen", {}).get(key, _ABSENT)
            if now is not seen and now != seen:  # a shelf gives a new object each time
                return False
            self.set_value(key, value, expiretime)
        return True


class MemoryNamespaceManager(AbstractDictionaryNSManager):
    """Values in this process, the objects themselves; shared by all managers of one name.

    Attributes:
        namespaces: The dictionary of each name.
    """

    namespaces: ClassVar[util.SyncDict] = util.SyncDict()

    def __init__(self, namespace: str, **kwargs: Any) -> None:  # noqa: ARG002 - options of others are no fault
        super().__init__(namespace)
        self.dictionary = MemoryNamespaceManager.namespaces.get(self.namespace, dict)

    def keys(self) -> KeysView[Any]:
        found: KeysView[Any] = self.dictionary.keys()
        return found
