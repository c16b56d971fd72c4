"""Plain files keep the contract, lie where Beaker's lie, and a bad disk or key harms nobody."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import filled_up, in_a_small_world, small_disk
from plain_suite import PlainSuite

from holdfast.errors import KeyRejected, StoreTimeout, StoreUnavailable
from holdfast.store.file.flock import FlockFile
from holdfast.store.file.plain import PlainFiles, replace_file
from holdfast.testing.trial import in_processes, in_threads

BAD_KEYS = ["", ".", "..", "..a", ".hidden", "a/b", "/etc/passwd", "a\0b", "k" * 250, "\ud800"]


class TestPlainFiles(PlainSuite):
    """One folder for each test."""

    odd_keys = ("k", "ke", "K", "a b", "käse", "100%", "a*[b]", "\\'", "a\nb", "x" * 249)

    @pytest.fixture
    def store(self, tmp_path: Path) -> PlainFiles:
        return PlainFiles(tmp_path / "files", timeout=60)

    def test_a_key_that_is_no_file_name_is_refused_by_each_method(self, store: PlainFiles) -> None:
        for key in BAD_KEYS:
            for call in (
                store.path,
                store.get,
                store.delete,
                lambda key: store.put(key, b""),
                lambda key: store.swap(key, None, b""),
            ):
                with pytest.raises(KeyRejected):
                    call(key)
        assert list(store.scan()) == []


def files_of(folder: Path) -> list[str]:
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return sorted(str(path.relative_to(folder)) for path in found)


def test_a_file_lies_two_folders_deep_under_its_own_name(tmp_path: Path) -> None:
    store = PlainFiles(tmp_path)
    for key in ("0a1b2c", "k", "ke"):
        store.put(key, b"bytes")
    assert files_of(tmp_path) == ["0/0a/0a1b2c.cache", "k/k/k.cache", "k/ke/ke.cache"]
    assert store.path("0a1b2c") == f"{tmp_path}/0/0a/0a1b2c.cache"
    assert (tmp_path / "0/0a/0a1b2c.cache").read_bytes() == b"bytes"
    other = PlainFiles(tmp_path, suffix=".enc")
    assert other.get("k") is None
    assert list(other.scan()) == []


def test_what_others_put_there_is_found(tmp_path: Path) -> None:
    (tmp_path / "a/ab").mkdir(parents=True)
    (tmp_path / "a/ab/abc.cache").write_bytes(b"others'")
    store = PlainFiles(tmp_path)
    assert store.get("abc") == b"others'"
    assert list(store.scan()) == ["abc"]


def test_what_is_no_key_is_not_listed(tmp_path: Path) -> None:
    store = PlainFiles(tmp_path)
    store.put("abc", b"")
    for odd in ("a/ab/abc.cache.temp", "a/ab/.cache", "a/ab/x.cache", "a/lone.cache", "top.cache"):
        (tmp_path / odd).write_bytes(b"")
    assert list(store.scan()) == ["abc"]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002], ids=oct)
def test_modes_are_as_the_umask_says(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        PlainFiles(tmp_path / "files").put("abc", b"")
    finally:
        os.umask(before)
    for path in (tmp_path / "files").rglob("*"):
        wanted = 0o777 if path.is_dir() else 0o666
        assert stat.S_IMODE(path.stat().st_mode) == wanted & ~umask, path


REMOVALS: dict[str, Callable[[PlainFiles], None]] = {
    "the file": lambda store: Path(store.path("abc")).unlink(),
    "its folder": lambda store: shutil.rmtree(Path(store.path("abc")).parent),
    "all folders": lambda store: shutil.rmtree(store.folder),
}


@pytest.mark.parametrize("removed", REMOVALS)
def test_what_others_remove_is_gone_and_can_be_written_anew(tmp_path: Path, removed: str) -> None:
    store = PlainFiles(tmp_path / "files")
    store.put("abc", b"1")
    REMOVALS[removed](store)
    assert store.get("abc") is None
    assert not store.delete("abc")
    assert list(store.scan()) == []
    store.put("abc", b"2")
    assert store.get("abc") == b"2"


def test_a_swap_makes_its_folder_anew(tmp_path: Path) -> None:
    store = PlainFiles(tmp_path / "files")
    assert not store.swap("abc", b"old", b"new")
    assert store.swap("abc", None, b"new")
    assert store.get("abc") == b"new"


def test_a_reader_sees_the_old_bytes_or_the_new(tmp_path: Path) -> None:
    store = PlainFiles(tmp_path, timeout=60)
    whole = [bytes([digit]) * 200_000 for digit in b"0123"]
    store.put("key", whole[0])
    done = threading.Event()
    torn = []

    def read() -> None:
        while not done.is_set():
            if store.get("key") not in whole:
                torn.append(1)

    def write(number: int) -> None:
        for _ in range(25):
            store.put("key", whole[number])

    reader = threading.Thread(target=read)
    reader.start()
    try:
        in_threads(4, write)
    finally:
        done.set()
        reader.join()
    assert not torn
    assert files_of(tmp_path) == ["k/ke/key.cache"]


@pytest.mark.slow
def test_processes_share_a_key(tmp_path: Path) -> None:
    store = PlainFiles(tmp_path, timeout=60)
    store.put("count", b"0")

    def count(_: int) -> None:
        for _ in range(25):
            while True:
                seen = store.get("count") or b""
                if store.swap("count", seen, b"%d" % (int(seen) + 1)):
                    break

    assert in_processes(4, count) == [0] * 4
    assert store.get("count") == b"100"


def test_a_full_disk_is_an_error_and_the_old_bytes_stay(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        store = PlainFiles(disk / "files")
        store.put("key", b"old")
        with filled_up(disk), pytest.raises(StoreUnavailable) as caught:
            store.put("key", b"x" * 100_000)
        assert isinstance(caught.value.__cause__, OSError)
        assert store.get("key") == b"old"
        assert files_of(disk) == ["files/k/ke/key.cache"]


def test_a_file_that_may_not_grow_is_an_error_and_the_old_bytes_stay(tmp_path: Path) -> None:
    store = PlainFiles(tmp_path)
    store.put("key", b"old")

    def write() -> None:
        for write in (
            lambda: store.put("key", b"x" * 100_000),
            lambda: store.swap("key", b"old", b"x" * 100_000),
        ):
            with pytest.raises(StoreUnavailable):
                write()

    in_a_small_world(4096, write)
    assert store.get("key") == b"old"
    assert files_of(tmp_path) == ["k/ke/key.cache"]


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "files").write_bytes(b"")
    store = PlainFiles(tmp_path / "files")
    assert store.get("key") is None
    assert list(store.scan()) == []
    with pytest.raises(StoreUnavailable, match="files"):
        store.put("key", b"")


def test_a_key_that_is_a_folder_is_an_error(tmp_path: Path) -> None:
    store = PlainFiles(tmp_path)
    Path(store.path("key")).mkdir(parents=True)
    with pytest.raises(StoreUnavailable):
        store.get("key")
    with pytest.raises(StoreUnavailable):
        store.put("key", b"")


def test_a_writer_waits_no_longer_than_its_timeout(tmp_path: Path) -> None:
    store = PlainFiles(tmp_path, timeout=0.01)
    store.put("key", b"old")
    held = FlockFile(f"{tmp_path}/k/ke/.lock")
    assert held.acquire()
    for write in (lambda: store.put("key", b"new"), lambda: store.delete("key")):
        with pytest.raises(StoreTimeout, match=r"0\.01 s"):
            write()
    assert store.get("key") == b"old"  # readers wait for nobody
    held.release()
    store.put("key", b"new")
    assert store.get("key") == b"new"


@pytest.mark.slow
def test_a_writer_that_is_killed_leaves_the_old_bytes_and_no_lock(tmp_path: Path) -> None:
    script = f"""
