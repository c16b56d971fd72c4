"""Buses on Redis and Valkey: tracking and pub/sub keep what every bus promises, and their own."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from urllib.parse import quote

import pytest
import redis
from bus_suite import LATE, BusSuite, Hears, Party, PublishingSuite, bus_threads, value
from face import until

from holdfast import open_store
from holdfast.errors import ConfigError
from holdfast.store.abilities import CanPublish
from holdfast.store.protocol import OpenStore
from holdfast.store.redis import RedisStore, resp, tracking
from holdfast.store.redis.bus import RedisWay
from holdfast.testing.clock import ManualClock
from servers.process import Server
from servers.redis import PASSWORD, RedisServer, run_redis
from servers.redis_cluster import RedisCluster, run_sentinel

pytestmark = pytest.mark.server


class OnRedis(BusSuite):
    """One of the kinds on one of the servers."""

    def url(self, port: int) -> str:
        return f"redis://127.0.0.1:{port}"

    def kill_connections(self) -> None:
        with closing(redis.Redis(port=self.port)) as client:
            for kind in ("normal", "pubsub"):
                client.client_kill_filter(_type=kind, skipme=True)

    @pytest.mark.slow
    def test_a_restart(self, join: Callable[..., Party]) -> None:
        with run_redis() as found:
            one, two = join(found.port).wait_until_ready(), join(found.port).wait_until_ready()
            found.server.kill()
            until(lambda: one.hears.count("lost") == two.hears.count("lost") == 1, "lost", LATE)
            found.server.start()
            one.wait_until_ready()
            two.wait_until_ready()
            one.write("shop:again")
            two.hears_of("shop:again")
            one.close()
            two.close()


class TrackingSuite(OnRedis):
    """The server tells."""

    kind, name = "tracking", "tracking"

    def check_race(self, parties: list[Party], keys: list[str]) -> None:
        """Who does not find his own value there has heard of it."""
        with closing(redis.Redis(port=self.port)) as client:
            for party in parties:
                heads = party.bus.wrote.__self__  # type: ignore[attr-defined]
                for key in keys:
                    there = client.get(key)
                    assert isinstance(there, bytes)
                    if not heads.has(key, there[:24]):
                        assert key in party.hears.keys

    @pytest.mark.parametrize("words", ["FLUSHALL", "FLUSHDB", "FLUSHALL ASYNC"])
    def test_everything_at_once(self, join: Callable[..., Party], words: str) -> None:
        party = join().wait_until_ready()
        with closing(redis.Redis(port=self.port)) as client:
            client.execute_command(words)  # type: ignore[no-untyped-call]  # the driver's
        until(lambda: party.hears.count("ready") == 2, "lost and ready", LATE)
        assert party.hears.words == ["ready", "lost", "ready"]


class TestTracking(TrackingSuite):
    """Redis."""

    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.port = redis_server.port


class TestTrackingOnValkey(TrackingSuite):
    """Valkey."""

    @pytest.fixture(autouse=True)
    def _server(self, valkey_server: RedisServer) -> None:
        self.port = valkey_server.port


class TestTrackingWithoutHiredis(TrackingSuite):
    """The parser in Python."""

    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(resp, "_hiredis", None)
        self.port = redis_server.port


class PubsubSuite(OnRedis, PublishingSuite):
    """They tell each other."""

    kind, name = "pubsub", "pubsub"


class TestPubsub(PubsubSuite):
    """Redis."""

    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.port = redis_server.port


class TestPubsubOnValkey(PubsubSuite):
    """Valkey."""

    @pytest.fixture(autouse=True)
    def _server(self, valkey_server: RedisServer) -> None:
        self.port = valkey_server.port


class TestPubsubWithoutHiredis(PubsubSuite):
    """The parser in Python."""

    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(resp, "_hiredis", None)
        self.port = redis_server.port


# Which kind


def bus_of(store: OpenStore, kind: str = "auto") -> tuple[str, Hears]:
    """Return the name of a bus that is ready, and who listens."""
    assert isinstance(store, CanPublish)
    bus, hears = store.bus(kind), Hears()
    bus.listen(["shop:"], hears)
    until(lambda: hears.is_ready, "ready", LATE)
    return bus.name, hears


@pytest.mark.parametrize("fixture", ["redis_server", "valkey_server", "redis_tls"])
def test_auto_is_tracking(fixture: str, request: pytest.FixtureRequest) -> None:
    server: RedisServer = request.getfixturevalue(fixture)
    with open_store(server.url, timeout=5) as store, open_store(server.url, timeout=5) as other:
        name, hears = bus_of(store)
        assert name == f"tracking {store.name}"
        other.put("shop:k", value())
        until(lambda: "shop:k" in hears.keys, "a change", LATE)


def test_on_a_unix_socket_and_in_another_database(redis_server: RedisServer) -> None:
    url = f"unix://{redis_server.socket}?db=5"
    with open_store(url, timeout=5) as store, open_store(url, timeout=5) as other:
        for kind in ("tracking", "pubsub"):
            _, hears = bus_of(store, kind)
            assert isinstance(other, CanPublish)
            bus, others = other.bus(kind), Hears()
            bus.listen(["shop:"], others)
            until(lambda others=others: others.is_ready, "ready", LATE)  # type: ignore[misc]
            other.put("shop:k", value())
            bus.publish(["shop:k"])
            until(lambda hears=hears: "shop:k" in hears.keys, "a change", LATE)  # type: ignore[misc]


def test_a_cluster_has_pubsub_alone(redis_cluster: RedisCluster) -> None:
    with open_store(redis_cluster.url, timeout=5) as store:
        assert isinstance(store, CanPublish)
        with pytest.raises(ConfigError, match="pubsub"):
            store.bus("tracking")
        one, two = Party(redis_cluster.url, "auto"), Party(redis_cluster.url, "auto")
        assert one.wait_until_ready().bus.name.startswith("pubsub ")
        two.wait_until_ready()
        for number in range(30):  # on all nodes
            one.write(f"shop:{number}")
            two.hears_of(f"shop:{number}")
        assert one.hears.keys == []
        one.close()
        two.close()


@pytest.mark.slow
@pytest.mark.parametrize("refused", ["HELLO", "CLIENT", "GETRANGE"])
def test_a_server_that_cannot_track_is_told_aloud(
    refused: str, caplog: pytest.LogCaptureFixture
) -> None:
    with run_redis("--rename-command", refused, "", "--requirepass", PASSWORD) as server:
        caplog.set_level(logging.WARNING, "holdfast")
        url = server.url.replace("//", f"//:{quote(PASSWORD, safe='')}@")
        with open_store(url, timeout=5) as store:
            name, _ = bus_of(store)
            assert name == f"pubsub {store.name}"
            assert "does not tell what changes" in caplog.text
            assert PASSWORD not in caplog.text
            assert bus_of(store, "pubsub")[0] == name
            caplog.clear()
            assert isinstance(store, CanPublish)
            bus, hears = store.bus("tracking"), Hears()
            bus.listen(["shop:"], hears)
            until(lambda: "write bus='pubsub'" in caplog.text, "it is told", LATE)
            assert hears.words == []
            assert bus.name.startswith("tracking ")
            assert PASSWORD not in caplog.text


def test_a_server_that_keeps_silent_cannot_track(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tracking.Tracking, "begin", lambda *_: None)  # as some proxies do
    with open_store(redis_server.url, timeout=5) as store:
        assert bus_of(store)[0] == f"pubsub {store.name}"
    assert "was not told" in caplog.text


BUS_RIGHTS = "&holdfast:bus:* +client|tracking +getrange +subscribe +publish"
RIGHTS = "~shop:* +get +set +unlink +ping +select +hello"


@pytest.mark.parametrize(
    ("rights", "kind"),
    [(BUS_RIGHTS, "tracking"), (BUS_RIGHTS.replace("+client|tracking", ""), "pubsub")],
)
def test_the_documented_rights_are_enough(
    redis_server: RedisServer, rights: str, kind: str
) -> None:
    with closing(redis.Redis(port=redis_server.port)) as client:
        words = f"ACL SETUSER app reset on >{PASSWORD} {RIGHTS} {rights}".split()
        client.execute_command(*words)  # type: ignore[no-untyped-call]  # the driver's
        url = redis_server.url.replace("//", f"//app:{quote(PASSWORD, safe='')}@")
        one, two = Party(url, "auto").wait_until_ready(), Party(url, "auto").wait_until_ready()
        assert one.bus.name.startswith(kind)
        one.write("shop:k")
        two.hears_of("shop:k")
        assert one.hears.keys == []
        one.close()
        two.close()
        client.execute_command("ACL", "DELUSER", "app")  # type: ignore[no-untyped-call]  # the same


def test_unknown_kinds_are_refused(redis_server: RedisServer) -> None:
    with open_store(redis_server.url) as store:
        assert isinstance(store, CanPublish)
        with pytest.raises(ConfigError, match="auto, tracking, pubsub"):
            store.bus("rabbit")


def test_a_server_that_is_not_there_is_waited_for() -> None:
    with run_redis() as server:
        server.server.kill()
        party = Party(server.url, "auto")
        time.sleep(0.1)
        assert party.hears.words == []
        server.server.start()
        party.wait_until_ready()
        party.close()
        assert party.hears.words == ["ready"]


# Probes and echoes


def test_no_name_is_passed_over(redis_server: RedisServer) -> None:
    """Not even one that looks as that of a self-test: somebody may have a copy of it."""
    one = Party(redis_server.url, "tracking").wait_until_ready()
    two = Party(redis_server.url, "tracking").wait_until_ready()
    two.write("shop:~probe:0123456789abcdef")
    until(lambda: "shop:~probe:0123456789abcdef" in one.hears.told, "it is heard", LATE)
    one.close()
    two.close()


def write_at_once(client: redis.Redis, items: dict[str, list[bytes]]) -> None:
    """Write each key so often, so that all of it is told in one message."""
    pipe = client.pipeline(transaction=True)
    for key, values in items.items():
        for each in values:
            pipe.set(key, each)
    pipe.execute()


def test_what_was_overwritten_meanwhile_is_no_echo(redis_server: RedisServer) -> None:
    """Our write and another's arrive as one message: the value that is there decides."""
    party = Party(redis_server.url, "tracking").wait_until_ready()
    mine, foreign = value(), value()
    party.bus.wrote("shop:k", mine)
    with closing(redis.Redis(port=redis_server.port)) as client:
        write_at_once(client, {"shop:k": [mine, foreign]})
        party.hears_of("shop:k")
        write_at_once(client, {"shop:k": [foreign, mine], "shop:end": [foreign]})
    party.hears_of("shop:end")
    assert party.hears.count("shop:k") == 1
    party.close()


