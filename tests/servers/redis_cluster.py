"""Redis with several servers: a master that Sentinels watch, and a Cluster of three and three.

Law: what is yielded is whole: all know each other, replicas are in step. A test that kills one of
them runs its own, and leaves those of the fixtures alone.
"""

import contextlib
import functools
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from servers.process import Server, folder_for, free_port, program
from servers.redis import RedisServer, run_redis

__all__ = ["SERVICE", "RedisCluster", "RedisSentinel", "run_cluster", "run_sentinel"]

SERVICE = "mymaster"
_PATIENCE = 30.0  # seconds until servers that do not find each other count as broken
_SLOTS = 16_384
_REPLICA_AT_ONCE = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")


@dataclass(frozen=True)
class RedisSentinel:
    """A master, its replica and three Sentinels that run.

    Attributes:
        url: Opens a store on the master, whoever that is.
        servers: Master and replica, as they were started.
        sentinels: The processes that watch them.
    """

    url: str
    servers: list[RedisServer]
    sentinels: list[Server]

    def master(self) -> RedisServer:
        """Return the server that the first Sentinel takes for the master now."""
        said = _ask(self.sentinels[0].port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        port = int(said.split()[1])
        return next(server for server in self.servers if server.port == port)


@dataclass(frozen=True)
class RedisCluster:
    """Three masters, each with its replica, that run.

    Attributes:
        url: Opens a store on them.
        servers: The three masters as they were made, then their replicas in the same order.
    """

    url: str
    servers: list[RedisServer]


@contextlib.contextmanager
def run_sentinel() -> Iterator[RedisSentinel]:
    """Run a master, a replica and three Sentinels that take a silent master for dead after 1 s."""
    with contextlib.ExitStack() as stack:
        master = stack.enter_context(run_redis(*_REPLICA_AT_ONCE))
        source = ("--replicaof", f"127.0.0.1 {master.port}")
        replica = stack.enter_context(run_redis(*_REPLICA_AT_ONCE, *source))
        _until(lambda: _says(replica.port, "master_link_status:up", "INFO", "replication"))
        sentinels = [stack.enter_context(_sentinel(master.port)) for _ in range(3)]
        for sentinel in sentinels:
            _until(functools.partial(_sees_all, sentinel.port))
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in sentinels)
        url = f"redis+sentinel://{hosts}/{SERVICE}/0"
        yield RedisSentinel(url, [master, replica], sentinels)


@contextlib.contextmanager
def run_cluster() -> Iterator[RedisCluster]:
    """Run three masters and their replicas, which take a silent master for dead after 2 s."""
    with contextlib.ExitStack() as stack:
        servers, buses = [], []
        for _ in range(6):
            bus = str(free_port())  # the usual one, port + 10000, may be none
            words = ("--cluster-enabled", "yes", "--cluster-port", bus)
            silence = ("--cluster-node-timeout", "2000")
            servers.append(stack.enter_context(run_redis(*words, *silence, *_REPLICA_AT_ONCE)))
            buses.append(bus)
        _join(servers, buses)
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
        yield RedisCluster(f"redis+cluster://{hosts}", servers)


@contextlib.contextmanager
def _sentinel(master: int) -> Iterator[Server]:
    with folder_for() as folder:
        port = free_port()
        settings = folder / "sentinel.conf"  # which a Sentinel writes to, too
        _write_settings(settings, port, master)
        server = Server(
            [program("redis-server"), str(settings), "--sentinel"], port, log=folder / "log"
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _write_settings(path: Path, port: int, master: int) -> None:
    path.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {path.parent}\n"
        f"sentinel monitor {SERVICE} 127.0.0.1 {master} 2\n"
        f"sentinel down-after-milliseconds {SERVICE} 1000\n"
        f"sentinel failover-timeout {SERVICE} 3000\n"
    )


def _sees_all(port: int) -> bool:
    """Return whether a Sentinel knows the replica and two others."""
    said = _ask(port, "SENTINEL", "MASTER", SERVICE).split()
    told = dict(zip(said[::2], said[1::2], strict=False))
    return (
        told.get("flags") == "master"
        and told.get("num-slaves") == "1"
        and told.get("num-other-sentinels") == "2"
        and _says(port, "OK 3 usable", "SENTINEL", "CKQUORUM", SERVICE)
    )


def _join(servers: list[RedisServer], buses: list[str]) -> None:
    """Make a Cluster of single servers; `redis-cli --cluster create` would take much longer."""
    masters, replicas = servers[:3], servers[3:]
    for number, master in enumerate(masters):
        first, last = number * _SLOTS // 3, (number + 1) * _SLOTS // 3 - 1
        _do(master.port, "CLUSTER", "ADDSLOTSRANGE", str(first), str(last))
    for number, (server, bus) in enumerate(zip(servers, buses, strict=True)):
        _do(server.port, "CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        if number:
            _do(servers[0].port, "CLUSTER", "MEET", "127.0.0.1", str(server.port), bus)
    for server in servers:
        _until(functools.partial(_says, server.port, "cluster_known_nodes:6", "CLUSTER", "INFO"))
    for master, replica in zip(masters, replicas, strict=True):
        known = _ask(master.port, "CLUSTER", "MYID").strip()
        _do(replica.port, "CLUSTER", "REPLICATE", known)
    for server in servers:
        _until(functools.partial(_says, server.port, "cluster_state:ok", "CLUSTER", "INFO"))
        _until(functools.partial(_knows_replicas, server.port))
    for replica in replicas:
        link = ("master_link_status:up", "INFO", "replication")
        _until(functools.partial(_says, replica.port, *link))


def _knows_replicas(port: int) -> bool:
    return _ask(port, "CLUSTER", "NODES").count("slave") == 3


def _ask(port: int, *words: str) -> str:
    command = [program("redis-cli"), "-h", "127.0.0.1", "-p", str(port), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    return done.stdout


def _do(port: int, *words: str) -> None:
    said = _ask(port, *words).strip()
    assert said == "OK", f"{words} was answered by {said!r}"


def _says(port: int, what: str, *words: str) -> bool:
    return what in _ask(port, *words)


def _until(done: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE
    while not done():
        assert time.monotonic() < until, "the servers do not find each other"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def redis_sentinel() -> Iterator[RedisSentinel]:
    """A master, a replica and three Sentinels; let them all run."""
    with run_sentinel() as found:
        yield found


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    """A Cluster of three masters and three replicas; let them all run."""
    with run_cluster() as found:
        yield found
