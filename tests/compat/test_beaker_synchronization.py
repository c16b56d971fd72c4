"""Locks as in Beaker: who is let in, what is refused, and that its processes and ours exclude."""

import gc
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compat.seeds import genuine, ours
from holdfast.compat.beaker import synchronization
from holdfast.compat.beaker.exceptions import LockError
from holdfast.compat.beaker.synchronization import (
    ConditionSynchronizer,
    FileSynchronizer,
    NameLock,
    SynchronizerImpl,
    file_synchronizer,
    mutex_synchronizer,
    null_synchronizer,
)

# every sequence of four steps on each kind of lock: what each step gives, and the state after it
SEQUENCES = """
import itertools
import json
import sys
from beaker.synchronization import SynchronizerImpl, file_synchronizer, mutex_synchronizer

calls = []


class Own(SynchronizerImpl):
    refuses = False

    def do_acquire_read_lock(self, wait):
        calls.append(["read", wait])
        return not self.refuses

    def do_acquire_write_lock(self, wait):
        calls.append(["write", wait])
        return not self.refuses

    def do_release_read_lock(self):
        calls.append(["release read"])

    def do_release_write_lock(self):
        calls.append(["release write"])


class Refuses(Own):
    refuses = True


STEPS = {
    "r": lambda lock: lock.acquire_read_lock(False),
    "w": lambda lock: lock.acquire_write_lock(False),
    "R": lambda lock: lock.acquire_read_lock() is not False,
    "W": lambda lock: lock.acquire() is not False,
    "-r": lambda lock: lock.release_read_lock(),
    "-w": lambda lock: lock.release_write_lock(),
    "-": lambda lock: lock.release(),
}
MAKERS = {
    "file": lambda name: file_synchronizer(name, lock_dir=sys.argv[1]),
    "mutex": mutex_synchronizer,
    "own": lambda name: Own(),
    "refuses": lambda name: Refuses(),
}
lines = []
for kind, make in MAKERS.items():
    for number, names in enumerate(itertools.product(STEPS, repeat=4)):
        if kind == "file" and number % 7:
            continue
        if kind == "refuses" and {"R", "W"} & set(names):
            continue
        lock = make("x")
        line = []
        for name in names:
            try:
                line.append(STEPS[name](lock))
            except Exception as error:
                line.append(f"{type(error).__name__}: {error}")
            state = lock.state
            line.append([state.reentrantcount, bool(state.reading), bool(state.writing)])
        while lock.state.reentrantcount:
            lock.release_read_lock() if lock.state.reading else lock.release_write_lock()
        lines.append([kind, names, line, calls[:]])
        calls.clear()
print(json.dumps(lines))
"""


@pytest.mark.slow
def test_each_step_does_what_it_does_in_beaker(tmp_path: Path) -> None:
    theirs = json.loads(genuine(SEQUENCES, tmp_path / "theirs"))
    mine = json.loads(ours("beaker", SEQUENCES, tmp_path / "ours"))
    assert len(theirs) > 5000
    assert [pair for pair in zip(theirs, mine, strict=True) if pair[0] != pair[1]] == []


FILES = """
import json
import sys
from beaker.synchronization import FileSynchronizer, file_synchronizer, mutex_synchronizer

root = sys.argv[1]
names = ["x", "a b", "k\\xe4se", "", "dbmcontainer/funclock/ns/key", "x" * 500, "../up", "\\0"]
lines = [
    [lock.filename[len(root) :], lock.lock_dir[len(root) :]]
    for lock in (FileSynchronizer(name, root) for name in names)
]
lines.append(FileSynchronizer("x", None).filename)
lines.append(FileSynchronizer("x", lock_dir=None).lock_dir)
lines.append(type(file_synchronizer("x")).__name__)
lines.append(type(file_synchronizer("x", lock_dir=None)).__name__)
lines.append(file_synchronizer("x", lock_dir=root) is file_synchronizer("x", lock_dir=root))
one = mutex_synchronizer("x")
lines.append(one is mutex_synchronizer("x"))
print(json.dumps(lines))
"""


