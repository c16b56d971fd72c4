"""The memory store keeps the contract, and its handles share rows by name."""

import signal
import threading
from pathlib import Path

import pytest

from holdfast.bridge import drive
from holdfast.errors import StoreUnavailable
from holdfast.store.abilities import CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl
from holdfast.store.memory import MemoryStore, named
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite
from holdfast.testing.trial import in_processes, in_threads


class TestMemoryStore(StoreSuite):
    """Its rows live in the process, shared by name."""

    abilities = (CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl)
    between_processes = False

    def open(self, tmp_path: Path, clock: ManualClock) -> MemoryStore:
        return named(str(tmp_path), clock=clock)


def test_a_name_keeps_its_rows_while_a_handle_is_open() -> None:
    first, second = named("kept"), named("kept")
    first.put("k", b"v")
    first.close()
    assert named("kept").get("k") == b"v"
    assert second.get("k") == b"v"
    second.close()
    assert named("kept").get("k") is None


def test_names_and_nameless_stores_share_nothing() -> None:
    one, other, alone = named("one"), named("other"), MemoryStore()
    one.put("k", b"v")
    assert other.get("k") is None
    assert alone.get("k") is None
    assert MemoryStore().get("k") is None


def test_expired_rows_do_not_pile_up() -> None:
    clock = ManualClock()
    store = MemoryStore(clock=clock)
    for number in range(10_000):
        store.put(f"k{number}", b"v", ttl=5)
        clock.advance(0.1)
    assert len(store) <= 1100


def test_the_async_face_needs_no_thread() -> None:
    steps = MemoryStore().aio.swap("k", None, b"v")
    assert drive(steps) is True


@pytest.mark.slow
def test_a_lock_held_at_a_fork_does_not_hang_the_child() -> None:
    store = MemoryStore()
    store.put("k", b"v")

    def work(_: int) -> None:
        assert store.swap("k", b"v", b"w")

    with store._lock:
        assert in_processes(1, work) == [0]
    assert store.get("k") == b"v"


@pytest.mark.slow
def test_a_fork_while_threads_wait_for_the_lock_hangs_no_child() -> None:
    store, over = MemoryStore(), threading.Event()

    def write(number: int) -> None:
        while number and not over.is_set():
            store.increment("n")
        if not number:
            try:
                for _ in range(20):
                    assert in_processes(1, write_in_child) == [0]
            finally:
                over.set()

    def write_in_child(_: int) -> None:
        signal.alarm(5)  # who hangs dies of it
        store.increment("child")
        assert store.get("child") == b"1"

    in_threads(4, write)


@pytest.mark.parametrize("write", ["swap", "put", "increment"])
def test_a_close_waits_for_the_write_that_is_under_way(write: str) -> None:
    clock, closing = ManualClock(), threading.Event()

    def now() -> float:
        if closing.is_set():
            closing.clear()
            closer.start()
            closer.join(0.05)  # it waits for us
        return clock()

    name = f"closed during {write}"
    first, second = named(name, clock=now), named(name, clock=clock)
    closer = threading.Thread(target=first.close)
    second.put("k", b"1")
    closing.set()
    if write == "swap":
        assert first.swap("k", b"1", b"2")
    elif write == "put":
        first.put("k", b"2", ttl=60)
    else:
        assert first.increment("k") == 2
    closer.join()
    assert second.get("k") == b"2"
    with pytest.raises(StoreUnavailable, match="closed"):
        first.increment("k")
