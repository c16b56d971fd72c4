"""Session policy: when a session is over, and when it must be written or rotated.

Law: pure. No clock reads, no I/O; every time is a UTC float in seconds, given by the caller.
"""

import math
from dataclasses import dataclass

from holdfast.durations import Duration, seconds
from holdfast.errors import ConfigError
from holdfast.session.data import Record

__all__ = ["LONGEST", "SKEW", "Times", "times_from"]

LONGEST = 400 * 24 * 3600.0
"""Seconds; no browser keeps a cookie for longer (RFC 6265bis, 5.6.2)."""

SKEW = 60.0
"""Seconds by which the clocks of two of our servers may differ."""

_TOUCH_SHARE = 10  # `seen` may lag behind by a tenth of the idle timeout at most
_LEAST_GRACE = 10.0  # the requests of one page must get through while its session is rotated


@dataclass(frozen=True, slots=True)
class Times:
    """How long sessions live, all in seconds.

    Attributes:
        idle_timeout: Since the last use.
        lifetime: Since birth; nothing but a new login moves it.
        touch_every: How much `seen` may lag behind, so that reading does not write each time.
        forward_note: How long a late commit is led from a rotated record to its successor.
        rotate_every: Since the last rotation; then the next request gets a new token.
        rotate_grace: How long the old token still reads after that.
        remember_up_to: The longest lifetime of its own a session may be given; 0: none.
    """

    idle_timeout: float
    lifetime: float
    touch_every: float
    forward_note: float
    rotate_every: float = math.inf
    rotate_grace: float = 0.0
    remember_up_to: float = LONGEST

    @property
    def note_ttl(self) -> float:
        """How long a forward note must stand."""
        return max(self.forward_note, self.rotate_grace)

    def is_over(self, record: Record, now: float) -> bool:
        """Return whether a session may no longer be used at `now`.

        `touch_every` is added because `seen` may lag by that much: nobody is out too early. One
        that is remembered knows no idle time.
        """
        own = record.lifetime if "lifetime" in record.reserved else None
        if own is not None:
            return now - record.created >= own
        idle = now - record.seen >= self.idle_timeout + self.touch_every
        return idle or now - record.created >= self.lifetime

    def must_touch(self, record: Record, now: float) -> bool:
        """Return whether `seen` lags behind so far that it must be written."""
        return now - record.seen >= self.touch_every

    def must_rotate(self, record: Record, now: float) -> bool:
        """Return whether the session has had its token for too long."""
        return self.rotate_every < math.inf and now - record.rotated >= self.rotate_every

    def is_due(self, record: Record, now: float) -> bool:
        """Return whether a session is written though it was only read."""
        return self.must_touch(record, now) or self.must_rotate(record, now)

    def left(self, record: Record, now: float) -> float:
        """Return how long a session may live after `now`, however much it is used."""
        own = record.lifetime if "lifetime" in record.reserved else None
        return record.created + (self.lifetime if own is None else own) - now

    def ttl(self, record: Record) -> float:
        """Return how long the store must keep a record from its `seen` on."""
        if "lifetime" in record.reserved and record.lifetime is not None:
            return self.left(record, record.seen)
        idle = self.idle_timeout + self.touch_every
        left = record.created + self.lifetime - record.seen
        return idle if idle < left else left  # noqa: FURB136 - a third of what min() takes

    def expires(self, record: Record) -> float:
        """Return when a session is over if it is not used again after its `seen`."""
        end = record.seen + self.left(record, record.seen)
        return end if record.lifetime is not None else min(record.seen + self.idle_timeout, end)


def times_from(
    idle_timeout: Duration,
    lifetime: Duration,
    *,
    touch_every: Duration,
    forward_note: Duration = 60,
    rotate_every: Duration | None = None,
    rotate_grace: Duration | None = None,
    remember_up_to: Duration = LONGEST,
) -> Times:
    """Return the times a user asked for.

    Raises:
        ConfigError: One is no duration, or is zero where that makes no sense.
    """
    idle = seconds(idle_timeout, option="idle_timeout")
    life = seconds(lifetime, option="lifetime")
    note = seconds(forward_note, option="forward_note")
    every = math.inf if rotate_every is None else seconds(rotate_every, option="rotate_every")
    options = {"idle_timeout": idle, "lifetime": life, "forward_note": note, "rotate_every": every}
    for option, value in options.items():
        if value == 0:
            raise ConfigError(f"{option}=0: no session would outlive its request")
    longest = seconds(remember_up_to, option="remember_up_to")
    if longest > LONGEST:
        raise ConfigError(f"remember_up_to={remember_up_to!r}: browsers keep nothing for over 400d")
    return Times(
        idle_timeout=idle,
        lifetime=life,
        touch_every=min(seconds(touch_every, option="touch_every"), idle / _TOUCH_SHARE),
        forward_note=note,
        rotate_every=every,
        rotate_grace=_grace(rotate_every, rotate_grace),
        remember_up_to=longest,
    )


def _grace(rotate_every: Duration | None, rotate_grace: Duration | None) -> float:
    if rotate_every is None:
        if rotate_grace is not None:
            raise ConfigError("rotate_grace: rotate_every has one; rotate() and login() have none")
        return 0.0
    if rotate_grace is None:
        return _LEAST_GRACE
    grace = seconds(rotate_grace, option="rotate_grace")
    if grace < _LEAST_GRACE:
        raise ConfigError(f"rotate_grace={grace:g}: at least {_LEAST_GRACE:g} s with rotate_every")
    return grace
