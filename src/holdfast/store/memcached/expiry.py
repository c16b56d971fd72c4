"""Expiry: how a ttl in fractions of a second is kept by a server that counts whole ones.

Law: pure. memcached's clock ticks once a second, so that a row given N seconds lives N - 1 to N. A
ttl of up to five minutes is given some seconds more than it has, and the exact end stands in the
upper half of the row's flags: in hundredths of a second, in a circle of eleven minutes. Readers
take a row for expired from its end until the server must have removed it. So hosts whose clocks
disagree by more than that cannot lose rows: the server's whole seconds count then. The lower half
of the flags stays zero, because other clients keep the type of a value there, and the value stays
plain. A longer ttl is rounded down to whole seconds.
"""

import math

__all__ = ["REMOVED", "is_over", "mark"]

REMOVED = (0, -1)
"""Flags and exptime of a row that is gone as soon as it is written."""

_EXACT = 300.0  # seconds up to which a ttl keeps its fractions
_AFTER = 2  # seconds such a row is given more: a tick lost at each end
_CIRCLE = 0xFFFF  # hundredths; 0 in the flags stands for no exact end
_OVER = 600  # hundredths after its end in which a row may still be there
_LONGEST = 30 * 24 * 3600  # seconds; a larger number is a time of day to the server
_LAST = 2**31 - 1  # the last second a server can be told


def mark(ttl: float | None, now: float) -> tuple[int, int]:
    """Return flags and exptime of a row that is written at `now`; `ttl` is above 0."""
    if ttl is None:
        return 0, 0
    if ttl <= _EXACT:
        return _hundredths(now + ttl) + 1 << 16, math.ceil(ttl) + _AFTER
    if ttl <= _LONGEST:
        return 0, int(ttl)
    return 0, int(now + ttl) if now + ttl <= _LAST else 0


def is_over(flags: int, now: float) -> bool:
    """Return whether a row has reached its exact end, though its server still has it."""
    end, others = divmod(flags, 1 << 16)
    return end > 0 and others == 0 and (_hundredths(now) - (end - 1)) % _CIRCLE < _OVER


def _hundredths(time: float) -> int:
    return math.floor(time * 100) % _CIRCLE
