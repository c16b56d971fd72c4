"""SIEVE, as Zhang et al. have it (NSDI 2024): a queue, and a hand that spares what was asked again.

Law: no entry moves in the queue. The hand goes from the oldest to the newest and begins anew.
"""

__all__ = ["Sieve"]


class _Place:
    """A place in the queue."""

    __slots__ = ("key", "newer", "older", "visited")

    def __init__(self, key: str, older: "_Place | None") -> None:
        self.key, self.older, self.visited = key, older, False
        self.newer: _Place | None = None


class Sieve:
    """Keys without values, for counting hits; room for `room` of them."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._places: dict[str, _Place] = {}
        self._newest: _Place | None = None
        self._oldest: _Place | None = None
        self._hand: _Place | None = None

    def ask(self, key: str) -> bool:
        """Return whether `key` is there; keep it if not."""
        place = self._places.get(key)
        if place is not None:
            place.visited = True
            return True
        if len(self._places) >= self._room:
            self._evict()
        self._places[key] = place = _Place(key, self._newest)
        if self._newest:
            self._newest.newer = place
        self._newest, self._oldest = place, self._oldest or place
        return False

    def _evict(self) -> None:
        place = self._hand or self._oldest
        while place is not None and place.visited:
            place.visited = False
            place = place.newer or self._oldest
        assert place is not None, "no room at all"
        self._hand = place.newer
        if place.newer:
            place.newer.older = place.older
        else:
            self._newest = place.older
        if place.older:
            place.older.newer = place.newer
        else:
            self._oldest = place.newer
        del self._places[place.key]
