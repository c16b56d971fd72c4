"""`@cached`: the function stays what it was, and equal calls are one entry."""

import asyncio
import inspect
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, cast

import pytest

from holdfast.cache import Cache, creation
from holdfast.errors import ConfigError
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock


class Colour(IntEnum):
    """Equal to 1."""

    RED = 1


class Word(str):
    """Equal to a str."""

    __slots__ = ()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["near only", "near and far", "far only"])
def cache(request: pytest.FixtureRequest, clock: ManualClock) -> Cache:
    if request.param == "near only":
        return Cache(clock=clock)
    near = request.param == "near and far"
    return Cache(MemoryStore(clock=clock), near=near, clock=clock, near_ttl=1000)


def test_equal_calls_are_one_entry(cache: Cache) -> None:
    calls: list[tuple[object, ...]] = []

    @cache.cached(ttl=60)
    def f(a: int, /, b: int = 2, *rest: int, c: int = 3, **more: int) -> int:
        calls.append((a, b, *rest, c, more))
        return len(calls)

    assert f(1) == f(1, 2) == f(1, b=2) == f(1, c=3) == f(1, 2, c=3) == 1
    assert f(1, 2, 3, x=4, y=5) == f(1, 2, 3, y=5, x=4) == 2
    assert f(1, 2, 3, x=5, y=4) == 3
    assert calls == [(1, 2, 3, {}), (1, 2, 3, 3, {"x": 4, "y": 5}), (1, 2, 3, 3, {"x": 5, "y": 4})]


def test_equal_values_of_different_types_are_different_entries(cache: Cache) -> None:
    @cache.cached()
    def f(a: Any) -> str:
        return repr(a)

    values: list[Any] = [1, True, 1.0, Decimal(1), "1", b"1", None, "None", (1,), [1], {1}]
    values += [0, False, 0.0, -0.0, "", b"", (), frozenset({1}), {"a": 1}, {"a": True}]
    for _ in range(3):  # the quick way, too
        for value in values:
            assert f(value) == repr(value)
    assert len({f.key(value) for value in values}) == len(values)


def test_what_equals_a_plain_value_but_is_none_is_not_taken_for_it(cache: Cache) -> None:
    @cache.cached()
    def f(a: Any) -> str:
        return repr(a)

    assert f(1) == f(1) == "1"
    assert f("w") == f("w") == "'w'"
    assert f(Colour.RED) == repr(Colour.RED)
    with pytest.raises(ConfigError, match="Word has no stable form"):
        f(Word("w"))


def test_two_texts_are_not_one(cache: Cache) -> None:
    @cache.cached()
    def f(*words: str) -> tuple[str, ...]:
        return words

    for words in [("a b",), ("a", "b"), ("a','b",), ("a\\", "b"), ("a", "\\b"), ("a\\','b",)]:
        assert f(*words) == words
        assert f(*words) == words


def test_every_documented_argument_has_a_stable_form(cache: Cache) -> None:
    @cache.cached()
    def f(a: Any) -> int:
        return len([a])

    class Side(Enum):
        LEFT = "left"

    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    values: list[Any] = [moment, moment.replace(tzinfo=None), moment.date(), moment.time()]
    values += [moment - moment, uuid.UUID(int=7), Decimal("1.50"), Side.LEFT, Colour.RED, 1 + 2j]
    values += [{"b": [1, (2, {3})], "a": None}, 2**100, float("nan"), b"\xff"]
    keys = {f.key(value) for value in values}
    assert len(keys) == len(values)
    assert f.key({"x": 1, "y": {3, 1, 2}}) == f.key({"y": {2, 1, 3}, "x": 1})
    assert all(f(value) == 1 for value in values)


def test_the_key_is_the_same_in_every_process(cache: Cache) -> None:
    @cache.cached()
    def f(a: Any, b: int = 2) -> int:
        return len([a]) + b

    here = f"{__name__}.test_the_key_is_the_same_in_every_process.<locals>.f"
    assert f.key({"b", "a"}) == here + "(a=set('a','b'),b=2)"


