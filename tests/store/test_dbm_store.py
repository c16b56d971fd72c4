"""The dbm store keeps the contract with every dbm module of this Python."""

import contextlib
import dbm
import fcntl
import importlib
import multiprocessing
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults import in_a_small_world

from holdfast import open_store
from holdfast.errors import ConfigError, StoreTimeout, StoreUnavailable
from holdfast.store.abilities import CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl
from holdfast.store.dbm import DbmStore
from holdfast.store.dbm.row import pack
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite
from holdfast.testing.trial import in_processes, in_threads

MODULES = ["dbm.dumb", "dbm.ndbm", "dbm.gnu", "dbm.sqlite3"]


def is_here(module: str) -> bool:
    """Return whether that module is part of this Python."""
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def made_by(module: str, path: Path) -> None:
    """Make an empty database with that module."""
    maker: Any = importlib.import_module(module)
    maker.open(str(path), "c", 0o600).close()


class Suite(StoreSuite):
    """One database for each test, made by `module`."""

    abilities = (CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl)
    examples = 10
    module = ""

    def open(self, tmp_path: Path, clock: ManualClock) -> DbmStore:
        if not list(tmp_path.iterdir()):
            made_by(self.module, tmp_path / "rows")
        return DbmStore(tmp_path / "rows", timeout=20, clock=clock)


class TestDumb(Suite):
    """dbm.dumb, which is always there."""

    module = "dbm.dumb"


if is_here("dbm.ndbm"):

    class TestNdbm(Suite):
        """dbm.ndbm."""

        module = "dbm.ndbm"


if is_here("dbm.gnu"):

    class TestGnu(Suite):
        """dbm.gnu."""

        module = "dbm.gnu"


if is_here("dbm.sqlite3"):

    class TestSqlite3(Suite):
        """dbm.sqlite3, from Python 3.13 on."""

        module = "dbm.sqlite3"


@pytest.mark.parametrize("module", ["dbm.ndbm", "dbm.gnu", "dbm.sqlite3"])
def test_the_suite_ran_with_every_module(module: str) -> None:
    if not is_here(module):
        pytest.skip(f"NOT TO BE HAD: {module} is not part of this Python")
    assert f"Test{module.removeprefix('dbm.').capitalize()}" in globals()


