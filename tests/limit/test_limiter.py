"""`Limiter` by its sentences: boundaries, all or none, keys, clocks, a store that is down."""

import asyncio
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Never

import pytest

from holdfast.bridge import Blocking, LoopWaits
from holdfast.errors import ConfigError, StoreError, StoreTimeout, StoreUnavailable
from holdfast.limit import Decision, Limiter
from holdfast.locks import Flight
from holdfast.store.abilities import Change
from holdfast.store.memory import MemoryStore
from holdfast.store.protocol import Store
from holdfast.store.registry import open_store
from holdfast.testing.clock import ManualClock


class Swapping:
    """A store that can only what the contract says, over a memory store; it can be down."""

    def __init__(self, rows: MemoryStore) -> None:
        self._rows = rows
        self.name = "swapping"
        self.get, self.get_many = rows.get, rows.get_many
        self.put, self.put_many = rows.put, rows.put_many
        self.delete, self.delete_many = rows.delete, rows.delete_many
        self.swap, self.ping, self.close = rows.swap, rows.ping, rows.close


class Down(MemoryStore):
    """A store whose every operation fails with `error`."""

    error: StoreError = StoreUnavailable("down", "no answer")

    def get(self, *_: object) -> bytes | None:
        raise self.error

    def apply(self, *_: object) -> Never:
        raise self.error

    def delete(self, *_: object) -> bool:
        raise self.error


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["apply", "swap"])
def limiter(request: pytest.FixtureRequest, clock: ManualClock) -> Limiter:
    rows = MemoryStore(clock=clock)
    return Limiter(rows if request.param == "apply" else Swapping(rows), clock=clock)


def test_the_limit_can_be_spent_at_once_and_comes_back_steadily(
    limiter: Limiter, clock: ManualClock
) -> None:
    answers = [limiter.hit("k", "5/minute") for _ in range(6)]
    assert [answer.allowed for answer in answers] == [True] * 5 + [False]
    assert [answer.remaining for answer in answers] == [4, 3, 2, 1, 0, 0]
    assert answers[5].retry_after == pytest.approx(12, abs=1e-4)
    assert answers[5].reset_after == pytest.approx(60)
    clock.advance(11.9)
    assert not limiter.hit("k", "5/minute").allowed
    clock.advance(0.1)
    assert limiter.hit("k", "5/minute").allowed
    assert not limiter.hit("k", "5/minute").allowed
    clock.advance(60)
    assert limiter.peek("k", "5/minute").remaining == 5


def test_all_rates_are_charged_or_none(limiter: Limiter, clock: ManualClock) -> None:
    rates = "2/second; 3/minute"
    assert [limiter.hit("k", rates).allowed for _ in range(3)] == [True, True, False]
    assert [state.remaining for state in limiter.peek("k", rates).rates] == [0, 1]
    clock.advance(1)
    third = limiter.hit("k", rates)
    assert third.allowed
    assert (third.limit, third.remaining) == (3, 0)
    refused = limiter.hit("k", rates)
    assert not refused.allowed
    assert refused.limit == 3, "the figures are those of the rate that restricts most"
    assert refused.retry_after == pytest.approx(19, abs=1e-3)
    assert [state.remaining for state in refused.rates] == [1, 0], "2/second was not charged"


@pytest.mark.parametrize("face", [lambda rows: rows, Swapping], ids=["apply", "swap"])
def test_what_is_refused_and_what_only_looks_writes_nothing(
    face: Callable[[MemoryStore], Store], clock: ManualClock
) -> None:
    store = MemoryStore(clock=clock)
    limiter = Limiter(face(store), clock=clock)
    limiter.hit("k", "1/minute")
    (where,) = store.scan()
    written = store.get(where)
    clock.advance(1)
    assert not limiter.hit("k", "1/minute").allowed
    limiter.peek("k", "1/minute")
    assert limiter.hit("k", "1/minute", cost=0).allowed
    limiter.peek("other", "1/minute")
    limiter.hit("other", "1/minute", cost=0)
    limiter.refund("other", "1/minute")
    assert store.get(where) is written
    assert list(store.scan()) == [where]
    clock.advance(61)
    assert list(store.scan()) == [], "its time was not renewed either"


