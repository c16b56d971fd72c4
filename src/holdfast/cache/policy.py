"""Policy: how long a value is fresh, may then be stale, and may be kept near.

Law: pure. No clock reads, no I/O; randomness and times are given by the caller. An option that
nobody knows is a `TypeError`, as a wrong keyword argument is anywhere in Python.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from holdfast.durations import Duration, seconds
from holdfast.errors import ConfigError

__all__ = ["Options", "Policy"]

_NEAR_TTL = 5.0  # no bus: nobody tells this process what another one invalidated


class Options(TypedDict, total=False):
    """What `Cache`, `cached`, `put` and `get_or_create` alike understand.

    Attributes:
        ttl: How long a value is fresh; None is until it is deleted or evicted. Default 300 s.
        grace: How long it may then be served stale, while one caller creates it anew or when that
            failed. Default 0.
        jitter: The share of ttl (0 to 1) of which a random part is taken off, so that what was made
            together does not end together. Default 0.
        none_ttl: The ttl of a created `None`; 0 keeps none. Default: ttl.
        near_ttl: How long a value of the far tier may be served from the near tier before the far
            tier is asked again. Does not apply without a far tier. Default 5 s.
        tags: Labels for `invalidate_tags`.
    """

    ttl: Duration | None
    grace: Duration
    jitter: float
    none_ttl: Duration | None
    near_ttl: Duration
    tags: Sequence[str]


@dataclass(frozen=True, slots=True)
class Policy:
    """Options, checked and in seconds; infinite where there is no end."""

    ttl: float = 300.0
    grace: float = 0.0
    jitter: float = 0.0
    none_ttl: float | None = None
    near_ttl: float = _NEAR_TTL
    tags: tuple[str, ...] = ()

    def but(self, options: Options) -> "Policy":
        """Return this policy with `options` in the place of its own.

        Raises:
            TypeError: There is no such option.
            ConfigError: An option has a value that cannot be meant.
        """
        if not options:
            return self
        unknown = options.keys() - _CHECKS.keys()
        later = _LATER.intersection(unknown)
        if later:
            raise TypeError(f"option {', '.join(sorted(later))}: not in this version yet")
        if unknown:
            raise TypeError(
                f"unknown option {', '.join(sorted(unknown))}; there are {', '.join(_CHECKS)}"
            )
        return replace(self, **{name: _CHECKS[name](value) for name, value in options.items()})

    def times(
        self, value: object, now: float, draw: float, ttl: float | None = None
    ) -> tuple[float, float]:
        """Return until when a value that is ready at `now` is fresh, and until when stale.

        Args:
            value: The value; only whether it is None counts.
            now: The time.
            draw: A random number from 0 to 1, for the jitter.
            ttl: What the creation itself asked for, in seconds, instead of the policy.
        """
        if ttl is None:
            ttl = self.none_ttl if value is None and self.none_ttl is not None else self.ttl
        if ttl <= 0:
            return now, now
        fresh_until = now + ttl * (1 - self.jitter * draw)
        # one object where there is no grace: a near entry then keeps one float less
        return fresh_until, fresh_until + self.grace if self.grace else fresh_until


def _end(option: str) -> Any:
    def check(value: Duration | None) -> float:
        return math.inf if value is None else seconds(value, option=option)

    return check


def _duration(option: str) -> Any:
    return lambda value: seconds(value, option=option)


def _share(value: float) -> float:
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise ConfigError(f"jitter={value!r}: a share of the ttl, from 0 to 1")
    return float(value)


def _tags(value: Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise ConfigError(f"tags={value!r}: give a list of tags, such as [{value!r}]")
    return tuple(value)


def _none_ttl(value: Duration | None) -> float | None:
    return None if value is None else seconds(value, option="none_ttl")


_LATER = {"refresh_at", "soft_timeout", "hard_timeout", "retry_after", "sliding"}
_LATER |= {"max_bytes", "compress_above", "secrets", "bus", "lease", "deadline"}
_CHECKS: dict[str, Any] = {
    "ttl": _end("ttl"),
    "grace": _duration("grace"),
    "jitter": _share,
    "none_ttl": _none_ttl,
    "near_ttl": _duration("near_ttl"),
    "tags": _tags,
}
