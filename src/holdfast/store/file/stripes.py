"""Stripes: a bounded set of locks between the threads and processes that share a folder.

Law: a key always has the same stripe; who holds a stripe is alone with its keys. A killed holder
holds nothing: the kernel lets go of `flock` locks by itself. A forked child opens the lock files
anew, because a lock on an inherited descriptor is the parent's lock too.
"""

import contextlib
import fcntl
import os
import threading
import time
import weakref
from collections.abc import Iterator

from holdfast.clock import monotonic

__all__ = ["STRIPES", "Stripes", "Waited"]

STRIPES = 64
_FIRST_NAP, _LONGEST_NAP = 0.0001, 0.001  # seconds between two looks at a lock others hold


class Waited(Exception):  # noqa: N818 - it names a state, and never leaves the store
    """The stripe was not to be had in time."""


class Stripes:
    """The locks of one folder, open until `close`.

    Args:
        folder: Where the lock files lie; made at the first use, with the folder around it.
        timeout: Seconds to wait for a stripe.
    """

    def __init__(self, folder: str, timeout: float) -> None:
        self._folder = folder
        self._timeout = min(timeout, threading.TIMEOUT_MAX)
        self._files: dict[int, int] = {}
        self._renew_locks()
        with _alive_guard:
            _alive.add(self)

    @contextlib.contextmanager
    def hold(self, stripe: int) -> Iterator[None]:
        """Hold `stripe` while the block runs.

        Raises:
            Waited: Another holds it for longer than the timeout.
            OSError: The lock file cannot be opened.
        """
        deadline = monotonic() + self._timeout
        lock = self._locks[stripe]
        if not lock.acquire(timeout=self._timeout):
            raise Waited
        try:
            file = self._locked(stripe, deadline)
            try:
                yield
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)
        finally:
            lock.release()

    def close(self) -> None:
        """Close the lock files; waits for those who hold one."""
        for stripe in list(self._files):
            with self._locks[stripe]:
                file = self._files.pop(stripe, None)  # another may be closing, too
                if file is not None:
                    os.close(file)

    def _locked(self, stripe: int, deadline: float) -> int:
        """Return the lock file of `stripe` that stands in the folder now, locked."""
        while True:
            file = self._files.get(stripe)
            if file is None:
                file = self._files[stripe] = self._open(stripe)
            _flock(file, deadline)
            if os.fstat(file).st_nlink:
                return file
            # The folder was emptied: whoever opened the store since then locks another file.
            os.close(self._files.pop(stripe))
            if monotonic() >= deadline:
                raise Waited

    def _open(self, stripe: int) -> int:
        path = f"{self._folder}/{stripe:02x}"
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self._folder), 0o700, exist_ok=True)  # noqa: PTH103, PTH120
            os.makedirs(self._folder, 0o700, exist_ok=True)  # noqa: PTH103 - paths are text here
            return os.open(path, flags, 0o600)

    def _renew_locks(self) -> None:
        self._locks = [threading.Lock() for _ in range(STRIPES)]

    def _forget(self) -> None:
        files, self._files = self._files, {}
        for file in files.values():
            os.close(file)  # the parent's own descriptor goes on holding what it holds
        self._renew_locks()

    def __del__(self) -> None:
        for file in self._files.values():
            os.close(file)


def _flock(file: int, deadline: float) -> None:
    nap = _FIRST_NAP
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() >= deadline:
                raise Waited from None
            time.sleep(nap)
            nap = min(nap * 1.5, _LONGEST_NAP)
        else:
            return


_alive: weakref.WeakSet[Stripes] = weakref.WeakSet()
_alive_guard = threading.Lock()


def _after_fork_in_child() -> None:
    for stripes in list(_alive):
        stripes._forget()  # noqa: SLF001 - the same file
    _alive_guard.release()


os.register_at_fork(
    before=_alive_guard.acquire,
    after_in_parent=_alive_guard.release,
    after_in_child=_after_fork_in_child,
)
