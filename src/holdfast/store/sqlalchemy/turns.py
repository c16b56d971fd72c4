"""Turns: who may use a connection that all share.

Law: a statement on SQLite's one connection waits until that before it is over, as what is changed
for one would be changed for all; so do the statements of an engine of our own, for the sake of
forks.
"""

import asyncio
import os
import threading
from typing import Protocol
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.util import await_only

from holdfast.store.sqlalchemy.forks import Gate

__all__ = ["Turns", "turns_of"]


class Turns(Protocol):
    """Lets one statement after the other go on."""

    def take(self, seconds: float) -> bool:
        """Wait for the turn; return whether it came in that time."""

    def give(self) -> None:
        """Let the next go on."""


def turns_of(engine: sa.Engine, *, ours: bool) -> Turns | None:
    """Return the turns of those who use `engine`; None where each has its own connection."""
    looping = engine.dialect.is_async
    if ours and engine.dialect.name == "sqlite" and not looping:
        return _ThreadTurns(engine)
    if not isinstance(engine.pool, sa.StaticPool):
        return None
    if not looping:
        return _of_threads.setdefault(engine, _ThreadTurns(None))
    in_loops = _of_loops.setdefault(engine, WeakKeyDictionary())
    return in_loops.setdefault(asyncio.get_running_loop(), _LoopTurns())


class _ThreadTurns:
    def __init__(self, engine: sa.Engine | None) -> None:
        self._gate = None if engine is None else Gate(engine)
        self._lock = threading.Lock() if self._gate is None else self._gate.lock

    def take(self, seconds: float) -> bool:
        return self._lock.acquire(timeout=seconds)

    def give(self) -> None:
        self._lock.release()


class _LoopTurns:
    """For greenlets; whoever waits is cancelled when his time is up."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    def take(self, _seconds: float) -> bool:
        return bool(await_only(self._lock.acquire()))

    def give(self) -> None:
        self._lock.release()


_of_threads: WeakKeyDictionary[sa.Engine, _ThreadTurns] = WeakKeyDictionary()
_of_loops: WeakKeyDictionary[
    sa.Engine, WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopTurns]
] = WeakKeyDictionary()

# A thread that is not in the child may have its turn.
os.register_at_fork(after_in_child=_of_threads.clear)
