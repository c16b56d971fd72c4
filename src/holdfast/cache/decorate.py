"""`@cached`: functions whose values are kept.

Law: a decorated function is a function (or a method) with the same signature and the same colour,
typed as the original; what is asked of its cache hangs on it by name. A method is known by its
first argument, `self` or `cls`, and what is asked of it through an object or a class knows that.
"""

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from types import MethodType
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from holdfast.bridge import drive
from holdfast.cache.collect import collecting
from holdfast.cache.counts import Stats
from holdfast.cache.plan import Plan

__all__ = ["Cached", "CachedAsync", "Collector", "Decorator", "decorator"]

P = ParamSpec("P")
Q = ParamSpec("Q")
S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Cached(Protocol[P, R_co]):
    """A cached function, as type checkers see it."""

    __name__: str
    __wrapped__: Callable[..., Any]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Return the cached value, created if need be."""

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the cache key of such a call."""

    def peek(self, *args: P.args, **kwargs: P.kwargs) -> R_co | None:
        """Return the value of such a call if it is cached and fresh, else None."""

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Forget the value of such a call."""

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Create the value anew; until it is there, others get the old one.

        Raises:
            StoreError: The store did not hear of it: other processes may still have the old value.
        """

    def uncached(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function itself; what it says of its creation is heard by nobody."""

    def stats(self) -> Stats:
        """Return what happened to calls of this function, in this process."""

    @overload
    def __get__(  # type: ignore[misc]  # a class method, through its class
        self: Callable[Concatenate[type[S], Q], T], instance: None, owner: type[S]
    ) -> "Cached[Q, T]": ...
    @overload
    def __get__(self, instance: None, owner: Any = None) -> "Cached[P, R_co]": ...
    @overload
    def __get__(  # type: ignore[misc]  # a class method, through an object
        self: Callable[Concatenate[type[S], Q], T], instance: S, owner: Any = None
    ) -> "Cached[Q, T]": ...
    @overload
    def __get__(
        self: Callable[Concatenate[S, Q], T], instance: S, owner: Any = None
    ) -> "Cached[Q, T]": ...
    @overload
    def __get__(self, instance: object, owner: Any = None) -> "Cached[P, R_co]": ...


class CachedAsync(Protocol[P, R_co]):
    """A cached coroutine function, as type checkers see it."""

    __name__: str
    __wrapped__: Callable[..., Any]

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Return the cached value, created if need be."""

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the cache key of such a call."""

    async def peek(self, *args: P.args, **kwargs: P.kwargs) -> R_co | None:
        """Return the value of such a call if it is cached and fresh, else None."""

    async def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Forget the value of such a call."""

    async def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Create the value anew; until it is there, others get the old one.

        Raises:
            StoreError: The store did not hear of it: other processes may still have the old value.
        """

    async def uncached(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function itself."""

    def stats(self) -> Stats:
        """Return what happened to calls of this function, in this process."""

    @overload
    def __get__(  # type: ignore[misc]  # a class method, through its class
        self: Callable[Concatenate[type[S], Q], Coroutine[Any, Any, T]],
        instance: None,
        owner: type[S],
    ) -> "CachedAsync[Q, T]": ...
    @overload
    def __get__(self, instance: None, owner: Any = None) -> "CachedAsync[P, R_co]": ...
    @overload
    def __get__(  # type: ignore[misc]  # a class method, through an object
        self: Callable[Concatenate[type[S], Q], Coroutine[Any, Any, T]],
        instance: S,
        owner: Any = None,
    ) -> "CachedAsync[Q, T]": ...
    @overload
    def __get__(
        self: Callable[Concatenate[S, Q], Coroutine[Any, Any, T]], instance: S, owner: Any = None
    ) -> "CachedAsync[Q, T]": ...
    @overload
    def __get__(self, instance: object, owner: Any = None) -> "CachedAsync[P, R_co]": ...


class Decorator(Protocol):
    """What `cached(...)` returns."""

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> CachedAsync[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Cached[P, R]: ...


class Collector(Protocol):
    """What `cached(collect=True, ...)` returns."""

    @overload
    def __call__(self, function: Callable[P, AsyncIterator[R]], /) -> CachedAsync[P, list[R]]: ...
    @overload
    def __call__(self, function: Callable[P, Iterator[R]], /) -> Cached[P, list[R]]: ...


_ASKED = ("key", "peek", "invalidate", "refresh", "uncached")


def decorator(
    plan_of: Callable[[Callable[..., Any]], Plan], *, collect: bool = False
) -> Decorator | Collector:
    """Return the decorator whose functions are cached by the plans that `plan_of` makes for them.

    Args:
        plan_of: Takes a function or a coroutine function.
        collect: Whether what is decorated are generator functions.
    """

    def decorated(function: Any) -> Any:
        kind = type(function)
        bare = function.__func__ if kind in (staticmethod, classmethod) else function
        if collect:
            bare = collecting(bare)
        made = _asked(bare, plan_of(bare))
        if kind is staticmethod:
            return staticmethod(made)
        return _OfClass(made) if kind is classmethod else _in_class(made)

    return cast("Decorator", decorated)


def _in_class(made: Any) -> Any:
    first = next(iter(inspect.signature(made).parameters), "")
    return _Method(made, first) if first in ("self", "cls") else made


def _asked(function: Callable[..., Any], plan: Plan) -> Any:
    made: Any = functools.update_wrapper(plan.function, function)
    coroutine = inspect.iscoroutinefunction(function)
    asking = _awaiting if coroutine else _driving
    made.key = _asking(plan, plan.key)
    made.peek = asking(plan, plan.get)
    made.invalidate = asking(plan, plan.delete)
    made.refresh = asking(plan, plan.renew)
    made.uncached = asking(plan, plan.uncached)
    for name in _ASKED:
        _name(getattr(made, name), name, function)
    made.stats = plan.stats
    return made


def _name(asked: Any, name: str, function: Callable[..., Any]) -> None:
    asked.__name__, asked.__module__ = name, function.__module__
    asked.__qualname__ = f"{function.__qualname__}.{name}"
    asked.__doc__ = getattr(Cached, name).__doc__


def _asking(plan: Plan, ask: Callable[[tuple[Any, ...]], Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: ask(plan.bind(*args, **kwargs))


def _driving(plan: Plan, ask: Callable[[tuple[Any, ...]], Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: drive(ask(plan.bind(*args, **kwargs)))


def _awaiting(plan: Plan, ask: Callable[[tuple[Any, ...]], Any]) -> Callable[..., Any]:
    async def asked(*args: Any, **kwargs: Any) -> Any:
        return await ask(plan.bind(*args, **kwargs))

    return asked


class _Bound(functools.partial[Any]):
    # A cached method of one object, like any bound method; whatever is asked of its cache knows
    # that object too. A partial, because that calls quickest.
    __doc__ = property(lambda self: self.func.__doc__)
    __module__ = property(lambda self: self.func.__module__)
    __func__ = property(lambda self: self.func)
    __self__ = property(lambda self: self.args[0])
    __wrapped__ = property(lambda self: MethodType(self.func.__wrapped__, self.args[0]))

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self.func, name)
        return functools.partial(asked, *self.args) if name in _ASKED else asked

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Bound) and self.func is other.func and self.args[0] is other.args[0]
        )

    def __hash__(self) -> int:
        return hash((self.func, id(self.args[0])))

    def __reduce__(self) -> Any:
        return getattr, (self.args[0], self.func.__name__)

    def __repr__(self) -> str:
        return f"<bound method {self.func.__qualname__} of {self.args[0]!r}>"


class _Method:
    """A cached function in a class, the first argument of which is the object or the class."""

    def __init__(self, function: Any, first: str) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        if first == "cls":
            for name in _ASKED:
                del self.__dict__[name]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self._function if instance is None else _Bound(self._function, instance)

    def __getattr__(self, name: str) -> Any:
        # from Python 3.13 on, a classmethod tells its function its class at the call alone
        mend = ": write @cached above @classmethod" if name in _ASKED else ""
        raise AttributeError(f"{type(self).__name__} has no {name!r}{mend}")


class _OfClass:
    """A cached class method: what is asked of it, through the class or an object, is so bound."""

    def __init__(self, function: Any) -> None:
        functools.update_wrapper(cast("Any", self), function)
        self._function = function

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return _Bound(self._function, type(instance) if owner is None else owner)
