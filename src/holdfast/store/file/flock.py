"""A lock file of its own name, held alone or shared: between threads, processes and other programs.

Law: `flock`, on a file that is never unlinked. Each thread has its own descriptor, so threads
exclude each other as processes do. Who dies, thread or process, holds nothing afterwards. A lock
file whose folder was removed is made anew, and who locked the removed one locks again.
"""

import contextlib
import fcntl
import os
import threading

from holdfast.errors import StoreUnavailable

__all__ = ["FlockFile", "make_folder"]

_TRIES = 4


class FlockFile:
    """One lock file, for any number of threads.

    Args:
        path: The file; made at the first use, with the folder around it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._mine = threading.local()

    @property
    def descriptor(self) -> int | None:
        """The open file of this thread while it holds the lock."""
        held: _Held | None = getattr(self._mine, "held", None)
        return held.file if held is not None and held.process == os.getpid() else None

    def acquire(self, *, shared: bool = False, wait: bool = True) -> bool:
        """Lock the file for this thread; return whether it was done.

        A thread that holds it lets go first.

        Args:
            shared: Beside others that share it too.
            wait: Until whoever is in the way lets go, however long; else return False.

        Raises:
            StoreUnavailable: The lock file cannot be made or opened.
        """
        self.release()
        try:
            while True:
                held = _Held(self._open(shared=shared))
                if not _lock(held.file, shared=shared, wait=wait):
                    return False
                if os.fstat(held.file).st_nlink:
                    self._mine.held = held
                    return True
                # The folder was emptied: whoever came since then locks another file.
        except OSError as error:
            raise StoreUnavailable(f"flock://{self.path}", str(error)) from error

    def release(self) -> None:
        """Let go; a thread that holds nothing may do so, too."""
        self._mine.held = None

    def _open(self, *, shared: bool) -> int:
        # Readers ask for no more than to read: the file may be of another user.
        flags = (os.O_RDONLY if shared else os.O_WRONLY) | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self.path, flags, 0o666)
        except FileNotFoundError:
            make_folder(os.path.dirname(self.path))  # noqa: PTH120 - paths are text here
            return os.open(self.path, flags, 0o666)


class _Held:
    """An open lock file; with it goes the lock."""

    def __init__(self, file: int) -> None:
        self.file = file
        self.process = os.getpid()

    def __del__(self) -> None:
        if self.process == os.getpid():  # a forked child must not unlock what its parent holds
            fcntl.flock(self.file, fcntl.LOCK_UN)  # a child may have the descriptor open for long
        os.close(self.file)


def make_folder(path: str) -> None:
    """Make a folder and those around it as the umask says; one that is there is fine.

    Raises:
        OSError: It cannot be made, or a file of its name is there.
    """
    for _ in range(_TRIES):
        if path and os.access(f"{path}/", os.F_OK):  # a folder; half of what `isdir` costs
            return
        with contextlib.suppress(FileNotFoundError):  # another removed one of those around it
            os.makedirs(path, exist_ok=True)  # noqa: PTH103 - paths are text here
            return
    os.makedirs(path, exist_ok=True)  # noqa: PTH103


def _lock(file: int, *, shared: bool, wait: bool) -> bool:
    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(file, how if wait else how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
