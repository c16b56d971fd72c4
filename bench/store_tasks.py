"""Table `stores-tasks`: the same as `stores-async`, awaited by 50 tasks of one loop.

Law: the tasks share the repetitions: a figure is the time of all by the number of calls, not how
long one task waits.
"""

from bench import store_async
from bench.measure import Effort
from bench.report import Table

TASKS = 50


def run(effort: Effort) -> Table:
    """Measure the table."""
    return store_async.run(effort, tasks=TASKS)