def test_a_template_names_what_counts(cache: Cache) -> None:
    calls: list[int] = []

    @cache.cached(key="user:{user_id}", tags=["users", "user:{user_id}"])
    def user(user_id: int, verbose: bool = False) -> list[object]:  # noqa: FBT002
        calls.append(user_id)
        return [user_id, verbose]

    assert user.key(7) == user.key(user_id=7, verbose=True) == "user:7"
    assert user(7) == user(7, verbose=True) == [7, False]
    assert calls == [7]
    for forget in (
        lambda: cache.delete("user:7"),
        lambda: cache.delete(user.key(7)),
        lambda: user.invalidate(7),
        lambda: cache.invalidate_tags("user:7"),
        lambda: cache.invalidate_tags("users"),
        cache.clear,
    ):
        before = len(calls)
        user(7)
        assert len(calls) == before
        forget()
        assert user.peek(7) is None
        user(7)
        assert len(calls) == before + 1


def test_a_template_takes_attributes(cache: Cache) -> None:
    class Person:
        name = "ann"

    @cache.cached(key="p:{person.name}")
    def f(person: Person) -> int:
        return len(person.name) - 2

    assert f.key(Person()) == "p:ann"
    assert f(Person()) == f(Person()) == 1


@pytest.mark.parametrize(
    "value", [7, "seven", 1.5, True, None, Decimal("1.50"), uuid.UUID(int=7), date(2026, 1, 2)]
)
def test_a_template_writes_what_an_f_string_would(cache: Cache, value: Any) -> None:
    @cache.cached(key="a:{value}")
    def f(value: Any) -> int:
        return len([value])

    assert f(value) == 1
    assert f.key(value) == f"a:{value}"
    assert cache.delete(f"a:{value}")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (("x:y", "z"), ("x", "y:z")),
        (("x%3A", "z"), ("x:", "z")),
        (("", "x:"), ("x", "")),
        ((None, "a"), ("None", "a")),
        ((True, "a"), ("True", "a")),
    ],
)
def test_values_cannot_reach_out_of_their_field(
    cache: Cache, one: tuple[Any, Any], two: tuple[Any, Any]
) -> None:
    @cache.cached(key="{a}:{b}")
    def f(a: Any, b: Any) -> int:
        return len([a, b])

    assert f.key(*one) != f.key(*two)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("user:{who}", "no argument who"),
        ("{a}{b}", "between two fields"),
        ("{a}x{b}", "between two fields"),
        ("{a!r}", "write a field as"),
        ("{a:>10}", "write a field as"),
        ("{}", "write a field as"),
        ("{0}", "write a field as"),
        ("{a[0]}", "write a field as"),
        ("{a", "expected"),
        ("a}", "Single"),
    ],
)
def test_a_wrong_template_is_found_at_once(cache: Cache, template: str, message: str) -> None:
    def f(a: int, b: int) -> int:
        return a + b

    for decorate in (cache.cached(key=template), cache.cached(tags=[template])):
        with pytest.raises(ConfigError, match=message):
            decorate(f)


def test_an_argument_without_a_stable_form_says_how_to_mend_it(cache: Cache) -> None:
    @cache.cached()
    def f(a: object) -> int:
        return len([a])

    with pytest.raises(ConfigError, match=r"write key='") as caught:
        f(object())
    assert "test_cached" in str(caught.value)
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ConfigError):
        f(loop)


def test_unknown_options_are_refused(cache: Cache) -> None:
    with pytest.raises(TypeError, match="unknown option tll"):
        cache.cached(tll=3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="unknown option"):
        Cache(tll=3)  # type: ignore[call-arg]


