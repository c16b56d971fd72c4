"""Collecting: generator functions as functions that return a list.

Law: a generator is read to its end inside the creation, so an error in its midst keeps nothing.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from holdfast.errors import ConfigError

__all__ = ["collecting"]


def collecting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function with the arguments of `function`, of the list of what that yields.

    Raises:
        ConfigError: It is no generator function.
    """
    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def collected_async(*args: Any, **kwargs: Any) -> list[Any]:
            return [item async for item in function(*args, **kwargs)]

        return collected_async
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def collected(*args: Any, **kwargs: Any) -> list[Any]:
            return list(function(*args, **kwargs))

        return collected
    name = getattr(function, "__qualname__", repr(function))
    raise ConfigError(f"{name}: collect=True is for generator functions: return a list instead")
