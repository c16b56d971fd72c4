"""`beaker.cache`: caches by name and by region, and the decorators.

Law: every key is the text it always was, so values of before are found: the arguments joined by
spaces, or the SHA-1 of that where it is long. What a value's life is stands in `value.py`.
"""

import functools
import hashlib
import importlib
import inspect
import warnings
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, TypeVar

from holdfast.compat.beaker import container, util
from holdfast.compat.beaker.backends import _backends, clsmap
from holdfast.compat.beaker.container import Value
from holdfast.compat.beaker.exceptions import BeakerException, InvalidCacheBackendError
from holdfast.compat.beaker.util import DEFAULT_CACHE_KEY_LENGTH as DEFAULT

__all__ = [
    "BeakerException",
    "Cache",
    "CacheManager",
    "InvalidCacheBackendError",
    "_backends",
    "cache_managers",
    "cache_region",
    "cache_regions",
    "clsmap",
    "container",
    "region_invalidate",
    "util",
]

F = TypeVar("F", bound=Callable[..., Any])

cache_regions: dict[str, dict[str, Any]] = {}
"""The options of each region, by its name; applications fill it."""

cache_managers: dict[str, "Cache"] = {}
"""The caches that were made, by their names and options."""

_MODULES = ["memcached", "database", "sqla", "google", "mongodb", "redisnm", "redisclusternm"]


