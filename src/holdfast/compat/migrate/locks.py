"""The locks of Beaker's files: what is written under them, no program of before writes meanwhile.

Law: a lock file is named by the SHA-1 of the namespace, as Beaker names it; so is the file of a
cache, whose name is all there is then.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha1

from holdfast.store.file.flock import FlockFile
from holdfast.store.file.plain import PlainFiles

__all__ = ["LockedFiles", "locked"]

_HASH = re.compile(r"[0-9a-f]{40}")


@contextmanager
def locked(folder: str, name: str) -> Iterator[None]:
    """Hold the lock of a file, however long others hold it.

    Args:
        folder: Of the lock files.
        name: That of the file, without its ending.
    """
    digests = {sha1(name.encode(), usedforsecurity=False).hexdigest()}
    if _HASH.fullmatch(name):  # of a cache; an old id of a session looks like this, too
        digests.add(name)
    with ExitStack() as held:
        for digest in sorted(digests):
            lock = FlockFile(f"{folder}/{digest[:1]}/{digest[:2]}/{digest}.lock")
            lock.acquire()
            held.callback(lock.release)
        yield


class LockedFiles(PlainFiles):
    """Beaker's files, swapped under Beaker's locks.

    Args:
        folder: Of the files.
        locks: Of the lock files.
    """

    def __init__(self, folder: str, locks: str) -> None:
        super().__init__(folder, locks=False)
        self._lock_folder = locks

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        """See `PlainStore`."""
        self.path(key)  # which checks it
        with locked(self._lock_folder, key):
            return super().swap(key, old, new, ttl)
