"""`@cached`: functions whose values are kept.

Law: a decorated function is a function (or a method) with the same signature and the same colour,
typed as the original; what is asked of its cache hangs on it by name.
"""

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from holdfast.bridge import drive
from holdfast.cache.plan import Plan

__all__ = ["Cached", "CachedAsync", "Decorator", "decorate"]

P = ParamSpec("P")
Q = ParamSpec("Q")
S = TypeVar("S")
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
        """Create the value anew; until it is there, others get the old one."""

    def uncached(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function itself; what it says of its creation is heard by nobody."""

    @overload
    def __get__(self, instance: None, owner: Any = None) -> "Cached[P, R_co]": ...
    @overload
    def __get__(
        self: "Cached[Concatenate[S, Q], R_co]", instance: S, owner: Any = None
    ) -> "Cached[Q, R_co]": ...


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
        """Create the value anew; until it is there, others get the old one."""

    async def uncached(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function itself."""

    @overload
    def __get__(self, instance: None, owner: Any = None) -> "CachedAsync[P, R_co]": ...
    @overload
    def __get__(
        self: "CachedAsync[Concatenate[S, Q], R_co]", instance: S, owner: Any = None
    ) -> "CachedAsync[Q, R_co]": ...


class Decorator(Protocol):
    """What `cached(...)` returns."""

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> CachedAsync[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Cached[P, R]: ...


_ASKED = {"key", "peek", "invalidate", "refresh", "uncached"}


def decorate(function: Callable[..., Any], plan: Plan) -> Any:
    """Return what takes the place of `function`."""
    made: Any = functools.update_wrapper(plan.function, function)
    made.key = _asking(plan, plan.key)
    coroutine = inspect.iscoroutinefunction(function)
    asking = _awaiting if coroutine else _driving
    made.peek = asking(plan, plan.get)
    made.invalidate = asking(plan, plan.delete)
    made.refresh = asking(plan, plan.renew)
    made.uncached = asking(plan, plan.uncached)
    first = next(iter(inspect.signature(function).parameters), "")
    return _Method(made) if first in ("self", "cls") else made


def _asking(plan: Plan, ask: Callable[[tuple[Any, ...]], Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: ask(plan.bind(*args, **kwargs))


def _driving(plan: Plan, ask: Callable[[tuple[Any, ...]], Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: drive(ask(plan.bind(*args, **kwargs)))


def _awaiting(plan: Plan, ask: Callable[[tuple[Any, ...]], Any]) -> Callable[..., Any]:
    async def asked(*args: Any, **kwargs: Any) -> Any:
        return await ask(plan.bind(*args, **kwargs))

    return asked


class _Bound(functools.partial[Any]):
    # A cached method of one object; whatever is asked of its cache knows that object too.
    __doc__ = property(lambda self: self.func.__doc__)

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self.func, name)
        return functools.partial(asked, *self.args) if name in _ASKED else asked


class _Method:
    """A cached function in a class."""

    def __init__(self, function: Any) -> None:
        functools.update_wrapper(self, function)
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self._function if instance is None else _Bound(self._function, instance)
