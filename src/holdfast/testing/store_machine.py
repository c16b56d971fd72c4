"""A Hypothesis machine that plays random steps on a store and on a dict, and compares them.

Law: the dict is the contract; whatever the store answers differently is the store's fault. The
clock moves by whole steps and a ttl ends between two of them, so that no answer hangs on a tie.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from holdfast.store.abilities import CanIncrement, CanScan, CanSweep
from holdfast.testing.trial import Trial

__all__ = ["compare_with_a_dict"]

_KEYS = st.sampled_from(["a", "b", "A", "a:b", "%2F"])
_COUNTERS = st.sampled_from(["n", "m"])
_VALUES = st.sampled_from([b"", b"0", b"1", b"\x00\xff", b"v" * 5000])
_TTLS = st.sampled_from([None, -1, 0, 1.5, 3.5, 7.5])


class _Machine(RuleBasedStateMachine):
    """Plays on `trial`."""

    def __init__(self, trial: Trial) -> None:
        super().__init__()
        self._trial = trial
        self._store = trial.opened
        self._rows: dict[str, tuple[bytes, float]] = {}
        self._now = 0.0

    def _alive(self, key: str) -> bytes | None:
        value, until = self._rows.get(key, (None, 0.0))
        return value if until > self._now else None

    def _write(self, key: str, value: bytes | None, ttl: float | None) -> None:
        if value is None or (ttl is not None and ttl <= 0):
            self._rows.pop(key, None)
        else:
            self._rows[key] = (value, float("inf") if ttl is None else self._now + ttl)

    def _ttl(self, ttl: float | None) -> float | None:
        return None if ttl is None else ttl * self._trial.second

    @rule(key=_KEYS)
    def get(self, key: str) -> None:
        assert self._store.get(key) == self._alive(key)

    @rule(key=_KEYS, value=_VALUES, ttl=_TTLS)
    def put(self, key: str, value: bytes, ttl: float | None) -> None:
        self._store.put(key, value, self._ttl(ttl))
        self._write(key, value, ttl)

    @rule(items=st.dictionaries(_KEYS, _VALUES), ttl=_TTLS)
    def put_many(self, items: dict[str, bytes], ttl: float | None) -> None:
        self._store.put_many(items, self._ttl(ttl))
        for key, value in items.items():
            self._write(key, value, ttl)

    @rule(key=_KEYS)
    def delete(self, key: str) -> None:
        assert self._store.delete(key) == (self._alive(key) is not None)
        self._rows.pop(key, None)

    @rule(keys=st.lists(_KEYS, unique=True))
    def delete_many(self, keys: list[str]) -> None:
        there = sum(self._alive(key) is not None for key in keys)
        assert self._store.delete_many(keys) == there
        for key in keys:
            self._rows.pop(key, None)

    @rule(key=_KEYS, old=st.none() | _VALUES, new=st.none() | _VALUES, ttl=_TTLS)
    def swap(self, key: str, old: bytes | None, new: bytes | None, ttl: float | None) -> None:
        done = self._alive(key) == old
        assert self._store.swap(key, old, new, self._ttl(ttl)) == done
        if done:
            self._write(key, new, ttl)

    @rule(key=_KEYS, new=st.none() | _VALUES, ttl=_TTLS)
    def swap_what_is_there(self, key: str, new: bytes | None, ttl: float | None) -> None:
        assert self._store.swap(key, self._alive(key), new, self._ttl(ttl))
        self._write(key, new, ttl)

    @rule(
        key=_COUNTERS, by=st.integers(-3, 3), ttl=_TTLS.filter(lambda ttl: ttl is None or ttl > 0)
    )
    def increment(self, key: str, by: int, ttl: float | None) -> None:
        if isinstance(self._store, CanIncrement):
            there = self._alive(key)
            total = int(there or b"0") + by
            assert self._store.increment(key, by, self._ttl(ttl)) == total
            until = self._rows[key][1] if there is not None else None
            self._write(key, b"%d" % total, ttl)
            if until is not None:
                self._rows[key] = (self._rows[key][0], until)

    @rule(seconds=st.sampled_from([1, 3, 5]))
    def wait(self, seconds: int) -> None:
        self._trial.advance(seconds)
        self._now += seconds

    @rule()
    def sweep(self) -> None:
        if isinstance(self._store, CanSweep):
            expired = [key for key, row in self._rows.items() if row[1] <= self._now]
            assert self._store.sweep() >= 0
            for key in expired:
                del self._rows[key]

    @invariant()
    def the_same_rows(self) -> None:
        live = {key: row[0] for key, row in self._rows.items() if row[1] > self._now}
        assert self._store.get_many(["a", "b", "A", "a:b", "%2F", "n", "m"]) == live
        if isinstance(self._store, CanScan):
            assert sorted(self._store.scan()) == sorted(live)


def compare_with_a_dict(fresh: Callable[[], Trial], *, examples: int, steps: int) -> None:
    """Play `examples` random runs of up to `steps` steps, each on the trial that `fresh` gives."""
    trials: list[Trial] = []

    def machine() -> _Machine:
        for trial in trials:
            trial.close()
        trials[:] = [fresh()]
        return _Machine(trials[0])

    with _closing(trials):
        run_state_machine_as_test(
            cast("type[RuleBasedStateMachine]", machine),  # whatever makes a machine will do
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


@contextmanager
def _closing(trials: list[Trial]) -> Iterator[None]:
    try:
        yield
    finally:
        for trial in trials:
            trial.close()
