"""The locks of the Tyrant store: dead holders are inherited from, once; late ones do no harm."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest
from face import until

from holdfast.bridge import drive
from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.store.tyrant import TyrantStore
from holdfast.store.tyrant.aio import _Link
from holdfast.store.tyrant.client import TyrantClient
from holdfast.store.tyrant.leases import Leases, Refused
from holdfast.store.tyrant.wire import Command
from holdfast.testing.trial import in_processes, in_threads
from servers.tyrant import Tyrant

pytestmark = pytest.mark.server

LOCK = b"holdfast.lock k"
LEASE = 0.5  # seconds: three quarters of it are more than a busy machine takes for a write


@pytest.fixture
def client(tyrant: Tyrant) -> Iterator[TyrantClient]:
    """Give a client of an empty server."""
    client = TyrantClient(*tyrant.address, timeout=10)
    assert client.vanish()
    yield client
    client.close()


@pytest.fixture
def store(tyrant: Tyrant) -> Iterator[TyrantStore]:
    """Give a store whose locks end soon."""
    with TyrantStore([tyrant.address], timeout=5, lease=LEASE) as store:
        yield store


WRITES: dict[str, Callable[[TyrantStore], object]] = {
    "put": lambda store: store.put("k", b"w"),
    "put_many": lambda store: store.put_many({"other": b"w", "k": b"w"}),
    "delete": lambda store: store.delete("k"),
    "swap": lambda store: store.swap("k", b"v", b"w"),
    "increment": lambda store: store.increment("k"),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_held_lock_makes_every_write_wait(
    tyrant: Tyrant, client: TyrantClient, write: str
) -> None:
    client.put(b"k", b"7" if write == "increment" else b"v")
    client.put(LOCK, b"held")
    with TyrantStore([tyrant.address], timeout=5, lease=20) as store:
        with (
            TyrantStore([tyrant.address], timeout=0.1, lease=20) as hurried,
            pytest.raises(StoreTimeout),
        ):
            WRITES[write](hurried)
        assert store.get("k") in (b"v", b"7"), "nothing was written, and readers wait for nobody"
        client.out(LOCK)
        WRITES[write](store)
        assert store.get("k") in (b"w", b"8", None)
    assert client.fwmkeys(b"holdfast.") == []


@pytest.mark.parametrize("write", WRITES)
def test_a_dead_holder_is_inherited_from(
    store: TyrantStore, client: TyrantClient, write: str
) -> None:
    client.put(b"k", b"7" if write == "increment" else b"v")
    client.put(LOCK, b"a dead one")
    began = time.monotonic()
    WRITES[write](store)
    assert LEASE <= time.monotonic() - began < LEASE + 4
    assert store.get("k") in (b"w", b"8", None)
    assert client.fwmkeys(b"holdfast.") == [], "lock and heir are gone"


def test_a_dead_heir_is_inherited_from(store: TyrantStore, client: TyrantClient) -> None:
    client.put(LOCK, b"first")
    client.put(b"holdfast.heir first", b"second")
    client.put(b"holdfast.heir second", b"third")
    store.put("k", b"v")
    assert store.get("k") == b"v"
    assert client.fwmkeys(b"holdfast.") == []


def test_what_was_seen_before_counts(tyrant: Tyrant, client: TyrantClient) -> None:
    client.put(LOCK, b"a dead one")
    with TyrantStore([tyrant.address], timeout=0.2, lease=LEASE) as store:
        for _ in range(2):
            with pytest.raises(StoreTimeout):
                store.put("k", b"v")
        time.sleep(LEASE - 0.2)
        until(lambda: puts(store), "it is inherited, which a lease for each call would never be")
        assert client.get(b"k") == b"v"


def puts(store: TyrantStore) -> bool:
    try:
        store.put("k", b"v")
    except StoreTimeout:
        return False
    return True


def test_a_lock_that_changes_hands_is_not_dead(tyrant: Tyrant, client: TyrantClient) -> None:
    client.put(LOCK, b"first")
    over = threading.Event()

    def change_hands() -> None:
        while not over.wait(0.05):
            client.put(LOCK, os.urandom(16))

    thread = threading.Thread(target=change_hands)
    thread.start()
    try:
        store = TyrantStore([tyrant.address], timeout=3, lease=2)  # a busy machine may stand still
        with store, pytest.raises(StoreTimeout):
            store.put("k", b"v")
    finally:
        over.set()
        thread.join()
    assert client.get(b"k") is None


def test_of_many_one_inherits_at_a_time(tyrant: Tyrant, client: TyrantClient) -> None:
    client.put(b"k", b"0")
    client.put(LOCK, b"a dead one")

    def work(_: int) -> None:
        with TyrantStore([tyrant.address], timeout=10, lease=LEASE) as store:
            for _ in range(20):
                store.increment("k")

    in_threads(6, work)
    assert client.get(b"k") == b"120"
    assert client.fwmkeys(b"holdfast.") == []


@pytest.mark.slow
def test_holders_killed_in_mid_change_lose_no_increment(
    tyrant: Tyrant, client: TyrantClient
) -> None:
    with TyrantStore([tyrant.address], timeout=20, lease=LEASE) as mine:
        mine.put("k", b"0")

        def work(number: int) -> None:
            with TyrantStore([tyrant.address], timeout=20, lease=LEASE) as store:
                for step in range(10):
                    if number == 0 and step == 5:
                        held, claim = store._steps._changes[0]._leases.claim(b"k")
                        while not store._clients.here()[0].call(claim):
                            held, claim = store._steps._changes[0]._leases.claim(b"k")
                        assert held.records == [LOCK]
                        os.kill(os.getpid(), signal.SIGKILL)
                    store.increment("k")

        assert in_processes(4, work) == [-signal.SIGKILL, 0, 0, 0]
        assert mine.get("k") == b"35"
        mine.increment("k")
    assert client.fwmkeys(b"holdfast.") == []


def test_one_who_was_too_slow_looks_again(
    tyrant: Tyrant, store: TyrantStore, client: TyrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He stalls between lock and write; another inherits and writes; that must stand."""
    client.put(b"k", b"v")
    changes = store._steps._changes[0]
    hold = changes._hold
    stalls = [True]

    async def slow_hold(keys: Sequence[str], deadline: float, *, reads: bool) -> Any:
        mine = await hold(keys, deadline, reads=reads)
        if stalls and stalls.pop():
            with TyrantStore([tyrant.address], timeout=5, lease=LEASE) as other:
                assert other.swap("k", b"v", b"theirs")
        return mine

    monkeypatch.setattr(changes, "_hold", slow_hold)
    assert not store.swap("k", b"v", b"mine"), "it holds what the other wrote"
    assert client.get(b"k") == b"theirs"


