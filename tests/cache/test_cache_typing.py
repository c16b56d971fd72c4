"""What a type checker sees of `@cached`; mypy reads this file, pytest runs it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import cached_property
from typing import Any, assert_type

from holdfast.cache import Cache, Cached, CachedAsync

cache = Cache()


@cache.cached(ttl=60, key="user:{user_id}", tags=["users"])
def user(user_id: int, *, verbose: bool = False) -> str:
    return f"{user_id}{verbose}"


@cache.cached(ttl="5m")
async def price(name: str) -> float:
    return float(len(name))


class Shop:
    """A class with cached methods."""

    def __cache_key__(self) -> str:
        return "shop"

    @cache.cached()
    def item(self, number: int) -> bytes:
        return bytes(number)

    @cache.cached()
    async def stock(self, number: int) -> int:
        return number

    @classmethod
    @cache.cached()
    def open(cls, number: int) -> bytes:
        return bytes(number)

    @cache.cached()
    @classmethod
    def closed(cls, number: int) -> bytes:
        return bytes(number)

    @classmethod
    @cache.cached()
    async def later(cls, number: int) -> bytes:
        return bytes(number)

    @staticmethod
    @cache.cached()
    def plain(number: int) -> bytes:
        return bytes(number)

    @cache.cached()
    @staticmethod
    def bare(number: int) -> bytes:
        return bytes(number)

    @property
    @cache.cached()
    def size(self) -> int:
        return 3

    @cached_property
    @cache.cached()
    def width(self) -> int:
        return 4

    @cache.cached()
    def __call__(self, number: int) -> str:
        return str(number)

    @cache.cached(collect=True, ttl=60)
    def items(self, number: int) -> Iterator[bytes]:
        yield bytes(number)

    @cache.cached(collect=True)
    async def stocks(self, number: int) -> AsyncIterator[int]:
        yield number


class Corner(Shop):
    """A class whose method overrides a cached one."""

    @cache.cached()
    def item(self, number: int) -> bytes:
        return super().item(number) + b"!"


@cache.cached(collect=True)
def upto(end: int) -> Iterator[int]:
    yield from range(end)


def test_functions_keep_their_types() -> None:
    assert_type(user(7, verbose=True), str)
    assert_type(user.key(7), str)
    assert_type(user.peek(7), str | None)
    assert_type(user.refresh(7), str)
    assert_type(user.uncached(7), str)
    assert user.key(7) == "user:7"
    plain: Callable[[int], str] = user
    assert plain(8) == "8False"


def test_coroutine_functions_keep_their_types() -> None:
    async def main() -> None:
        assert_type(await price("tea"), float)
        assert_type(await price.peek("tea"), float | None)
        assert_type(await price.refresh("tea"), float)
        assert await price.uncached("tea") == 3.0

    asyncio.run(main())
    awaited: Callable[[str], Coroutine[Any, Any, float]] = price
    assert asyncio.run(awaited("tea")) == 3.0


def test_methods_keep_their_types() -> None:
    shop = Shop()
    assert_type(shop.item(3), bytes)
    assert_type(shop.item.peek(3), bytes | None)
    assert_type(Shop.item(shop, 3), bytes)
    assert shop.item.key(3) == Shop.item.key(shop, 3)

    async def main() -> None:
        assert_type(await shop.stock(3), int)
        assert_type(await shop.stock.peek(3), int | None)
        assert await shop.stock.refresh(3) == 3

    asyncio.run(main())


def test_class_and_static_methods_keep_their_types() -> None:
    shop = Shop()
    assert_type(Shop.open(3), bytes)
    assert_type(shop.open(3), bytes)
    assert_type(Corner.open.key(3), str)
    assert_type(Corner.open.peek(3), bytes | None)
    assert_type(Shop.closed(3), bytes)
    assert_type(shop.closed.refresh(3), bytes)
    assert_type(Shop.plain(3), bytes)
    assert_type(shop.plain(3), bytes)
    assert_type(shop.plain.key(3), str)
    assert_type(Shop.bare(3), bytes)
    assert_type(shop.bare.peek(3), bytes | None)

    async def main() -> None:
        assert_type(await Shop.later(3), bytes)
        assert_type(await shop.later.peek(3), bytes | None)
        await Shop.later.invalidate(3)

    asyncio.run(main())
    assert Shop.open.key(3) == shop.open.key(3) == Corner.open.key(3)


def test_properties_calls_and_overrides_keep_their_types() -> None:
    corner = Corner()
    assert_type(corner.size, int)
    assert_type(corner.width, int)
    assert_type(corner(3), str)
    assert_type(corner.item(3), bytes)
    assert_type(corner.item.peek(3), bytes | None)
    assert corner.item(3) == b"\0\0\0!"


def test_collected_generators_are_lists() -> None:
    assert_type(upto(3), list[int])
    assert_type(upto.peek(3), list[int] | None)
    assert_type(Shop().items(3), list[bytes])
    assert_type(Shop().items.refresh(3), list[bytes])

    async def main() -> None:
        assert_type(await Shop().stocks(3), list[int])
        assert_type(await Shop().stocks.peek(3), list[int] | None)

    asyncio.run(main())
    assert upto(3) == [0, 1, 2]


def test_wrong_calls_are_wrong_for_the_checker() -> None:
    def never() -> None:
        user("7")  # type: ignore[arg-type]
        user(7, loud=True)  # type: ignore[call-arg]
        user.invalidate("7")  # type: ignore[arg-type]
        Shop().item("3")  # type: ignore[arg-type]
        Shop.item(3)  # type: ignore[call-arg, arg-type]
        Shop.open("3")  # type: ignore[arg-type]
        Shop.open.invalidate("3")  # type: ignore[arg-type]
        Shop().plain("3")  # type: ignore[arg-type]
        upto("3")  # type: ignore[arg-type]
        cache.cached(collect=True)(price)  # type: ignore[arg-type]
        cache.cached(ttl=[])  # type: ignore[call-overload]

    assert callable(never)
    one: Cached[[int], bytes] = Shop().item
    two: CachedAsync[[int], int] = Shop().stock
    assert callable(one)
    assert callable(two)


def test_get_or_create_returns_what_create_does() -> None:
    assert_type(cache.get_or_create("a", lambda: 1), int)

    async def make() -> str:
        return "b"

    async def main() -> None:
        assert_type(await cache.aio.get_or_create("b", make), str)
        assert_type(await cache.aio.get_or_create("c", lambda: 2.0), float)

    asyncio.run(main())
    assert cache.get_many(["a", "b", "c"]) == {"a": 1, "b": "b", "c": 2.0}
