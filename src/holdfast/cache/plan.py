"""Plans: how calls of one decorated function become entries of a cache.

Law: arguments are bound by the function's own signature. `cls` never counts; `self` counts by its
`__cache_key__()`. What cannot be meant is a `ConfigError` when the function is decorated, so far as
it shows there, and else at its first call.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from holdfast.bridge import drive
from holdfast.cache.canonical import canonical
from holdfast.cache.core import Core
from holdfast.cache.counts import Counts, Stats
from holdfast.cache.creation import NOTHING, Creation, running
from holdfast.cache.engine import Engine
from holdfast.cache.near import Cell
from holdfast.cache.policy import Policy
from holdfast.cache.space import Item, Space
from holdfast.cache.template import Template
from holdfast.cache.wrapper import alias, make_wrapper
from holdfast.codec.typed import form_of_result
from holdfast.errors import ConfigError
from holdfast.keys import short

__all__ = ["Plan"]

Values = tuple[Any, ...]

_LONG = 1000  # characters; the near tier need not hold more of the arguments than that


class Plan:
    """One decorated function.

    Args:
        function: A function or a coroutine function.
        space: Where its entries live.
        core: Its cache, for its near tier, its clock and its counts.
        policy: How long its values live; its tags may be templates.
        key: A template for its keys; None makes them of its name and all arguments.
        engine: Returns the engine its calls go through; asked at the first call.

    Attributes:
        function: What takes the function's place.
        bind: Takes what the function takes and returns its arguments.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        space: Space,
        core: Core,
        policy: Policy,
        key: str | None,
        engine: Callable[[], Engine],
    ) -> None:
        self._names = list(_signature(function, keyed=key is not None).parameters)
        self._where = f"{function.__module__}.{function.__qualname__}"
        self._key = None if key is None else Template(key, self._names, option="key")
        self._tags = [Template(tag, self._names, option="tags") for tag in policy.tags]
        self._counting = self._names
        if self._key is not None:
            self._counting = [name for name in self._names if name in self._key.names]
        elif self._names[:1] == ["cls"]:
            self._counting = self._names[1:]
        self._form = form_of_result(function)
        self._space = space
        self._core = core
        self._near = core.near
        self._clock = core.clock
        self._counts = Counts()
        core.parts.append(self._counts)
        self._policy = policy
        self._engine = engine
        self._index: dict[Values, Cell] = {}
        self._quick = self._key is None or "self" not in self._counting[:1]
        asynchronous = inspect.iscoroutinefunction(function)
        made = make_wrapper(
            function,
            self._counting,
            index=self._index,
            clock=core.clock,
            slow=self._slow_async if asynchronous else self._slow,
        )
        self.function, self.bind, self._call = made.function, made.bind, made.call
        self._create = self._create_async if asynchronous else self._create_sync

    def key(self, values: Values) -> str:
        """Return the cache key of a call.

        Raises:
            ConfigError: An argument has no stable form.
        """
        arguments = dict(zip(self._names, values, strict=True))
        try:
            if self._key is not None:
                return self._key.fill(arguments)
            listed = self._listed(arguments)
            return f"{self._where}({listed if len(listed) <= _LONG else short(listed)})"
        except (ConfigError, RecursionError) as error:
            raise ConfigError(f"{self._where}: {error}") from error

    def item(self, values: Values) -> Item:
        """Return what the engine must know of a call."""
        return self._item(values, self.key(values))

    def _item(self, values: Values, key: str) -> Item:
        arguments = dict(zip(self._names, values, strict=True)) if self._tags else {}
        tags = [template.fill(arguments) for template in self._tags]
        return self._space.item(key, tags, form=self._form, counts=self._counts)

    def _listed(self, arguments: Mapping[str, Any]) -> str:
        return ",".join([f"{name}={_text(name, arguments[name])}" for name in self._counting])

    def _slow(self, values: Values) -> Any:
        meant = self._meant(values)
        value = self._served(*meant)
        return drive(self._fill(values, *meant)) if value is NOTHING else value

    async def _slow_async(self, values: Values) -> Any:
        meant = self._meant(values)
        value = self._served(*meant)
        return await self._fill(values, *meant) if value is NOTHING else value

    def _meant(self, values: Values) -> tuple[str, Values | None]:
        """Return the key of a call, and what the index holds its cell under, if anything.

        Both before the creation: an object may change its key in there, or in another thread.
        """
        known = self._known(values)
        key = self.key(values)
        return key, known if known == self._known(values) else None

    def _known(self, values: Values) -> Values | None:
        if not self._quick:
            return None
        arguments = dict(zip(self._names, values, strict=True))
        return alias({name: arguments[name] for name in self._counting})

    def _served(self, key: str, known: Values | None) -> Any:
        cell = self._near.cells.get(self._space.near(key))
        if cell is None:
            return NOTHING
        value = cell.value
        if cell.until <= self._clock():
            return NOTHING
        cell.hits += 1.0
        self._remember(known, cell)
        return value

    async def renew(self, values: Values) -> Any:
        """Return the value of a call, created in any case."""
        return await self._fill(values, *self._meant(values), anew=True)

    async def _fill(
        self, values: Values, key: str, known: Values | None, *, anew: bool = False
    ) -> Any:
        item = self._item(values, key)
        create = self._create(values)
        value = await self._engine().get_or_create(item, create, self._policy, anew=anew)
        cell = self._near.cells.get(item.near)
        if cell is not None:
            self._remember(known, cell)
        return value

    async def get(self, values: Values) -> Any:
        """Return the value of a call if it is cached and fresh, else None."""
        value = await self._engine().get(self.item(values), self._policy)
        return None if value is NOTHING else value

    async def uncached(self, values: Values) -> Any:
        """Return what the function returns, and keep nothing; its arguments need no key."""
        with running(Creation(self._where), None):
            return await self._create(values)()

    async def delete(self, values: Values) -> None:
        """Forget the value of a call."""
        await self._engine().delete_many([self.item(values)])

    def stats(self) -> Stats:
        """Return what happened to calls of this function."""
        return self._core.stats(self._counts)

    def _create_sync(self, values: Values) -> Callable[[], Any]:
        async def create() -> Any:
            return self._call(values)

        return create

    def _create_async(self, values: Values) -> Callable[[], Any]:
        return lambda: self._call(values)

    def _remember(self, known: Values | None, cell: Cell) -> None:
        """Let the next call with these arguments find its cell at once."""
        if known is not None:
            if len(self._index) >= self._near.max_entries:
                self._index.clear()  # rare, and cheaper than keeping an order among them
            self._index[known] = cell


def _text(name: str, value: Any) -> str:
    try:
        return canonical(value)
    except ConfigError as error:
        raise ConfigError(f"argument {name}: {error}") from error


def _signature(function: Any, *, keyed: bool) -> inspect.Signature:
    """Return the signature of what is decorated, if calls of it can have keys of their own."""
    if isinstance(function, property | functools.cached_property):
        raise ConfigError(f"write @cached below @{type(function).__name__}")
    if isinstance(function, functools.singledispatchmethod):
        raise ConfigError("cache what is dispatched to: write @cached() below each @register")
    name = getattr(function, "__qualname__", None)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        name = None
    if name is None:
        raise ConfigError(f"{function!r} is no function with a signature: write a def around it")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigError(
            f"{name}: a generator cannot be cached; write @cached(collect=True), "
            f"and it returns a list"
        )
    if not keyed and name.rpartition(".")[2] in ("<lambda>", "_"):
        raise ConfigError(f"{name}: many of a module have this name; write a def, or key='...'")
    owner = getattr(function, "__self__", None)
    if not keyed and not isinstance(owner, type | ModuleType | None):
        raise ConfigError(
            f"{name}: bound to an object, its key would say nothing of its object; "
            f"decorate it in the class, or write key='...'"
        )
    return signature
