"""Policy: how long a value is fresh, may then be stale, and when it is made anew.

Law: pure. No clock reads, no I/O; randomness and times are given by the caller. An option that
nobody knows is a `TypeError`, as a wrong keyword argument is anywhere in Python.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypedDict

from holdfast.durations import Duration, seconds
from holdfast.errors import ConfigError

__all__ = ["RENEW_AFTER", "REST", "Ages", "Options", "Policy", "slid"]

RENEW_AFTER = 0.1
"""The share of its idle time after which a read makes a sliding value fresh again."""
REST = 1.0
"""Seconds between two refreshes of one value in one process."""


class Options(TypedDict, total=False):
    """What `Cache`, a region, `cached`, `put` and `get_or_create` alike understand.

    Attributes:
        ttl: How long a value is fresh; None is until it is deleted or evicted. Default 300 s.
        grace: How long it may then be served stale, while one caller creates it anew or when that
            failed. Default 0.
        refresh_at: The share of its age (0 to 1) after which the first reader has a fresh value
            made anew in the background. `"xfetch"` draws the moment at random, the later the
            longer the creation took (Vattani et al., VLDB 2015): processes that share no lease then
            hardly ever refresh together. Default: never.
        jitter: The share of ttl (0 to 1) of which a random part is taken off, so that what was made
            together does not end together. Default 0.
        soft_timeout: How long a creation is waited for where a stale value could be served; then
            that is served, and the creation goes on in the background. Default: to its end.
        hard_timeout: How long a creation is waited for in any case: then it is `CreateTimeout`, or
            the stale value. The creation goes on, and is kept. Default: to its end.
        retry_after: How long a stale value is served as if it were fresh after a creation failed,
            so that a dead source is not asked by each request. Default 0.
        none_ttl: The ttl of a created `None`; 0 keeps none. Default: ttl.
        near_ttl: How long a value of the far tier may be served from the near tier before the far
            tier is asked again. Default 5 s; with a bus that passed its test: as long as it is
            fresh. Does not apply without a far tier.
        sliding: A value that is not read for so long is no longer fresh; each read makes it fresh
            again, but never beyond `ttl`. Default: reads change nothing.
        tags: Labels for `invalidate_tags`.
    """

    ttl: Duration | None
    grace: Duration
    refresh_at: float | Literal["xfetch"] | None
    jitter: float
    soft_timeout: Duration | None
    hard_timeout: Duration | None
    retry_after: Duration
    none_ttl: Duration | None
    near_ttl: Duration | None
    sliding: Duration | None
    tags: Sequence[str]


class Ages(NamedTuple):
    """The times of one value.

    Attributes:
        fresh_until: When it stops being fresh.
        stale_until: When it may no longer be served stale either.
        end: Until when reads may make it fresh again.
    """

    fresh_until: float
    stale_until: float
    end: float


@dataclass(frozen=True, slots=True)
class Policy:
    """Options, checked and in seconds; infinite where there is no end, 0 where there is nothing."""

    ttl: float = 300.0
    grace: float = 0.0
    refresh_at: float | Literal["xfetch"] | None = None
    jitter: float = 0.0
    soft_timeout: float | None = None
    hard_timeout: float | None = None
    retry_after: float = 0.0
    none_ttl: float | None = None
    near_ttl: float | None = None
    sliding: float | None = None
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.sliding is not None and self.refresh_at is not None:
            raise ConfigError("sliding and refresh_at: what reads keep fresh is never made anew")

    @property
    def is_timed(self) -> bool:
        """Whether a caller may go before the creation has ended."""
        return self.soft_timeout is not None or self.hard_timeout is not None

    def but(self, options: Options) -> "Policy":
        """Return this policy with `options` in the place of its own.

        Raises:
            TypeError: There is no such option.
            ConfigError: An option has a value that cannot be meant.
        """
        if not options:
            return self
        unknown = options.keys() - _CHECKS.keys()
        if unknown:
            raise TypeError(
                f"unknown option {', '.join(sorted(unknown))}; there are {', '.join(_CHECKS)}"
            )
        return replace(self, **{name: _CHECKS[name](value) for name, value in options.items()})

    def ages(self, value: object, now: float, draw: float, ttl: float | None = None) -> Ages:
        """Return the times of a value that is ready at `now`.

        Args:
            value: The value; only whether it is None counts.
            now: The time.
            draw: A random number from 0 to 1, for the jitter.
            ttl: What the creation itself asked for, in seconds, instead of the policy.
        """
        if ttl is None:
            ttl = self.none_ttl if value is None and self.none_ttl is not None else self.ttl
        if ttl <= 0:
            return Ages(now, now, now)
        end = now + ttl * (1 - self.jitter * draw)
        return Ages(*slid(end, now, self.sliding or math.inf, self.grace), end)

    def asked_from(
        self, started: float, ages: Ages, now: float, *, took: float, draw: float
    ) -> float:
        """Return from when on a near value without far tier is asked for again though fresh.

        Args:
            started: When its creation started.
            ages: Its times.
            now: When it was ready.
            took: How many seconds its creation took.
            draw: A random number from 0 to 1.
        """
        if self.sliding is not None:
            return min(ages.fresh_until, now + self.sliding * RENEW_AFTER)
        fresh_until = ages.fresh_until
        return min(fresh_until, self.refresh_from(started, fresh_until, took, draw))

    def refresh_from(self, made: float, fresh_until: float, took: float, draw: float) -> float:
        """Return when a value should be made anew though it is fresh; infinite for never.

        Args:
            made: When its creation started.
            fresh_until: When it stops being fresh.
            took: How many seconds its creation took.
            draw: A random number from 0 to 1.
        """
        if self.refresh_at is None or math.isinf(fresh_until):
            return math.inf
        if self.refresh_at == "xfetch":
            return fresh_until + took * math.log(draw or 1e-9)
        return made + self.refresh_at * (fresh_until - made)


def slid(end: float, now: float, idle: float, grace: float) -> tuple[float, float]:
    """Return until when what was made or read at `now` is fresh, and until when stale.

    Args:
        end: When it ends in any case.
        now: The time.
        idle: How long it is fresh without being read.
        grace: How long it may be stale.
    """
    fresh_until = min(end, now + idle)
    # one object where there is no grace: a near entry then keeps one float less
    return fresh_until, fresh_until + grace if grace else fresh_until


def _end(option: str) -> Any:
    def check(value: Duration | None) -> float:
        return math.inf if value is None else seconds(value, option=option)

    return check


def _duration(option: str) -> Any:
    return lambda value: seconds(value, option=option)


def _optional(option: str) -> Any:
    return lambda value: None if value is None else seconds(value, option=option)


def _some(option: str) -> Any:
    def check(value: Duration | None) -> float | None:
        checked = None if value is None else seconds(value, option=option)
        if checked == 0:
            raise ConfigError(f"{option}=0: more than 0, or None for none")
        return checked

    return check


def _share(value: float) -> float:
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise ConfigError(f"jitter={value!r}: a share of the ttl, from 0 to 1")
    return float(value)


def _refresh_at(value: Any) -> float | str | None:
    if value is None or value == "xfetch":
        return None if value is None else "xfetch"
    if type(value) not in (int, float) or not 0 < value < 1:
        raise ConfigError(f"refresh_at={value!r}: a share of the ttl between 0 and 1, or 'xfetch'")
    return float(value)


def _tags(value: Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise ConfigError(f"tags={value!r}: give a list of tags, such as [{value!r}]")
    return tuple(value)


_CHECKS: dict[str, Any] = {
    "ttl": _end("ttl"),
    "grace": _duration("grace"),
    "refresh_at": _refresh_at,
    "jitter": _share,
    "soft_timeout": _optional("soft_timeout"),
    "hard_timeout": _some("hard_timeout"),
    "retry_after": _duration("retry_after"),
    "none_ttl": _optional("none_ttl"),
    "near_ttl": _optional("near_ttl"),
    "sliding": _some("sliding"),
    "tags": _tags,
}
