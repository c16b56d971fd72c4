"""Polling: waiting for a lock that lies on a server.

Law: asks often at first, then every fifth of a second, as long as the caller wants to wait.
"""

import time
from collections.abc import Callable

__all__ = ["poll"]

_FIRST, _LONGEST = 0.005, 0.2  # seconds


def poll(attempt: Callable[[], bool], wait: bool) -> bool:
    """Return whether `attempt` was successful; with `wait`, repeat it until it is."""
    pause = _FIRST
    while not attempt():
        if not wait:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST)
    return True
