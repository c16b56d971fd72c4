"""Table `hit`: a cached call of a function of two integers, the value is there.

Law: every row calls `f(1, 2)`, with a ttl where the library has one, and room to spare.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from bench.measure import Case, Effort, Work, measure, timing
from bench.report import Table, ratios, timed
from bench.targets import (
    HIT_OVER_LRU,
    HIT_OVER_LRU_STRETCH,
    HIT_UNDER_BEAKER,
    HIT_UNDER_BEAKER_STRETCH,
)

TTL = 3600


def add(a: int, b: int) -> int:
    """Do next to nothing: what is measured is the cache."""
    return a + b


def hit(f: Callable[..., Any], line: str = "f(1, 2)") -> Mapping[str, Work]:
    """Return the one column of this table."""
    f(1, 2)
    return {"ns": Work(line, {"f": f})}


def lru() -> Mapping[str, Work]:
    """C, no ttl: the floor."""
    return hit(functools.lru_cache(128)(add))


def cachetools() -> Mapping[str, Work]:
    """No lock, which is its default."""
    import cachetools

    return hit(cachetools.cached(cachetools.TTLCache(128, TTL))(add))


def cachebox() -> Mapping[str, Work]:
    """Rust."""
    import cachebox

    return hit(cachebox.cached(cachebox.TTLCache(128, global_ttl=TTL))(add))


def beaker() -> Mapping[str, Work]:
    """The documented decorator on its memory store."""
    from beaker.cache import CacheManager

    return hit(CacheManager(type="memory").cache("bench", expire=TTL)(add))


def dogpile() -> Mapping[str, Work]:
    """The documented decorator on its memory store."""
    from dogpile.cache import make_region

    region = make_region().configure("dogpile.cache.memory", expiration_time=TTL)
    return hit(region.cache_on_arguments()(add))


def theine() -> Mapping[str, Work]:
    """Keys made by itself."""
    from datetime import timedelta

    from theine import Memoize

    return hit(Memoize(128, timedelta(seconds=TTL))(add))


def holdfast() -> Mapping[str, Work]:
    """Near tier only."""
    from holdfast import Cache

    return hit(Cache(max_entries=128).cached(ttl=TTL)(add))


def holdfast_named() -> Mapping[str, Work]:
    """One argument by name."""
    from holdfast import Cache

    return hit(Cache(max_entries=128).cached(ttl=TTL)(add), "f(1, b=2)")


def holdfast_far() -> Mapping[str, Work]:
    """Near tier over a store: the hit is a near hit."""
    from holdfast import Cache

    cache = Cache("memory://", max_entries=128, near_ttl=TTL)
    return hit(cache.cached(ttl=TTL, key="add:{a}:{b}")(add))


def run(effort: Effort) -> Table:
    """Measure the table."""
    cases = [
        Case("no cache", lambda: hit(add)),
        Case("lru_cache", lru),
        Case("lru_cache, f(1, b=2)", lambda: hit(functools.lru_cache(128)(add), "f(1, b=2)")),
        Case("cachebox TTLCache", cachebox),
        Case("cachetools TTLCache", cachetools),
        Case("theine Memoize", theine),
        Case("Beaker @cache.cache, memory", beaker),
        Case("dogpile cache_on_arguments, memory", dogpile),
        Case("Holdfast @cached", holdfast, ours=True),
        Case("Holdfast @cached, f(1, b=2)", holdfast_named, ours=True),
        Case("Holdfast @cached, store, key=", holdfast_far, ours=True),
    ]
    outcome = measure(cases, effort)
    table = Table("hit", "cached call, hit", "ns per call", ["ns"])
    timed(table, cases, outcome)
    ratios(table, outcome, "lru_cache", by="ns")
    ours, floor = timing(outcome, "Holdfast @cached", "ns"), timing(outcome, "lru_cache", "ns")
    if ours and floor:
        over = ours.over(floor)
        table.verdicts += [HIT_OVER_LRU.judge(over), HIT_OVER_LRU_STRETCH.judge(over)]
    if ours and (old := timing(outcome, "Beaker @cache.cache, memory", "ns")):
        under = old.over(ours)
        table.verdicts += [HIT_UNDER_BEAKER.judge(under), HIT_UNDER_BEAKER_STRETCH.judge(under)]
    return table
