"""Regions: named settings of caches, usable before anybody has configured them.

Law: one configuration takes the place of another at once, or not at all. Functions follow their
region; a region that is not configured is a `ConfigError` at the call, never a call without cache.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Unpack, cast, overload
from weakref import WeakSet

from holdfast.cache.counts import Stats
from holdfast.cache.decorate import Collector, Decorator, decorator
from holdfast.cache.facade import Cache
from holdfast.cache.plan import Plan
from holdfast.cache.policy import Options
from holdfast.cache.region_caches import RegionCaches
from holdfast.cache.region_function import Follower
from holdfast.cache.region_options import Given, RegionOptions, given, named
from holdfast.cache.region_text import over, read
from holdfast.errors import ConfigError

__all__ = ["Regions", "regions"]


class Regions:
    """Caches by name, configured in one place and used in many.

    `holdfast.regions` is the one of the application. Make another for a library of your own, or for
    a test.

    Args:
        environ: What `HOLDFAST_CACHE_...` variables are looked up in by each `configure`; they win
            over it. `holdfast.regions` looks in `os.environ`; None is nowhere.
    """

    def __init__(self, *, environ: Mapping[str, str] | None = None) -> None:
        self._environ = {} if environ is None else environ
        self._caches: RegionCaches | None = None
        self._followers: WeakSet[Follower] = WeakSet()
        self._guard = threading.Lock()

    @overload
    def cached(
        self,
        region: str,
        *,
        key: str | None = None,
        collect: Literal[False] = False,
        **options: Unpack[Options],
    ) -> Decorator: ...
    @overload
    def cached(
        self,
        region: str,
        *,
        key: str | None = None,
        collect: Literal[True],
        **options: Unpack[Options],
    ) -> Collector: ...
    def cached(
        self,
        region: str,
        *,
        key: str | None = None,
        collect: bool = False,
        **options: Unpack[Options],
    ) -> Decorator | Collector:
        """Return a decorator that keeps what a function returns, as `Cache.cached` of the region.

        It may stand where the region is not configured yet; a call is a `ConfigError` until it is.
        `key`, `uncached` and everything that type checkers see work before.

        Args:
            region: Its name.
            key: See `Cache.cached`, as for `collect`.
            collect: Whether what is decorated are generator functions.
            options: See `Options`; they win over those of the region.

        Raises:
            ConfigError: The name is none for a region, or see `Cache.cached`.
        """
        named(region)

        def plan_of(function: Callable[..., Any]) -> Plan:
            follower = Follower(function, region, key=key, options=options, why_not=self._why_not)
            with self._guard:
                follower.follow(follower.plan_among(self._caches))
                self._followers.add(follower)
            return cast("Plan", follower)  # it has all that is asked of a plan

        return decorator(plan_of, collect=collect)

    def configure(
        self,
        settings: Mapping[str, RegionOptions] | None = None,
        *,
        others: RegionOptions | None = None,
        enabled: bool = True,
    ) -> None:
        """Say what the regions are, in the place of whatever was said before.

        Nothing is connected yet. The caches of before are closed; what they kept near is gone.

        Args:
            settings: The options of each region. Those of `"default"` count for all others where
                they say nothing else.
            others: The options of regions that are used without standing in `settings`: for
                scripts and tests. None: to use such a one is an error.
            enabled: False: every call creates, nothing is kept, invalidations still happen.
                `HOLDFAST_CACHE_ENABLED` wins.

        Raises:
            ConfigError: An option, a region or a variable of the environment is wrong, or a driver
                is missing; the regions are what they were.
        """
        self._replace(given(settings or {}, others=others, enabled=enabled))

    def from_settings(self, settings: Mapping[str, Any], prefix: str = "holdfast.cache.") -> None:
        """Configure the regions as the settings of an application say: those of an INI file.

            holdfast.cache.regions = short_term, long_term
            holdfast.cache.default.url = redis://localhost/0
            holdfast.cache.short_term.ttl = 5m

        Args:
            settings: All of them, or a section of `configparser`; values may be text.
            prefix: What the keys begin with that are meant.

        Raises:
            ConfigError: As `configure`; it names the key.
        """
        self._replace(read(settings, prefix))

    def __getitem__(self, region: str) -> Cache:
        """Return the cache of `region`. Ask each time: `configure` closes it and makes another.

        Raises:
            ConfigError: There is none; it says what to write.
        """
        with self._guard:
            if self._caches is None:
                raise _not_configured(region)
            return self._caches[region]

    def __iter__(self) -> Iterator[str]:
        """Return the names of the regions there are."""
        return iter(()) if self._caches is None else iter(self._caches)

    def stats(self) -> dict[str, Stats]:
        """Return what each region did since it was configured, in this process."""
        return {region: self[region].stats() for region in self}

    def clear(self) -> None:
        """Forget every value of every region.

        Raises:
            StoreError: A store failed; regions after it were not cleared.
        """
        for region in self:
            self[region].clear()

    def close(self) -> None:
        """Close all stores and forget the configuration. Twice is fine."""
        self._replace(None)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self) or 'not configured'}>"

    def _replace(self, settings: Given | None) -> None:
        caches = None if settings is None else RegionCaches(over(settings, self._environ))
        old = self._follow(caches)
        if old is not None:
            old.close()

    def _follow(self, caches: RegionCaches | None) -> RegionCaches | None:
        """Go to other caches with all functions, or nowhere; return the caches of before."""
        with self._guard:
            old = self._caches
            if caches is not None and old is not None and caches.share(old):
                raise ConfigError("url: an open store is closed with its regions: open it anew")
            ways = [(follower, follower.plan_among(caches)) for follower in self._followers]
            self._caches = caches
            for follower, plan in ways:
                follower.follow(plan)
            return old

    def _why_not(self, region: str) -> ConfigError:
        caches = self._caches
        return _not_configured(region) if caches is None else caches.why_not(region)


def _not_configured(region: str) -> ConfigError:
    return ConfigError(
        f"region {region} is used before it is configured: call"
        f' regions.configure({{"{region}": {{"ttl": 60}}}}) when the application starts,'
        " or regions.configure(others={}) in a script"
    )


regions = Regions(environ=os.environ)
"""The regions of the application."""
