"""Functions of regions: decorated now, their cache known later, and exchanged whenever it must be.

Law: the function stays the same object for ever, and so does what hangs on it. Where its wrapper
looks (index, clock, slow way) are its globals; they are exchanged in one step, so that a hit costs
what it costs in a cache that was there from the start.
"""

from collections.abc import Callable
from typing import Any

from holdfast.cache.counts import Stats
from holdfast.cache.facade import Cache
from holdfast.cache.plan import Plan
from holdfast.cache.policy import Options
from holdfast.cache.region_caches import RegionCaches
from holdfast.errors import ConfigError

__all__ = ["Follower"]

Values = tuple[Any, ...]


class Follower:
    """The plan of one function, which is that of another cache whenever its region is.

    Args:
        function: A function or a coroutine function.
        region: The name of its region.
        key: See `Cache.cached`.
        options: They win over those of the region.
        why_not: Returns the error for calls while the region has no cache.

    Raises:
        ConfigError: An option or the key cannot be meant, whatever the cache.
        TypeError: There is no such option.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        region: str,
        *,
        key: str | None,
        options: Options,
        why_not: Callable[[str], ConfigError],
    ) -> None:
        self.region = region
        self._original = function
        self._template = key
        self._options = options
        self._why_not = why_not
        self._leader: Plan | None = None
        own = self._plan_in(Cache())  # keys and signatures are the same in every cache
        self.function, self.bind, self.key, self.uncached = (
            own.function,
            own.bind,
            own.key,
            own.uncached,
        )
        self.follow(None)

    def plan_among(self, caches: RegionCaches | None) -> Plan | None:
        """Return the plan of the function in the cache of its region; None: there is no such cache.

        Raises:
            ConfigError: Its options do not fit those of the cache.
        """
        if caches is None or self.region not in caches:
            return None
        try:
            return self._plan_in(caches[self.region])
        except ConfigError as error:
            where = f"{self._original.__module__}.{self._original.__qualname__}"
            raise ConfigError(f"{where}, in region {self.region}: {error}") from error

    def _plan_in(self, cache: Cache) -> Plan:
        policy = cache._policy.but(self._options)  # noqa: SLF001 - a region is a part of the cache
        return cache._plan(self._original, policy, self._template)  # noqa: SLF001 - the same

    def follow(self, leader: Plan | None) -> None:
        """Let calls from now on go the way of `leader`; None: nowhere."""
        self._leader = leader
        looks = {"_hf_index": {}, "_hf_slow": self._refuse} if leader is None else _looks(leader)
        _looks(self).update(looks)

    async def get(self, values: Values) -> Any:
        """See `Plan.get`."""
        return await self._led().get(values)

    async def delete(self, values: Values) -> None:
        """See `Plan.delete`."""
        await self._led().delete(values)

    async def renew(self, values: Values) -> Any:
        """See `Plan.renew`."""
        return await self._led().renew(values)

    def stats(self) -> Stats:
        """See `Plan.stats`; a region that is configured anew begins to count anew."""
        return self._led().stats()

    def _led(self) -> Plan:
        return self._leader or self._refuse(())

    def _refuse(self, _values: Values) -> Any:
        raise self._why_not(self.region)


def _looks(plan: "Plan | Follower") -> dict[str, Any]:
    """Return where the wrapper of `plan` looks."""
    looks: dict[str, Any] = plan.function.__globals__
    return looks
