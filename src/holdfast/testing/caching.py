"""What tests of cached programs ask: is it cached, how often was it created.

Law: everything is seen from outside, as the program sees it; a look counts as the read that it is.

    with counting(user) as calls:
        user(7), user(7)
    assert calls.creates == 1
    assert_cached(user, 7)
    user.invalidate(7)
    assert_not_cached(user, 7)
"""

import inspect
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ParamSpec, Protocol, overload

from holdfast.bridge import drive
from holdfast.cache import Cache
from holdfast.cache.aio import AsyncCache
from holdfast.cache.counts import Stats
from holdfast.cache.decorate import Cached, CachedAsync
from holdfast.cache.region import Regions
from holdfast.cache.region_caches import RegionCaches
from holdfast.cache.region_options import Given, Written
from holdfast.clock import Clock
from holdfast.store.memory import MemoryStore

__all__ = ["Counting", "assert_cached", "assert_not_cached", "counting", "regions_in_memory"]

P = ParamSpec("P")


@overload
def assert_cached(
    asked: CachedAsync[P, Any], *args: P.args, **kwargs: P.kwargs
) -> Coroutine[Any, Any, None]: ...
@overload
def assert_cached(asked: Cached[P, Any], *args: P.args, **kwargs: P.kwargs) -> None: ...
@overload
def assert_cached(asked: Cache, *keys: str) -> None: ...
@overload
def assert_cached(asked: AsyncCache, *keys: str) -> Coroutine[Any, Any, None]: ...
def assert_cached(asked: Any, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, None] | None:
    """Fail unless there is a fresh value, which such a call would return.

    Args:
        asked: A function that `cached` decorated, or a cache. Of a coroutine function and of
            `cache.aio` it is awaited: `await assert_cached(user, 7)`.
        args: The arguments of the call; of a cache, keys: each must be there.
        kwargs: The arguments of the call by name.

    Raises:
        AssertionError: There is none; it names the key.
    """
    return _judge(asked, args, kwargs, wanted=True)


@overload
def assert_not_cached(
    asked: CachedAsync[P, Any], *args: P.args, **kwargs: P.kwargs
) -> Coroutine[Any, Any, None]: ...
@overload
def assert_not_cached(asked: Cached[P, Any], *args: P.args, **kwargs: P.kwargs) -> None: ...
@overload
def assert_not_cached(asked: Cache, *keys: str) -> None: ...
@overload
def assert_not_cached(asked: AsyncCache, *keys: str) -> Coroutine[Any, Any, None]: ...
def assert_not_cached(asked: Any, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, None] | None:
    """Fail if there is a fresh value; see `assert_cached`. A stale one is none.

    Raises:
        AssertionError: There is one; it names the key.
    """
    return _judge(asked, args, kwargs, wanted=False)


def _judge(asked: Any, args: Any, kwargs: Any, *, wanted: bool) -> Coroutine[Any, Any, None] | None:
    keyed = isinstance(asked, Cache | AsyncCache)
    steps = (
        _judge_keys(asked, args, wanted=wanted)
        if keyed
        else _judge_call(asked, args, kwargs, wanted=wanted)
    )
    asynchronous = isinstance(asked, AsyncCache) if keyed else inspect.iscoroutinefunction(asked)
    return steps if asynchronous else drive(steps)


async def _judge_keys(cache: Cache | AsyncCache, keys: Sequence[str], *, wanted: bool) -> None:
    if not keys:
        raise TypeError("which keys? assert_cached(cache, 'user:7')")
    for key in keys:
        there = key in cache if isinstance(cache, Cache) else await cache.contains(key)
        _say(key, there=there, wanted=wanted)


async def _judge_call(function: Any, args: Any, kwargs: Any, *, wanted: bool) -> None:
    hits = function.stats().hits
    value = function.peek(*args, **kwargs)
    if inspect.isawaitable(value):
        value = await value
    there = value is not None or function.stats().hits > hits  # a cached None is a hit
    _say(function.key(*args, **kwargs), there=there, wanted=wanted)


def _say(key: str, *, there: bool, wanted: bool) -> None:
    if there is not wanted:
        raise AssertionError(f"{key!r} is {'not ' if wanted else ''}cached")


class _Counted(Protocol):
    def stats(self) -> Stats: ...


class Counting:
    """What a cache or a function did since then; when its block is left, it counts no more."""

    def __init__(self, source: _Counted) -> None:
        self._now: Callable[[], Stats] = source.stats
        self._before = self._now()

    def stop(self) -> None:
        """Count no more; twice is fine."""
        last = self._now()
        self._now = lambda: last

    @property
    def creates(self) -> int:
        """Values created."""
        return self._now().creates - self._before.creates

    @property
    def hits(self) -> int:
        """Fresh values served."""
        return self._now().hits - self._before.hits

    @property
    def near_hits(self) -> int:
        """Fresh values served from this process."""
        return self._now().near_hits - self._before.near_hits

    @property
    def misses(self) -> int:
        """Reads that found no fresh value."""
        return self._now().misses - self._before.misses

    @property
    def stale(self) -> int:
        """Stale values served."""
        return self._now().stale - self._before.stale

    @property
    def errors(self) -> int:
        """Operations of the far tier that failed."""
        return self._now().errors - self._before.errors

    def __repr__(self) -> str:
        return (
            f"<Counting creates={self.creates} hits={self.hits} misses={self.misses}"
            f" stale={self.stale} errors={self.errors}>"
        )


@contextmanager
def counting(source: _Counted) -> Iterator[Counting]:
    """Count what a cache, or a function that `cached` decorated, does inside the block."""
    counted = Counting(source)
    try:
        yield counted
    finally:
        counted.stop()


@contextmanager
def regions_in_memory(regions: Regions, *, clock: Clock) -> Iterator[Regions]:
    """Let all regions live in this process inside the block, and be what they were after it.

    A region that is configured keeps its options, but has a memory store of its own where it had a
    store, and no bus; any other region has the defaults. What is configured inside the block counts
    inside the block.

    Args:
        regions: As a rule `holdfast.regions`.
        clock: The time of their values.
    """
    before = regions._caches  # noqa: SLF001 - they have no use for this but in tests
    given = Given() if before is None else before._given  # noqa: SLF001 - the same
    memory = {"url": Written(MemoryStore(clock=clock), "url"), "clock": Written(clock, "clock")}

    def moved(options: Mapping[str, Written]) -> dict[str, Written]:
        kept = {name: written for name, written in options.items() if name != "bus"}
        far = "url" in kept and kept["url"].value is not None
        return kept | {name: memory[name] for name in ("clock", *(["url"] if far else []))}

    here = Given(
        {name: moved(options) for name, options in given.regions.items()},
        moved(given.others or {}),
        given.enabled,
    )
    regions._follow(RegionCaches(here))  # noqa: SLF001 - the same
    try:
        yield regions
    finally:
        inside = regions._follow(before)  # noqa: SLF001 - the same
        if inside is not None:
            inside.close()
