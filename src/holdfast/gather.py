"""Gather: what tasks ask for in the same turn of an event loop leaves as one call.

Law: a task that was cancelled before its call left is not in it; one cancelled later does not
disturb the others. Each asker gets its own answer or its own error.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Generic, TypeVar

__all__ = ["Gather"]

A = TypeVar("A")
R = TypeVar("R")


class Gather(Generic[A, R]):
    """Gathers the questions of one loop.

    Args:
        send: Takes the questions of one turn and returns as many answers in their order; an answer
            that is an exception is raised to its asker. What `send` raises is raised to all.
        limit: How many questions one call takes at most; more leave as several calls at once.
    """

    def __init__(
        self,
        send: Callable[[list[A]], Coroutine[object, None, Sequence[R | BaseException]]],
        limit: int = 1000,
    ) -> None:
        self._send = send
        self._limit = limit
        self._asked: list[tuple[A, asyncio.Future[R]]] = []
        self._calls: set[asyncio.Task[None]] = set()  # a loop keeps only weak references to tasks

    def ask(self, question: A) -> asyncio.Future[R]:
        """Return the future answer; everything asked before the loop's next turn leaves with it."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()
        if not self._asked:
            loop.call_soon(self._leave)
        self._asked.append((question, answer))
        return answer

    def _leave(self) -> None:
        asked = [pair for pair in self._asked if not pair[1].cancelled()]
        self._asked = []
        for start in range(0, len(asked), self._limit):
            task = asyncio.get_running_loop().create_task(
                self._call(asked[start : start + self._limit])
            )
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _call(self, asked: list[tuple[A, asyncio.Future[R]]]) -> None:
        try:
            answers = await self._send([question for question, _ in asked])
            if len(answers) != len(asked):  # whose is whose? nobody may wait for ever
                raise RuntimeError(f"{len(answers)} answers to {len(asked)} questions")  # noqa: TRY301 - told below
        except asyncio.CancelledError:  # the loop ends
            for _, future in asked:
                future.cancel()
            raise
        except BaseException as error:  # noqa: BLE001 - each asker is told
            answers = [error] * len(asked)
        for (_, future), answer in zip(asked, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)
