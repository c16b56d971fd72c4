"""The connections of the memcached store: restarts, dead servers, leaks, cancelled tasks."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from holdfast.errors import StoreError, StoreTimeout, StoreUnavailable
from holdfast.store.memcached import MemcachedStore
from holdfast.store.memcached.nodes import Node
from holdfast.store.protocol import OpenStore
from holdfast.store.registry import open_store
from holdfast.testing.trial import in_threads
from servers.memcached import MemcachedServer, run_memcached
from servers.process import free_port
from servers.proxy import deaf_port

pytestmark = pytest.mark.server


@pytest.fixture
def own() -> Iterator[MemcachedServer]:
    """A server this test may kill."""
    with run_memcached() as server:
        yield server


def links_to(server: MemcachedServer, expected: int) -> int:
    """Return how many connections clients have; what is just closed gets time to be gone."""
    until = time.monotonic() + 10
    while True:
        links = server.stat("curr_connections") - 1  # who asks counts himself
        if links == expected or time.monotonic() > until:
            return links
        time.sleep(0.02)


def pause(server: MemcachedServer) -> None:
    """Freeze the server, and wait until all its threads are frozen."""
    server.server.pause()


@pytest.mark.slow
def test_threads_go_on_after_a_restart(own: MemcachedServer) -> None:
    with open_store(own.url) as store:
        gate = threading.Barrier(4)

        def use(number: int) -> None:
            store.put(f"k{number}", b"v")
            gate.wait(10)

        in_threads(4, use)  # four idle connections
        own.server.kill()
        with pytest.raises(StoreUnavailable, match="cannot be reached") as caught:
            store.get("k0")
        assert isinstance(caught.value.__cause__, ConnectionRefusedError)
        own.server.start()
        assert store.swap("a", None, b"v"), "no idle connection may cost a swap its outcome"
        own.server.kill()
        own.server.start()
        assert store.get("a") is None
        own.server.kill()
        own.server.start()
        assert not store.delete("a")


@pytest.mark.slow
def test_loops_go_on_after_a_restart(own: MemcachedServer) -> None:
    async def body() -> None:
        store = open_store(own.url).aio
        await store.put("a", b"v")
        own.server.kill()
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            await store.get("a")
        own.server.start()
        assert await store.swap("a", None, b"v")
        own.server.kill()
        own.server.start()  # the loop stood still: it has not read the goodbye
        assert await store.swap("a", None, b"v")
        pause(own)
        waiting = asyncio.create_task(store.get("a"))
        await asyncio.sleep(0.05)
        os.kill(own.server.pid, signal.SIGKILL)  # without waking it first
        with pytest.raises(StoreUnavailable, match="was lost"):
            await waiting
        await store.close()

    asyncio.run(body())


@pytest.mark.slow
@pytest.mark.parametrize("face", ["sync", "aio"])
def test_a_restart_in_the_middle_of_a_swap(own: MemcachedServer, face: str) -> None:
    """The first row of each life of a server has the same number for `cas`."""
    looks: list[str] = []

    def clock() -> float:
        if looks and looks.pop() == "at the row":
            own.server.kill()
            own.server.start()
            with open_store(own.url) as other:
                other.put("k", b"of somebody else")
        return time.time()

    with MemcachedStore([Node("127.0.0.1", own.port)], timeout=10, clock=clock) as store:
        swap = store.swap
        if face == "aio":
            swap = lambda *args: asyncio.run(store.aio.swap(*args))  # noqa: E731 - as `swap` is
        store.put("k", b"v", ttl=100)
        looks += ["at the row", "for the ttl"]
        with pytest.raises(StoreUnavailable, match="closed the connection"):
            swap("k", b"v", b"w", 60)
        assert store.get("k") == b"of somebody else"
        assert not looks


@pytest.mark.slow
def test_a_silent_server_is_a_timeout(own: MemcachedServer) -> None:
    steps: list[Callable[[OpenStore], object]] = [
        lambda store: store.get("k"),
        lambda store: store.get_many(["k", "l"]),
        lambda store: store.put("k", b"new"),
        lambda store: store.delete("k"),
        lambda store: store.swap("k", b"v", b"w"),
        lambda store: store.swap("x", None, b"w"),
        lambda store: store.ping(),
    ]
    with open_store(own.url, timeout=0.5) as store:
        store.put_many({"k": b"v", "l": b"of another key"})
        pause(own)
        for step in steps:
            start = time.monotonic()
            with pytest.raises(StoreTimeout, match=r"within 0\.5 s") as caught:
                step(store)
            assert isinstance(caught.value.__cause__, TimeoutError)
            assert 0.45 < time.monotonic() - start < 3
        own.server.go_on()
        assert store.get("l") == b"of another key", "never the late answer to another question"


@pytest.mark.slow
def test_a_silent_server_is_a_timeout_for_all_tasks(own: MemcachedServer) -> None:
    async def ended(work: Coroutine[object, None, object]) -> float:
        start = time.monotonic()
        with pytest.raises(StoreTimeout, match=r"within 0\.5 s"):
            await work
        return time.monotonic() - start

    async def body() -> None:
        store = open_store(own.url, timeout=0.5).aio
        await store.put_many({"k": b"v", "l": b"of another key"})
        pause(own)
        for _ in range(2):
            late = await asyncio.gather(
                *(ended(store.get("k")) for _ in range(20)),
                *(ended(store.swap("k", b"v", b"w")) for _ in range(20)),
            )
            assert max(late) < 3
        own.server.go_on()
        assert await store.get("l") == b"of another key"
        await store.close()

    asyncio.run(body())


def test_a_port_where_nobody_answers_ends_in_time() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        host, port = deaf.getsockname()
        with contextlib.ExitStack() as full:
            for _ in range(3):  # its backlog: the next SYN gets no answer
                one = full.enter_context(socket.socket())
                one.settimeout(0)
                one.connect_ex((host, port))
            with open_store(f"memcached://{host}:{port}", timeout=0.2) as store:
                start = time.monotonic()
                with pytest.raises(StoreTimeout):
                    store.get("k")
                with pytest.raises(StoreTimeout):
                    asyncio.run(store.aio.get("k"))
                assert time.monotonic() - start < 3


def test_a_host_of_many_addresses_has_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    found = socket.getaddrinfo

    def many(_: str, port: int, *args: Any, **kwargs: Any) -> Any:
        return found("127.0.0.1", port, *args, **kwargs) * 6

    monkeypatch.setattr(socket, "getaddrinfo", many)
    with deaf_port() as port, open_store(f"memcached://many:{port}", timeout=0.5) as store:
        start = time.monotonic()
        with pytest.raises(StoreTimeout, match=r"within 0\.5 s"):
            store.get("k")
        with pytest.raises(StoreTimeout, match=r"within 0\.5 s"):
            asyncio.run(store.aio.get("k"))
        assert time.monotonic() - start < 5


def test_another_address_of_a_host_is_tried(
    own: MemcachedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = socket.getaddrinfo

    def two(_: str, port: int, *args: Any, **kwargs: Any) -> Any:
        nobody, somebody = (found(ip, port, *args, **kwargs) for ip in ("127.0.0.9", "127.0.0.1"))
        return [*nobody, *somebody]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    with open_store(f"memcached://two:{own.port}", timeout=10) as store:
        store.put("k", b"v")
        own.server.kill()
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            store.get("k")


@pytest.mark.slow
def test_ten_thousand_operations_leak_nothing(own: MemcachedServer) -> None:
    store = open_store(own.url)

    def use(number: int) -> None:
        for step in range(625):
            store.put(f"k{number}", b"%d" % step, ttl=60)
            assert store.get(f"k{number}") == b"%d" % step

    in_threads(8, use)
    assert 1 <= links_to(own, 8) <= 8

    async def body() -> None:
        async def work(number: int) -> None:
            for step in range(100):
                await store.aio.put(f"k{number}", b"%d" % step, ttl=60)
                assert await store.aio.get(f"k{number}") == b"%d" % step

        await asyncio.gather(*(work(number) for number in range(50)))
        assert 2 <= links_to(own, 9) <= 9
        await store.aio.close()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(body())
    gc.collect()
    assert links_to(own, 0) == 0


@pytest.mark.slow
def test_cancelled_tasks_leave_nothing_behind(own: MemcachedServer) -> None:
    big = b"v" * 1_000_000

    async def body() -> None:
        store = open_store(own.url, timeout=10).aio
        await store.put_many({f"k{number}": b"%d" % number for number in range(20)})
        await store.put("big", big)
        for number in range(200):
            tasks: list[asyncio.Task[Any]]
            tasks = [asyncio.create_task(store.get(key)) for key in ("big", "k1", "k2")]
            tasks.append(asyncio.create_task(store.swap("none", b"x", b"y")))
            for _ in range(number % 7):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            assert await store.get(f"k{number % 20}") == b"%d" % (number % 20)
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        assert await store.get("big") == big
        assert links_to(own, 1) == 1
        await store.close()
        assert links_to(own, 0) == 0
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(body())


def test_a_task_cancelled_while_it_connects(own: MemcachedServer) -> None:
    async def body() -> None:
        store = open_store(own.url).aio
        for _ in range(3):
            task = asyncio.create_task(store.get("k"))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await store.get("k") is None
        await store.close()

    asyncio.run(body())


def test_close_tells_those_who_wait(own: MemcachedServer) -> None:
    async def body() -> None:
        store = open_store(own.url).aio
        pause(own)
        waiting = asyncio.create_task(store.get("k"))
        await asyncio.sleep(0.05)
        await store.close()
        with pytest.raises(StoreError):
            await waiting
        own.server.go_on()

    asyncio.run(body())


def test_a_loop_that_is_over_takes_its_connection_with_it(own: MemcachedServer) -> None:
    store = open_store(own.url)
    assert asyncio.run(store.aio.get("k")) is None
    assert links_to(own, 0) == 0, "asyncio.run ends it in good order"
    for _ in range(2):
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(store.aio.get("k")) is None
        loop.close()
    assert links_to(own, 1) == 1, "the first loop's is let go when the second comes"
    store.close()
    assert links_to(own, 0) == 0


def test_a_loop_that_stands_still_is_closed_from_outside(own: MemcachedServer) -> None:
    loop = asyncio.new_event_loop()
    store = open_store(own.url)
    assert loop.run_until_complete(store.aio.get("k")) is None
    store.close()
    assert links_to(own, 0) == 0
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()


def test_a_forgotten_store_lets_go_of_its_sockets(own: MemcachedServer) -> None:
    store = open_store(own.url)
    store.put("k", b"v")
    del store
    gc.collect()
    assert links_to(own, 0) == 0


# Several servers


@pytest.mark.slow
def test_a_dead_server_keeps_its_keys_to_itself(own: MemcachedServer) -> None:
    with run_memcached() as other:
        nodes = [Node("127.0.0.1", server.port) for server in (own, other)]
        store = MemcachedStore(nodes)
        keys = [f"k{number}" for number in range(40)]
        store.put_many(dict.fromkeys(keys, b"v"))
        own.server.kill()
        mine = [key for key in keys if dies(lambda key=key: store.get(key))]  # type: ignore[misc] # bound now
        assert 5 < len(mine) < 35
        with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{own.port} cannot be reached"):
            store.ping()
        with pytest.raises(StoreUnavailable):
            store.get_many(keys)
        with pytest.raises(StoreUnavailable):
            store.put_many(dict.fromkeys(keys, b"new"))
        living = [key for key in keys if key not in mine]
        assert store.get_many(living) == dict.fromkeys(living, b"new")
        assert all(dies(lambda key=key: asyncio.run(store.aio.get(key))) for key in mine)  # type: ignore[misc] # bound now
        with pytest.raises(StoreUnavailable):
            asyncio.run(store.aio.get_many(keys))
        assert asyncio.run(store.aio.get_many(living)) == dict.fromkeys(living, b"new")
        own.server.start()
        assert store.get_many(keys) == dict.fromkeys(living, b"new")
        store.close()


def dies(step: Callable[[], object]) -> bool:
    try:
        step()
    except StoreUnavailable:
        return True
    return False


def test_nobody_listens() -> None:
    with open_store(f"memcached://127.0.0.1:{free_port()}") as store:
        for step in (store.ping, lambda: store.swap("k", None, b"v"), lambda: store.delete("k")):
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                step()
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            asyncio.run(store.aio.swap("k", None, b"v"))
