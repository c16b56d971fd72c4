"""The store contract among many: handles, threads, processes, forks and event loops.

Law: no test here needs luck to pass. Where it needs luck to fail, many callers try many times.
"""

import asyncio
import multiprocessing
import os
import signal

import pytest

from holdfast.store.protocol import OpenStore
from holdfast.testing.trial import Trial, in_processes, in_threads

__all__ = ["Sharing", "add"]


def add(store: OpenStore, times: int, key: str = "n") -> None:
    """Add one to `key`, `times` times, by `swap`."""
    for _ in range(times):
        while True:
            old = store.get(key)
            if store.swap(key, old, b"%d" % (int(old or b"0") + 1)):
                break


class Sharing:
    """`swap` is atomic for all who share the store; a fork and a new loop change nothing."""

    between_processes: bool

    def test_handles_share_rows_and_close_alone(self, trial: Trial) -> None:
        other = trial.another()
        trial.opened.put("k", b"v")
        assert other.get("k") == b"v"
        assert other.swap("k", b"v", b"w")
        other.close()
        assert trial.opened.get("k") == b"w"

    def test_threads_lose_no_swap(self, trial: Trial) -> None:
        in_threads(8, lambda _: add(trial.opened, 20))
        assert trial.opened.get("n") == b"160"

    def test_one_of_many_threads_adds_what_is_absent(self, trial: Trial) -> None:
        won: list[str] = []

        def try_all(number: int) -> None:
            mine = b"%d" % number
            won.extend(k for k in map(str, range(25)) if trial.opened.swap(k, None, mine))

        in_threads(8, try_all)
        assert sorted(won, key=int) == [str(key) for key in range(25)]

    def test_one_of_many_threads_takes_what_is_there(self, trial: Trial) -> None:
        trial.opened.put_many({str(key): b"v" for key in range(25)})
        won: list[str] = []

        def try_all(number: int) -> None:
            take = trial.opened.delete if number % 2 else lambda k: trial.opened.swap(k, b"v", None)
            won.extend(k for k in map(str, range(25)) if take(k))

        in_threads(8, try_all)
        assert sorted(won, key=int) == [str(key) for key in range(25)]

    @pytest.mark.slow
    def test_processes_lose_no_swap(self, trial: Trial) -> None:
        self._needs_processes()

        def work(_: int) -> None:
            with trial.another() as store:
                add(store, 50)

        assert set(in_processes(8, work)) == {0}
        assert trial.opened.get("n") == b"400"

    @pytest.mark.slow
    def test_processes_see_each_others_writes(self, trial: Trial) -> None:
        self._needs_processes()

        def work(number: int) -> None:
            with trial.another() as store:
                store.put(f"from-{number}", b"v" * number)
                assert store.delete(f"for-{number}")

        trial.opened.put_many({f"for-{number}": b"v" for number in range(4)})
        assert set(in_processes(4, work)) == {0}
        found = trial.opened.get_many([f"{way}-{n}" for n in range(4) for way in ("from", "for")])
        assert found == {f"from-{number}": b"v" * number for number in range(4)}

    @pytest.mark.slow
    def test_a_killed_process_leaves_the_store_whole(self, trial: Trial) -> None:
        self._needs_processes()
        started = multiprocessing.get_context("fork").Event()

        def work(number: int) -> None:
            with trial.another() as store:
                if number:
                    started.wait(30)
                add(store, 1)
                started.set()
                while not number:
                    add(store, 10, "victim")
                    if int(store.get("victim") or b"0") >= 200:
                        os.kill(os.getpid(), signal.SIGKILL)

        assert in_processes(3, work) == [-signal.SIGKILL, 0, 0]
        assert trial.opened.get("n") == b"3"
        add(trial.opened, 1, "victim")
        assert trial.opened.get("victim") == b"201"

    @pytest.mark.slow
    def test_child_and_parent_go_on_after_a_fork(self, trial: Trial) -> None:
        trial.opened.put("before", b"v")

        def work(number: int) -> None:
            assert trial.opened.get("before") == b"v"
            add(trial.opened, 20)
            trial.opened.put(f"child-{number}", b"v")
            assert asyncio.run(trial.opened.aio.get(f"child-{number}")) == b"v"

        assert set(in_processes(2, work)) == {0}
        add(trial.opened, 20)
        trial.opened.put("parent", b"v")
        assert trial.opened.get("before") == b"v"
        assert trial.opened.get("n") == (b"60" if self.between_processes else b"20")

    @pytest.mark.slow
    def test_a_fork_in_the_middle_of_other_threads_work(self, trial: Trial) -> None:
        codes: list[int | None] = []

        def work(number: int) -> None:
            if number == 0:
                for _ in range(5):
                    codes.extend(in_processes(1, lambda _: add(trial.opened, 5, "child")))
            else:
                add(trial.opened, 100, "parent")

        in_threads(4, work)
        assert codes == [0] * 5
        assert trial.opened.get("parent") == b"300"

    def test_a_second_event_loop(self, trial: Trial) -> None:
        async def step(old: bytes | None, new: bytes) -> bool:
            return await trial.opened.aio.swap("k", old, new)

        assert asyncio.run(step(None, b"1"))
        assert asyncio.run(step(b"1", b"2"))
        assert trial.opened.get("k") == b"2"

    def _needs_processes(self) -> None:
        if not self.between_processes:
            pytest.skip("this store is of one process")