def test_a_name_has_the_same_lock_file_as_in_beaker(tmp_path: Path) -> None:
    theirs = genuine(FILES, tmp_path / "theirs", TMPDIR=str(tmp_path))
    mine = ours("beaker", FILES, tmp_path / "ours", TMPDIR=str(tmp_path))
    assert json.loads(mine) == json.loads(theirs)
    assert f"{tmp_path}/1/11/11f6ad8ec52a2984abaafd7c3b516503785c2072.lock" in json.loads(mine)


# tries what it can get of a lock that another process holds
TRIES = """
import sys
from beaker.synchronization import file_synchronizer

lock = file_synchronizer("shared name", lock_dir=sys.argv[1])
for acquire, release in (
    (lock.acquire_read_lock, lock.release_read_lock),
    (lock.acquire_write_lock, lock.release_write_lock),
):
    print(acquire(False), end=" ")
    if lock.state.reentrantcount:
        release()
"""

# holds a lock while another process tries
HOLDS = """
import subprocess
import sys
from beaker.synchronization import file_synchronizer

folder, python, script = sys.argv[1:]
lock = file_synchronizer("shared name", lock_dir=folder)


def tried():
    done = subprocess.run([python, "-c", script, folder], capture_output=True, text=True)
    print(done.stdout.strip(), done.stderr, sep="", end=";")


lock.acquire_write_lock()
tried()
lock.release_write_lock()
lock.acquire_read_lock()
tried()
lock.release_read_lock()
tried()
"""


@pytest.mark.slow
def test_beaker_holds_and_we_try(tmp_path: Path) -> None:
    before = "import holdfast.compat; holdfast.compat.install('beaker')\n"
    said = genuine(HOLDS, tmp_path, sys.executable, before + TRIES)
    assert said == "False False;True False;True True;"


@pytest.mark.slow
def test_we_hold_and_beaker_tries(tmp_path: Path) -> None:
    lock = file_synchronizer("shared name", lock_dir=str(tmp_path))
    said = []
    for acquire, release in (
        (lock.acquire_write_lock, lock.release_write_lock),
        (lock.acquire_read_lock, lock.release_read_lock),
    ):
        assert acquire()
        said.append(genuine(TRIES, tmp_path).split())
        release()
    said.append(genuine(TRIES, tmp_path).split())
    assert said == [["False", "False"], ["True", "False"], ["True", "True"]]


