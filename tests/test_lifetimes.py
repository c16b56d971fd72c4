"""Lifetimes: one thing per process and per loop, never inherited, never left open."""

import asyncio
import gc
import os
import threading
import time
import warnings
from collections.abc import Callable, Coroutine
from typing import TypeVar

import pytest

from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.lifetimes import AT_ONCE, PerLoop, PerProcess, own_threads

T = TypeVar("T")

NAME = "redis://shown"


class Thing:
    """Remembers what became of it."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.pid = os.getpid()

    def close(self) -> None:
        self.told.append("closed")

    async def aclose(self) -> None:
        self.told.append("closing")
        await asyncio.sleep(0)
        self.told.append("closed")

    def drop(self) -> None:
        self.told.append("dropped")


def per_process(made: list[Thing]) -> PerProcess[Thing]:
    return PerProcess(NAME, lambda: keep(made), Thing.close)


def per_loop(made: list[Thing]) -> PerLoop[Thing]:
    return PerLoop(NAME, lambda: keep(made), Thing.aclose, Thing.drop)


def keep(made: list[Thing]) -> Thing:
    made.append(Thing())
    return made[-1]


def in_child(work: Callable[[], object]) -> None:
    """Run `work` in a forked child, and fail where it raises."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def in_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


class TestPerProcess:
    """What lasts as long as a process."""

    def test_nothing_is_made_before_the_first_use(self) -> None:
        made: list[Thing] = []
        things = per_process(made)
        assert not made
        assert things.here() is things.here()
        assert len(made) == 1

    def test_threads_that_come_together_share_one(self) -> None:
        made: list[Thing] = []
        gate = threading.Barrier(8)
        slow = PerProcess(NAME, lambda: (gc.collect(), keep(made))[1], Thing.close)
        got: list[Thing] = []

        def ask() -> None:
            gate.wait()
            got.append(slow.here())

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(made) == 1
        assert set(got) == {made[0]}
        assert len(got) == 8

    def test_what_cannot_be_made_is_tried_again(self) -> None:
        made: list[Thing] = []
        answers = iter([OSError("not yet"), None])

        def make() -> Thing:
            error = next(answers)
            if error:
                raise error
            return keep(made)

        things = PerProcess(NAME, make, Thing.close)
        with pytest.raises(OSError, match="not yet"):
            things.here()
        assert things.here() is made[0]

    def test_closed_is_closed_for_good(self) -> None:
        made: list[Thing] = []
        things = per_process(made)
        things.here()
        things.close()
        things.close()
        assert made[0].told == ["closed"]
        with pytest.raises(StoreUnavailable, match="closed") as caught:
            things.here()
        assert caught.value.store == NAME
        assert len(made) == 1

    def test_closing_what_was_never_used_makes_nothing(self) -> None:
        made: list[Thing] = []
        things = per_process(made)
        things.close()
        assert not made
        with pytest.raises(StoreUnavailable):
            things.here()

    def test_a_child_makes_its_own_and_leaves_the_parents_alone(self) -> None:
        made: list[Thing] = []
        things = per_process(made)
        first = things.here()

        def child() -> None:
            own = things.here()
            assert own is not first
            assert own.pid == os.getpid()
            things.close()
            assert own.told == ["closed"]
            assert first.told == []

        in_child(child)
        assert things.here() is first
        assert first.told == []

    def test_no_finalizer_runs_on_what_a_child_inherited(self) -> None:
        finals: list[int] = []

        class Final(Thing):
            def __del__(self) -> None:
                finals.append(os.getpid())

        things: list[PerProcess[Thing]] = [PerProcess(NAME, Final, Thing.close)]
        things[0].here()

        def child() -> None:
            things.clear()
            gc.collect()
            assert not finals

        in_child(child)

    def test_a_fork_while_another_thread_makes_it_does_not_hang_the_child(self) -> None:
        making, go = threading.Event(), threading.Event()
        parent = os.getpid()

        def make() -> Thing:
            if os.getpid() == parent:
                making.set()
                go.wait(10)
            return Thing()

        things = PerProcess(NAME, make, Thing.close)
        thread = threading.Thread(target=things.here)
        thread.start()
        making.wait(10)
        try:
            in_child(lambda: things.here().told.append("used"))
        finally:
            go.set()
            thread.join()

    def test_what_was_closed_before_the_fork_is_closed_in_the_child(self) -> None:
        things = per_process([])
        things.here()
        things.close()

        def child() -> None:
            with pytest.raises(StoreUnavailable):
                things.here()

        in_child(child)


