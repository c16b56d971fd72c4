"""A cached function looks like its original: to people, frameworks, pickle and in tracebacks."""

import asyncio
import functools
import inspect
import pickle
import traceback
import typing
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from holdfast.cache import Cache
from holdfast.errors import ConfigError

cache = Cache()


@cache.cached(ttl=60)
def price(item: "Item", /, amount: int = 1, *, currency: str = "EUR") -> "list[Item]":
    """Return the price."""
    return [item] * amount * len(currency)


@cache.cached(ttl=60)
async def later(item: str) -> str:
    """Return it later."""
    await asyncio.sleep(0)
    return item


@cache.cached()
def failing(item: str) -> str:
    raise LookupError(item)


Item = str


def original(function: Any) -> Any:
    """Return what was decorated."""
    return function.__wrapped__


@pytest.mark.parametrize("function", [price, later])
def test_names_and_signatures_are_those_of_the_original(function: Any) -> None:
    plain = original(function)
    for name in ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__"):
        assert getattr(function, name) == getattr(plain, name)
    assert (function.__defaults__, function.__kwdefaults__) == (
        plain.__defaults__,
        plain.__kwdefaults__,
    )
    assert inspect.signature(function) == inspect.signature(plain)
    assert inspect.signature(function, follow_wrapped=False).parameters.keys() == (
        inspect.signature(plain).parameters.keys()
    )
    assert typing.get_type_hints(function) == typing.get_type_hints(plain)
    assert inspect.getsource(function) == inspect.getsource(plain)
    assert inspect.isfunction(function)
    assert inspect.iscoroutinefunction(function) == inspect.iscoroutinefunction(plain)
    assert function.__code__.co_name == function.__name__


def test_annotations_are_evaluated_in_the_original_module() -> None:
    signature = inspect.signature(price, eval_str=True)
    assert signature.parameters["item"].annotation is str
    assert signature.return_annotation == list[str]


def test_what_is_asked_has_a_name_and_a_sentence() -> None:
    functions: list[Any] = [price, later]
    for function in functions:
        for name in ("key", "peek", "invalidate", "refresh", "uncached"):
            asked = getattr(function, name)
            assert asked.__name__ == name
            assert asked.__qualname__ == f"{function.__name__}.{name}"
            assert asked.__doc__
            assert pickle.loads(pickle.dumps(asked)) is asked  # noqa: S301 - our own
    assert inspect.iscoroutinefunction(later.refresh)
    assert not inspect.iscoroutinefunction(later.key)


def test_a_cached_function_is_pickled_by_name_and_referred_to_weakly() -> None:
    functions: list[Any] = [price, later]
    for function in functions:
        assert pickle.loads(pickle.dumps(function)) is function  # noqa: S301 - our own
        assert weakref.ref(function)() is function


def test_a_cached_function_that_nobody_needs_goes() -> None:
    own = Cache()

    @own.cached()
    def f(a: int) -> int:
        return a

    assert f(1) == f(1) == 1
    gone = weakref.ref(f)
    del f
    import gc  # noqa: PLC0415 - its attributes know it, so a cycle is to be found

    gc.collect()
    assert gone() is None


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate as thousands of applications do."""

    @functools.wraps(function)
    def logging(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return logging


def test_other_decorators_stand_above_and_below() -> None:
    runs: list[int] = []

    @cache.cached(key="above:{a}")
    @logged
    def below(a: int) -> int:
        runs.append(a)
        return a

    above: Any = logged(below)
    assert below(1) == below(1) == above(1) == 1
    assert runs == [1]
    above.invalidate(1)  # wraps() takes along what hangs on a function
    assert above(1) == 1
    assert runs == [1, 1]
    assert str(inspect.signature(above)) == str(inspect.signature(below)) == "(a: int) -> int"


def test_partial_functions() -> None:
    half = functools.partial(price, "tea", 2)
    assert half() == price("tea", 2) == ["tea"] * 6
    with pytest.raises(ConfigError, match="write a def"):
        cache.cached()(functools.partial(original(price), "tea"))


def test_a_traceback_has_the_lines_of_the_wrapper_and_no_miss() -> None:
    with pytest.raises(LookupError) as caught:
        failing("tea")
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    frames = traceback.extract_tb(caught.value.__traceback__)
    mine = [frame for frame in frames if frame.filename.startswith("<holdfast wrapper of")]
    assert mine[0].name == "failing"
    assert f"{__name__}.failing" in mine[0].filename
    assert all(frame.line for frame in mine)
    assert "raise LookupError(item)" in frames[-1].line  # type: ignore[operator]


def test_wrong_calls_name_the_function() -> None:
    function: Any = price
    for call in (function, function.key, function.invalidate, function.uncached):
        with pytest.raises(TypeError, match=r"^price\(\) missing 1 required"):
            call()
        with pytest.raises(TypeError, match=r"^price\(\) got an unexpected keyword"):
            call("tea", weight=1)


def test_functions_with_awkward_names() -> None:
    def make(name: str) -> Any:
        def function(a: int) -> int:
            return a

        function.__name__ = function.__qualname__ = name
        return cache.cached()(function)

    for name in ("KeyError", "_hf_slow", "class", "with space", "ä"):
        function = make(name)
        for _ in range(2):
            assert function(1) == function.uncached(1) == 1
        assert function.__name__ == name


def test_what_a_framework_reads() -> None:
    """A framework that calls by what the signature says, as FastAPI and pytest do."""
    given = {"item": "tea", "amount": 2, "currency": "EUR"}
    bound = inspect.signature(price).bind(given["item"], amount=given["amount"])
    assert price(*bound.args, **bound.kwargs) == ["tea"] * 6
    assert price.key(*bound.args, **bound.kwargs) == price.key("tea", 2, currency="EUR")
