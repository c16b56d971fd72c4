"""`beaker.ext.redisnm`: values and creation locks in Redis.

Law: the keys are those of the original, so its processes and ours see the same values and exclude
each other.
"""

import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from holdfast.compat.beaker.drivers import need
from holdfast.compat.beaker.exceptions import MissingCacheParameter
from holdfast.compat.beaker.many_keys import ManyKeys
from holdfast.compat.beaker.polling import poll
from holdfast.compat.beaker.synchronization import SynchronizerImpl
from holdfast.compat.beaker.util import SyncDict, ThreadLocal, machine_identifier

if TYPE_CHECKING:
    from holdfast.store.redis.plain import PlainRedis

__all__ = ["RedisNamespaceManager", "RedisSynchronizer"]


need_redis = partial(need, "redis", "ext:redis", "redis")


def _plain(client: Any) -> "PlainRedis":
    from holdfast.store.redis.plain import PlainRedis  # noqa: PLC0415 - the same

    return PlainRedis(client)


def _client(url: Any) -> Any:
    """Return a client: the one of a URL is shared by all of this process."""
    from holdfast.store.redis.plain import client_of  # noqa: PLC0415 - the same

    if not isinstance(url, str):
        return url
    return RedisNamespaceManager.clients.get(url, client_of, url)


class RedisNamespaceManager(ManyKeys):
    """Values under keys `beaker_cache:namespace:key` in Redis or Valkey.

    Args:
        namespace: The name.
        url: `redis://`, `rediss://`, `unix://`; or a client of redis-py.
        timeout: Seconds after which Redis forgets a value that was set without an `expiretime`.
        kw: Options of other kinds, which say nothing here.

    Attributes:
        client: The client of redis-py.
        clients: The client of each URL.

    Raises:
        MissingCacheParameter: There is no `url`.
        InvalidCacheBackendError: redis-py is not installed.
    """

    MAX_KEY_LENGTH = 1024
    timeout: Any = None
    PREFIX = "beaker_cache:"
    clients: ClassVar[SyncDict] = SyncDict()

    @classmethod
    def _init_dependencies(cls) -> None:
        need_redis()

    def __init__(self, namespace: str, url: Any = None, timeout: Any = None, **kw: Any) -> None:  # noqa: ARG002 - as said above
        super().__init__(namespace)
        if not url and isinstance(url, str | None):
            raise MissingCacheParameter("url is required")
        self.timeout = timeout
        self.client = _client(url)

    @property
    def _plain(self) -> "PlainRedis":
        return _plain(self.client)  # which a subclass may have set

    def _lives(self, expiretime: Any) -> float | None:
        return super()._lives(self.timeout if expiretime is None else expiretime)

    def get_creation_lock(self, key: Any) -> Any:
        return RedisSynchronizer(self._format_key(key), self.client)

    def do_remove(self) -> None:
        self._plain.clear(self._beginning)

    def keys(self) -> list[bytes]:
        """Return the whole keys, as they are in Redis."""
        return [key.encode() for key in self._plain.scan(self._beginning)]


class RedisSynchronizer(SynchronizerImpl):
    """A lock under a key `beaker_lock:identifier` in Redis, for one thread of all processes.

    Who reads excludes who reads, too. A lock is free again after `LOCK_EXPIRATION` seconds, though
    its holder may still be at work.

    Args:
        identifier: What is locked.
        url: As for `RedisNamespaceManager`.
    """

    LOCK_EXPIRATION = 900
    MACHINE_ID = machine_identifier()

    def __init__(self, identifier: str, url: Any) -> None:
        super().__init__()
        need_redis()
        self.identifier = f"beaker_lock:{identifier}"
        self.client = _client(url)
        self._held = ThreadLocal()

    def _get_owner_id(self) -> bytes:
        thread = threading.current_thread().ident
        return f"{self.MACHINE_ID}-{os.getpid()}-{thread}".encode("ascii")

    def do_acquire_write_lock(self, wait: bool) -> bool:
        # a new name each time: a command that the client sent twice is known again
        mine = self._get_owner_id() + b"-" + os.urandom(6).hex().encode()
        self._held.put(mine)
        keys = _plain(self.client)
        return poll(lambda: keys.swap(self.identifier, None, mine, self.LOCK_EXPIRATION), wait)

    def do_release_write_lock(self) -> None:
        _plain(self.client).swap(self.identifier, self._held.get(), None)

    def do_acquire_read_lock(self, wait: bool) -> bool:
        return self.do_acquire_write_lock(wait)

    def do_release_read_lock(self) -> None:
        self.do_release_write_lock()
