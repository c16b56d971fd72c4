"""Table `session-redis`: one request through a WSGI session middleware whose sessions are in Redis.

Law: the visitor and the pages of table `session`; client and server share one core.
"""

from contextlib import ExitStack

from bench.measure import Case, Effort, timing
from bench.measure import measure as measured
from bench.report import Table, timed
from bench.servers import running
from bench.session import bare, beaker, cryptography, holdfast
from bench.targets import SESSION_REDIS_READ, SESSION_REDIS_WRITE
from bench.visits import COLUMNS, SECRET

OURS, THEIRS = "Holdfast, redis", "Beaker, redis"


def run(effort: Effort) -> Table:
    """Measure the table."""
    table = Table("session-redis", "WSGI sessions in Redis", "us per request", list(COLUMNS))
    with ExitStack() as ends:
        server = ends.enter_context(running("redis", "run_redis"))
        url = server.url
        cases = [
            Case("bare app", bare),
            Case(THEIRS, lambda: beaker(type="ext:redis", url=url, secret=SECRET)),
            Case(OURS, lambda: holdfast(url), ours=True),
            Case("Holdfast, redis, 1000 visitors", lambda: holdfast(url, 1000), ours=True),
        ]
        outcome = measured(cases, effort)
        timed(table, cases, outcome, per=1e3)
        table.notes.append(cryptography())
        for column, target in zip(
            COLUMNS[1:],
            (SESSION_REDIS_READ, SESSION_REDIS_READ, SESSION_REDIS_WRITE),
            strict=True,
        ):
            ours, theirs = timing(outcome, OURS, column), timing(outcome, THEIRS, column)
            if ours and theirs:
                table.verdicts.append(target.judge(theirs.over(ours), column))
    return table
