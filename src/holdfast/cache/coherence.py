"""Coherence: what this process does when it hears that another one changed something.

Law: a change that is heard drops near values and the placeholders of those who are about to fill
them, and wakes who waits for another process's creation. Near values may live longer than
`NEAR_TTL` only while the bus promises to miss nothing; when it cannot, all of them go at once.
"""

import threading
from collections.abc import Iterable, Sequence

from holdfast.cache.near import Near
from holdfast.cache.space import EVERYTHING, Item, Space
from holdfast.events import Observer
from holdfast.keys import is_hash, join
from holdfast.locks import Flights
from holdfast.store.bus import Bus

__all__ = ["NEAR_TTL", "Coherence"]

NEAR_TTL = 5.0
"""Seconds a near value may be served where nobody tells this process what another one changed."""
_FEWEST = 20_000


class Coherence:
    """Listens to a bus for one cache.

    Args:
        prefix: What stands before all keys of the cache.
        near: Its near tier.
        observer: Told `cache.bus_ready` and `cache.bus_lost`.
        bus: None where nobody tells anything.

    Attributes:
        is_whole: Whether no change is missed now.
        wakes: Who is woken when a far key changes: flights by far key.
    """

    def __init__(self, prefix: str, near: Near, observer: Observer, bus: Bus | None) -> None:
        self.bus = bus
        self.is_whole = False
        self.wakes = Flights()
        self._prefix = prefix
        self._head = f"{prefix}:" if prefix else ""
        self._near = near
        self._observer = observer
        self._closed = False
        self._begin = threading.Lock()  # never given back: there is one beginning
        self._root = Space(prefix)
        self._hashed: dict[str, str] = {}  # store keys that do not tell what they are of

    @property
    def name(self) -> str:
        """What keeps the processes together now; empty if nothing does."""
        return self.bus.name if self.bus is not None and self.is_whole else ""

    def begin(self) -> None:
        """Listen, from the first use on; returns at once."""
        if self.bus is not None and self._begin.acquire(blocking=False):
            try:
                self.bus.listen([f"{self._head}{kind}:" for kind in ("v", "vn", "t", "n")], self)
            except RuntimeError:
                if not self._closed:  # else there is nobody who wants to hear any more
                    raise

    def meet(self, items: Iterable[Item]) -> None:
        """Take note of items about to be read, before they are: some have keys that are hashes."""
        if self.bus is None:
            return
        for item in items:
            if is_hash(item.far.rpartition(":")[2]):
                self._learn(item.far, item.near)
            self.meet_labels(item.labels)

    def meet_labels(self, labels: Iterable[str]) -> None:
        """The same for labels, before their stamps are read."""
        if self.bus is None:
            return
        for label in labels:
            kind, _, name = label.partition(":")
            key = join(self._prefix, kind, name)
            if is_hash(key.rpartition(":")[2]):
                self._learn(key, label)

    def _learn(self, key: str, name: str) -> None:
        most = max(_FEWEST, 2 * self._near.max_entries)
        if len(self._hashed) >= most and key not in self._hashed:
            self._hashed.clear()
            self._near.clear()  # what stands there could no longer be found
        self._hashed[key] = name

    def changed(self, keys: Sequence[str]) -> None:
        """See `Listener.changed`."""
        values: list[str] = []
        labels: list[str] = []
        for key in keys:
            kind, _, name = key.removeprefix(self._head).partition(":")
            if kind in ("v", "vn"):
                values.append(self._near_key(key, kind, name))
            elif kind in ("t", "n"):
                labels.append(self._hashed.get(key) or f"{kind}:{name}")
        self._near.drop(values)
        if EVERYTHING in labels:
            self._near.clear()
        else:
            self._near.drop_labels(labels)
        for key in keys:
            self.wakes.wake(key)

    def _near_key(self, key: str, kind: str, name: str) -> str:
        known = self._hashed.get(key)
        if known is not None:
            return known
        if kind == "v":
            return self._root.near(name)
        path, _, name = name.partition(":")
        return f"\0{path}\0{name}"

    def lost(self) -> None:
        """See `Listener.lost`."""
        self.is_whole = False
        self._near.clear()
        self._observer("cache.bus_lost", {"bus": self.bus.name if self.bus else ""})

    def ready(self) -> None:
        """See `Listener.ready`."""
        self._near.clear()  # what was read before may have changed unheard
        self.is_whole = True
        self._observer("cache.bus_ready", {"bus": self.name})

    def wrote(self, key: str, value: bytes) -> None:
        """Announce a write, before it is done."""
        if self.bus is not None:
            self.bus.wrote(key, value)

    def publish(self, keys: Sequence[str]) -> None:
        """Tell of writes, after they were done or may have been."""
        if self.bus is not None:
            self.bus.publish(keys)

    def close(self) -> None:
        """Listen no more."""
        if self.bus is not None:
            self._closed = True
            self.bus.close()
            self.is_whole = False
            self._near.clear()  # some was to live as long as it is fresh
