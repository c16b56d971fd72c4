"""Options of regions: what there is, and what was given for each.

Law: pure. A region inherits the options of `default`. What cannot be meant is a `ConfigError` that
begins with where it was written, and says what may have been meant.
"""

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_type_hints

from holdfast.cache.policy import Options
from holdfast.clock import Clock
from holdfast.codec import Codec
from holdfast.durations import Duration
from holdfast.errors import ConfigError
from holdfast.events import Observer
from holdfast.signing import KeyRing, Secrets
from holdfast.store.bus import Bus

__all__ = [
    "DEFAULT",
    "Given",
    "RegionOptions",
    "Written",
    "given",
    "kinds",
    "named",
    "nearest",
    "unknown",
]

DEFAULT = "default"
"""The region whose options all others inherit."""

_REGION = re.compile(r"[A-Za-z0-9_\-]{1,40}")


class RegionOptions(Options, total=False):
    """What a region understands: the options of `Cache` and those of `Options`.

    Attributes:
        url: The first argument of `Cache`: a store's URL, a ready driver object, an open store, or
            None to keep values in this process only. Default None. Regions with the same one share
            the store and its connections, and nothing else.
        prefix: Comes before the region's name, which is before all its keys: `shop.short_term:`.
        near: See `Cache`, as for all that follow.
        max_entries: How many values the near tier of this region holds.
        max_bytes: How many bytes they may weigh.
        codec: `"msgpack"`, `"json"` or a codec.
        compress_above: Values of more bytes are compressed in the store.
        secrets: Seal the values in the store.
        bus: How this process hears what others change.
        lease: How long a creation keeps other processes from doing the same work.
        deadline: How long the store may take for an answer; regions with one URL and several
            deadlines have a store for each.
        on_error: `"raise"` or `"queue"`, where the store does not hear of an invalidation.
        clock: UTC seconds.
        observer: Told what happens.
        enabled: False creates each time and keeps nothing.
    """

    url: str | object | None
    prefix: str
    near: bool
    max_entries: int
    max_bytes: int | None
    codec: Codec | str
    compress_above: int | None
    secrets: Secrets | KeyRing | None
    bus: Bus | str | bool | None
    lease: Duration
    deadline: Duration | None
    on_error: Literal["raise", "queue"]
    clock: Clock
    observer: Observer
    enabled: bool


@dataclass(frozen=True, slots=True)
class Written:
    """The value of an option, and where it was written, for errors."""

    value: Any = field(repr=False)  # it may be a secret, or a URL with a password
    where: str


@dataclass(frozen=True, slots=True)
class Given:
    """What was given for all regions; nothing inherited yet."""

    regions: dict[str, dict[str, Written]] = field(default_factory=dict)
    others: dict[str, Written] | None = None
    enabled: bool = True

    def of(self, region: str) -> dict[str, Written]:
        """Return the options of `region`, inherited ones included."""
        own = self.regions.get(region, self.others or {})
        return self.regions.get(DEFAULT, {}) | own


def given(
    regions: Mapping[str, RegionOptions], *, others: RegionOptions | None, enabled: bool
) -> Given:
    """Return what a program gave.

    Raises:
        ConfigError: A name cannot be one of a region, or there is no such option.
    """
    return Given(
        {named(region): _written(region, options) for region, options in regions.items()},
        None if others is None else _written("others", others),
        enabled,
    )


def _written(region: str, options: RegionOptions) -> dict[str, Written]:
    if not isinstance(options, Mapping):
        raise ConfigError(f'{region}: give its options, such as {{"ttl": 60}}')
    for option in options:
        if option not in kinds():
            raise ConfigError(f"{region}: {unknown('option', str(option), kinds())}")
    return {option: Written(value, f"{region}.{option}") for option, value in options.items()}


def named(region: str) -> str:
    """Return `region` if it is a name for one.

    Raises:
        ConfigError: It is not.
    """
    if type(region) is not str or _REGION.fullmatch(region) is None:
        raise ConfigError(f"region {region!r}: 1 to 40 letters, digits, '_' or '-'")
    return region


@functools.cache
def kinds() -> dict[str, Any]:
    """Return the names of all options with their types."""
    return get_type_hints(RegionOptions)


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return what to say of a name that is not known: what may have been meant, and what is."""
    names = sorted(known)
    near = nearest(name, names)
    meant = f", did you mean {near}? There" if near else "; there"
    return f"unknown {kind} {name}{meant} are {', '.join(names) or 'none'}"


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return which of `names` may have been meant by `name`."""
    import difflib  # noqa: PLC0415 - who makes no mistakes needs none

    return next(iter(difflib.get_close_matches(name, names, n=1)), None)
