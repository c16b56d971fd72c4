"""Listening: the thread behind a bus; it connects, hears, sends, and begins anew when that breaks.

Law: one daemon thread with one connection in each process. Between `ready` and `lost` no change is
missed: whatever goes wrong, `lost` is said before anything is tried again. A connection that does
not answer when it is asked is dead: silence is no proof that nothing was changed.
"""

import atexit
import contextlib
import functools
import logging
import math
import os
import random
import select
import socket
import threading
import weakref
from collections.abc import Sequence
from typing import Protocol

from holdfast.clock import monotonic
from holdfast.errors import StoreError
from holdfast.store.bus import Listener

__all__ = ["PATIENCE", "Keys", "Line", "Listening", "Way", "can_read"]

PATIENCE = 2.0
"""Seconds until a connection that was asked and says nothing is dead."""

_EVERY = 1.0  # seconds between two questions
_SHORTEST, _LONGEST = 0.01, 2.0  # seconds between two attempts to connect
_AFTER_FORK = 0.05  # seconds in which a child may become another program: it connects to nothing
_AT_ONCE = 10_000  # keys that wait to be sent; beyond that it is quicker to say "everything"
_JOIN = 5.0  # seconds `close` waits for the thread at most

Keys = list[str] | None
"""Keys of a store; None: all of them."""

_logger = logging.getLogger("holdfast")


class Line(Protocol):
    """A connection that hears changes. The thread alone makes, uses and closes it.

    Each method raises `StoreError` where the connection is no good any more.
    """

    def fileno(self) -> int:
        """Return the file that can be read when there is something to hear."""

    def hear(self) -> Keys:
        """Return what others changed, of what has come; do not wait for more."""

    def has_more(self) -> bool:
        """Return whether `hear` may find something now, though the file need not be readable."""

    def send(self, keys: Keys) -> None:
        """Tell the others that `keys` were changed."""

    def check(self) -> None:
        """Return when the server has answered, within `PATIENCE`."""

    def close(self) -> None:
        """Close at once."""


class Way(Protocol):
    """How a bus reaches its servers."""

    @property
    def name(self) -> str:
        """See `Bus.name`."""

    @property
    def speaks(self) -> bool:
        """See `Bus.speaks`."""

    @property
    def publishes(self) -> bool:
        """Whether changes must be sent: False where the server tells of them by itself."""

    def connect(self, prefixes: Sequence[str]) -> Line:
        """Return a line that has passed its self-test.

        Raises:
            StoreError: There is none now.
        """

    def wrote(self, key: str, value: bytes) -> None:
        """See `Bus.wrote`."""

    def forget(self) -> None:
        """Forget what was written: this is the child of a fork, and it was another who did it."""


class Listening:
    """A `Bus` over what a `Way` connects to.

    Args:
        way: How it reaches its servers.
    """

    def __init__(self, way: Way) -> None:
        self._way = way
        self._guard = threading.Lock()
        self._watch: _Watch | None = None
        self._closed = False
        self.wrote = way.wrote

    @property
    def name(self) -> str:
        """See `Bus.name`."""
        return self._way.name

    @property
    def speaks(self) -> bool:
        """See `Bus.speaks`."""
        return self._way.speaks

    @property
    def is_behind(self) -> bool:
        """Whether something that was published has not left yet."""
        return (watch := self._watch) is not None and watch.is_behind

    def listen(self, prefixes: Sequence[str], listener: Listener) -> None:
        """See `Bus.listen`."""
        with self._guard:
            if self._closed or self._watch is not None:
                raise RuntimeError(f"{self.name} was closed, or has a listener already")
            # a hook of its own: those that give the listener new locks were registered before
            os.register_at_fork(after_in_child=functools.partial(_after_fork, weakref.ref(self)))
            _alive.add(self)
            self._watch = _Watch(self._way, prefixes, listener)
            self._watch.start()

    def publish(self, keys: Sequence[str]) -> None:
        """See `Bus.publish`."""
        watch = self._watch
        if watch is not None and self._way.publishes:
            watch.publish(keys)

    def close(self) -> None:
        """See `Bus.close`."""
        with self._guard:
            self._closed = True
            watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()
            watch.join()

    def after_fork(self) -> None:
        """Leave the parent's connection alone, for ever, and begin anew."""
        self._guard = threading.Lock()  # a thread that is not here may have held it
        self._way.forget()
        before, self._watch = self._watch, None
        if before is None:
            return
        _inherited.append(before)
        listener = before.listener()
        if listener is not None:
            before.tell_lost(listener)
            self._watch = _Watch(self._way, before.prefixes, listener, pause=_AFTER_FORK)
            self._watch.start()


