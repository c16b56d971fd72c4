"""Generators under `@cached`: refused with advice, or collected into a list."""

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from holdfast.cache import Cache
from holdfast.codec.typed import form_of_result
from holdfast.errors import ConfigError
from holdfast.store.memory import MemoryStore


@pytest.fixture(params=["near only", "far only"])
def cache(request: pytest.FixtureRequest) -> Cache:
    return Cache() if request.param == "near only" else Cache(MemoryStore(), near=False)


def test_a_generator_is_collected_once(cache: Cache) -> None:
    runs: list[int] = []

    @cache.cached(collect=True, key="upto:{end}")
    def upto(end: int) -> Iterator[int]:
        runs.append(end)
        yield from range(end)

    assert upto(3) == upto(3) == [0, 1, 2]
    assert runs == [3]
    assert upto.peek(3) == cache.get("upto:3") == [0, 1, 2]
    upto.invalidate(3)
    assert upto.peek(3) is None
    assert upto.refresh(3) == upto.uncached(3) == [0, 1, 2]
    assert (upto.__name__, upto.key(3)) == ("upto", "upto:3")


def test_an_async_generator_is_collected_once(cache: Cache) -> None:
    runs: list[int] = []

    @cache.cached(collect=True)
    async def upto(end: int) -> AsyncIterator[int]:
        runs.append(end)
        for number in range(end):
            yield number

    async def main() -> None:
        assert await upto(3) == await upto(3) == [0, 1, 2]
        assert runs == [3]
        assert await upto.refresh(3) == await upto.peek(3) == await upto.uncached(3) == [0, 1, 2]

    asyncio.run(main())


def test_methods_are_collected_too(cache: Cache) -> None:
    class Shelf:
        def __cache_key__(self) -> str:
            return "shelf"

        @cache.cached(collect=True)
        def books(self, count: int) -> Iterator[str]:
            yield from map(str, range(count))

        @cache.cached(collect=True)
        @classmethod
        def kinds(cls) -> Iterator[str]:
            yield cls.__name__

    assert Shelf().books(2) == Shelf().books.peek(2) == ["0", "1"]
    assert Shelf.kinds() == Shelf.kinds.peek() == ["Shelf"]


@dataclass
class Book:
    """What is yielded."""

    title: str


def test_what_is_collected_is_typed_as_what_is_yielded(cache: Cache) -> None:
    @cache.cached(collect=True)
    def books() -> Iterator[Book]:
        yield Book("a")

    @cache.cached(collect=True)
    async def later() -> "AsyncGenerator[Book, None]":
        yield Book("a")

    for function in (books, later):
        form = form_of_result(function)
        written = form.plain([Book("a")])
        assert written != [Book("a")]
        assert form.typed(written) == [Book("a")]


def test_a_generator_that_fails_in_its_midst_keeps_nothing(cache: Cache) -> None:
    fails = True

    @cache.cached(collect=True)
    def numbers() -> Iterator[int]:
        yield 1
        if fails:
            raise LookupError("no more")
        yield 2

    with pytest.raises(LookupError):
        numbers()
    assert numbers.peek() is None
    fails = False
    assert numbers() == [1, 2]


def test_a_generator_is_refused_with_advice(cache: Cache) -> None:
    def numbers() -> Iterator[int]:
        yield 1

    async def numbers_async() -> AsyncIterator[int]:
        yield 1

    for function in (numbers, numbers_async):
        with pytest.raises(ConfigError, match="collect=True"):
            cache.cached()(function)


def test_there_must_be_something_to_collect(cache: Cache) -> None:
    async def coroutine() -> list[int]:
        return [1]

    def plain() -> list[int]:
        return [1]

    decorate: Any = cache.cached(collect=True)
    for function in (coroutine, plain, len, 7):
        with pytest.raises(ConfigError, match="return a list"):
            decorate(function)


class Endless:
    """An iterator that is no generator."""

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        return 1


@pytest.mark.parametrize(
    "create",
    [
        lambda: map(str, [1]),
        lambda: zip([1], [2], strict=True),
        lambda: iter([1]),
        lambda: (number for number in [1]),
        lambda: io.StringIO("text"),
        Endless,
    ],
)
def test_iterators_are_refused_when_they_are_created(
    cache: Cache, create: Callable[[], Any]
) -> None:
    @cache.cached()
    def plain() -> Any:
        return create()

    with pytest.raises(ConfigError, match=r"plain.*only once"):
        plain()
    assert plain.peek() is None


def test_what_an_open_file_is_is_said(cache: Cache, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("text")
    with path.open() as file, pytest.raises(ConfigError, match="TextIOWrapper"):
        cache.get_or_create("text", lambda: file)


def test_a_future_is_refused(cache: Cache) -> None:
    async def main() -> None:
        @cache.cached()
        def plain() -> Any:
            return asyncio.get_running_loop().create_future()

        with pytest.raises(ConfigError, match="awaited only once"):
            plain()

    asyncio.run(main())


def test_a_list_and_a_range_are_values() -> None:
    cache = Cache()
    assert cache.get_or_create("list", lambda: [1]) == [1]
    assert cache.get_or_create("range", lambda: range(3)) == range(3)
