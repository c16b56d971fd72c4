"""What cannot be meant is said clearly, and what fails does so as without a cache."""

import asyncio
import functools
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from types import CoroutineType
from typing import Any, cast

import pytest

from holdfast import open_store
from holdfast.cache import Cache, creation
from holdfast.errors import ConfigError
from holdfast.store.memory import MemoryStore


@pytest.fixture(params=["near only", "near and far", "far only", "disabled"])
def cache(request: pytest.FixtureRequest) -> Cache:
    if request.param == "near only":
        return Cache()
    near, enabled = request.param == "near and far", request.param != "disabled"
    return Cache(MemoryStore(), near=near, enabled=enabled)


async def later() -> int:
    return 1


def numbers() -> Iterator[int]:
    yield 1


async def slow_numbers() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("create", [later, numbers, slow_numbers])
def test_what_can_be_used_only_once_is_not_kept(cache: Cache, create: Callable[[], Any]) -> None:
    @cache.cached()
    def plain() -> Any:
        return create()

    with pytest.raises(ConfigError, match="only once"):
        plain()
    with pytest.raises(ConfigError, match=r"'numbers'.*only once"):
        cache.get_or_create("numbers", create)
    assert "numbers" not in cache


@pytest.mark.parametrize("create", [numbers, slow_numbers])
def test_nor_is_it_by_the_async_face(cache: Cache, create: Callable[[], Any]) -> None:
    with pytest.raises(ConfigError, match="only once"):
        asyncio.run(cache.aio.get_or_create("numbers", create))


class Source:
    """Callable, and no function."""

    async def __call__(self) -> int:
        return 1


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (property(lambda _: 1), "below @property"),
        (functools.cached_property(lambda _: 1), "below @cached_property"),
        (functools.singledispatchmethod(lambda _: 1), "below each @register"),
        (functools.partial(later), "write a def"),
        (Source(), "write a def"),
        (max, "write a def"),
        (None, "write a def"),
        (lambda: 1, "lambda.*key="),
        ("tea".upper, "its object.*key="),
    ],
)
def test_what_is_no_function_cannot_be_decorated(cache: Cache, what: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        cache.cached()(what)


def test_a_lambda_and_a_bound_method_are_cached_under_a_key(cache: Cache) -> None:
    add: Callable[[int], int] = lambda a: a + 1  # noqa: E731 - a lambda is what is tested
    assert cache.cached(key="add:{a}")(add)(1) == 2
    assert cache.cached(key="upper")("tea".upper)() == "TEA"


def test_parentheses_are_asked_for(cache: Cache) -> None:
    with pytest.raises(ConfigError, match=r"@cache\.cached\(\)"):
        cache.cached(later)  # type: ignore[call-overload]


@pytest.mark.parametrize("key", [1, b"k", None, ["k"]])
def test_a_key_is_text(cache: Cache, key: Any) -> None:
    for use in (cache.get, cache.delete, cache.increment, cache.__contains__):
        with pytest.raises(ConfigError, match="a key is text"):
            use(key)
    with pytest.raises(ConfigError, match="a key is text"):
        cache.put(key, 1)
    with pytest.raises(ConfigError, match="a key is text"):
        cache.get_or_create(key, int)
    with pytest.raises(ConfigError, match="a key is text"):
        asyncio.run(cache.aio.get(key))


def test_a_name_of_a_namespace_is_text(cache: Cache) -> None:
    with pytest.raises(ConfigError, match="namespace 1"):
        cache.namespace(1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("refresh_at", 1),
        ("refresh_at", "often"),
        ("soft_timeout", -1),
        ("hard_timeout", 0),
        ("retry_after", "soon"),
        ("sliding", 0),
        ("near_ttl", -1),
    ],
)
def test_an_option_that_cannot_be_meant_is_named(cache: Cache, option: str, value: object) -> None:
    options: dict[str, Any] = {option: value}
    for use in (
        lambda: Cache(**options),
        lambda: cache.cached(**options),
        lambda: cache.put("k", 1, **options),
        lambda: cache.get_or_create("k", int, **options),
    ):
        with pytest.raises(ConfigError, match=option):
            use()


def test_what_reads_keep_fresh_is_not_made_anew_as_well() -> None:
    with pytest.raises(ConfigError, match="sliding and refresh_at"):
        Cache(sliding=5, refresh_at=0.5)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_bytes", 0),
        ("compress_above", "1k"),
        ("secrets", ["short"]),
        ("bus", "tracking"),
        ("bus", True),
        ("lease", -1),
        ("deadline", 0),
        ("on_error", "ignore"),
    ],
)
def test_an_option_of_a_cache_that_cannot_be_meant_is_named(option: str, value: object) -> None:
    options: dict[str, Any] = {option: value}
    with pytest.raises(ConfigError, match=option.removesuffix("s")):
        Cache("memory://", **options)


