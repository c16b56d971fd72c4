"""A lock file locks threads and processes out, and is let go of however its holder ends."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.errors import StoreUnavailable
from holdfast.store.file import flock
from holdfast.store.file.flock import FlockFile, make_folder

BOTH = [("shared", "shared", True), ("shared", "alone", False), ("alone", "shared", False)]
BOTH += [("alone", "alone", False)]


def in_another_thread(work: Callable[[], object]) -> object:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join(60)
    return found[0]


@pytest.mark.parametrize(("first", "second", "beside"), BOTH, ids=str)
def test_who_is_let_in_beside_whom(
    tmp_path: Path, first: str, second: str, *, beside: bool
) -> None:
    lock = FlockFile(f"{tmp_path}/of/x.lock")
    assert lock.acquire(shared=first == "shared")

    def enter() -> bool:
        try:
            return lock.acquire(shared=second == "shared", wait=False)
        finally:
            lock.release()

    assert in_another_thread(enter) is beside
    assert (
        in_another_thread(
            lambda: FlockFile(lock.path).acquire(shared=second == "shared", wait=False)
        )
        is beside
    )
    lock.release()
    assert in_another_thread(enter) is True


def test_the_file_stays_and_letting_go_twice_is_fine(tmp_path: Path) -> None:
    lock = FlockFile(f"{tmp_path}/x.lock")
    lock.release()
    assert [lock.acquire(), lock.descriptor is None] == [True, False]
    lock.release()
    lock.release()
    assert lock.descriptor is None
    assert (tmp_path / "x.lock").read_bytes() == b""


def test_a_waiter_gets_in_when_the_holder_lets_go(tmp_path: Path) -> None:
    lock = FlockFile(f"{tmp_path}/x.lock")
    assert lock.acquire()
    order = []
    waiting = threading.Event()

    def wait() -> None:
        waiting.set()
        lock.acquire()
        order.append("waiter")
        lock.release()

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait(60)
    order.append("holder")
    lock.release()
    thread.join(60)
    assert order == ["holder", "waiter"]


def test_a_thread_that_ends_holds_nothing(tmp_path: Path) -> None:
    lock = FlockFile(f"{tmp_path}/x.lock")
    assert in_another_thread(lock.acquire) is True
    assert lock.acquire(wait=False)
    lock.release()


@pytest.mark.parametrize("removed", ["of/x.lock", "of", ""], ids=["file", "folder", "all"])
def test_whoever_locks_a_removed_file_locks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed: str
) -> None:
    root, really = tmp_path / "locks", flock._lock
    lock = FlockFile(f"{root}/of/x.lock")
    opened = []

    def lock_late(file: int, *, shared: bool, wait: bool) -> bool:
        opened.append(file)
        if len(opened) == 1:  # others come between open and lock
            target = root / removed
            target.unlink() if target.is_file() else shutil.rmtree(target)
        return really(file, shared=shared, wait=wait)

    monkeypatch.setattr(flock, "_lock", lock_late)
    assert lock.acquire()
    assert len(opened) == 2
    assert (root / "of/x.lock").exists()
    assert not FlockFile(lock.path).acquire(wait=False)
    lock.release()


@pytest.mark.slow
def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    script = f"""
from holdfast.store.file.flock import FlockFile
lock = FlockFile({str(tmp_path / "x.lock")!r})
lock.acquire()
print("held", flush=True)
input()
"""
    lock = FlockFile(f"{tmp_path}/x.lock")
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        assert not lock.acquire(wait=False)
        assert not lock.acquire(shared=True, wait=False)
        child.send_signal(signal.SIGKILL)
    assert lock.acquire()
    lock.release()


def test_a_forked_child_neither_holds_nor_lets_go(tmp_path: Path) -> None:
    lock = FlockFile(f"{tmp_path}/x.lock")
    assert lock.acquire()
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if lock.descriptor is None and not lock.acquire(wait=False) else 2
            lock.release()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert in_another_thread(lambda: FlockFile(lock.path).acquire(wait=False)) is False
    lock.release()
    assert in_another_thread(lambda: FlockFile(lock.path).acquire(wait=False)) is True


def test_the_holder_lets_go_though_a_child_has_the_file_open(tmp_path: Path) -> None:
    lock = FlockFile(f"{tmp_path}/x.lock")
    assert lock.acquire()
    ready, go = os.pipe()
    child = os.fork()
    if not child:
        os.close(go)
        os.read(ready, 1)
        os._exit(0)
    os.close(ready)
    try:
        lock.release()
        assert in_another_thread(lambda: FlockFile(lock.path).acquire(wait=False)) is True
    finally:
        os.close(go)
        os.waitpid(child, 0)


def test_a_file_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="file") as caught:
        FlockFile(f"{tmp_path}/file/x.lock").acquire()
    assert isinstance(caught.value.__cause__, OSError)


def test_folders_are_made_once_by_many(tmp_path: Path) -> None:
    make_folder(f"{tmp_path}/a/b/c")
    make_folder(f"{tmp_path}/a/b/c")
    assert (tmp_path / "a/b/c").is_dir()
    with pytest.raises(FileNotFoundError):
        make_folder("")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileExistsError):
        make_folder(f"{tmp_path}/file")
