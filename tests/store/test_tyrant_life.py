"""The life of Tyrant's connections: restarts, forks, loops, cancelled tasks, and the clean end."""

import asyncio
import contextlib
import gc
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from face import until

from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.store.abilities import AsyncCanIncrement
from holdfast.store.tyrant import TyrantStore, wire
from holdfast.store.tyrant.aio import AsyncTyrantClient
from holdfast.store.tyrant.client import TyrantClient
from holdfast.testing.trial import in_processes, in_threads
from servers.proxy import Mute, Proxy, deaf_port
from servers.tyrant import Tyrant, run_tyrant

pytestmark = pytest.mark.server


@pytest.fixture
def proxy(tyrant: Tyrant) -> Iterator[Proxy]:
    """Give a proxy before an empty server, which counts connections."""
    client = TyrantClient(*tyrant.address, timeout=10)
    assert client.vanish()
    client.close()
    with Proxy(tyrant.server.port) as proxy:
        yield proxy


def store_at(proxy: Proxy, timeout: float = 5, lease: float = 2) -> TyrantStore:
    return TyrantStore([("127.0.0.1", proxy.port)], timeout=timeout, lease=lease)


# Connections


def connections_to(port: int) -> int:
    """Return how many connections this machine has to a loopback port, as the kernel sees it."""
    far, established = f"0100007F:{port:04X}", "01"
    lines = Path("/proc/net/tcp").read_text().splitlines()
    return sum(line.split()[2:4] == [far, established] for line in lines)


@pytest.mark.slow
def test_10_000_operations_of_threads_leak_no_connection(tyrant: Tyrant) -> None:
    port = tyrant.server.port
    before = connections_to(port)
    with TyrantStore([tyrant.address], timeout=20, lease=20) as store:

        def work(number: int) -> None:
            for step in range(250):
                store.put(f"k{number}", b"%d" % step)
                assert store.get(f"k{number}") == b"%d" % step
                assert store.swap(f"k{number}", b"%d" % step, b"1")
                assert store.increment(f"k{number}") == 2
                assert store.delete(f"k{number}")

        in_threads(8, work)
        assert 1 <= connections_to(port) - before <= 8
    assert connections_to(port) == before


@pytest.mark.slow
def test_10_000_operations_of_tasks_use_one_connection(proxy: Proxy) -> None:
    store = store_at(proxy, timeout=20, lease=20)  # a busy machine is no dead writer

    async def work(number: int) -> None:
        for step in range(60):
            await store.aio.put(f"k{number}", b"%d" % step)
            assert await store.aio.get(f"k{number}") == b"%d" % step
            assert await store.aio.get_many([f"k{number}"]) == {f"k{number}": b"%d" % step}
            assert await store.aio.delete(f"k{number}")

    async def body() -> None:
        await asyncio.gather(*(work(number) for number in range(42)))
        assert proxy.open == 1
        await store.aio.close()

    asyncio.run(body())
    assert proxy.taken == 1
    until(lambda: proxy.open == 0, "the connection is closed")


def test_200_cancelled_tasks_leak_no_connection_and_no_answer(proxy: Proxy) -> None:
    store = store_at(proxy)

    async def body() -> None:
        await store.aio.put_many({f"k{number}": b"v%d" % number for number in range(20)})
        tasks = [asyncio.ensure_future(store.aio.get(f"k{n % 20}")) for n in range(200)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for number, task in enumerate(tasks):
            assert task.cancelled() == (number % 2 == 0)
            assert task.cancelled() or task.result() == b"v%d" % (number % 20)
        assert proxy.open == 1
        await store.aio.close()

    asyncio.run(body())


def test_a_forgotten_store_closes_its_connections(proxy: Proxy) -> None:
    store = store_at(proxy)
    store.put("k", b"v")
    assert asyncio.run(store.aio.get("k")) == b"v"  # its loop ends first
    assert proxy.open > 0
    del store
    gc.collect()
    until(lambda: proxy.open == 0, "the connections are closed")


def test_close_closes_the_connections_of_a_loop_that_runs(proxy: Proxy) -> None:
    store = store_at(proxy)
    ready, closed = threading.Event(), threading.Event()

    async def body() -> None:
        await store.aio.put("k", b"v")
        ready.set()
        await asyncio.get_running_loop().run_in_executor(None, closed.wait, 10)
        with pytest.raises(StoreUnavailable, match="the store is closed"):
            await store.aio.get("k")

    thread = threading.Thread(target=lambda: asyncio.run(body()))
    thread.start()
    assert ready.wait(10)
    store.close()
    until(lambda: proxy.open == 0, "the connection is closed, while its loop runs")
    closed.set()
    thread.join()


def test_closing_in_mid_change_leaves_nothing_running(proxy: Proxy) -> None:
    store = store_at(proxy, timeout=2)

    async def body() -> None:
        await store.aio.get("k")
        with proxy.under(Mute()):
            tasks = [asyncio.ensure_future(store.aio.put(f"k{n}", b"v")) for n in range(10)]
            await asyncio.sleep(0.05)
            await store.aio.close()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, StoreUnavailable | StoreTimeout) for end in ends)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(body())


def test_a_host_of_many_addresses_has_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    found = socket.getaddrinfo

    def many(_: str, port: int, *args: Any, **kwargs: Any) -> Any:
        return found("127.0.0.1", port, *args, **kwargs) * 6

    monkeypatch.setattr(socket, "getaddrinfo", many)
    with deaf_port() as port, TyrantStore([("many", port)], timeout=0.5) as store:
        start = time.monotonic()
        with pytest.raises(StoreTimeout):
            store.get("k")
        with pytest.raises(StoreTimeout):
            asyncio.run(store.aio.get("k"))
        assert time.monotonic() - start < 2.5