def test_one_who_was_slow_alone_goes_on(
    store: TyrantStore, client: TyrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.put(b"k", b"v")
    changes = store._steps._changes[0]
    hold = changes._hold

    async def slow_hold(keys: Sequence[str], deadline: float, *, reads: bool) -> Any:
        mine = await hold(keys, deadline, reads=reads)
        time.sleep(LEASE * 0.6)  # noqa: ASYNC251 - he is slow
        return mine

    monkeypatch.setattr(changes, "_hold", slow_hold)
    assert store.swap("k", b"v", b"w")
    assert client.get(b"k") == b"w"
    assert client.fwmkeys(b"holdfast.") == []


def test_a_loop_that_stood_still_sends_no_change_late(
    tyrant: Tyrant, store: TyrantStore, client: TyrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between asking and sending its loop stalls; another inherits and writes; that must stand."""
    client.put(b"k", b"v")
    ask = _Link.ask
    theirs: list[bool] = []

    def stall() -> None:
        with TyrantStore([tyrant.address], timeout=5, lease=LEASE) as other:
            theirs.append(other.swap("k", b"v", b"theirs"))

    def ask_and_stall(link: _Link, commands: Sequence[Command[Any]], *limits: float) -> Any:
        if commands[0].request.startswith(b"\xc8\x10"):  # `put`: the change
            asyncio.get_running_loop().call_soon(stall)
        return ask(link, commands, *limits)

    monkeypatch.setattr(_Link, "ask", ask_and_stall)

    async def body() -> None:
        with pytest.raises(StoreTimeout):
            await store.aio.swap("k", b"v", b"mine")
        assert theirs == [True]
        assert await store.aio.get("k") == b"theirs"
        await store.aio.close()

    asyncio.run(body())


def test_an_heir_of_what_was_released_steps_back(client: TyrantClient) -> None:
    """He saw the lock for a lease; it is released, and taken by another, before he inherits."""
    leases = Leases(0.0)
    steps = 0

    async def send(commands: Sequence[Command[Any]]) -> list[Any]:
        nonlocal steps
        answers = client.call_all(commands, time.monotonic() + 5)
        steps += 1
        if steps == 4:  # base and heir were read twice
            client.out(LOCK)
            client.put(LOCK, b"another")
        return answers

    client.put(LOCK, b"first")
    sending: Callable[[Sequence[Command[Any]]], Awaitable[list[Any]]] = send
    assert drive(leases.inherit(b"k", sending)) is None
    time.sleep(0.01)
    assert drive(leases.inherit(b"k", sending)) is None
    assert client.get(LOCK) == b"another"
    assert client.fwmkeys(b"holdfast.heir") == []


def test_a_server_that_takes_no_writes_is_told_from_a_lock() -> None:
    async def send(commands: Sequence[Command[Any]]) -> list[Any]:
        return [False if command.request[:2] == b"\xc8\x11" else None for command in commands]

    with pytest.raises(Refused, match="read-only"):
        drive(Leases(1.0).inherit(b"k", send))


def test_add_if_absent_takes_no_lock(tyrant: Tyrant, client: TyrantClient) -> None:
    client.put(LOCK, b"held by one who stalls")
    with TyrantStore([tyrant.address], timeout=5, lease=20) as store:
        assert store.swap("k", None, b"v")
        assert not store.swap("k", None, b"w")
        assert store.get("k") == b"v"


def test_a_holder_does_not_write_over_what_was_added(
    store: TyrantStore, client: TyrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = store._steps._changes[0]
    hold = changes._hold
    added: list[bool] = []

    async def hold_then_add(keys: Sequence[str], deadline: float, *, reads: bool) -> Any:
        mine = await hold(keys, deadline, reads=reads)
        if not added:
            added.append(client.putkeep(b"k", b"10"))  # what `swap(k, None, ...)` sends
        return mine

    monkeypatch.setattr(changes, "_hold", hold_then_add)
    assert store.increment("k") == 11
    assert added == [True]


def test_a_cancelled_change_leaves_no_lock(store: TyrantStore, client: TyrantClient) -> None:
    async def body() -> None:
        for moment in range(60):
            task = asyncio.ensure_future(store.aio.put("k", b"%d" % moment))
            for _ in range(moment % 12):
                await asyncio.sleep(0)
            await asyncio.sleep((moment // 12) * 0.0002)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await store.aio.put("k", b"last")
        await store.aio.close()

    began = time.monotonic()
    asyncio.run(body())
    assert client.get(b"k") == b"last"
    assert client.fwmkeys(b"holdfast.") == []
    assert time.monotonic() - began < 15
    with pytest.raises(StoreUnavailable):
        store.get("k")
