"""Lifetimes: things that last as long as a process or an event loop: a driver's clients, threads.

Law: a connection is never used by a process or a loop it was not made in. After a fork the child
makes its own and never speaks on what it inherited: one byte would reach the parent's server.
"""

import asyncio
import contextlib
import os
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, Generic, ParamSpec, TypeVar

from holdfast.clock import monotonic
from holdfast.errors import StoreTimeout, StoreUnavailable

__all__ = ["AT_ONCE", "PerLoop", "PerProcess", "let_go", "own_threads"]

T = TypeVar("T")
P = ParamSpec("P")

AT_ONCE = 64
"""Operations of one store that are under way in `own_threads`."""


class PerProcess(Generic[T]):
    """One thing for all threads of a process, made at its first use, and anew after a fork.

    Args:
        name: The store's name, for the error after `close`.
        make: Makes the thing; it should not connect yet.
        close: Closes it.
    """

    def __init__(self, name: str, make: Callable[[], T], close: Callable[[T], object]) -> None:
        self._name = name
        self._make = make
        self._close = close
        self._closed = False
        self._things: list[T] = []  # none or one
        self._guard = threading.Lock()
        _alive.add(self)

    def here(self) -> T:
        """Return the thing of this process.

        Raises:
            StoreUnavailable: It was closed for good.
        """
        for thing in self._things:
            return thing
        with self._guard:
            if self._closed:
                raise StoreUnavailable(self._name, "the store is closed")
            if not self._things:
                self._things.append(self._make())
            return self._things[0]

    def close(self) -> None:
        """Close the thing for good; twice is fine."""
        with self._guard:
            self._closed = True
            gone, self._things = self._things, []
        for thing in gone:
            self._close(thing)

    def after_fork(self) -> None:
        """Leave what the parent uses alone, for ever."""
        _inherited.extend(self._things)
        self._things = []
        self._guard = threading.Lock()  # a thread that is not here may have held it


def own_threads(name: str, timeout: float) -> PerProcess[Executor]:
    """Return threads for the async face of a store whose driver blocks.

    They are its own: in the loop's few, a silent server would hold up everybody's files and names.

    Args:
        name: The store's name.
        timeout: Seconds an operation waits for a thread before `StoreTimeout`.
    """
    # without waiting: what is under way ends at its deadline, and what waits hears of the closing
    return PerProcess(name, lambda: _Threads(name, timeout), lambda all_: all_.shutdown(wait=False))


class _Threads(ThreadPoolExecutor):
    """Refuses in the words of the store contract."""

    def __init__(self, name: str, timeout: float) -> None:
        super().__init__(AT_ONCE, thread_name_prefix="holdfast")
        self._name, self._timeout = name, timeout

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        def in_time() -> T:
            if monotonic() > until:
                message = f"no thread was free for {self._timeout:g} s; nothing was done"
                raise StoreTimeout(self._name, message)
            return work(*args, **kwargs)

        until = monotonic() + self._timeout
        try:
            return super().submit(in_time)
        except RuntimeError as error:  # they were closed just now, or the program ends
            raise StoreUnavailable(self._name, str(error)) from error


