"""`request.cache` of pyramid_kvs: one cache for all requests.

Law: it keeps nothing itself; `client` is the process's, made by `connect`.
"""

from collections.abc import Mapping
from typing import Any

from holdfast.compat.pyramid_kvs.kvs import KVS
from holdfast.compat.pyramid_kvs.options import options_of

__all__ = ["ApplicationCache"]


class ApplicationCache:
    """The cache, as a request sees it.

    Attributes:
        client: The `KVS` behind all of them.
    """

    client: Any = None

    def __init__(self, request: object) -> None:
        """Take any request; nothing of it is needed."""

    def __call__(self, request: object) -> "ApplicationCache":  # noqa: ARG002 - as it was
        """Return itself."""
        return self

    @classmethod
    def connect(cls, settings: Mapping[str, Any]) -> None:
        """Take `kvs.cache` of the settings, while Pyramid is configured."""
        options = {"key_prefix": "cache::", "codec": "json"} | options_of(settings, "kvs.cache")
        cls.client = KVS(**options)

    def __getitem__(self, key: str) -> Any:
        return self.client.get(key)

    def __setitem__(self, key: str, value: object) -> None:
        self.client.set(key, value)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self.client.delete(key)

    def __contains__(self, key: str) -> bool:
        return self.client.get(key) is not None

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value under `key`, or `default`."""
        return self.client.get(key, default)

    def set(self, key: str, value: object, ttl: float | None = None) -> None:
        """Keep `value` for `ttl` seconds; the setting's are the default."""
        self.client.set(key, value, ttl=ttl)

    def pop(self, key: str, default: Any = None) -> Any:
        """Remove `key` and return its value, or `default`."""
        value = self.client.get(key, default)
        self.client.delete(key)
        return value

    def list_keys(self, pattern: str = "*") -> Any:
        """Return the keys that match, without the prefix; only Redis can."""
        return self.client.get_keys(pattern)
