"""News of a bus: whom they wake, and what they can never tell of."""

import threading
from collections.abc import Sequence

import pytest

from holdfast.cache import Cache, lease
from holdfast.cache.coherence import NEAR_TTL
from holdfast.store.bus import Listener
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock
from holdfast.testing.faults import FaultyStore


class Wire:
    """A bus that two caches share, in one process: it delivers at once."""

    name = "wire"
    speaks = True

    def __init__(self, listeners: list[Listener]) -> None:
        self._listeners = listeners
        self._mine: Listener | None = None

    def listen(self, prefixes: Sequence[str], listener: Listener) -> None:
        assert prefixes
        self._mine = listener
        self._listeners.append(listener)
        listener.ready()

    def wrote(self, key: str, value: bytes) -> None: ...

    def publish(self, keys: Sequence[str]) -> None:
        for listener in self._listeners:
            if listener is not self._mine:
                listener.changed(keys)

    def close(self) -> None: ...


class Refused(MemoryStore):
    """Calls `then` when a lease was refused, before the answer is back."""

    def __init__(self, rows: MemoryStore) -> None:
        super().__init__()
        self._shared = rows
        self.then = threading.Event()
        self.go_on = threading.Event()

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return self._shared.get_many(keys)

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        done = self._shared.swap(key, old, new, ttl)
        if key == "lv:k" and old is None and not done and not self.then.is_set():
            self.then.set()
            assert self.go_on.wait(60)
        return done


def test_news_that_come_before_the_wait_are_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_WOKEN", 100_000)  # who is not woken waits for minutes
    monkeypatch.setattr(lease, "_DEAF", 1000)
    rows, listeners = MemoryStore(), list[Listener]()
    slow = Refused(rows)
    creating, ready = threading.Event(), threading.Event()

    def create() -> str:
        creating.set()
        assert ready.wait(60)
        return "made"

    answers: list[str] = []
    with Cache(rows, bus=Wire(listeners)) as one, Cache(slow, bus=Wire(listeners)) as other:
        creator = threading.Thread(target=lambda: one.get_or_create("k", create))
        creator.start()
        assert creating.wait(60)
        waiter = threading.Thread(
            target=lambda: answers.append(other.get_or_create("k", lambda: "another"))
        )
        waiter.start()
        assert slow.then.wait(60)
        ready.set()
        creator.join(60)
        slow.go_on.set()
        waiter.join(60)
    assert answers == ["made"]


def test_what_the_far_tier_never_had_is_near_for_a_while_only() -> None:
    clock, versions = ManualClock(), iter(range(1, 10))
    store = FaultyStore(MemoryStore(clock=clock), clock=clock)
    with Cache(store, bus=Wire([]), clock=clock, ttl=1000) as cache:
        with store.fail():
            assert cache.get_or_create("k", lambda: next(versions)) == 1
        assert cache.stats().bus == "wire"
        assert cache.get("k") == 1
        clock.advance(NEAR_TTL)  # another process deletes it: nothing is there, nothing is told
        assert cache.get_or_create("k", lambda: next(versions)) == 2
