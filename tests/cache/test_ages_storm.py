"""A storm: threads and tasks over two caches and one store do anything, with any options.

Law: whoever begins to read after a change has returned never gets a value from before it: at once
in the cache that changed it, and after `near_ttl` in the other. Values carry the version of their
source; a change makes a new version first.
"""

import asyncio
import contextlib
import functools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tiers import TIERS, idle

from holdfast import creation
from holdfast.cache import Cache
from holdfast.errors import CreateTimeout
from holdfast.store.memory import MemoryStore

SECONDS = 5.0
KEYS = [f"k{number}" for number in range(5)]
NEAR_TTL, TTL, GRACE = 0.05, 0.3, 0.3
LATE = 3.0  # seconds a busy machine may take from the end of a creation to its publish
OPTIONS: list[dict[str, Any]] = [
    {},
    {"soft_timeout": 0.005},
    {"hard_timeout": 0.02},
    {"refresh_at": 0.3},
    {"refresh_at": "xfetch"},
    {"sliding": 0.1},
    {"jitter": 0.5},
    {"retry_after": 0.05},
    {"grace": 0},
    {"ttl": 0.02},
    {"soft_timeout": 0, "hard_timeout": 0.05, "retry_after": 0.02},
]


class DownError(Exception):
    """The source does not answer."""


Value = tuple[str, int, float]
"""A key, the version of its source, and when it was made."""


class Source:
    """What is true, and what each cache may still serve."""

    def __init__(self) -> None:
        self.changing = threading.Lock()
        self._guard = threading.Lock()
        self._versions = dict.fromkeys(KEYS, 0)
        self._changes: list[tuple[float, int, str, int]] = []
        self.wrong: list[str] = []
        self.reads = 0

    def now(self, key: str) -> Value:
        with self._guard:
            return key, self._versions[key], time.time()

    def begin_change(self, *keys: str) -> None:
        with self._guard:
            for key in keys:
                self._versions[key] += 1

    def changed(self, number: int, *keys: str) -> None:
        at = time.time()
        with self._guard:
            self._changes += [(at, number, key, self._versions[key]) for key in keys]
            del self._changes[:-200]

    def oldest(self, number: int, key: str) -> tuple[float, int]:
        """Return the time, and the version that cache may serve from now on."""
        now = time.time()
        with self._guard:
            return now, max(
                (
                    version
                    for at, by, changed, version in self._changes
                    if changed == key and (by == number or at + NEAR_TTL < now)
                ),
                default=0,
            )

    def check(self, key: str, since: tuple[float, int], got: Any) -> None:
        self.reads += 1
        now, version = since
        name, got_version, made = got
        if name != key or got_version < version:
            self.wrong.append(f"{key}: {got}, but at least {version}")
        if made + TTL + GRACE + LATE < now:
            self.wrong.append(f"{key}: {now - made} s old")


class Person:
    """One thread, or one task."""

    def __init__(self, source: Source, caches: list[Cache], seed: int) -> None:
        self.source = source
        self.caches = caches
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self.end = time.time() + SECONDS

    def create(self, cache: Cache, key: str) -> Any:
        value = self.source.now(key)
        what = self.random.random()
        time.sleep(self.random.random() * 0.01)
        if what < 0.1:
            raise DownError
        if what < 0.15:
            creation().skip()
        elif what < 0.25:
            creation().tag("late")
        elif what < 0.35:
            with contextlib.suppress(DownError, CreateTimeout):
                other = self.random.choice(KEYS)
                cache.get_or_create(other, lambda: self.source.now(other))
        return value

    async def create_later(self, cache: Cache, key: str) -> Any:
        value = self.source.now(key)
        what = self.random.random()
        await asyncio.sleep(self.random.random() * 0.01)
        if what < 0.1:
            raise DownError
        if what < 0.2:
            with contextlib.suppress(DownError, CreateTimeout):
                other = self.random.choice(KEYS)
                await cache.aio.get_or_create(other, lambda: self.source.now(other))
        return value

    def live(self) -> None:
        while time.time() < self.end and not self.source.wrong:
            number = self.random.randrange(2)
            cache, key = self.caches[number], self.random.choice(KEYS)
            options = self.random.choice(OPTIONS)
            what = self.random.random()
            if what > 0.9:
                with self.source.changing:
                    self.change(number, key)
                continue
            with contextlib.suppress(DownError, CreateTimeout):
                since = self.source.oldest(number, key)
                if what < 0.6:
                    got = cache.get_or_create(
                        key, functools.partial(self.create, cache, key), **options
                    )
                    self.source.check(key, since, got)
                elif what < 0.75:
                    if (got := cache.get(key)) is not None:
                        self.source.check(key, since, got)
                else:
                    all_since = {name: self.source.oldest(number, name) for name in KEYS}
                    many = cache.get_or_create_many(
                        self.random.sample(KEYS, 3),
                        lambda names: {name: self.source.now(name) for name in names},
                        **options,
                    )
                    for name, value in many.items():
                        self.source.check(name, all_since[name], value)

    def change(self, number: int, key: str) -> None:
        cache, how = self.caches[number], self.random.randrange(4)
        keys = [key] if how < 2 else KEYS
        self.source.begin_change(*keys)
        if how == 0:
            cache.delete(key)
        elif how == 1:
            cache.put(key, self.source.now(key), tags=["all"])
        elif how == 2:
            cache.invalidate_tags("all")
        else:
            cache.clear()
        self.source.changed(number, *keys)

    async def live_in_a_loop(self) -> None:
        while time.time() < self.end and not self.source.wrong:
            number = self.random.randrange(2)
            cache, key = self.caches[number], self.random.choice(KEYS)
            options = self.random.choice(OPTIONS)
            since = self.source.oldest(number, key)
            call = cache.aio.get_or_create(
                key, functools.partial(self.create_later, cache, key), **options
            )
            limit = self.random.choice([None, None, 0.0, 0.002, 0.01])
            with contextlib.suppress(DownError, CreateTimeout, TimeoutError):
                async with asyncio.timeout(limit):
                    got = await call
                self.source.check(key, since, got)
            await asyncio.sleep(0)


@pytest.mark.slow
@pytest.mark.parametrize("tiers", TIERS)
def test_nobody_gets_anything_older_than_allowed(tiers: str) -> None:
    source, store = Source(), MemoryStore()
    settings: dict[str, Any] = {"ttl": TTL, "grace": GRACE, "near_ttl": NEAR_TTL, "tags": ["all"]}
    if tiers == "near only":
        one = Cache(**settings)
        caches = [one, one]
    else:
        caches = [Cache(store, near=tiers == "near and far", **settings) for _ in range(2)]
    people = [Person(source, caches, seed) for seed in range(14)]

    async def tasks() -> None:
        async with asyncio.timeout(SECONDS * 12):
            await asyncio.gather(*(person.live_in_a_loop() for person in people[8:]))

    with ThreadPoolExecutor(9) as pool:
        calls = [pool.submit(person.live) for person in people[:8]]
        calls.append(pool.submit(asyncio.run, tasks()))
        for call in calls:
            call.result(SECONDS * 12)
    assert not source.wrong, source.wrong[:5]
    assert source.reads > 100
    for cache in caches:
        idle(cache)
    assert [key for key in store.scan() if key.startswith("l")] == []
