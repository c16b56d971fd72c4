"""Decisions against an exact model, in fractions, over a clock that is owned."""

from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.limit import Decision, Limiter
from holdfast.limit.bucket import Bucket, SingleBucket
from holdfast.limit.rate import Rate
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock

TODAY = 1_760_000_000.0


@dataclass
class ModelRate:
    """GCRA as the books have it: the time at which a hit would arrive if all came evenly."""

    limit: int
    period: int
    arrival: Fraction = Fraction(0)

    @property
    def interval(self) -> Fraction:
        return Fraction(self.period, self.limit)

    def over(self, now: Fraction, cost: int) -> Fraction:
        """How many seconds too early a hit comes; not above 0: it fits."""
        return max(self.arrival, now) + cost * self.interval - now - self.period

    def charge(self, now: Fraction, cost: int) -> None:
        self.arrival = max(self.arrival, now) + cost * self.interval

    def refund(self, now: Fraction, cost: int) -> None:
        self.arrival = max(now, self.arrival - cost * self.interval)

    def remaining(self, now: Fraction) -> int:
        return int((self.period - (max(self.arrival, now) - now)) / self.interval)


RATES = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from([1, 7, 10, 60, 3600])),
    min_size=1,
    max_size=3,
    unique=True,
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hit", "hit", "hit", "peek", "refund", "reset"]),
        st.integers(0, 3),
        st.one_of(st.just(0.0), st.floats(0, 4000), st.sampled_from([0.25, 1.0, 60.0])),
    ),
    max_size=40,
)


def check_figures(decision: Decision, model: list[ModelRate], now: Fraction) -> None:
    ordered = sorted(model, key=lambda rate: (rate.period, rate.limit))
    for state, rate in zip(decision.rates, ordered, strict=True):
        assert (state.limit, state.period) == (rate.limit, rate.period)
        assert state.remaining == rate.remaining(now)
        assert state.reset_after == pytest.approx(max(float(rate.arrival - now), 0.0), abs=1e-5)
    assert (decision.limit, decision.period) in {(rate.limit, rate.period) for rate in model}
    if decision.allowed:
        assert decision.retry_after == 0.0
        assert decision.remaining == min(rate.remaining(now) for rate in model)


@given(RATES, STEPS)
def test_every_answer_is_that_of_the_model(
    rates: list[tuple[int, int]], steps: list[tuple[str, int, float]]
) -> None:
    clock = ManualClock(TODAY)
    limiter = Limiter(MemoryStore(clock=clock), clock=clock)
    text = ";".join(f"{limit}/{period}s" for limit, period in rates)
    model = [ModelRate(*rate) for rate in rates]
    for step, asked, wait in steps:
        cost = min(asked, *(limit for limit, _ in rates))
        clock.advance(wait)
        now = Fraction(clock.now)
        if step == "reset":
            limiter.reset("k", text)
            model = [ModelRate(*rate) for rate in rates]
            continue
        over = max(rate.over(now, cost) for rate in model) if cost else Fraction(0)
        decision: Decision = getattr(limiter, step)("k", text, cost=cost)
        if step == "refund":
            for rate in model:
                rate.refund(now, cost)
        else:
            assert decision.allowed == (over <= 0)
            assert decision.retry_after == pytest.approx(max(float(over), 0.0), abs=1e-5)
            if step == "hit" and decision.allowed:
                for rate in model:
                    rate.charge(now, cost)
        check_figures(decision, model, now)


@given(RATES, st.integers(1, 30))
def test_after_retry_after_the_same_hit_is_allowed_and_not_long_before(
    rates: list[tuple[int, int]], hits: int
) -> None:
    clock = ManualClock(TODAY)
    limiter = Limiter(MemoryStore(clock=clock), clock=clock)
    text = ";".join(f"{limit}/{period}s" for limit, period in rates)
    for _ in range(hits):
        decision = limiter.hit("k", text)
        if not decision.allowed:
            clock.advance(decision.retry_after - 1e-4)
            assert not limiter.peek("k", text).allowed
            clock.advance(1e-4)
            assert limiter.hit("k", text).allowed


@given(
    st.integers(1, 10**6),
    st.integers(1, 86400),
    st.integers(0, 5),
    st.lists(st.floats(-100, 1000), min_size=1, max_size=20),
    st.binary(max_size=24),
)
def test_the_flat_path_of_a_single_rate_is_the_general_one(
    limit: int, period: int, cost: int, waits: list[float], garbage: bytes
) -> None:
    rates = (Rate(limit, period),)
    clock = ManualClock(TODAY)
    cost = min(cost, limit)
    general, flat = Bucket(rates).charging(clock, cost), SingleBucket(rates).charging(clock, cost)
    assert general(garbage)[2] == flat(garbage)[2]
    record: bytes | None = None
    for wait in waits:
        clock.advance(wait)
        assert general(record) == flat(record)
        record = flat(record)[0]


@given(RATES, st.lists(st.floats(0, 100), min_size=1, max_size=60))
def test_no_window_ever_sees_twice_the_limit(
    rates: list[tuple[int, int]], waits: list[float]
) -> None:
    """What GCRA promises: in any `period`, at most the burst and what drains meanwhile."""
    clock = ManualClock(TODAY)
    limiter = Limiter(MemoryStore(clock=clock), clock=clock)
    text = ";".join(f"{limit}/{period}s" for limit, period in rates)
    passed: list[float] = []
    for wait in waits:
        clock.advance(wait)
        if limiter.hit("k", text).allowed:
            passed.append(clock.now)
    for limit, period in rates:
        for first, start in enumerate(passed):
            inside = [time for time in passed[first:] if time - start < period]
            assert len(inside) <= 2 * limit
            burst = [time for time in inside if time == start]
            assert len(burst) <= limit
