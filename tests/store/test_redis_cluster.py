"""The Redis store on a Cluster: slots that move, nodes that are silent, one exchange per node."""

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
import redis
from redis.crc import key_slot

from holdfast import open_store
from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.store.abilities import CanIncrement, CanScan
from holdfast.store.protocol import OpenStore
from servers.redis_cluster import RedisCluster, run_cluster

pytestmark = [pytest.mark.server, pytest.mark.slow]

KEYS = [f"key:{number}" for number in range(60)]
TAG = "{key:7}"  # keys with it share a slot


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    """One of our own: slots are moved and nodes are frozen."""
    with run_cluster() as found:
        yield found


@pytest.fixture
def store(cluster: RedisCluster) -> Iterator[OpenStore]:
    with open_store(cluster.url, timeout=2) as opened:
        opened.put_many({key: key.encode() for key in KEYS})
        yield opened


class Node:
    """One node, by hand."""

    def __init__(self, port: int) -> None:
        self._client: Any = redis.Redis(port=port)
        self.port = port
        self.id = self.do("CLUSTER", "MYID").decode()

    def do(self, *words: object) -> Any:
        return self._client.execute_command(*words)

    def clients(self) -> int:
        """Return how many connections it has."""
        return len(self._client.client_list())

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def nodes(cluster: RedisCluster) -> Iterator[list[Node]]:
    found = [Node(server.port) for server in cluster.servers[:3]]
    yield found
    for node in found:
        node.close()


def test_each_node_has_some_keys_and_one_connection(store: OpenStore, nodes: list[Node]) -> None:
    async def work() -> None:
        for _ in range(5):
            found = await asyncio.gather(*map(store.aio.get, KEYS))
            assert found == [key.encode() for key in KEYS]
            assert await store.aio.get_many(KEYS) == {key: key.encode() for key in KEYS}
        assert [node.clients() for node in nodes] == [count + 1 for count in before]

    assert store.get_many([*KEYS, "none"]) == {key: key.encode() for key in KEYS}
    before = [node.clients() for node in nodes]
    asyncio.run(work())
    assert [node.clients() for node in nodes] == before
    assert isinstance(store, CanScan)
    assert set(store.scan("key:")) == set(KEYS)
    assert store.delete_many([*KEYS, KEYS[0], "none"]) == 60


def test_a_slot_moves_while_it_is_used(store: OpenStore, nodes: list[Node]) -> None:
    slot = key_slot(TAG.encode())
    first, last = (slot * 3 // 16_384), (slot * 3 // 16_384 + 1) % 3
    source, target = nodes[first], nodes[last]
    for start, goal in ((source, target), (target, source)):
        asyncio.run(store.aio.get(KEYS[7]))
        store.delete_many([f"{TAG}new", f"{TAG}n", f"{TAG}aio"])
        goal.do("CLUSTER", "SETSLOT", slot, "IMPORTING", start.id)
        start.do("CLUSTER", "SETSLOT", slot, "MIGRATING", goal.id)
        use(store)
        start.do("MIGRATE", "127.0.0.1", goal.port, KEYS[7], 0, 1000)
        use(store)
        for node in (goal, start, *nodes):
            node.do("CLUSTER", "SETSLOT", slot, "NODE", goal.id)
        use(store)
        asyncio.run(use_aio(store))
        store.put("elsewhere", b"v")
        assert store.get("elsewhere") == b"v"


def test_a_slot_that_moved_is_followed_before_all_nodes_know(
    store: OpenStore, nodes: list[Node]
) -> None:
    keys = [f"moved:{number}" for number in range(20)]
    for key in keys:
        slot = key_slot(key.encode())
        first = slot * 3 // 16_384
        source, target = nodes[first], nodes[first - 1]
        for goal, start in ((target, source), (source, target)):
            assert store.get(key) is None
            for node in (goal, start):
                node.do("CLUSTER", "SETSLOT", slot, "NODE", goal.id)
            assert store.get(key) is None
            nodes[first - 2].do("CLUSTER", "SETSLOT", slot, "NODE", goal.id)


def use(store: OpenStore) -> None:
    """Read and write keys of the slot, those that have moved and those that have not."""
    assert store.get(KEYS[7]) == KEYS[7].encode()
    before = store.get(f"{TAG}new")
    assert store.swap(f"{TAG}new", before, (before or b"") + b"+")
    assert store.get(f"{TAG}new") == (before or b"") + b"+"
    assert isinstance(store, CanIncrement)
    assert store.increment(f"{TAG}n", ttl=60) == len(before or b"") + 1
    assert store.get_many(KEYS) == {key: key.encode() for key in KEYS}


async def use_aio(store: OpenStore) -> None:
    steps = [store.aio.get(KEYS[7]), *(store.aio.get(key) for key in KEYS)]
    assert await asyncio.gather(*steps) == [key.encode() for key in (KEYS[7], *KEYS)]
    assert await store.aio.swap(f"{TAG}aio", None, b"v")


def test_a_silent_node_is_silent_for_its_keys_alone(
    cluster: RedisCluster, nodes: list[Node]
) -> None:
    frozen = cluster.servers[1]
    with open_store(cluster.url, timeout=0.5) as store:

        async def work() -> None:
            store.put_many({key: key.encode() for key in KEYS})
            await asyncio.gather(*map(store.aio.get, KEYS))
            frozen.server.pause()
            begun = time.monotonic()
            found = await asyncio.gather(*map(store.aio.get, KEYS), return_exceptions=True)
            assert 0.45 < time.monotonic() - begun < 1.9
            for key, value in zip(KEYS, found, strict=True):
                mine = key_slot(key.encode()) * 3 // 16_384
                assert type(value) is (StoreTimeout if mine == 1 else bytes), key

        try:
            asyncio.run(work())
            with pytest.raises(StoreTimeout):
                store.get_many(KEYS)
        finally:
            frozen.server.go_on()
        assert len(nodes) == 3
        until = time.monotonic() + 20
        while not works(store):
            assert time.monotonic() < until, "it does not come back"
            time.sleep(0.05)
        assert store.get_many(KEYS) == {key: key.encode() for key in KEYS}


def test_tasks_do_not_wait_for_a_node_that_is_not_theirs(cluster: RedisCluster) -> None:
    frozen = cluster.servers[1]
    with open_store(cluster.url, timeout=0.7) as store:

        async def seconds_of(step: Coroutine[Any, Any, object]) -> float:
            begun = time.monotonic()
            with contextlib.suppress(StoreTimeout):
                await step
            return time.monotonic() - begun

        async def use_all() -> None:
            swaps = [seconds_of(store.aio.swap(key, key.encode(), b"new")) for key in KEYS]
            gets = [seconds_of(store.aio.get(key)) for key in KEYS]
            spent = await asyncio.gather(*swaps, *gets)
            for key, seconds in zip(KEYS * 2, spent, strict=True):
                if key_slot(key.encode()) * 3 // 16_384 != 1:
                    assert seconds < 0.65, key

        async def work() -> None:
            await use_all()
            frozen.server.pause()
            for _ in range(2):  # less than others need to miss it
                await use_all()

        try:
            store.put_many({key: key.encode() for key in KEYS})
            asyncio.run(work())
        finally:
            frozen.server.go_on()
        until = time.monotonic() + 20
        while not works(store):
            assert time.monotonic() < until, "it does not come back"
            time.sleep(0.05)


def works(store: OpenStore) -> bool:
    try:
        store.get_many(KEYS)
    except (StoreTimeout, StoreUnavailable):
        return False
    return True
