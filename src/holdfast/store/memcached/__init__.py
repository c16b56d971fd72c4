"""The memcached store: one server or several, each with its share of the keys.

Law: both faces send a key to the same server and read the same bytes. Threads speak over `Links`,
event loops over `Lines`; what is said is written once, in `operations`, and threads drive it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.bridge import BlockingStore, drive
from holdfast.clock import Clock, wall
from holdfast.errors import ConfigError
from holdfast.lifetimes import PerLoop, PerProcess
from holdfast.store.address import Address, Options
from holdfast.store.memcached.lines import Lines
from holdfast.store.memcached.links import Links
from holdfast.store.memcached.nodes import Access, Node, Nodes
from holdfast.store.memcached.operations import Operations
from holdfast.store.memcached.wire import login
from holdfast.store.protocol import AsyncStore

__all__ = ["MemcachedStore", "open_client", "open_url"]

_PORT = 11211


class MemcachedStore(BlockingStore):
    """Keeps bytes in the memory of memcached servers, which may evict them at any time.

    Args:
        nodes: The servers; the same names on every host that shares them.
        access: TLS and password.
        timeout: Seconds an operation may take.
        clock: UTC seconds; judges the fractions of short ttls.
        name: What the store is called in errors; default: its URL.
    """

    may_evict = True

    def __init__(
        self,
        nodes: Sequence[Node],
        access: Access | None = None,
        *,
        timeout: float = 1.0,
        clock: Clock = wall,
        name: str = "",
    ) -> None:
        super().__init__(name or "memcached://" + ",".join(map(str, nodes)))
        access = access or Access()
        self._do = Operations(self.name, Nodes(nodes), timeout, clock)
        self._links = PerProcess(self.name, lambda: Links(access), Links.close)
        self._lines = PerLoop(self.name, lambda: Lines(access), Lines.close, Lines.drop)

    def get(self, key: str) -> bytes | None:
        return drive(self._do.get(self._links.here(), key))

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return drive(self._do.get_many(self._links.here(), keys))

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        drive(self._do.put(self._links.here(), key, value, ttl))

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        drive(self._do.put_many(self._links.here(), items, ttl))

    def delete(self, key: str) -> bool:
        return drive(self._do.delete_many(self._links.here(), (key,))) > 0

    def delete_many(self, keys: Sequence[str]) -> int:
        return drive(self._do.delete_many(self._links.here(), keys))

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return drive(self._do.swap(self._links.here(), key, old, new, ttl))

    def ping(self) -> None:
        drive(self._do.ping(self._links.here()))

    def close(self) -> None:
        self._links.close()
        self._lines.close_outside()

    def _async_face(self) -> AsyncStore:
        return _AsyncMemcachedStore(self.name, self._do, self._links, self._lines)


class _AsyncMemcachedStore:
    """The async face: the same operations over the lines of the running loop."""

    def __init__(
        self, name: str, do: Operations, links: PerProcess[Links], lines: PerLoop[Lines]
    ) -> None:
        self._name, self._do, self._links, self._lines = name, do, links, lines

    async def get(self, key: str) -> bytes | None:
        return await self._do.get(self._lines.here(), key)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return await self._do.get_many(self._lines.here(), keys)

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        await self._do.put(self._lines.here(), key, value, ttl)

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        await self._do.put_many(self._lines.here(), items, ttl)

    async def delete(self, key: str) -> bool:
        return await self._do.delete_many(self._lines.here(), (key,)) > 0

    async def delete_many(self, keys: Sequence[str]) -> int:
        return await self._do.delete_many(self._lines.here(), keys)

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return await self._do.swap(self._lines.here(), key, old, new, ttl)

    async def ping(self) -> None:
        await self._do.ping(self._lines.here())

    async def close(self) -> None:
        self._links.close()
        await self._lines.close()

    def __repr__(self) -> str:
        return f"<the async face of {self._name}>"


def open_url(address: Address) -> MemcachedStore:
    """Open `memcached://h1:11211,h2:11211`, or `memcacheds://` over TLS."""
    options, tls = address.options, address.scheme == "memcacheds"
    names = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
    options.allow(*(names if tls else ()))
    if address.path not in ("", "/"):
        raise ConfigError(f"{address.scheme}:// has no path: write only hosts and ports")
    if bool(address.user) != bool(address.password):
        raise ConfigError(f"{address.scheme}:// needs user and password, or neither")
    access = Access(
        login=login(address.user, address.password) if address.user else None,
        tls=tls,
        authorities=options.text("ssl_ca_certs"),
        certificate=options.text("ssl_certfile"),
        key=options.text("ssl_keyfile"),
    )
    nodes = [Node(host.lower(), port) for host, port in address.hosts(_PORT)]
    return MemcachedStore(nodes, access, timeout=options.timeout(), name=address.shown)


def open_client(client: object, options: Options) -> MemcachedStore:
    """Open the servers of a pymemcache client, with its TLS context and timeout.

    The client itself is left alone: one is not for many threads, and none for event loops.
    """
    from pymemcache.client.base import Client, PooledClient  # noqa: PLC0415 - who has one has it
    from pymemcache.client.hash import HashClient  # noqa: PLC0415 - the same

    options.allow()
    clients: list[Any] = [client]
    if isinstance(client, HashClient):
        clients = list(client.clients.values())
    if not clients or not all(isinstance(one, Client | PooledClient) for one in clients):
        raise ConfigError(
            f"{options.where} cannot be opened: give its servers as a URL,"
            " memcached://host:port,host:port"
        )
    first = clients[0]
    if first.key_prefix:
        raise ConfigError(f"{options.where} has a key_prefix: give prefix= instead")
    nodes = [
        Node(*one.server) if isinstance(one.server, tuple) else Node(one.server, 0)
        for one in clients
    ]
    timeout = options.timeout(first.timeout or 1.0)
    return MemcachedStore(nodes, Access(given=first.tls_context), timeout=timeout)
