"""Namespaces in files of this machine: one file that holds a dictionary, or one dbm file.

Law: files, folders and locks have the names they always had, so programs of before and clean-up
scripts find them. What others remove is not there; what cannot be read counts as empty.
"""

import os
from collections.abc import Iterator, MutableMapping
from typing import Any

from holdfast.compat.beaker import util
from holdfast.compat.beaker.exceptions import MissingCacheParameter
from holdfast.compat.beaker.file_values import FileValues
from holdfast.compat.beaker.namespaces import OpenResourceNamespaceManager
from holdfast.compat.beaker.synchronization import file_synchronizer
from holdfast.compat.settings import tell
from holdfast.compat.values import decode, encode
from holdfast.errors import CodecError, StoreUnavailable
from holdfast.store.dbm.plain import PlainDbm
from holdfast.store.file.plain import PlainFiles

__all__ = ["DBMNamespaceManager", "FileNamespaceManager"]


class _LocalNamespaceManager(OpenResourceNamespaceManager):
    """What the two kinds share: their locks are files in `lock_dir`."""

    lock_dir: str

    def get_access_lock(self) -> Any:
        return file_synchronizer(identifier=self.namespace, lock_dir=self.lock_dir)

    def get_creation_lock(self, key: Any) -> Any:
        # Both kinds have always said "dbm" here: processes that wait for each other must agree.
        return file_synchronizer(
            identifier=f"dbmcontainer/funclock/{self.namespace}/{key}", lock_dir=self.lock_dir
        )


def _folder(data_dir: str | None, chosen: str | None, option: str, name: str) -> str:
    """Return the folder that `option` or `data_dir` says, made."""
    if not chosen and not data_dir:
        raise MissingCacheParameter(f"data_dir or {option} is required")
    folder = chosen or f"{data_dir}/{name}"
    util.verify_directory(folder)
    return folder


class FileNamespaceManager(_LocalNamespaceManager):
    """All values of a namespace in one file, read and written as a whole.

    Args:
        namespace: The name, which the file's name is made of.
        data_dir: Where the folders `container_file` and `container_file_lock` are.
        file_dir: The folder of the files instead.
        lock_dir: The folder of the lock files instead.
        digest_filenames: Whether the file is named by the SHA-1 of the name, or by the name.
        kwargs: Options of other kinds, which say nothing here.

    Attributes:
        file: The path of the file.
        hash: Its values, while it is open.
        flags: How it is open: "r" or "c"; None while it is not.

    Raises:
        MissingCacheParameter: There is no folder for files, or none for locks.
    """

    def __init__(
        self,
        namespace: str,
        data_dir: str | None = None,
        file_dir: str | None = None,
        lock_dir: str | None = None,
        digest_filenames: bool = True,
        **kwargs: Any,  # noqa: ARG002 - as said above
    ) -> None:
        self.digest_filenames = digest_filenames
        self.file_dir = _folder(data_dir, file_dir, "file_dir", "container_file")
        self.lock_dir = _folder(data_dir, lock_dir, "lock_dir", "container_file_lock")
        super().__init__(namespace)
        self.file: str = util.encoded_path(
            root=self.file_dir,
            identifiers=[self.namespace],
            extension=".cache",
            digest_filenames=digest_filenames,
        )
        self._files = PlainFiles(self.file_dir, suffix=".cache", locks=False)  # we have one
        self._key = _key_of(self.file)
        self._forget()

    def _forget(self) -> None:
        self._replaced = False
        self.flags: str | None = None
        self._data: bytes | None = None
        self._hash: MutableMapping[Any, Any] | None = None

    def _get_hash(self) -> MutableMapping[Any, Any]:
        if self._hash is None:
            self._hash = FileValues(self._data, self.file, self.namespace)
        return self._hash

    def _set_hash(self, values: MutableMapping[Any, Any]) -> None:
        self._hash = values

    # read when somebody first looks, so never for who replaces them all
    hash = property(_get_hash, _set_hash)

    def file_exists(self, file: str) -> bool:
        """Return whether a file of this folder is there."""
        return self._files.get(_key_of(file)) is not None

    def do_open(self, flags: str, replace: bool) -> None:
        self._forget()
        self._data = None if replace else self._whole_file()
        self._replaced = replace
        self.flags = flags

    def _whole_file(self) -> bytes | None:
        try:
            return self._files.get(self._key)
        except StoreUnavailable as error:
            if isinstance(error.__cause__, PermissionError):
                return None  # a file we may not read is as none, as it always was
            raise

    def do_close(self) -> None:
        try:
            # Who only held the lock has looked at nothing, and changed nothing.
            if self.flags in ("c", "w") and (self._hash is not None or self._replaced):
                values = self.hash
                if not isinstance(values, FileValues):  # a subclass has its own
                    values = FileValues(None, self.file, self.namespace)
                    values.update(self.hash)
                self._files.put(self._key, values.to_bytes())
        finally:
            self._forget()

    def do_remove(self) -> None:
        self._files.delete(self._key)
        self._forget()

    def __getitem__(self, key: Any) -> Any:
        return self.hash[key]

    def _find(self, key: Any) -> Any:
        return self[key]

    def __contains__(self, key: Any) -> Any:
        return key in self.hash

    def __setitem__(self, key: Any, value: Any) -> None:
        self.hash[key] = value

    def __delitem__(self, key: Any) -> None:
        del self.hash[key]

    def keys(self) -> Any:
        return self.hash.keys()


