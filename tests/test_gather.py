"""Gather: what is asked in one turn leaves as one call, and each asker gets what is his."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import pytest

from holdfast.gather import Gather


class Server:
    """Answers with the question doubled; keeps what came."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.go = asyncio.Event()
        self.go.set()

    async def send(self, questions: list[int]) -> Sequence[int | BaseException]:
        self.calls.append(questions)
        await self.go.wait()
        return [LookupError(number) if number < 0 else 2 * number for number in questions]


def play(scene: Callable[[Server, Gather[int, int]], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        server = Server()
        await scene(server, Gather(server.send, limit=3))

    asyncio.run(asyncio.wait_for(main(), 10))


async def asking(gather: Gather[int, int], number: int) -> int:
    return await gather.ask(number)


def test_what_is_asked_in_one_turn_leaves_as_one_call() -> None:
    async def scene(server: Server, gather: Gather[int, int]) -> None:
        answers = await asyncio.gather(*(asking(gather, number) for number in (1, 2, 3)))
        assert answers == [2, 4, 6]
        assert server.calls == [[1, 2, 3]]

    play(scene)


def test_a_later_turn_is_another_call() -> None:
    async def scene(server: Server, gather: Gather[int, int]) -> None:
        server.go.clear()
        first = gather.ask(1)
        await asyncio.sleep(0)
        second = gather.ask(2)
        await asyncio.sleep(0.01)
        assert server.calls == [[1], [2]], "nobody waits for another call to come back"
        server.go.set()
        assert [await first, await second] == [2, 4]

    play(scene)


def test_more_than_the_limit_leave_as_several_calls_at_once() -> None:
    async def scene(server: Server, gather: Gather[int, int]) -> None:
        server.go.clear()
        asked = [gather.ask(number) for number in range(8)]
        await asyncio.sleep(0.01)
        assert server.calls == [[0, 1, 2], [3, 4, 5], [6, 7]]
        server.go.set()
        assert await asyncio.gather(*asked) == [2 * number for number in range(8)]

    play(scene)


def test_the_same_question_twice_is_answered_twice() -> None:
    async def scene(server: Server, gather: Gather[int, int]) -> None:
        assert [*await asyncio.gather(gather.ask(5), gather.ask(5))] == [10, 10]
        assert server.calls == [[5, 5]]

    play(scene)


def test_an_answer_that_is_an_exception_is_raised_to_its_asker_alone() -> None:
    async def scene(server: Server, gather: Gather[int, int]) -> None:
        answers = await asyncio.gather(
            *(asking(gather, number) for number in (1, -2, 3)), return_exceptions=True
        )
        assert [answers[0], answers[2]] == [2, 6]
        assert isinstance(answers[1], LookupError)
        assert answers[1].args == (-2,)
        assert len(server.calls) == 1

    play(scene)


def test_what_the_call_raises_is_raised_to_all_of_it() -> None:
    async def scene(_: Server, __: Gather[int, int]) -> None:
        async def send(questions: list[int]) -> Sequence[int]:
            if 1 in questions:
                raise OSError("gone")
            return questions

        gather: Gather[int, int] = Gather(send, limit=2)
        answers = await asyncio.gather(
            *(asking(gather, number) for number in (1, 2, 3)), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [OSError, OSError, int]

    play(scene)


@pytest.mark.parametrize("wrong", [[], [1], [1, 2, 3]], ids=len)
def test_nobody_waits_for_ever_for_an_answer_that_is_not_there(wrong: list[int]) -> None:
    async def scene(_: Server, __: Gather[int, int]) -> None:
        async def send(_: list[int]) -> Sequence[int]:
            return wrong

        gather: Gather[int, int] = Gather(send)
        answers = await asyncio.gather(gather.ask(1), gather.ask(2), return_exceptions=True)
        assert [type(answer) for answer in answers] == [RuntimeError, RuntimeError]

    play(scene)


def test_who_was_cancelled_before_the_call_is_not_in_it() -> None:
    async def scene(server: Server, gather: Gather[int, int]) -> None:
        kept, gone = gather.ask(1), gather.ask(2)
        gone.cancel()
        assert await kept == 2
        assert server.calls == [[1]]

    play(scene)


def test_where_all_were_cancelled_nothing_leaves() -> None:
    async def scene(server: Server, gather: Gather[int, int]) -> None:
        gather.ask(1).cancel()
        await asyncio.sleep(0.01)
        assert server.calls == []
        assert await gather.ask(2) == 4

    play(scene)


def test_who_is_cancelled_later_does_not_disturb_the_others() -> None:
    async def scene(server: Server, gather: Gather[int, int]) -> None:
        server.go.clear()
        tasks = [asyncio.create_task(asking(gather, number)) for number in (1, 2, -3)]
        await asyncio.sleep(0.01)
        tasks[0].cancel()
        tasks[2].cancel()
        await asyncio.sleep(0)
        server.go.set()
        assert await tasks[1] == 4
        for task in (tasks[0], tasks[2]):
            with pytest.raises(asyncio.CancelledError):
                await task
        assert server.calls == [[1, 2, -3]]

    play(scene)


def test_a_deadline_of_one_asker_is_his_alone() -> None:
    async def scene(server: Server, gather: Gather[int, int]) -> None:
        server.go.clear()

        async def hurried() -> int:
            async with asyncio.timeout(0.01):
                return await gather.ask(1)

        patient = asyncio.create_task(asking(gather, 2))
        with pytest.raises(TimeoutError):
            await hurried()
        server.go.set()
        assert await patient == 4

    play(scene)


def test_when_the_loop_ends_its_askers_are_cancelled() -> None:
    told: list[str] = []

    async def ask(wait: Awaitable[int]) -> None:
        try:
            await wait
        except asyncio.CancelledError:
            told.append("cancelled")
            raise

    async def main() -> None:
        server = Server()
        server.go.clear()
        gather: Gather[int, int] = Gather(server.send)
        asked = gather.ask(1)
        task = asyncio.create_task(ask(asked))
        await asyncio.sleep(0.01)
        told.append(f"{len(server.calls)} call, done: {task.done()}")

    asyncio.run(main())
    assert told == ["1 call, done: False", "cancelled"]


def test_a_loop_that_pauses_goes_on_where_it_was() -> None:
    async def make() -> tuple[Server, Gather[int, int]]:
        server = Server()
        return server, Gather(server.send)

    async def leave(gather: Gather[int, int]) -> asyncio.Future[int]:
        return gather.ask(7)  # nothing has left when the loop pauses

    async def end(asked: asyncio.Future[int]) -> int:
        return await asked

    with asyncio.Runner() as runner:
        server, gather = runner.run(make())
        asked = runner.run(leave(gather))
        assert runner.run(end(asked)) == 14
        assert server.calls == [[7]]


def test_without_a_loop_nothing_is_asked() -> None:
    async def send(questions: list[int]) -> Sequence[int]:
        return questions

    with pytest.raises(RuntimeError, match="no running event loop"):
        Gather(send).ask(1)
