"""The memcached store where a loop ends or stands still, or the store is closed in the middle."""

import asyncio
from collections.abc import Iterator

import pytest
from face import Outcome, outcome_of, until

from holdfast.bridge import drive
from holdfast.clock import monotonic
from holdfast.errors import StoreUnavailable
from holdfast.store.memcached import links as module
from holdfast.store.memcached.faults import Unreached
from holdfast.store.memcached.lines import Lines
from holdfast.store.memcached.links import Links
from holdfast.store.memcached.nodes import Access, Node
from holdfast.store.memcached.wire import PING
from holdfast.store.protocol import OpenStore
from holdfast.store.registry import open_store
from servers.memcached import MemcachedServer
from servers.proxy import Hold, Proxy

pytestmark = pytest.mark.server


@pytest.fixture
def proxy(memcached_server: MemcachedServer) -> Iterator[Proxy]:
    """Give a proxy before a server, which counts connections."""
    with Proxy(memcached_server.port) as proxy:
        yield proxy


def store_at(proxy: Proxy) -> OpenStore:
    return open_store(f"memcached://127.0.0.1:{proxy.port}", timeout=20)


def test_who_waits_in_a_loop_that_stands_still_hears_of_the_closing(proxy: Proxy) -> None:
    async def rest(waiting: list[asyncio.Task[Outcome[bytes | None]]]) -> None:
        async with asyncio.timeout(10):
            for outcome in await asyncio.gather(*waiting):
                assert isinstance(outcome.error, StoreUnavailable)

    with asyncio.Runner() as runner, store_at(proxy) as store:
        runner.run(store.aio.ping())
        with proxy.under(Hold()):
            loop = runner.get_loop()
            waiting = [loop.create_task(outcome_of(store.aio.get("k"))) for _ in range(3)]
            runner.run(asyncio.sleep(0.01))
            store.close()
            runner.run(rest(waiting))
    until(lambda: proxy.open == 0, "the last connection is closed")


@pytest.mark.parametrize("turns", range(6))
def test_who_clears_up_when_the_loop_ends_has_a_line(proxy: Proxy, turns: int) -> None:
    """A loop that ends cancels what connects, too: nothing may wait for that."""
    cleared: list[Outcome[bool]] = []

    async def work(store: OpenStore) -> None:
        try:
            await store.aio.get("k")
            await asyncio.sleep(10)
        finally:
            cleared.append(await outcome_of(store.aio.delete("k")))

    async def begin(store: OpenStore) -> None:
        tasks = [asyncio.create_task(work(store)) for _ in range(3)]
        for _ in range(turns):
            await asyncio.sleep(0)
        assert not any(task.done() for task in tasks)

    with store_at(proxy) as store:
        asyncio.run(begin(store))
    assert [outcome.value for outcome in cleared] == [False] * 3
    until(lambda: proxy.open == 0, "the last connection is closed")


def test_closed_lines_make_no_connection(proxy: Proxy) -> None:
    """For a task that was between the two requests of a `swap` when they were closed."""

    async def body() -> None:
        lines, node = Lines(Access()), Node("127.0.0.1", proxy.port)
        await lines.ask(node, [PING], monotonic() + 10)
        await lines.close()
        taken = proxy.taken
        with pytest.raises(Unreached) as caught:
            await lines.ask(node, [PING], monotonic() + 10)
        assert "the store was closed" in str(caught.value.__cause__)
        assert proxy.taken == taken

    asyncio.run(body())


def test_a_link_that_comes_back_while_they_are_closed_is_closed(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    links, node = Links(Access()), Node("127.0.0.1", proxy.port)

    def in_step(_: object) -> bool:
        links.close()  # another thread, just now
        return True

    monkeypatch.setattr(module, "_in_step", in_step)
    drive(links.ask(node, [PING], monotonic() + 10))
    until(lambda: proxy.open == 0, "the last connection is closed")
