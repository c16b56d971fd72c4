"""The fault suite: what a store on a network does when the network, the server or a caller fails.

Law: as in `fault_network.py`; and `swap` is sent at most once, and is `StoreUnavailable` only where
it was not done.

    class TestMyFaults(FaultSuite):
        def run(cls) -> AbstractContextManager[Server]: ...
        def open(self, port: int, prefix: str) -> OpenStore: ...
"""

import asyncio
import contextlib
import gc
import itertools
import threading
import time
import warnings

import pytest
from face import Face, Outcome, Step, outcome_of, patiently, until
from fault_base import (
    HOLES,
    KEYS,
    OPERATIONS,
    getting,
    swapping,
    value_of,
    wait_until_frozen,
)
from fault_network import NetworkFaults

from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.store.protocol import AsyncStore, OpenStore
from holdfast.testing.trial import in_threads
from servers.process import Server
from servers.proxy import (
    Clean,
    Cut,
    Delay,
    Ending,
    Flaky,
    Hold,
    Mute,
    Proxy,
    Reset,
)

__all__ = ["FaultSuite", "wait_until_frozen"]


class FaultSuite(NetworkFaults):
    """Subclass it as `Test...` and give `run` and `open`; see `FaultBase` for the settings."""

    # Swaps

    def check_swap(self, proxy: Proxy, face: Face, fault: Clean, number: int) -> None:
        """Swap a key under a fault: sent at most once, done if acknowledged, undone if refused."""
        key, old, new = f"s{number}", b"v", b"swapped-%06d" % number
        face.calmly(lambda store: store.put(key, old))
        with proxy.under(fault):
            outcome = face.attempt(swapping(key, old, new))
        found = face.calmly(getting(key))
        assert found in (old, new)
        assert proxy.heard(new) + proxy.heard(new.hex().encode()) <= 1, "it was sent again"
        if outcome.error is None:
            assert outcome.value == (found == new)
        elif not isinstance(outcome.error, StoreTimeout):
            assert found == old, f"it was done, and its outcome is no unknown one: {outcome}"

    @pytest.mark.parametrize("hole", HOLES)
    def test_a_swap_in_a_black_hole(self, proxy: Proxy, face: Face, hole: str) -> None:
        for number in range(2):
            self.check_swap(proxy, face, HOLES[hole](), number)
        self.check_sound(face)

    @pytest.mark.parametrize("before", [False, True])
    def test_a_swap_and_a_reset(self, proxy: Proxy, face: Face, *, before: bool) -> None:
        for number in range(5):
            self.check_swap(proxy, face, Reset(before=before), number)
        self.check_sound(face)

    @pytest.mark.parametrize("how", [Ending.CLOSE, Ending.RESET])
    def test_a_swap_cut_at_every_byte(self, proxy: Proxy, face: Face, how: Ending) -> None:
        for after in itertools.count():
            cut = Cut(after, how)
            self.check_swap(proxy, face, cut, after)
            if not cut.done:
                break
        assert after > 0
        self.check_sound(face)

    def test_counting_by_swap_through_a_flaky_network(self, proxy: Proxy, face: Face) -> None:
        acknowledged, unknown = [0], [0]

        async def count(store: AsyncStore, worker: int) -> None:
            for attempt in range(15):
                read = await outcome_of(store.get("n"))
                if read.value is None:
                    continue
                new = b"%d:%d:%d" % (int(read.value.partition(b":")[0]) + 1, worker, attempt)
                done = await outcome_of(store.swap("n", read.value, new))
                acknowledged[0] += done.value is True
                unknown[0] += isinstance(done.error, StoreTimeout)

        def counting(worker: int) -> Step[None]:
            return lambda store: count(store, worker)

        face.calmly(lambda store: store.put("n", b"0:"))
        with proxy.under(Flaky(0.04, seed=7)):
            for outcome in face.all_at_once([counting(worker) for worker in range(6)]):
                assert outcome.error is None
        final = int((face.calmly(getting("n")) or b"").partition(b":")[0])
        assert acknowledged[0] <= final <= acknowledged[0] + unknown[0]
        assert final > 0
        self.check_sound(face)

    # The server's process

    def test_a_frozen_server(self, server: Server, face: Face) -> None:
        for key, other in (("k00", "k01"), ("k02", "k03")):
            try:
                self.freeze(server)
                self.check_timely(face.attempt(getting(key)))
                self.check_timely(face.attempt(swapping("x", b"v", b"v")))
                waker = threading.Timer(self.timeout / 2, self.thaw, [server])
                waker.start()
                self.check_own(face.attempt(getting(other)), other)
                waker.join()
            finally:
                self.thaw(server)
            self.check_sound(face)

    def test_a_killed_server_comes_back(self, server: Server, kind: str) -> None:
        with self.opened(server.port, kind) as face:
            face.calmly(lambda store: store.put_many({key: value_of(key) for key in KEYS}))
            self.check_sound(face)
            server.kill()
            try:
                for operation in OPERATIONS.values():
                    outcome = face.attempt(operation)
                    assert isinstance(outcome.error, StoreUnavailable)
                    assert outcome.seconds <= self.timeout + self.slack
            finally:
                server.start()
            assert face.calmly(getting("k00")) in (value_of("k00"), None)  # it may have forgotten
            for new in ("new", "newer", "newest"):  # an unknown outcome is not asked again
                outcome = face.attempt(swapping(new, None, b"v"))
                if not outcome.was_late:
                    break
            assert outcome.value is True
            assert face.calmly(getting(new)) == b"v"

    def test_a_restart_that_nobody_noticed(self, server: Server, kind: str) -> None:
        self.timeout = 5.0  # no deadline is looked at: a busy machine has time for its one swap
        with self.opened(server.port, kind) as face:
            face.calmly(lambda store: store.put_many({key: value_of(key) for key in KEYS}))
            self.check_sound(face)
            server.kill()
            server.start()
            assert face.do(swapping("new", None, b"v")) is True
            for outcome in self.crowd(face, ["new"] * face.crowd):
                assert outcome.value == b"v" or outcome.was_late

    # Cancelled tasks

    @pytest.mark.parametrize("kind", ["aio"], indirect=True)
    def test_a_cancelled_task_poisons_nothing(self, proxy: Proxy, face: Face) -> None:
        late = list[str]()

        def is_own(outcome: Outcome[bytes | None], key: str) -> None:
            if outcome.was_late:  # a busy machine, now and then; a poisoned connection each time
                late.append(key)
            else:
                assert outcome.value == value_of(key)

        async def get(store: AsyncStore, key: str) -> Outcome[bytes | None]:
            return await outcome_of(store.get(key))  # one that is cancelled first makes no `get`

        async def cancel_at(store: AsyncStore, moment: int) -> None:
            key, *others = (KEYS[(moment + step) % len(KEYS)] for step in range(4))
            task = asyncio.ensure_future(get(store, key))
            answers = asyncio.gather(*(get(store, other) for other in others))
            if moment < 8:
                for _ in range(moment):
                    await asyncio.sleep(0)
            else:
                await asyncio.sleep((moment - 8) * 0.0004)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                is_own(await task, key)
            assert await patiently(lambda: store.get(others[-1])) == value_of(others[-1])
            for outcome, other in zip(await answers, others, strict=True):
                is_own(outcome, other)

        with proxy.under(Delay(0.005)):
            for moment in range(40):
                face.do(lambda store: cancel_at(store, moment))  # noqa: B023 - it runs at once
        assert len(late) <= 12, "of 160"
        self.check_sound(face)

    @pytest.mark.parametrize("kind", ["aio"], indirect=True)
    def test_a_cancelled_swap_is_sent_once(self, proxy: Proxy, face: Face) -> None:
        async def cancel_at(store: AsyncStore, moment: int) -> None:
            old, new = await patiently(lambda: store.get("x")), b"swapped-%06d" % moment
            task = asyncio.ensure_future(outcome_of(store.swap("x", old, new)))
            await asyncio.sleep(moment * 0.0005)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                outcome = await task
                assert outcome.value or outcome.was_late
            await asyncio.sleep(0.02)
            assert await patiently(lambda: store.get("x")) in (old, new)
            assert proxy.heard(new) + proxy.heard(new.hex().encode()) <= 1

        with proxy.under(Delay(0.004)):
            for moment in range(20):
                face.do(lambda store: cancel_at(store, moment))  # noqa: B023 - it runs at once
        self.check_sound(face)

    @pytest.mark.parametrize("kind", ["aio"], indirect=True)
    def test_a_cancelled_task_is_cancelled(self, proxy: Proxy, face: Face) -> None:
        async def cancel(store: AsyncStore, operation: Step[object]) -> object:
            for _ in range(5):
                begun = time.monotonic()
                task = asyncio.ensure_future(operation(store))
                await asyncio.sleep(self.timeout / 4)
                slept = time.monotonic() - begun
                task.cancel()
                end = (await asyncio.gather(task, return_exceptions=True))[0]
                if slept < self.timeout * 0.9:  # else the machine stood still until its deadline
                    break
            return end

        much = {f"b{number}": bytes(self.large) for number in range(30)}
        cancelled: tuple[type[BaseException], ...] = (asyncio.CancelledError,)
        cases = [(operation, cancelled) for operation in OPERATIONS.values()]
        # Much takes so long to prepare that the deadline may come first.
        cases.append((lambda store: store.put_many(much), (*cancelled, StoreTimeout)))
        for operation, ends in cases:
            assert face.calmly(getting(KEYS[0])) == value_of(KEYS[0])
            with proxy.under(Hold()):
                end = face.do(lambda store: cancel(store, operation))  # noqa: B023 - it runs at once
            assert isinstance(end, ends)
        self.check_sound(face)

    @pytest.mark.parametrize("kind", ["aio"], indirect=True)
    def test_200_cancelled_tasks_leak_no_connection(self, proxy: Proxy, face: Face) -> None:
        async def cancel_many(store: AsyncStore, count: int) -> bool:
            tasks = [asyncio.ensure_future(store.get(KEYS[n % len(KEYS)])) for n in range(count)]
            await asyncio.sleep(0.006)
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            return any(isinstance(end, asyncio.CancelledError) for end in ends)

        with proxy.under(Delay(0.02)):
            rounds = 0
            for count in [100] + [5] * 20:
                rounds += face.do(lambda store: cancel_many(store, count))  # noqa: B023 - it runs at once
                assert proxy.open <= self.connections
        assert rounds > 5, "most came in the middle; a busy machine misses some"
        self.check_sound(face)
        assert proxy.open <= self.connections

    def test_loops_that_end_in_mid_command(self, proxy: Proxy) -> None:
        """Nothing hangs and nothing is left open, whether tasks are cancelled or left alone."""

        async def begin(store: AsyncStore, moment: int) -> None:
            tasks = [asyncio.ensure_future(outcome_of(store.get(key))) for key in KEYS]
            await asyncio.sleep(moment * 0.0004)
            for task in tasks[: moment % 3 * 10]:
                task.cancel()

        def work(_: int) -> None:
            for moment in range(30):
                with self.open(proxy.port, "ends") as store:
                    asyncio.run(begin(store.aio, moment))

        with warnings.catch_warnings(record=True) as told, proxy.under(Delay(0.002)):
            warnings.simplefilter("always")
            in_threads(1, work)  # which has its patience
            gc.collect()
        assert [str(one.message) for one in told if one.category is ResourceWarning] == []
        until(lambda: proxy.open == 0, "the last connection is closed")

    @pytest.mark.parametrize("way", ["close", "aclose", "thread"])
    def test_loops_that_end_while_the_store_is_closed(self, proxy: Proxy, way: str) -> None:
        """At whatever turn of the loop that is, nothing is left open."""

        async def begin(opened: OpenStore, turns: int) -> None:
            await asyncio.gather(*(outcome_of(opened.aio.get_many([key])) for key in KEYS[:4]))
            tasks = [asyncio.ensure_future(outcome_of(opened.aio.get(key))) for key in KEYS[:4]]
            if way == "aclose":
                tasks.append(asyncio.ensure_future(outcome_of(opened.aio.close())))
            elif way == "thread":
                in_threads(1, lambda _: opened.close())
            else:
                opened.close()
            for _ in range(turns):
                await asyncio.sleep(0)

        def work(_: int) -> None:
            for turns in range(10):
                asyncio.run(begin(self.open(proxy.port, "ends"), turns))

        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            in_threads(1, work)
            gc.collect()
        assert [str(one.message) for one in told if one.category is ResourceWarning] == []
        until(lambda: proxy.open == 0, "the last connection is closed")

    def test_close_while_others_connect(self, proxy: Proxy) -> None:
        """They are answered, or told that the store is closed."""

        async def close(store: AsyncStore, moment: int) -> None:
            tasks = [asyncio.ensure_future(outcome_of(store.get(key))) for key in KEYS]
            await asyncio.sleep(moment * 0.0004)
            await store.close()
            for outcome in await asyncio.gather(*tasks):
                assert outcome.error is not None or outcome.value is None

        with proxy.under(Delay(0.002)):
            for moment in range(30):
                asyncio.run(close(self.open(proxy.port, "ends").aio, moment))
        until(lambda: proxy.open == 0, "the last connection is closed")

    def test_close_leaves_no_connection(self, proxy: Proxy, face: Face) -> None:
        self.check_sound(face)
        with proxy.under(Mute()):
            assert isinstance(face.attempt(getting("x")).error, StoreTimeout)
        self.check_sound(face)
        assert proxy.open > 0
        face.close()
        until(lambda: proxy.open == 0, "the last connection is closed")
        with pytest.raises(StoreUnavailable, match="the store is closed"):
            face.store.get("x")
