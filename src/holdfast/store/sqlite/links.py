"""Connections to one SQLite file: one per thread, and none that crosses a fork.

Law: whoever holds a link's lock may use or close its connection; a closed one opens anew at its
next use. Before a fork all are closed: the child would inherit SQLite's belief in file locks that
it does not have. Every error of `sqlite3` is translated in `Link` and nowhere else.
"""

import contextlib
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Self, TypeVar

from holdfast.clock import monotonic
from holdfast.errors import StoreError, StoreTimeout, StoreUnavailable

__all__ = ["Link", "Links"]

T = TypeVar("T")
_FIRST_NAP, _LONGEST_NAP = 0.0001, 0.001  # seconds between two looks at a lock others hold

_CREATE_TABLE = """
    CREATE TABLE IF NOT EXISTS holdfast (
        key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL,
        expires REAL NOT NULL, due REAL NOT NULL
    ) WITHOUT ROWID
"""
_CREATE_INDEX = "CREATE INDEX IF NOT EXISTS holdfast_due ON holdfast (due)"


class Link:
    """One thread's connection: `with link` is one operation; what goes wrong in it is translated.

    Whoever holds `lock` may use or close it. Closed, it opens anew at the next use, unless `over`.
    """

    __slots__ = ("__weakref__", "cursor", "lock", "name", "over", "path", "timeout")

    def __init__(self, name: str, path: str, timeout: float) -> None:
        self.name, self.path, self.timeout = name, path, timeout
        self.lock = threading.Lock()
        self.cursor: sqlite3.Cursor | None = None
        self.over = False

    def __enter__(self) -> Self:
        self.lock.acquire()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if isinstance(error, sqlite3.Error | OSError):
                raise self._translated(error) from error
        finally:
            self.lock.release()

    def execute(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run one statement, and wait for other writers where it must."""
        cursor = self.cursor or self._open()
        try:
            return cursor.execute(sql, values)
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
        return self._patiently(lambda: cursor.execute(sql, values))

    def transact(self, steps: Callable[[sqlite3.Cursor], T]) -> T:
        """Run `steps` as the only writer; what it did is undone if it raises."""
        cursor = self.execute("BEGIN IMMEDIATE")
        try:
            answer = steps(cursor)
            cursor.execute("COMMIT")
        except BaseException:
            if cursor.connection.in_transaction:  # a full disk has rolled back by itself
                cursor.execute("ROLLBACK")
            raise
        return answer

    def close(self) -> None:
        """Close the connection; the caller holds the lock or is the last who knows this link."""
        cursor, self.cursor = self.cursor, None
        if cursor is not None:
            _close(cursor)

    def __del__(self) -> None:
        # Its thread ended, or nobody holds the store any more.
        if self.cursor is not None:
            _orphans.append(self.cursor)
            _close_orphans()

    def _translated(self, error: sqlite3.Error | OSError) -> StoreError:
        if isinstance(error, FileNotFoundError):
            folder = os.path.dirname(self.path)  # noqa: PTH120 - the path is text
            return StoreUnavailable(self.name, f"there is no folder {folder}: make it first")
        if _is_busy(error):
            message = f"others wrote for more than {self.timeout:g} s; nothing was done"
            return StoreTimeout(self.name, message)
        self.close()  # so that a file that was mended or put back is found
        return StoreUnavailable(self.name, str(error))

    def _open(self) -> sqlite3.Cursor:
        if self.over:
            raise StoreUnavailable(self.name, "it is closed")
        with contextlib.suppress(FileExistsError):
            # Only ever to create: closing a file that is open elsewhere in this process would drop
            # the locks SQLite holds on it.
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self.cursor = self._patiently(self._connect)
        return self.cursor

    def _patiently(self, step: Callable[[], T]) -> T:
        """Do `step`, which changes nothing if it is refused, until it is done or time is up.

        SQLite's own way of waiting naps up to 0.1 s at a time, and starves among quick writers.
        """
        deadline = monotonic() + self.timeout
        nap = _FIRST_NAP
        while True:
            try:
                return step()
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or monotonic() > deadline:
                    raise
            time.sleep(nap)
            nap = min(nap * 1.5, _LONGEST_NAP)

    def _connect(self) -> sqlite3.Cursor:
        connection = sqlite3.connect(
            self.path, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            cursor = connection.cursor()
            mode = cursor.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            cursor.execute("PRAGMA synchronous = NORMAL")
            cursor.execute(_CREATE_TABLE)
            cursor.execute(_CREATE_INDEX)
        except BaseException:
            connection.close()
            raise
        if mode != "wal":
            connection.close()
            raise StoreUnavailable(self.name, "no write-ahead log here: is it a network disk?")
        return cursor


def _is_busy(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _close(cursor: sqlite3.Cursor) -> None:
    with contextlib.suppress(sqlite3.Error):  # nothing is lost: what was answered is kept
        cursor.connection.close()


def _close_orphans() -> None:
    """Close what was left behind, unless a fork is under way: its end does it then."""
    if _alive_guard.acquire(blocking=False):
        try:
            while _orphans:
                _close(_orphans.pop())
        finally:
            _alive_guard.release()


class Links:
    """The links of one store.

    Args:
        name: What the store is called in errors.
        path: The database file.
        timeout: Seconds an operation waits for other writers.
    """

    def __init__(self, name: str, path: str, timeout: float) -> None:
        self._make = (name, path, timeout)
        self._closed = False
        self._forget()
        with _alive_guard:
            _alive.add(self)
        _close_orphans()

    def here(self) -> Link:
        """Return the link of this thread."""
        try:
            link: Link = self._local.link
        except AttributeError:
            link = self._local.link = Link(*self._make)
            with self._guard:
                link.over = self._closed
                self._links.add(link)
        return link

    def close(self) -> None:
        """Close every connection for good; waits for the operations that run."""
        with self._guard:
            self._closed = True
            for link in list(self._links):
                with link.lock:
                    link.close()
                    link.over = True

    def __len__(self) -> int:
        """Return how many threads have a link."""
        return len(self._links)

    def _forget(self) -> None:
        self._guard = threading.Lock()
        self._links: weakref.WeakSet[Link] = weakref.WeakSet()
        self._local = threading.local()
        self._held: list[Link] = []

    def _before_fork(self) -> None:
        self._guard.acquire()
        self._held = list(self._links)
        for link in self._held:
            link.lock.acquire()  # waits for the operation that runs in another thread
            link.close()

    def _after_fork_in_parent(self) -> None:
        held, self._held = self._held, []
        for link in held:
            link.lock.release()
        self._guard.release()


_alive: weakref.WeakSet[Links] = weakref.WeakSet()
_alive_guard = threading.Lock()
_orphans: list[sqlite3.Cursor] = []
_forking: list[Links] = []


def _before_fork() -> None:
    _alive_guard.acquire()
    _forking.extend(_alive)
    for links in _forking:
        links._before_fork()  # noqa: SLF001 - the same file
    while _orphans:
        _close(_orphans.pop())


def _after_fork_in_parent() -> None:
    for links in _forking:
        links._after_fork_in_parent()  # noqa: SLF001 - the same file
    _forking.clear()
    _alive_guard.release()
    _close_orphans()


def _after_fork_in_child() -> None:
    for links in _forking:
        links._forget()  # noqa: SLF001 - the same file
    _forking.clear()
    _alive_guard.release()
    _close_orphans()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
