"""The files of one dbm database: opened for one operation at a time, under a lock of our own.

Law: whoever has the database open holds the lock file beside it, because no dbm module is safe
among writers. Nothing is open while a process forks. Every error of a dbm module is translated in
`_faults` and nowhere else. A writer who dies leaves a mark, and who comes next mends what dbm.dumb
left half done.
"""

import contextlib
import dbm
import fcntl
import os
import threading
import time
import weakref
from collections.abc import Iterator, MutableMapping
from typing import Any

from holdfast.clock import monotonic
from holdfast.errors import StoreTimeout, StoreUnavailable

__all__ = ["Files", "Opened"]

_FIRST_NAP, _LONGEST_NAP = 0.0001, 0.002  # seconds between two looks at a lock others hold
_DUMB = "dbm.dumb"
# from an index that is none, or speaks of a value of many gigabytes
_GARBLED = (SyntaxError, ValueError, TypeError, KeyError, AttributeError, MemoryError)


class Opened:
    """A database while its lock is held.

    Attributes:
        removes: Whether removing a key is as cheap as writing one.
    """

    def __init__(self, files: "Files", rows: MutableMapping[bytes, bytes], kind: str) -> None:
        self._files = files
        self._rows = rows
        self.removes = kind != _DUMB  # which writes all its keys anew for each it removes

    def read(self, key: bytes) -> bytes | None:
        with self._files.faults():
            return self._rows.get(key)

    def write(self, key: bytes, data: bytes) -> None:
        with self._files.faults():
            self._rows[key] = data

    def remove(self, key: bytes) -> None:
        with self._files.faults(), contextlib.suppress(KeyError):
            del self._rows[key]

    def keys(self) -> list[bytes]:
        with self._files.faults():
            return list(self._rows.keys())


class Files:
    """The files of one database.

    Args:
        name: What the store is called in errors.
        path: The database, without the endings a dbm module adds.
        timeout: Seconds to wait for others.
    """

    mode = 0o600  # what new files may be used for, before the umask

    def __init__(self, name: str, path: str, timeout: float) -> None:
        self._name, self._path = name, path
        self._timeout = min(timeout, threading.TIMEOUT_MAX)
        self._lock = threading.Lock()
        self._closed = False
        with _alive_guard:
            _alive.add(self)

    def close(self) -> None:
        """Refuse every further use; waits for one that runs."""
        with self._lock:
            self._closed = True

    @contextlib.contextmanager
    def reading(self) -> Iterator[Opened]:
        """Open the database to read while the block runs; none there is an empty one."""
        with self._alone():
            kind = self._kind()
            if kind is None:
                yield Opened(self, {}, _DUMB)
                return
            rows = self._open("r")
            try:
                yield Opened(self, rows, kind)
            finally:
                self._close(rows)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Opened]:
        """Open the database to write while the block runs; it is made where there is none."""
        with self._alone() as lock:
            kind = self._kind()
            with self.faults():
                self._forget_backup()
                os.pwrite(lock, b"w", 0)  # until it is closed, somebody may have to mend it
            rows = self._open("c")
            try:
                yield Opened(self, rows, kind or self._kind() or _DUMB)
            finally:
                self._close(rows)
                with self.faults():
                    os.ftruncate(lock, 0)

    @contextlib.contextmanager
    def faults(self) -> Iterator[None]:
        """Translate what goes wrong inside."""
        try:
            yield
        except (*dbm.error, *_GARBLED) as error:
            if isinstance(error, FileNotFoundError):
                folder = os.path.dirname(self._path)  # noqa: PTH120 - the path is text
                message = f"there is no folder {folder}: make it first"
                raise StoreUnavailable(self._name, message) from error
            raise StoreUnavailable(self._name, f"{type(error).__name__}: {error}") from error

    def _kind(self) -> str | None:
        """Return the name of the module that made the database; None if there is none yet."""
        with self.faults():
            kind = dbm.whichdb(self._path)
            dumb = all(os.path.exists(self._path + end) for end in (".dat", ".dir"))  # noqa: PTH110
        if kind == "" or (kind is None and dumb):
            message = "it is no dbm database that this Python knows, or its index is damaged"
            raise StoreUnavailable(self._name, message)
        return kind

    def _open(self, flag: Any) -> Any:
        with self.faults():
            return dbm.open(self._path, flag, self.mode)

    def _close(self, rows: Any) -> None:
        with self.faults():
            rows.close()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[int]:
        """Hold the lock of this process, then that of the file; give the lock file."""
        deadline = monotonic() + self._timeout
        if not self._lock.acquire(timeout=self._timeout):
            raise self._waited()
        try:
            if self._closed:
                raise StoreUnavailable(self._name, "the store is closed")
            with self.faults():
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
                lock = os.open(f"{self._path}.lock", flags, self.mode)
            try:
                self._wait_for(lock, deadline)
                if os.fstat(lock).st_size:
                    self._mend(lock)
                yield lock
            finally:
                os.close(lock)  # which lets go of it
        finally:
            self._lock.release()

    def _wait_for(self, lock: int, deadline: float) -> None:
        nap = _FIRST_NAP
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if monotonic() >= deadline:
                    raise self._waited() from error
            else:
                return
            time.sleep(nap)
            nap = min(nap * 1.5, _LONGEST_NAP)

    def _waited(self) -> StoreTimeout:
        message = f"others used it for more than {self._timeout:g} s; nothing was done"
        return StoreTimeout(self._name, message)

    # dbm.dumb writes its index anew: the old one to .bak, then the new one piece by piece

    def _forget_backup(self) -> None:
        """Take the last writer's backup away, so that one that is there is of this writer."""
        if os.path.exists(f"{self._path}.dat"):  # noqa: PTH110 - the path is text
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self._path}.bak")  # noqa: PTH108

    def _mend(self, lock: int) -> None:
        """Put the index back that a writer left half written when he died."""
        with self.faults():
            if os.path.exists(f"{self._path}.dat"):  # noqa: PTH110
                with contextlib.suppress(FileNotFoundError):
                    os.replace(f"{self._path}.bak", f"{self._path}.dir")  # noqa: PTH105
            os.ftruncate(lock, 0)


_alive: weakref.WeakSet[Files] = weakref.WeakSet()
_alive_guard = threading.Lock()
_forking: list[Files] = []


def _before_fork() -> None:
    """Wait until nothing is open: a child that closed an inherited database would spoil it."""
    _alive_guard.acquire()
    _forking.extend(_alive)
    for files in _forking:
        files._lock.acquire()  # noqa: SLF001 - the same file


def _after_fork() -> None:
    for files in _forking:
        files._lock.release()  # noqa: SLF001 - the same file
    _forking.clear()
    _alive_guard.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
