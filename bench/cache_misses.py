"""Table `misses`: a cached call of a function of one argument whose value is not there.

Law: the function returns at once; each call has an argument of its own. In memory there is room for
a thousand values, so that each new one turns an old one out; Beaker, dogpile and aiocache have no
bound there. The plain driver looks, and puts.
"""

from itertools import count
from typing import Any

from bench.cache_calls import COLUMN, Calls, groups, misses
from bench.cache_peers import TTL
from bench.measure import Effort, Work, Works
from bench.report import Table
from bench.store_rows import DRIVER, VALUE, fill


def plain(client: Any, wait: str = "") -> Works:
    """GET and SET."""
    line = f"key = f'plain:{{next(keys)}}'; {wait}get(key); {wait}put(key, value, ex={TTL})"
    names = {"get": client.get, "put": client.set, "keys": count(), "value": VALUE}
    return {COLUMN: Work(line, names)}


def run(effort: Effort) -> Table:
    """Measure the table."""
    table = Table("misses", "cached call, miss", "us per call", [COLUMN, f"{DRIVER}{COLUMN}"])
    fill(table, groups(Calls(misses, plain, near=True)), effort)
    table.notes.append("a record of 300 bytes that is made at once; Holdfast keeps it near, too")
    return table
