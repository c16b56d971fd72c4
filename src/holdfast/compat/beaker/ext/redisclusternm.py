"""`beaker.ext.redisclusternm`: values and creation locks in a Redis Cluster.

Law: as `redisnm`, with the same keys; each command goes to the node that has its key.
"""

from typing import Any

from holdfast.compat.beaker.exceptions import MissingCacheParameter
from holdfast.compat.beaker.ext.redisnm import (
    RedisNamespaceManager,
    RedisSynchronizer,
    need_redis,
)

__all__ = ["RedisClusterNamespaceManager", "RedisClusterSynchronizer"]

_OTHERS = ("data_dir", "lock_dir", "digest_filenames")  # options of other kinds


def _client(urls: Any, options: dict[str, Any]) -> Any:
    from holdfast.store.redis.plain import cluster_of  # noqa: PLC0415 - only where it is used

    if not isinstance(urls, str):
        return urls
    return RedisNamespaceManager.clients.get(urls, cluster_of, urls, **options)


class RedisClusterNamespaceManager(RedisNamespaceManager):
    """Values under keys `beaker_cache:namespace:key` in a Cluster.

    Args:
        namespace: The name.
        urls: `redis://host:7001,redis://host:7002`, without a database; or a `RedisCluster`.
        timeout: Seconds after which a value is forgotten that was set without an `expiretime`.
        kwargs: More of what `RedisCluster` takes, such as `username` and `password`.

    Attributes:
        client: The `RedisCluster`.
        nodes: What was told of its nodes; empty for a client that was given.

    Raises:
        MissingCacheParameter: There are no `urls`.
        InvalidCacheBackendError: redis-py is not installed.
        StoreError: No node answers.
    """

    def __init__(
        self, namespace: str, urls: Any = None, timeout: Any = None, **kwargs: Any
    ) -> None:
        self._init_dependencies()
        if not urls and isinstance(urls, str | None):
            raise MissingCacheParameter("urls is required")
        self.options = {name: value for name, value in kwargs.items() if name not in _OTHERS}
        super().__init__(namespace, _client(urls, self.options), timeout)
        given = isinstance(urls, str)
        self.nodes = list(self.client.nodes_manager.startup_nodes.values()) if given else []

    def get_creation_lock(self, key: Any) -> Any:
        return RedisClusterSynchronizer(self._format_key(key), self.client)


class RedisClusterSynchronizer(RedisSynchronizer):
    """A lock under a key `beaker_lock:identifier` in a Cluster; as `RedisSynchronizer`.

    Args:
        identifier: What is locked.
        urls: As for `RedisClusterNamespaceManager`.
        nodes: Not needed: `urls` tell them.
        kwargs: More of what `RedisCluster` takes.
    """

    def __init__(self, identifier: str, urls: Any, nodes: Any = None, **kwargs: Any) -> None:  # noqa: ARG002 - as said above
        need_redis()
        super().__init__(identifier, _client(urls, kwargs))