import os, holdfast.store.file.plain as plain
store = plain.PlainFiles({str(tmp_path)!r})
def stop(*_):
    print("half", flush=True)
    input()
plain.os.replace = stop
store.put("key", b"new")
"""
    store = PlainFiles(tmp_path, timeout=60)
    store.put("key", b"old")
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"half\n"
        child.send_signal(signal.SIGKILL)
    assert store.get("key") == b"old"
    assert list(store.scan()) == ["key"]
    store.put("key", b"newer")
    assert store.get("key") == b"newer"


def test_the_working_directory_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = PlainFiles("files")
    store.put("key", b"value")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert store.get("key") == b"value"


def test_no_key_is_outside_the_folder(tmp_path: Path) -> None:
    store = PlainFiles(tmp_path / "files")
    for key in ("a..b", "a.", "~", "a\\..\\b", "CON", "-rf", "$HOME", "*"):
        store.put(key, key.encode())
        assert Path(store.path(key)).resolve().is_relative_to(tmp_path / "files")
        assert store.get(key) == key.encode()


def test_replace_file_makes_the_folder_and_leaves_no_draft(tmp_path: Path) -> None:
    replace_file(str(tmp_path / "new/file"), b"1")
    replace_file(str(tmp_path / "new/file"), b"2")
    assert (tmp_path / "new/file").read_bytes() == b"2"
    (tmp_path / "new/folder").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(str(tmp_path / "new/folder"), b"")
    assert files_of(tmp_path) == ["new/file"]