def _key_of(file: str) -> str:
    """Return under which key the store of plain files has the file of this path."""
    return os.path.basename(file).removesuffix(".cache")  # noqa: PTH119 - paths are text here


class DBMNamespaceManager(_LocalNamespaceManager):
    """Each value of a namespace in a row of one dbm file.

    Args:
        namespace: The name, which the file's name is made of.
        dbmmodule: A module with `open(file, flags)`; None is `dbm.gnu`, or else `dbm.dumb`.
        data_dir: Where the folders `container_dbm` and `container_dbm_lock` are.
        dbm_dir: The folder of the files instead.
        lock_dir: The folder of the lock files instead.
        digest_filenames: Whether the file is named by the SHA-1 of the name, or by the name.
        kwargs: Options of other kinds, which say nothing here.

    Attributes:
        file: The path of the file, without what its module adds.
        dbm: The store of its rows.

    Raises:
        MissingCacheParameter: There is no folder for files, or none for locks.
    """

    def __init__(
        self,
        namespace: str,
        dbmmodule: Any = None,
        data_dir: str | None = None,
        dbm_dir: str | None = None,
        lock_dir: str | None = None,
        digest_filenames: bool = True,
        **kwargs: Any,  # noqa: ARG002 - as said above
    ) -> None:
        self.digest_filenames = digest_filenames
        self.dbm_dir = _folder(data_dir, dbm_dir, "dbm_dir", "container_dbm")
        self.lock_dir = _folder(data_dir, lock_dir, "lock_dir", "container_dbm_lock")
        self.dbmmodule = dbmmodule
        self.dbm: Any = None
        super().__init__(namespace)
        self.file: str = util.encoded_path(
            root=self.dbm_dir,
            identifiers=[self.namespace],
            extension=".dbm",
            digest_filenames=digest_filenames,
        )
        self._rows = PlainDbm(self.file, dbmmodule)

    def get_filenames(self) -> list[str]:
        """Return the paths of its files, those that are there."""
        return self._rows.filenames()

    def file_exists(self, file: str) -> bool:
        """Return whether a dbm file of this path is there, whatever its module added."""
        return bool(PlainDbm(file).filenames())

    def do_open(self, flags: str, replace: bool) -> None:  # noqa: ARG002 - each row is written alone
        util.verify_directory(os.path.dirname(self.file))  # noqa: PTH120 - others may remove it
        self.dbm = _Rows(self._rows)

    def do_close(self) -> None:
        if self.dbm is not None:
            self.dbm.close()

    def do_remove(self) -> None:
        self._rows.remove()

    def __getitem__(self, key: Any) -> Any:
        data = self.dbm[key]
        try:
            return decode(data)
        except CodecError as error:
            tell(str(error), f"{self.file}: {key!r}")
            raise KeyError(key) from error

    def _find(self, key: Any) -> Any:
        return self[key]

    def __contains__(self, key: Any) -> Any:
        return key in self.dbm

    def __setitem__(self, key: Any, value: Any) -> None:
        self.dbm[key] = encode(value, name=_text(key))

    def __delitem__(self, key: Any) -> None:
        del self.dbm[key]

    def keys(self) -> Any:
        return self.dbm.keys()


class _Rows(MutableMapping[Any, bytes]):
    """The rows of a dbm file as its module gives them: bytes, under keys of bytes or text."""

    def __init__(self, store: PlainDbm) -> None:
        self._store = store

    def __getitem__(self, key: Any) -> bytes:
        data = self._store.get(_text(key)) if isinstance(key, str | bytes) else None
        if data is None:
            raise KeyError(key)
        return data

    def __setitem__(self, key: Any, data: bytes) -> None:
        self._store.put(_text(key), data)

    def __delitem__(self, key: Any) -> None:
        if not self._store.delete(_text(key)):
            raise KeyError(key)

    def __iter__(self) -> Iterator[bytes]:
        return (key.encode() for key in self._store.scan())

    def __len__(self) -> int:
        return len(self.keys())

    def keys(self) -> Any:
        return list(iter(self))

    def close(self) -> None:
        """Do nothing: no file is open between two calls."""


def _text(key: Any) -> str:
    if isinstance(key, bytes):
        return key.decode()
    if isinstance(key, str):
        return key
    raise TypeError("keys must be bytes or strings")
