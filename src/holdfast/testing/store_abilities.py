"""What some stores can do beside the contract: each ability a store has is held to its word.

Law: a store without an ability skips its tests; a suite names in `abilities` those it must have.
"""

import asyncio

import pytest

from holdfast.errors import KeyRejected, StoreUnavailable
from holdfast.store.abilities import (
    AsyncCanIncrement,
    CanApply,
    CanIncrement,
    CanScan,
    CanSweep,
    CanTellTtl,
)
from holdfast.testing.store_contract import BAD_KEYS
from holdfast.testing.trial import Trial, in_processes, in_threads

__all__ = ["Abilities"]


def _increments(store: object) -> CanIncrement:
    if not isinstance(store, CanIncrement):
        pytest.skip("cannot increment")
    return store


def _scans(store: object) -> CanScan:
    if not isinstance(store, CanScan):
        pytest.skip("cannot scan")
    return store


def _sweeps(store: object) -> CanSweep:
    if not isinstance(store, CanSweep):
        pytest.skip("cannot sweep")
    return store


def _tells(store: object) -> CanTellTtl:
    if not isinstance(store, CanTellTtl):
        pytest.skip("cannot tell a ttl")
    return store


def _applies(store: object) -> CanApply:
    if not isinstance(store, CanApply):
        pytest.skip("cannot apply")
    return store


def _one_more(present: bytes | None) -> tuple[bytes, None, int]:
    count = int(present or b"0") + 1
    return b"%d" % count, None, count


