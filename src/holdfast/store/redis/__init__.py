"""The Redis store: Redis and Valkey, alone, behind Sentinels or as a Cluster.

Law: the server keeps the time and removes what is over. Values are plain strings under their keys,
as any other program reads them. A ready client lends its settings, never its connections.
"""

from collections.abc import Awaitable, Coroutine, Iterator, Mapping, Sequence
from typing import TypeVar, cast
from weakref import WeakSet

from holdfast.bridge import BlockingStore, drive, in_thread
from holdfast.lifetimes import PerLoop, PerProcess
from holdfast.listening import Listening
from holdfast.store.address import Address, Options
from holdfast.store.redis.aio import AsyncRedisStore
from holdfast.store.redis.bus import RedisWay
from holdfast.store.redis.errors import FAULTS, translated
from holdfast.store.redis.lines import Lines
from holdfast.store.redis.operations import Operations
from holdfast.store.redis.ready import of_client
from holdfast.store.redis.settings import Settings, of_address
from holdfast.store.redis.streams import Streams

__all__ = ["RedisStore", "open_client", "open_url"]

T = TypeVar("T")


class RedisStore(BlockingStore):
    """Keeps bytes in Redis or Valkey; one object for all threads, processes and event loops.

    Args:
        settings: Where the servers are; nothing connects before the first use.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.name)
        self._settings = settings
        self._timeout = settings.timeout
        self._lines = PerProcess(self.name, lambda: Lines(settings), Lines.close)
        self._streams = PerLoop(
            self.name, lambda: Streams(settings), Streams.close, Streams.drop_outside
        )
        self._buses: WeakSet[Listening] = WeakSet()

    def _async_face(self) -> AsyncRedisStore:
        self._settings.need_async()
        return AsyncRedisStore(self.name, self._timeout, self._streams, self._close_rest)

    def _here(self) -> Operations:
        return self._lines.here().operations

    def _run(self, steps: Awaitable[T]) -> T:
        """Drive `steps` to their end, and translate what goes wrong."""
        try:
            return drive(cast("Coroutine[object, None, T]", steps))
        except FAULTS as error:
            raise translated(self.name, self._timeout, error) from error

    def get(self, key: str) -> bytes | None:
        return self._run(self._here().get(key))

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return self._run(self._here().get_many(keys))

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        self._run(self._here().put(key, value, ttl))

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        self._run(self._here().put_many(items, ttl))

    def delete(self, key: str) -> bool:
        return self._run(self._here().delete(key))

    def delete_many(self, keys: Sequence[str]) -> int:
        return self._run(self._here().delete_many(keys))

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return self._run(self._here().swap(key, old, new, ttl))

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """See `CanIncrement`."""
        return self._run(self._here().increment(key, by, ttl))

    def scan(self, prefix: str = "") -> Iterator[str]:
        """See `CanScan`; in a Cluster every node is asked."""
        here = self._here()
        seen: set[str] = set()
        for server in self._run(here.servers()):
            cursor = b""
            while cursor != b"0":
                cursor, page = self._run(here.page(server, cursor or b"0", prefix))
                fresh = dict.fromkeys(key for key in page if key not in seen)
                seen.update(fresh)
                yield from fresh

    def remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        """See `CanTellTtl`."""
        return self._run(self._here().remaining(keys))

    def bus(self, kind: str = "auto") -> Listening:
        """See `CanPublish`; `auto` is `tracking` where the server can, else `pubsub`."""
        bus = Listening(RedisWay(self._settings, self._here, kind))
        self._buses.add(bus)
        return bus

    def ping(self) -> None:
        self._run(self._here().ping())

    def close(self) -> None:
        for bus in list(self._buses):
            bus.close()
        self._lines.close()
        self._streams.close_outside()

    async def _close_rest(self) -> None:
        """Close all but what is an event loop's."""
        for bus in list(self._buses):
            await in_thread(bus.close)  # it waits for a thread to end
        self._lines.close()


def open_url(address: Address) -> RedisStore:
    """Open `redis://`, `rediss://`, `valkey://`, `valkeys://`, `unix://` and their relatives."""
    return RedisStore(of_address(address))


def open_client(client: object, options: Options) -> RedisStore:
    """Open a store with the settings of a client of redis-py or valkey-py, of either face."""
    return RedisStore(of_client(client, options))