class Repo:
    """Something with a key."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __cache_key__(self) -> str:
        return self.name


def test_methods_count_self_by_its_key(cache: Cache) -> None:
    calls: list[str] = []

    class Users(Repo):
        @cache.cached()
        def user(self, user_id: int) -> str:
            """Load."""
            calls.append(self.name)
            return f"{self.name}{user_id}"

        @classmethod
        @cache.cached()
        def count(cls, by: int) -> int:
            calls.append(cls.__name__)
            return by

        @staticmethod
        @cache.cached()
        def plain(by: int) -> int:
            return by

        @cache.cached()
        async def later(self, user_id: int) -> str:
            calls.append(self.name)
            return self.name * user_id

    class Others(Users):
        pass

    assert [Users("a").user(1), Users("a").user(1), Users("b").user(1)] == ["a1", "a1", "b1"]
    assert Others("a").user(1) == "a1"
    assert calls == ["a", "b", "a"]
    calls.clear()
    users: Any = Users  # checkers do not follow a classmethod over a cached function
    assert users.count(3) == cast("Any", Others).count(3) == Users.plain(3) == 3
    assert calls == ["Users"]
    here = Users("a")
    here.user.invalidate(1)
    assert here.user.peek(1) is None
    assert here.user.refresh(1) == here.user.peek(1) == here.user(1) == "a1"
    assert here.user.uncached(1) == "a1"
    assert here.user.key(1) == Users.user.key(here, 1)
    assert Users.user(here, 1) == "a1"
    assert here.user.__doc__ == "Load."
    assert asyncio.run(later(here)) == ("a", "a", "a", None)
    assert inspect.iscoroutinefunction(here.later)


async def later(users: Any) -> tuple[Any, ...]:
    first, second = await users.later(1), await users.later(1)
    refreshed = await users.later.refresh(1)
    await users.later.invalidate(1)
    return first, second, refreshed, await users.later.peek(1)


def test_self_without_a_key_is_an_error_at_the_first_call(cache: Cache) -> None:
    class Users:
        @cache.cached()
        def user(self, user_id: int) -> int:
            return user_id

        @cache.cached(key="user:{user_id}")
        def keyed(self, user_id: int) -> int:
            return user_id

    with pytest.raises(ConfigError, match="__cache_key__"):
        Users().user(1)
    assert Users().keyed(1) == Users().keyed(1) == 1


def test_a_cached_function_looks_like_the_original(cache: Cache) -> None:
    @cache.cached()
    def f(a: int, b: str = "x", *, c: float = 1.5) -> str:
        """Say it."""
        return f"{a}{b}{c}"

    @cache.cached()
    async def g(a: int) -> int:
        return a

    assert (f.__name__, f.__doc__) == ("f", "Say it.")
    assert str(inspect.signature(f)) == "(a: int, b: str = 'x', *, c: float = 1.5) -> str"
    assert f.uncached(1, c=2) == f.__wrapped__(1, c=2) == "1x2"
    assert inspect.iscoroutinefunction(g)
    assert not inspect.iscoroutinefunction(f)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        f()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword"):
        f(1, d=2)  # type: ignore[call-arg]


def test_a_generator_cannot_be_cached(cache: Cache) -> None:
    with pytest.raises(ConfigError, match="generator"):

        @cache.cached()
        def f() -> Iterator[int]:
            yield 1


def test_coroutine_functions(cache: Cache) -> None:
    calls: list[int] = []

    @cache.cached(ttl=10, key="n:{n}")
    async def f(n: int) -> int:
        calls.append(n)
        await asyncio.sleep(0)
        return n

    async def main() -> None:
        assert list(await asyncio.gather(f(1), f(1), f(2))) == [1, 1, 2]
        assert sorted(calls) == [1, 2]
        assert await f.peek(1) == 1
        await f.invalidate(1)
        assert await f.peek(1) is None
        assert await f.refresh(2) == 2
        assert await f.uncached(3) == 3
        assert sorted(calls) == [1, 2, 2, 3]
        assert f.key(3) == "n:3"

    asyncio.run(main())


def test_values_expire_on_the_quick_way_too(cache: Cache, clock: ManualClock) -> None:
    calls: list[int] = []

    @cache.cached(ttl=10)
    def f(a: int) -> int:
        calls.append(a)
        return len(calls)

    assert [f(1), f(1), f(1)] == [1, 1, 1]
    clock.advance(9.9)
    assert f(1) == 1
    clock.advance(0.1)
    assert [f(1), f(1)] == [2, 2]


def test_the_quick_way_is_bounded() -> None:
    cache = Cache(max_entries=10)

    @cache.cached()
    def f(a: int) -> int:
        return a

    for number in range(1000):
        assert f(number) == f(number) == number
    index = f.__globals__["_hf_index"]  # type: ignore[attr-defined]
    assert len(index) <= 10
    assert cache.stats().entries <= 10
    assert cache.stats().creates == 1000
    assert cache.stats().near_hits == 1000


def test_none_is_a_value(cache: Cache, clock: ManualClock) -> None:
    calls: list[int] = []

    @cache.cached(ttl=100, none_ttl=5)
    def f(a: int) -> int | None:
        calls.append(a)
        return None

    assert f(1) is None
    assert f(1) is None
    assert calls == [1]
    clock.advance(5)
    f(1)
    assert calls == [1, 1]


def test_a_creation_speaks_for_its_value(cache: Cache, clock: ManualClock) -> None:
    runs: list[str] = []

    @cache.cached(ttl=100, grace=50)
    def f(what: str) -> int:
        runs.append(what)
        now = creation()
        assert now.key == f.key(what)
        match what:
            case "short":
                now.ttl = 5
            case "tag":
                now.tag("late")
            case "skip":
                now.skip()
            case "same" if now.has_stale:
                return int(now.not_modified()) + 0
        return len(runs)

    assert f("short") == f("short") == 1
    clock.advance(56)
    assert f("short") == 2
    assert f("tag") == f("tag") == 3
    cache.invalidate_tags("late")
    assert f("tag") == 4
    assert [f("skip"), f("skip")] == [5, 6]
    assert f("same") == 7
    clock.advance(100)
    assert f("same") == 7
    assert runs[-2:] == ["same", "same"]
    with pytest.raises(ConfigError, match="inside"):
        creation()


def test_disabled_is_no_cache_but_still_invalidates(clock: ManualClock) -> None:
    store = MemoryStore(clock=clock)
    off, on = Cache(store, clock=clock, enabled=False), Cache(store, clock=clock)
    runs: list[int] = []

    @off.cached(key="k")
    def f() -> int:
        creation().tag("t")
        runs.append(1)
        return len(runs)

    assert [f(), f()] == [1, 2]
    off.put("k", 1)
    assert off.get("k") is None
    on.put("k", 1, near_ttl=0)
    assert off.get("k") is None
    off.delete("k")
    assert on.get("k") is None


def test_jitter_only_shortens(clock: ManualClock) -> None:
    cache = Cache(clock=clock, ttl=100, jitter=0.2)
    for number in range(200):
        cache.put(str(number), 1)
    clock.advance(80)
    assert len(cache.get_many(map(str, range(200)))) > 190
    clock.advance(10)
    assert 40 < len(cache.get_many(map(str, range(200)))) < 160
    clock.advance(10)
    assert not cache.get_many(map(str, range(200)))


def test_stale_is_served_when_the_source_fails(cache: Cache, clock: ManualClock) -> None:
    cache.put("k", "old", ttl=10, grace=100)

    def fail() -> str:
        raise LookupError("down")

    clock.advance(10)
    assert cache.get("k") is None
    assert cache.get_or_create("k", fail, grace=100) == "old"
    assert cache.stats().stale == 1
    clock.advance(100)
    with pytest.raises(LookupError):
        cache.get_or_create("k", fail)


@pytest.mark.parametrize(
    "options",
    [{"ttl": -1}, {"jitter": 2}, {"jitter": "x"}, {"tags": "users"}, {"grace": "soon"}],
)
def test_options_that_cannot_be_meant(cache: Cache, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        cache.put("k", 1, **options)


def test_a_coroutine_function_for_the_sync_face_is_an_error(cache: Cache) -> None:
    async def create() -> int:
        return 1

    with pytest.raises(ConfigError, match=r"cache\.aio"):
        _ = cache.get_or_create("k", create)


def test_ttl_zero_keeps_nothing(cache: Cache) -> None:
    cache.put("k", 1)
    cache.put("k", 2, ttl=0)
    assert cache.get("k") is None
    assert [cache.get_or_create("k", lambda: 1, ttl=0), cache.get("k")] == [1, None]


def test_stats_count(cache: Cache) -> None:
    cache.get("k")
    cache.get_or_create("k", lambda: 1)
    cache.get("k")
    cache.get_or_create("k", lambda: 1)
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.creates, stats.errors) == (2, 2, 1, 0)
    assert stats.ratio == 0.5
