"""Table `memory`: what a container takes per entry, beyond the key and the value.

Law: each container is filled in a process of its own. The keys exist before, and all entries share
one value; what the resident size grows by is the container's. The libraries are imported before.
"""

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from statistics import median

from bench.measure import NOT_INSTALLED, Effort
from bench.report import Row, Table
from bench.targets import ENTRY_BYTES

ENTRIES = 200_000
OURS = "Holdfast near tier"
TTL = 3600

Fill = Callable[[Sequence[str], str], object]


def plain(keys: Sequence[str], value: str) -> object:
    """No ttl, no order, no limit: the floor."""
    return dict.fromkeys(keys, value)


def lru(keys: Sequence[str], value: str) -> object:
    """No ttl."""
    look = lru_cache(len(keys))(lambda _: value)
    for key in keys:
        look(key)
    return look


def cachetools(keys: Sequence[str], value: str) -> object:
    """TTLCache."""
    from cachetools import TTLCache

    kept: TTLCache[str, str] = TTLCache(len(keys), TTL)
    for key in keys:
        kept[key] = value
    return kept


def cachebox(keys: Sequence[str], value: str) -> object:
    """TTLCache."""
    from cachebox import TTLCache

    kept: TTLCache[str, str] = TTLCache(len(keys), global_ttl=TTL)
    for key in keys:
        kept[key] = value
    return kept


def cachebox_each(keys: Sequence[str], value: str) -> object:
    """VTTLCache: a ttl of its own for each entry, as ours has."""
    from cachebox import VTTLCache

    kept: VTTLCache[str, str] = VTTLCache(len(keys))
    for key in keys:
        kept.insert(key, value, TTL)
    return kept


def beaker(keys: Sequence[str], value: str) -> object:
    """Its memory namespace."""
    from beaker.cache import Cache

    kept = Cache("bench", type="memory", expire=TTL)
    for key in keys:
        kept.put(key, value)
    return kept


def dogpile(keys: Sequence[str], value: str) -> object:
    """Its memory backend."""
    from dogpile.cache import make_region

    kept = make_region().configure("dogpile.cache.memory", expiration_time=TTL)
    for key in keys:
        kept.set(key, value)
    return kept


def cashews(keys: Sequence[str], value: str) -> object:
    """Its memory backend."""
    import asyncio

    from cashews import Cache

    kept = Cache()
    kept.setup(f"mem://?size={len(keys)}")

    async def fill() -> None:
        for key in keys:
            await kept.set(key, value, expire=TTL)

    asyncio.run(fill())
    return kept


def theine(keys: Sequence[str], value: str) -> object:
    """Its cache, with a ttl."""
    from datetime import timedelta

    from theine import Cache

    kept: Cache[str, str] = Cache(len(keys))
    for key in keys:
        kept.set(key, value, timedelta(seconds=TTL))
    return kept


def holdfast(keys: Sequence[str], value: str) -> object:
    """Near tier only."""
    from holdfast import Cache

    kept = Cache(max_entries=len(keys), ttl=TTL)
    for key in keys:
        kept.put(key, value)
    return kept


def holdfast_weighed(keys: Sequence[str], value: str) -> object:
    """Bounded by bytes as well, so each value is weighed."""
    from holdfast import Cache

    kept = Cache(max_entries=len(keys), max_bytes=10**9, ttl=TTL)
    for key in keys:
        kept.put(key, value)
    return kept


def holdfast_tagged(keys: Sequence[str], value: str) -> object:
    """One tag for all."""
    from holdfast import Cache

    kept = Cache(max_entries=len(keys), ttl=TTL)
    for key in keys:
        kept.put(key, value, tags=("all",))
    return kept


def holdfast_cached(keys: Sequence[str], value: str) -> object:
    """A decorated function: its index of arguments comes on top; each key is an argument, too."""
    from holdfast import Cache

    cache = Cache(max_entries=len(keys), ttl=TTL)
    look = cache.cached(key="{key}")(_answer(value))
    for key in keys:
        look(key)
    return cache, look


def _answer(value: str) -> Callable[[str], str]:
    """Return a function whose argument is typed, which is what names its key."""

    def answer(key: str) -> str:  # noqa: ARG001 - the argument is the cache's business
        return value

    return answer


CONTAINERS: dict[str, Fill] = {
    "dict (no ttl, no order)": plain,
    "lru_cache (no ttl)": lru,
    "cachebox TTLCache": cachebox,
    "cachebox VTTLCache": cachebox_each,
    "cachetools TTLCache": cachetools,
    "Beaker, memory": beaker,
    "dogpile, memory": dogpile,
    "cashews, memory": cashews,
    "theine": theine,
    OURS: holdfast,
    "Holdfast near tier, max_bytes": holdfast_weighed,
    "Holdfast near tier, one tag": holdfast_tagged,
    "Holdfast @cached, key=": holdfast_cached,
}


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def fill(name: str, entries: int) -> float:
    """Return the bytes per entry; runs in a process of its own."""
    warm = CONTAINERS[name](["warm"], "up")  # imports, and whatever is made once
    keys = [f"bench:{number:>020}:{'k' * 32}" for number in range(entries)]
    before = resident()
    kept = CONTAINERS[name](keys, "value")
    grown = resident() - before
    del warm, kept
    return grown / entries


def run(effort: Effort) -> Table:
    """Fill each container three times."""
    table = Table("memory", "memory per near entry", "bytes per entry", ["bytes"])
    entries = effort.count(ENTRIES)
    for name in CONTAINERS:
        row = Row(name, {}, ours=name.startswith("Holdfast"))
        told = [_in_a_process(name, entries) for _ in range(min(3, effort.rounds))]
        sizes = [size for size in told if size is not None]
        row.cells["bytes"] = median(sizes) if sizes else NOT_INSTALLED
        table.rows.append(row)
        if sizes and name == OURS:
            table.verdicts.append(ENTRY_BYTES.judge(median(sizes)))
    table.notes.append(f"{entries:,} entries; growth of the resident size, keys and value excluded")
    return table


def _in_a_process(name: str, entries: int) -> float | None:
    """Run `fill` in a new interpreter; None where the library is not installed."""
    code = (
        "from bench.memory import fill\n"
        "try: print(fill(*eval(input())))\n"
        "except ImportError: print()"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code],
        input=repr((name, entries)),
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    return float(done.stdout) if done.stdout.strip() else None
