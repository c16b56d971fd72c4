"""`@cached` in classes: every kind of method, and whatever is asked of it through its object."""

import asyncio
import functools
import inspect
import pickle
import weakref
from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import MethodType
from typing import Any

import pytest

from holdfast.cache import Cache
from holdfast.errors import ConfigError

cache = Cache()


@pytest.fixture(autouse=True)
def _empty() -> None:
    cache.clear()
    runs.clear()


runs: list[str] = []


class Repo:
    """Something with a key."""

    __slots__ = ("__dict__", "__weakref__", "name")

    def __init__(self, name: str = "a") -> None:
        self.name = name

    def __cache_key__(self) -> str:
        return self.name

    @cache.cached()
    def user(self, number: int) -> str:
        """Load a user."""
        runs.append("Repo.user")
        return f"{self.name}{number}"

    @cache.cached()
    async def later(self, number: int) -> str:
        """Load a user."""
        return f"{self.name}{number}"

    @classmethod
    @cache.cached()
    def count(cls, by: int = 1) -> str:
        runs.append("Repo.count")
        return f"{cls.__name__}{by}"

    @cache.cached()
    @classmethod
    def total(cls, by: int = 1) -> str:
        runs.append("Repo.total")
        return f"{cls.__name__}{by}"

    @cache.cached()
    @classmethod
    async def total_later(cls, by: int) -> int:
        return by

    @staticmethod
    @cache.cached()
    def plain(by: int) -> int:
        runs.append("Repo.plain")
        return by

    @cache.cached()
    @staticmethod
    def bare(by: int) -> int:
        runs.append("Repo.bare")
        return by

    @property
    @cache.cached()
    def size(self) -> int:
        runs.append("Repo.size")
        return len(self.name)

    @functools.cached_property
    @cache.cached()
    def width(self) -> int:
        runs.append("Repo.width")
        return len(self.name)

    @cache.cached()
    def __call__(self, number: int) -> int:
        runs.append("Repo()")
        return number


class Sub(Repo):
    """Another one, with a method of its own."""

    @cache.cached()
    def user(self, number: int) -> str:
        """Load it from above."""
        runs.append("Sub.user")
        return "sub " + super().user(number)


def asked(function: Any, *args: Any) -> None:
    """Ask a cached function whatever there is to ask."""
    first = function(*args)
    assert function(*args) == first == function.peek(*args)
    function.invalidate(*args)
    assert function.peek(*args) is None
    assert function.refresh(*args) == first == function.peek(*args)
    assert function.uncached(*args) == first
    assert isinstance(function.key(*args), str)


@pytest.mark.parametrize("name", ["user", "count", "total", "plain", "bare"])
def test_all_that_is_asked_works_through_an_object(name: str) -> None:
    asked(getattr(Repo(), name), 7)
    cache.clear()  # a class does not count
    asked(getattr(Sub(), name), 7)


@pytest.mark.parametrize("name", ["count", "total", "plain", "bare"])
def test_all_that_is_asked_of_a_class_works_through_it(name: str) -> None:
    asked(getattr(Repo, name), 7)
    assert getattr(Repo, name).key(7) == getattr(Repo(), name).key(7)


def test_a_method_may_be_asked_through_its_class() -> None:
    asked(Repo.user, Repo("a"), 7)
    assert Repo.user.key(Repo("b"), 7) == Repo("b").user.key(7) != Repo("a").user.key(7)


def test_objects_are_called() -> None:
    repo = Repo()
    assert repo(3) == repo(3) == 3
    assert runs == ["Repo()"]
    repo.__call__.invalidate(3)
    assert repo(3) == 3
    assert runs == ["Repo()", "Repo()"]


def test_a_property_is_asked_through_its_function() -> None:
    repo = Repo("abc")
    assert repo.size == repo.size == Repo("abc").size == 3
    assert runs == ["Repo.size"]
    getter: Any = Repo.__dict__["size"].fget
    asked(getter, repo)
    assert repo.width == repo.width == Repo("abc").width == 3
    asked(Repo.__dict__["width"].func, repo)


def test_an_override_and_what_it_overrides_are_two() -> None:
    assert Sub("a").user(1) == Sub("a").user(1) == "sub a1"
    assert runs == ["Sub.user", "Repo.user"]
    assert Repo("a").user(1) == "a1"
    assert super(Sub, Sub("a")).user(1) == "a1"
    assert runs == ["Sub.user", "Repo.user", "Repo.user"]  # what a class inherits is its own


def test_a_class_counts_where_the_key_says_so() -> None:
    class Table:
        @classmethod
        @cache.cached(key="table:{cls.__name__}")
        def name(cls) -> str:
            return cls.__name__

        @classmethod
        @cache.cached()
        def first(cls) -> str:
            return cls.__name__

    class Users(Table):
        pass

    assert [Table.name(), Users.name(), Table.name()] == ["Table", "Users", "Table"]
    assert Users.name.key() == "table:Users"
    Users.name.invalidate()
    assert [Table.name.peek(), Users.name.peek()] == ["Table", None]
    assert [Table.first(), Users.first()] == ["Table", "Table"]


