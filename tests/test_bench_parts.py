"""The parts of the benchmarks that compute: verdicts, traces, the best possible cache, ratios."""

import importlib
import itertools
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rich")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent))
    return lambda part: importlib.import_module(f"bench.{part}")


def test_a_verdict_says_how_many_times_too_much(bench: Any) -> None:
    target = bench("targets").Target(1, "at most 3", 3.0)
    assert target.judge(3.0).met
    assert str(target.judge(2.0)).startswith("meets")
    assert not target.judge(4.5).met
    assert target.judge(4.5).miss == 1.5
    assert str(target.judge(4.5)).startswith("misses 1.50x")


def test_a_verdict_says_how_many_times_too_little(bench: Any) -> None:
    target = bench("targets").Target(1, "at least 8", 8.0, at_least=True)
    assert target.judge(8.0).met
    assert target.judge(4.0).miss == 2.0
    assert not target.judge(0.0).met
    assert not target.judge(-1.0).met


def test_none_is_allowed_where_none_is_asked_for(bench: Any) -> None:
    target = bench("targets").Target(13, "none", 0.0)
    assert target.judge(0.0).met
    assert not target.judge(1.0).met


def test_a_ratio_is_taken_round_by_round(bench: Any) -> None:
    timing = bench("measure").Timing
    calm_then_busy, ours = timing((10.0, 100.0, 12.0)), timing((20.0, 200.0, 24.0))
    assert ours.over(calm_then_busy) == 2.0
    assert ours.beyond(timing((19.0, 199.0, 23.0))) == 1.0


def test_a_missing_peer_is_a_row_and_a_hole_in_ours_is_an_error(bench: Any) -> None:
    measure = bench("measure")

    def absent() -> Any:
        raise ImportError("no such library", name="peer")

    present = {"ns": measure.Work("f()", {"f": int})}
    cases = [measure.Case("there", lambda: present), measure.Case("peer", absent)]
    told = measure.measure(cases, measure.QUICK)
    assert told["there"]["ns"].median > 0
    assert told["peer"].reason == "not installed (peer)"
    with pytest.raises(ImportError):
        measure.measure([measure.Case("ours", absent, ours=True)], measure.QUICK)


def test_a_trace_is_the_same_each_time(bench: Any) -> None:
    for make in bench("traces").TRACES.values():
        assert make(2000, 200) == make(2000, 200)


def test_the_popular_are_popular(bench: Any) -> None:
    trace = bench("traces").zipf(50_000, 1000)
    first, tenth = trace.count(0), trace.count(9)
    assert 7 < first / tenth < 13


def test_a_fifth_is_scanned_once(bench: Any) -> None:
    trace = bench("traces").scanned(10_000, 1000)
    fresh = [key for key in trace if key >= 1000]
    assert len(fresh) == len(set(fresh)) == 2000


def test_a_reshuffle_moves_the_favourites(bench: Any) -> None:
    trace = bench("traces").shuffled(10_000, 1000)
    favourites = {
        max(set(part), key=part.count)
        for part in (trace[at : at + 1000] for at in range(0, 10_000, 1000))
    }
    assert len(favourites) >= 8


def most_hits(trace: list[int], room: int) -> int:
    """Try every possible eviction."""
    states: dict[frozenset[int], int] = {frozenset(): 0}
    for key in trace:
        ahead: dict[frozenset[int], int] = {}

        def reach(
            state: Iterable[int], hits: int, ahead: dict[frozenset[int], int] = ahead
        ) -> None:
            kept = frozenset(state)
            ahead[kept] = max(hits, ahead.get(kept, 0))

        for state, hits in states.items():
            if key in state:
                reach(state, hits + 1)
            else:
                for survivors in itertools.combinations(state, min(len(state), room - 1)):
                    reach({*survivors, key}, hits)
        states = ahead
    return max(states.values())


def test_nobody_beats_belady(bench: Any) -> None:
    traces, draw = bench("traces"), random.Random(1)  # noqa: S311 - a test
    for _ in range(50):
        trace = [draw.randrange(6) for _ in range(20)]
        assert traces.belady(trace, 3) == most_hits(trace, 3)


def test_belady_is_above_lru(bench: Any) -> None:
    trace = bench("traces").zipf(20_000, 2000)
    names = [str(key) for key in trace]
    assert bench("traces").belady(trace, 100) > bench("ratio").ordered(names, 100)


def sieved(trace: list[str], room: int) -> int:
    """SIEVE by the letter: a list, the oldest first, and the place of the hand in it."""
    kept: list[str] = []
    asked: dict[str, bool] = {}
    hand = hits = 0
    for key in trace:
        if key in asked:
            hits += 1
            asked[key] = True
            continue
        if len(kept) >= room:
            while asked[kept[hand]]:
                asked[kept[hand]] = False
                hand = (hand + 1) % len(kept)
            del asked[kept.pop(hand)]
            hand = hand if hand < len(kept) else 0
        kept.append(key)
        asked[key] = False
    return hits


def test_sieve_is_as_its_paper_has_it(bench: Any) -> None:
    draw = random.Random(1)  # noqa: S311 - a test
    for _ in range(50):
        trace, room = [str(draw.randrange(9)) for _ in range(200)], draw.randint(1, 9)
        assert bench("ratio").sieve(trace, room) == sieved(trace, room)