def test_a_record_is_gone_soon_after_all_is_back(clock: ManualClock) -> None:
    store = MemoryStore(clock=clock)
    limiter = Limiter(store, clock=clock)
    limiter.hit("k", "6/minute; 1/hour")
    clock.advance(3600)
    assert len(list(store.scan())) == 1
    clock.advance(1.1)
    assert list(store.scan()) == []


def test_costs(limiter: Limiter) -> None:
    assert limiter.hit("k", "5/minute", cost=3).remaining == 2
    assert not limiter.hit("k", "5/minute", cost=3).allowed
    assert limiter.hit("k", "5/minute", cost=2).allowed
    nothing = limiter.hit("k", "5/minute", cost=0)
    assert nothing.allowed
    assert nothing.remaining == 0


@pytest.mark.parametrize("cost", [-1, 6, 1.5, "1", None])
@pytest.mark.parametrize("method", ["hit", "peek", "refund"])
def test_a_cost_that_cannot_be_is_a_value_error(limiter: Limiter, method: str, cost: int) -> None:
    with pytest.raises(ValueError, match="0 to 5"):
        getattr(limiter, method)("k", "5/minute; 100/hour", cost=cost)
    assert limiter.peek("k", "5/minute; 100/hour").remaining == 5


def test_a_refund_gives_back_and_never_more_than_the_limit(limiter: Limiter) -> None:
    limiter.hit("k", "5/minute", cost=3)
    assert limiter.refund("k", "5/minute").remaining == 3
    assert limiter.refund("k", "5/minute", cost=5).remaining == 5
    assert limiter.refund("k", "5/minute", cost=5).remaining == 5
    assert [limiter.hit("k", "5/minute").allowed for _ in range(6)] == [True] * 5 + [False]


def test_reset_forgets(limiter: Limiter) -> None:
    limiter.hit("k", "1/day")
    assert limiter.reset("k", "1/day")
    assert not limiter.reset("k", "1/day")
    assert limiter.hit("k", "1/day").allowed


def test_limits_of_one_name_with_other_rates_count_by_themselves(limiter: Limiter) -> None:
    assert limiter.hit("k", "1/minute").allowed
    assert limiter.hit("k", "1/hour").allowed
    assert limiter.hit("k", "1/minute; 1/hour").allowed
    assert not limiter.hit("k", "1 per 60 seconds").allowed, "the same rate, written otherwise"
    assert not limiter.hit("k", "1/h,1/m").allowed


@pytest.mark.parametrize(
    "key",
    ["", " ", "a b", "x" * 10_000, "\0", "\r\n", "ключ", "\ud800", "sha256-", "a:b", "*", "../x"],
)
def test_any_text_is_a_key_of_its_own(limiter: Limiter, key: str) -> None:
    assert limiter.hit(key, "1/minute").allowed
    assert not limiter.hit(key, "1/minute").allowed
    assert limiter.hit(key + "x", "1/minute").allowed


def test_a_key_is_text(limiter: Limiter) -> None:
    with pytest.raises(TypeError, match="text"):
        limiter.hit(7, "1/minute")  # type: ignore[arg-type]


class Watched(str):
    """Text of which one can tell whether somebody keeps it."""

    __slots__ = ("__weakref__",)


@pytest.mark.parametrize(("length", "others"), [(10_000, 0), (10, 20_000)])
def test_what_clients_send_does_not_fill_the_memory(length: int, others: int) -> None:
    limiter = Limiter("null://")
    key = Watched("k" * length)
    kept = weakref.ref(key)
    assert limiter.hit(key, "5/minute").allowed
    del key
    for number in range(others):
        limiter.hit(f"other {number}", "5/minute")
    assert kept() is None


def test_the_documented_key_and_record(clock: ManualClock) -> None:
    store = MemoryStore(clock=clock)
    Limiter(store, clock=clock, prefix="shop").hit("login:7", "100/hour; 5/minute")
    assert list(store.scan()) == ["shop:l:gcra:5/60s+100/3600s:login:7"]


