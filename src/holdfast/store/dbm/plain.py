"""Plain dbm rows: a database that a program of the past made, or would have made.

Law: rows are read and written as they are. The database is opened for one operation at a time, so
whoever shares it without our lock file must hold a lock of his own around each. A database that is
there is opened by the module that made it; a new one is made by `dbm.gnu`, else `dbm.dumb`, because
programs of the past looked for no other.
"""

import contextlib
import dbm
import importlib
import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from holdfast.errors import KeyRejected, StoreUnavailable
from holdfast.store.dbm.files import Files
from holdfast.store.protocol import as_bytes

__all__ = ["PlainDbm"]

_ENDS = ("", ".db", ".dat", ".pag", ".dir")
_LEFT_OVER = (".bak", "-wal", "-shm", "-journal")  # none of a new database of the same name


class PlainDbm:
    """Keeps each value in a row of one dbm database, readable as the umask says.

    Args:
        path: The database, without the endings a dbm module adds; its folder is there.
        module: What opens it, by `module.open(path, flag)`; None is as said above.
        timeout: Seconds an operation waits for others before `StoreTimeout`.
    """

    def __init__(
        self, path: str | os.PathLike[str], module: Any = None, *, timeout: float = 5.0
    ) -> None:
        self.path = os.path.abspath(path)  # noqa: PTH100 - the working directory may change
        self.name = f"dbm:///{self.path}"
        self._files = _OthersFiles(self.name, self.path, timeout, module)

    def get(self, key: str) -> bytes | None:
        row = _row(key)
        with self._files.reading() as opened:
            return opened.read(row)

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:  # noqa: ARG002 - the contract's
        row, value = _row(key), as_bytes(value)
        with self._files.writing() as opened:
            opened.write(row, value)

    def delete(self, key: str) -> bool:
        row = _row(key)
        with self._files.writing() as opened:
            if opened.read(row) is None:
                return False
            opened.remove(row)
            return True

    def swap(
        self,
        key: str,
        old: bytes | None,
        new: bytes | None,
        ttl: float | None = None,  # noqa: ARG002 - the contract's
    ) -> bool:
        row, new = _row(key), None if new is None else as_bytes(new)
        with self._files.writing() as opened:
            if opened.read(row) != old:
                return False
            if new is not None:
                opened.write(row, new)
            elif old is not None:
                opened.remove(row)
            return True

    def scan(self, prefix: str = "") -> Iterator[str]:
        with self._files.reading() as opened:
            rows = opened.keys()
        for row in rows:
            with contextlib.suppress(UnicodeDecodeError):  # no key of ours
                key = row.decode("utf-8")
                if key.startswith(prefix):
                    yield key

    def filenames(self) -> list[str]:
        """Return the paths of the database's files, those that are there."""
        return [path for end in _ENDS if os.path.exists(path := self.path + end)]  # noqa: PTH110

    def remove(self) -> None:
        """Remove the database, whole; none there is no error."""
        with self._files.alone():
            for end in (*_ENDS, *_LEFT_OVER):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path + end)  # noqa: PTH108

    def close(self) -> None:
        self._files.close()


class _OthersFiles(Files):
    """Files that other programs use, too, and that look as theirs do."""

    mode = 0o666

    def __init__(self, name: str, path: str, timeout: float, module: Any) -> None:
        super().__init__(name, path, timeout)
        self._module = module
        self._made_by: str | None = None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep everybody out while the block runs, with nothing open."""
        with self._alone(), self.faults():
            yield

    def _kind(self) -> str | None:
        if self._module is None:
            self._made_by = super()._kind()
            return self._made_by
        there = any(os.path.exists(self._path + end) for end in _ENDS)  # noqa: PTH110
        return getattr(self._module, "__name__", "given") if there else None

    def _open(self, flag: Any) -> Any:
        with self.faults():
            if self._module is not None:
                return self._module.open(self._path, flag)
            if self._made_by is None:
                return _default_module().open(self._path, flag, self.mode)
            # `_kind` has just looked: `dbm.open` would look again
            module = sys.modules.get(self._made_by)
            return (module or dbm).open(self._path, flag, self.mode)

    @contextlib.contextmanager
    def faults(self) -> Iterator[None]:
        try:
            with super().faults():
                yield
        except getattr(self._module, "error", ()) as error:  # one that `dbm` does not know
            raise StoreUnavailable(self._name, f"{type(error).__name__}: {error}") from error

    def _mend(self, lock: int) -> None:
        """Put the index back only if this one is half written: it may be of a program after us."""
        with self.faults():
            index = _bytes_of(f"{self._path}.dir")
            if index.endswith(b"\n"):
                os.ftruncate(lock, 0)
                return
        super()._mend(lock)


def _default_module() -> ModuleType:
    for name in ("dbm.gnu", "dbm.dumb"):
        with contextlib.suppress(ImportError):  # Python may be built without the first
            return importlib.import_module(name)
    raise ImportError("this Python has no dbm module")


def _bytes_of(path: str) -> bytes:
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:  # noqa: PTH123
        return file.read()
    return b""


def _row(key: str) -> bytes:
    try:
        return key.encode("utf-8")
    except UnicodeEncodeError as error:
        raise KeyRejected(f"{key!r} is no text in UTF-8") from error
