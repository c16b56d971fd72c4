"""Many callers who want many values at once, and those who waited in vain."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tiers import TIERS, Scene, idle, leases, scene_of, turns, until

from holdfast import creation

pytestmark = pytest.mark.slow

CALLERS = 20


@pytest.fixture(params=TIERS)
def crowd(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene_of(request.param, "sync") as made:
        yield made


def test_overlapping_keys_in_another_order_are_made_once_each(crowd: Scene) -> None:
    cache = crowd.cache()
    names = [f"k{number}" for number in range(12)]
    made: list[str] = []

    def load(wanted: list[str]) -> dict[str, str]:
        made.extend(wanted)
        time.sleep(0.02)
        return {name: name for name in wanted}

    def one(name: str) -> str:
        return load([name])[name]

    with ThreadPoolExecutor(CALLERS) as pool:
        calls = [
            pool.submit(cache.get_or_create_many, names[:: 1 if turn % 2 else -1][turn % 5 :], load)
            for turn in range(CALLERS)
        ]
        singles = [pool.submit(cache.get_or_create, name, lambda n=name: one(n)) for name in names]
        for turn, call in enumerate(calls):
            wanted = names[:: 1 if turn % 2 else -1][turn % 5 :]
            assert call.result(30) == {name: name for name in wanted}
        assert [single.result(30) for single in singles] == names
    assert sorted(made) == sorted(names)


def test_tasks_overlap_too(crowd: Scene) -> None:
    cache = crowd.cache()
    names = [f"k{number}" for number in range(12)]
    made: list[str] = []

    async def load(wanted: list[str]) -> dict[str, str]:
        made.extend(wanted)
        await asyncio.sleep(0.02)
        return {name: name for name in wanted}

    async def main() -> None:
        async with asyncio.timeout(30):
            answers = await asyncio.gather(
                *(
                    cache.aio.get_or_create_many(names[:: 1 if turn % 2 else -1], load)
                    for turn in range(CALLERS)
                )
            )
        assert all(answer == {name: name for name in names} for answer in answers)

    asyncio.run(main())
    assert sorted(made) == sorted(names)


def test_a_caller_who_is_cancelled_hands_on(crowd: Scene) -> None:
    cache = crowd.cache()

    async def hang(names: list[str]) -> dict[str, str]:
        await asyncio.Event().wait()
        return dict.fromkeys(names, "never")

    async def load(names: list[str]) -> dict[str, str]:
        return dict.fromkeys(names, "made")

    async def main() -> None:
        async with asyncio.timeout(30):
            first = asyncio.ensure_future(cache.aio.get_or_create_many(["a", "b"], hang))
            await turns(lambda: "a" in cache._core.flights._flights)
            other = asyncio.ensure_future(cache.aio.get_or_create_many(["b", "c"], load))
            await asyncio.sleep(0.02)
            first.cancel()
            assert await other == {"b": "made", "c": "made"}

    asyncio.run(main())
    idle(cache)
    assert leases(crowd.store) == []
    assert crowd.store.get("v:a") is None


# What may not be kept


@pytest.mark.parametrize("why", ["skip", "none", "store down"])
def test_who_waited_in_vain_is_not_served_one_after_another(crowd: Scene, why: str) -> None:
    if why == "store down" and crowd.tiers != "far only":
        return
    cache = crowd.cache(none_ttl=0)
    if why == "store down":
        crowd.store.fail()
    running, most = 0, 0
    guard = threading.Lock()

    def create() -> object:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        time.sleep(0.1)
        with guard:
            running -= 1
        if why == "skip":
            creation().skip()
        return None if why == "none" else 1

    with ThreadPoolExecutor(CALLERS) as pool:
        calls = [pool.submit(cache.get_or_create, "k", create) for _ in range(CALLERS)]
        for call in calls:
            call.result(60)
    assert most >= CALLERS // 2
    crowd.store.mend()


def test_tasks_that_waited_in_vain_are_not_served_one_after_another(crowd: Scene) -> None:
    cache = crowd.cache()
    running, most = 0, 0

    async def create() -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.1)
        running -= 1
        creation().skip()
        return 1

    async def main() -> None:
        async with asyncio.timeout(60):
            await asyncio.gather(*(cache.aio.get_or_create("k", create) for _ in range(CALLERS)))

    asyncio.run(main())
    assert most >= CALLERS // 2


def test_of_many_that_do_not_exist_nobody_waits_one_after_another(crowd: Scene) -> None:
    cache = crowd.cache()
    names = [f"k{number}" for number in range(10)]
    runs: list[int] = []

    def load(wanted: list[str]) -> dict[str, str]:
        runs.append(len(wanted))
        time.sleep(0.05)
        return {}

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get_or_create_many, names, load)
        until(lambda: bool(runs))
        other = pool.submit(cache.get_or_create_many, names, load)
        assert first.result(30) == other.result(30) == {}
    assert len(runs) <= 3
