"""Timeouts: who waits how long for a creation, and what becomes of it."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tiers import FOREVER, TIERS, Scene, Slow, run, scene_of, turns, until, waiting

from holdfast.cache import Cache
from holdfast.errors import CreateTimeout

pytestmark = pytest.mark.slow

SOON = 0.02


@pytest.fixture(params=TIERS)
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene_of(request.param, "sync") as made:
        yield made


def stale(scene: Scene, **options: Any) -> Cache:
    """Return a cache with a stale value under `k`."""
    cache = scene.cache(ttl=10, grace=1000, tags=["t"], **options)
    cache.put("k", "stale")
    scene.clock.advance(20)
    return cache


# Soft


def test_a_stale_value_is_served_and_the_creation_goes_on(scene: Scene) -> None:
    cache, create = stale(scene, soft_timeout=SOON), Slow()
    assert cache.get_or_create("k", create) == "stale"
    assert cache.get_or_create("k", create) == "stale"
    create.go.set()
    scene.settle()
    assert cache.get("k") == "made"
    assert create.runs == 1


def test_a_stale_value_is_served_to_a_task_and_the_creation_goes_on(scene: Scene) -> None:
    cache, create = stale(scene, soft_timeout=SOON), Slow()

    async def main() -> None:
        assert await cache.aio.get_or_create("k", create.later) == "stale"
        assert await cache.aio.get_or_create("k", create.later) == "stale"
        create.go.set()
        await turns(lambda: not cache._core.flights._flights)
        assert await cache.aio.get("k") == "made"

    run(main)
    assert create.runs == 1


def test_a_soft_timeout_of_0_serves_the_stale_value_at_once(scene: Scene) -> None:
    cache, create = stale(scene, soft_timeout=0), Slow()
    assert cache.get_or_create("k", create) == "stale"
    create.go.set()
    scene.settle()
    assert cache.get("k") == "made"


def test_what_was_quick_enough_is_not_stale(scene: Scene) -> None:
    cache = stale(scene, soft_timeout=FOREVER)
    assert cache.get_or_create("k", lambda: "made") == "made"
    scene.clock.advance(20)
    assert run(lambda: cache.aio.get_or_create("k", lambda: "again")) == "again"


@pytest.mark.parametrize("how", ["delete", "tags", "clear"])
def test_what_was_invalidated_meanwhile_is_not_served(scene: Scene, how: str) -> None:
    cache, create = stale(scene, soft_timeout=0.3), Slow()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(cache.get_or_create, "k", create)
        until(lambda: create.runs == 1)
        {
            "delete": lambda: cache.delete("k"),
            "tags": lambda: cache.invalidate_tags("t"),
            "clear": cache.clear,
        }[how]()
        until(lambda: "k" not in cache._core.flights._flights or create.runs == 1)
        threading.Timer(0.6, create.go.set).start()
        assert call.result(30) == "made"
    scene.settle()
    assert cache.get("k") != "stale"


def test_without_a_stale_value_a_soft_timeout_is_nothing(scene: Scene) -> None:
    cache, create = scene.cache(ttl=10, grace=1000, soft_timeout=SOON), Slow()
    threading.Timer(SOON * 10, create.go.set).start()
    assert cache.get_or_create("k", create) == "made"
    create.go.clear()
    threading.Timer(SOON * 10, create.go.set).start()
    assert run(lambda: cache.aio.get_or_create("l", create.later)) == "made"


# Hard


def test_after_a_hard_timeout_the_creation_goes_on_and_is_kept(scene: Scene) -> None:
    cache, create = scene.cache(hard_timeout=SOON), Slow()
    with pytest.raises(CreateTimeout):
        cache.get_or_create("k", create)
    with pytest.raises(CreateTimeout):  # as one who follows
        cache.get_or_create("k", create)
    create.go.set()
    scene.settle()
    assert cache.get("k") == "made"
    assert create.runs == 1


def test_after_a_hard_timeout_of_a_task_the_creation_goes_on(scene: Scene) -> None:
    cache, create = scene.cache(hard_timeout=SOON), Slow()

    async def main() -> None:
        for _ in range(2):
            with pytest.raises(CreateTimeout):
                await cache.aio.get_or_create("k", create.later)
        create.go.set()
        await turns(lambda: not cache._core.flights._flights)
        assert await cache.aio.get("k") == "made"

    run(main)
    assert create.runs == 1


def test_a_hard_timeout_serves_what_is_stale(scene: Scene) -> None:
    cache, create = stale(scene, hard_timeout=SOON), Slow()
    assert cache.get_or_create("k", create) == "stale"
    create.go.set()
    scene.settle()
    assert cache.get("k") == "made"


def test_the_shorter_of_both_counts(scene: Scene) -> None:
    cache, create = stale(scene, soft_timeout=FOREVER, hard_timeout=SOON), Slow()
    assert cache.get_or_create("k", create) == "stale"
    create.go.set()
    scene.settle()


def test_others_wait_as_long_as_they_said(scene: Scene) -> None:
    cache, create = scene.cache(), Slow()
    with ThreadPoolExecutor(3) as pool:
        patient = pool.submit(cache.get_or_create, "k", create)
        until(lambda: create.runs == 1)
        other = pool.submit(cache.get_or_create, "k", create)
        hasty = pool.submit(cache.get_or_create, "k", create, hard_timeout=SOON)
        assert isinstance(hasty.exception(30), CreateTimeout)
        assert not patient.done()
        create.go.set()
        assert patient.result(30) == other.result(30) == "made"
    assert create.runs == 1


def test_who_follows_a_hasty_one_may_be_patient(scene: Scene) -> None:
    cache, create = scene.cache(), Slow()
    with ThreadPoolExecutor(2) as pool:
        hasty = pool.submit(cache.get_or_create, "k", create, hard_timeout=SOON)
        assert isinstance(hasty.exception(30), CreateTimeout)
        patient = pool.submit(cache.get_or_create, "k", create)
        until(lambda: waiting(cache) > 0)
        create.go.set()
        assert patient.result(30) == "made"
    assert create.runs == 1


def test_a_task_and_a_thread_with_timeouts_share_a_creation(scene: Scene) -> None:
    cache, create = scene.cache(), Slow()
    with ThreadPoolExecutor(1) as pool:
        patient = pool.submit(cache.get_or_create, "k", create)
        until(lambda: create.runs == 1)
        with pytest.raises(CreateTimeout):
            run(lambda: cache.aio.get_or_create("k", create.later, hard_timeout=SOON))
        create.go.set()
        assert patient.result(30) == "made"
    assert create.runs == 1


def test_a_second_call_after_a_timeout_waits_no_longer_than_it_says(scene: Scene) -> None:
    """Also where the creation has not begun yet, for another process is at it."""
    if scene.tiers == "near only":
        return
    cache = scene.cache(hard_timeout=SOON)
    scene.store.put("lv:k", b"of another process")
    for _ in range(2):
        with pytest.raises(CreateTimeout):
            cache.get_or_create("k", lambda: "made")
    scene.store.delete("lv:k")
    scene.settle()
    assert cache.get("k") == "made"


def test_a_creation_that_fails_after_everybody_left_is_nobodys_business(scene: Scene) -> None:
    cache, create = scene.cache(hard_timeout=SOON), Slow()
    create.failure = LookupError("down")
    with pytest.raises(CreateTimeout):
        cache.get_or_create("k", create)
    create.go.set()
    scene.settle()
    assert cache.get_or_create("k", lambda: 2) == 2


def test_a_failure_reaches_who_waits_with_a_timeout(scene: Scene) -> None:
    cache, create = scene.cache(hard_timeout=FOREVER), Slow()
    create.failure = LookupError("down")
    create.go.set()
    with pytest.raises(LookupError):
        cache.get_or_create("k", create)
    with pytest.raises(LookupError):
        run(lambda: cache.aio.get_or_create("k", create.later))