def test_records_that_are_not_ours_count_as_none(clock: ManualClock) -> None:
    store = MemoryStore(clock=clock)
    limiter = Limiter(store, clock=clock)
    for garbage in (b"", b"x", b"\xff" * 16, b"\x00" * 16, b"\x7f" * 16, b"\xff" * 24):
        for rates in ("5/minute", "5/minute; 9/hour"):
            limiter.hit("k", rates)
            where = next(iter(store.scan()))
            store.put(where, garbage)
            assert limiter.hit("k", rates).allowed
            limiter.reset("k", rates)


@pytest.mark.parametrize("rates", ["5/minute", "5/minute; 20/hour"])
@pytest.mark.parametrize("back", [1.0, 30.0, 100.0, 86400.0, 1e9])
def test_a_clock_that_was_set_back_shuts_nobody_out_for_long(back: float, rates: str) -> None:
    clock, elapsed = ManualClock(2e9), ManualClock()
    limiter = Limiter(MemoryStore(clock=elapsed), clock=clock)
    while limiter.hit("k", rates).allowed:
        pass
    clock.advance(-back)
    for _ in range(135):  # two minutes and a quarter, in which the record did not expire
        if limiter.hit("k", rates).allowed:
            return
        clock.advance(1)
    pytest.fail("shut out")


def test_hosts_whose_clocks_differ_a_little_share_one_limit(clock: ManualClock) -> None:
    store = MemoryStore(clock=clock)
    ahead = Limiter(store, clock=lambda: clock() + 20)
    limiter = Limiter(store, clock=clock)
    allowed = sum(
        each.hit("k", "10/minute").allowed for _ in range(50) for each in (ahead, limiter)
    )
    assert allowed <= 10 + 4, "the limit, and what drains in the 20 seconds between them"


def test_a_decision_is_no_truth_value(limiter: Limiter) -> None:
    with pytest.raises(TypeError, match=r"\.allowed"):
        bool(limiter.hit("k", "1/minute"))


def test_a_single_rate_is_told_like_several(limiter: Limiter) -> None:
    (state,) = limiter.hit("k", "5/minute").rates
    assert state == (5, 60.0, 4, 12.0)


@pytest.mark.parametrize(
    ("on_error", "allowed", "retry"), [("allow", True, 0.0), ("deny", False, 1.0)]
)
@pytest.mark.parametrize("error", [StoreUnavailable("down"), StoreTimeout("down")])
@pytest.mark.parametrize("method", ["hit", "peek", "refund"])
def test_when_the_store_is_down(
    error: StoreError, on_error: str, retry: float, method: str, *, allowed: bool
) -> None:
    told: list[tuple[str, Mapping[str, object]]] = []
    store = Down("down")
    store.error = error
    limiter = Limiter(
        store,
        on_error=on_error,  # type: ignore[arg-type]
        observer=lambda event, fields: told.append((event, fields)),
    )
    for decision in (
        getattr(limiter, method)("k", "5/minute; 9/hour"),
        asyncio.run(getattr(limiter.aio, method)("k", "5/minute; 9/hour")),
    ):
        assert decision.degraded
        assert (decision.allowed, decision.retry_after) == (allowed, retry)
        assert len(decision.rates) == 2
    assert limiter.errors == 2
    fields = {"store": "down", "error": type(error).__name__, "allowed": allowed}
    assert told == [("limit.store_error", fields)] * 2


def test_a_reset_that_failed_is_told() -> None:
    limiter = Limiter(Down("down"))
    with pytest.raises(StoreUnavailable):
        limiter.reset("k", "5/minute")


def test_wrong_options_are_refused_at_once() -> None:
    wrong: list[Callable[[], Limiter]] = [
        lambda: Limiter("memory://", algorithm="leaky"),  # type: ignore[arg-type]
        lambda: Limiter("memory://", on_error="maybe"),  # type: ignore[arg-type]
        lambda: Limiter("memory://", prefix="no spaces"),
        lambda: Limiter("nowhere://"),
        lambda: Limiter(object()),  # type: ignore[arg-type]
    ]
    for make in wrong:
        with pytest.raises(ConfigError):
            make()


