"""Table `hit-async`: awaiting a cached coroutine function of two integers, the value is there.

Law: every row awaits `f(1, 2)` inside one running loop, with a ttl where the library has one.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bench.measure import Case, Effort, Work, measure, timing
from bench.report import Table, ratios, timed
from bench.targets import AWAIT_OVER_BARE, AWAIT_UNDER_AIOCACHE

TTL = 3600


async def add(a: int, b: int) -> int:
    """Do next to nothing: what is measured is the cache."""
    return a + b


def hit(f: Callable[..., Any]) -> Mapping[str, Work]:
    """Return the one column of this table."""
    return {"ns": Work("await f(1, 2)", {"f": f})}


def async_lru() -> Mapping[str, Work]:
    """One process, one loop."""
    from async_lru import alru_cache

    return hit(alru_cache(128, ttl=TTL)(add))


def aiocache() -> Mapping[str, Work]:
    """The documented decorator; its default is the memory cache."""
    from aiocache import cached

    return hit(cached(ttl=TTL)(add))


def cashews() -> Mapping[str, Work]:
    """A key template, its quicker form."""
    from cashews import Cache

    cache = Cache()
    cache.setup("mem://", size=128)
    return hit(cache(ttl=TTL, key="add:{a}:{b}")(add))


def cachebox() -> Mapping[str, Work]:
    """Rust."""
    import cachebox

    return hit(cachebox.cached(cachebox.TTLCache(128, global_ttl=TTL))(add))


def theine() -> Mapping[str, Work]:
    """Keys made by itself."""
    from datetime import timedelta

    from theine import Memoize

    return hit(Memoize(128, timedelta(seconds=TTL))(add))


def holdfast() -> Mapping[str, Work]:
    """Near tier only."""
    from holdfast import Cache

    return hit(Cache(max_entries=128).cached(ttl=TTL)(add))


def holdfast_get() -> Mapping[str, Work]:
    """The async face without the decorator."""
    from holdfast import Cache

    cache = Cache(max_entries=128)
    cache.put("add", 3, ttl=TTL)
    return {"ns": Work('await get("add")', {"get": cache.aio.get})}


def run(effort: Effort) -> Table:
    """Measure the table."""
    cases = [
        Case("bare await", lambda: hit(add)),
        Case("cachebox TTLCache", cachebox),
        Case("async_lru", async_lru),
        Case("theine Memoize", theine),
        Case("aiocache, memory", aiocache),
        Case("cashews, memory", cashews),
        Case("Holdfast @cached", holdfast, ours=True),
        Case("Holdfast cache.aio.get", holdfast_get, ours=True),
    ]
    outcome = measure(cases, effort)
    table = Table("hit-async", "cached coroutine function, hit", "ns per await", ["ns"])
    timed(table, cases, outcome)
    ratios(table, outcome, "bare await", by="ns")
    ours, bare = timing(outcome, "Holdfast @cached", "ns"), timing(outcome, "bare await", "ns")
    if ours and bare:
        table.verdicts.append(AWAIT_OVER_BARE.judge(ours.over(bare)))
    if ours and (slow := timing(outcome, "aiocache, memory", "ns")):
        table.verdicts.append(AWAIT_UNDER_AIOCACHE.judge(slow.over(ours)))
    return table