@pytest.fixture(params=[name for name in MODULES if is_here(name)])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give a database made by each module."""
    made_by(request.param, tmp_path / "rows")
    return tmp_path / "rows"


def test_another_programs_values_are_read_and_never_expire(path: Path) -> None:
    with dbm.open(str(path), "c") as other:
        other[b"theirs"] = b'{"a": 1}'
        other[b"an odd key \xff"] = b"v"
    clock = ManualClock()
    with DbmStore(path, clock=clock) as store:
        clock.advance(10**9)
        assert store.get("theirs") == b'{"a": 1}'
        assert list(store.scan()) == ["theirs"]
        assert store.sweep() == 0
        assert store.swap("theirs", b'{"a": 1}', b"ours")
        assert store.get("theirs") == b"ours"
    with dbm.open(str(path), "r") as other:
        assert other[b"an odd key \xff"] == b"v"


def test_a_value_like_a_row_comes_back(path: Path) -> None:
    value = pack(b"k", b"v", 0.0)
    with DbmStore(path) as store:
        store.put("k", value)
        assert store.get("k") == value


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut off in the head": lambda data: data[:10],
    "cut off in the value": lambda data: data[:-1],
    "a bit of the value turned": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "a bit of the expiry turned": lambda data: data[:9] + bytes([data[9] ^ 1]) + data[10:],
    "the row of another key": lambda _: pack(b"other", b"value", 1e12),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_row_is_named_and_harms_no_other(path: Path, damage: str) -> None:
    store = DbmStore(path)
    store.put_many({"k": b"value", "other": b"fine", "n": b"1"}, ttl=1000)
    with dbm.open(str(path), "c") as rows:
        rows[b"k"] = DAMAGES[damage](rows[b"k"])
    uses: list[Callable[[], object]] = [
        lambda: store.get("k"),
        lambda: store.swap("k", b"value", b"w"),
        lambda: store.swap("k", None, b"w"),
        lambda: store.increment("k"),
        lambda: store.apply("k", lambda old: (old, None, None)),
    ]
    for use in uses:
        with pytest.raises(StoreUnavailable, match="'k' is damaged"):
            use()
    assert sorted(store.scan()) == ["n", "other"]
    assert store.sweep() == 0
    assert store.get("other") == b"fine"
    assert store.delete("k")
    assert store.swap("k", None, b"mended")
    assert store.get("k") == b"mended"


@pytest.mark.slow
def test_threads_and_processes_may_read_while_others_write(path: Path) -> None:
    store = DbmStore(path, timeout=20)
    store.put("k", b"x" * 3000)

    def work(number: int) -> None:
        for step in range(40):
            if number % 2:
                store.put("k", b"%d" % (step % 10) * 3000)
            else:
                value = store.get("k")
                assert value is not None
                assert len(set(value)) == 1, "half of one value and half of another"

    assert in_processes(4, lambda number: in_threads(2, lambda n: work(number + n))) == [0] * 4


@pytest.mark.slow
def test_killed_writers_lose_nothing_that_was_answered(path: Path) -> None:
    if dbm.whichdb(str(path)) not in ("dbm.dumb", "dbm.sqlite3"):
        pytest.skip("what a crash leaves is that module's affair")
    made_of = {f"k{number}": b"v" for number in range(300)}
    DbmStore(path).put_many(made_of)
    for round_ in range(12):
        context = multiprocessing.get_context("fork")
        counted = context.Value("i", 0)

        def work(counted: Any = counted) -> None:
            with DbmStore(path) as store:
                while True:
                    counted.value = store.increment("n")
                    store.put(f"new{counted.value}", b"v")

        child = context.Process(target=work, daemon=True)
        child.start()
        time.sleep(0.05 + round_ * 0.003)
        child.kill()
        child.join(10)
        with DbmStore(path) as store:
            assert store.get_many(list(made_of)) == made_of
            with contextlib.suppress(StoreUnavailable):  # the one value it was writing
                assert int(store.get("n") or b"0") >= counted.value
            store.delete("n")


def test_an_index_that_was_half_written_is_put_back(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    made_by("dbm.dumb", path)
    with DbmStore(path) as store:
        store.put_many({"a": b"1", "b": b"2"})
    whole = path.with_suffix(".dir").read_bytes()
    path.with_suffix(".bak").write_bytes(whole)
    path.with_suffix(".dir").write_bytes(whole[:5])
    path.with_suffix(".lock").write_bytes(b"w")  # what a killed writer leaves
    with DbmStore(path) as store:
        assert store.get_many(["a", "b"]) == {"a": b"1", "b": b"2"}
        assert path.with_suffix(".lock").read_bytes() == b""


def test_an_old_backup_is_never_put_back(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    made_by("dbm.dumb", path)
    path.with_suffix(".bak").write_bytes(b"")
    with DbmStore(path) as store:
        with pytest.raises(ZeroDivisionError):
            store.apply("x", lambda _: (b"%d" % (1 // 0), None, None))
        store.put("k", b"v")
        path.with_suffix(".lock").write_bytes(b"w")
        assert store.get("k") == b"v"


def test_garbage_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(b"this is no database" * 1000)
    store = DbmStore(tmp_path / "rows")
    uses: list[Callable[[], object]] = [
        lambda: store.get("k"),
        lambda: store.put("k", b"v"),
        lambda: list(store.scan()),
        store.ping,
    ]
    for use in uses:
        with pytest.raises(StoreUnavailable, match="no dbm database"):
            use()
    assert (tmp_path / "rows").read_bytes().startswith(b"this is no"), "hands off"


@pytest.mark.parametrize(
    "line", ["'k', (0, 1", "'a', (0, 1)\n1, (0, 1)", "'k', (0, 99999999999999)"]
)
def test_a_garbled_index_is_named(tmp_path: Path, line: str) -> None:
    made_by("dbm.dumb", tmp_path / "rows")
    (tmp_path / "rows.dir").write_text(f"{line}\n")
    with pytest.raises(StoreUnavailable) as caught:
        DbmStore(tmp_path / "rows").get("k")
    assert caught.value.__cause__ is not None


def test_an_index_that_is_none_is_no_empty_database(tmp_path: Path) -> None:
    made_by("dbm.dumb", tmp_path / "rows")
    (tmp_path / "rows.dir").write_text("\0'k', (0, 1)\n")
    with pytest.raises(StoreUnavailable, match="index is damaged"):
        DbmStore(tmp_path / "rows").get("k")


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    store = DbmStore(tmp_path / "missing" / "rows")
    with pytest.raises(StoreUnavailable, match="make it first"):
        store.put("k", b"v")
    (tmp_path / "missing").mkdir()
    store.put("k", b"v")
    assert store.get("k") == b"v"


def test_opening_and_reading_make_no_database(tmp_path: Path) -> None:
    with DbmStore(tmp_path / "rows") as store:
        assert not list(tmp_path.iterdir())
        assert store.get("k") is None
        assert list(store.scan()) == []
        store.ping()
    assert dbm.whichdb(str(tmp_path / "rows")) is None


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        DbmStore(tmp_path / "rows").put("k", b"v")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {0o600}


def test_one_that_never_lets_go_is_a_timeout(path: Path) -> None:
    store = DbmStore(path, timeout=0.05)
    store.put("k", b"v")
    with Path(f"{path}.lock").open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        uses: list[Callable[[], object]] = [
            lambda: store.get("k"),
            lambda: store.swap("k", b"v", b"w"),
            store.sweep,
            store.ping,
        ]
        for use in uses:
            with pytest.raises(StoreTimeout, match="nothing was done"):
                use()
    assert store.get("k") == b"v"


def test_a_change_that_uses_the_store_is_a_timeout_not_a_standstill(path: Path) -> None:
    store = DbmStore(path, timeout=0.05)
    with pytest.raises(StoreTimeout):
        store.apply("k", lambda _: (store.get("other"), None, None))
    store.put("k", b"v")
    assert store.get("k") == b"v"


@pytest.mark.parametrize("at_most", [10_000, 20_000, 100_000])
def test_a_full_disk_keeps_what_was_there(tmp_path: Path, at_most: int) -> None:
    # dbm.dumb alone: dbm.gnu and dbm.ndbm spoil their own file, as the documentation says.
    path = tmp_path / "rows"
    made_by("dbm.dumb", path)
    rows = {f"k{number}": b"old" for number in range(1000)}
    DbmStore(path).put_many(rows)

    def work() -> None:
        with DbmStore(path) as store:
            with pytest.raises(StoreUnavailable):
                store.put_many({f"new{number}": b"new" * 10_000 for number in range(100)})
            with contextlib.suppress(StoreUnavailable):
                store.swap("k7", b"old", b"old")
            assert store.get("k8") == b"old"

    in_a_small_world(at_most, work)
    store = DbmStore(path)
    assert store.get_many(list(rows)) == rows
    assert store.swap("k7", b"old", b"new")
    assert store.get("k7") == b"new"


def test_no_descriptor_is_left_open(path: Path) -> None:
    before = os.listdir("/proc/self/fd")  # noqa: PTH208 - descriptors are no paths
    store = DbmStore(path)
    in_threads(8, lambda n: [store.increment(f"n{n}") for _ in range(20)])
    assert len(os.listdir("/proc/self/fd")) <= len(before)  # noqa: PTH208


def test_urls(tmp_path: Path) -> None:
    store = open_store(f"dbm:///{tmp_path}/rows?timeout=2")
    assert isinstance(store, DbmStore)
    assert store.name == f"dbm:///{tmp_path}/rows"
    for wrong in ("dbm://host/rows", "dbm:///", "dbm:///rows/", "dbm:///rows?module=gnu"):
        with pytest.raises(ConfigError):
            open_store(wrong)
