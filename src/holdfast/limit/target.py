"""From a key and its rates to the place in the store and the change made there.

Law: a place holds the algorithm, the normal form of the rates and the key, so two limits never
share one. A change is a pure function of what the store holds but for one thing: it reads the clock
each time it is called, because a swap loop may call it late.
"""

from collections.abc import Callable

from holdfast.clock import Clock
from holdfast.keys import join
from holdfast.limit.bucket import Bucket, bucket_of
from holdfast.limit.decision import Decision
from holdfast.limit.rate import parse_rates, rates_text
from holdfast.store.abilities import Change

__all__ = ["Target", "Targets"]

_KNOWN = 8192  # pairs of key and rates that are remembered
_SHORT = 256  # characters: a longer key may be what a client sent, to fill the memory with


Target = tuple[str, Change[Decision], Bucket]
"""The store key; the change of a hit of cost 1, which is nearly every one; what decides."""


class Targets(dict[tuple[str, str], Target]):
    """The `Target` of each pair of a key and its rates, found when it is asked for.

    It is remembered, so that a text is parsed once; now and then all are forgotten. Also makes the
    changes for targets.

    Args:
        algorithm: Its name, for the store key.
        prefix: What stands before all keys.
        clock: UTC seconds.
    """

    def __init__(self, algorithm: str, prefix: str, clock: Clock) -> None:
        super().__init__()
        self._algorithm = algorithm
        self._prefix = prefix
        self._clock = clock

    def of(self, key: str, rates: str) -> Target:
        """Return the target of a pair, whatever it is made of.

        Raises:
            TypeError: The key is no text.
            ConfigError: The rates are no rates.
        """
        try:
            return self[key, rates]
        except TypeError:  # a list cannot be looked up; what it should be is said where we look
            return self.__missing__((key, rates))

    def __missing__(self, asked: tuple[str, str]) -> Target:
        key, rates = asked
        if not isinstance(key, str):
            raise TypeError(f"key={key!r}: a key is text")
        parsed = parse_rates(rates)
        normal = rates_text(parsed)
        bucket = bucket_of(parsed)
        # Neither algorithm nor rates have a colon in them, so no key can imitate another limit.
        where = join(self._prefix, "l", f"{self._algorithm}:{normal}:{key}")
        target = where, self.hit(bucket, 1), bucket
        if len(key) <= _SHORT:
            if len(self) >= _KNOWN:
                self.clear()
            self[asked] = target
        return target

    def hit(self, bucket: Bucket, cost: int) -> Change[Decision]:
        """Return the change that charges `cost`."""
        _check(cost, bucket)
        return bucket.charging(self._clock, cost)

    def refund(self, bucket: Bucket, cost: int) -> Change[Decision]:
        """Return the change that gives `cost` back."""
        _check(cost, bucket)
        refund, clock = bucket.refund, self._clock
        return lambda record: refund(record, clock(), cost)

    def look(self, bucket: Bucket, cost: int) -> Callable[[bytes | None], Decision]:
        """Return what tells whether `cost` would be allowed."""
        _check(cost, bucket)
        look, clock = bucket.look, self._clock
        return lambda record: look(record, clock(), cost)


def _check(cost: object, bucket: Bucket) -> None:
    if not isinstance(cost, int) or not 0 <= cost <= bucket.most:
        raise ValueError(
            f"cost={cost!r}: a whole number from 0 to {bucket.most}, the lowest of the limits"
        )
