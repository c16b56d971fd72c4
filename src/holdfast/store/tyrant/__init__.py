"""The Tyrant store: Tokyo Tyrant, or several of them, for threads and event loops.

Law: the server knows neither time nor "compare and swap"; so the expiry stands in a header of the
record, and who writes a key holds its lock (`leases`). The shared iterator is never touched, and a
table database is refused. Both faces run the same steps.
"""

import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from holdfast.bridge import BlockingStore, drive
from holdfast.clock import Clock, wall
from holdfast.durations import Duration, seconds
from holdfast.errors import ConfigError
from holdfast.lifetimes import PerLoop, PerProcess
from holdfast.store.address import Address, Options
from holdfast.store.tyrant.client import PORT, TyrantClient
from holdfast.store.tyrant.face import AsyncTyrantStore, LoopClients
from holdfast.store.tyrant.leases import Leases
from holdfast.store.tyrant.ring import Ring
from holdfast.store.tyrant.steps import Steps
from holdfast.store.tyrant.way import Settings
from holdfast.store.tyrant.wire import Command

__all__ = ["TyrantStore", "open_url"]

T = TypeVar("T")
LEASE = 2.0


class TyrantStore(BlockingStore):
    """Keeps each value in a record of Tokyo Tyrant, readable by programs in other languages.

    Args:
        servers: Hosts and ports; which keys each has follows from these, not from their order.
        timeout: Seconds an operation may take.
        plain: True: every record is its value alone, so a ttl is not kept, only `<= 0` removes.
        lease: Seconds after which the lock of a writer who died is taken over; the same in every
            program that writes.
        clock: UTC seconds; every host that shares the servers must agree on it.
        any_key: True: a key may be any text, for records of other programs.
    """

    def __init__(
        self,
        servers: Sequence[tuple[str, int]],
        *,
        timeout: float = 1.0,
        plain: bool = False,
        lease: float = LEASE,
        clock: Clock = wall,
        any_key: bool = False,
    ) -> None:
        names = sorted(_written(host, port) for host, port in servers)
        super().__init__(f"tyrant://{','.join(names)}")
        settings = Settings(self.name, list(servers), timeout, lease, plain, clock, any_key)
        ring = Ring([_written(host, port) for host, port in servers])
        leases = [Leases(lease) for _ in servers]
        self._plain = plain
        self._clients = PerProcess(
            self.name,
            lambda: [TyrantClient(host, port, timeout=timeout) for host, port in servers],
            _close_all,
        )
        self._loops = PerLoop(
            self.name, lambda: LoopClients(settings), LoopClients.close, LoopClients.drop
        )
        self._steps = Steps(settings, ring, leases, _ThreadWay(self._clients))
        self._aio = AsyncTyrantStore(settings, ring, leases, self._clients, self._loops)

    def _async_face(self) -> AsyncTyrantStore:
        return self._aio

    def get(self, key: str) -> bytes | None:
        return drive(self._steps.get(key))

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return drive(self._steps.get_many(keys))

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        drive(self._steps.put_many({key: value}, ttl))

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        drive(self._steps.put_many(items, ttl))

    def delete(self, key: str) -> bool:
        return drive(self._steps.delete_many([key])) > 0

    def delete_many(self, keys: Sequence[str]) -> int:
        return drive(self._steps.delete_many(keys))

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return drive(self._steps.swap(key, old, new, ttl))

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """See `CanIncrement`."""
        return drive(self._steps.increment(key, by, ttl))

    def scan(self, prefix: str = "") -> Iterator[str]:
        """See `CanScan`. Each server looks at all its records, whatever the prefix."""
        for server, _ in enumerate(self._clients.here()):
            for page in self._pages(server, prefix):
                found = drive(self._steps.expired(server, page))
                yield from (key for key, expired in found.items() if not expired)

    def remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        """See `CanTellTtl`; a record in the plain form stays."""
        return drive(self._steps.remaining(keys))

    def sweep(self) -> int:
        """See `CanSweep`. Each server looks at all its records."""
        clients = self._clients.here()
        if self._plain:
            return 0
        removed = 0
        for server, _ in enumerate(clients):
            for page in self._pages(server, ""):
                found = drive(self._steps.expired(server, page))
                dead = [key for key, expired in found.items() if expired]
                removed += drive(self._steps.removed(server, dead))
        return removed

    def _pages(self, server: int, prefix: str) -> list[Sequence[str]]:
        return self._steps.pages(drive(self._steps.keys(server, prefix)))

    def ping(self) -> None:
        drive(self._steps.ping())

    def close(self) -> None:
        self._clients.close()
        self._loops.close_outside()


class _ThreadWay:
    """The way of threads: its awaits block and never suspend."""

    def __init__(self, clients: PerProcess[list[TyrantClient]]) -> None:
        self._clients = clients

    async def send(
        self,
        server: int,
        commands: Sequence[Command[Any]],
        deadline: float,
        *,
        takes_back: bool = False,
    ) -> list[Any]:
        del takes_back  # a thread's connection ends with its deadline anyway
        return self._clients.here()[server].call_all(commands, deadline)

    def is_wanted(self) -> bool:
        return True

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - blocking is the point

    async def all(self, jobs: Sequence[Coroutine[object, None, T]]) -> list[T]:
        try:
            return [await job for job in jobs]
        finally:
            for job in jobs:  # those behind one that raised
                job.close()


def _close_all(clients: list[TyrantClient]) -> None:
    for client in clients:
        client.close()


def _written(host: str, port: int) -> str:
    host = host.lower()  # the same server in every spelling, or its keys had two owners
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def open_url(address: Address) -> TyrantStore:
    """Open `tyrant://host:1978` or `tyrant://h1:1978,h2:1978`."""
    options = address.options
    options.allow("plain", "lease")
    if address.user or address.password:
        raise ConfigError("tyrant:// has neither users nor passwords: Tokyo Tyrant knows none")
    if address.path not in ("", "/"):
        raise ConfigError("tyrant:// has no path: a server has one database; use ?prefix=")
    servers = address.hosts(PORT)
    if len({_written(host, port) for host, port in servers}) < len(servers):
        raise ConfigError("tyrant:// names a server twice")
    return TyrantStore(
        servers, timeout=options.timeout(), plain=options.flag("plain"), lease=_lease(options)
    )


def _lease(options: Options) -> float:
    given = options.given.get("lease", LEASE)
    lease = seconds(given, option="lease") if isinstance(given, Duration) else 0.0
    if lease < 0.1:
        raise ConfigError("lease: give seconds, at least 0.1, a timedelta or text such as '2s'")
    return lease
