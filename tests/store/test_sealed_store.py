"""Sealed keeps the contract, and nobody without the secret reads, makes or moves a value."""

import asyncio
import itertools
from pathlib import Path

import pytest
from insides import Plain, PrefixedSuite

from holdfast import Cache, KeyRing, Limiter
from holdfast.codec.seal import OVERHEAD
from holdfast.errors import ConfigError, StoreTimeout, StoreUnavailable
from holdfast.signing import Key
from holdfast.store.abilities import CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl
from holdfast.store.memory import MemoryStore, named
from holdfast.store.protocol import OpenStore
from holdfast.store.sqlite import SqliteStore
from holdfast.store.wrap import Metered, Prefixed, Retrying, Sealed
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite, Trial
from holdfast.testing.trial import both_faces, in_threads

SECRET = "0b8a5c1f-9d27-4e63-a1f4-77c3be2d9e01"
OLDER = "4c7de9a2-53b8-4f06-8e1d-90ab6f24c375"
APPLIES = (CanApply, CanScan, CanSweep, CanTellTtl)


class TestSealedMemory(StoreSuite):
    """Sealed rows in memory."""

    between_processes = False
    abilities = APPLIES

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
        return Sealed(named(str(tmp_path), clock=clock), SECRET)


class TestSealedSqlite(StoreSuite):
    """Sealed rows in a file."""

    abilities = APPLIES

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
        return Sealed(SqliteStore(tmp_path / "rows.db", clock=clock), SECRET)


class TestDeepStack(PrefixedSuite):
    """All that makes sense together, in a file."""

    abilities = APPLIES

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
        rows = SqliteStore(tmp_path / "rows.db", clock=clock)
        return Prefixed(Metered(Retrying(Sealed(rows, SECRET))), "shop")


def test_a_prefix_around_a_deep_stack() -> None:
    rows = MemoryStore()
    store = Prefixed(Metered(Retrying(Sealed(rows, SECRET))), "shop")
    assert isinstance(store, OpenStore)
    assert isinstance(store, CanApply)
    assert not isinstance(store, CanIncrement)
    store.put("k", b"v")
    assert asyncio.run(store.aio.swap("k", b"v", b"w"))
    assert store.apply("k", lambda old: (b"a longer value", None, old)) == b"w"
    assert store.get_many(["k", "shop:k"]) == {"k": b"a longer value"}
    assert list(rows.scan()) == ["shop:k"]
    assert b"a longer value" not in (rows.get("shop:k") or b"")
    assert Sealed(rows, SECRET).get("shop:k") == b"a longer value", "bound to the whole key"


class _Hooks:
    """A `Sealed` around a `Plain`."""

    second = 1.0
    largest = 1 << 20
    longest_key = 250

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
        del tmp_path, clock
        return Sealed(Plain(), SECRET)

    def advance(self, clock: ManualClock, seconds: float) -> None:
        clock.advance(seconds)


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(_Hooks(), tmp_path)


def inside(trial: Trial) -> Plain:
    assert isinstance(trial.opened, Sealed)
    assert isinstance(trial.opened.store, Plain)
    return trial.opened.store


def unreadable() -> dict[str, bytes]:
    """Return messages that are not the value of `k`."""
    rows = MemoryStore()
    Sealed(rows, SECRET).put_many({"k": b"mine", "other": b"mine"})
    good, moved = rows.get("k") or b"", rows.get("other") or b""
    Sealed(rows, OLDER).put("k", b"theirs")
    foreign = rows.get("k") or b""
    return {
        "nothing": b"",
        "plain": b"plain text",
        "cut": good[:-1],
        "longer": good + b"\0",
        "moved": moved,
        "of another key": foreign,
        "another version": b"\x02" + good[1:],
        **{f"bit {at}": good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(51)},
    }