def test_a_class_method_that_is_refreshed_has_the_class_it_is_asked_through() -> None:
    for function, sub in ((Repo.count, Sub.count), (Repo.total, Sub.total)):
        assert function(1) == "Repo1"
        assert sub.uncached(1) == "Sub1"
        assert sub.refresh(1) == "Sub1"
        assert sub.key(1) == function.key(1)
        assert sub.key() == sub.key(1) == sub.key(by=1)


def test_a_class_method_that_cannot_know_its_class_says_what_to_do() -> None:
    # what `Repo.count` is from Python 3.13 on: a classmethod that binds its function to nothing
    count: Any = MethodType(Repo.__dict__["count"].__func__, Repo)
    assert count(1) == count(1) == "Repo1"
    with pytest.raises(AttributeError, match="write @cached above @classmethod"):
        count.invalidate(1)
    assert not hasattr(count, "whatever")


def test_coroutine_methods() -> None:
    async def main() -> None:
        repo = Repo()
        assert await repo.later(1) == await repo.later(1) == "a1"
        await repo.later.invalidate(1)
        assert await repo.later.peek(1) is None
        assert await repo.later.refresh(1) == await repo.later.uncached(1) == "a1"
        assert await Repo.total_later(2) == await Repo.total_later.refresh(2) == 2
        assert await repo.total_later.peek(2) == 2

    asyncio.run(main())
    for function in (Repo().later, Repo.later, Repo.total_later, Repo().later.invalidate):
        assert inspect.iscoroutinefunction(function)
    assert not inspect.iscoroutinefunction(Repo().user)


def test_a_bound_method_is_like_any_other() -> None:
    repo = Repo("a")
    bound: Any = repo.user
    assert bound == repo.user
    assert hash(bound) == hash(repo.user)
    assert bound != Repo("a").user
    assert bound != repo.total
    assert (bound.__self__, bound.__func__) == (repo, Repo.user)
    assert (bound.__name__, bound.__qualname__) == ("user", "Repo.user")
    assert (bound.__module__, bound.__doc__) == (__name__, "Load a user.")
    assert str(inspect.signature(bound)) == "(number: int) -> str"
    assert str(inspect.signature(Repo.user)) == "(self, number: int) -> str"
    assert str(inspect.signature(Repo.total)) == "(by: int = 1) -> str"
    assert bound.__wrapped__(7) == "a7"
    assert "Repo.user" in repr(bound)
    assert pickle.loads(pickle.dumps(Repo.user)) is Repo.user  # noqa: S301 - our own
    assert pickle.loads(pickle.dumps(bound))(7) == "a7"  # noqa: S301 - our own
    held = weakref.WeakMethod(bound)
    assert held() == bound
    del repo, bound
    assert held() is None


def test_partial_functions_of_methods() -> None:
    repo = Repo()
    seven = functools.partial(repo.user, 7)
    assert seven() == seven() == "a7"
    assert runs == ["Repo.user"]


def test_slots_dataclasses_and_abstract_classes() -> None:
    @dataclass(slots=True)
    class Point:
        x: int
        y: int

        def __cache_key__(self) -> tuple[int, int]:
            return self.x, self.y

        @cache.cached()
        def length(self) -> int:
            runs.append("length")
            return abs(self.x) + abs(self.y)

    assert Point(1, 2).length() == Point(1, 2).length() == 3
    assert runs == ["length"]
    asked(Point(1, 2).length)

    class Shape(ABC):
        @cache.cached()
        @abstractmethod
        def area(self) -> int: ...

        @abstractmethod
        @cache.cached()
        def sides(self) -> int: ...

    assert {"area", "sides"} == Shape.__abstractmethods__


def test_dispatching_methods_are_cached_one_by_one() -> None:
    class Reader:
        def __cache_key__(self) -> str:
            return "reader"

        @functools.singledispatchmethod
        def read(self, what: object) -> str:
            raise TypeError(what)

        @read.register
        @cache.cached()
        def read_int(self, what: int) -> str:
            runs.append("int")
            return f"int {what}"

        @read.register
        @cache.cached()
        def read_str(self, what: str) -> str:
            runs.append("str")
            return f"str {what}"

    reader: Any = Reader()  # for checkers, what is registered is a plain callable
    for _ in range(2):
        assert [reader.read(1), reader.read("1")] == ["int 1", "str 1"]
    assert runs == ["int", "str"]
    reader.read_int.invalidate(1)
    reader.read(1)
    assert runs == ["int", "str", "int"]
    with pytest.raises(ConfigError, match="below each @register"):
        cache.cached()(Reader.__dict__["read"])


def test_names_that_many_have_are_refused() -> None:
    def _(number: int) -> int:
        return number

    with pytest.raises(ConfigError, match="many of a module have this name"):
        cache.cached()(_)
    assert cache.cached(key="number:{number}")(_)(7) == 7


def test_self_without_a_key_says_what_is_missing() -> None:
    class Bare:
        @cache.cached()
        def method(self) -> int:
            return 1

    with pytest.raises(ConfigError, match=r"argument self: .*Bare has no stable .*__cache_key__"):
        Bare().method()