def test_the_next_address_of_a_host_is_tried(
    tyrant: Tyrant, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = socket.getaddrinfo

    def two(_: str, port: int, *args: Any, **kwargs: Any) -> Any:
        (real,) = found("127.0.0.1", port, *args, **kwargs)
        return [(999, *real[1:]), real]  # a family this kernel does not know, as IPv6 may be

    monkeypatch.setattr(socket, "getaddrinfo", two)
    with TyrantStore([("two", tyrant.address[1])], timeout=10) as store:
        store.ping()
        asyncio.run(store.aio.ping())


# Restart, fork, loops


@pytest.mark.slow
def test_a_restart_keeps_what_is_on_disk() -> None:
    with run_tyrant() as found, TyrantStore([found.address], timeout=5) as store:
        store.put("k", b"v")
        in_threads(4, lambda _: store.get("k"))
        found.server.stop()
        with pytest.raises(StoreUnavailable, match="not to be reached"):
            store.get("k")
        found.server.start()
        in_threads(8, lambda _: store.increment("n"))
        assert store.get_many(["k", "n"]) == {"k": b"v", "n": b"8"}


@pytest.mark.slow
def test_a_restart_under_a_running_loop() -> None:
    with run_tyrant() as found:
        store = TyrantStore([found.address], timeout=5)

        async def body() -> None:
            await store.aio.put("k", b"v")
            found.server.stop()
            found.server.start()
            assert await store.aio.swap("k", b"v", b"w"), "no write went to the dead connection"
            assert await store.aio.get("k") == b"w"
            await store.aio.close()

        asyncio.run(body())


@pytest.mark.slow
def test_a_child_makes_connections_of_its_own(proxy: Proxy) -> None:
    store = store_at(proxy)
    store.put("k", b"v")
    taken = proxy.taken

    def work(_: int) -> None:
        assert store.get("k") == b"v"
        assert asyncio.run(store.aio.get("k")) == b"v"

    assert in_processes(3, work) == [0, 0, 0]
    assert proxy.taken == taken + 6
    assert store.swap("k", b"v", b"w")
    assert proxy.taken == taken + 6, "the parent's connection lives"
    store.close()


@pytest.mark.slow
def test_loops_of_several_threads_share_a_store(proxy: Proxy) -> None:
    store = store_at(proxy)
    increments = store.aio
    assert isinstance(increments, AsyncCanIncrement)

    async def body(number: int) -> None:
        for _ in range(20):
            await increments.increment("n")
        assert await store.aio.swap(f"k{number}", None, b"v")

    in_threads(4, lambda number: asyncio.run(body(number)))
    assert store.get("n") == b"80"
    store.close()


# What a server should never say


def test_a_command_without_reply(tyrant: Tyrant) -> None:
    client = TyrantClient(*tyrant.address)
    client.putnr(b"nr", b"1")
    assert client.get(b"nr") == b"1"
    client.close()

    async def body() -> None:
        aio = AsyncTyrantClient(*tyrant.address)
        await aio.call(wire.putnr(b"nr", b"2"))
        many = await asyncio.gather(*(aio.call(wire.putnr(b"nr", b"%d" % n)) for n in range(9)))
        assert many == [None] * 9
        assert await aio.call(wire.get(b"nr")) == b"8"
        aio.close()

    asyncio.run(body())


STAT = b"\0" + struct.pack(">I", 10) + b"type\thash\n"
LIES: dict[str, bytes] = {
    "a huge size": b"\0" + struct.pack(">I", 0xFFFF_FFFF),
    "one byte too much": b"\0" + struct.pack(">I", 1) + b"vv",
    "a second reply": b"\1" * 2,
    "an answer for another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100,
}


@pytest.fixture(params=LIES)
def liar(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """Give a server that greets as it should and then says something else."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            while True:
                try:
                    found, _ = door.accept()
                except OSError:
                    return
                with found:
                    try:
                        found.recv(100)
                        found.sendall(STAT)
                        found.recv(100)
                        found.sendall(LIES[request.param])
                        time.sleep(0.05)
                    except OSError:
                        pass  # the client has had enough

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield door.getsockname()
        door.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_lie_is_no_value_and_takes_no_memory(liar: tuple[str, int]) -> None:
    uses: list[Callable[[TyrantStore], object]] = [
        lambda store: store.get_many(["a", "b"]),
        lambda store: asyncio.run(store.aio.get_many(["a", "b"])),
        lambda store: list(store.scan()),
    ]
    for use in uses:
        with TyrantStore([liar], timeout=1) as store:
            before = _memory()
            with pytest.raises((StoreUnavailable, StoreTimeout)):
                use(store)
            assert _memory() - before < 50_000_000


def _memory() -> int:
    with open("/proc/self/statm") as file:  # noqa: PTH123 - no file of ours
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_server_that_does_not_say_what_it_has_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            found, _ = door.accept()
            with found, contextlib.suppress(ConnectionResetError):
                found.recv(100)
                found.sendall(b"\0" + struct.pack(">I", 10) + b"cnt_put\t1\n")
                found.recv(100)

        thread = threading.Thread(target=serve)
        thread.start()
        store = TyrantStore([door.getsockname()])
        with store, pytest.raises(StoreUnavailable, match="allow its command `stat`"):
            store.put("k", b"v")
        thread.join(5)
