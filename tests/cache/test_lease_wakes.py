"""Who waits for another process's creation is woken by the bus, whenever the news comes."""

import threading
from collections.abc import Sequence

import pytest

from holdfast.cache import Cache, lease
from holdfast.store.bus import Listener
from holdfast.store.memory import MemoryStore


class Wire:
    """A bus that two caches share, in one process: it delivers at once."""

    name = "wire"

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
        self._rows = rows
        self.then = threading.Event()
        self.go_on = threading.Event()

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return self._rows.get_many(keys)

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        done = self._rows.swap(key, old, new, ttl)
        if key == "lv:k" and old is None and not done and not self.then.is_set():
            self.then.set()
            assert self.go_on.wait(60)
        return done


def test_news_that_come_before_the_wait_are_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_WOKEN", 100_000)  # who is not woken waits for minutes
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
