"""Plain files: one file per key, where programs of the past put them, with nothing of ours in it.

Law: a file is only ever replaced by a whole new one, so readers take no lock and see the old bytes
or the new. Writers of a key hold the lock file of its folder. Whoever removes a file, or a folder
with all its files, has removed the keys. No key names a place outside the folder.
"""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator

from holdfast.clock import monotonic
from holdfast.errors import KeyRejected, StoreTimeout, StoreUnavailable
from holdfast.store.file.disk import names_in, removed, write_all
from holdfast.store.file.flock import FlockFile, make_folder
from holdfast.store.protocol import as_bytes

__all__ = ["PlainFiles", "replace_file"]

_LOCK = ".lock"
_LONGEST_NAME = 255  # bytes that file systems take
_TRIES = 100  # of a write, while others empty the folder
_FIRST_NAP, _LONGEST_NAP = 0.0001, 0.01  # seconds between two looks at a lock others hold


class PlainFiles:
    """Keeps each value in a file `folder/k/ke/key.suffix`, readable as the umask says.

    Args:
        folder: Where the files lie; made at the first write.
        suffix: What every file name ends with; never empty.
        timeout: Seconds a write waits for other writers before `StoreTimeout`.
        locks: Whether a write takes a lock; False: who calls keeps all other writers out.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        suffix: str = ".cache",
        timeout: float = 5.0,
        locks: bool = True,
    ) -> None:
        self.folder = os.path.abspath(folder)  # noqa: PTH100 - the working directory may change
        self.name = f"files:///{self.folder}"
        self._suffix = suffix
        self._timeout = timeout
        self._locks = locks
        self._faults = _Faults(self.name)

    def path(self, key: str) -> str:
        """Return where the file of `key` is, or would be.

        Raises:
            KeyRejected: It is empty, too long for a file name, begins with a dot, or has a slash
                or a NUL in it.
        """
        try:
            size = len(os.fsencode(key + self._suffix))
        except UnicodeEncodeError as error:
            raise KeyRejected(f"{key!r} is no name of a file") from error
        if not key or key.startswith(".") or "/" in key or "\0" in key or size > _LONGEST_NAME:
            raise KeyRejected(f"{key[:80]!r} is no name of a file")
        return f"{self.folder}/{key[:1]}/{key[:2]}/{key}{self._suffix}"

    def get(self, key: str) -> bytes | None:
        place = self.path(key)
        with self._faults:
            return _bytes_of(place)

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:  # noqa: ARG002 - the contract's
        if not self._locks:
            place = self.path(key)
            with self._faults:
                replace_file(place, as_bytes(value))
            return
        with self._alone_with(key) as place:
            replace_file(place, as_bytes(value))

    def delete(self, key: str) -> bool:
        with self._alone_with(key, make=False) as place:
            return removed(place)

    def swap(
        self,
        key: str,
        old: bytes | None,
        new: bytes | None,
        ttl: float | None = None,  # noqa: ARG002 - the contract's
    ) -> bool:
        with self._alone_with(key, make=new is not None) as place:
            if _bytes_of(place) != old:
                return False
            if new is not None:
                replace_file(place, as_bytes(new))
            elif old is not None:
                removed(place)
            return True

    def scan(self, prefix: str = "") -> Iterator[str]:
        with self._faults:
            for first in names_in(self.folder):
                for second in names_in(f"{self.folder}/{first}"):
                    for name in names_in(f"{self.folder}/{first}/{second}"):
                        key = name.removesuffix(self._suffix)
                        ours = key != name and (first, second) == (key[:1], key[:2])
                        if ours and key.startswith(prefix):
                            yield key

    def close(self) -> None:
        """Do nothing: no file is open between two calls."""

    @contextlib.contextmanager
    def _alone_with(self, key: str, *, make: bool = True) -> Iterator[str]:
        """Hold the lock of the folder `key` lies in; give its place. Every write is in here."""
        place = self.path(key)
        folder = os.path.dirname(place)  # noqa: PTH120 - paths are text here, for speed
        with self._faults:
            if not self._locks or not (make or os.path.isdir(folder)):  # noqa: PTH112
                yield place  # or nothing is there to be changed
                return
            lock = FlockFile(f"{folder}/{_LOCK}")
            self._wait_for(lock)
            try:
                yield place
            finally:
                lock.release()

    def _wait_for(self, lock: FlockFile) -> None:
        deadline, nap = monotonic() + self._timeout, _FIRST_NAP
        while not lock.acquire(wait=False):
            if monotonic() >= deadline:
                message = f"others wrote for more than {self._timeout:g} s; nothing was done"
                raise StoreTimeout(self.name, message)
            time.sleep(nap)
            nap = min(nap * 1.5, _LONGEST_NAP)


class _Faults:
    """Translates what goes wrong, in this one place."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, OSError):
            raise StoreUnavailable(self._name, str(error)) from error


def replace_file(path: str, data: bytes) -> None:
    """Put a whole new file at `path`: whoever reads it meanwhile sees the old one or the new.

    Raises:
        OSError: It cannot be written; the old file is as it was.
    """
    folder = os.path.dirname(path) or "."  # noqa: PTH120 - paths are text here, for speed
    for left in reversed(range(_TRIES)):
        try:
            _put_in_place(f"{folder}/.{secrets.token_hex(8)}.temp", path, data)
        except FileNotFoundError:  # somebody removed the folder, or what was in it
            if not left:
                raise
            make_folder(folder)
        else:
            return


def _put_in_place(draft: str, path: str, data: bytes) -> None:
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try:
            write_all(file, data)
        finally:
            os.close(file)
        os.replace(draft, path)  # noqa: PTH105
    except BaseException:
        removed(draft)
        raise


def _bytes_of(path: str) -> bytes | None:
    """Return what the file holds, or None if there is none."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        size = os.fstat(file).st_size
        data = os.read(file, size + 1)
        while len(data) != size and (more := os.read(file, 1 << 20)):  # it is being written
            data += more
        return data
    finally:
        os.close(file)
