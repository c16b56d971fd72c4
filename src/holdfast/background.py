"""Background: a few threads for work that nobody, or not everybody, waits for.

Law: the threads are daemons and made at their first use, anew after a fork: what is unfinished when
the program ends is dropped. Work runs in the context (`contextvars`) of whoever asked for it.
"""

import contextvars
import os
import queue
import threading
import weakref
from collections.abc import Callable

__all__ = ["Background"]


class Background:
    """At most `threads` daemon threads; one that is idle is used before another is made.

    Args:
        threads: How many pieces of work run at once; the others wait for their turn.
    """

    def __init__(self, threads: int) -> None:
        self._most = threads
        self._forget()
        forget = weakref.WeakMethod(self._forget)
        os.register_at_fork(after_in_child=lambda: (again := forget()) and again())

    def _forget(self) -> None:
        self._guard = threading.Lock()
        self._work: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._threads = 0
        self._idle = 0

    def run(self, work: Callable[[], object]) -> None:
        """Have `work` done soon; it must not raise, for nobody would hear of it.

        Raises:
            RuntimeError: A thread was needed and cannot be had: the program ends.
        """
        context = contextvars.copy_context()
        with self._guard:
            if self._idle <= 0 and self._threads < self._most:
                threading.Thread(target=self._serve, name="holdfast", daemon=True).start()
                self._threads += 1
                self._idle += 1
            self._idle -= 1  # below zero: as many pieces of work wait
            self._work.put(lambda: context.run(work))

    def _serve(self) -> None:
        work = self._work
        while True:
            try:
                work.get()()
            finally:
                with self._guard:
                    self._idle += 1