class Abilities:
    """`CanIncrement`, `CanScan`, `CanTellTtl`, `CanSweep`, `CanApply`."""

    abilities: tuple[type, ...]
    between_processes: bool

    def test_it_has_the_abilities_it_is_known_for(self, trial: Trial) -> None:
        for ability in self.abilities:
            assert isinstance(trial.opened, ability), ability.__name__

    # Increment

    def test_increment_counts_from_nothing(self, trial: Trial) -> None:
        store = _increments(trial.opened)
        assert store.increment("n") == 1
        assert store.increment("n", 41) == 42
        assert store.increment("n", -50) == -8
        assert store.increment("n", 0) == -8
        assert trial.opened.get("n") == b"-8"
        trial.opened.put("n", b"10")
        assert store.increment("n") == 11

    def test_increment_sets_the_ttl_only_at_creation(self, trial: Trial) -> None:
        store = _increments(trial.opened)
        store.increment("n", ttl=3 * trial.second)
        trial.advance(2)
        assert store.increment("n", ttl=100 * trial.second) == 2
        trial.advance(2)
        assert trial.opened.get("n") is None
        assert store.increment("n", ttl=3 * trial.second) == 1, "an expired count is none"
        trial.advance(4)
        assert trial.opened.get("n") is None
        trial.opened.put("stays", b"1")
        store.increment("stays", ttl=trial.second)
        trial.advance(2)
        assert trial.opened.get("stays") == b"2"

    def test_increment_of_no_integer_says_so(self, trial: Trial) -> None:
        store = _increments(trial.opened)
        trial.opened.put("k", b"words")
        with pytest.raises(StoreUnavailable):
            store.increment("k")
        assert trial.opened.get("k") == b"words"

    def test_increment_rejects_bad_keys(self, trial: Trial) -> None:
        store = _increments(trial.opened)
        for key in BAD_KEYS:
            with pytest.raises(KeyRejected):
                store.increment(key)

    def test_threads_lose_no_increment(self, trial: Trial) -> None:
        store = _increments(trial.opened)
        in_threads(8, lambda _: [store.increment("n", ttl=1000 * trial.second) for _ in range(25)])
        assert trial.opened.get("n") == b"200"

    @pytest.mark.slow
    def test_processes_lose_no_increment(self, trial: Trial) -> None:
        _increments(trial.opened)
        if not self.between_processes:
            pytest.skip("this store is of one process")

        def work(_: int) -> None:
            with trial.another() as store:
                for _ in range(50):
                    _increments(store).increment("n")

        assert set(in_processes(8, work)) == {0}
        assert trial.opened.get("n") == b"400"

    def test_increment_of_the_async_face(self, trial: Trial) -> None:
        face = trial.opened.aio
        if not isinstance(face, AsyncCanIncrement):
            pytest.skip("its async face cannot increment")

        async def body() -> None:
            counted = await asyncio.gather(
                *(face.increment("n", 2, 100 * trial.second) for _ in range(50))
            )
            assert sorted(counted) == list(range(2, 102, 2))
            assert await face.increment("n", -101) == -1
            assert await trial.store.get("n") == b"-1"
            await trial.store.put("words", b"words")
            with pytest.raises(StoreUnavailable):
                await face.increment("words")
            for key in BAD_KEYS:
                with pytest.raises(KeyRejected):
                    await face.increment(key)
            await face.increment("short", ttl=3 * trial.second)
            trial.advance(2)
            assert await face.increment("short", ttl=100 * trial.second) == 2
            trial.advance(2)
            assert await trial.store.get("short") is None, "the ttl is set only at creation"
            await trial.store.close()
            with pytest.raises(StoreUnavailable):
                await face.increment("n")

        trial.play("aio", body())

    # Scan

    def test_scan_lists_the_live_keys(self, trial: Trial) -> None:
        store = _scans(trial.opened)
        assert list(store.scan()) == []
        trial.opened.put_many({"a:1": b"", "a:2": b"", "a": b"", "b:1": b"", "A:1": b""})
        trial.opened.put("a:gone", b"", ttl=trial.second)
        trial.advance(2)
        assert sorted(store.scan()) == ["A:1", "a", "a:1", "a:2", "b:1"]
        assert sorted(store.scan("a:")) == ["a:1", "a:2"]
        assert sorted(store.scan("a")) == ["a", "a:1", "a:2"]
        assert list(store.scan("c")) == []

    def test_scan_takes_its_prefix_by_the_letter(self, trial: Trial) -> None:
        store = _scans(trial.opened)
        trial.opened.put_many(dict.fromkeys(trial.odd_keys, b""))
        for prefix in ("*", "%", "_", "a*", "[", "a[", "?", "~", "a~", "a%", "..", "\\"):
            expected = sorted(key for key in set(trial.odd_keys) if key.startswith(prefix))
            assert sorted(store.scan(prefix)) == expected
        assert sorted(store.scan()) == sorted(set(trial.odd_keys))

    def test_scan_goes_on_for_long(self, trial: Trial) -> None:
        store = _scans(trial.opened)
        keys = [f"k{number:04}" for number in range(1201)]
        trial.opened.put_many(dict.fromkeys(keys, b""))
        assert sorted(store.scan("k")) == keys

    # The rest of a ttl

    def test_remaining_tells_what_is_left(self, trial: Trial) -> None:
        store, second = _tells(trial.opened), trial.second
        assert store.remaining([]) == {}
        trial.opened.put_many({"long": b"v", "empty": b""}, ttl=1000 * second)
        trial.opened.put_many({"ever": b"v", "bare": b""})
        trial.opened.put("gone", b"v", ttl=second)
        trial.advance(2)
        keys = ["long", "empty", "ever", "bare", "gone", "none", "long"]
        found = store.remaining(keys)
        assert {key: seconds is None for key, seconds in found.items()} == {
            "long": False,
            "empty": False,
            "ever": True,
            "bare": True,
        }
        for key in ("long", "empty"):
            assert 0 < (found[key] or 0) <= 998 * second + 0.1, key
            assert (found[key] or 0) > 998 * second - 60, "a busy machine loses seconds, no minute"
        trial.opened.put("long", b"v", ttl=2000 * second)
        trial.opened.put("empty", b"")
        trial.opened.put("ever", b"v", ttl=1000 * second)
        found = store.remaining(["long", "empty", "ever"])
        assert found["empty"] is None, "the last write counts"
        assert (found["ever"] or 0) < (found["long"] or 0)
        with pytest.raises(KeyRejected):
            store.remaining(["good", "no key"])

    def test_remaining_takes_many_keys(self, trial: Trial) -> None:
        store = _tells(trial.opened)
        keys = [f"k{number:04}" for number in range(1201)]
        trial.opened.put_many(dict.fromkeys(keys, b""))
        assert store.remaining(keys) == dict.fromkeys(keys)

    # Sweep

    def test_sweep_removes_the_expired_and_spares_the_live(self, trial: Trial) -> None:
        store = _sweeps(trial.opened)
        trial.opened.put_many({f"gone-{n}": b"" for n in range(5)}, ttl=trial.second)
        trial.opened.put_many({f"live-{n}": b"" for n in range(5)}, ttl=100 * trial.second)
        trial.opened.put_many({f"ever-{n}": b"" for n in range(5)})
        assert store.sweep() == 0
        trial.advance(2)
        assert store.sweep() == 5
        assert store.sweep() == 0
        names = [f"{kind}-{n}" for kind in ("live", "ever") for n in range(5)]
        assert sorted(trial.opened.get_many(names)) == sorted(names)

    def test_sweep_goes_by_the_last_write(self, trial: Trial) -> None:
        store = _sweeps(trial.opened)
        rows = {"prolonged": b"", "freed": b"", "shortened": b"", "bound": b""}
        trial.opened.put_many(rows, ttl=3 * trial.second)
        trial.opened.put("bound", b"")
        trial.opened.swap("prolonged", b"", b"", 9 * trial.second)
        trial.opened.swap("freed", b"", b"")
        trial.opened.swap("shortened", b"", b"", trial.second)
        trial.opened.swap("bound", b"", b"", trial.second)
        trial.advance(2)
        assert store.sweep() == 2
        trial.advance(3)
        assert store.sweep() == 0
        trial.advance(6)
        assert store.sweep() == 1
        assert trial.opened.get_many(list(rows)) == {"freed": b""}

    def test_sweep_goes_on_for_long(self, trial: Trial) -> None:
        store = _sweeps(trial.opened)
        trial.opened.put_many({f"gone-{n}": b"" for n in range(1100)}, ttl=trial.second)
        trial.opened.put("live", b"v")
        trial.advance(2)
        assert store.sweep() == 1100
        assert trial.opened.get("live") == b"v"

    # Apply

    def test_apply_writes_what_the_change_returns(self, trial: Trial) -> None:
        store = _applies(trial.opened)
        assert store.apply("k", lambda old: (b"1", None, old)) is None
        assert store.apply("k", lambda old: (b"2", 3 * trial.second, old)) == b"1"
        assert trial.opened.get("k") == b"2"
        trial.advance(2)
        assert store.apply("k", lambda old: (old, None, "same")) == "same"
        trial.advance(2)
        assert trial.opened.get("k") is None, "the very same object writes nothing, so no new ttl"
        assert store.apply("k", lambda old: (old, None, old)) is None
        assert trial.opened.get("k") is None

    def test_apply_removes(self, trial: Trial) -> None:
        store = _applies(trial.opened)
        trial.opened.put_many({"a": b"v", "b": b"v"})
        assert store.apply("a", lambda old: (None, None, old)) == b"v"
        assert store.apply("b", lambda old: (b"w", 0, old)) == b"v"
        assert trial.opened.get_many(["a", "b"]) == {}

    def test_a_change_that_raises_changes_nothing(self, trial: Trial) -> None:
        store = _applies(trial.opened)
        trial.opened.put("k", b"v")

        def fail(_: bytes | None) -> tuple[bytes, None, None]:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            store.apply("k", fail)
        assert trial.opened.get("k") == b"v"
        assert store.apply("k", lambda old: (b"w", None, old)) == b"v"

    def test_apply_rejects_bad_keys(self, trial: Trial) -> None:
        store = _applies(trial.opened)
        for key in BAD_KEYS:
            with pytest.raises(KeyRejected):
                store.apply(key, _one_more)

    def test_threads_lose_no_apply(self, trial: Trial) -> None:
        store = _applies(trial.opened)
        in_threads(8, lambda _: [store.apply("n", _one_more) for _ in range(25)])
        assert trial.opened.get("n") == b"200"

    @pytest.mark.slow
    def test_processes_lose_no_apply(self, trial: Trial) -> None:
        _applies(trial.opened)
        if not self.between_processes:
            pytest.skip("this store is of one process")

        def work(_: int) -> None:
            with trial.another() as store:
                for _ in range(50):
                    _applies(store).apply("n", _one_more)

        assert set(in_processes(8, work)) == {0}
        assert trial.opened.get("n") == b"400"

    def test_abilities_of_a_closed_store_raise(self, trial: Trial) -> None:
        store = trial.opened
        store.put("k", b"1")
        store.close()
        if isinstance(store, CanIncrement):
            with pytest.raises(StoreUnavailable):
                store.increment("k")
        if isinstance(store, CanApply):
            with pytest.raises(StoreUnavailable):
                store.apply("k", _one_more)
        if isinstance(store, CanScan):
            with pytest.raises(StoreUnavailable):
                list(store.scan())
        if isinstance(store, CanTellTtl):
            with pytest.raises(StoreUnavailable):
                store.remaining(["k"])
        if isinstance(store, CanSweep):
            with pytest.raises(StoreUnavailable):
                store.sweep()
