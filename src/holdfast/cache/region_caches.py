"""The caches of one configuration.

Law: regions with one URL share one store, and nothing else: each has its name before its keys, its
own near tier and its own options. What was opened together is closed together.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from holdfast.cache.facade import Cache
from holdfast.cache.opening import opened
from holdfast.cache.region_options import Given, Written, kinds, named, unknown
from holdfast.durations import Duration
from holdfast.errors import ConfigError
from holdfast.store.protocol import Store

__all__ = ["RegionCaches"]


class RegionCaches:
    """Caches by the names of their regions.

    Raises:
        ConfigError: An option cannot be meant.
    """

    def __init__(self, settings: Given) -> None:
        self._given = settings
        self._caches: dict[str, Cache] = {}
        self._stores: dict[object, Store] = {}
        self._opened = ExitStack()  # if this fails nothing is closed, for nothing is connected yet
        for region in settings.regions:
            self._make(region)
        if settings.others is not None:
            self._cache("others", settings.of("others"))  # it must be possible

    def __contains__(self, region: str) -> bool:
        return region in self._caches or self._given.others is not None

    def __getitem__(self, region: str) -> Cache:
        if region not in self:
            raise self.why_not(region)
        if region not in self._caches:
            self._make(named(region))
        return self._caches[region]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._caches))

    def why_not(self, region: str) -> ConfigError:
        """Return the error of who wants a region that is not there."""
        return ConfigError(f"{unknown('region', region, self)}: see regions.configure(...)")

    def share(self, others: "RegionCaches") -> bool:
        """Return whether a store is in `others` too, as only one that was given open can be."""
        mine = {id(store) for store in self._stores.values()}
        return any(id(store) in mine for store in others._stores.values())  # noqa: SLF001 - ours

    def close(self) -> None:
        """Close all caches and stores."""
        self._opened.close()

    def _make(self, region: str) -> None:
        cache = self._caches[region] = self._cache(region, self._given.of(region))
        self._opened.callback(cache.close)

    def _cache(self, region: str, written: Mapping[str, Written]) -> Cache:
        options = {option: each.value for option, each in written.items()}
        for option, value in options.items():
            if kinds()[option] is bool and type(value) is not bool:
                raise ConfigError(f"{written[option].where}={value!r}: give True or False")
        prefix = options.get("prefix")
        options["prefix"] = f"{prefix}.{region}" if prefix else region
        options["enabled"] = self._given.enabled and options.get("enabled", True)
        with _naming(region, written):
            store = self._store(options.pop("url", None), options.pop("deadline", None))
            return Cache(store, **options)

    def _store(self, url: object, deadline: Duration | None) -> Store | None:
        known = (url if isinstance(url, str) else id(url), str(deadline))
        if known not in self._stores:
            try:
                store = opened(url, deadline)
            except ConfigError as error:
                if str(error).startswith("deadline"):
                    raise
                raise ConfigError(f"url: {error}") from error
            if store is None:
                return None
            self._stores[known] = store
            self._opened.callback(store.close)
        return self._stores[known]


@contextmanager
def _naming(region: str, written: Mapping[str, Written]) -> Iterator[None]:
    """Let an error that begins with an option begin with where that was written."""
    try:
        yield
    except (ConfigError, TypeError) as error:
        option = re.match(r"\w+(?=[=:])", str(error))
        if option is None or option[0] not in written:
            raise ConfigError(f"{region}: {error}") from error
        where = written[option[0]].where
        raise ConfigError(where + str(error)[option.end() :]) from error
