"""The answer to one hit.

Law: plain data. Every time is in seconds from now, as a float; every count is a whole number of
hits. A decision is no truth value: whoever asks `if decision:` is told to say what he means.
"""

from typing import NamedTuple, NoReturn

__all__ = ["Decision", "RateState"]


class RateState(NamedTuple):
    """How one of the rates stands after the decision.

    Attributes:
        limit: Hits that fit at once.
        period: Seconds in which `limit` hits are given back.
        remaining: Hits of cost 1 that this rate would still allow now.
        reset_after: Seconds until all of `limit` is there again, if nobody hits meanwhile.
    """

    limit: int
    period: float
    remaining: int
    reset_after: float


class Decision(NamedTuple):
    """Whether a hit may pass. The figures are those of the rate that restricts most.

    Attributes:
        allowed: Whether it may pass. It has been charged then, in every rate; else in none.
        limit: Hits that fit at once.
        remaining: Hits of cost 1 that would still be allowed now.
        retry_after: Seconds until the same hit would be allowed; 0.0 when it was.
        reset_after: Seconds until all of `limit` is there again.
        period: Seconds in which `limit` hits are given back.
        several: How each rate stands, if there is more than one; `rates` says it for one as well.
        degraded: The store could not be asked, and `on_error` decided; the figures are no measure.
    """

    allowed: bool
    limit: int
    remaining: int
    retry_after: float
    reset_after: float
    period: float
    several: tuple[RateState, ...] = ()
    degraded: bool = False

    @property
    def rates(self) -> tuple[RateState, ...]:
        """How each rate stands, shortest period first."""
        one = RateState(self.limit, self.period, self.remaining, self.reset_after)
        return self.several or (one,)

    def __bool__(self) -> NoReturn:
        raise TypeError("a Decision is neither true nor false: ask decision.allowed")
