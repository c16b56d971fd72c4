"""A ring in a file: whole or not there, for its owner's eyes alone.

Law: the file is never changed, only replaced by a whole new one, on the disk before it has the
name. Who replaces it holds the lock of its folder, so that two programs rotate one after the other.
Readers take no lock; what they cannot read they log once, and keep the keys they know.
"""

import fcntl
import logging
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.clock import Clock
from holdfast.errors import ConfigError
from holdfast.signing.lines import Lines, dump, parse
from holdfast.signing.ring import Keys

__all__ = ["InFile", "change_file"]

_LOOK_EVERY = 1.0
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_Mark = tuple[int, int, int] | None


class InFile:
    """Keys in a file, which is looked at once a second at most, and only while they are used.

    Args:
        path: The file.
        clock: Seconds, for when to look.
    """

    def __init__(self, path: str | os.PathLike[str], clock: Clock) -> None:
        self._path = Path(os.path.abspath(path))  # noqa: PTH100 - the working directory may change
        self._clock = clock
        self._keys: Keys | None = None
        self._mark: _Mark = None
        self._looked = 0.0

    def known(self, *, missing: bool = False) -> Keys:  # noqa: ARG002 - a second is soon enough
        """See `Source`."""
        now, keys = self._clock(), self._keys
        if keys is None:
            self._mark, self._looked = _mark(self._path), now
            keys = self._keys = _keys(self._path)
        elif abs(now - self._looked) >= _LOOK_EVERY:
            self._looked = now
            keys = self._look(keys)
        return keys

    def change(self, decide: Callable[[Lines], Lines]) -> None:
        """See `Source`."""
        change_file(self._path, decide)
        self._mark = _mark(self._path)
        self._keys = _keys(self._path)

    def _look(self, keys: Keys) -> Keys:
        """Return what the file holds by now; `keys` if that is nothing new, or nothing good."""
        mark = _mark(self._path)
        if mark == self._mark:
            return keys
        self._mark = mark  # before it is read, so that what is wrong is logged once
        try:
            keys = self._keys = _keys(self._path)
        except ConfigError as error:
            logging.getLogger("holdfast").warning("the known keys still serve: %s", error)
        return keys

    def __repr__(self) -> str:
        return f"in {self._path}"


def change_file(path: Path, decide: Callable[[Lines], Lines]) -> None:
    """Replace the ring in a file, alone; make the file where there is none.

    Raises:
        ConfigError: What is there is no ring, or others may read it.
        OSError: It cannot be written.
    """
    real = path.resolve()  # a link stays a link
    with _alone(real.parent):
        there = real.stat() if real.exists() else None
        old = () if there is None else _read(real)
        new = decide(old)
        if new is not old:
            _replace(real, dump(new), there)


def _keys(path: Path) -> Keys:
    lines = _read(path)
    try:
        return Keys(line.key() for line in lines)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _read(path: Path) -> Lines:
    """Return what the file holds.

    Raises:
        ConfigError: It cannot be read, is no ring, or others may read it.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read()
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; `holdfast keys rotate` makes one") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    if mode & _OTHERS:
        raise ConfigError(f"{path}: others may read these secrets; mend it with: chmod 600 {path}")
    try:
        return parse(data)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _mark(path: Path) -> _Mark:
    """Return what is another after each replacement; None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_mode


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`: the file itself is another one after each change."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # a killed holder holds nothing
        yield
    finally:
        os.close(handle)


def _replace(path: Path, data: bytes, old: os.stat_result | None) -> None:
    """Put a whole new file at `path`, owned as the old one; its folder's lock is held."""
    draft = path.with_name(f"{path.name}.new")
    with suppress(FileNotFoundError):
        draft.unlink()  # somebody was killed while he wrote it
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - it is open already
            if old is not None and old.st_uid != os.geteuid():
                os.fchown(handle, old.st_uid, old.st_gid)  # root rotates what a service reads
            file.write(data)
            file.flush()
            os.fsync(handle)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
