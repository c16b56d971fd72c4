"""Prefixed keeps the contract, and two prefixes in one store never meet."""

from pathlib import Path

import pytest
from insides import Plain, PrefixedSuite

from holdfast.errors import ConfigError, KeyRejected
from holdfast.store.abilities import CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl
from holdfast.store.memory import MemoryStore, named
from holdfast.store.protocol import OpenStore
from holdfast.store.sqlite import SqliteStore
from holdfast.store.wrap import Prefixed
from holdfast.testing.clock import ManualClock
from holdfast.testing.trial import Trial, both_faces


class TestPrefixedMemory(PrefixedSuite):
    """A prefix in memory."""

    between_processes = False
    abilities = (CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl)

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
        return Prefixed(named(str(tmp_path), clock=clock), "shop")


class TestPrefixedSqlite(PrefixedSuite):
    """A prefix in a file."""

    abilities = (CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl)

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
        return Prefixed(SqliteStore(tmp_path / "rows.db", clock=clock), "shop")


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    class Hooks:
        second = 1.0
        largest = 1 << 20
        longest_key = 250

        def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
            return Prefixed(named(str(tmp_path), clock=clock), "shop")

        def advance(self, clock: ManualClock, seconds: float) -> None:
            clock.advance(seconds)

    return Trial(Hooks(), tmp_path)


class TestFaces:
    """Every operation puts the prefix on and takes it off, on both faces."""

    @both_faces
    async def test_every_operation(self, trial: Trial) -> None:
        store, inside = trial.store, named(str(trial._tmp_path), clock=trial.clock)
        await store.put("a", b"1", ttl=5)
        await store.put_many({"b": b"2", "c": b"3"}, ttl=5)
        assert sorted(inside.scan()) == ["shop:a", "shop:b", "shop:c"]
        inside.put("d", b"not ours")
        assert await store.get("a") == b"1"
        assert await store.get("d") is None
        assert await store.get_many(["a", "c", "d"]) == {"a": b"1", "c": b"3"}
        assert await store.swap("a", b"1", b"9")
        assert not await store.swap("a", None, b"9")
        assert inside.get("shop:a") == b"9"
        assert await store.delete("a")
        assert await store.delete_many(["b", "d"]) == 1
        await store.ping()
        with pytest.raises(KeyRejected):
            await store.get("")
        with pytest.raises(KeyRejected):
            await store.get_many(["a b"])
        await store.close()
        assert inside.get("d") == b"not ours"


def test_abilities_stay_inside_the_prefix() -> None:
    inside = MemoryStore()
    store = Prefixed(inside, "shop")
    assert isinstance(store, OpenStore)
    assert isinstance(store, CanApply)
    assert isinstance(store, CanIncrement)
    assert isinstance(store, CanScan)
    assert isinstance(store, CanSweep)
    inside.put("n", b"7")
    assert store.increment("n", 2, 60) == 2
    assert store.apply("k", lambda old: (b"v", None, old)) is None
    assert sorted(store.scan()) == ["k", "n"]
    assert list(store.scan("k")) == ["k"]
    assert inside.get_many(["n", "shop:n", "shop:k"]) == {"n": b"7", "shop:n": b"2", "shop:k": b"v"}
    assert store.sweep() == 0
    assert store.never_waits


def test_it_claims_no_ability_the_store_inside_lacks() -> None:
    store = Prefixed(Plain(), "shop")
    for ability in (CanApply, CanIncrement, CanScan, CanSweep):
        assert not isinstance(store, ability)


@pytest.mark.parametrize("prefix", ["", "a b", "a:b", "p" * 41])
def test_a_wrong_prefix_is_a_config_error(prefix: str) -> None:
    with pytest.raises(ConfigError, match="prefix="):
        Prefixed(MemoryStore(), prefix)
