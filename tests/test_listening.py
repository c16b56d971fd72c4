"""The thread behind a bus, over lines that break as the test wants."""

import gc
import logging
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence

import pytest

from holdfast.errors import StoreTimeout, StoreUnavailable
from holdfast.listening import Keys, Line, Listening, _Outbox, _say_the_last
from holdfast.testing.trial import in_processes

pytestmark = pytest.mark.slow

LATE = 20.0  # seconds; a busy machine is no fault


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + LATE
    while not done():
        assert time.monotonic() < end
        time.sleep(0.002)


class Wire:
    """A line on which the test speaks.

    Attributes:
        sent: What was sent.
        breaks: The name of the method that raises, and what.
    """

    def __init__(self) -> None:
        self._here, self._there = socket.socketpair()
        self._heard: list[Keys] = []
        self.sent: list[Keys] = []
        self.breaks: dict[str, Exception] = {}
        self.checks = 0
        self.is_closed = False

    def say(self, keys: Keys) -> None:
        self._heard.append(keys)
        self._there.send(b"x")

    def break_off(self, method: str, error: Exception) -> None:
        self.breaks[method] = error
        self._there.send(b"x")

    def _maybe(self, method: str) -> None:
        if method in self.breaks:
            raise self.breaks[method]

    def fileno(self) -> int:
        return self._here.fileno()

    def hear(self) -> Keys:
        self._maybe("hear")
        self._here.setblocking(False)  # noqa: FBT003 - the library's
        try:
            self._here.recv(100)
        except BlockingIOError:
            return []
        found: list[str] = []
        while self._heard:
            keys = self._heard.pop(0)
            if keys is None:
                return None
            found += keys
        return found

    def has_more(self) -> bool:
        return bool(self._heard)

    def send(self, keys: Keys) -> None:
        self._maybe("send")
        self.sent.append(keys)

    def check(self) -> None:
        self.checks += 1
        self._maybe("check")

    def close(self) -> None:
        self.is_closed = True
        self._here.close()
        self._there.close()


class FakeWay:
    """Gives one wire after the other.

    Attributes:
        errors: What the next attempts to connect raise.
        wires: Those that were given.
        prefixes: Those that were asked for.
    """

    name = "fake rows"
    publishes = speaks = True

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.wires: list[Wire] = []
        self.prefixes: Sequence[str] = ()
        self.forgot = 0
        self.opens = threading.Event()
        self.opens.set()

    def connect(self, prefixes: Sequence[str]) -> Line:
        self.opens.wait(LATE)
        self.prefixes = prefixes
        if self.errors:
            raise self.errors.pop(0)
        self.wires.append(Wire())
        return self.wires[-1]

    def wrote(self, key: str, value: bytes) -> None:
        """Nothing comes back."""

    def forget(self) -> None:
        self.forgot += 1


