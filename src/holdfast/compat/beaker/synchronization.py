"""The locks of Beaker: of names and threads in this process, and of files between processes.

Law: many readers or one writer; a thread that holds a lock may take it again the same way, and
never the other way. The lock file of a name lies where Beaker has it, so that its processes and
ours exclude each other.
"""

import os
import tempfile
import threading as _threading
from collections.abc import Callable
from typing import Any, Literal

from holdfast.compat.beaker import util
from holdfast.compat.beaker.exceptions import LockError
from holdfast.store.file.flock import FlockFile

__all__ = [
    "ConditionSynchronizer",
    "FileSynchronizer",
    "LockError",
    "NameLock",
    "SynchronizerImpl",
    "_threading",
    "file_synchronizer",
    "mutex_synchronizer",
    "null_synchronizer",
]

_Way = Literal["reading", "writing"]

has_flock = True


class NameLock:
    """A lock of this process: the same one for everybody who says the same name.

    Args:
        identifier: The name; without one the lock is this object's alone.
        reentrant: Whether a thread may take it twice; who names it first says so.
    """

    locks = util.WeakValuedRegistry()

    class NLContainer:
        """What the registry keeps: locks themselves cannot be referred to weakly."""

        def __init__(self, reentrant: bool) -> None:
            self.lock: Any = _threading.RLock() if reentrant else _threading.Lock()

        def __call__(self) -> Any:
            return self.lock

    def __init__(self, identifier: Any = None, reentrant: bool = False) -> None:
        make: Callable[..., Any] = self.NLContainer
        named = identifier is not None
        self._lock = self.locks.get(identifier, make, reentrant) if named else make(reentrant)

    def acquire(self, wait: bool = True) -> bool:
        """Take the lock; return whether it was done, which without `wait` it may not be."""
        return bool(self._lock().acquire(wait))

    def release(self) -> None:
        self._lock().release()


_synchronizers = util.WeakValuedRegistry()


def _synchronizer(identifier: str, cls: Callable[..., Any], **kwargs: Any) -> Any:
    # Where the lock lies is part of what it is: another folder's would lock nobody out.
    key = (identifier, cls, *kwargs.values())
    return _synchronizers.sync_get(key, cls, identifier, **kwargs)


def file_synchronizer(identifier: str, **kwargs: Any) -> "SynchronizerImpl":
    """Return the lock of a name between processes: a `FileSynchronizer` in the folder `lock_dir`.

    Without the argument `lock_dir` it is one of this process.
    """
    if "lock_dir" not in kwargs:
        return mutex_synchronizer(identifier)
    found: SynchronizerImpl = _synchronizer(identifier, FileSynchronizer, **kwargs)
    return found


def mutex_synchronizer(identifier: str, **kwargs: Any) -> "SynchronizerImpl":
    """Return the lock of a name between the threads of this process."""
    found: SynchronizerImpl = _synchronizer(identifier, ConditionSynchronizer, **kwargs)
    return found


class null_synchronizer:
    """A lock that locks nothing."""

    def acquire_write_lock(self, wait: bool = True) -> bool:  # noqa: ARG002 - as the others
        return True

    def acquire_read_lock(self, wait: bool = True) -> bool:  # noqa: ARG002 - as the others
        return True

    def release_write_lock(self) -> None:
        """Do nothing."""

    def release_read_lock(self) -> None:
        """Do nothing."""

    acquire = acquire_write_lock
    release = release_write_lock


