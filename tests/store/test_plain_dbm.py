"""Plain dbm rows keep the contract with each module of this Python, and are those of others."""

import dbm.dumb
import importlib
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from plain_suite import PlainSuite

from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.store.dbm.plain import PlainDbm
from holdfast.testing.trial import in_processes

MODULES = ["dbm.dumb", "dbm.gnu", "dbm.ndbm", "dbm.sqlite3"]


def module_of(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        pytest.skip(f"NOT TO BE HAD: {name} is not part of this Python")


class TestPlainDbm(PlainSuite):
    """One database for each test, made when it is first written."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> PlainDbm:
        return PlainDbm(tmp_path / "rows.dbm", timeout=60)


class TestGivenModule(PlainSuite):
    """The module that the application names."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> PlainDbm:
        return PlainDbm(tmp_path / "rows.dbm", dbm.dumb, timeout=60)


@pytest.mark.parametrize("module", MODULES)
def test_it_reads_what_that_module_wrote_and_that_module_reads_it(
    tmp_path: Path, module: str
) -> None:
    path, others = str(tmp_path / "rows.dbm"), module_of(module)
    with others.open(path, "c") as rows:
        rows["their key"] = b"theirs"
        rows["k\xe4se".encode()] = b"\x80\x02."
    store = PlainDbm(path)
    assert store.get("their key") == b"theirs"
    assert store.get("k\xe4se") == b"\x80\x02."
    assert sorted(store.scan()) == ["k\xe4se", "their key"]
    store.put("our key", b"ours")
    assert store.delete("their key")
    with others.open(path, "r") as rows:
        assert rows[b"our key"] == b"ours"
        assert b"their key" not in rows


def test_rows_whose_keys_are_no_text_are_passed_over(tmp_path: Path) -> None:
    path = str(tmp_path / "rows")
    with dbm.dumb.open(path, "c") as rows:
        rows[b"\xff\xfe"] = b""
        rows[b"key"] = b""
    assert list(PlainDbm(path).scan()) == ["key"]


def test_a_new_database_is_made_by_the_module_of_the_past(tmp_path: Path) -> None:
    PlainDbm(tmp_path / "rows").put("key", b"value")
    wanted = "dbm.dumb"
    try:
        importlib.import_module("dbm.gnu")
    except ImportError:
        pass
    else:
        wanted = "dbm.gnu"
    assert dbm.whichdb(str(tmp_path / "rows")) == wanted


def test_files_are_readable_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        PlainDbm(tmp_path / "rows", dbm.dumb).put("key", b"value")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o644}


class _OwnError(Exception):
    """Of a module that `dbm` does not know."""


def test_errors_of_a_module_that_dbm_does_not_know_are_translated(tmp_path: Path) -> None:
    def fail(_path: str, _flag: str) -> None:
        raise _OwnError("no")

    store = PlainDbm(tmp_path / "rows", SimpleNamespace(open=fail, error=_OwnError))
    with pytest.raises(StoreUnavailable, match="no") as caught:
        store.put("key", b"")
    assert isinstance(caught.value.__cause__, _OwnError)


def test_a_missing_folder_and_a_strange_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no folder"):
        PlainDbm(tmp_path / "none/rows").put("key", b"")
    (tmp_path / "strange").write_bytes(b"no database of anybody")
    with pytest.raises(StoreUnavailable, match="no dbm database"):
        PlainDbm(tmp_path / "strange").get("key")


def test_a_removed_database_is_gone_with_all_its_files(tmp_path: Path) -> None:
    store = PlainDbm(tmp_path / "rows", dbm.dumb)
    store.remove()
    assert store.filenames() == []
    for value in (b"1", b"2"):
        store.put("key", value)
    assert store.filenames() == [f"{tmp_path}/rows.dat", f"{tmp_path}/rows.dir"]
    store.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["rows.lock"]
    assert store.get("key") is None
    store.put("key", b"3")
    assert store.get("key") == b"3"


def test_a_closed_store_refuses(tmp_path: Path) -> None:
    store = PlainDbm(tmp_path / "rows")
    store.put("key", b"")
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.get("key")


def test_it_waits_no_longer_than_its_timeout(tmp_path: Path) -> None:
    first, second = PlainDbm(tmp_path / "rows"), PlainDbm(tmp_path / "rows", timeout=0.01)
    with first._files.writing(), pytest.raises(StoreTimeout):
        second.put("key", b"")


def died_while_writing(path: Path) -> None:
    """Leave the mark of a writer that died."""
    (path.parent / f"{path.name}.lock").write_bytes(b"w")


def test_an_index_that_is_half_written_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    store = PlainDbm(path, dbm.dumb)
    store.put("key", b"value")
    index = path.with_suffix(".dir")
    path.with_suffix(".bak").write_bytes(index.read_bytes())
    index.write_bytes(index.read_bytes()[:5])
    died_while_writing(path)
    assert store.get("key") == b"value"


def test_an_index_that_another_program_wrote_since_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    store = PlainDbm(path, dbm.dumb)
    store.put("key", b"value")
    died_while_writing(path)
    with dbm.dumb.open(str(path), "c") as rows:  # which leaves the index before this one as .bak
        rows["later"] = b"theirs"
    assert store.get("later") == b"theirs"
    assert store.get("key") == b"value"
    assert path.with_suffix(".lock").read_bytes() == b""


@pytest.mark.slow
def test_processes_share_a_database(tmp_path: Path) -> None:
    def count(number: int) -> None:
        store = PlainDbm(tmp_path / "rows", timeout=60)
        for _ in range(15):
            while True:
                seen = store.get("count")
                if store.swap("count", seen, b"%d" % (int(seen or b"0") + 1)):
                    break
            store.put(f"of {number}", b"1")

    assert in_processes(4, count) == [0] * 4
    store = PlainDbm(tmp_path / "rows")
    assert store.get("count") == b"60"
    assert sorted(store.scan("of")) == [f"of {number}" for number in range(4)]
