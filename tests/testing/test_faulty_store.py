"""FaultyStore keeps the contract where nothing strikes, and breaks it exactly as it is told."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, ClassVar

import pytest

from holdfast.bridge import Blocking, drive
from holdfast.cache import Cache
from holdfast.errors import ConfigError, StoreError, StoreTimeout, StoreUnavailable
from holdfast.store.abilities import CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl
from holdfast.store.memory import MemoryStore, named
from holdfast.store.protocol import AsyncStore, OpenStore
from holdfast.store.sqlite import SqliteStore
from holdfast.store.wrap.around import Driven, Steps
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite
from holdfast.testing.faults import FaultyStore
from holdfast.testing.trial import in_processes


class TestFaultyMemory(StoreSuite):
    """Rows in memory that nothing happens to."""

    between_processes = False
    abilities = (CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl)

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
        return FaultyStore(named(str(tmp_path), clock=clock))


class TestFaultySqlite(StoreSuite):
    """Rows in a file, with a fault that is about other keys."""

    abilities = (CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl)

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
        store = FaultyStore(SqliteStore(tmp_path / "rows.db", clock=clock))
        store.fail(keys="\t no key has a tab \t")
        return store


Play = Callable[[FaultyStore, Callable[[AsyncStore], Coroutine[object, None, None]]], None]


def _sync(store: FaultyStore, body: Callable[[AsyncStore], Coroutine[object, None, None]]) -> None:
    drive(body(Blocking(store)))


def _aio(store: FaultyStore, body: Callable[[AsyncStore], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(body(store.aio))


both = pytest.mark.parametrize("play", [_sync, _aio], ids=["sync", "aio"])


@both
def test_fail_does_nothing_and_raises_until_it_is_mended(play: Play) -> None:
    store = FaultyStore(MemoryStore())

    async def body(face: AsyncStore) -> None:
        await face.put("k", b"1")
        with store.fail() as fault:
            for call in (
                face.get("k"),
                face.get_many(["k"]),
                face.put("k", b"2"),
                face.put_many({"k": b"2"}),
                face.delete("k"),
                face.delete_many(["k"]),
                face.swap("k", b"1", b"2"),
                face.ping(),
            ):
                with pytest.raises(StoreUnavailable, match="memory"):
                    await call
            assert fault.struck == 8
        assert await face.get("k") == b"1"
        await face.ping()

    play(store, body)


@both
def test_a_lost_reply_is_a_timeout_of_what_was_done(play: Play) -> None:
    store = FaultyStore(MemoryStore())

    async def body(face: AsyncStore) -> None:
        fault = store.lose_reply("swap", after=1, times=1)
        assert await face.swap("k", None, b"1")
        with pytest.raises(StoreTimeout):
            await face.swap("k", b"1", b"2")
        assert await face.swap("k", b"2", b"3")
        assert fault.struck == 1

    play(store, body)


@both
def test_what_hangs_is_not_done_and_takes_its_time_of_the_clock(play: Play) -> None:
    clock = ManualClock(100)
    store = FaultyStore(MemoryStore(clock=clock), clock=clock)
    store.hang("put", seconds=0.25)

    async def body(face: AsyncStore) -> None:
        with pytest.raises(StoreTimeout):
            await face.put("k", b"1")
        assert clock() == 100.25
        assert await face.get("k") is None

    play(store, body)


@both
def test_what_is_late_is_done(play: Play) -> None:
    clock = ManualClock(100)
    store = FaultyStore(MemoryStore(clock=clock), clock=clock)
    store.delay("put", "get", seconds=2)

    async def body(face: AsyncStore) -> None:
        await face.put("k", b"1")
        assert await face.get("k") == b"1"
        assert clock() == 104

    play(store, body)


@both
def test_without_a_clock_it_takes_real_time(play: Play) -> None:
    store = FaultyStore(MemoryStore())
    store.delay("get", seconds=0.05)
    assert not store.never_waits

    async def body(face: AsyncStore) -> None:
        start = time.monotonic()
        assert await face.get("k") is None
        assert time.monotonic() - start >= 0.045

    play(store, body)


def test_a_task_that_waits_lets_others_go_on() -> None:
    store = FaultyStore(MemoryStore(), clock=ManualClock())
    store.delay("get")

    async def body() -> None:
        order: list[str] = []

        async def ask() -> None:
            await store.aio.get("k")
            order.append("asked")

        async def go_on() -> None:
            order.append("went on")

        await asyncio.gather(ask(), go_on())
        assert order == ["went on", "asked"]

    asyncio.run(body())


def test_who_waits_for_what_hangs_may_be_cancelled() -> None:
    store = FaultyStore(MemoryStore())
    store.hang("get", seconds=3600)

    async def body() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(store.aio.get("k"), 0.02)
        await store.aio.put("k", b"1")

    asyncio.run(body())
    assert store.get_many(["k"]) == {"k": b"1"}


@both
def test_corrupt_bytes_are_never_those_that_are_there(play: Play) -> None:
    async def body(face: AsyncStore) -> None:
        for value in (b"", b"1", b"many bytes"):
            await face.put("a", value)
            await face.put("b", value)
            assert await face.get("a") != value
            assert await face.get("b") == value
            many = await face.get_many(["a", "b", "c"])
            assert many.keys() == {"a", "b"}
            assert many["a"] != value
            assert many["b"] == value
        assert await face.get("c") is None

    for seed in range(50):
        store = FaultyStore(MemoryStore(), seed=seed)
        store.corrupt(keys="a")
        play(store, body)


@both
def test_keys_choose_the_calls(play: Play) -> None:
    store = FaultyStore(MemoryStore())
    store.fail(keys="v:price:*")

    async def body(face: AsyncStore) -> None:
        await face.put("v:user:7", b"1")
        await face.ping()  # is about no key
        with pytest.raises(StoreUnavailable):
            await face.put("v:price:7", b"1")
        with pytest.raises(StoreUnavailable):
            await face.get_many(["v:user:7", "v:price:7"])
        assert await face.get_many(["v:user:7"]) == {"v:user:7": b"1"}

    play(store, body)


def test_the_newest_fault_strikes_alone() -> None:
    store = FaultyStore(MemoryStore())
    old = store.fail("get")
    new = store.lose_reply("get", times=1)
    with pytest.raises(StoreTimeout):
        store.get("k")
    with pytest.raises(StoreUnavailable):
        store.get("k")
    assert (old.struck, new.struck) == (1, 1)
    store.mend()
    assert store.get("k") is None


def test_a_share_is_drawn_from_the_seed() -> None:
    def run(seed: int) -> list[bool]:
        store = FaultyStore(MemoryStore(), seed=seed)
        store.fail("get", share=0.3)
        return [_fails(lambda: store.get("k")) for _ in range(300)]

    assert run(1) == run(1) != run(2)
    assert 50 <= sum(run(1)) <= 130


def _fails(call: Callable[[], object]) -> bool:
    try:
        call()
    except StoreError:
        return True
    return False


def test_faults_strike_abilities_on_both_faces(tmp_path: Path) -> None:
    store = FaultyStore(SqliteStore(tmp_path / "rows.db"))
    assert isinstance(store, CanIncrement)
    assert isinstance(store, CanScan)
    assert isinstance(store, CanSweep)
    store.fail("increment", "scan", "sweep")
    aio: Any = store.aio
    for call in (
        lambda: store.increment("n"),
        lambda: list(store.scan()),
        store.sweep,
        lambda: asyncio.run(aio.increment("n")),
    ):
        with pytest.raises(StoreUnavailable):
            call()
    store.mend()
    store.lose_reply("increment")
    with pytest.raises(StoreTimeout):
        store.increment("n")
    assert store.get("n") == b"1"
    store.close()


def test_faults_strike_apply() -> None:
    store = FaultyStore(MemoryStore())
    assert isinstance(store, CanApply)
    store.fail("apply", times=1)
    with pytest.raises(StoreUnavailable):
        store.apply("k", lambda _: (b"1", None, None))
    assert store.get("k") is None
    store.apply("k", lambda _: (b"1", None, None))
    assert store.get("k") == b"1"


class _Bare(Driven):
    """The nine methods and nothing else."""

    lends: ClassVar[dict[str, type]] = {}

    def _over(self, inside: AsyncStore) -> Steps:
        steps = Steps(inside)
        vars(steps).pop("increment", None)
        return steps


def test_abilities_are_those_of_the_store_inside() -> None:
    store = FaultyStore(_Bare(MemoryStore()))
    for ability in (CanApply, CanIncrement, CanScan, CanSweep):
        assert not isinstance(store, ability)
    assert not hasattr(store.aio, "increment")


def test_what_cannot_be_meant_is_refused_at_once() -> None:
    store = FaultyStore(MemoryStore())
    with pytest.raises(ConfigError, match="get_meny"):
        store.fail("get_meny")
    with pytest.raises(ConfigError, match="get, get_many"):
        store.corrupt("put")
    with pytest.raises(TypeError, match="time"):
        store.fail(time=3)  # type: ignore[call-arg]
    assert store.get("k") is None


def test_a_closed_store_is_closed() -> None:
    inside = MemoryStore()
    store = FaultyStore(inside)
    store.fail()
    store.close()
    with pytest.raises(StoreUnavailable):
        inside.get("k")


@pytest.mark.slow
def test_a_child_may_strike_while_the_parent_does() -> None:
    store = FaultyStore(MemoryStore())
    store.fail("get")
    with store._weather._guard:  # as a thread that is not in the child would hold it
        assert in_processes(1, lambda _: _fails(lambda: store.get("k"))) == [0]


@pytest.mark.parametrize("kind", ["fail", "hang", "corrupt", "lose_reply", "delay"])
def test_a_cache_on_it_goes_on(kind: str) -> None:
    clock = ManualClock()
    store = FaultyStore(MemoryStore(clock=clock), clock=clock)
    with Cache(store, clock=clock, near=False) as cache:
        cache.put("k", 1)
        with getattr(store, kind)("get_many", times=1) as fault:
            assert cache.get_or_create("k", lambda: 1) == 1
        assert fault.struck == 1
        assert cache.get("k") == 1
