"""Table `session-redis`: one request through a WSGI session middleware whose sessions are in Redis.

Law: the visitor and the pages of table `session`; client and server share one core. What a bare
application of the same framework takes is taken off, round by round.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from bench.measure import Absent, Case, Effort, Missing, Outcome, Timing, measure, timing
from bench.report import Row, Table, timed
from bench.servers import running
from bench.session import bare, beaker, cryptography, holdfast
from bench.session_frameworks import bare_django, bare_flask, django, flask_session
from bench.targets import (
    SESSION_REDIS_READ,
    SESSION_REDIS_READ_STRETCH,
    SESSION_REDIS_WRITE,
    SESSION_REDIS_WRITE_STRETCH,
    UNTOUCHED,
    Target,
)
from bench.visits import COLUMNS, SECRET

__all__ = ["UNIT", "Cases", "beside", "fill", "judge_untouched", "run"]

UNIT = "us per request over a bare app"
OURS, BEAKER = "Holdfast", "Beaker, signed id"

Cases = Mapping[Case, Sequence[Case]]
"""Bare applications, and the rows each of them is taken off."""


def run(effort: Effort) -> Table:
    """Measure the table."""
    table = Table("session-redis", "WSGI sessions in Redis", UNIT, list(COLUMNS))
    if (outcome := fill(table, _cases, effort)) is not None:
        table.notes.append(cryptography())
        judge_untouched(table, outcome, OURS)
        beside(table, outcome, (OURS, BEAKER), (SESSION_REDIS_READ, SESSION_REDIS_WRITE))
        stretch = (SESSION_REDIS_READ_STRETCH, SESSION_REDIS_WRITE_STRETCH)
        beside(table, outcome, (OURS, BEAKER), stretch)
    return table


def _cases(url: str) -> Cases:
    beakers = partial(beaker, type="ext:redis", url=url, secret=SECRET)
    changed = "Flask-Session, SESSION_REFRESH_EACH_REQUEST=False"
    return {
        Case("bare app", bare): (
            Case(BEAKER, beakers),
            Case(OURS, partial(holdfast, url), ours=True),
            Case(f"{OURS}, 1000 visitors", partial(holdfast, url, 1000), ours=True),
        ),
        Case("bare Flask", bare_flask): (
            Case("Flask-Session", partial(flask_session, url)),
            Case(changed, partial(flask_session, url, each=False)),
        ),
        Case("bare Django", partial(bare_django, url)): (
            Case("Django, in its cache", partial(django, url)),
        ),
    }


def fill(table: Table, cases_of: Callable[[str], Cases], effort: Effort) -> Outcome | None:
    """Measure rows on one Redis; return what they take over their bare applications.

    Args:
        table: Gets the rows; without a server, a word.
        cases_of: Makes them, for the URL of the server.
        effort: How long. To share a core is to lose it now and then: no sample is taken again.
    """
    effort = replace(effort, rounds=min(effort.rounds, 15), sample=effort.sample * 4, tries=1)
    try:
        with running("redis", "run_redis") as server:
            cases = cases_of(server.url)
            rows = [row for some in cases.values() for row in some]
            outcome = measure([*cases, *rows], effort)
    except Absent as word:
        table.rows.append(Row("redis", {table.columns[0]: str(word)}))
        return None
    for bare_case, some in cases.items():
        for row in some:
            outcome[row.row] = _over(outcome, row.row, bare_case.row)
    timed(table, rows, outcome, per=1e3)
    table.notes.append(", ".join(_told(outcome, case.row) for case in cases))
    return outcome


def _over(outcome: Outcome, row: str, bare_row: str) -> dict[str, Timing] | Missing:
    """Return what `row` takes more than `bare_row`."""
    timings, bare_timings = outcome[row], outcome[bare_row]
    if isinstance(timings, Missing) or isinstance(bare_timings, Missing):
        return timings
    return {column: timings[column].without(bare_timings[column]) for column in timings}


def _told(outcome: Outcome, row: str) -> str:
    taken = timing(outcome, row, COLUMNS[0])
    return f"{row} {taken.median / 1e3:.2f} us" if taken else f"no {row}"


def judge_untouched(table: Table, outcome: Outcome, row: str) -> None:
    """Say whether a request that leaves its session alone is quick enough."""
    if ours := timing(outcome, row, "untouched"):
        table.verdicts.append(UNTOUCHED.judge(ours.median / 1e3, row))


def beside(
    table: Table, outcome: Outcome, rows: tuple[str, str], targets: tuple[Target, Target]
) -> None:
    """Compare our row with another's.

    Args:
        table: Gets the verdicts.
        outcome: What was measured.
        rows: Ours and theirs.
        targets: Of a read, and of a read with a write.
    """
    reads, writes = targets
    for column in COLUMNS[1:]:
        ours, theirs = (timing(outcome, row, column) for row in rows)
        if ours and theirs:
            target = writes if column == "read+write" else reads
            table.verdicts.append(target.judge(theirs.over(ours), f"{rows[0]}, {column}"))
