"""Opening: what the arguments of `Cache` mean.

Law: no I/O. A store that was given by URL answers within the deadline of a cache; one that was
given open keeps its own.
"""

import contextlib
import inspect
from typing import Any, cast
from urllib.parse import parse_qs

from holdfast.durations import Duration, seconds
from holdfast.errors import ConfigError
from holdfast.store.abilities import CanPublish
from holdfast.store.bus import Bus
from holdfast.store.protocol import Store

__all__ = ["DEADLINE", "bus_of", "opened"]

DEADLINE = 0.25
"""Seconds an operation of the far tier may take: the longest a cache makes somebody wait for it."""


def opened(store: object, deadline: Duration | None) -> Store | None:
    """Return the store that was meant; None if there is none.

    Raises:
        ConfigError: It is no store, or `deadline` was given for one that is open already.
    """
    if store is None:
        return None
    from holdfast.store.registry import driver_of, open_store  # noqa: PLC0415 - near-only needs none

    ready = driver_of(store) is not None  # first: a MongoClient has an attribute of every name
    if not ready and inspect.iscoroutinefunction(getattr(store, "get", None)):
        raise ConfigError("store: give the store itself, not its async face; see cache.aio")
    if not ready and isinstance(store, Store):
        if deadline is not None:
            raise ConfigError("deadline: an open store has its own; open it with timeout=...")
        return store
    target = cast("Any", store)
    if deadline is not None:
        return open_store(target, timeout=_more_than_0(deadline))
    if isinstance(target, str) and "timeout" in parse_qs(target.partition("?")[2]):
        return open_store(target)
    with contextlib.suppress(ConfigError):  # a store of others may know no such option
        return open_store(target, timeout=DEADLINE)
    return open_store(target)


def _more_than_0(deadline: Duration) -> float:
    value = seconds(deadline, option="deadline")
    if not value:
        raise ConfigError("deadline=0: more than 0 seconds")
    return value


def bus_of(
    given: Bus | str | bool | None,  # noqa: FBT001 - True and False are what users write
    store: Store | None,
    *,
    near: bool,
) -> tuple[Bus | None, Store | None]:
    """Return the bus that was meant, and the store that was opened for it; None if there is none.

    Raises:
        ConfigError: There is no such bus, or no far tier for it.
    """
    if given == "auto":
        bus = _offered(store)
        return (bus if near or (bus is not None and bus.speaks) else None), None
    if given is None or given is False:
        return None, None
    if store is None:
        raise ConfigError("bus: without a store there is nothing that processes could share")
    if isinstance(given, str) and "://" in given:
        from holdfast.store.registry import open_store  # noqa: PLC0415 - as above

        beside = open_store(given)
        return _able(beside, given.partition(":")[0] + "://").bus("pubsub"), beside
    if isinstance(given, str):
        return _able(store, "the store").bus(given), None
    return (_able(store, "the store").bus() if isinstance(given, bool) else given), None


def _offered(store: object) -> Bus | None:
    try:
        return store.bus() if isinstance(store, CanPublish) else None
    except ConfigError:  # its driver or its servers have none
        return None


def _able(store: Store, name: str) -> CanPublish:
    if isinstance(store, CanPublish):
        return store
    raise ConfigError(
        f"bus: {name} has none; Redis, Valkey and PostgreSQL do: give bus='redis://...',"
        " or leave it out"
    )
