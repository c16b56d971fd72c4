"""Table `compat-cache`: calls of Beaker's caches, through Beaker and through the facade.

Law: a value is a record of about 300 bytes under one of twenty keys, with a time to live. `create`
removes it and has it made again; `region` and `by name` call a function of two integers that
`cache_region` decorates, `cached` one that a manager's `cache` does; each time the value is there.
"""

from collections.abc import Callable, Mapping
from itertools import count, cycle
from typing import Any

from bench.cache_calls import RECORD
from bench.compat_kinds import KINDS, Library, fill
from bench.measure import Effort, Work, Works
from bench.report import Table

__all__ = ["run"]

TTL = 3600
COLUMNS = ("get", "put", "in", "create", "region", "by name", "cached")
_numbers = count()


def function(name: str) -> Callable[[int, int], dict[str, Any]]:
    """Return what is decorated: of another name in each row, or all rows shared one value."""

    def product(a: int, b: int) -> dict[str, Any]:
        del a, b
        return RECORD

    product.__name__ = name
    return product


def works(library: Library, options: Mapping[str, Any]) -> Works:
    """Return the columns of one row."""
    module, number = library("cache"), next(_numbers)
    manager = module.CacheManager(**options)
    cache = manager.get_cache(f"bench{number}", expire=TTL)
    keys = [f"tea-{key:04}" for key in range(20)]
    for key in keys:
        cache.put(key, RECORD)
    assert cache.get(keys[3]) == RECORD
    module.cache_regions[f"region{number}"] = {"expire": TTL, **options}

    names: dict[str, Any] = {
        "cache": cache,
        "keys": cycle(keys),
        "record": RECORD,
        "make": lambda: RECORD,
    }
    lines = (
        "cache.get(next(keys))",
        "cache.put(next(keys), record)",
        "next(keys) in cache",
        "cache.remove_value('other'); cache.get('other', createfunc=make)",
        "in_region(1, 2)",
        "in_region(1, b=2)",
        "cached(1, 2)",
    )
    product = function(f"product{number}")
    names |= {
        "in_region": module.cache_region(f"region{number}", "product")(product),
        "cached": manager.cache("product", expire=TTL)(product),
    }
    return {column: Work(line, names) for column, line in zip(COLUMNS, lines, strict=True)}


def run(effort: Effort) -> Table:
    """Measure the table."""
    table = Table("compat-cache", "Beaker's caches", "us per call", list(COLUMNS))
    fill(table, KINDS, works, effort)
    return table
