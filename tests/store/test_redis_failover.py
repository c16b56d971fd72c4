"""A master is lost while processes count by `swap`: behind Sentinels, and in a Cluster.

Law: what one replica is known to have is there afterwards. Redis acknowledges before that, so other
acknowledged steps may be lost; their number is printed.
"""

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from face import outcome_of, until

from holdfast import open_store
from holdfast.bridge import Blocking, drive
from holdfast.errors import StoreUnavailable
from holdfast.store.protocol import AsyncStore
from holdfast.testing.trial import in_processes
from servers.process import Server
from servers.redis import RedisServer
from servers.redis_cluster import run_cluster, run_sentinel

pytestmark = [pytest.mark.server, pytest.mark.slow]

KEY, TOKEN = "{shop}:count", "{shop}:token"  # in one slot
WORKERS = 4
ENOUGH = 150  # steps before the loss, and after it
RECOVERY = 20.0  # seconds until all must go on, also where one vote fails


@dataclass(frozen=True)
class Servers:
    """Servers that run, and the two that hold `KEY`: the master and its replica."""

    url: str
    pair: list[RedisServer]


@pytest.fixture
def behind_sentinels() -> Iterator[Servers]:
    with run_sentinel() as found:
        yield Servers(found.url, found.servers)


@pytest.fixture
def in_a_cluster() -> Iterator[Servers]:
    from redis.crc import key_slot  # noqa: PLC0415 - the driver is an extra

    with run_cluster() as found:
        number = key_slot(KEY.encode()) * 3 // 16_384
        yield Servers(found.url, [found.servers[number], found.servers[number + 3]])


class Witness:
    """Says whether a replica has a step: asks the master of the moment, on one connection.

    WAIT counts the replicas that have what *its own connection* wrote. The store keeps its
    connections to itself, so the witness writes a token in one transaction with a look at the
    value: where the step is seen, whoever has the token has the step.
    """

    def __init__(self, pair: list[RedisServer]) -> None:
        self._ports = itertools.cycle([server.port for server in pair])
        self._link = self._next()

    def _next(self) -> Any:
        from redis.backoff import NoBackoff  # noqa: PLC0415 - the driver is an extra
        from redis.connection import Connection  # noqa: PLC0415 - the same
        from redis.retry import Retry  # noqa: PLC0415 - the same

        retry = Retry(NoBackoff(), 0)
        port = next(self._ports)
        return Connection(port=port, socket_timeout=0.5, retry=retry)  # type: ignore[no-untyped-call]  # the driver's

    def has(self, step: bytes) -> bool:
        import redis  # noqa: PLC0415 - the driver is an extra

        try:
            for words in (("MULTI",), ("GET", KEY), ("SET", TOKEN, step)):
                self._ask(*words)
            value, _ = self._ask("EXEC")
            return step in value.split() and int(self._ask("WAIT", 1, 60)) >= 1
        except redis.RedisError:
            self.close()
            self._link = self._next()  # perhaps the other is the master now
            return False

    def _ask(self, *words: object) -> Any:
        self._link.send_command(*words)
        return self._link.read_response()

    def close(self) -> None:
        self._link.disconnect()


async def take_steps(store: AsyncStore, worker: int, folder: Path, witness: Witness) -> None:
    """Append names of steps to one value, until told to stop; note what was acknowledged."""
    with (folder / f"notes-{worker}").open("w", buffering=1) as notes:
        for number in itertools.count():
            if (folder / "stop").exists():
                break
            step = f"{worker}.{number}"
            read = await outcome_of(store.get(KEY))
            if read.error is not None:
                continue
            new = b" ".join(filter(None, [read.value, step.encode()]))
            done = await outcome_of(store.swap(KEY, read.value, new))
            if done.value:
                seen = number % 4 > 0 and witness.has(step.encode())
                notes.write(f"{step} {'seen' if seen else '-'}\n")


def work(servers: Servers, folder: Path, worker: int) -> None:
    """Take steps in this process: half of the processes on either face."""
    witness = Witness(servers.pair)
    store = open_store(servers.url, timeout=0.5)
    if worker % 2:
        asyncio.run(take_steps(store.aio, worker, folder, witness))
    else:
        drive(take_steps(Blocking(store), worker, folder, witness))
    store.close()
    witness.close()


def notes_in(folder: Path) -> list[list[str]]:
    """Return `[step, seen or not]` of all steps that were acknowledged so far."""
    texts = [path.read_text() for path in folder.glob("notes-*")]
    return [line.split() for text in texts for line in text.splitlines() if line[-1:] in "-n"]


def lose(servers: Servers, folder: Path, how: Callable[[Server], None]) -> list[float]:
    """Lose the master in the middle, tell them to stop when all go on; return how long it took."""
    took: list[float] = []
    master = servers.pair[0].server
    back = Server.go_on if how is Server.pause else Server.start

    def workers_on(since: dict[str, int], more: int) -> bool:
        now = {path.name: path.read_text().count("\n") for path in folder.glob("notes-*")}
        return len(now) == WORKERS and all(now[name] >= since.get(name, 0) + more for name in now)

    def script() -> None:
        try:
            until(lambda: workers_on({}, ENOUGH // WORKERS), "steps before the loss", 30)
            how(master)
            before = {path.name: path.read_text().count("\n") for path in folder.glob("notes-*")}
            lost = time.monotonic()
            until(lambda: workers_on(before, 1), "all go on", RECOVERY)
            took.append(time.monotonic() - lost)
            back(master)
            until(lambda: workers_on(before, ENOUGH // WORKERS), "steps after the loss", 30)
        finally:
            (folder / "stop").touch()

    thread = threading.Thread(target=script)
    thread.start()
    assert in_processes(WORKERS, lambda worker: work(servers, folder, worker)) == [0] * WORKERS
    thread.join()
    return took


def _read_when_settled(url: str) -> bytes | None:
    """Read the value; a sentinel that lags may name the lost master for a moment still."""
    last = time.monotonic() + RECOVERY
    while True:
        try:
            with open_store(url) as store:
                return store.get(KEY)
        except StoreUnavailable:
            if time.monotonic() > last:
                raise
            time.sleep(0.2)


def check(servers: Servers, folder: Path, how: Callable[[Server], None]) -> None:
    took = lose(servers, folder, how)
    assert len(took) == 1, "it did not recover"
    steps = (_read_when_settled(servers.url) or b"").decode().split()
    assert len(steps) == len(set(steps)), "a swap was done twice"
    acknowledged = {step for step, _ in notes_in(folder)}
    seen = {step for step, mark in notes_in(folder) if mark == "seen"}
    assert len(seen) >= ENOUGH // 4
    assert seen <= set(steps), f"{len(seen - set(steps))} steps were lost that a replica had"
    lost = acknowledged - set(steps)
    print(  # noqa: T201 - what is asked for
        f"{how.__name__}: all went on after {took[0]:.1f} s; of {len(acknowledged)} acknowledged"
        f" steps a replica was known to have {len(seen)}, and of the others {len(lost)} were lost"
    )


@pytest.mark.parametrize("how", [Server.kill, Server.pause])
def test_sentinels_name_another_master(
    behind_sentinels: Servers, tmp_path: Path, how: Callable[[Server], None]
) -> None:
    check(behind_sentinels, tmp_path, how)


@pytest.mark.parametrize("how", [Server.kill, Server.pause])
def test_a_cluster_loses_a_master(
    in_a_cluster: Servers, tmp_path: Path, how: Callable[[Server], None]
) -> None:
    check(in_a_cluster, tmp_path, how)
