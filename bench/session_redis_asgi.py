"""Table `session-redis-asgi`: one request through an ASGI session middleware, sessions in Redis.

Law: the visitor and the pages of table `session-asgi`, and otherwise as in table `session-redis`.
"""

from functools import partial

from bench.measure import Case, Effort
from bench.report import Table
from bench.session_asgi import bare, holdfast, starsessions
from bench.session_redis import UNIT, Cases, beside, fill, judge_untouched
from bench.targets import SESSION_ASGI_READ, SESSION_ASGI_WRITE
from bench.visits import COLUMNS

OURS, LAZY, THEIRS = "Holdfast", "Holdfast, lazy=True", "starsessions"


def run(effort: Effort) -> Table:
    """Measure the table."""
    table = Table("session-redis-asgi", "ASGI sessions in Redis", UNIT, list(COLUMNS))
    if (outcome := fill(table, _cases, effort)) is not None:
        judge_untouched(table, outcome, LAZY)
        for ours in (OURS, LAZY):
            beside(table, outcome, (ours, THEIRS), (SESSION_ASGI_READ, SESSION_ASGI_WRITE))
    return table


def _cases(url: str) -> Cases:
    return {
        Case("bare app", bare): (
            Case(THEIRS, partial(starsessions, url)),
            Case(OURS, partial(holdfast, url), ours=True),
            Case(LAZY, partial(holdfast, url, lazy=True), ours=True),
        )
    }
