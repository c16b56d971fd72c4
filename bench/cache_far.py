"""Table `far`: a cached call of a function of one argument whose value is in the far tier alone.

Law: one argument, whose value, a record of about 300 bytes, is there; nobody keeps it in this
process. The plain driver gets 300 bytes.
"""

from typing import Any

from bench.cache_calls import COLUMN, PLAIN, Calls, far, groups
from bench.measure import Effort, Work, Works
from bench.report import Table
from bench.store_rows import DRIVER, fill


def plain(client: Any, wait: str = "") -> Works:
    """GET."""
    return {COLUMN: Work(f"{wait}get(key)", {"get": client.get, "key": PLAIN})}


def run(effort: Effort) -> Table:
    """Measure the table."""
    table = Table("far", "cached call, far hit", "us per call", [COLUMN, f"{DRIVER}{COLUMN}"])
    fill(table, groups(Calls(far, plain, near=False)), effort)
    table.notes.append("no near tier; client and server on one core")
    return table
