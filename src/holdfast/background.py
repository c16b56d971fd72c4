"""Background: threads and tasks for work that nobody, or not everybody, waits for.

Law: the threads are daemons and made at their first use, anew after a fork: what is unfinished when
the program ends is dropped. Work runs in the context (`contextvars`) of whoever asked for it, and
never waits for its turn: those who are busy might be waiting for it. What a task was to do at its
end is done though its event loop was closed before.
"""

import asyncio
import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable, Coroutine

from holdfast.forks import in_each_child

__all__ = ["Background", "start_task"]


class Background:
    """Daemon threads; one that is idle is used before another is made.

    Args:
        most: How many pieces of work run at once; more are refused. None: any number.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._forget()
        in_each_child(self._forget)

    def _forget(self) -> None:
        self._guard = threading.Lock()
        self._work: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._threads = 0
        self._idle = 0

    def run(self, work: Callable[[], object]) -> bool:
        """Have `work` done at once; it must not raise, for nobody would hear of it.

        Returns:
            False if as many as may be are busy: it is not done.

        Raises:
            RuntimeError: A thread was needed and cannot be had: the program ends.
        """
        context = contextvars.copy_context()
        with self._guard:
            if not self._idle:
                if self._threads == self._most:
                    return False
                threading.Thread(target=self._serve, name="holdfast", daemon=True).start()
                self._threads += 1
                self._idle += 1
            self._idle -= 1
            self._work.put(lambda: context.run(work))
        return True

    def _serve(self) -> None:
        work = self._work
        while True:
            try:
                work.get()()
            finally:
                with self._guard:
                    self._idle += 1


def start_task(
    steps: Callable[[], Coroutine[object, None, object]], over: Callable[[], object]
) -> Callable[[], object]:
    """Run `steps` in a task of the running loop, and call `over` at its end in any case.

    Returns:
        What cancels it, from any thread.
    """
    _end_lost()
    loop = asyncio.get_running_loop()
    task = loop.create_task(steps())
    _running[task] = over  # a loop's own references are weak

    def end(task: asyncio.Task[object]) -> None:
        _running.pop(task, None)
        if not task.cancelled():
            task.exception()  # what ends the program has ended the loop
        over()

    task.add_done_callback(end)

    def cancel() -> None:
        with contextlib.suppress(RuntimeError):  # its loop is closed, and it with it
            loop.call_soon_threadsafe(task.cancel)

    return cancel


def _end_lost() -> None:
    """End the oldest tasks, as far as their loops were closed before they ended: who else would?"""
    with contextlib.suppress(StopIteration, RuntimeError):  # other threads may do so now
        while (task := next(iter(_running))).get_loop().is_closed():
            over = _running.pop(task, None)
            task._log_destroy_pending = False  # type: ignore[attr-defined] # noqa: SLF001 - it is seen to
            if over is not None:
                over()


_running: dict[asyncio.Task[object], Callable[[], object]] = {}