def test_many_keys_at_once(redis_server: RedisServer) -> None:
    party = Party(redis_server.url, "tracking").wait_until_ready()
    with open_store(redis_server.url, timeout=5) as other:
        items = {f"shop:many-{number}": value() for number in range(5000)}
        for key, some in items.items():
            party.bus.wrote(key, some)
        other.put_many(items)  # ours, as far as bytes can tell
        other.put("shop:many-7", value())
        other.put_many({f"shop:more-{number}": value() for number in range(5000)})
    party.hears_of("shop:more-4999")
    assert len(set(party.hears.keys)) == 5001
    assert "shop:many-7" in party.hears.keys
    party.close()


@pytest.mark.slow
def test_a_flood_does_not_hold_up_its_end(redis_server: RedisServer) -> None:
    """Of our own writes, each of which is looked at, and of foreign ones."""
    party = Party(redis_server.url, "tracking").wait_until_ready()
    over = threading.Event()

    def write(number: int) -> None:
        with closing(redis.Redis(port=redis_server.port)) as client:
            while not over.is_set():
                some = value()
                if number:
                    party.bus.wrote("shop:flood", some)
                write_at_once(client, {"shop:flood": [some] * 100, f"shop:{number}": [some]})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: party.hears.count("shop:0") > 20, "the flood", LATE)
        started = time.monotonic()
        party.bus.close()
        assert time.monotonic() - started < 4
        assert bus_threads() == 0
    finally:
        over.set()
        for thread in threads:
            thread.join()
    party.close()


