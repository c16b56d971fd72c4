"""Metered keeps the contract, counts both faces into one table, and tells its observer."""

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from insides import Plain

from holdfast.bridge import Blocking
from holdfast.errors import KeyRejected, StoreTimeout, StoreUnavailable
from holdfast.store.abilities import CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl
from holdfast.store.memory import MemoryStore, named
from holdfast.store.protocol import OpenStore
from holdfast.store.sqlite import SqliteStore
from holdfast.store.wrap import Metered, Operation
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite
from holdfast.testing.trial import in_processes, in_threads


class TestMeteredMemory(StoreSuite):
    """Counted rows in memory."""

    between_processes = False
    abilities = (CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl)

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
        return Metered(named(str(tmp_path), clock=clock))


class TestMeteredSqlite(StoreSuite):
    """Counted rows in a file."""

    abilities = (CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl)

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
        return Metered(SqliteStore(tmp_path / "rows.db", clock=clock))


class _Slow(Plain):
    """Each call takes two seconds of a clock."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock = clock

    def _do(self, operation: str, work: Any) -> Any:
        self.clock.advance(2)
        return super()._do(operation, work)


def test_both_faces_count_into_one_table() -> None:
    clock = ManualClock()
    store = Metered(_Slow(clock), clock=clock)
    assert store.stats() == {}

    async def body() -> None:
        await store.aio.put("b", b"22")
        assert await store.aio.get("b") == b"22"
        assert await store.aio.get_many(["a", "b"]) == {"a": b"1", "b": b"22"}
        assert await store.aio.delete("b")
        assert await store.aio.delete_many(["b"]) == 0
        await store.aio.put_many({"c": b"4444"})
        assert await store.aio.swap("c", b"4444", b"333")
        await store.aio.ping()

    store.put("a", b"1")
    assert store.get("a") == b"1"
    assert store.get("x") is None
    assert not store.swap("a", b"other", b"55555")
    asyncio.run(body())
    assert store.stats() == {
        "put": Operation(2, 0, 4.0, 3),
        "get": Operation(3, 0, 6.0, 3),
        "swap": Operation(2, 0, 4.0, 3),
        "get_many": Operation(1, 0, 2.0, 3),
        "delete": Operation(1, 0, 2.0, 0),
        "delete_many": Operation(1, 0, 2.0, 0),
        "put_many": Operation(1, 0, 2.0, 4),
        "ping": Operation(1, 0, 2.0, 0),
    }


def test_abilities_count() -> None:
    store = Metered(MemoryStore())
    assert isinstance(store, CanApply)
    assert isinstance(store, CanIncrement)
    assert isinstance(store, CanScan)
    assert isinstance(store, CanSweep)
    store.increment("n")
    store.apply("n", lambda old: (b"2", None, old))
    assert list(store.scan()) == ["n"]
    store.sweep()
    counts = {name: row[:2] for name, row in store.stats().items()}
    assert counts == dict.fromkeys(["increment", "apply", "scan", "sweep"], (1, 0))


def test_what_raises_is_an_error_and_is_raised() -> None:
    store = Metered(Plain("down", "lost"))
    with pytest.raises(StoreUnavailable):
        store.get("k")
    with pytest.raises(StoreTimeout):
        asyncio.run(store.aio.get("k"))
    with pytest.raises(KeyRejected):
        store.get("a b")
    assert store.get("k") is None
    assert store.stats()["get"][:2] == (4, 3)


def test_a_cancelled_call_is_a_call_and_no_error() -> None:
    class Hangs(Blocking):
        async def get(self, key: str) -> bytes | None:
            await asyncio.sleep(3600)
            return key.encode()

    store = Metered(MemoryStore())
    face = store._over(Hangs(store))

    async def body() -> None:
        task = asyncio.create_task(face.get("k"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(body())
    assert store.stats()["get"][:2] == (1, 0)


def test_the_observer_is_told_each_call() -> None:
    told: list[tuple[str, Mapping[str, object]]] = []
    clock = ManualClock()
    inside = _Slow(clock)
    store = Metered(inside, lambda *event: told.append(event), clock=clock)
    store.put("k", b"secret")
    inside.fates = ["down"]
    with pytest.raises(StoreUnavailable) as caught:
        asyncio.run(store.aio.get("k"))
    fine = {"store": "plain", "operation": "put", "seconds": 2.0, "bytes": 6, "error": None}
    bad = {
        "store": "plain",
        "operation": "get",
        "seconds": 2.0,
        "bytes": 0,
        "error": caught.value,
    }
    assert told == [("store.called", fine), ("store.called", bad)]


def test_threads_lose_no_count() -> None:
    store = Metered(MemoryStore())

    def work(number: int) -> None:
        for _ in range(500):
            store.put(f"k{number}", b"vv")

    in_threads(8, work)
    assert store.stats()["put"][:2] == (4000, 0)
    assert store.stats()["put"].bytes == 8000


def test_a_scan_that_is_collected_while_another_call_is_counted() -> None:
    scans: list[Any] = []

    class Table(dict[str, Operation]):
        """Collects a scan that was left early where the garbage collector may do it."""

        def get(self, operation: str, default: Any = None) -> Any:
            if scans:
                scans.pop().close()
            return super().get(operation, default)

    store = Metered(MemoryStore())
    store.put("a", b"v")
    store._table.rows = Table(store._table.rows)
    assert isinstance(store, CanScan)
    scan = store.scan()
    assert next(scan) == "a"
    scans.append(scan)
    thread = threading.Thread(target=store.get, args=("a",), daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "it waits for its own lock"
    assert store.stats()["scan"][:2] == store.stats()["get"][:2] == (1, 0)


@pytest.mark.slow
def test_a_fork_beside_a_counting_thread_leaves_no_lock() -> None:
    store, over = Metered(MemoryStore()), threading.Event()

    def count() -> None:
        while not over.is_set():
            store.get("k")

    thread = threading.Thread(target=count)
    thread.start()
    try:
        for _ in range(20):
            assert in_processes(1, lambda _: store.get("k")) == [0]
    finally:
        over.set()
        thread.join()
