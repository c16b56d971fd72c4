"""The Redis store's ways to its servers, which are played: Sentinels and nodes in trouble."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import pytest
from redis import exceptions as driver
from redis.crc import key_slot

from holdfast import open_store
from holdfast.bridge import Offload, drive
from holdfast.clock import monotonic
from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.store.redis.lines import Lines
from holdfast.store.redis.routes import Route, route_to
from holdfast.store.redis.settings import Host, Kind, Settings
from holdfast.store.redis.streams import Streams
from holdfast.store.redis.words import Reply, Words

A, B, C = ("a", 1), ("b", 2), ("c", 3)
SETTINGS = Settings("redis+cluster://a:1", 1.0, (A,), kind=Kind.CLUSTER)


class Node:
    """Answers what it was told to, and notes what it was asked."""

    def __init__(self, slots: list[tuple[int, int, Host]]) -> None:
        self.slots = slots
        self.answers: dict[str, Callable[[], Reply]] = {"SLOTS": self._table}
        self.asked: list[Words] = []
        self.cleared = 0

    async def exchange(self, commands: Sequence[Words], until: float) -> list[Reply]:
        assert until > monotonic()
        return [self._answer(command) for command in commands]

    def _answer(self, command: Words) -> Reply:
        self.asked.append(command)
        return self.answers.get(str(command[-1]), lambda: b"OK")()

    def _table(self) -> Reply:
        return [[first, last, [name.encode(), port]] for first, last, (name, port) in self.slots]

    def clear(self) -> None:
        self.cleared += 1


class Played:
    """A Cluster of played nodes, and the way to them."""

    def __init__(self, slots: list[tuple[int, int, Host]]) -> None:
        self.nodes = {host: Node(slots) for host in (A, B, C)}
        self.route: Route = route_to(SETTINGS, self._dial, one_by_one)

    def _dial(self, host: Host | None, *, sentinel: bool = False) -> Node:
        assert host is not None
        assert not sentinel
        return self.nodes[host]

    def get(self, *keys: str) -> list[Reply]:
        commands: list[Words] = [("GET", key) for key in keys]
        asked: Any = self.route.ask(commands, monotonic() + 1)
        found: list[Reply] = drive(asked)
        return found


async def one_by_one(
    steps: list[Coroutine[object, None, list[Reply]]],
) -> list[list[Reply]]:
    return [await step for step in steps]


def fail(error: Exception) -> Callable[[], Reply]:
    def answer() -> Reply:
        raise error

    return answer


def key_in(first: int, last: int) -> str:
    """Return a key whose slot is between the two."""
    keys = (f"k{number}" for number in itertools.count())
    return next(key for key in keys if first <= key_slot(key.encode()) <= last)


LOW, HIGH = key_in(0, 8191), key_in(8192, 16_383)


def test_an_ask_that_fails_is_the_answer_to_its_command_alone() -> None:
    """What the others wrote is written: they must not hear that it is not."""
    played = Played([(0, 16_383, A)])
    played.nodes[A].answers["moving"] = lambda: driver.AskError("1 b:2")
    broken = driver.ConnectionError("refused")
    played.nodes[B].answers["moving"] = fail(broken)
    assert played.get("k", "moving", "l") == [b"OK", broken, b"OK"]
    assert played.nodes[A].asked.count(("GET", "k")) == 1


def test_a_pool_that_is_closed_is_the_answer_of_its_node_alone() -> None:
    played = Played([(0, 8191, A), (8192, 16_383, B)])
    closed = StoreUnavailable("redis", "the store is closed")
    played.nodes[B].answers[HIGH] = fail(closed)
    assert played.get(LOW, HIGH) == [b"OK", closed]


def test_who_moved_is_believed_before_all_know() -> None:
    played = Played([(0, 16_383, A)])
    assert played.get("k") == [b"OK"]
    played.nodes[A].answers["k"] = lambda: driver.MovedError(f"{key_slot(b'k')} c:3")
    played.nodes[C].slots = [(0, 16_383, C)]  # A still names itself
    assert played.get("k", "l") == [b"OK", b"OK"]
    assert played.nodes[C].asked == [("CLUSTER", "SLOTS"), ("GET", "k")]
    assert played.nodes[A].asked.count(("GET", "l")) == 1, "who was not refused is not asked again"


def test_nodes_that_never_agree_are_told() -> None:
    played = Played([(0, 16_383, A)])
    played.nodes[A].answers["k"] = lambda: driver.MovedError("1 b:2")
    (reply,) = played.get("k")
    assert isinstance(reply, driver.ClusterDownError)
    assert "do not agree" in str(reply.args)


def test_a_slot_without_a_node_is_looked_for_each_time() -> None:
    played = Played([(8192, 16_383, A)])
    low, high = played.get(LOW, HIGH)
    assert isinstance(low, driver.ClusterDownError)
    assert high == b"OK"
    played.nodes[A].slots = [(0, 16_383, A)]
    assert played.get(LOW, HIGH) == [b"OK", b"OK"]


def test_nodes_that_left_are_not_asked_and_not_connected() -> None:
    played = Played([(0, 8191, B), (8192, 16_383, C)])
    assert played.get(LOW, HIGH) == [b"OK", b"OK"]
    gone = driver.ConnectionError("gone")
    played.nodes[A].slots = [(0, 16_383, C)]
    played.nodes[B].answers = {LOW: fail(gone)}
    assert played.get(LOW, HIGH) == [gone, b"OK"]
    assert played.get(LOW, HIGH) == [b"OK", b"OK"]
    assert (played.nodes[B].cleared, played.nodes[C].cleared) == (1, 0)
    played.nodes[A].answers["SLOTS"] = fail(gone)
    played.nodes[C].slots = [(0, 16_383, C)]
    played.nodes[C].answers[LOW] = fail(gone)
    assert played.get(LOW) == played.get(LOW) == [gone]
    assert played.nodes[C].asked.count(("CLUSTER", "SLOTS")) == 1
    assert ("CLUSTER", "SLOTS") not in played.nodes[B].asked


def test_a_sentinel_that_sees_no_other_is_asked_last() -> None:
    """It names the master of before for ever; the others know the new one."""
    servers = {host: Node([]) for host in (A, B, C, ("d", 4))}
    servers[A].answers["main"] = lambda: [b"c", b"3"]
    servers[B].answers["main"] = lambda: [b"d", b"4"]
    gone = driver.ConnectionError("gone")
    servers[C].answers["k"] = fail(gone)
    settings = Settings("redis+sentinel://a:1,b:2/main", 1.0, (A, B), {}, Kind.SENTINEL, "main")
    route = route_to(settings, lambda host, **_: servers[host or A], one_by_one)
    asked: Any = [route.ask([("GET", "k")], monotonic() + 1) for _ in range(3)]
    with pytest.raises(driver.ConnectionError, match="gone"):
        drive(asked[0])
    assert [drive(step) for step in asked[1:]] == [[b"OK"]] * 2
    assert len(servers[B].asked) == 1


def test_what_is_closed_makes_no_connections_on_its_way() -> None:
    lines = Lines(SETTINGS)
    lines.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        drive(lines.operations.get("k"))  # type: ignore[arg-type]  # a coroutine of its own

    async def work(end: Callable[[Streams], Any]) -> None:
        streams = Streams(SETTINGS)
        if (ending := end(streams)) is not None:
            await ending
        with pytest.raises(StoreUnavailable, match="closed"):
            await streams.operations.get("k")

    asyncio.run(work(Streams.close))
    asyncio.run(work(Streams.drop_outside))


@pytest.mark.parametrize("face", ["sync", "aio"])
def test_a_late_reply_is_never_taken_for_anothers(face: str) -> None:
    """What was too late is closed, even if its reply has not come when the next one asks."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(b"+OK\r\n" * data.count(b"CLIENT\r\n"))
                if b"GET" in data:
                    key = data.split(b"\r\n")[-2]
                    await asyncio.sleep(1.5 if key == b"late" else 0)
                    writer.write(b"$%d\r\n%b\r\n" % (len(key), key))
        writer.close()

    async def work() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with open_store(f"redis://127.0.0.1:{port}", timeout=1) as store:
            get: Callable[[str], Awaitable[bytes | None]] = store.aio.get
            if face == "sync":
                get = Offload(store).get
            with pytest.raises(StoreTimeout):
                await get("late")
            assert await get("k") == b"k"
            await store.aio.close()
        server.close()
        await asyncio.sleep(0.6)

    asyncio.run(work())