def test_what_was_written_is_forgotten_in_time() -> None:
    clock = ManualClock()
    heads = tracking.Heads(clock)
    heads.wrote("k", b"head")
    heads.wrote("empty", b"")
    clock.advance(4.9)
    assert heads.knows("k")
    assert heads.has("k", b"head")
    assert not heads.has("k", b"other")
    assert not heads.has("other", b"head")
    assert not heads.has("empty", b"")
    clock.advance(0.2)
    heads.wrote("young", b"head")
    assert heads.knows("k")
    clock.advance(5)
    assert not heads.knows("k")
    assert heads.knows("young")
    clock.advance(60)
    assert not heads.knows("young")


def test_what_was_written_takes_a_bounded_room() -> None:
    heads = tracking.Heads(ManualClock())
    for number in range(100_000):
        heads.wrote(f"k{number}", b"%d" % number)
    known = [number for number in range(100_000) if heads.knows(f"k{number}")]
    assert 10_000 <= len(known) <= 20_000
    assert known[-1] == 99_999
    heads.forget()
    assert not heads.knows("k99999")


# Sentinels


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tracking", "pubsub"])
@pytest.mark.parametrize("how", [Server.kill, Server.pause])
def test_it_follows_the_master(kind: str, how: Callable[[Server], None]) -> None:
    with run_sentinel() as found:
        one, two = Party(found.url, kind), Party(found.url, kind)
        one.wait_until_ready()
        two.wait_until_ready()
        old = found.master().server
        how(old)
        until(lambda: one.hears.count("lost") == two.hears.count("lost") == 1, "lost", LATE)
        until(lambda: one.hears.is_ready and two.hears.is_ready, "another master", 60)
        one.write("shop:k")
        two.hears_of("shop:k")
        one.close()
        two.close()
        if how is Server.pause:
            old.go_on()


