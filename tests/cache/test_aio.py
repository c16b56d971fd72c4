"""The async face: the same cache, over a store that works in threads."""

import asyncio

import pytest

from holdfast.cache import Cache, creation
from holdfast.errors import ConfigError
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock


class InThreads(MemoryStore):
    """A store whose async face runs in threads, as those of files do."""

    never_waits = False


@pytest.fixture(params=["near only", "near and far", "far only", "in threads"])
def cache(request: pytest.FixtureRequest) -> Cache:
    clock = ManualClock()
    if request.param == "near only":
        return Cache(clock=clock)
    kind = InThreads if request.param == "in threads" else MemoryStore
    return Cache(kind(clock=clock), near=request.param == "near and far", clock=clock)


def test_every_name_of_the_sync_face_is_there(cache: Cache) -> None:
    names = {name for name in dir(Cache) if not name.startswith("_")}
    assert names - set(dir(cache.aio)) == {"aio", "cached", "close"}


def test_every_method(cache: Cache) -> None:
    aio = cache.aio

    async def main() -> None:
        assert await aio.get("k", "none") == "none"
        await aio.put("k", 1, tags=["t"])
        assert await aio.get("k") == 1
        assert await aio.contains("k")
        assert await aio.delete("k")
        assert not await aio.contains("k")
        await aio.put_many({"a": 1, "b": 2}, tags=["t"])
        assert await aio.get_many(["a", "b", "c"]) == {"a": 1, "b": 2}
        assert await aio.delete_many(["a"]) == 1
        await aio.invalidate_tags("t")
        assert await aio.get("b") is None
        assert [await aio.increment("n"), await aio.increment("n", 4)] == [1, 5]
        users = aio.namespace("users")
        await users.put("k", 3)
        assert await aio.get("k") is None
        await users.clear()
        assert await users.get("k") is None
        await aio.clear()
        assert await aio.get("n") is None

    asyncio.run(main())
    assert aio.stats().misses > 0


def test_create_may_be_plain_or_not(cache: Cache) -> None:
    async def create() -> str:
        await asyncio.sleep(0)
        creation().tag("t")
        return "awaited"

    async def main() -> None:
        assert await cache.aio.get_or_create("a", create) == "awaited"
        assert await cache.aio.get_or_create("b", lambda: "plain") == "plain"
        await cache.aio.invalidate_tags("t")
        assert await cache.aio.get_many(["a", "b"]) == {"b": "plain"}

    asyncio.run(main())


def test_one_cache_in_one_loop_after_another(cache: Cache) -> None:
    for number in range(3):
        assert asyncio.run(cache.aio.get_or_create("k", lambda made=number: made)) == 0  # type: ignore[misc]


def test_tasks_do_not_see_each_others_creations(cache: Cache) -> None:
    async def create(name: str) -> str:
        await asyncio.sleep(0)
        return creation().key + name

    async def main() -> list[str]:
        return await asyncio.gather(
            *(cache.aio.get_or_create(name, lambda name=name: create(name)) for name in "abcdef")  # type: ignore[misc]
        )

    assert asyncio.run(main()) == [name * 2 for name in "abcdef"]
    with pytest.raises(ConfigError):
        creation()
