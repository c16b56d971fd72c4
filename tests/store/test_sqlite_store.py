"""The SQLite store keeps the contract, and says clearly what is wrong with its file."""

import contextlib
import gc
import os
import re
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import filled_up, in_a_small_world, small_disk

from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.store.abilities import CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl
from holdfast.store.sqlite import SqliteStore
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite
from holdfast.testing.trial import in_processes, in_threads


class TestSqliteStore(StoreSuite):
    """One database file for each test."""

    abilities = (CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl)

    def open(self, tmp_path: Path, clock: ManualClock) -> SqliteStore:
        return SqliteStore(tmp_path / "rows.db", clock=clock, timeout=10)  # a busy machine


def test_garbage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.db"
    path.write_bytes(b"this is no database" * 1000)
    store = SqliteStore(path)
    with pytest.raises(StoreUnavailable, match="not a database") as caught:
        store.get("k")
    assert str(path) in str(caught.value)
    assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)
    path.unlink()
    store.put("k", b"v")
    assert store.get("k") == b"v", "a mended file is found again"


def test_a_damaged_page_harms_no_other(tmp_path: Path) -> None:
    path = tmp_path / "rows.db"
    keys = [f"k{number:03}" for number in range(300)]
    with SqliteStore(path) as store:
        store.put_many(dict.fromkeys(keys, b"v" * 1000))
    data = bytearray(path.read_bytes())
    spot = data.index(b"k150")
    page = spot - spot % 4096
    data[page : page + 4096] = b"\xff" * 4096
    path.write_bytes(data)
    with SqliteStore(path) as store:
        whole = 0
        for key in keys:
            with contextlib.suppress(StoreUnavailable):
                assert store.get(key) == b"v" * 1000
                whole += 1
        assert 280 <= whole < 300
        with pytest.raises(StoreUnavailable, match=re.escape(str(path))):
            store.swap("k150", None, b"v")


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "missing" / "rows.db")
    with pytest.raises(StoreUnavailable, match="make it first"):
        store.put("k", b"v")
    (tmp_path / "missing").mkdir()
    store.put("k", b"v")
    assert store.get("k") == b"v"


def test_opening_makes_no_file(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "rows.db").close()
    assert not (tmp_path / "rows.db").exists()


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = SqliteStore(tmp_path / "rows.db")
        store.put("k", b"v")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert set(modes) == {"rows.db", "rows.db-wal", "rows.db-shm"}
    assert set(modes.values()) == {0o600}


def test_a_full_disk_keeps_the_old_value(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, SqliteStore(disk / "rows.db") as store:
        store.put("k", b"old")
        with filled_up(disk):
            with pytest.raises(StoreUnavailable) as caught:
                store.put("k", b"new" * 100_000)
            assert isinstance(caught.value.__cause__, sqlite3.Error)
            with pytest.raises(StoreUnavailable):
                store.swap("k", b"old", b"new" * 100_000)
            with pytest.raises(StoreUnavailable):
                store.apply("k", lambda _: (b"new" * 100_000, None, None))
            assert store.get("k") == b"old"
        assert store.swap("k", b"old", b"new")
        assert store.get("k") == b"new"


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    path = tmp_path / "rows.db"
    with SqliteStore(path) as store:
        store.put("k", b"old")

    def work() -> None:
        with SqliteStore(path) as store:
            with pytest.raises(StoreUnavailable):
                store.put("k", b"new" * 100_000)
            assert store.get("k") == b"old"

    in_a_small_world(100_000, work)
    with SqliteStore(path) as store:
        assert store.get("k") == b"old"


def test_a_writer_that_never_ends_is_a_timeout(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "rows.db", timeout=0.05)
    store.put("k", b"v")
    other = sqlite3.connect(tmp_path / "rows.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writes: list[Callable[[], object]] = [
        lambda: store.swap("k", b"v", b"w"),
        lambda: store.increment("n"),
        lambda: store.delete("k"),
    ]
    for write in writes:
        with pytest.raises(StoreTimeout) as caught:
            write()
        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    assert store.get("k") == b"v", "readers wait for nobody"
    other.execute("ROLLBACK")
    other.close()
    assert store.swap("k", b"v", b"w")


def test_a_read_keeps_no_snapshot(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "rows.db")
    store.put("k", b"v")
    assert store.get("k") == b"v"
    assert list(store.scan()) == ["k"]
    other = sqlite3.connect(tmp_path / "rows.db")
    (busy, *_) = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    other.close()
    assert not busy, "a finished read still holds the log"


def connections_to(path: Path) -> int:
    links = Path("/proc/self/fd").iterdir()
    return sum(os.path.realpath(link) == str(path) for link in links)


def test_a_thread_takes_its_connection_with_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.db"
    store = SqliteStore(path)
    store.put("k", b"v")
    for _ in range(5):
        in_threads(4, lambda _: store.get("k"))
    gc.collect()
    assert len(store._links) == 1
    # SQLite keeps the descriptors of closed connections for the next ones while one is open.
    assert connections_to(path) <= 1 + 4
    store.close()
    assert connections_to(path) == 0


def test_close_closes_the_connections_of_other_threads(tmp_path: Path) -> None:
    path = tmp_path / "rows.db"
    store = SqliteStore(path)
    ready, closed = threading.Barrier(2), threading.Event()
    errors: list[Exception] = []

    def work() -> None:
        store.put("k", b"v")
        ready.wait(10)
        closed.wait(10)
        try:
            store.get("k")
        except StoreUnavailable as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait(10)
    store.close()
    assert connections_to(path) == 0
    closed.set()
    thread.join()
    assert len(errors) == 1


def test_a_forgotten_store_lets_go_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.db"
    store = SqliteStore(path)
    store.put("k", b"v")
    del store
    gc.collect()
    assert connections_to(path) == 0


def test_no_connection_crosses_a_fork(tmp_path: Path) -> None:
    path = tmp_path / "rows.db"
    store = SqliteStore(path)
    store.put("k", b"v")
    link = store._links.here()
    assert link.cursor is not None

    def work(_: int) -> None:
        assert link.cursor is None, "it was closed before the fork, not in the child"
        assert connections_to(path) == 0
        assert store.get("k") == b"v"

    assert in_processes(1, work) == [0]
    assert store.get("k") == b"v"


def test_a_long_lived_row_is_looked_at_rarely(tmp_path: Path) -> None:
    clock = ManualClock()
    store = SqliteStore(tmp_path / "rows.db", clock=clock)
    store.put("k", b"v", ttl=10)
    for _ in range(20):
        clock.advance(5)
        store.put("k", b"v", ttl=10)
        assert store.sweep() == 0
    assert store.get("k") == b"v"
    clock.advance(11)
    assert store.sweep() == 1


def test_another_programs_tables_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE users (name TEXT)")
    other.execute("INSERT INTO users VALUES ('ada')")
    other.commit()
    with SqliteStore(path) as store:
        store.put("k", b"v")
    assert other.execute("SELECT name FROM users").fetchall() == [("ada",)]
    other.close()
