"""Retrying keeps the contract, asks again where that does no harm, and answers honestly."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from insides import Counting, Fate, Plain

from holdfast.errors import ConfigError, KeyRejected, StoreError, StoreTimeout, StoreUnavailable
from holdfast.store.abilities import (
    AsyncCanIncrement,
    CanApply,
    CanIncrement,
    CanScan,
    CanSweep,
    CanTellTtl,
)
from holdfast.store.memory import MemoryStore, named
from holdfast.store.protocol import AsyncStore, OpenStore
from holdfast.store.sqlite import SqliteStore
from holdfast.store.wrap import Retrying, retrying
from holdfast.testing.clock import ManualClock
from holdfast.testing.conformance import StoreSuite
from holdfast.testing.store_contract import OPERATIONS
from holdfast.testing.trial import Trial, both_faces


class TestRetryingMemory(StoreSuite):
    """Asked again, in memory."""

    between_processes = False
    abilities = (CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl)

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
        return Retrying(named(str(tmp_path), clock=clock))


class TestRetryingSqlite(StoreSuite):
    """Asked again, in a file."""

    abilities = (CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl)

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
        return Retrying(SqliteStore(tmp_path / "rows.db", clock=clock))


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_FIRST_PAUSE", 0.001)


class _Hooks:
    """A `Retrying` around a `Plain`."""

    second = 1.0
    largest = 1 << 20
    longest_key = 250

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore:
        del tmp_path, clock
        return Retrying(Counting())

    def advance(self, clock: ManualClock, seconds: float) -> None:
        clock.advance(seconds)


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(_Hooks(), tmp_path)


def inside(trial: Trial, *fates: Fate) -> Counting:
    """Return the store inside, with these fates before it and nothing asked yet."""
    assert isinstance(trial.opened, Retrying)
    assert isinstance(trial.opened.store, Counting)
    trial.opened.store.fates = list(fates)
    trial.opened.store.asked.clear()
    return trial.opened.store


DOWN: tuple[Fate, ...] = ("down",)
LOST: tuple[Fate, ...] = ("lost",)
FIRST = [DOWN, LOST, DOWN + LOST, LOST + LOST]
AGAIN = {
    name: operation
    for name, operation in OPERATIONS.items()
    if name in {"get", "get_many", "put", "put_many", "put for no time"}
} | {"ping": lambda store, _: store.ping()}
ONCE = {name: operation for name, operation in OPERATIONS.items() if name.startswith("swap")}


class TestFaces:
    """Both faces alike."""

    @both_faces
    async def test_what_can_be_done_twice_is_asked_again(self, trial: Trial) -> None:
        for name, operation in AGAIN.items():
            for first in FIRST:
                store = inside(trial, *first)
                await operation(trial.store, "k")
                assert len(store.asked) == len(first) + 1, name
                assert len(set(store.asked)) == 1, name

    @both_faces
    async def test_after_the_last_attempt_the_error_is_raised(self, trial: Trial) -> None:
        for operation in AGAIN.values():
            store = inside(trial, "lost", "lost", "down")
            with pytest.raises(StoreUnavailable, match="it is down"):
                await operation(trial.store, "k")
            assert len(store.asked) == 3

    @both_faces
    async def test_swap_is_never_asked_again(self, trial: Trial) -> None:
        fates: list[tuple[Fate, type[StoreError]]] = [
            ("down", StoreUnavailable),
            ("lost", StoreTimeout),
        ]
        for operation in ONCE.values():
            for fate, error in fates:
                store = inside(trial, fate)
                with pytest.raises(error):
                    await operation(trial.store, "k")
                assert store.asked == ["swap"]

    @both_faces
    async def test_a_mistake_is_not_repeated(self, trial: Trial) -> None:
        store = inside(trial)
        with pytest.raises(KeyRejected):
            await trial.store.get("a b")
        with pytest.raises(TypeError):
            await trial.store.put("k", 5)  # type: ignore[arg-type]  # that is the mistake
        assert store.asked == ["get", "put"]

    @both_faces
    async def test_delete_answers_what_it_knows(self, trial: Trial) -> None:
        store = inside(trial)
        store.rows.put("k", b"v")
        assert await trial.store.delete("k")
        assert not await trial.store.delete("k")
        store = inside(trial, "down")
        store.rows.put("k", b"v")
        assert await trial.store.delete("k"), "it was there at the second attempt"

    @both_faces
    async def test_delete_claims_nothing_it_cannot_know(self, trial: Trial) -> None:
        store = inside(trial, "lost")
        store.rows.put("k", b"v")
        with pytest.raises(StoreTimeout, match="is gone, but whether it was there is unknown"):
            await trial.store.delete("k")
        assert store.asked == ["delete", "delete"]
        assert store.rows.get("k") is None

    @both_faces
    async def test_delete_many_answers_what_it_knows(self, trial: Trial) -> None:
        store = inside(trial, "down")
        store.rows.put_many({"a": b"", "b": b""})
        assert await trial.store.delete_many(["a", "b", "a"]) == 2
        assert await trial.store.delete_many(["a", "b"]) == 0
        store = inside(trial, "lost")
        store.rows.put_many({"a": b"", "b": b""})
        with pytest.raises(StoreTimeout, match="how many were there is unknown"):
            await trial.store.delete_many(["a", "b"])
        assert len(store.rows) == 0

    @both_faces
    async def test_a_closed_store_is_not_asked_again(self, trial: Trial) -> None:
        store = inside(trial)
        await trial.store.close()
        store.asked.clear()
        with pytest.raises(StoreUnavailable):
            await trial.store.get("k")
        assert store.asked == ["get"]


def test_increment_and_apply_are_never_asked_again() -> None:
    inside = Counting("lost", "lost")
    store = Retrying(inside)
    assert isinstance(store, CanIncrement)
    assert isinstance(store.aio, AsyncCanIncrement)
    with pytest.raises(StoreTimeout):
        store.increment("n")
    with pytest.raises(StoreTimeout):
        asyncio.run(store.aio.increment("n"))
    assert inside.rows.get("n") == b"2"
    assert inside.asked == ["increment", "increment"]

    class Failing(MemoryStore):
        asked = 0

        def apply(self, key: str, change: object) -> object:  # type: ignore[override]  # it only fails
            del key, change
            self.asked += 1
            raise StoreTimeout(self.name)

    failing = Failing()
    changing = Retrying(failing)
    assert isinstance(changing, CanApply)
    with pytest.raises(StoreTimeout):
        changing.apply("k", lambda old: (b"v", None, old))
    assert failing.asked == 1


class _Slow(Plain):
    """Each call takes a second of a clock, and fails."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(*LOST * 100)
        self._clock = clock

    def get(self, key: str) -> bytes | None:
        self._clock.advance(1)
        return super().get(key)