class PerLoop(Generic[T]):
    """One thing for each event loop, made at its first use there.

    Args:
        name: The store's name, for the error after `close`.
        make: Makes the thing, in its running loop; it should not connect yet.
        close: Closes it, in its running loop.
        drop: Lets go of its connections at once, when its loop is over or `close` did not end well;
            from any thread.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], T],
        close: Callable[[T], Coroutine[object, None, object]],
        drop: Callable[[T], object],
    ) -> None:
        self._name = name
        self._make = make
        self._close = close
        self._drop = drop
        self._closed = False
        self._things: dict[asyncio.AbstractEventLoop, T] = {}
        self._ends: dict[asyncio.AbstractEventLoop, AsyncGenerator[None, None]] = {}
        self._guard = threading.RLock()  # a generator that ends asks for it, too
        _alive.add(self)

    def here(self) -> T:
        """Return the thing of the running loop.

        Raises:
            StoreUnavailable: It was closed for good.
        """
        loop = asyncio.get_running_loop()
        try:
            return self._things[loop]
        except KeyError:
            return self._new(loop)

    def _new(self, loop: asyncio.AbstractEventLoop) -> T:
        with self._guard:
            if self._closed:
                raise StoreUnavailable(self._name, "the store is closed")
            thing = self._make()
            over = [old for old in self._things if old.is_closed()]
            gone = [self._taken(old) for old in over]
            self._things[loop] = thing
            self._ends[loop] = end = self._until_the_end(loop)
            with contextlib.suppress(StopIteration):
                end.asend(None).send(None)
        self._drop_all(gone)
        _drop_half_closed()
        return thing

    async def _until_the_end(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None, None]:
        """Close the thing of a loop when it ends: `asyncio.run` closes the generators it left."""
        try:
            yield
        finally:
            with self._guard:
                mine = self._things.pop(loop, None)
                self._ends.pop(loop, None)
            if mine is not None:
                await self._close_soon(loop, mine)

    def _taken(self, loop: asyncio.AbstractEventLoop) -> T:
        """Take the thing of a loop away; the guard is held."""
        thing = self._things.pop(loop)
        _end_now(self._ends.pop(loop))
        return thing

    async def close(self) -> None:
        """Close for good: the running loop's thing now, the others as `close_outside` does."""
        loop = asyncio.get_running_loop()
        with self._guard:
            mine = [self._taken(loop)] if loop in self._things else []
        self.close_outside()
        for thing in mine:
            await self._close_soon(loop, thing)

    def close_outside(self) -> None:
        """Close for good from any thread: running loops close their things in their next turn."""
        with self._guard:
            self._closed = True
            things = [(loop, self._taken(loop)) for loop in list(self._things)]
        for loop, thing in things:
            if loop.is_running():
                with contextlib.suppress(RuntimeError):  # it stopped just now
                    loop.call_soon_threadsafe(self._close_soon, loop, thing)
                    continue
            self._drop_all([thing])
        _drop_half_closed()

    def _close_soon(self, loop: asyncio.AbstractEventLoop, thing: T) -> asyncio.Task[object]:
        task = loop.create_task(self._close(thing))
        _closing[task] = lambda: self._drop_all([thing])
        task.add_done_callback(lambda done: self._let_go(done, thing))
        return task

    def _let_go(self, task: asyncio.Task[object], thing: T) -> None:
        _closing.pop(task, None)
        if task.cancelled() or task.exception() is not None:
            self._drop_all([thing])  # its loop ended first, or it failed half-way

    def _drop_all(self, things: list[T]) -> None:
        for thing in things:
            with contextlib.suppress(Exception):  # its loop is gone: nobody can be told
                self._drop(thing)

    def after_fork(self) -> None:
        """Leave what the parent uses alone, for ever."""
        # and the loops, for the end of one would change the parent's epoll
        _inherited.extend([*self._things.items(), *self._ends.items()])
        self._things, self._ends = {}, {}
        self._guard = threading.RLock()


def _end_now(waiting: AsyncGenerator[None, None]) -> None:
    """End a generator that has nothing to do any more, so that no finalizer wakes its loop."""
    with contextlib.suppress(StopIteration, RuntimeError):  # it ends in another place just now
        waiting.aclose().send(None)


def let_go(transport: Any) -> None:
    """Close a transport of asyncio at once, also when its loop is over and cannot be told.

    A closed loop takes no callbacks, and a transport closes its socket in one: it is called here.
    """
    secured = getattr(transport, "_ssl_protocol", None)
    inner = transport if secured is None else secured._transport  # noqa: SLF001 - it has the socket
    lose = getattr(inner, "_call_connection_lost", None)  # what the loop would call
    if lose is not None and _is_going(inner):
        lose = None
    if lose is not None:  # uvloop closes its sockets itself, when it is closed
        inner._call_connection_lost = lambda _: None  # noqa: SLF001 - once is enough
    with contextlib.suppress(RuntimeError):
        transport.abort()
    with contextlib.suppress(RuntimeError):
        if lose is not None:
            lose(None)


def _is_going(transport: Any) -> bool:
    """Return whether its loop has closed a transport's socket, or will in its next turn."""
    loop = transport._loop  # noqa: SLF001 - None where all is done
    return loop is None or (transport.is_closing() and not loop.is_closed())


_alive: weakref.WeakSet[PerProcess[Any] | PerLoop[Any]] = weakref.WeakSet()
_inherited: list[object] = []  # kept, so that no finalizer says goodbye on the parent's connections
_closing: dict[asyncio.Task[object], Callable[[], object]] = {}  # a loop's own references are weak


def _drop_half_closed() -> None:
    """Let go of what was closing when its loop was closed: who else would? It is kept here."""
    for task, drop in _closing.copy().items():
        if task.get_loop().is_closed() and _closing.pop(task, None) is not None:
            task._log_destroy_pending = False  # type: ignore[attr-defined] # noqa: SLF001 - it is seen to
            drop()


def _after_fork() -> None:
    _inherited.extend(_closing.copy().items())
    _closing.clear()
    for lifetime in list(_alive):
        lifetime.after_fork()


os.register_at_fork(after_in_child=_after_fork)