class _Watch:
    """One thread's life."""

    def __init__(
        self, way: Way, prefixes: Sequence[str], listener: Listener, *, pause: float = 0
    ) -> None:
        self.prefixes = _apart(prefixes)
        self.listener = weakref.ref(listener, lambda _: self.stop())
        self._way = way
        self._pause = pause
        self._outbox = _Outbox()
        self._bell = _Bell()
        self._over = self._is_ready = self._complained = self._sends = False
        self._line: Line | None = None  # known here, so that a fork does not make it garbage
        self._thread = threading.Thread(target=self._run, name="holdfast-bus", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end soon."""
        self._over = True
        self._bell.ring()

    def join(self) -> None:
        """Wait for its end, unless it is the thread itself that asks."""
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN)

    def publish(self, keys: Sequence[str]) -> None:
        self._outbox.put(list(keys))
        self._bell.ring()

    @property
    def is_behind(self) -> bool:
        """See `Listening.is_behind`."""
        return self._outbox.waits or self._sends

    def _run(self) -> None:
        try:
            self._sleep(self._pause)
            failures = 0
            while not self._over:
                failures = 0 if self._live() else min(failures + 1, 16)
                longest = min(_SHORTEST * 2**failures, _LONGEST)
                self._sleep(random.uniform(0.5, 1) * longest)  # noqa: S311 - no secret
            if self.is_behind:  # it was ended before it could say this
                self._live()
        finally:
            self._bell.close()

    def _live(self) -> bool:
        """Connect, and hear until it breaks; return whether that went well for a while."""
        began = monotonic()
        try:
            line = self._line = self._way.connect(self.prefixes)
            if not self._over:
                self._tell_ready()
            self._serve(line)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the thread
            self._lose(error)
        finally:
            if self._line is not None:
                self._line.close()
                self._line = None
        return monotonic() - began > _LONGEST

    def _serve(self, line: Line) -> None:
        due = monotonic() + _EVERY
        while not self._over:
            self._bell.clear()
            self._send(line)
            self._hear(line)
            now = monotonic()
            if now < due:
                more = line.has_more()
                can_read([self._bell.file, line.fileno()], 0 if more else due - now)
            else:
                line.check()
                due = now + _EVERY
        self._send(line)  # the last words

    def _send(self, line: Line) -> None:
        self._sends = True
        keys = self._outbox.take()
        try:
            if keys != []:
                line.send(keys)
        except BaseException:
            self._outbox.put(keys)  # once more on the next line: twice does no harm
            raise
        finally:
            self._sends = False

    def _hear(self, line: Line) -> None:
        keys, listener = line.hear(), self.listener()
        if listener is None or keys == [] or self._over:
            return
        if keys is None:
            listener.lost()
            listener.ready()
        else:
            listener.changed(keys)

    def _tell_ready(self) -> None:
        listener = self.listener()
        if listener is not None:
            self._is_ready = True
            listener.ready()
        if self._complained:
            self._complained = False
            _logger.info("%s hears again", self._way.name)

    def tell_lost(self, listener: Listener) -> None:
        """Tell it, if it believes that nothing is missed."""
        if self._is_ready:
            self._is_ready = False
            listener.lost()

    def _lose(self, error: Exception) -> None:
        listener = self.listener()
        if listener is None or self._over:
            return
        try:
            self.tell_lost(listener)
        except Exception:
            _logger.exception("%s: the listener broke", self._way.name)
        if not self._complained:
            self._complained = True
            ours = not isinstance(error, StoreError)  # or the listener's: a fault in a program
            kind = self._way.name.partition(" ")[0]  # whose it is, the error says
            _logger.warning("%s hears no changes for now: %s", kind, error, exc_info=ours)

    def _sleep(self, seconds: float) -> None:
        """Wait, but for no longer than the thread lives; what is published may wait, too."""
        until = monotonic() + seconds
        while not self._over and (left := until - monotonic()) > 0:
            self._bell.clear()
            if not self._over:
                can_read([self._bell.file], left)


class _Outbox:
    """The keys that wait to be sent."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._keys: dict[str, None] = {}
        self._all = False

    def put(self, keys: Keys) -> None:
        with self._guard:
            if keys is not None and not self._all:
                self._keys.update(dict.fromkeys(keys))
            if keys is None or len(self._keys) > _AT_ONCE:
                self._all = True
                self._keys = {}

    @property
    def waits(self) -> bool:
        return self._all or bool(self._keys)

    def take(self) -> Keys:
        if not self.waits:
            return []
        with self._guard:
            keys = None if self._all else list(self._keys)
            self._all, self._keys = False, {}
        return keys


class _Bell:
    """Wakes the thread from its wait."""

    def __init__(self) -> None:
        self.file, self._other = socket.socketpair()
        self.file.settimeout(0)
        self._other.settimeout(0)
        self._rung = False

    def ring(self) -> None:
        if not self._rung:
            self._rung = True
            with contextlib.suppress(OSError):  # it is full, or nobody waits any more
                self._other.send(b"\0")

    def clear(self) -> None:
        self._rung = False  # first: who rings from here on has his say in what is looked at next
        with contextlib.suppress(OSError):
            self.file.recv(64)

    def close(self) -> None:
        self.file.close()
        self._other.close()


def can_read(files: Sequence[int | socket.socket], seconds: float) -> bool:
    """Wait until one of `files` can be read; return whether one can."""
    if not hasattr(select, "poll"):  # Windows
        return any(select.select(files, (), (), seconds))
    watch = select.poll()
    for file in files:
        watch.register(file, select.POLLIN)
    return bool(watch.poll(math.ceil(seconds * 1000)))


def _apart(prefixes: Sequence[str]) -> list[str]:
    """Return `prefixes` without those that begin with another of them."""
    found: list[str] = []
    for prefix in sorted(set(prefixes)):
        if not found or not prefix.startswith(found[-1]):
            found.append(prefix)
    return found


_alive: weakref.WeakSet[Listening] = weakref.WeakSet()
_inherited: list[_Watch] = []  # kept, so that no finalizer says goodbye on the parent's connections


def _after_fork(one: weakref.ref[Listening]) -> None:
    bus = one()
    if bus is not None:
        try:
            bus.after_fork()
        except Exception:
            _logger.exception("%s hears nothing in this child", bus.name)


@atexit.register
def _say_the_last() -> None:
    """Let leave what was published: the threads are about to be stopped wherever they are."""
    for bus in list(_alive):
        if bus.is_behind:
            bus.close()
