"""Pages that could not be stored lately: requests for them need not wait for each other.

Law: bounded, takes no lock, forgets by itself. What it forgets too early costs one wait.
"""

import contextlib

__all__ = ["Passing"]

_MOST = 10_000


class Passing:
    """Names, each until a time."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def knows(self, name: str, now: float) -> bool:
        """Return whether `name` is here at `now`."""
        return self._until.get(name, now) > now

    def add(self, name: str, until: float) -> None:
        """Remember `name` until then; the oldest goes where they are too many."""
        self._until.pop(name, None)
        self._until[name] = until
        while len(self._until) > _MOST:
            with contextlib.suppress(StopIteration, RuntimeError, KeyError):  # others do the same
                del self._until[next(iter(self._until))]

    def discard(self, name: str) -> None:
        """Forget `name`."""
        self._until.pop(name, None)
