"""GCRA: each hit fills a bucket that drains steadily, and what does not fit is refused.

Law: pure, no I/O, no time but the caller's. `limit` per `period` seconds is a bucket of
`limit * period` units, which a hit fills by `period` and a second drains by `limit`: no division
stands in a decision, so nothing is rounded until a bucket has more than two billion units, and then
by less than a millionth of a hit. All rates are charged or none; what is refused writes
nothing. Whatever the clocks do, nobody is shut out for long.

The record: little-endian doubles, first the UTC time of the last change in seconds, then how full
each bucket was at that time, in the order of the normal form.
"""

import struct
from typing import NamedTuple

from holdfast.clock import Clock
from holdfast.limit.decision import Decision, RateState
from holdfast.limit.rate import Rate
from holdfast.store.abilities import Change

__all__ = ["Bucket", "SingleBucket", "Written", "bucket_of"]

Written = tuple[bytes | None, float | None, Decision]
"""What to write (the very same object: nothing; None: remove), its ttl in seconds, the answer."""

# All in seconds.
_SKEW = 60.0  # hosts differ by seconds; a record from further ahead: our clock was set back
_MARGIN = 1e-6  # a double that holds the time of today is no finer than a quarter of it
_LONGER = 1.0  # a record that outlives its hits does no harm, the opposite does
_new = tuple.__new__


class _Size(NamedTuple):
    """A bucket: drains `limit` a second, gets `period` a hit, is `full`; nobody writes `absurd`."""

    limit: float
    period: float
    full: float
    absurd: float


def _size(rate: Rate) -> _Size:
    limit, period = map(float, rate)
    return _Size(limit, period, limit * period, limit * (period + max(period, _SKEW)))


class Bucket:
    """The decisions for one set of rates.

    Args:
        rates: As `parse_rates` returns them.

    Attributes:
        most: The highest cost that can ever be allowed.
    """

    __slots__ = ("_record", "_sizes", "most", "rates")

    def __init__(self, rates: tuple[Rate, ...]) -> None:
        self.rates = rates
        self.most = min(rate.limit for rate in rates)
        self._sizes = [_size(rate) for rate in rates]
        self._record = struct.Struct(f"<{1 + len(rates)}d")

    def hit(self, record: bytes | None, now: float, cost: int = 1) -> Written:
        """Charge `cost` to all rates if it fits into all of them.

        Args:
            record: What the store holds.
            now: UTC seconds.
            cost: 0 to `most`; 0 is always allowed and changes nothing.
        """
        levels = self._levels(record, now)
        waits = self._waits(levels, cost)
        if not cost or any(waits):
            return record, None, self._decision(levels, waits)
        pairs = zip(levels, self._sizes, strict=True)
        return self._write([level + cost * size.period for level, size in pairs], now)

    def charging(self, clock: Clock, cost: int) -> Change[Decision]:
        """Return `hit` as a change of what a store holds; it reads `clock` whenever it is called.

        Args:
            clock: UTC seconds.
            cost: 0 to `most`.
        """
        return lambda record: self.hit(record, clock(), cost)

    def look(self, record: bytes | None, now: float, cost: int = 1) -> Decision:
        """Return how things stand, and whether a hit of `cost` would be allowed."""
        levels = self._levels(record, now)
        return self._decision(levels, self._waits(levels, cost))

    def refund(self, record: bytes | None, now: float, cost: int = 1) -> Written:
        """Give `cost` back to all rates; no bucket gets emptier than empty."""
        levels = [
            max(0.0, level - cost * size.period)
            for level, size in zip(self._levels(record, now), self._sizes, strict=True)
        ]
        if not any(levels):
            return None, None, self._decision(levels, self._waits(levels, 0))
        return self._write(levels, now)

    def _levels(self, record: bytes | None, now: float) -> list[float]:
        """Return how full each bucket is at `now`; a record that cannot be ours is empty."""
        if record is None or len(record) != self._record.size:
            return [0.0] * len(self._sizes)
        at, *stored = self._record.unpack(record)
        passed = now - at
        levels = []
        for level, (limit, _, _, absurd) in zip(stored, self._sizes, strict=True):
            left = level - limit * passed
            levels.append(left if 0.0 < left <= absurd else 0.0)
        return levels

    def _waits(self, levels: list[float], cost: int) -> list[float]:
        """Return in how many seconds `cost` fits into each bucket; 0 where it does now."""
        waits = []
        for level, (limit, period, full, _) in zip(levels, self._sizes, strict=True):
            over = level + cost * period - full
            waits.append(over / limit if over > 0.0 and cost else 0.0)
        return waits

    def _write(self, levels: list[float], now: float) -> Written:
        decision = self._decision(levels, [0.0] * len(levels))
        ttl = max([state[3] for state in decision.rates]) + _LONGER
        return self._record.pack(now, *levels), ttl, decision

    def _decision(self, levels: list[float], waits: list[float]) -> Decision:
        wait = max(waits)
        states, ranks = [], []
        for number, level in enumerate(levels):
            limit, period, full, _ = self._sizes[number]
            remaining = int((full - level) / period) if level < full else 0
            reset = level / limit
            states.append(_new(RateState, (int(limit), period, remaining, reset)))
            # what restricts most: the longest wait; if nothing waits, the least that remains
            ranks.append((-waits[number], remaining, -reset, number))
        first = states[min(ranks)[3]]
        figures = (not wait, first[0], first[2], wait and wait + _MARGIN, first[3], first[1])
        return _new(Decision, (*figures, tuple(states) if len(states) > 1 else (), False))


class SingleBucket(Bucket):
    """The same for a single rate, which most limits are, and which is asked at each request.

    Its `charging` is the general one written out flat; a test holds the two against each other.
    """

    __slots__ = ()

    def charging(self, clock: Clock, cost: int) -> Change[Decision]:
        """See `Bucket.charging`."""
        if not cost:
            return super().charging(clock, cost)
        ((limit, _),) = self.rates
        ((rate, period, full, absurd),) = self._sizes
        pack, unpack, hit = self._record.pack, self._record.unpack, self.hit
        price = cost * period
        room = full - price

        def change(record: bytes | None) -> Written:
            now = clock()
            level = 0.0
            if record is not None:
                try:
                    at, level = unpack(record)
                except struct.error:
                    return hit(record, now, cost)
                level -= rate * (now - at)
                if level < 0.0:
                    level = 0.0
                elif not level <= room:
                    if not level <= absurd:  # or no number at all
                        return hit(record, now, cost)
                    remaining = int((full - level) / period) if level < full else 0
                    wait = (level - room) / rate + _MARGIN
                    figures = (False, limit, remaining, wait, level / rate, period, (), False)
                    return record, None, _new(Decision, figures)
            remaining = int((room - level) / period)
            level += price
            reset = level / rate
            # tuple.__new__ takes half the time of a NamedTuple's own
            figures = (True, limit, remaining, 0.0, reset, period, (), False)
            return pack(now, level), reset + _LONGER, _new(Decision, figures)

        return change


def bucket_of(rates: tuple[Rate, ...]) -> Bucket:
    """Return what decides for `rates`."""
    return SingleBucket(rates) if len(rates) == 1 else Bucket(rates)