class Hears:
    """A listener that remembers, and raises where it shall."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.raises: set[str] = set()

    def _tell(self, word: str, what: object) -> None:
        self.told.append(what)
        if word in self.raises:
            self.raises.discard(word)
            raise ZeroDivisionError(word)

    def changed(self, keys: Sequence[str]) -> None:
        self._tell("changed", list(keys))

    def lost(self) -> None:
        self._tell("lost", "lost")

    def ready(self) -> None:
        self._tell("ready", "ready")


class Scene:
    """A bus and all around it."""

    def __init__(self) -> None:
        self.way = FakeWay()
        self.bus = Listening(self.way)
        self.hears = Hears()

    def listen(self) -> Wire:
        self.bus.listen(["p:"], self.hears)
        until(lambda: "ready" in self.hears.told)
        return self.way.wires[-1]

    def told(self, *expected: object) -> bool:
        return self.hears.told == list(expected)


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.bus.close()
    until(lambda: not any(thread.name == "holdfast-bus" for thread in threading.enumerate()))
    assert all(wire.is_closed for wire in made.way.wires)


def test_nothing_happens_before_listening(scene: Scene) -> None:
    scene.bus.publish(["p:k"])
    scene.bus.wrote("p:k", b"v")
    assert scene.bus.name == "fake rows"
    assert scene.way.wires == []


def test_changes_are_told_in_order(scene: Scene) -> None:
    wire = scene.listen()
    for number in range(100):
        wire.say([f"p:{number}"])
    until(lambda: sum(map(len, scene.hears.told[1:])) == 100)  # type: ignore[arg-type]
    assert [key for keys in scene.hears.told[1:] for key in keys] == [  # type: ignore[attr-defined]
        f"p:{number}" for number in range(100)
    ]


def test_everything_is_lost_and_ready(scene: Scene) -> None:
    scene.listen().say(None)
    until(lambda: scene.told("ready", "lost", "ready"))


def test_a_prefix_within_another_is_left_out(scene: Scene) -> None:
    scene.bus.listen(["shop:", "a:", "shop:x:", "shop:", "shopping"], scene.hears)
    until(lambda: scene.told("ready"))
    assert scene.way.prefixes == ["a:", "shop:", "shopping"]


@pytest.mark.parametrize("method", ["hear", "check"])
def test_a_broken_line_is_lost_and_made_anew(scene: Scene, method: str) -> None:
    wire = scene.listen()
    wire.break_off(method, StoreTimeout("rows", "no answer"))
    until(lambda: scene.told("ready", "lost", "ready"))
    assert wire.is_closed
    scene.way.wires[1].say(["p:k"])
    until(lambda: scene.told("ready", "lost", "ready", ["p:k"]))


def test_a_line_is_checked_every_second(scene: Scene) -> None:
    wire = scene.listen()
    until(lambda: wire.checks >= 2)


def test_what_was_not_sent_is_sent_on_the_next_line(scene: Scene) -> None:
    wire = scene.listen()
    wire.breaks["send"] = StoreUnavailable("rows", "gone")
    scene.bus.publish(["p:a", "p:b"])
    until(lambda: len(scene.way.wires) == 2 and scene.way.wires[1].sent == [["p:a", "p:b"]])


def test_everything_that_was_not_sent_stays_everything(scene: Scene) -> None:
    wire = scene.listen()
    wire.breaks["send"] = StoreUnavailable("rows", "gone")
    scene.bus.publish([f"p:{number}" for number in range(10_001)])
    until(lambda: len(scene.way.wires) == 2 and scene.way.wires[1].sent == [None])


def test_what_is_published_while_it_connects_is_kept(scene: Scene) -> None:
    scene.way.errors = [StoreUnavailable("rows", "gone") for _ in range(3)]
    scene.way.opens.clear()
    scene.bus.listen(["p:"], scene.hears)
    scene.bus.publish(["p:a"])
    scene.bus.publish(["p:b", "p:a"])
    scene.way.opens.set()
    until(lambda: scene.told("ready"))
    until(lambda: scene.way.wires[0].sent == [["p:a", "p:b"]])


def test_a_way_that_does_not_publish_sends_nothing(scene: Scene) -> None:
    wire = scene.listen()
    scene.way.publishes = False
    scene.bus.publish(["p:a"])
    scene.way.publishes = True
    scene.bus.publish(["p:b"])
    until(lambda: wire.sent == [["p:b"]])


def test_lost_is_told_after_ready_alone(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "holdfast")
    scene.way.errors = [StoreUnavailable("rows", "gone") for _ in range(3)]
    scene.listen()
    until(lambda: len(caplog.messages) == 2)
    assert scene.told("ready")
    assert "fake hears no changes for now: rows: gone" in caplog.messages[0]
    assert "fake rows hears again" in caplog.messages[1]


@pytest.mark.parametrize("method", ["changed", "ready", "lost"])
def test_a_listener_that_raises_is_told_lost_and_ready_again(
    scene: Scene, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    scene.hears.raises = {method}
    wire = scene.listen()
    if method == "changed":
        wire.say(["p:k"])
    elif method == "lost":
        wire.break_off("hear", StoreUnavailable("rows", "gone"))
    until(lambda: scene.hears.told[-2:] == ["lost", "ready"])
    assert "ZeroDivisionError" in caplog.text


def test_a_way_that_is_wrong_does_not_end_it(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.way.errors = [KeyError("oh")]
    scene.listen()
    assert "KeyError" in caplog.text


def test_it_ends_with_its_listener(scene: Scene) -> None:
    wire = scene.listen()
    gone = weakref.ref(scene.hears)
    scene.hears = Hears()
    gc.collect()
    assert gone() is None
    until(lambda: wire.is_closed)


def test_one_listener_is_all(scene: Scene) -> None:
    scene.listen()
    with pytest.raises(RuntimeError, match="listener"):
        scene.bus.listen(["p:"], Hears())


def test_a_listener_may_close_it(scene: Scene) -> None:
    class Closes(Hears):
        def changed(self, keys: Sequence[str]) -> None:
            super().changed(keys)
            scene.bus.close()

    scene.hears = Closes()
    wire = scene.listen()
    wire.say(["p:k"])
    until(lambda: wire.is_closed)
    assert scene.told("ready", ["p:k"])


def test_closing_while_it_connects(scene: Scene) -> None:
    scene.way.opens.clear()
    scene.bus.listen(["p:"], scene.hears)
    threading.Timer(0.05, scene.way.opens.set).start()
    scene.bus.close()
    assert scene.told()


def test_what_was_published_leaves_before_the_end() -> None:
    for number in range(50):
        made = Scene()
        made.listen()
        made.bus.publish([f"p:{number}"])
        made.bus.close()
        assert made.way.wires[0].sent == [[f"p:{number}"]]


def test_it_leaves_though_the_end_is_quicker_than_the_connection(scene: Scene) -> None:
    scene.way.opens.clear()
    scene.bus.listen(["p:"], scene.hears)
    scene.bus.publish(["p:k"])
    threading.Timer(0.05, scene.way.opens.set).start()
    scene.bus.close()
    assert [wire.sent for wire in scene.way.wires] == [[["p:k"]]]
    assert not scene.bus.is_behind


def test_the_end_does_not_wait_for_who_cannot_be_reached(scene: Scene) -> None:
    scene.way.errors = [StoreUnavailable("fake", "down")] * 100
    scene.bus.listen(["p:"], scene.hears)
    scene.bus.publish(["p:k"])
    until(lambda: len(scene.way.errors) < 99)
    scene.bus.close()
    assert scene.told()
    assert scene.way.errors


def test_the_end_of_a_program_lets_leave_what_was_published(scene: Scene) -> None:
    scene.way.opens.clear()
    scene.bus.listen(["p:"], scene.hears)
    scene.bus.publish(["p:k"])
    assert scene.bus.is_behind
    threading.Timer(0.05, scene.way.opens.set).start()
    _say_the_last()
    assert [wire.sent for wire in scene.way.wires] == [[["p:k"]]]


def test_each_listener_has_its_new_locks_before_it_is_told_in_a_child(scene: Scene) -> None:
    """Also one that came when others had listened long since."""
    scene.listen()

    class Locked(Hears):
        def __init__(self) -> None:
            super().__init__()
            self.renew()
            os.register_at_fork(after_in_child=self.renew)

        def renew(self) -> None:
            self.lock = threading.Lock()

        def lost(self) -> None:
            assert self.lock.acquire(timeout=1), "a thread that is not here has it"
            super().lost()

    later = Scene()
    later.hears = Locked()
    later.listen()
    later.hears.lock.acquire()

    def work(_number: int) -> None:
        assert later.hears.told[:2] == ["ready", "lost"]

    assert in_processes(1, work) == [0]
    later.bus.close()


def test_many_publish_at_once(scene: Scene) -> None:
    wire = scene.listen()

    def publish(number: int) -> None:
        for turn in range(200):
            scene.bus.publish([f"p:{number}-{turn}"])

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: len({key for keys in wire.sent for key in keys or ()}) == 1600)


def test_the_outbox_is_bounded() -> None:
    box = _Outbox()
    assert box.take() == []
    box.put([f"{number}" for number in range(10_000)])
    assert len(box.take() or ()) == 10_000
    box.put([f"{number}" for number in range(10_000)])
    box.put(["one more"])
    box.put(["another"])
    assert box.take() is None
    assert box.take() == []
