"""The file store keeps the contract, and a bad file harms nobody else."""

import fcntl
import multiprocessing
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import filled_up, in_a_small_world, small_disk

from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.store.abilities import CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl
from holdfast.store.file import FileStore
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite
from holdfast.testing.trial import in_processes, in_threads


class TestFileStore(StoreSuite):
    """One folder for each test."""

    abilities = (CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl)

    def open(self, tmp_path: Path, clock: ManualClock) -> FileStore:
        return FileStore(tmp_path / "rows", clock=clock, timeout=10)  # a busy machine


def place_of(store: FileStore, key: str) -> Path:
    return Path(store._place(key))


def files_of(store: FileStore) -> list[Path]:
    return [path for path in Path(store.folder).rglob("*") if path.is_file()]


def drafts_of(store: FileStore) -> list[Path]:
    return [path for path in files_of(store) if path.suffix == ".new"]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut off in the head": lambda data: data[:10],
    "cut off in the key": lambda data: data[:20],
    "cut off in the value": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "a bit of the value turned": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "a bit of the expiry turned": lambda data: data[:9] + bytes([data[9] ^ 1]) + data[10:],
    "something else": lambda _: b"<html>" * 100,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_and_harms_no_other(tmp_path: Path, damage: str) -> None:
    store = FileStore(tmp_path / "rows")
    store.put_many({"k": b"value", "other": b"fine"})
    place = place_of(store, "k")
    place.write_bytes(DAMAGES[damage](place.read_bytes()))
    reads: list[Callable[[], object]] = [
        lambda: store.get("k"),
        lambda: store.swap("k", b"value", b"w"),
        lambda: store.swap("k", None, b"w"),
        lambda: store.increment("k"),
        lambda: store.apply("k", lambda old: (old, None, None)),
    ]
    for read in reads:
        with pytest.raises(StoreUnavailable, match="damaged") as caught:
            read()
        assert str(place) in str(caught.value)
        assert caught.value.__cause__ is not None
    assert store.get("other") == b"fine"
    assert store.swap("other", b"fine", b"better")
    assert "other" in list(store.scan())
    assert store.sweep() == 0


def test_put_and_delete_mend_a_damaged_file(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "rows")
    for key in ("put", "deleted"):
        store.put(key, b"v")
        place_of(store, key).write_bytes(b"?")
    store.put("put", b"w")
    assert store.get("put") == b"w"
    assert store.delete("deleted")
    assert store.get("deleted") is None
    assert store.swap("deleted", None, b"v")


def test_the_row_of_another_key_is_noticed(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "rows")
    store.put_many({"mine": b"1", "yours": b"2"})
    place_of(store, "mine").write_bytes(place_of(store, "yours").read_bytes())
    with pytest.raises(StoreUnavailable, match="row of 'yours'"):
        store.get("mine")


def test_foreign_files_are_passed_over(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "rows")
    store.put("k", b"v", ttl=-1)
    store.put("k", b"v")
    (tmp_path / "rows" / "README").write_text("hands off")
    (tmp_path / "rows" / "ab").mkdir(exist_ok=True)
    (tmp_path / "rows" / "ab" / "notes").write_text("not a row")
    assert list(store.scan()) == ["k"]
    assert store.sweep() == 0
    assert (tmp_path / "rows" / "ab" / "notes").exists()


def test_a_full_disk_keeps_the_old_value_and_leaves_no_litter(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, FileStore(disk / "rows") as store:
        store.put("k", b"old")
        store.put("n", b"5")
        with filled_up(disk):
            with pytest.raises(StoreUnavailable) as caught:
                store.put("k", b"new" * 2000)
            assert isinstance(caught.value.__cause__, OSError)
            with pytest.raises(StoreUnavailable):
                store.swap("k", b"old", b"new" * 2000)
            with pytest.raises(StoreUnavailable):
                store.increment("n", 10**4000)
            assert store.get_many(["k", "n"]) == {"k": b"old", "n": b"5"}
            assert drafts_of(store) == []
            assert store.delete("n")
        assert store.swap("k", b"old", b"new")
        assert store.get("k") == b"new"


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "rows")
    store.put("k", b"old")

    def work() -> None:
        with pytest.raises(StoreUnavailable):
            store.put("k", b"new" * 10_000)
        assert store.get("k") == b"old"
        assert drafts_of(store) == []
        store.put("k", b"small")

    in_a_small_world(8192, work)
    assert store.get("k") == b"small"


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = FileStore(tmp_path / "rows")
        store.put("k", b"v")
    finally:
        os.umask(before)
    folders = [tmp_path / "rows", *(p for p in (tmp_path / "rows").rglob("*") if p.is_dir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files_of(store)} == {0o600}


def test_no_key_names_a_place_outside(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "deep" / "rows")
    for key in ("../out", "/etc/out", "..", ".", "locks/00", "a/../../../out"):
        store.put(key, b"v")
        assert store.get(key) == b"v"
    assert {path.name for path in tmp_path.iterdir()} == {"deep"}
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"rows"}


