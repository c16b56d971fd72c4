"""Plain keys: the strings an older program keeps in Redis, on a client of redis-py.

Law: one key is one value and nothing is around it; keys are listed with SCAN, never KEYS. `swap` is
one command. A client from a URL is closed here, and tries a broken connection once more; one that
was given is its owner's. A client may be used in the child of a fork: it connects anew there.
"""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import redis
from redis import cluster, connection
from redis.backoff import NoBackoff
from redis.client import NEVER_DECODE
from redis.exceptions import NoScriptError, RedisClusterException
from redis.retry import Retry

from holdfast.errors import ConfigError, KeyRejected
from holdfast.store.redis.errors import FAULTS, translated
from holdfast.store.redis.words import SCRIPTS, Dialect, Words, px

__all__ = ["Client", "PlainRedis", "client_of", "cluster_of"]

Client = redis.Redis | redis.RedisCluster
_TIMEOUT = 5.0  # seconds of one answer, where the URL says nothing
_MANY = 500  # keys of one command
_GONE = -2  # what PTTL says of a key that is not there
_GLOB = str.maketrans({letter: "\\" + letter for letter in "\\*?[]^-"})
_driver: Any = cluster  # without types, as
_parse_url: Any = connection.parse_url
_PLAIN = Dialect()  # scripts, which each server knows, and each client routes


class PlainRedis:
    """The keys of one database; see `PlainStore`.

    Args:
        client: Of redis-py, for one server or a Cluster; whatever it decodes.
    """

    def __init__(self, client: Client) -> None:
        self.name = _name(client)
        self._client: Any = client
        self._faults = _Faults(self.name)

    def get(self, key: str) -> bytes | None:
        """See `PlainStore`."""
        _check(key)
        with self._faults:
            found = self._client.execute_command("GET", key, **{NEVER_DECODE: True})
        return found if found is None else bytes(found)

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """See `PlainStore`."""
        if ttl is not None and ttl <= 0:
            self.delete(key)
            return
        _check(key)
        with self._faults:
            self._client.execute_command("SET", key, value, *px(ttl))

    def delete(self, key: str) -> bool:
        """See `PlainStore`."""
        _check(key)
        with self._faults:
            return bool(self._client.delete(key))

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        """See `PlainStore`.

        The client may send a command twice where a connection broke: that the key holds `new` is
        taken for done.
        """
        _check(key)
        if new is not None and ttl is not None and ttl <= 0:
            new = None
        if old is None and new is None:
            return self.get(key) is None
        if self._swapped(key, old, new, ttl):
            return True
        return new is not None and new != old and self.get(key) == new

    def _swapped(self, key: str, old: bytes | None, new: bytes | None, ttl: float | None) -> bool:
        with self._faults:
            if old is None:
                words: Words = ("SET", key, new or b"", *px(ttl), "NX")
                return bool(self._client.execute_command(*words))
            words = _PLAIN.swap(key, old, new, ttl)
            try:
                return bool(self._client.execute_command(*words))
            except NoScriptError:
                return bool(self._client.execute_command(*SCRIPTS[str(words[1])].in_full(words)))

    def scan(self, prefix: str = "") -> Iterator[str]:
        """See `PlainStore`; keys that are no UTF-8 are left out."""
        for raw in self._raw(prefix):
            with contextlib.suppress(UnicodeDecodeError):
                yield raw.decode() if isinstance(raw, bytes) else raw

    def remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        """See `CanTellTtl`."""
        found: dict[str, float | None] = {}
        for key in keys:
            _check(key)
            with self._faults:
                left = self._client.execute_command("PTTL", key)
            if left != _GONE:
                found[key] = None if left == -1 else left / 1000
        return found

    def clear(self, prefix: str) -> int:
        """Remove all keys that begin with `prefix`; return how many there were."""
        count = 0
        keys = self._raw(prefix)
        while some := list(itertools.islice(keys, _MANY)):
            with self._faults:
                count += self._client.delete(*some)
        return count

    def _raw(self, prefix: str) -> Iterator[Any]:
        seen: set[Any] = set()  # SCAN may tell a key twice
        pages = self._client.scan_iter(match=f"{prefix.translate(_GLOB)}*", count=1000)
        while True:
            with self._faults:
                raw = next(pages, None)
            if raw is None:
                return
            if raw not in seen:
                seen.add(raw)
                yield raw

    def close(self) -> None:
        """Do nothing: the client may be used by others."""


class _Faults:
    """Translates what goes wrong, in this one place."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, FAULTS):
            raise translated(self._name, _TIMEOUT, error) from error


def client_of(url: str) -> redis.Redis:
    """Return a client; nothing connects yet.

    Args:
        url: As `redis.StrictRedis.from_url` takes it.

    Raises:
        ConfigError: It cannot be read.
    """
    defaults: dict[str, Any] = {
        "socket_timeout": _TIMEOUT,
        "socket_connect_timeout": _TIMEOUT,
        "retry": Retry(NoBackoff(), 1),
    }
    try:
        return redis.Redis.from_url(url, **defaults)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"the URL of Redis cannot be read: {error}") from error


def cluster_of(urls: str, **options: Any) -> redis.RedisCluster:
    """Return a client of a Cluster, which asks its nodes at once.

    Args:
        urls: Of some nodes, with commas between.
        options: More of what `RedisCluster` takes; they win.

    Raises:
        ConfigError: One cannot be read.
        StoreError: No node answers.
    """
    nodes, login = [], dict[str, Any]()
    for url in urls.split(","):
        try:
            parts = _parse_url(url.strip())
        except ValueError as error:
            raise ConfigError(f"the URL of a node cannot be read: {error}") from error
        if "db" in parts:
            raise RedisClusterException("a Cluster has one database: leave `db` out of the URL")
        nodes.append(_driver.ClusterNode(parts.get("host", "localhost"), parts.get("port", 6379)))
        login.update({name: parts[name] for name in ("username", "password") if name in parts})
        if url.strip().startswith("rediss:"):
            login["ssl"] = True
    defaults = {"socket_timeout": _TIMEOUT, "socket_connect_timeout": _TIMEOUT}
    name = "redis+cluster://" + ",".join(f"{node.host}:{node.port}" for node in nodes)
    try:
        return redis.RedisCluster(startup_nodes=nodes, **{**defaults, **login, **options})
    except FAULTS as error:
        raise translated(name, _TIMEOUT, error) from error


def _check(key: str) -> None:
    try:
        key.encode()
    except UnicodeEncodeError:
        raise KeyRejected(f"{key!r} is no text that Redis takes as a key") from None


def _name(client: Any) -> str:
    """Return what a client is called in errors: where it connects to, without a password."""
    if hasattr(client, "nodes_manager"):
        nodes = client.nodes_manager.startup_nodes.values()
        return "redis+cluster://" + ",".join(f"{node.host}:{node.port}" for node in nodes)
    pool = getattr(client, "connection_pool", None)
    given = getattr(pool, "connection_kwargs", {})
    if "path" in given:
        return f"unix://{given['path']}"
    where = f"{given.get('host', 'localhost')}:{given.get('port', 6379)}"
    return f"redis://{where}/{given.get('db') or 0}"