def in_another_thread(work: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join(60)
    return found[0]


@pytest.fixture(params=["mutex", "file"])
def lock(request: pytest.FixtureRequest, tmp_path: Path) -> SynchronizerImpl:
    if request.param == "file":
        return FileSynchronizer("x", str(tmp_path))
    return ConditionSynchronizer("x")


def test_many_read_or_one_writes(lock: SynchronizerImpl) -> None:
    def tried() -> tuple[bool, bool]:
        reads = lock.acquire_read_lock(wait=False)
        if reads:
            lock.release_read_lock()
        writes = lock.acquire_write_lock(wait=False)
        if writes:
            lock.release_write_lock()
        return reads, writes

    assert lock.acquire_read_lock()
    assert in_another_thread(tried) == (True, False)
    lock.release_read_lock()
    assert lock.acquire_write_lock()
    assert in_another_thread(tried) == (False, False)
    lock.release_write_lock()
    assert in_another_thread(tried) == (True, True)


def test_writers_exclude_each_other_and_readers(lock: SynchronizerImpl) -> None:
    inside: list[str] = []
    seen: list[tuple[str, ...]] = []

    def work(way: str) -> None:
        for _ in range(30):
            lock.acquire_write_lock() if way == "w" else lock.acquire_read_lock()
            inside.append(way)
            seen.append(tuple(inside))
            inside.remove(way)
            lock.release_write_lock() if way == "w" else lock.release_read_lock()

    threads = [threading.Thread(target=work, args=(way,)) for way in "wwrr"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(seen) == 120
    assert not [who for who in seen if "w" in who and len(who) > 1]


def test_a_writer_that_waits_keeps_new_readers_out() -> None:
    lock = ConditionSynchronizer("x")
    assert lock.acquire_read_lock()
    order: list[str] = []

    def write() -> None:
        lock.acquire_write_lock()
        order.append("writer")
        lock.release_write_lock()

    writer = threading.Thread(target=write)
    writer.start()
    while lock.current_sync_operation is None:
        pass
    assert in_another_thread(lambda: lock.acquire_read_lock(wait=False)) is False
    order.append("reader")
    lock.release_read_lock()
    writer.join(60)
    assert order == ["reader", "writer"]
    assert lock.asynch == 0
    assert lock.acquire_write_lock(wait=False)


def test_a_writer_who_gives_up_leaves_the_lock_to_others() -> None:
    lock = ConditionSynchronizer("x")
    lock.acquire_read_lock()
    assert in_another_thread(lambda: lock.acquire_write_lock(wait=False)) is False
    assert in_another_thread(lambda: lock.acquire_read_lock(wait=False)) is True


def test_a_writer_whose_wait_is_broken_off_leaves_the_lock_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted() -> bool:
        raise KeyboardInterrupt

    lock = ConditionSynchronizer("x")
    assert in_another_thread(lock.acquire_read_lock)
    monkeypatch.setattr(lock.condition, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lock.acquire_write_lock()
    assert not lock.state.writing
    assert in_another_thread(lambda: lock.acquire_read_lock(wait=False)) is True


def test_what_was_not_taken_cannot_be_let_go() -> None:
    lock = ConditionSynchronizer("x")
    for release in (lock.do_release_read_lock, lock.do_release_write_lock):
        with pytest.raises(LockError, match="Synchronizer error"):
            release()


def test_a_lock_of_users_says_what_is_missing() -> None:
    lock = SynchronizerImpl()
    for call in (lock.acquire_read_lock, lock.acquire_write_lock):
        with pytest.raises(NotImplementedError):
            call()


def test_promise_1_1_lock_files_are_never_removed(tmp_path: Path) -> None:
    lock = FileSynchronizer("x", str(tmp_path))
    inode = None
    for _ in range(3):
        lock.acquire()
        lock.release()
        inode = inode or Path(lock.filename).stat().st_ino
        assert Path(lock.filename).stat().st_ino == inode


def test_promise_1_9_1_a_folder_that_disappeared_is_made_anew(tmp_path: Path) -> None:
    lock = FileSynchronizer("x", str(tmp_path / "locks"))
    Path(lock.lock_dir).rmdir()
    assert lock.acquire_read_lock()
    lock.release_read_lock()
    assert Path(lock.filename).exists()


def test_two_folders_are_two_locks(tmp_path: Path) -> None:
    one = file_synchronizer("x", lock_dir=str(tmp_path / "one"))
    two = file_synchronizer("x", lock_dir=str(tmp_path / "two"))
    assert one is not two
    assert one is file_synchronizer("x", lock_dir=str(tmp_path / "one"))
    assert Path(vars(two)["filename"]).is_relative_to(tmp_path / "two")


def test_a_name_is_forgotten_with_its_last_lock() -> None:
    held = mutex_synchronizer("a name of this test")
    assert any(key[0] == "a name of this test" for key in synchronization._synchronizers.dict)
    del held
    gc.collect()
    assert not any(key[0] == "a name of this test" for key in synchronization._synchronizers.dict)


def test_name_locks_of_one_name_are_one_lock() -> None:
    one, two, other = NameLock("n"), NameLock("n"), NameLock("m")
    assert one.acquire()
    assert not two.acquire(wait=False)
    assert other.acquire(wait=False)
    other.release()
    one.release()
    assert two.acquire(wait=False)
    two.release()
    again = NameLock("again", reentrant=True)
    assert [again.acquire(), again.acquire(wait=False)] == [True, True]
    assert in_another_thread(lambda: NameLock("again").acquire(wait=False)) is False
    assert [NameLock().acquire(wait=False) for _ in "ab"] == [True, True]


def test_the_null_lock_locks_nothing() -> None:
    lock = null_synchronizer()
    assert lock.acquire()
    assert lock.acquire_write_lock(wait=False)
    lock.acquire_read_lock()
    lock.release()
    lock.release_read_lock()
    lock.release_write_lock()


def test_names_that_programs_import() -> None:
    assert synchronization._threading is threading
    assert {"file_synchronizer", "mutex_synchronizer", "null_synchronizer", "NameLock"} <= set(
        synchronization.__all__
    )
