"""Clocks: functions that tell the time in seconds, handed in by the caller.

Law: nobody below the facades asks the time by himself; a test hands in a clock of its own.
"""

import time
from collections.abc import Callable

__all__ = ["Clock", "monotonic", "wall"]

Clock = Callable[[], float]

wall: Clock = time.time
"""UTC POSIX seconds: the ages of sessions and entries, which other processes must understand."""

monotonic: Clock = time.monotonic
"""Seconds that never go back: waits and deadlines inside one process."""
