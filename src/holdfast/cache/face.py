"""Faces: what the sync and the async face of a cache, and its namespaces, have in common.

Law: the two faces are one cache: same settings, same near tier, same keys, same running creations.
The engine of each face is made at its first use, and no I/O happens before.
"""

import inspect
from collections.abc import Callable
from typing import Any

from holdfast.bridge import Blocking, LoopWaits, ThreadWaits, aio_face
from holdfast.cache.core import Core
from holdfast.cache.creation import NOTHING
from holdfast.cache.engine import Engine
from holdfast.cache.policy import Policy
from holdfast.cache.space import Space
from holdfast.store.protocol import Store

__all__ = ["Engines", "Face"]


class Engines:
    """The two engines of one cache.

    Attributes:
        core: What they share.
        store: The far tier.
        beside: A store that was opened for the bus alone.
    """

    def __init__(self, core: Core, store: Store | None, beside: Store | None = None) -> None:
        self.core = core
        self.store = store
        self.beside = beside
        self._blocking: Engine | None = None
        self._looping: Engine | None = None

    def blocking(self) -> Engine:
        """Return the engine for threads."""
        if self._blocking is None:
            store = None if self.store is None else Blocking(self.store)
            self._blocking = Engine(self.core, store, ThreadWaits(), blocks=True)
        return self._blocking

    def looping(self) -> Engine:
        """Return the engine for event loops."""
        if self._looping is None:
            store = None if self.store is None else aio_face(self.store)
            self._looping = Engine(self.core, store, LoopWaits())
        return self._looping

    def of(self, function: Callable[..., Any]) -> Callable[[], Engine]:
        """Return the way to the engine that calls of `function` go through."""
        return self.looping if inspect.iscoroutinefunction(function) else self.blocking


class Face:
    """One face of a cache, or of one of its namespaces."""

    def __init__(self, engines: Engines, space: Space, policy: Policy) -> None:
        core = engines.core
        self._engines = engines
        self._space = space
        self._policy = policy
        self._core = core
        self._cells = core.near.cells
        self._clock = core.clock

    def _near(self, key: str) -> Any:
        """Return the near value of `key` if it is fresh, else `NOTHING`; takes no lock."""
        try:
            cell = self._cells.get(self._space.near(key))
        except TypeError:
            self._space.item(key)  # says what is wrong with it
            raise
        if cell is None:
            return NOTHING
        value = cell.value
        if cell.until <= self._clock():
            return NOTHING
        cell.hits += 1.0
        return value

    def __repr__(self) -> str:
        store = self._engines.store
        where = "near only" if store is None else repr(store)
        space = f" namespace {self._space.path}" if self._space.path else ""
        return f"<{type(self).__name__}{space} on {where}>"