def test_it_leaves_a_master_that_was_replaced(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the old one lives on, and answers: the Sentinels' word counts."""
    party = Party(redis_server.url, "tracking").wait_until_ready()
    monkeypatch.setattr(RedisWay, "moved", lambda *_: True)
    until(lambda: party.hears.count("lost") >= 1, "lost", LATE)
    monkeypatch.undo()
    party.wait_until_ready()
    party.close()


# Programs

_PROGRAM = """
import sys
{before}
from holdfast import open_store
class Hears:
    ready = lost = lambda self: print(party.name, flush=True)
    def changed(self, keys):
        if "shop:k" in keys:
            print("shop:k", flush=True)
store = open_store(sys.argv[1], timeout=5)
party = store.bus("{kind}")
hears = Hears()
party.listen(["shop:"], hears)
sys.stdin.readline()
"""


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", "sys.modules['hiredis'] = None"])
@pytest.mark.parametrize("kind", ["tracking", "pubsub"])
def test_a_program_ends_without_a_word(redis_server: RedisServer, before: str, kind: str) -> None:
    """It closes nothing; with and without hiredis."""
    text = _PROGRAM.format(before=before, kind=kind)
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", text, redis_server.url]
    child = subprocess.Popen(  # noqa: S603 - our own words
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline().startswith(kind)
    with open_store(redis_server.url, timeout=5) as store:
        assert isinstance(store, RedisStore)
        bus, hears = store.bus(kind), Hears()
        bus.listen(["shop:"], hears)
        until(lambda: hears.is_ready, "ready", LATE)
        store.put("shop:k", value())
        bus.publish(["shop:k"])
        assert child.stdout.readline() == "shop:k\n"
    out, err = child.communicate("\n", timeout=LATE)
    assert (out, err, child.returncode) == ("", "", 0)