def test_rates_and_keys_that_are_no_text_are_told_so(limiter: Limiter) -> None:
    async def hit(key: object, rates: object) -> object:
        return await limiter.aio.hit(key, rates)  # type: ignore[arg-type]

    calls: list[Callable[[object, object], object]] = [
        limiter.hit,  # type: ignore[list-item]
        limiter.peek,  # type: ignore[list-item]
        limiter.refund,  # type: ignore[list-item]
        limiter.reset,  # type: ignore[list-item]
        lambda key, rates: asyncio.run(hit(key, rates)),
    ]
    for call in calls:
        with pytest.raises(ConfigError, match="write rates as '5/minute'"):
            call("k", ["5/minute"])
        with pytest.raises(TypeError, match="a key is text"):
            call(["k"], "5/minute")


def test_the_null_store_limits_nothing() -> None:
    limiter = Limiter("null://")
    assert all(limiter.hit("k", "1/day").allowed for _ in range(5))


@pytest.mark.parametrize("url", ["memory://", "sqlite:///{}/l.db", "file:///{}/l"])
def test_both_faces_count_together_on_each_local_store(url: str, tmp_path: Path) -> None:
    with open_store(url.format(tmp_path)) as store:
        limiter = Limiter(store)

        async def use() -> list[bool]:
            first = await limiter.aio.hit("k", "4/hour")
            await limiter.aio.refund("k", "4/hour")
            second = await limiter.aio.hit("k", "4/hour", cost=2)
            seen = await limiter.aio.peek("k", "4/hour")
            return [first.allowed, second.allowed, seen.remaining == 1]

        assert limiter.hit("k", "4/hour").remaining == 3
        assert all(asyncio.run(use()))
        assert [limiter.hit("k", "4/hour").allowed for _ in range(2)] == [True, False]
        assert asyncio.run(limiter.aio.reset("k", "4/hour"))
        assert limiter.peek("k", "4/hour").remaining == 4


def test_a_store_that_waits_never_stops_the_loop() -> None:
    threads: set[int] = set()

    class Waiting(MemoryStore):
        never_waits = False

        def apply(self, key: str, change: Change[Decision]) -> Decision:  # type: ignore[override]
            threads.add(threading.get_ident())
            return super().apply(key, change)

    assert asyncio.run(Limiter(Waiting()).aio.hit("k", "1/day")).allowed
    assert threads
    assert threading.get_ident() not in threads


def test_threads_and_tasks_together_get_no_more_than_the_limit(limiter: Limiter) -> None:
    allowed: list[bool] = []

    def thread() -> None:
        allowed.extend(limiter.hit("k", "100/day").allowed for _ in range(40))

    async def tasks() -> None:
        answers = await asyncio.gather(*(limiter.aio.hit("k", "100/day") for _ in range(40)))
        allowed.extend(answer.allowed for answer in answers)

    threads = [threading.Thread(target=thread) for _ in range(7)]
    threads.append(threading.Thread(target=lambda: asyncio.run(tasks())))
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(allowed) == 320
    assert sum(allowed) == 100
    assert limiter.errors == 0


def test_a_burst_of_tasks_gets_no_more_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were all woken at each turn, they would be late, and `on_error` would let them pass."""
    joins: list[Flight] = []
    join = LoopWaits.join

    async def counted(self: LoopWaits, flight: Flight, timeout: float | None = None) -> bool:
        joins.append(flight)
        return await join(self, flight, timeout)

    class Far(Blocking):
        async def get(self, key: str) -> bytes | None:
            await asyncio.sleep(0)
            return await super().get(key)

    monkeypatch.setattr(LoopWaits, "join", counted)
    rows = Swapping(MemoryStore())
    rows.aio = Far(rows)  # type: ignore[attr-defined] # a face of its own
    limiter = Limiter(rows)

    async def body() -> int:
        hits = (limiter.aio.hit("k", "10/hour") for _ in range(300))
        return sum(decision.allowed for decision in await asyncio.gather(*hits))

    assert asyncio.run(body()) == 10
    assert limiter.errors == 0
    assert len(joins) == 299
