"""What a type checker sees of regions; mypy reads this file, pytest runs it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, assert_type

from holdfast import Regions, regions
from holdfast.cache import Cache, Cached, CachedAsync, Stats

mine = Regions()


@mine.cached("short", ttl=60, key="user:{user_id}", tags=["users"])
def user(user_id: int, *, verbose: bool = False) -> str:
    return f"{user_id}{verbose}"


@mine.cached("long", ttl="5m")
async def price(name: str) -> float:
    return float(len(name))


class Shop:
    """A class with cached methods."""

    def __cache_key__(self) -> str:
        return "shop"

    @mine.cached("short")
    def item(self, number: int) -> bytes:
        return bytes(number)


mine.configure({"short": {"url": "memory://", "ttl": "5m", "near": False}, "long": {}})


def test_functions_keep_their_types() -> None:
    assert_type(user(7, verbose=True), str)
    assert_type(user.peek(7), str | None)
    assert_type(user.key(7), str)
    assert_type(Shop().item(3), bytes)
    assert_type(Shop().item.peek(3), bytes | None)
    plain: Callable[[int], str] = user
    cached: Cached[..., str] = user
    assert plain(8) == cached(8) == "8False"


def test_coroutine_functions_keep_their_types() -> None:
    async def main() -> None:
        assert_type(await price("tea"), float)
        assert_type(await price.peek("tea"), float | None)

    asyncio.run(main())
    awaited: Callable[[str], Coroutine[Any, Any, float]] = price
    cached: CachedAsync[..., float] = price
    assert asyncio.run(awaited("tea")) == asyncio.run(cached("tea")) == 3.0


def test_regions_have_types() -> None:
    assert_type(regions, Regions)
    assert_type(mine["short"], Cache)
    assert_type(mine.stats(), dict[str, Stats])
    assert_type(list(mine), list[str])
    assert list(mine) == ["short", "long"]


def test_wrong_calls_are_wrong_for_the_checker() -> None:
    def never() -> None:
        user("7")  # type: ignore[arg-type]
        user.invalidate("7")  # type: ignore[arg-type]
        Shop().item("3")  # type: ignore[arg-type]
        mine.cached("short", tll=3)  # type: ignore[call-overload]
        mine.configure({"short": {"tll": 3}})  # type: ignore[typeddict-unknown-key]
        mine.configure({"short": {"near": "no"}})  # type: ignore[typeddict-item]

    assert callable(never)
