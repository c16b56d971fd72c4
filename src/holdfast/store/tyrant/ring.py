"""Which server has a key: consistent hashing over several servers.

Law: pure, and the same in every process: only the servers' names count, not their order. A server
more or less moves only its share of the keys.
"""

import bisect
from collections.abc import Sequence
from hashlib import blake2b

__all__ = ["Ring"]

_POINTS = 160  # on the ring for each server: its share is then even to about a tenth


class Ring:
    """The servers on a ring.

    Args:
        names: What each server is called, such as `host:1978`.
    """

    def __init__(self, names: Sequence[str]) -> None:
        points = sorted(
            (_place(f"{name}#{number}"), index)
            for index, name in enumerate(names)
            for number in range(_POINTS)
        )
        self._alone = len(names) == 1
        self._places = [place for place, _ in points]
        self._owners = [index for _, index in points]

    def server_of(self, key: str) -> int:
        """Return the index of the server that has `key`."""
        if self._alone:
            return 0
        found = bisect.bisect(self._places, _place(key))
        return self._owners[found % len(self._owners)]


def _place(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=8).digest()
