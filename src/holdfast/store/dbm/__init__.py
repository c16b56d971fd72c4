"""The dbm store: one database of a dbm module, shared by the threads and processes of one machine.

Law: every operation opens the database, does its work alone, and closes it. A row is live while
its expiry is later than now; values that other programs put there never expire.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from holdfast.bridge import BlockingStore
from holdfast.clock import Clock, wall
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.keys import check
from holdfast.store.abilities import Change, left
from holdfast.store.address import Address
from holdfast.store.dbm.files import Files, Opened
from holdfast.store.dbm.row import NEVER, REMOVED, Damaged, Row, pack, unpack
from holdfast.store.protocol import as_bytes

__all__ = ["DbmStore", "open_url"]

T = TypeVar("T")
_CHUNK = 500  # rows of one holding of the lock: short enough for others to wait


class DbmStore(BlockingStore):
    """Keeps each value in a dbm database: safe between threads and processes of one machine.

    A database that is there is opened by the module that made it; a new one is made by the best
    module of this Python, readable by its owner alone. A lock file stands beside it.

    Args:
        path: The database, without the endings a dbm module adds.
        timeout: Seconds an operation waits for others before `StoreTimeout`.
        clock: UTC seconds; every process that shares the database must agree on it.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, timeout: float = 1.0, clock: Clock = wall
    ) -> None:
        self.path = os.path.abspath(path)  # noqa: PTH100 - the working directory may change later
        super().__init__(f"dbm:///{self.path}")
        self._clock = clock
        self._files = Files(self.name, self.path, timeout)

    def get(self, key: str) -> bytes | None:
        return self.get_many([key]).get(key)

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        _check_all(keys)
        found: dict[str, bytes] = {}
        with self._files.reading() as opened:
            for key in keys:
                row = self._read(opened, key)
                if row is not None:
                    found[key] = row.value
        return found

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        self.put_many({key: value}, ttl)

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        _check_all(list(items))
        plain = {key: as_bytes(value) for key, value in items.items()}
        with self._files.writing() as opened:
            for key, value in plain.items():
                self._replace(opened, key, value, ttl)

    def delete(self, key: str) -> bool:
        return self.delete_many([key]) > 0

    def delete_many(self, keys: Sequence[str]) -> int:
        _check_all(keys)
        count = 0
        with self._files.writing() as opened:
            for key in keys:
                try:
                    there = self._read(opened, key) is not None
                except StoreUnavailable as error:
                    if not isinstance(error.__cause__, Damaged):
                        raise
                    there = True
                if opened.read(key.encode()) is not None:
                    self._replace(opened, key, None, None)
                count += there
        return count

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        check(key)
        with self._files.writing() as opened:
            row = self._read(opened, key)
            if (None if row is None else row.value) != old:
                return False
            if row is not None or new is not None:
                self._replace(opened, key, None if new is None else as_bytes(new), ttl)
            return True

    def apply(self, key: str, change: Change[T]) -> T:
        """See `CanApply`."""
        check(key)
        with self._files.writing() as opened:
            row = self._read(opened, key)
            present = None if row is None else row.value
            new, ttl, answer = change(present)
            if new is not present:
                self._replace(opened, key, None if new is None else as_bytes(new), ttl)
            return answer

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """See `CanIncrement`."""
        check(key)
        with self._files.writing() as opened:
            row = self._read(opened, key) or Row(b"0", self._until(ttl))
            try:
                total = int(row.value) + by
            except ValueError as error:
                raise StoreUnavailable(self.name, f"{key!r} holds no integer") from error
            opened.write(key.encode(), pack(key.encode(), b"%d" % total, row.expires))
            return total

    def scan(self, prefix: str = "") -> Iterator[str]:
        """See `CanScan`. Damaged rows are passed over."""
        for page in self._pages(prefix):
            with self._files.reading() as opened:
                now = self._clock()
                live = [key for key in page if (_expiry(opened, key) or 0.0) > now]
            yield from (key.decode("ascii") for key in live)

    def remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        """See `CanTellTtl`."""
        _check_all(keys)
        with self._files.reading() as opened:
            rows = [(key, self._read(opened, key)) for key in keys]
            return left(((key, row.expires) for key, row in rows if row), self._clock())

    def sweep(self) -> int:
        """See `CanSweep`. Damaged rows stay, for somebody to look at."""
        removed = 0
        for page in self._pages(""):
            with self._files.writing() as opened:
                for key in page:
                    expires = _expiry(opened, key)
                    if expires is not None and expires <= self._clock():
                        opened.remove(key)
                        removed += expires != REMOVED
        return removed

    def ping(self) -> None:
        with self._files.reading():
            return

    def close(self) -> None:
        self._files.close()

    def _read(self, opened: Opened, key: str) -> Row | None:
        """Return the live row of `key`."""
        data = opened.read(key.encode())
        if data is None:
            return None
        try:
            row = unpack(key.encode(), data)
        except Damaged as error:
            message = f"{key!r} is damaged: {error}; `put` or `delete` it to mend it"
            raise StoreUnavailable(self.name, message) from error
        return row if row.expires > self._clock() else None

    def _replace(self, opened: Opened, key: str, new: bytes | None, ttl: float | None) -> None:
        name = key.encode()
        if new is not None and (ttl is None or ttl > 0):
            opened.write(name, pack(name, new, self._until(ttl)))
        elif opened.removes:
            opened.remove(name)
        elif opened.read(name) is not None:
            opened.write(name, pack(name, b"", REMOVED))

    def _until(self, ttl: float | None) -> float:
        return NEVER if ttl is None else self._clock() + ttl

    def _pages(self, prefix: str) -> list[list[bytes]]:
        """Return the keys that begin with `prefix`, in parts; others' odd keys are left out."""
        begin = prefix.encode("utf-8")
        with self._files.reading() as opened:
            found = [key for key in opened.keys() if key.startswith(begin) and _is_key(key)]  # noqa: SIM118 - no mapping
        return [found[start : start + _CHUNK] for start in range(0, len(found), _CHUNK)]


def _expiry(opened: Opened, key: bytes) -> float | None:
    """Return when the row of `key` expires; None for none, or a damaged one."""
    data = opened.read(key)
    try:
        return None if data is None else unpack(key, data).expires
    except Damaged:
        return None


def _check_all(keys: Sequence[str]) -> None:
    for key in keys:
        check(key)


def _is_key(key: bytes) -> bool:
    return 1 <= len(key) <= 250 and all(0x21 <= byte <= 0x7E for byte in key)


def open_url(address: Address) -> DbmStore:
    """Open `dbm:///path`."""
    address.options.allow()
    path = address.disk_path("app")
    if path.endswith("/"):
        raise ConfigError("dbm:// needs a file, not a folder: add a name, such as app")
    return DbmStore(path, timeout=address.options.timeout())