def test_no_attempt_begins_after_the_time_is_over() -> None:
    clock = ManualClock()
    inside = _Slow(clock)
    store = Retrying(inside, attempts=50, within="3s", clock=clock)
    with pytest.raises(StoreTimeout):
        store.get("k")
    assert inside.asked == ["get"] * 3, "at 0, 1 and 2 s; the pause would end after 3 s"


def test_a_first_answer_costs_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_pause(_: float) -> None:
        raise AssertionError("it slept")

    monkeypatch.setattr(time, "sleep", no_pause)
    store = Retrying(MemoryStore())
    store.put("k", b"v")
    assert store.get("k") == b"v"


def test_the_pauses_grow_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(retrying, "_FIRST_PAUSE", 0.1)
    for _ in range(20):
        with pytest.raises(StoreUnavailable):
            Retrying(Plain(*DOWN * 9), attempts=4, within=60).get("k")
    for number, (low, high) in enumerate([(0.05, 0.1), (0.1, 0.2), (0.2, 0.4)]):
        pauses = slept[number::3]
        assert len(pauses) == 20
        assert all(low <= pause <= high for pause in pauses)
        assert len(set(pauses)) > 10, "without jitter all callers would come at once"


def test_tasks_wait_side_by_side() -> None:
    store = Retrying(Plain(*DOWN * 50), attempts=60)
    turns = 0

    async def others(face: AsyncStore, wait: Callable[[], object]) -> None:
        nonlocal turns
        while not wait():
            turns += 1
            await asyncio.sleep(0)
        assert await face.get("k") is None

    async def body() -> None:
        task = asyncio.create_task(store.aio.get("k"))
        await others(store.aio, task.done)

    retrying._FIRST_PAUSE = 1e-9  # the fixture puts it back
    asyncio.run(body())
    assert turns > 5, "the loop was blocked while a task waited"


def test_a_cancelled_task_asks_no_more() -> None:
    inside = Plain(*DOWN * 50)
    store = Retrying(inside, attempts=60)

    async def body() -> None:
        task = asyncio.create_task(store.aio.get("k"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(body())
    assert inside.asked == ["get"]


def test_wrong_options() -> None:
    with pytest.raises(ConfigError, match="attempts=1"):
        Retrying(MemoryStore(), attempts=1)
    with pytest.raises(ConfigError, match="within=0"):
        Retrying(MemoryStore(), within=0)
    with pytest.raises(ConfigError, match="within"):
        Retrying(MemoryStore(), within="soon")