def test_an_open_store_has_its_own_deadline() -> None:
    with open_store("memory://") as store, pytest.raises(ConfigError, match="deadline"):
        Cache(store, deadline=1)


def test_a_count_is_whole(cache: Cache) -> None:
    with pytest.raises(TypeError, match=r"1\.5"):
        cache.increment("visits", by=1.5)  # type: ignore[arg-type]
    assert cache.increment("visits", by=2) == 2


def test_a_count_without_a_store_that_keeps_nothing() -> None:
    cache = Cache(enabled=False)
    assert [cache.increment("visits"), cache.increment("visits", by=3)] == [1, 3]


def test_an_int_of_any_size_is_an_argument(cache: Cache) -> None:
    @cache.cached()
    def bits(number: int) -> int:
        return number.bit_length()

    @cache.cached(key="bits:{number}")
    def by_template(number: int) -> int:
        return number.bit_length()

    for number in (10**5000, -(10**5000), 10**5000 + 1):
        assert bits(number) == by_template(number) == number.bit_length()
    assert bits.key(10**5000) != bits.key(-(10**5000)) != bits.key(10**5000 + 1)


def test_an_argument_that_holds_itself_has_no_stable_form(cache: Cache) -> None:
    @cache.cached(key="f:{items}")
    def f(items: list[Any]) -> int:
        return len(items)

    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ConfigError, match="depth"):
        f(endless)


def test_self_may_be_what_is_keyed_without_a_method(cache: Cache) -> None:
    runs: list[str] = []

    class Planet(Enum):
        EARTH = 1
        MARS = 2

        @cache.cached()
        def mass(self) -> str:
            runs.append(self.name)
            return self.name

    for _ in range(3):
        assert [Planet.EARTH.mass(), Planet.MARS.mass()] == ["EARTH", "MARS"]
    assert cache._core.enabled == (len(runs) == 2)


def test_an_object_that_changes_its_key_in_a_creation_changes_no_other_entry(cache: Cache) -> None:
    class Page:
        def __init__(self, version: int) -> None:
            self.version = version

        def __cache_key__(self) -> int:
            return self.version

        @cache.cached()
        def text(self) -> str:
            made = f"version {self.version}"
            self.version = 2
            return made

    assert Page(1).text() == "version 1"
    assert Page(2).text() == "version 2"


def test_a_refresh_that_fails_says_so_and_changes_nothing(cache: Cache) -> None:
    fails = False

    @cache.cached(grace=60)
    def price() -> int:
        if fails:
            raise LookupError("no such price")
        return 1

    assert price() == 1
    fails = True
    with pytest.raises(LookupError):
        price.refresh()
    assert price.peek() == (1 if cache._core.enabled else None)


def test_a_shared_failure_does_not_grow() -> None:
    cache, callers = Cache(), 20
    waiting, go = threading.Barrier(callers + 1), threading.Event()
    frames: list[int] = []

    def fail() -> int:
        go.wait(10)
        raise LookupError("no such price")

    def call() -> None:
        waiting.wait(10)
        try:
            cache.get_or_create("k", fail)
        except LookupError as error:
            frames.append(len(traceback.extract_tb(error.__traceback__)))

    with ThreadPoolExecutor(callers) as pool:
        calls = [pool.submit(call) for _ in range(callers)]
        waiting.wait(10)
        flights = cache._core.flights._flights
        while "k" not in flights or len(flights["k"]._callbacks) < callers - 1:
            threading.Event().wait(0.001)
        go.set()
        for each in calls:
            each.result(10)
    assert len(frames) == callers
    assert max(frames) < 3 * min(frames)


def test_a_coroutine_that_was_refused_is_closed(cache: Cache) -> None:
    made: list[CoroutineType[Any, Any, int]] = []

    def create() -> Any:
        made.append(cast("Any", later()))
        return made[-1]

    with pytest.raises(ConfigError, match=r"cache\.aio"):
        cache.get_or_create("k", create)
    assert made[0].cr_frame is None


def test_a_function_that_speaks_of_its_creation_may_be_called_uncached(cache: Cache) -> None:
    @cache.cached()
    def price(item: object) -> str:
        creation().ttl = "1m"
        return f"price of {item}"

    @cache.cached()
    async def later_price(item: object) -> str:
        creation().tag("prices")
        return f"price of {item}"

    assert price.uncached("tea") == asyncio.run(later_price.uncached("tea")) == "price of tea"
    assert price.uncached(1j * 2).startswith("price")
    assert price.peek("tea") is None
