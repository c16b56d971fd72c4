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


class Bucket:
    """The decisions for one set of rates.

    Args:
        rates: As `parse_rates` returns them.

    Attributes:
        most: The highest cost that can ever be allowed.
    """

    __slots__ = ("_absurd", "_record", "most", "rates")

    def __init__(self, rates: tuple[Rate, ...]) -> None:
        self.rates = rates
        self.most = min(rate.limit for rate in rates)
        self._absurd = [limit * (period + max(period, _SKEW)) for limit, period in rates]
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
        return self._write(
            [level + cost * period for level, (_, period) in zip(levels, self.rates, strict=True)],
            now,
        )

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
            max(0.0, level - cost * period)
            for level, (_, period) in zip(self._levels(record, now), self.rates, strict=True)
        ]
        if not any(levels):
            return None, None, self._decision(levels, self._waits(levels, 0))
        return self._write(levels, now)

    def _levels(self, record: bytes | None, now: float) -> list[float]:
        """Return how full each bucket is at `now`; a record that cannot be ours is empty."""
        if record is None or len(record) != self._record.size:
            return [0.0] * len(self.rates)
        at, *stored = self._record.unpack(record)
        passed = now - at
        drained = [
            level - limit * passed for level, (limit, _) in zip(stored, self.rates, strict=True)
        ]
        return [
            level if 0.0 < level <= absurd else 0.0
            for level, absurd in zip(drained, self._absurd, strict=True)
        ]

    def _waits(self, levels: list[float], cost: int) -> list[float]:
        """Return in how many seconds `cost` fits into each bucket; 0 where it does now."""
        return [
            max(0.0, (level + cost * period - limit * period) / limit) if cost else 0.0
            for level, (limit, period) in zip(levels, self.rates, strict=True)
        ]

    def _write(self, levels: list[float], now: float) -> Written:
        decision = self._decision(levels, [0.0] * len(levels))
        ttl = max(state.reset_after for state in decision.rates) + _LONGER
        return self._record.pack(now, *levels), ttl, decision

    def _decision(self, levels: list[float], waits: list[float]) -> Decision:
        states = tuple(
            RateState(
                limit,
                float(period),
                max(0, int((limit * period - level) / period)),
                level / limit,
            )
            for level, (limit, period) in zip(levels, self.rates, strict=True)
        )
        wait = max(waits)
        worst = (
            states[waits.index(wait)]
            if wait
            else min(states, key=lambda state: (state.remaining, -state.reset_after))
        )
        return Decision(
            allowed=not wait,
            limit=worst.limit,
            remaining=worst.remaining,
            retry_after=wait + _MARGIN if wait else 0.0,
            reset_after=worst.reset_after,
            period=worst.period,
            several=states if len(states) > 1 else (),
        )


class SingleBucket(Bucket):
    """The same for a single rate, which most limits are, and which is asked at each request.

    Its `charging` is the general one written out flat; a test holds the two against each other.
    """

    __slots__ = ()

    def charging(self, clock: Clock, cost: int) -> Change[Decision]:
        """See `Bucket.charging`."""
        if not cost:
            return super().charging(clock, cost)
        ((limit, whole),) = self.rates
        pack, unpack, hit = self._record.pack, self._record.unpack, self.hit
        rate, period, price = float(limit), float(whole), float(cost * whole)
        room = rate * period - price

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
                elif not level <= room:  # full, absurd, or no number
                    return hit(record, now, cost)
            remaining = int((room - level) / period)
            level += price
            reset = level / rate
            # tuple.__new__ takes half the time of a NamedTuple's own
            decision = _new(Decision, (True, limit, remaining, 0.0, reset, period, (), False))
            return pack(now, level), reset + _LONGER, decision

        return change


def bucket_of(rates: tuple[Rate, ...]) -> Bucket:
    """Return what decides for `rates`."""
    return SingleBucket(rates) if len(rates) == 1 else Bucket(rates)
