"""Redis under faults of the network, the server and its callers."""

import asyncio
import contextlib
import gc
import warnings
from collections.abc import Iterator

import pytest
from face import Outcome, outcome_of, until
from fault_base import KEYS
from fault_suite import FaultSuite

from holdfast import open_store
from holdfast.store.protocol import AsyncStore, OpenStore
from holdfast.testing.trial import in_threads
from servers.process import Server
from servers.proxy import Delay, Proxy
from servers.redis import run_redis

pytestmark = [pytest.mark.server, pytest.mark.slow]

Tasks = list[asyncio.Task[Outcome[bytes | None]]]


class TestRedisFaults(FaultSuite):
    """One server, which saves nothing."""

    @classmethod
    @contextlib.contextmanager
    def run(cls) -> Iterator[Server]:
        with run_redis() as found:
            yield found.server

    def open(self, port: int, prefix: str) -> OpenStore:
        return open_store(f"redis://127.0.0.1:{port}", prefix=prefix, timeout=self.timeout)

    def test_loops_that_are_closed_without_a_word(self, proxy: Proxy) -> None:
        """What their cancelled tasks had in use is closed by the store, not by the collector."""

        async def begin(store: AsyncStore, moment: int) -> Tasks:
            tasks = [asyncio.ensure_future(outcome_of(store.get(key))) for key in KEYS]
            await asyncio.sleep(moment * 0.0004)
            return tasks

        async def cancel(tasks: Tasks) -> None:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

        def work(_: int) -> None:
            for moment in range(20):
                with self.open(proxy.port, "ends") as store:
                    loop = asyncio.new_event_loop()
                    tasks = loop.run_until_complete(begin(store.aio, moment))
                    loop.run_until_complete(cancel(tasks))
                    loop.close()

        with warnings.catch_warnings(record=True) as told, proxy.under(Delay(0.002)):
            warnings.simplefilter("always")
            in_threads(1, work)
            gc.collect()
        assert [str(one.message) for one in told if one.category is ResourceWarning] == []
        until(lambda: proxy.open == 0, "the last connection is closed")
