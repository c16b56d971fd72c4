"""Session policy: when a session is over, and when it must be written again.

Law: pure. No clock reads, no I/O; every time is a UTC float in seconds, given by the caller.
"""

from dataclasses import dataclass

from holdfast.durations import Duration, seconds
from holdfast.errors import ConfigError

__all__ = ["Times", "times_from"]

_TOUCH_SHARE = 10  # `seen` may lag behind by a tenth of the idle timeout at most


@dataclass(frozen=True, slots=True)
class Times:
    """How long sessions live, all in seconds.

    Attributes:
        idle_timeout: Since the last use.
        lifetime: Since birth; nothing but a new login moves it.
        touch_every: How much `seen` may lag behind, so that reading does not write each time.
        forward_note: How long a late commit is led from a rotated record to its successor.
    """

    idle_timeout: float
    lifetime: float
    touch_every: float
    forward_note: float

    def is_over(self, created: float, seen: float, now: float) -> bool:
        """Return whether a session may no longer be used at `now`.

        `touch_every` is added because `seen` may lag by that much: nobody is out too early.
        """
        return now - seen >= self.idle_timeout + self.touch_every or now - created >= self.lifetime

    def must_touch(self, seen: float, now: float) -> bool:
        """Return whether `seen` lags behind so far that it must be written."""
        return now - seen >= self.touch_every

    def ttl(self, created: float, now: float) -> float:
        """Return how long the store must keep a record written at `now`."""
        idle, left = self.idle_timeout + self.touch_every, created + self.lifetime - now
        return idle if idle < left else left  # noqa: FURB136 - a third of what min() takes

    def expires(self, created: float, seen: float) -> float:
        """Return when a session is over if it is not used again after `seen`."""
        return min(seen + self.idle_timeout, created + self.lifetime)


def times_from(
    idle_timeout: Duration, lifetime: Duration, *, touch_every: Duration, forward_note: Duration
) -> Times:
    """Return the times a user asked for.

    Raises:
        ConfigError: One is no duration, or is zero where that makes no sense.
    """
    idle = seconds(idle_timeout, option="idle_timeout")
    life = seconds(lifetime, option="lifetime")
    note = seconds(forward_note, option="forward_note")
    for option, value in (("idle_timeout", idle), ("lifetime", life), ("forward_note", note)):
        if value == 0:
            raise ConfigError(f"{option}=0: no session would outlive its request")
    touch = min(seconds(touch_every, option="touch_every"), idle / _TOUCH_SHARE)
    return Times(idle_timeout=idle, lifetime=life, touch_every=touch, forward_note=note)