def __getattr__(name: str) -> ModuleType:
    """Return a module of `beaker.ext`, which this module has always had beside its own names."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"holdfast.compat.beaker.ext.{name}")


class Cache:
    """The values under one name.

    Args:
        namespace: The name.
        type: The kind of store, a name in `clsmap`.
        expiretime: Seconds a value is good for; None is for ever.
        starttime: What was stored before this time (seconds since 1970) is old.
        expire: The same as `expiretime`; a text of digits will do.
        nsargs: Options of the store.

    Attributes:
        namespace: The manager of the store.
        namespace_name: The name.

    Raises:
        TypeError: There is no such kind.
        InvalidCacheBackendError: What it needs is not installed.
    """

    def __init__(
        self,
        namespace: str,
        type: str = "memory",
        expiretime: float | None = None,
        starttime: float | None = None,
        expire: Any = None,
        **nsargs: Any,
    ) -> None:
        try:
            manager = clsmap[type]
        except KeyError:
            raise TypeError(f"Unknown cache implementation {type!r}") from None
        if isinstance(manager, InvalidCacheBackendError):
            raise manager
        if expire is not None:
            expire = int(expire)
        self.namespace_name = namespace
        self.namespace = manager(namespace, **nsargs)
        self.expiretime = expiretime or expire
        self.starttime = starttime
        self.nsargs = nsargs

    @classmethod
    def _get_cache(cls, namespace: str, kw: Mapping[str, Any]) -> "Cache":
        """Return the cache of this name with these options, the same one each time."""
        key = namespace + str(kw)
        found = cache_managers.get(key)
        if found is None:
            found = cache_managers[key] = cls(namespace, **kw)
        return found

    def get(self, key: Any, **kw: Any) -> Any:
        """Return a value.

        Args:
            key: Any text; other objects where the store takes them.
            kw: `createfunc` makes a value where there is none; `expiretime` and `starttime` as
                for the cache.

        Raises:
            KeyError: There is none, and no function to make one.
        """
        return self._get_value(key, **kw).get_value()

    def put(self, key: Any, value: Any, **kw: Any) -> None:
        """Write a value; `kw` as for `get`."""
        self._get_value(key, **kw).set_value(value)

    def remove_value(self, key: Any, **kw: Any) -> None:
        """Remove a value, however old; one that is not there is no error."""
        self._get_value(key, **kw).clear_value()

    get_value = get
    set_value = put
    remove = remove_value

    def clear(self) -> None:
        """Remove all values of this name."""
        self.namespace.remove()

    def has_key(self, key: Any) -> bool:
        """Return whether there is a value that is not too old."""
        return key in self

    def __getitem__(self, key: Any) -> Any:
        return self.get(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.put(key, value)

    def __delitem__(self, key: Any) -> None:
        self.remove_value(key)

    def __contains__(self, key: Any) -> bool:
        return self._get_value(key).has_current_value()

    def _get_value(self, key: Any, **kw: Any) -> Value:
        if isinstance(key, str):
            key = key.encode("ascii", "backslashreplace")
        if not kw:
            return Value(key, self.namespace, None, self.expiretime, self.starttime)
        if "type" in kw:
            return self._of_other_kind(key, **kw)
        if "expiretime" not in kw:
            kw["expiretime"] = self.expiretime
        if "starttime" not in kw:
            kw["starttime"] = self.starttime
        return Value(key, self.namespace, **kw)

    def _of_other_kind(self, key: Any, type: str, **kw: Any) -> Value:
        warnings.warn(
            "Specifying a 'type' and other namespace configuration with cache.get()/put()/etc. is "
            "deprecated. Specify 'type' and other namespace configuration to "
            "cache_manager.get_cache() and/or the Cache constructor instead.",
            DeprecationWarning,
            stacklevel=4,
        )
        life = {
            "createfunc": kw.pop("createfunc", None),
            "expiretime": kw.pop("expiretime", self.expiretime),
            "starttime": kw.pop("starttime", None),
        }
        other = Cache(self.namespace.namespace, type=type, **{**self.nsargs, **kw})
        return other._get_value(key, **life)


class CacheManager:
    """Makes caches and decorators with the options it was given.

    Args:
        kwargs: What `parse_cache_config_options` returns.

    Attributes:
        kwargs: The options.
        regions: Its regions; they are in `cache_regions` as well.
    """

    def __init__(self, **kwargs: Any) -> None:
        self.kwargs = kwargs
        self.regions: dict[str, dict[str, Any]] = kwargs.pop("cache_regions", {})
        cache_regions.update(self.regions)

    def get_cache(self, name: str, **kwargs: Any) -> Cache:
        """Return the cache of a name; `kwargs` go before the options of the manager."""
        return Cache._get_cache(name, {**self.kwargs, **kwargs})  # noqa: SLF001 - as above

    def get_cache_region(self, name: str, region: str) -> Cache:
        """Return the cache of a name with the options of a region.

        Raises:
            BeakerException: The manager has no such region.
        """
        if region not in self.regions:
            raise BeakerException(f"Cache region not configured: {region}")
        return Cache._get_cache(name, self.regions[region])  # noqa: SLF001 - as above

    def region(self, region: str, *args: Any) -> Callable[[F], F]:
        """Do as `cache_region`."""
        return cache_region(region, *args)

    def region_invalidate(self, namespace: Any, region: str | None, *args: Any) -> None:
        """Do as `beaker.cache.region_invalidate`."""
        region_invalidate(namespace, region, *args)

    def cache(self, *args: Any, **kwargs: Any) -> Callable[[F], F]:
        """Decorate a function: what it returns is kept.

        Args:
            args: Tell it from functions of the same name in the same file.
            kwargs: Options of `get_cache`; and `key_length`.
        """
        options = dict(kwargs)
        key_length = int(options.pop("key_length", DEFAULT))

        def decorate(func: F) -> F:
            namespace = util.func_namespace(func)
            found: list[Cache] = []

            def place() -> tuple[Cache, int]:
                if not found:
                    found.append(self.get_cache(namespace, **options))
                return found[0], key_length

            cached = _cached(func, namespace, args, place)
            cached._arg_key_length = key_length  # type: ignore[attr-defined] # noqa: SLF001 - for `invalidate`
            return cached

        return decorate

    def invalidate(self, func: Any, *args: Any, **kwargs: Any) -> None:
        """Remove what a function that `cache` decorated returned.

        Args:
            func: The decorated function.
            args: Those of the decorator, then those of the call.
            kwargs: The options of the decorator, if they say where the values are.
        """
        key_length = kwargs.pop("key_length", None)
        if hasattr(func, "_arg_region"):
            key_length = _key_length(cache_regions[func._arg_region])  # noqa: SLF001 - `_cached` set it
        elif key_length is None:
            key_length = getattr(func, "_arg_key_length", DEFAULT)
        _forget(self.get_cache(func._arg_namespace, **kwargs), int(key_length), args)  # noqa: SLF001


def cache_region(region: str, *args: Any) -> Callable[[F], F]:
    """Decorate a function: what it returns is kept, with the options of a region.

    The region may be configured later than this is called. An argument `self` or `cls` in the
    first place is no part of the key.

    Args:
        region: A name in `cache_regions`.
        args: Tell it from functions of the same name in the same file.
    """

    def decorate(func: F) -> F:
        namespace = util.func_namespace(func)
        found: list[Cache] = []

        def place() -> tuple[Cache, int] | None:
            if found:  # as `_key_length`, without the call: this is on the way of every hit
                return found[0], int(cache_regions[region].get("key_length", DEFAULT))
            if region not in cache_regions:
                raise BeakerException(f"Cache region not configured: {region}")
            options = cache_regions[region]
            if not options.get("enabled", True):
                return None
            found.append(Cache._get_cache(namespace, options))  # noqa: SLF001 - as above
            return found[0], _key_length(options)

        cached = _cached(func, namespace, args, place)
        cached._arg_region = region  # type: ignore[attr-defined] # noqa: SLF001 - for `region_invalidate`
        return cached

    return decorate


def region_invalidate(namespace: Any, region: str | None, *args: Any) -> None:
    """Remove what a function that `cache_region` decorated returned.

    Args:
        namespace: The decorated function, or the name of its cache.
        region: Its region; None is the one of the decorated function.
        args: Those of the decorator, then those of the call without `self`.

    Raises:
        BeakerException: There is neither a region nor a decorated function.
    """
    name, its = namespace, region
    if callable(namespace):
        name = namespace._arg_namespace  # noqa: SLF001 - the decorator set it
        its = region or namespace._arg_region  # noqa: SLF001 - the same
    if not its:
        raise BeakerException("Region or callable function namespace is required")
    options = cache_regions[its]
    _forget(Cache._get_cache(name, options), _key_length(options), args)  # noqa: SLF001 - as above


def _key_length(options: Mapping[str, Any]) -> int:
    return int(options.get("key_length", DEFAULT))


def _cached(
    func: F,
    namespace: str,
    marks: tuple[Any, ...],
    place: Callable[[], tuple[Cache, int] | None],
) -> F:
    """Return `func` with its values kept where `place` says: a cache, and how long a key may be."""
    skip = 1 if util.has_self_arg(func) else 0
    signature = inspect.signature(func)
    shown = f"_cached_{func.__name__}"

    @functools.wraps(func)
    def cached(*args: Any, **kwargs: Any) -> Any:
        where = place()
        if where is None:
            return func(*args, **kwargs)
        parts = (*marks, *args[skip:])
        if kwargs:  # by name or by place, it is one key
            bound = signature.bind(*args, **kwargs)
            args, kwargs = bound.args, bound.kwargs
            parts = (*marks, *args[skip:], *(f"{name}:{kwargs[name]}" for name in kwargs))

        def create() -> Any:
            return func(*args, **kwargs)

        create.__name__ = shown  # for who looks at a traceback
        cache, key_length = where
        return cache.get_value(_key(namespace, key_length, parts), createfunc=create)

    cached._arg_namespace = namespace  # type: ignore[attr-defined] # noqa: SLF001 - for `invalidate`
    return cached  # type: ignore[return-value] # wraps() keeps the signature


def _key(namespace: str, key_length: int, parts: tuple[Any, ...]) -> str:
    """Return the key of a call: its arguments, or their SHA-1 where they are long."""
    key = " ".join(map(str, parts))
    if len(key) + len(namespace) > key_length:
        return hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()
    return key


def _forget(cache: Cache, key_length: int, parts: tuple[Any, ...]) -> None:
    cache.remove_value(_key(cache.namespace_name, key_length, parts))
