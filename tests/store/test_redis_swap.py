"""The Redis store's `swap` and `increment`: one command each, sent once, compared by every byte."""

import asyncio
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest
import redis

from holdfast import open_store
from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.store.abilities import CanIncrement
from holdfast.store.protocol import OpenStore
from holdfast.store.redis.words import SCRIPTS, Dialect, px
from servers.redis import RedisServer, run_redis, run_valkey

pytestmark = pytest.mark.server

BIG = os.urandom(300_000)


@pytest.fixture(params=["redis_server", "valkey_server"])
def server(request: pytest.FixtureRequest) -> RedisServer:
    found: RedisServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def store(server: RedisServer) -> Iterator[OpenStore]:
    with open_store(server.url + "/7") as opened:
        opened.delete_many(["k", "n"])
        yield opened


def increments(store: OpenStore) -> CanIncrement:
    assert isinstance(store, CanIncrement)
    return store


class Counted:
    """How often the server ran each command since then."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._before = self._all()

    def _all(self) -> dict[str, int]:
        with closing(redis.Redis(port=self._server.port)) as client:
            stats = client.info("commandstats")
        assert isinstance(stats, dict)
        return {name.removeprefix("cmdstat_"): row["calls"] for name, row in stats.items()}

    def since(self) -> dict[str, int]:
        own = {"info", "client|setinfo", "select", "hello"}
        found = {name: calls - self._before.get(name, 0) for name, calls in self._all().items()}
        return {name: calls for name, calls in found.items() if calls and name not in own}


def test_a_swap_is_one_command(store: OpenStore, server: RedisServer) -> None:
    store.put("k", b"0")
    assert store.swap("k", b"0", b"1")  # here it learns what the server can
    assert store.swap("k", b"1", b"2")
    counted = Counted(server)
    for number in range(2, 52):
        assert store.swap("k", b"%d" % number, b"%d" % (number + 1), 60)
    assert store.swap("k", b"52", None)
    assert store.swap("k", None, b"v", 60)
    assert store.swap("k", b"v", None, 0)
    assert store.swap("k", None, None)
    native = {"set": 51, "delifeq": 2, "exists": 1}
    script = {"evalsha": 52, "set": 51, "get": 52, "del": 2, "exists": 1}
    assert counted.since() in (native, script)
    assert (counted.since() == native) == ("valkey" in server.server.command[0])


def test_a_long_old_value_is_compared_by_a_digest(store: OpenStore, server: RedisServer) -> None:
    store.put("k", BIG)
    assert not store.swap("k", BIG[:-1] + b"!", b"no")
    assert not store.swap("k", BIG + b"!", b"no")
    with closing(redis.Redis(port=server.port)) as client:
        before = client.info("stats")["total_net_input_bytes"]
        assert store.swap("k", BIG, b"new", 60)
        sent = client.info("stats")["total_net_input_bytes"] - before
        assert client.select(7)
        assert 59_000 < client.pttl("k") <= 60_000
    assert sent < 1000
    assert store.get("k") == b"new"
    store.put("k", BIG)
    assert store.swap("k", BIG, None)
    assert store.get("k") is None
    assert not store.swap("k", BIG, b"new")


def test_each_digest_has_a_salt_of_its_own() -> None:
    commands = {Dialect().swap("k", BIG, b"v", None) for _ in range(10)}
    assert len(commands) == 10
    assert len({command[4] for command in commands}) == 10


def test_a_server_that_lost_its_scripts_is_told_them(store: OpenStore, server: RedisServer) -> None:
    counters = increments(store)
    with closing(redis.Redis(port=server.port)) as client:
        store.put("k", BIG)
        assert store.swap("k", BIG, BIG)
        assert counters.increment("n", ttl=60) == 1
        client.script_flush()
        assert counters.increment("n", ttl=60) == 2
        assert store.swap("k", BIG, b"w")
        assert client.script_exists(*SCRIPTS) == [True, True]
        client.script_flush()
    assert not store.swap("k", BIG, b"x"), "what a server did not know it did not do"
    assert store.get("k") == b"w"


def test_the_words_of_redis_8_4() -> None:
    """No such server is to be had here: these are the words of its manual."""
    dialect = Dialect.told([["delex", -2], None])
    assert dialect.swap("k", b"v", b"w", 1) == ("SET", "k", b"w", "IFEQ", b"v", "PX", 1000)
    assert dialect.swap("k", b"v", None, None) == ("DELEX", "k", "IFEQ", b"v")
    assert dialect.swap("k", BIG, None, None)[0] == "EVALSHA"


@pytest.mark.parametrize("reply", [[None, None], redis.ResponseError("NOPERM"), [], None])
def test_a_server_that_tells_nothing_gets_scripts(reply: object) -> None:
    assert Dialect.told(reply).swap("k", b"v", b"w", None)[0] == "EVALSHA"


@pytest.mark.slow
def test_another_kind_of_server_takes_over() -> None:
    with run_valkey() as server, open_store(server.url) as store:
        store.put("k", b"v")
        assert store.swap("k", b"v", b"w")
        server.server.kill()
        with run_redis(port=server.port):
            store.put("k", b"v")
            assert store.swap("k", b"v", b"w")
            assert store.swap("k", b"w", None)
            assert store.swap("k", None, None)


def test_counts_are_exact_beyond_2_to_53(store: OpenStore) -> None:
    store.put("n", b"9007199254740993")
    assert increments(store).increment("n", 2, ttl=60) == 9_007_199_254_740_995
    assert store.get("n") == b"9007199254740995"
    store.put("n", b"9223372036854775807")
    for ttl in (None, 60):
        with pytest.raises(StoreUnavailable, match="overflow"):
            increments(store).increment("n", 1, ttl)
    assert store.get("n") == b"9223372036854775807"


def test_a_count_with_no_time_to_live_is_gone_at_once(store: OpenStore) -> None:
    assert increments(store).increment("n", 5, ttl=0) == 5
    assert store.get("n") is None


@pytest.mark.parametrize(
    ("ttl", "words"),
    [
        (None, ()),
        (float("inf"), ()),
        (1e12, ()),
        (1, ("PX", 1000)),
        (0.0005, ("PX", 1)),
        (1e-9, ("PX", 1)),
        (1.0001, ("PX", 1001)),
    ],
)
def test_a_ttl_is_rounded_up(ttl: float | None, words: tuple[object, ...]) -> None:
    assert px(ttl) == words


def test_the_longest_ttl_is_taken(store: OpenStore) -> None:
    for ttl in (9e10, 1e11, float("inf")):
        store.put("k", b"v", ttl)
        assert store.swap("k", b"v", b"v", ttl)
        assert increments(store).increment("n", ttl=ttl) > 0


def test_another_programs_list_is_named(store: OpenStore, server: RedisServer) -> None:
    with closing(redis.Redis(port=server.port, db=7)) as client:
        client.lpush("k", "a")
        for steps in (lambda: store.get("k"), lambda: store.swap("k", b"a", b"b")):
            with pytest.raises(StoreUnavailable, match="another program") as caught:
                steps()
            assert isinstance(caught.value.__cause__, redis.ResponseError)
        assert not store.swap("k", None, b"v")
        assert store.delete("k")


@contextmanager
def server_that_loses_replies(
    answers: dict[bytes, bytes], delay: float = 0
) -> Iterator[tuple[str, list[bytes]]]:
    """Run a server that answers what it has an answer to, and hangs up on all else."""
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    while data := connection.recv(65_536):
                        got.append(data)
                        name = re.findall(rb"\r\n([A-Z]+)\r\n", data)[0]
                        if name not in answers:
                            break
                        if name != b"CLIENT":
                            time.sleep(delay)
                        with suppress(OSError):  # who asked has gone
                            connection.sendall(answers[name] * data.count(b"\r\n%b\r\n" % name))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}", got
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def test_a_swap_whose_reply_is_lost_is_sent_once() -> None:
    answers = {b"CLIENT": b"+OK\r\n", b"COMMAND": b"*2\r\n*-1\r\n*-1\r\n"}
    with server_that_loses_replies(answers) as (url, got), open_store(url, timeout=0.5) as store:
        with pytest.raises((StoreUnavailable, StoreTimeout)):
            store.swap("k", b"v", b"w")
        with pytest.raises((StoreUnavailable, StoreTimeout)):
            increments(store).increment("n", ttl=5)
        assert sum(b"EVALSHA" in data for data in got) == 2


@pytest.mark.parametrize("face", ["sync", "aio"])
def test_several_slow_steps_share_one_deadline(face: str) -> None:
    answers = {b"CLIENT": b"+OK\r\n", b"COMMAND": b"*2\r\n*-1\r\n*-1\r\n"}
    answers |= {b"EVALSHA": b"-NOSCRIPT none\r\n", b"EVAL": b":1\r\n"}
    with (
        server_that_loses_replies(answers, delay=0.4) as (url, got),
        open_store(url, timeout=1) as store,
    ):
        begun = time.monotonic()
        with pytest.raises(StoreTimeout):
            swap_on(face, store)
        assert 0.99 < time.monotonic() - begun < 3
        assert any(b"EVALSHA" in data for data in got)


def swap_on(face: str, store: OpenStore) -> bool:
    if face == "sync":
        return store.swap("k", b"v", b"w")
    return asyncio.run(store.aio.swap("k", b"v", b"w"))