class SynchronizerImpl:
    """A lock for many readers or one writer; how it locks is said by the four `do_...` methods."""

    class SyncState:
        """What one thread has of the lock."""

        __slots__ = ("reading", "reentrantcount", "writing")

        def __init__(self) -> None:
            self.reentrantcount = 0
            self.writing = False
            self.reading = False

    def __init__(self) -> None:
        self._state = util.ThreadLocal()

    @property
    def state(self) -> "SynchronizerImpl.SyncState":
        """What this thread has of the lock."""
        found: SynchronizerImpl.SyncState | None = self._state.get()
        if found is None:
            found = self.SyncState()
            self._state.put(found)
        return found

    def acquire_read_lock(self, wait: bool = True) -> bool:
        """Take the lock to read; return whether it was done, which without `wait` it may not be.

        Raises:
            LockError: This thread has it to write.
        """
        return self._acquire("reading", self.do_acquire_read_lock, wait)

    def acquire_write_lock(self, wait: bool = True) -> bool:
        """Take the lock to write; return whether it was done, which without `wait` it may not be.

        Raises:
            LockError: This thread has it to read.
        """
        return self._acquire("writing", self.do_acquire_write_lock, wait)

    def release_read_lock(self) -> None:
        """Let go of one reading.

        Raises:
            LockError: This thread does not read.
        """
        self._release("reading", self.do_release_read_lock)

    def release_write_lock(self) -> None:
        """Let go of one writing.

        Raises:
            LockError: This thread does not write.
        """
        self._release("writing", self.do_release_write_lock)

    acquire = acquire_write_lock
    release = release_write_lock

    def do_acquire_read_lock(self, wait: bool) -> Any:
        """Lock to read; without `wait`, return whether it was done."""
        raise NotImplementedError

    def do_acquire_write_lock(self, wait: bool) -> Any:
        """Lock to write; without `wait`, return whether it was done."""
        raise NotImplementedError

    def do_release_read_lock(self) -> Any:
        """Unlock what was locked to read."""
        raise NotImplementedError

    def do_release_write_lock(self) -> Any:
        """Unlock what was locked to write."""
        raise NotImplementedError

    def _acquire(self, way: _Way, lock: Callable[[bool], Any], wait: bool) -> bool:
        state = self.state
        _refuse_other(state, way)
        if not state.reentrantcount:
            if not (lock(wait) or wait):  # locks of users may return nothing where they waited
                return False
            setattr(state, way, True)
        state.reentrantcount += 1
        return True

    def _release(self, way: _Way, unlock: Callable[[], Any]) -> None:
        state = self.state
        _refuse_other(state, way)
        if not getattr(state, way):
            raise LockError(f"lock is not in {way} state")
        if state.reentrantcount == 1:
            unlock()
            setattr(state, way, False)
        state.reentrantcount -= 1


def _refuse_other(state: SynchronizerImpl.SyncState, way: _Way) -> None:
    other = "writing" if way == "reading" else "reading"
    if getattr(state, other):
        raise LockError(f"lock is in {other} state")


class FileSynchronizer(SynchronizerImpl):
    """A lock between processes: `flock` on a file.

    Args:
        identifier: What is locked.
        lock_dir: Where the lock files lie; None is the system's folder for temporary files.

    Attributes:
        filename: The lock file; it is never removed.
        lock_dir: The folder it lies in.
    """

    def __init__(self, identifier: str, lock_dir: str | None) -> None:
        super().__init__()
        root = tempfile.gettempdir() if lock_dir is None else lock_dir
        self.filename = util.encoded_path(root, [identifier], extension=".lock")
        self.lock_dir = os.path.dirname(self.filename)  # noqa: PTH120 - a text, as users expect
        self._file = FlockFile(self.filename)

    def do_acquire_read_lock(self, wait: bool) -> bool:
        return self._file.acquire(shared=True, wait=wait)

    def do_acquire_write_lock(self, wait: bool) -> bool:
        return self._file.acquire(wait=wait)

    def do_release_read_lock(self) -> None:
        self._file.release()

    def do_release_write_lock(self) -> None:
        self._file.release()


class ConditionSynchronizer(SynchronizerImpl):
    """A lock between threads; a writer that waits keeps new readers out.

    Args:
        identifier: What is locked.

    Attributes:
        asynch: How many read.
        current_sync_operation: The thread that writes, or is the next to.
        condition: What they wait for each other with.
    """

    def __init__(self, identifier: Any) -> None:  # noqa: ARG002 - the registry knows them by it
        super().__init__()
        self.asynch = 0
        self.current_sync_operation: _threading.Thread | None = None
        self.condition = _threading.Condition(_threading.Lock())

    def do_acquire_read_lock(self, wait: bool = True) -> bool:
        with self.condition:
            while self.current_sync_operation is not None:
                if not wait:
                    return False
                self.condition.wait()
            self.asynch += 1
            return True

    def do_acquire_write_lock(self, wait: bool = True) -> bool:
        with self.condition:
            while self.current_sync_operation is not None:
                if not wait:
                    return False
                self.condition.wait()
            self.current_sync_operation = _threading.current_thread()
            try:
                while self.asynch and wait:
                    self.condition.wait()
            except BaseException:
                self._end_writing()
                raise
            if self.asynch:  # it gives up: those behind it go on
                self._end_writing()
                return False
            return True

    def do_release_read_lock(self) -> None:
        with self.condition:
            if not self.asynch:
                raise LockError("Synchronizer error - too many release_read_locks called")
            self.asynch -= 1
            if not self.asynch:
                self.condition.notify_all()

    def do_release_write_lock(self) -> None:
        with self.condition:
            if self.current_sync_operation is not _threading.current_thread():
                raise LockError("Synchronizer error - current thread doesnt have the write lock")
            self._end_writing()

    def _end_writing(self) -> None:
        self.current_sync_operation = None
        self.condition.notify_all()
