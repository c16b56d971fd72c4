"""A clock that stands still until a test moves it."""

__all__ = ["ManualClock"]


class ManualClock:
    """A `Clock` for tests: tells `now`, in seconds, until it is moved.

    Args:
        now: The time it starts at.
    """

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`."""
        self.now += seconds