def cut_short(steps: Coroutine[object, None, T]) -> T:
    """Run a loop that is closed without the last steps that `asyncio.run` takes."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(steps)
    finally:
        loop.close()


class TestPerLoop:
    """What lasts as long as an event loop."""

    def test_it_is_made_in_its_loop_at_its_first_use(self) -> None:
        loops: list[object] = []

        def make() -> Thing:
            loops.append(asyncio.get_running_loop())
            return Thing()

        things = PerLoop(NAME, make, Thing.aclose, Thing.drop)

        async def use() -> None:
            assert things.here() is things.here()
            assert loops == [asyncio.get_running_loop()]
            await things.close()

        asyncio.run(use())

    def test_without_a_loop_there_is_nothing(self) -> None:
        with pytest.raises(RuntimeError, match="no running event loop"):
            per_loop([]).here()

    def test_a_second_loop_has_its_own_and_what_a_dead_one_left_is_dropped(self) -> None:
        made: list[Thing] = []
        things = per_loop(made)

        async def use() -> Thing:
            return things.here()

        first, second = cut_short(use()), cut_short(use())
        assert first is not second
        assert first.told == ["dropped"]
        assert second.told == []
        things.close_outside()
        assert second.told == ["dropped"]

    def test_what_a_dead_loop_left_is_kept_where_nothing_new_can_be_made(self) -> None:
        made: list[Thing] = []
        answers: list[type[Exception] | None] = [None, OSError, None]

        def make() -> Thing:
            error = answers.pop(0)
            if error:
                raise error
            return keep(made)

        things = PerLoop(NAME, make, Thing.aclose, Thing.drop)

        async def use() -> Thing:
            return things.here()

        first = cut_short(use())
        with pytest.raises(OSError):  # noqa: PT011 - ours, without a message
            asyncio.run(use())
        asyncio.run(use())
        assert first.told == ["dropped"], "it was not forgotten"
        things.close_outside()

    def test_a_loop_that_ends_in_good_order_closes_its_own(self) -> None:
        made: list[Thing] = []
        things = per_loop(made)

        async def use() -> Thing:
            return things.here()

        first, second = asyncio.run(use()), asyncio.run(use())
        assert first is not second
        assert first.told == second.told == ["closing", "closed"]
        things.close_outside()
        assert second.told == ["closing", "closed"], "once is enough"

    def test_a_loop_that_pauses_keeps_its_own(self) -> None:
        made: list[Thing] = []
        things = per_loop(made)

        async def use() -> Thing:
            return things.here()

        with asyncio.Runner() as runner:
            assert runner.run(use()) is runner.run(use())
            runner.run(things.close())
        assert made[0].told == ["closing", "closed"]

    def test_closing_twice_is_fine_and_for_good(self) -> None:
        made: list[Thing] = []
        things = per_loop(made)

        async def use() -> None:
            things.here()
            await things.close()
            await things.close()
            things.close_outside()
            with pytest.raises(StoreUnavailable, match="closed") as caught:
                things.here()
            assert caught.value.store == NAME

        asyncio.run(use())
        assert made[0].told == ["closing", "closed"]

    def test_closed_from_a_thread_a_running_loop_closes_its_own(self) -> None:
        made: list[Thing] = []
        things = per_loop(made)

        async def use() -> None:
            things.here()
            in_thread(things.close_outside)
            assert made[0].told == [], "not by a thread that is not its own"
            await asyncio.sleep(0.05)

        asyncio.run(use())
        assert made[0].told == ["closing", "closed"]

    def test_closed_as_the_last_act_of_a_loop_nothing_stays_open(self) -> None:
        made: list[Thing] = []
        things = per_loop(made)

        async def use() -> None:
            things.here()
            things.close_outside()

        asyncio.run(use())
        assert made[0].told
        assert made[0].told[-1] in ("closed", "dropped")

    def test_close_closes_those_of_other_loops_too(self) -> None:
        made: list[Thing] = []
        things = per_loop(made)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()

        async def use() -> None:
            things.here()

        async def use_and_close() -> None:
            things.here()
            await things.close()

        asyncio.run_coroutine_threadsafe(use(), loop).result(10)
        asyncio.run(use_and_close())
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.05), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        assert [thing.told for thing in made] == [["closing", "closed"]] * 2

    @pytest.mark.parametrize("error", [OSError("gone"), asyncio.CancelledError()], ids=repr)
    def test_what_cannot_be_closed_is_dropped(self, error: BaseException) -> None:
        made: list[Thing] = []

        async def fail(_: Thing) -> None:
            raise error

        things = PerLoop(NAME, lambda: keep(made), fail, Thing.drop)

        async def use() -> None:
            things.here()
            with pytest.raises(type(error)):
                await things.close()
            await asyncio.sleep(0)

        asyncio.run(use())
        assert made[0].told == ["dropped"]

    def test_a_cancelled_close_leaves_nothing_open(self) -> None:
        made: list[Thing] = []

        async def hang(_: Thing) -> None:
            await asyncio.Event().wait()

        things = PerLoop(NAME, lambda: keep(made), hang, Thing.drop)

        async def use() -> None:
            things.here()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(things.close(), 0.01)

        asyncio.run(use())
        assert made[0].told == ["dropped"]

    def test_a_thing_that_cannot_be_dropped_does_not_keep_the_others(self) -> None:
        made: list[Thing] = []

        def drop(thing: Thing) -> None:
            thing.drop()
            raise OSError

        things = PerLoop(NAME, lambda: keep(made), Thing.aclose, drop)
        runners = [asyncio.Runner(), asyncio.Runner()]

        async def use() -> Thing:
            return things.here()

        for runner in runners:
            runner.run(use())
        things.close_outside()
        for runner in runners:
            runner.close()
        assert [thing.told for thing in made] == [["dropped"]] * 2

    def test_a_child_makes_its_own_in_its_own_loop(self) -> None:
        made: list[Thing] = []
        things = per_loop(made)

        async def use() -> Thing:
            return things.here()

        async def use_and_close() -> None:
            assert things.here() is not made[0]
            await things.close()

        with asyncio.Runner() as runner:
            first = runner.run(use())

            def child() -> None:
                asyncio.run(use_and_close())
                assert first.told == []
                assert made[1].told == ["closing", "closed"]

            in_child(child)
            assert runner.run(use()) is first
            runner.run(things.close())
        assert first.told == ["closing", "closed"]

    def test_a_child_does_not_disturb_the_loop_it_inherited(self) -> None:
        things = per_loop([])
        loop = [asyncio.new_event_loop()]

        async def use() -> None:
            things.here()

        loop[0].run_until_complete(use())

        def child() -> None:
            warnings.simplefilter("ignore")  # one that is raised would keep the loop from ending
            loop.clear()
            gc.collect()  # a loop's end takes its sockets out of the epoll it shares

        in_child(child)
        began = time.monotonic()
        waker = threading.Timer(0.05, loop[0].call_soon_threadsafe, [loop[0].stop])
        waker.start()
        late = loop[0].call_later(20, loop[0].stop)
        loop[0].run_forever()
        late.cancel()
        waker.join()
        assert time.monotonic() - began < 15, "the parent's loop was not woken"
        things.close_outside()
        loop[0].close()


def test_who_waits_too_long_for_a_thread_is_told_and_not_done() -> None:
    threads, gate, done = own_threads(NAME, 1), threading.Event(), list[int]()
    busy = [threads.here().submit(gate.wait, 10) for _ in range(AT_ONCE)]
    late = [threads.here().submit(done.append, number) for number in range(100)]
    time.sleep(1.2)
    gate.set()
    assert all(one.result(10) for one in busy)
    for one in late:
        with pytest.raises(StoreTimeout, match="no thread was free"):
            one.result(10)
    assert done == []
    threads.close()


def test_threads_that_were_closed_just_now_refuse_as_a_closed_store_does() -> None:
    threads = own_threads(NAME, 10)
    mine, gate = threads.here(), threading.Event()
    under_way = mine.submit(gate.wait, 10)
    threads.close()
    with pytest.raises(StoreUnavailable):
        mine.submit(gate.wait)
    with pytest.raises(StoreUnavailable, match="the store is closed"):
        threads.here()
    gate.set()
    assert under_way.result(10)


def test_a_child_has_threads_of_its_own() -> None:
    threads = own_threads(NAME, 10)
    assert threads.here().submit(os.getpid).result(10) == os.getpid()

    def work() -> None:
        assert threads.here().submit(os.getpid).result(10) == os.getpid()

    in_child(work)
    threads.close()
