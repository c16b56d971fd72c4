"""ReadOnly lets reads pass, refuses every write on both faces, and changes nothing."""

import asyncio
from pathlib import Path

import pytest
from insides import Counting

from holdfast import Cache
from holdfast.errors import HoldfastError, KeyRejected, StoreUnavailable
from holdfast.store.abilities import AsyncCanIncrement, CanApply, CanIncrement, CanScan, CanSweep
from holdfast.store.memory import MemoryStore, named
from holdfast.store.protocol import OpenStore
from holdfast.store.wrap import ReadOnly
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import Trial
from holdfast.testing.store_contract import BAD_KEYS, OPERATIONS
from holdfast.testing.trial import both_faces

READS = {"get", "get_many"}


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    class Hooks:
        second = 1.0
        largest = 1 << 20
        longest_key = 250

        def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
            return ReadOnly(named(str(tmp_path), clock=clock))

        def advance(self, clock: ManualClock, seconds: float) -> None:
            clock.advance(seconds)

    return Trial(Hooks(), tmp_path)


def inside(trial: Trial) -> MemoryStore:
    assert isinstance(trial.opened, ReadOnly)
    assert isinstance(trial.opened.store, MemoryStore)
    return trial.opened.store


class TestFaces:
    """Both faces alike."""

    @both_faces
    async def test_reads_pass(self, trial: Trial) -> None:
        inside(trial).put_many({"a": b"1", "b": b""}, ttl=5)
        assert await trial.store.get("a") == b"1"
        assert await trial.store.get("x") is None
        assert await trial.store.get_many(["a", "b", "x"]) == {"a": b"1", "b": b""}
        await trial.store.ping()
        trial.advance(6)
        assert await trial.store.get("a") is None

    @both_faces
    async def test_every_write_is_refused_and_writes_nothing(self, trial: Trial) -> None:
        rows = {"k": b"v", "fine": b"v"}
        inside(trial).put_many(rows)
        for name, operation in OPERATIONS.items():
            if name not in READS:
                for key in ("k", "absent"):
                    with pytest.raises(StoreUnavailable, match="read-only"):
                        await operation(trial.store, key)
        assert inside(trial).get_many(["k", "fine", "absent"]) == rows
        assert sorted(inside(trial).scan()) == ["fine", "k"]

    @both_faces
    async def test_bad_keys_are_rejected_as_elsewhere(self, trial: Trial) -> None:
        for name, operation in OPERATIONS.items():
            for key in BAD_KEYS:
                error: HoldfastError | None = None
                try:
                    await operation(trial.store, key)
                except HoldfastError as caught:
                    error = caught
                assert isinstance(error, KeyRejected), f"{name} took {key!r}"


def test_abilities_that_write_are_refused() -> None:
    rows = MemoryStore()
    rows.put("n", b"1")
    rows.put("gone", b"", ttl=1e-9)
    store = ReadOnly(rows)
    assert isinstance(store, CanApply)
    assert isinstance(store, CanIncrement)
    assert isinstance(store, CanScan)
    assert isinstance(store, CanSweep)
    with pytest.raises(StoreUnavailable, match="increment was refused"):
        store.increment("n", by=2, ttl=3)
    with pytest.raises(StoreUnavailable, match="apply was refused"):
        store.apply("n", lambda old: (b"2", None, old))
    with pytest.raises(StoreUnavailable, match="sweep was refused"):
        store.sweep()
    with pytest.raises(KeyRejected):
        store.increment("a b")
    assert list(store.scan()) == ["n"]
    assert len(rows) == 2


def test_the_async_face_refuses_to_increment() -> None:
    store = ReadOnly(Counting())
    assert isinstance(store.aio, AsyncCanIncrement)
    with pytest.raises(StoreUnavailable, match="increment was refused"):
        asyncio.run(store.aio.increment("n"))


def test_a_cache_goes_on_without_it() -> None:
    rows = MemoryStore()
    cache = Cache(ReadOnly(rows), near=False)
    assert cache.get_or_create("k", lambda: 7) == 7
    assert cache.get_or_create("k", lambda: 8) == 8, "nothing was kept"
    assert len(rows) == 0
