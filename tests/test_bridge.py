"""The bridge: one sequence, driven by threads and awaited by loops."""

import asyncio
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast.bridge import (
    Blocking,
    BlockingStore,
    LoopWaits,
    Offload,
    ThreadWaits,
    aio_face,
    drive,
    in_thread,
)
from holdfast.errors import StoreUnavailable
from holdfast.locks import Flight
from holdfast.store.abilities import AsyncCanIncrement
from holdfast.store.memory import MemoryStore
from holdfast.store.protocol import AsyncStore, Store
from holdfast.store.sqlite import SqliteStore


class Suspend:
    """Awaited, it suspends once."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def count_up(store: AsyncStore) -> int:
    """One sequence for both worlds."""
    old = await store.get("n")
    count = int(old or b"0") + 1
    assert await store.swap("n", old, b"%d" % count)
    return count


def test_drive_returns_what_the_steps_return() -> None:
    store = MemoryStore()
    assert drive(count_up(Blocking(store))) == 1
    assert drive(count_up(Blocking(store))) == 2


def test_drive_raises_what_the_steps_raise() -> None:
    store = MemoryStore()
    store.close()
    with pytest.raises(StoreUnavailable):
        drive(count_up(Blocking(store)))


def test_drive_refuses_steps_that_suspend_and_ends_them() -> None:
    ended: list[bool] = []

    async def steps() -> None:
        try:
            await Suspend()
        finally:
            ended.append(True)

    with pytest.raises(RuntimeError, match="suspended"):
        drive(steps())
    assert ended == [True]


@pytest.mark.parametrize("face", [Blocking, Offload])
def test_both_faces_have_all_nine(face: type[Blocking] | type[Offload]) -> None:
    inside = MemoryStore()
    store = face(inside)
    assert isinstance(store, AsyncStore)

    async def steps() -> None:
        await store.put("a", b"1", 60)
        await store.put_many({"b": b"2"}, 60)
        assert await store.get("a") == b"1"
        assert await store.get_many(["a", "b", "c"]) == {"a": b"1", "b": b"2"}
        assert await store.swap("a", b"1", b"3", 60)
        assert await store.delete("a")
        assert await store.delete_many(["a", "b"]) == 1
        await store.ping()
        await store.close()
        with pytest.raises(StoreUnavailable):
            await store.ping()

    asyncio.run(steps())


def test_offload_leaves_the_loop_alone() -> None:
    class Slow(MemoryStore):
        def get(self, key: str) -> bytes | None:
            threads.append(threading.get_ident())
            assert gate.wait(10), "the loop was blocked"
            return super().get(key)

    gate, threads = threading.Event(), list[int]()

    async def steps() -> None:
        async def open_gate() -> None:
            gate.set()

        await asyncio.gather(Offload(Slow()).get("k"), open_gate())

    asyncio.run(steps())
    assert threads != [threading.get_ident()]


def test_offload_lends_what_the_store_can_and_takes_other_threads() -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as pool:

        class Named(MemoryStore):
            def get(self, key: str) -> bytes | None:
                assert threading.current_thread().name.startswith("mine")
                return super().get(key)

        async def steps() -> None:
            face = Offload(Named(), lambda: pool)
            assert isinstance(face, AsyncCanIncrement)
            assert await face.increment("n", 2, 60) == 2
            assert await face.get("n") == b"2"

        asyncio.run(steps())


def test_in_thread_hands_over_arguments_and_errors() -> None:
    assert asyncio.run(in_thread(int, "ff", base=16)) == 255
    with pytest.raises(ValueError, match="invalid literal"):
        asyncio.run(in_thread(int, "nothing"))


def test_a_store_that_never_waits_needs_no_thread(tmp_path: Path) -> None:
    assert isinstance(MemoryStore().aio, Blocking)
    with SqliteStore(tmp_path / "a.db") as store:
        assert isinstance(store.aio, Offload)
        assert aio_face(store) is store.aio


def test_aio_face_of_a_plain_store_is_threads() -> None:
    class Plain:
        def __init__(self, inside: MemoryStore) -> None:
            self.get, self.get_many = inside.get, inside.get_many
            self.put, self.put_many = inside.put, inside.put_many
            self.delete, self.delete_many = inside.delete, inside.delete_many
            self.swap, self.ping, self.close = inside.swap, inside.ping, inside.close

    plain = Plain(MemoryStore())
    assert isinstance(plain, Store)
    face = aio_face(plain)
    assert isinstance(face, Offload)
    assert not hasattr(face, "increment")
    assert asyncio.run(count_up(face)) == 1


def test_a_with_block_closes_even_after_an_error() -> None:
    store = MemoryStore("here")
    with pytest.raises(ZeroDivisionError), store:
        raise ZeroDivisionError
    with pytest.raises(StoreUnavailable):
        store.ping()
    assert repr(store) == "<MemoryStore here>"
    assert isinstance(store, BlockingStore)


def test_threads_wait_for_a_flight() -> None:
    waits, flight = ThreadWaits(), Flight()
    assert drive(waits.join(flight, 0.001)) is False
    threading.Timer(0.01, flight.land).start()
    assert drive(waits.join(flight, 10)) is True
    assert drive(waits.join(flight)) is True, "it has landed: no waiting"


def test_tasks_wait_for_a_flight_that_lands_in_a_thread() -> None:
    waits = LoopWaits()

    async def steps() -> None:
        flight = Flight()
        assert await waits.join(flight, 0.001) is False
        threading.Timer(0.01, flight.land).start()
        joined = await asyncio.gather(*(waits.join(flight, 10) for _ in range(10)))
        assert joined == [True] * 10
        assert await waits.join(flight) is True
        assert await waits.join(flight, 0) is True, "it landed long ago"

    asyncio.run(steps())


def test_a_flight_may_land_after_the_waiters_loop_is_gone() -> None:
    flight = Flight()
    assert asyncio.run(LoopWaits().join(flight, 0.001)) is False
    flight.land()
    assert flight.landed


def test_a_cancelled_waiter_leaves_the_flight_to_others() -> None:
    async def steps() -> None:
        flight, waits = Flight(), LoopWaits()
        first = asyncio.create_task(waits.join(flight))
        second = asyncio.create_task(waits.join(flight))
        await asyncio.sleep(0)
        first.cancel()
        flight.land()
        assert await second is True
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(steps())


def test_sleeping_takes_its_time() -> None:
    start = time.monotonic()
    drive(ThreadWaits().sleep(0.01))
    asyncio.run(LoopWaits().sleep(0.01))
    assert time.monotonic() - start >= 0.02
