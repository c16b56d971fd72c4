"""The gate: where processes wait for each other, so that all of them begin at the same moment."""

import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["Gate"]

_PATIENCE = 90.0


class Gate:
    """One gate.

    Args:
        folder: What all of them share.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._word = folder / "go"

    def open(self, people: int, seconds: float) -> float:
        """Wait until so many stand there, and let them go; tell them, and return, a moment.

        Args:
            people: How many.
            seconds: From now to that moment, by the monotonic clock.
        """
        _wait_for(lambda: len([*self._folder.glob("*.ready")]) >= people, "they do not come up")
        moment = time.monotonic() + seconds
        draft = self._folder / "draft-go"
        draft.write_text(str(moment))
        draft.replace(self._word)
        return moment

    def wait(self, name: str) -> float:
        """Stand there, under a name of one's own, until it opens; return the moment."""
        (self._folder / f"{name}.ready").touch()
        _wait_for(self._word.exists, "nobody opens the gate")
        return float(self._word.read_text())


def _wait_for(holds: Callable[[], bool], complaint: str) -> None:
    until = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < until, complaint
        time.sleep(0.01)
