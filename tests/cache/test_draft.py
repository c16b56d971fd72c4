"""Drafts: a creation in two halves, with all that holds for one in a function."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from holdfast import Cache
from holdfast.bridge import drive
from holdfast.cache.draft import Draft
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock

KINDS = ["near", "far", "both"]
CHANGES: dict[str, Callable[[Cache], object]] = {
    "delete": lambda cache: cache.delete("k"),
    "put": lambda cache: cache.put("k", "other"),
    "tag": lambda cache: cache.invalidate_tags("t"),
    "clear": lambda cache: cache.clear(),
}


def cache_of(kind: str, clock: ManualClock) -> Cache:
    store = None if kind == "near" else MemoryStore("drafts")
    return Cache(store, near=kind != "far", clock=clock)


@pytest.fixture(params=KINDS)
def cache(request: pytest.FixtureRequest) -> Any:
    with cache_of(request.param, ManualClock()) as here:
        yield here


def test_what_is_kept_is_found_by_its_tags_and_for_its_time(cache: Cache) -> None:
    draft = Draft(cache, "k")
    assert drive(draft.begin())
    assert cache.get("k") is None
    drive(draft.keep("value", ttl=60, tags=["t"]))
    drive(draft.end())
    drive(draft.end())
    assert cache.get("k") == "value"
    cache.invalidate_tags("t")
    assert cache.get("k") is None


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("is_there", [False, True])
def test_an_invalidation_wins(cache: Cache, change: str, is_there: bool) -> None:
    if is_there:
        cache.put("k", "first", tags=["t"])
    draft = Draft(cache, "k", **({"instead_of": "first"} if is_there else {}))
    assert drive(draft.begin())
    CHANGES[change](cache)
    drive(draft.keep("value", ttl=60, tags=["t"]))
    drive(draft.end())
    assert cache.get("k") == ("other" if change == "put" else None)


def test_what_is_not_kept_leaves_nothing(cache: Cache) -> None:
    store = cache._engines.store
    before = None if store is None else sorted(key for key in store.scan(""))  # type: ignore[attr-defined]
    draft = Draft(cache, "k")
    assert drive(draft.begin())
    drive(draft.end())
    if store is not None:
        left = set(store.scan("")) - set(before or ())  # type: ignore[attr-defined]
        assert all(":k" not in key for key in left)
    assert cache.get_or_create("k", lambda: "value") == "value"


def test_a_value_that_is_there_needs_no_draft(cache: Cache) -> None:
    cache.put("k", "value")
    draft = Draft(cache, "k")
    assert not drive(draft.begin())
    drive(draft.end())
    draft = Draft(cache, "k", instead_of="value")
    assert drive(draft.begin())
    drive(draft.keep("newer", ttl=60))
    drive(draft.end())
    assert cache.get("k") == "newer"


def test_a_cache_that_is_off_keeps_nothing() -> None:
    cache = Cache(enabled=False)
    draft = Draft(cache, "k")
    assert drive(draft.begin())
    drive(draft.keep("value", ttl=60))
    drive(draft.end())
    assert cache.get("k") is None


def test_another_process_that_renews_it_is_waited_for_and_read() -> None:
    """Two caches over one store stand for two processes."""
    store = MemoryStore("shared")
    one, two = Cache(store), Cache(store)
    one.put("k", "stale")
    assert two.get("k") == "stale"
    first = Draft(one, "k", instead_of="stale")
    assert drive(first.begin())
    second = Draft(two, "k", instead_of="stale")
    came: list[bool] = []
    waiting = threading.Thread(target=lambda: came.append(drive(second.begin())))
    waiting.start()
    time.sleep(0.1)
    drive(first.keep("fresh", ttl=60))
    drive(first.end())
    waiting.join(20)
    drive(second.end())
    assert came == [False]
    assert two.get("k") == "fresh"  # though it had the other one near
    store.close()


def test_another_process_that_gives_up_hands_it_on() -> None:
    store = MemoryStore("shared")
    one, two = Cache(store), Cache(store)
    one.put("k", "stale")

    async def meet() -> None:
        first = Draft(one.aio, "k", instead_of="stale")
        assert await first.begin()
        second = Draft(two.aio, "k", instead_of="stale")
        waiting = asyncio.ensure_future(second.begin())
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await first.end()
        assert await waiting
        await second.keep("fresh", ttl=60)
        await second.end()
        assert await two.aio.get("k") == "fresh"

    asyncio.run(meet())
    store.close()