class TestFaces:
    """Both faces alike."""

    @both_faces
    async def test_nothing_of_a_value_is_stored(self, trial: Trial) -> None:
        value = b"the secret of the house " * 10
        await trial.store.put("a", value)
        await trial.store.put_many({"b": value})
        await trial.store.swap("c", None, value)
        stored = inside(trial).rows.get_many(["a", "b", "c"])
        assert [len(raw) for raw in stored.values()] == [len(value) + OVERHEAD] * 3
        assert len(set(stored.values())) == 3
        assert not any(b"secret" in raw for raw in stored.values())

    @both_faces
    async def test_what_cannot_be_unsealed_is_missing(self, trial: Trial) -> None:
        for name, raw in unreadable().items():
            inside(trial).rows.put("k", raw)
            assert await trial.store.get("k") is None, name
            assert await trial.store.get_many(["k"]) == {}, name
            assert not await trial.store.swap("k", b"mine", b"new"), name
            assert not await trial.store.swap("k", raw, b"new"), name
            assert inside(trial).rows.get("k") == raw

    @both_faces
    async def test_what_cannot_be_unsealed_is_replaced(self, trial: Trial) -> None:
        for name, raw in unreadable().items():
            inside(trial).rows.put("k", raw)
            assert await trial.store.swap("k", None, b"new"), name
            assert await trial.store.get("k") == b"new", name
            assert not await trial.store.swap("k", None, b"newer"), name
            inside(trial).rows.put("k", raw)
            assert await trial.store.swap("k", None, None), name
            await trial.store.put("k", b"v")
            assert await trial.store.get("k") == b"v", name

    @both_faces
    async def test_a_swap_that_comes_too_late_is_repeated_while_the_value_is_the_same(
        self, trial: Trial
    ) -> None:
        rows = inside(trial).rows
        sealed = Sealed(rows, SECRET)
        sealed.put("k", b"v")
        others = iter([b"v", b"v", b"v"])  # sealed anew by somebody, between read and swap
        read = rows.get

        def get(key: str) -> bytes | None:
            raw = read(key)
            for value in itertools.islice(others, 1):
                sealed.store.put(key, sealed._box.seal(key, value))
            return raw

        rows.get = get  # type: ignore[method-assign]  # a hook
        assert await trial.store.swap("k", b"v", b"w")
        assert inside(trial).asked == ["get", "swap"] * 4
        others = iter([b"changed"])
        assert not await trial.store.swap("k", b"w", b"x"), "that was another value"
        assert await trial.store.get("k") == b"changed"

    @both_faces
    async def test_a_swap_of_unknown_outcome_is_not_repeated(self, trial: Trial) -> None:
        await trial.store.put("k", b"v")
        inside(trial).fates = ["fine", "lost"]
        inside(trial).asked.clear()
        with pytest.raises(StoreTimeout):
            await trial.store.swap("k", b"v", b"w")
        assert inside(trial).asked == ["get", "swap"]
        assert await trial.store.get("k") == b"w"

    @both_faces
    async def test_add_if_absent_is_one_round_trip(self, trial: Trial) -> None:
        assert await trial.store.swap("k", None, b"v")
        assert inside(trial).asked == ["swap"]

    @both_faces
    async def test_a_store_that_never_agrees_is_given_up(self, trial: Trial) -> None:
        await trial.store.put("k", b"v")
        inside(trial).rows.swap = lambda *_: False  # type: ignore[method-assign]  # a hook
        with pytest.raises(StoreUnavailable, match="changes too fast"):
            await trial.store.swap("k", b"v", b"w")


def test_the_newest_secret_seals_and_the_others_unseal() -> None:
    rows = MemoryStore()
    Sealed(rows, OLDER).put("k", b"v")
    both = Sealed(rows, [SECRET, OLDER])
    assert both.get("k") == b"v"
    assert both.swap("k", b"v", b"v")
    assert Sealed(rows, SECRET).get("k") == b"v"
    assert Sealed(rows, OLDER).get("k") is None


def test_what_a_revoked_secret_sealed_is_missing() -> None:
    rows = MemoryStore()
    Sealed(rows, OLDER).put("k", b"v")
    store = Sealed(rows, KeyRing([SECRET, Key(OLDER, revoked=True)]))
    assert store.get("k") is None
    assert store.swap("k", None, b"new")
    assert store.get("k") == b"new"


def test_apply_sees_what_was_sealed() -> None:
    rows = MemoryStore()
    store = Sealed(rows, SECRET)
    assert isinstance(store, CanApply)
    rows.put("k", b"not ours")
    assert store.apply("k", lambda old: (old, None, old)) is None
    assert rows.get("k") == b"not ours", "the very same object writes nothing"
    assert store.apply("k", lambda old: (b"1", 60, old)) is None
    assert store.get("k") == b"1"
    before = rows.get("k")
    assert store.apply("k", lambda old: (old, None, old)) == b"1"
    assert rows.get("k") == before
    assert store.apply("k", lambda old: (None, None, old)) == b"1"
    assert rows.get("k") is None


def test_scan_and_delete_go_by_what_is_stored() -> None:
    rows = MemoryStore()
    store = Sealed(rows, SECRET)
    assert isinstance(store, CanScan)
    rows.put("k", b"not ours")
    assert list(store.scan()) == ["k"]
    assert store.delete("k")
    assert not store.delete("k")


def test_threads_count_through_it() -> None:
    store = Sealed(MemoryStore(), SECRET)

    def add(_: int) -> None:
        for _ in range(20):
            while True:
                old = store.get("n")
                if store.swap("n", old, b"%d" % (int(old or b"0") + 1)):
                    break

    in_threads(8, add)
    assert store.get("n") == b"160"


def test_features_work_on_it() -> None:
    rows = MemoryStore()
    store = Sealed(rows, SECRET)
    cache, limiter = Cache(store, near=False), Limiter(store)
    assert cache.get_or_create("k", lambda: "tea") == "tea"
    assert cache.get_or_create("k", lambda: "milk") == "tea"
    assert limiter.hit("a", "2/minute").allowed
    assert limiter.hit("a", "2/minute").allowed
    assert not limiter.hit("a", "2/minute").allowed
    assert not any(b"tea" in raw for raw in rows.get_many(list(rows.scan())).values())


def test_a_weak_secret_is_a_config_error_and_no_secret_shows() -> None:
    with pytest.raises(ConfigError, match="secrets"):
        Sealed(MemoryStore(), "changeme")
    with pytest.raises(ConfigError, match="secrets"):
        Sealed(MemoryStore(), [])
    store = Sealed(MemoryStore(), SECRET)
    assert SECRET not in f"{store!r} {store.name} {vars(store)!r} {store.aio!r}"
