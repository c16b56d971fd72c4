"""Wrappers pass a bus on: with their keys, their bytes, and nobody kept alive."""

import gc
import weakref
from collections.abc import Callable, Iterator, Sequence

import pytest
from bus_suite import LATE, Hears, Party, value
from face import until
from insides import Plain

from holdfast import open_store
from holdfast.store.abilities import CanPublish
from holdfast.store.bus import Bus, Listener
from holdfast.store.protocol import OpenStore
from holdfast.store.wrap import Metered, Prefixed, ReadOnly, Retrying, Sealed
from servers.redis import RedisServer

SECRET = "0b8a5c1f-9d27-4e63-a1f4-77c3be2d9e01"
WRAPPERS: dict[str, Callable[[OpenStore], OpenStore]] = {
    "Prefixed": lambda store: Prefixed(store, "app"),
    "ReadOnly": ReadOnly,
    "Metered": Metered,
    "Retrying": Retrying,
    "Sealed": lambda store: Sealed(store, SECRET),
    "all": lambda store: Prefixed(Metered(Retrying(Sealed(store, SECRET))), "app"),
}
every_wrapper = pytest.mark.parametrize("name", WRAPPERS)


class Recording:
    """A bus that does nothing but remember what it was told."""

    name, speaks = "recording", True

    def __init__(self) -> None:
        self.told: list[object] = []
        self.listener: Callable[[], Listener | None] = lambda: None

    def listen(self, prefixes: Sequence[str], listener: Listener) -> None:
        self.told.append(("listen", list(prefixes)))
        self.listener = weakref.ref(listener)

    def wrote(self, key: str, value: bytes) -> None:
        self.told.append(("wrote", key, value))

    def publish(self, keys: Sequence[str]) -> None:
        self.told.append(("publish", list(keys)))

    def close(self) -> None:
        self.told.append("close")


class Publishing(Plain):
    """A `Plain` with a bus."""

    def __init__(self) -> None:
        super().__init__()
        self.made = Recording()
        self.kinds: list[str] = []

    def bus(self, kind: str = "auto") -> Bus:
        self.kinds.append(kind)
        return self.made


def wrapped(name: str) -> tuple[Publishing, OpenStore, Bus]:
    inside = Publishing()
    store = WRAPPERS[name](inside)
    assert isinstance(store, CanPublish)
    return inside, store, store.bus("some")


@every_wrapper
def test_it_is_there_where_it_is_inside(name: str) -> None:
    assert isinstance(WRAPPERS[name](Publishing()), CanPublish)
    assert not isinstance(WRAPPERS[name](Plain()), CanPublish)


@every_wrapper
def test_all_is_passed_on_with_the_keys_inside(name: str) -> None:
    before = "app:" if name in ("Prefixed", "all") else ""
    inside, _, bus = wrapped(name)
    hears = Hears()
    bus.listen(["k:", "t:"], hears)
    bus.publish(["k:1", "t:2"])
    bus.close()
    assert inside.kinds == ["some"]
    assert bus.name == "recording"
    assert inside.made.told == [
        ("listen", [f"{before}k:", f"{before}t:"]),
        ("publish", [f"{before}k:1", f"{before}t:2"]),
        "close",
    ]
    listener = inside.made.listener()
    assert listener is not None
    listener.ready()
    listener.changed([f"{before}k:1"])
    listener.lost()
    assert hears.told == ["ready", "k:1", "lost"]


@every_wrapper
def test_it_keeps_no_listener_alive(name: str) -> None:
    inside, _, bus = wrapped(name)
    hears = Hears()
    bus.listen(["k:"], hears)
    del hears
    gc.collect()
    assert inside.made.listener() is None


@pytest.mark.parametrize("name", ["Prefixed", "Metered", "Retrying", "ReadOnly"])
def test_what_was_written_is_passed_on(name: str) -> None:
    inside, _, bus = wrapped(name)
    bus.wrote("k", b"v")
    assert inside.made.told == [("wrote", "app:k" if name == "Prefixed" else "k", b"v")]


def written(inside: Publishing) -> dict[str, bytes]:
    """Return the value that was announced last for each key."""
    told = (word for word in inside.made.told if isinstance(word, tuple) and word[0] == "wrote")
    return {key: raw for _, key, raw in told}


def test_sealed_announces_what_it_writes() -> None:
    """What is in the store is what was announced, whichever operation wrote it."""
    inside, store, bus = wrapped("Sealed")
    bus.wrote("k", b"v")
    assert written(inside) == {}
    store.put("k", b"v")
    store.put_many({"a": b"1", "b": b"2"})
    assert store.swap("new", None, b"n")
    assert store.swap("k", b"v", b"w")
    there = {key: inside.rows.get(key) for key in ("k", "a", "b", "new")}
    assert written(inside) == there


def test_a_bus_that_is_gone_is_told_nothing_more() -> None:
    inside = Publishing()
    store = Sealed(inside, SECRET)
    assert isinstance(store, CanPublish)
    gone = weakref.ref(store.bus())
    inside.made = Recording()
    gc.collect()
    assert gone() is None
    store.put("k", b"v")
    assert inside.made.told == []


@pytest.fixture
def parties(redis_server: RedisServer) -> Iterator[Callable[[str], Party]]:
    """Make parties whose stores are wrapped."""
    made: list[Party] = []

    def make(name: str) -> Party:
        party = Party(WRAPPERS[name](open_store(redis_server.url, timeout=5)), "auto")
        made.append(party)
        return party.wait_until_ready()

    yield make
    for party in made:
        party.close()


@pytest.mark.server
@pytest.mark.parametrize("name", ["Prefixed", "Metered", "Retrying", "Sealed", "all"])
def test_on_a_server(name: str, parties: Callable[[str], Party]) -> None:
    one, two = parties(name), parties(name)
    for number in range(50):
        one.write(f"shop:{number % 7}")
    two.write("shop:last")
    one.hears_of("shop:last")
    two.hears_of("shop:6")
    assert one.hears.keys == ["shop:last"]


@pytest.mark.server
def test_read_only_hears(redis_server: RedisServer, parties: Callable[[str], Party]) -> None:
    one = parties("ReadOnly")
    with open_store(redis_server.url, timeout=5) as store:
        store.put("shop:k", value())
    until(lambda: one.hears.keys == ["shop:k"], "a change", LATE)
