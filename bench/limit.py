"""Table `limit`: one hit against one rate, in memory.

Law: one key, a rate so high that every hit passes; and one so low that every hit is denied.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import Case, Effort, Work, measure, timing
from bench.report import Table, timed
from bench.targets import LIMIT_MEMORY

PASSES, DENIES = "10000000/hour", "1/day"


def limits(strategy: str) -> Mapping[str, Work]:
    """`limits` with its memory storage."""
    from limits import parse, strategies
    from limits.storage import MemoryStorage

    hit = getattr(strategies, strategy)(MemoryStorage()).hit
    return {
        "passes": Work('hit(rate, "203.0.113.9")', {"hit": hit, "rate": parse(PASSES)}),
        "denied": Work('hit(rate, "203.0.113.9")', {"hit": hit, "rate": parse(DENIES)}),
    }


def holdfast(url: str) -> Mapping[str, Work]:
    """GCRA, which is its default."""
    from holdfast import Limiter

    hit = Limiter(url).hit
    return {
        "passes": Work('hit("203.0.113.9", rate)', {"hit": hit, "rate": PASSES}),
        "denied": Work('hit("203.0.113.9", rate)', {"hit": hit, "rate": DENIES}),
    }


def holdfast_two() -> Mapping[str, Work]:
    """Two rates, decided together."""
    from holdfast import Limiter

    hit, rates = Limiter("memory://").hit, f"5000000/minute; {PASSES}"
    return {"passes": Work('hit("203.0.113.9", rate)', {"hit": hit, "rate": rates})}


def run(effort: Effort) -> Table:
    """Measure the table."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "limits.db"
        cases = [
            Case("limits, memory, fixed window", lambda: limits("FixedWindowRateLimiter")),
            Case(
                "limits, memory, sliding window",
                lambda: limits("SlidingWindowCounterRateLimiter"),
            ),
            Case("Holdfast, memory", lambda: holdfast("memory://"), ours=True),
            Case("Holdfast, memory, two rates", holdfast_two, ours=True),
            Case("Holdfast, sqlite", lambda: holdfast(f"sqlite:///{file}"), ours=True),
        ]
        outcome = measure(cases, effort)
    table = Table("limit", "limit check", "us per hit", ["passes", "denied"])
    timed(table, cases, outcome, per=1e3)
    if ours := timing(outcome, "Holdfast, memory", "passes"):
        table.verdicts.append(LIMIT_MEMORY.judge(ours.median / 1e3))
    return table
