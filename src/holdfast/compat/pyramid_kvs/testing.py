"""`config.include("pyramid_kvs.testing")`: sessions and caches in a dict, for tests.

Law: one dict for the process, `MockCache.cached_data`, which tests look into and replace.
"""

from typing import Any, ClassVar

from holdfast.compat.pyramid_kvs import kvs

__all__ = ["MockCache", "includeme"]


class MockCache(kvs.KVS):
    """The implementation "mock": nothing expires.

    Attributes:
        cached_data: What is kept, by keys as bytes, as the codec wrote it.
        last_ttl: What the last value was to be kept for, in seconds.
    """

    cached_data: ClassVar[dict[bytes, Any]] = {}
    last_ttl: ClassVar[float | None] = None

    def _create_client(self, **kwargs: Any) -> "MockCache":  # noqa: ARG002 - there is no client
        return self

    def delete(self, key: str) -> None:
        """See `KVS`."""
        self.cached_data.pop(self._get_key(key), None)

    def raw_get(self, key: str, default: Any = None) -> Any:
        """See `KVS`."""
        return self.cached_data.get(self._get_key(key), default)

    def raw_set(self, key: str, value: str | bytes, ttl: float) -> None:
        """See `KVS`."""
        self.cached_data[self._get_key(key)] = value
        MockCache.last_ttl = ttl

    def incr(self, key: str) -> int:
        """See `KVS`."""
        name = self._get_key(key)
        self.cached_data[name] = str(int(self.cached_data[name]) + 1)
        return int(self.cached_data[name])


def includeme(config: Any) -> None:
    """Make "mock" a name of a KVS, and include the library."""
    kvs.register("mock", MockCache)
    config.include("holdfast.compat.pyramid_kvs")
