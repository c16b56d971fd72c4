"""`KVS`: what sessions, caches and limits of pyramid_kvs are kept in.

Law: keys are those of the genuine library, and values bytes it reads. Redis and memcached are
reached by Holdfast's plain stores; a class that an application registers, by its `_client`. A value
that cannot be read is not there: it is counted, and nothing in it is run.
"""

from collections.abc import Mapping
from typing import Any

from holdfast.compat.memcache_client import Client as MemcacheClient
from holdfast.compat.pyramid_kvs import records
from holdfast.compat.pyramid_kvs.serializer import serializer
from holdfast.compat.settings import tell
from holdfast.errors import CodecError, ConfigError
from holdfast.store.memcached.plain import PlainMemcached
from holdfast.store.plain import PlainStore

__all__ = ["KVS", "Memcache", "Redis", "register"]


class KVS:
    """Values under keys with a prefix; `KVS("redis")` is a `Redis`.

    Args:
        kvs: `"redis"`, `"memcache"`, `"memcached"`, or a name that was registered.
        kvs_kwargs: What the client is made with: of `redis.Redis`, or `servers` of memcached.
        key_prefix: What stands before each key.
        ttl: Seconds a value is kept if `set` is told nothing else.
        codec: `"json"`, `"pickle"` or `"storable"`.

    Raises:
        ConfigError: The implementation or the codec has no such name.
    """

    def __new__(cls, kvs: str, *_args: object, **_kwargs: object) -> "KVS":  # noqa: PYI034 - another class
        """Return an object of the implementation of that name."""
        if kvs not in _implementations:
            raise ConfigError(f"kvs={kvs!r}: choose from {', '.join(_implementations)}")
        return object.__new__(_implementations[kvs])

    def __init__(
        self,
        kvs: str,  # noqa: ARG002 - `__new__` looks at it
        kvs_kwargs: Mapping[str, Any] | None = None,
        key_prefix: str = "",
        ttl: float = 3600,
        codec: str = "json",
    ) -> None:
        self.key_prefix = key_prefix.encode("utf-8")
        self.ttl = ttl
        self._serializer = serializer(codec)
        self._codec = codec
        self._client = self._create_client(**(kvs_kwargs or {}))

    # What users call

    def get(self, key: str | None, default: Any = None) -> Any:
        """Return the value under `key`, or `default`."""
        if key is None:
            return default
        try:
            raw = self.raw_get(key)
            return default if raw is None else self.loads(raw)
        except CodecError as error:
            tell(str(error), f"pyramid_kvs: {type(self).__name__}")  # a key may be a token
            return default

    def set(self, key: str, value: object, ttl: float | None = None) -> None:
        """Keep `value` for `ttl` seconds.

        Raises:
            CodecError: It has an object whose class is not allowed.
        """
        try:
            raw = self.dumps(value)
        except CodecError as error:
            raise (error if error.name else error.under(key)) from error.__cause__
        self.raw_set(key, raw, ttl or self.ttl)

    def delete(self, key: str) -> None:
        """Remove `key`, if it is there."""
        self._client.delete(self._get_key(key))

    def get_keys(self, pattern: str = "*") -> list[str]:
        """Return the keys that match a pattern as of the shell; only Redis can."""
        raise NotImplementedError(f"{type(self).__name__} cannot list its keys")

    def dumps(self, value: object) -> Any:
        """Return `value` as the codec writes it: text or bytes."""
        return self._serializer.dumps(value)

    def loads(self, raw: str | bytes) -> Any:
        """Return the value that `raw_get` gave the bytes of.

        Raises:
            CodecError: It cannot be read.
        """
        return records.read(self._codec, self._serializer, raw)

    # What implementations have

    def _get_key(self, key: str | bytes) -> bytes:
        return self.key_prefix + (key.encode("utf-8") if isinstance(key, str) else key)

    def _create_client(self, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no _create_client")

    def raw_get(self, key: str, default: Any = None) -> Any:
        """Return the bytes under `key`, or `default`."""
        found = self._client.get(self._get_key(key))
        return default if found is None else found

    def raw_set(self, key: str, value: str | bytes, ttl: float) -> None:
        """Keep bytes for `ttl` seconds."""
        self._client.set(self._get_key(key), value, ttl)

    def incr(self, key: str) -> int:
        """Add 1 to the number under `key` and return it."""
        return int(self._client.incr(self._get_key(key)))

    def raw_swap(self, key: str, old: Any, new: Any, ttl: float) -> bool:
        """Write `new` if `key` holds `old`; return whether it did. None is absent.

        This one looks first; those of `Redis` and `Memcache` are one step.
        """
        if self.raw_get(key) != old:
            return False
        if new is None:
            self.delete(key)
        else:
            self.raw_set(key, new, ttl)
        return True

    def count(self, key: str, window: float) -> int:
        """Count one use of `key` and return how many there were in this window of seconds.

        This one looks first; those of `Redis` and `Memcache` are one step.
        """
        if self.raw_get(key) is None:
            self.raw_set(key, "1", window)
            return 1
        return self.incr(key)


class _Stored(KVS):
    """Bytes in one of Holdfast's plain stores; `_client` is for the application."""

    @property
    def _store(self) -> PlainStore:
        raise NotImplementedError

    def _name_of(self, key: str | bytes) -> str:
        return self._get_key(key).decode("utf-8", "surrogateescape")

    def delete(self, key: str) -> None:
        """See `KVS`."""
        self._store.delete(self._name_of(key))

    def raw_get(self, key: str, default: Any = None) -> Any:
        """See `KVS`."""
        found = self._store.get(self._name_of(key))
        return default if found is None else found

    def raw_set(self, key: str, value: str | bytes, ttl: float) -> None:
        """See `KVS`."""
        self._store.put(self._name_of(key), records.octets(value), ttl)

    def raw_swap(
        self, key: str, old: str | bytes | None, new: str | bytes | None, ttl: float
    ) -> bool:
        """See `KVS`."""
        before = None if old is None else records.octets(old)
        after = None if new is None else records.octets(new)
        return self._store.swap(self._name_of(key), before, after, ttl)


class Redis(_Stored):
    """Keys of a Redis or Valkey server."""

    def _create_client(self, **kwargs: Any) -> Any:
        import redis  # noqa: PLC0415 - only who has it uses it

        return redis.Redis(**kwargs)

    @property
    def _store(self) -> PlainStore:
        from holdfast.store.redis.plain import PlainRedis  # noqa: PLC0415 - as above

        return PlainRedis(self._client)

    def incr(self, key: str) -> int:
        """See `KVS`."""
        return self._count(key, None)

    def count(self, key: str, window: float) -> int:
        """See `KVS`."""
        return self._count(key, window)

    def _count(self, key: str, window: float | None) -> int:
        from holdfast.store.redis.counts import count  # noqa: PLC0415 - as above

        return count(self._client, self._get_key(key), window)

    def get_keys(self, pattern: str = "*") -> list[str]:
        """Return the keys that match a pattern of Redis, without the prefix."""
        prefix = self.key_prefix.decode("utf-8")
        begins, matches = records.pattern(pattern)
        keys = (key[len(prefix) :] for key in self._store.scan(prefix + begins))
        return [key for key in keys if matches(key)]


class Memcache(_Stored):
    """Keys of memcached servers, where python-memcached keeps them."""

    def _create_client(self, **kwargs: Any) -> Any:
        servers = kwargs.pop("servers", ["127.0.0.1:11211"])
        # JSON has no tuples: ["host:port", 2] is a server with its weight.
        weighed = [tuple(server) if isinstance(server, list) else server for server in servers]
        return MemcacheClient(weighed, module="memcache", **kwargs)

    @property
    def _store(self) -> PlainMemcached:
        store: PlainMemcached = self._client.store
        return store

    def raw_get(self, key: str, default: Any = None) -> Any:
        """See `KVS`; what a client of Python or Perl compressed is as it was before.

        Raises:
            CodecError: It is damaged.
        """
        found = self._store.get(self._name_of(key))
        return default if found is None else records.inflated(found)

    def incr(self, key: str) -> int:
        """See `KVS`."""
        number = self._store.count(self._name_of(key))
        return self.count(key, self.ttl) if number is None else number

    def count(self, key: str, window: float) -> int:
        """See `KVS`."""
        name = self._name_of(key)
        while True:
            self._store.swap(name, None, b"0", window)
            number = self._store.count(name)
            if number is not None:  # else its time was up just now
                return number


_implementations: dict[str, type[KVS]] = {
    "redis": Redis,
    "memcache": Memcache,
    "memcached": Memcache,
}


def register(name: str, impl: type[KVS]) -> None:
    """Make `KVS(name)` an `impl`, whatever that name meant before."""
    _implementations[name] = impl