def test_opening_and_reading_make_nothing(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "rows")
    assert store.get("k") is None
    assert list(store.scan()) == []
    assert store.sweep() == 0
    assert not (tmp_path / "rows").exists()
    store.ping()
    assert (tmp_path / "rows").is_dir()


def test_a_folder_that_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("")
    store = FileStore(tmp_path / "rows")
    calls: list[Callable[[], object]] = [
        store.ping,
        lambda: store.get("k"),
        lambda: store.swap("k", None, b"v"),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable) as caught:
            call()
        assert isinstance(caught.value.__cause__, OSError)


def test_a_lock_that_is_never_let_go_ends_in_a_timeout(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "rows", timeout=0.05)
    store.put("k", b"v")
    stripe = store._stripe(str(place_of(store, "k")))
    lock = os.open(tmp_path / "rows" / "locks" / f"{stripe:02x}", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(StoreTimeout):
        store.swap("k", b"v", b"w")
    assert store.get("k") == b"v", "readers wait for nobody"
    os.close(lock)
    assert store.swap("k", b"v", b"w")


def test_whoever_empties_the_folder_stops_nobody_and_parts_no_locks(tmp_path: Path) -> None:
    old = FileStore(tmp_path / "rows", timeout=0.05)
    old.put("k", b"v")
    shutil.rmtree(tmp_path / "rows")
    assert old.get("k") is None
    new = FileStore(tmp_path / "rows", timeout=0.05)
    with new._alone_with("k"), pytest.raises(StoreTimeout):
        old.put("k", b"old")
    assert old.swap("k", None, b"w")
    assert new.get("k") == b"w"


def test_a_folder_that_is_gone_is_made_again(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "rows")
    store.put("k", b"v")
    shutil.rmtree(tmp_path / "rows")
    assert store.swap("k", None, b"w")
    assert store.get("k") == b"w"


def test_a_timeout_beyond_what_a_lock_can_wait_is_as_long_as_it_can(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "rows", timeout=1e12)
    store.put("k", b"v")
    assert store.get("k") == b"v"


def locks_open(store: FileStore) -> int:
    links = Path("/proc/self/fd").iterdir()
    return sum(os.path.realpath(link).startswith(store.folder) for link in links)


def test_the_lock_files_are_bounded_and_closed(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "rows")
    for number in range(1000):
        store.put(f"k{number}", b"")
    assert locks_open(store) == 64
    store.close()
    assert locks_open(store) == 0


def test_two_may_close_at_the_same_time(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "rows")
    store.put("k", b"v")

    def work(number: int) -> None:
        if number == 0:
            with store._alone_with("k"):
                begun.wait(10)
                time.sleep(0.05)  # both wait for the lock now
            return
        begun.wait(10)
        store.close()

    begun = threading.Barrier(3)
    in_threads(3, work)
    assert locks_open(store) == 0


@pytest.mark.slow
def test_a_childs_lock_is_not_its_parents(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "rows", timeout=0.05)
    store.put("k", b"v")
    context = multiprocessing.get_context("fork")
    held, tried = context.Event(), context.Event()

    def hold(_: int) -> None:
        with store._alone_with("k"):
            held.set()
            assert tried.wait(10)

    def write() -> None:
        try:
            assert held.wait(10)
            with pytest.raises(StoreTimeout):
                store.swap("k", b"v", b"w")
        finally:
            tried.set()

    codes: list[int | None] = []
    in_threads(2, lambda number: write() if number else codes.extend(in_processes(1, hold)))
    assert codes == [0]
    assert store.swap("k", b"v", b"w")
