"""Connections of the Redis store: few, never another's, made anew after a restart, and closed."""

import asyncio
import contextlib
import gc
import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from typing import Any, NoReturn

import pytest
import redis

from holdfast import open_store
from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.store.protocol import AsyncStore, OpenStore
from holdfast.testing.trial import in_processes, in_threads
from servers.proxy import deaf_port
from servers.redis import RedisServer, run_redis

pytestmark = pytest.mark.server

KEYS = [f"k{number}" for number in range(50)]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One whose connections nobody else counts among."""
    with run_redis() as found:
        with open_store(found.url) as store:
            store.put_many({key: key.encode() for key in KEYS})
        yield found


@pytest.fixture
def store(server: RedisServer) -> Iterator[OpenStore]:
    with open_store(server.url, timeout=5) as opened:
        yield opened
    until = time.monotonic() + 5
    while connections(server) and time.monotonic() < until:
        time.sleep(0.01)
    assert connections(server) == 0, "it left connections behind"


def connections(server: RedisServer) -> int:
    """How many there are but for the one that asks."""
    with closing(redis.Redis(port=server.port)) as client:
        return len(client.client_list()) - 1


def commands(server: RedisServer, name: str) -> int:
    with closing(redis.Redis(port=server.port)) as client:
        stats = client.info("commandstats")
    assert isinstance(stats, dict)
    calls: int = stats.get(f"cmdstat_{name}", {"calls": 0})["calls"]
    return calls


def in_turn(step: Callable[[], object]) -> NoReturn:
    while True:
        step()


async def read_all(store: AsyncStore) -> None:
    assert await asyncio.gather(*map(store.get, KEYS)) == [key.encode() for key in KEYS]


# Few


def test_opening_connects_to_nothing(server: RedisServer, store: OpenStore) -> None:
    assert store.aio is not None
    assert connections(server) == 0


def test_threads_share_connections(server: RedisServer, store: OpenStore) -> None:
    def work(number: int) -> None:
        for turn in range(500):
            key = KEYS[(number + turn) % 50]
            assert store.get(key) == key.encode()

    in_threads(20, work)
    assert 1 <= connections(server) <= 20


def test_tasks_share_connections(server: RedisServer, store: OpenStore) -> None:
    async def work() -> None:
        for _ in range(200):
            await read_all(store.aio)
        assert connections(server) == 1
        many = await asyncio.gather(*(store.aio.get_many(KEYS) for _ in range(300)))
        assert all(len(found) == 50 for found in many)
        assert connections(server) <= 10

    asyncio.run(work())


def test_what_tasks_ask_in_one_turn_leaves_as_one_command(
    server: RedisServer, store: OpenStore
) -> None:
    async def work() -> None:
        before = commands(server, "mget"), commands(server, "get")
        await read_all(store.aio)
        assert (commands(server, "mget"), commands(server, "get")) == (before[0] + 1, before[1])
        assert await store.aio.get("k1") == b"k1"
        assert commands(server, "get") == before[1] + 1
        steps: list[Coroutine[object, None, object]] = [
            store.aio.put("a", b"1"),
            store.aio.swap("b", None, b"2"),
            store.aio.get("k1"),
            store.aio.delete("k0"),
            store.aio.put("k0", b"k0"),
        ]
        assert await asyncio.gather(*steps) == [None, True, b"k1", True, None]
        assert await store.aio.delete_many(["a", "b"]) == 2
        assert connections(server) <= 3

    asyncio.run(work())


def test_an_error_in_one_turn_reaches_its_asker_alone(
    store: OpenStore, server: RedisServer
) -> None:
    with closing(redis.Redis(port=server.port)) as client:
        client.lpush("list", "x")

    async def work() -> None:
        steps: list[Coroutine[object, None, object]] = [
            store.aio.put("a", b"1"),
            store.aio.swap("list", b"x", b"y"),
            store.aio.swap("a", b"0", b"2"),
            store.aio.delete("none"),
        ]
        found = await asyncio.gather(*steps, return_exceptions=True)
        assert isinstance(found.pop(1), StoreUnavailable)
        assert found == [None, False, False]
        await store.aio.delete_many(["a", "list"])

    asyncio.run(work())


# Cancelled


def test_a_cancelled_asker_disturbs_no_other(store: OpenStore) -> None:
    async def work() -> None:
        for delay in (None, 0, 0, 0.0001, 0.0002):
            tasks = [asyncio.create_task(store.aio.get(key)) for key in KEYS]
            if delay is not None:
                await asyncio.sleep(delay)
            for task in tasks[::2]:
                task.cancel()
            found = await asyncio.gather(*tasks, return_exceptions=True)
            assert found[1::2] == [key.encode() for key in KEYS[1::2]]
            await read_all(store.aio)

    asyncio.run(work())


def test_cancelled_tasks_leak_no_connection(server: RedisServer, store: OpenStore) -> None:
    operations: list[Callable[[], Coroutine[Any, Any, object]]] = [
        lambda: store.aio.get("k1"),
        lambda: store.aio.get_many(KEYS),
        lambda: store.aio.put_many(dict.fromkeys(["x1", "x2"], b"v" * 50_000), 5),
        lambda: store.aio.swap("k1", b"no", b"no"),
        store.aio.ping,
    ]

    async def work() -> None:
        for number in range(200):
            task = asyncio.create_task(operations[number % 5]())
            for _ in range(number % 7):
                await asyncio.sleep(0)
            await asyncio.sleep(number % 11 * 0.00002)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if number % 20 == 0:
                await read_all(store.aio)
        await read_all(store.aio)
        await asyncio.sleep(0.05)
        assert connections(server) <= 10

    asyncio.run(work())


# Made anew


@pytest.mark.slow
def test_a_restart_is_found_out_before_anything_is_sent() -> None:
    with run_redis() as server, open_store(server.url, timeout=5) as store:

        async def work() -> None:
            for _ in range(3):
                await asyncio.gather(*(store.aio.get_many(["k"]) for _ in range(5)))
                in_threads(5, lambda _: store.get("k"))
                server.server.kill()
                with pytest.raises(StoreUnavailable):
                    store.get("k")
                with pytest.raises(StoreUnavailable):
                    await store.aio.get("k")
                server.server.start()
                for _ in range(6):  # each of the connections of before
                    assert store.swap("k", None, b"v")
                    assert await store.aio.swap("k", b"v", None)
                assert connections(server) <= 10

        asyncio.run(work())


@pytest.mark.slow
def test_a_restart_that_nobody_noticed() -> None:
    with run_redis() as server, open_store(server.url, timeout=5) as store:

        async def work() -> None:
            assert store.swap("n", None, b"v")
            assert await store.aio.swap("k", None, b"v")
            server.server.kill()
            server.server.start()
            assert await store.aio.swap("k", None, b"v")  # the loop had no turn since
            assert store.swap("n", None, b"v")

        asyncio.run(work())


@pytest.mark.slow
def test_a_frozen_server_ends_each_call_at_its_deadline() -> None:
    with run_redis() as server, open_store(server.url, timeout=0.5) as store:
        store.put_many({key: key.encode() for key in KEYS})
        spent: list[float] = []

        def read(number: int) -> None:
            begun = time.monotonic()
            with pytest.raises(StoreTimeout):
                store.get(KEYS[number])
            spent.append(time.monotonic() - begun)

        async def work() -> None:
            await read_all(store.aio)
            server.server.pause()
            begun = time.monotonic()
            found = await asyncio.gather(*map(store.aio.get, KEYS), return_exceptions=True)
            spent.append(time.monotonic() - begun)
            assert {type(error) for error in found} == {StoreTimeout}
            await asyncio.to_thread(in_threads, 20, read)
            server.server.go_on()
            await read_all(store.aio)
            for key in KEYS:
                assert store.get(key) == key.encode(), "a late reply was taken for this one's"

        asyncio.run(work())
        assert all(0.49 < seconds < 3 for seconds in spent), spent


def test_a_stream_that_was_reset_is_not_taken_for_who_has_its_number_now() -> None:
    """The number of a socket that is closed goes to the next that is opened."""
    clients: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clients.append(writer)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(b"+OK\r\n" * max(1, data.count(b"CLIENT\r\n")))
        writer.close()

    async def work() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with contextlib.ExitStack() as others, open_store(f"redis://127.0.0.1:{port}") as store:
            await store.aio.put("k", b"v")
            connected = clients[0].get_extra_info("socket")
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            clients[0].transport.abort()
            await asyncio.sleep(0.05)
            for one in itertools.chain(*(socket.socketpair() for _ in range(20))):
                others.enter_context(one)
            await store.aio.put("k", b"v")
            assert len(clients) == 2
            await store.aio.close()
        server.close()
        await asyncio.sleep(0.01)

    asyncio.run(work())


def test_all_addresses_of_a_host_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with deaf_port() as port:
        found = socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM) * 5
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
        with open_store("redis://many", timeout=1) as store:
            begun = time.monotonic()
            with pytest.raises(StoreTimeout):
                store.get("k")
            assert time.monotonic() - begun < 4, "each of five had its own"


# Loops and processes


def test_the_end_of_a_loop_closes_its_connections(server: RedisServer, store: OpenStore) -> None:
    for _ in range(3):
        asyncio.run(read_all(store.aio))
        assert connections(server) == 0


def test_a_loop_that_was_just_closed(server: RedisServer, store: OpenStore) -> None:
    for _ in range(2):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(read_all(store.aio))
        loop.close()
        asyncio.run(read_all(store.aio))
        gc.collect()
        assert connections(server) == 0


def test_loops_of_several_threads(server: RedisServer, store: OpenStore) -> None:
    async def work() -> None:
        for _ in range(20):
            await read_all(store.aio)

    in_threads(4, lambda _: asyncio.run(work()))
    assert connections(server) == 0


@pytest.mark.slow
def test_a_fork_takes_no_connection_along(server: RedisServer, store: OpenStore) -> None:
    async def work() -> None:
        await read_all(store.aio)
        in_threads(3, lambda _: store.get("k1"))
        before = connections(server)

        def child(_: int) -> None:
            for key in KEYS:
                assert store.get(key) == key.encode()
            thread = threading.Thread(target=lambda: asyncio.run(read_all(store.aio)))
            thread.start()
            thread.join()
            store.close()
            assert connections(server) == before

        assert in_processes(1, child) == [0]
        assert connections(server) == before
        await read_all(store.aio)
        assert store.get("k1") == b"k1"

    asyncio.run(work())


# Closed


def test_either_face_closes_both(server: RedisServer) -> None:
    async def work(*, by_aio: bool) -> None:
        store = open_store(server.url)
        assert store.get("k1") == await store.aio.get("k1")
        if by_aio:
            await store.aio.close()
        else:
            store.close()
            await asyncio.sleep(0.05)
        assert connections(server) == 0
        with pytest.raises(StoreUnavailable, match="closed"):
            store.get("k1")
        with pytest.raises(StoreUnavailable, match="closed"):
            await store.aio.get("k1")

    asyncio.run(work(by_aio=True))
    asyncio.run(work(by_aio=False))


def test_closing_in_the_middle_of_others_work(server: RedisServer) -> None:
    store = open_store(server.url)
    gate = threading.Barrier(5)

    def work(number: int) -> None:
        if number == 0:
            gate.wait()
            time.sleep(0.02)
            store.close()
            return
        gate.wait()
        with pytest.raises(StoreUnavailable, match="closed"):
            in_turn(lambda: store.get("k1"))

    in_threads(5, work)
    assert connections(server) == 0
