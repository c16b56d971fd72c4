"""The SQLite store: one table in one file, shared by the threads and processes of one machine.

Law: a row is live while `expires` is later than now. `due` is when the sweep looks at a row next
and is never later than `expires`. A write that prolongs a row leaves `due` alone, because moving a
row in its index would make every write half as dear again; the sweep moves it on.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from holdfast.bridge import BlockingStore
from holdfast.clock import Clock, wall
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.keys import check
from holdfast.store.abilities import Change, left
from holdfast.store.address import Address
from holdfast.store.protocol import as_bytes
from holdfast.store.sqlite.links import Link, Links

__all__ = ["SqliteStore", "open_url"]

T = TypeVar("T")
_NEVER = float("inf")
_CHUNK = (
    500  # rows of one statement: below every limit on variables, short enough for others to wait
)
_PAST_TILDE = "\x7f"  # sorts after every character a key may have

_GET = "SELECT value FROM holdfast WHERE key = ? AND expires > ?"
_ROW = "SELECT value, expires FROM holdfast WHERE key = ? AND expires > ?"
_INSERT = (
    "INSERT INTO holdfast (key, value, expires, due) VALUES (?1, ?2, ?3, ?3)"
    " ON CONFLICT (key) DO UPDATE SET value = ?2, expires = ?3"
)
_PROLONG = f"{_INSERT} WHERE due <= ?3"
_PUT = f"{_INSERT}, due = ?3"
_ADD = f"{_PUT} WHERE expires <= ?4"
_SWAP = (
    "UPDATE holdfast SET value = ?1, expires = ?2 WHERE key = ?3 AND value = ?4 AND expires > ?5"
)
_SWAP_PROLONG = f"{_SWAP} AND due <= ?2"
_SWAP_SHORTEN = _SWAP.replace("expires = ?2", "expires = ?2, due = ?2", 1)
_TAKE = "DELETE FROM holdfast WHERE key = ? AND value = ? AND expires > ?"
_DELETE = "DELETE FROM holdfast WHERE key = ? AND expires > ?"
_SCAN = "SELECT key FROM holdfast WHERE key > ? AND key < ? AND expires > ? ORDER BY key LIMIT 500"
_DUE = "SELECT key, expires FROM holdfast WHERE due <= ? LIMIT 500"

_Value = str | bytes | float


class SqliteStore(BlockingStore):
    """Keeps bytes in one SQLite file: safe between threads and processes of one machine.

    The file is made at the first use, readable by its owner alone; the folder must be there. Each
    thread that uses the store has a connection of its own until it ends.

    Args:
        path: The database file. A table `holdfast` is made in it; other tables may live beside it.
        timeout: Seconds an operation waits for other writers before `StoreTimeout`.
        clock: UTC seconds; every process that shares the file must agree on it.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, timeout: float = 1.0, clock: Clock = wall
    ) -> None:
        self.path = os.path.abspath(path)  # noqa: PTH100 - the working directory may change later
        super().__init__(f"sqlite:///{self.path}")
        self._clock = clock
        self._links = Links(self.name, self.path, timeout)

    def get(self, key: str) -> bytes | None:
        check(key)
        row = self._one(_GET, (key, self._clock()))
        if row is None:
            return None
        value: bytes = row[0]
        return value

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for chunk in _chunks(keys):
            marks = ",".join("?" * len(chunk))
            sql = f"SELECT key, value FROM holdfast WHERE expires > ? AND key IN ({marks})"  # noqa: S608 - only question marks
            found.update(self._all(sql, (self._clock(), *chunk)))
        return found

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        if ttl is not None and ttl <= 0:
            self.delete(key)
            return
        check(key)
        row = (key, as_bytes(value), _NEVER if ttl is None else self._clock() + ttl)
        with self._links.here() as link:
            _write(link, row)

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        if ttl is not None and ttl <= 0:
            self.delete_many(list(items))
            return
        expires = _NEVER if ttl is None else self._clock() + ttl
        for chunk in _chunks(list(items)):
            rows = [(key, as_bytes(items[key]), expires) for key in chunk]

            def write(cursor: sqlite3.Cursor, rows: list[tuple[str, bytes, float]] = rows) -> None:
                cursor.executemany(_PUT, rows)

            self._transact(write)

    def delete(self, key: str) -> bool:
        check(key)
        return self._count(_DELETE, (key, self._clock())) > 0

    def delete_many(self, keys: Sequence[str]) -> int:
        count = 0
        for chunk in _chunks(keys):
            marks = ",".join("?" * len(chunk))
            sql = f"DELETE FROM holdfast WHERE expires > ? AND key IN ({marks})"  # noqa: S608 - only question marks
            count += self._count(sql, (self._clock(), *chunk))
        return count

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        check(key)
        now = self._clock()
        removes = new is None or (ttl is not None and ttl <= 0)
        if old is None and removes:
            return self._one(_GET, (key, now)) is None
        if new is None or removes:
            return self._count(_TAKE, (key, old or b"", now)) > 0
        new = as_bytes(new)
        expires = _NEVER if ttl is None else now + ttl
        if old is None:
            return self._count(_ADD, (key, new, expires, now)) > 0
        row = (new, expires, key, old, now)
        with self._links.here() as link:
            return bool(
                link.execute(_SWAP_PROLONG, row).rowcount
                or link.execute(_SWAP_SHORTEN, row).rowcount
            )

    def apply(self, key: str, change: Change[T]) -> T:
        """See `CanApply`."""
        check(key)

        def steps(cursor: sqlite3.Cursor) -> T:
            now = self._clock()
            row = cursor.execute(_GET, (key, now)).fetchone()
            present = None if row is None else row[0]
            new, ttl, answer = change(present)
            if new is present:
                return answer
            if new is None or (ttl is not None and ttl <= 0):
                cursor.execute(_DELETE, (key, now))
            else:
                _write(cursor, (key, new, _NEVER if ttl is None else now + ttl))
            return answer

        return self._transact(steps)

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """See `CanIncrement`."""
        check(key)

        def steps(cursor: sqlite3.Cursor) -> int:
            now = self._clock()
            born = (b"0", _NEVER if ttl is None else now + ttl)
            value, expires = cursor.execute(_ROW, (key, now)).fetchone() or born
            try:
                total = int(value) + by
            except ValueError as error:
                raise StoreUnavailable(self.name, f"{key!r} holds no integer") from error
            _write(cursor, (key, b"%d" % total, expires))
            return total

        return self._transact(steps)

    def scan(self, prefix: str = "") -> Iterator[str]:
        """See `CanScan`."""
        last, end = prefix, prefix + _PAST_TILDE
        if prefix and self._one(_GET, (prefix, self._clock())) is not None:
            yield prefix
        while True:
            page = self._all(_SCAN, (last, end, self._clock()))
            yield from (key for (key,) in page)
            if len(page) < _CHUNK:
                return
            last = page[-1][0]

    def remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        """See `CanTellTtl`."""
        found: dict[str, float | None] = {}
        for chunk in _chunks(keys):
            marks, now = ",".join("?" * len(chunk)), self._clock()
            sql = f"SELECT key, expires FROM holdfast WHERE key IN ({marks})"  # noqa: S608 - only question marks
            found.update(left(self._all(sql, chunk), now))
        return found

    def sweep(self) -> int:
        """See `CanSweep`."""
        removed, looked_at = 0, _CHUNK
        while looked_at == _CHUNK:
            gone, looked_at = self._transact(self._sweep_batch)
            removed += gone
        return removed

    def _sweep_batch(self, cursor: sqlite3.Cursor) -> tuple[int, int]:
        now = self._clock()
        rows = cursor.execute(_DUE, (now,)).fetchall()
        dead = [(key,) for key, expires in rows if expires <= now]
        live = [(expires, key) for key, expires in rows if expires > now]
        cursor.executemany("DELETE FROM holdfast WHERE key = ?", dead)
        cursor.executemany("UPDATE holdfast SET due = ? WHERE key = ?", live)
        return len(dead), len(rows)

    def ping(self) -> None:
        self._one("SELECT 1 FROM holdfast LIMIT 1", ())

    def close(self) -> None:
        self._links.close()

    def _one(self, sql: str, values: Sequence[_Value]) -> Any:
        """Run `sql`; return its first row or None."""
        with self._links.here() as link:
            return link.execute(sql, values).fetchone()

    def _all(self, sql: str, values: Sequence[_Value]) -> list[Any]:
        """Run `sql`; return all its rows."""
        with self._links.here() as link:
            return link.execute(sql, values).fetchall()

    def _count(self, sql: str, values: Sequence[_Value]) -> int:
        """Run `sql`; return how many rows it changed."""
        with self._links.here() as link:
            return link.execute(sql, values).rowcount

    def _transact(self, steps: Callable[[sqlite3.Cursor], T]) -> T:
        """Run `steps` as the only writer; what it did is undone if it raises."""
        with self._links.here() as link:
            return link.transact(steps)


def _write(cursor: Link | sqlite3.Cursor, row: tuple[str, bytes, float]) -> None:
    if not cursor.execute(_PROLONG, row).rowcount:  # it did nothing: the row is due earlier now
        cursor.execute(_PUT, row)


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for key in keys:
        check(key)
    return (keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK))


def open_url(address: Address) -> SqliteStore:
    """Open `sqlite:///app.db`."""
    address.options.allow()
    path = address.disk_path("app.db")
    if path == ":memory:":
        raise ConfigError("sqlite:///:memory: keeps nothing between threads: write memory://")
    if path.endswith("/"):
        raise ConfigError("sqlite:// needs a file, not a folder: add a name, such as app.db")
    return SqliteStore(path, timeout=address.options.timeout())
