"""What the fault tests share: how a store is opened behind the proxy, and what is so after a fault.

Law: each test has other rows of the server that its class runs.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from face import Face, Outcome, Step, until

from holdfast.errors import StoreTimeout
from holdfast.store.protocol import OpenStore
from servers.process import Server, is_stopped
from servers.proxy import (
    Clean,
    Hold,
    Mute,
    Proxy,
    Swallow,
)

__all__ = [
    "HOLES",
    "KEYS",
    "OPERATIONS",
    "FaultBase",
    "getting",
    "swapping",
    "value_of",
    "wait_until_frozen",
]

KEYS = [f"k{number:02}" for number in range(20)]
_numbers = itertools.count()

OPERATIONS: dict[str, Step[object]] = {
    "get": lambda store: store.get("x"),
    "get_many": lambda store: store.get_many(["x", "y"]),
    "put": lambda store: store.put("x", b"v", 60),
    "put_many": lambda store: store.put_many({"x": b"v", "y": b"w"}, 60),
    "delete": lambda store: store.delete("x"),
    "delete_many": lambda store: store.delete_many(["x", "y"]),
    "swap": lambda store: store.swap("x", b"v", b"w"),
    "ping": lambda store: store.ping(),
}

HOLES: dict[str, Callable[[], Clean]] = {"hold": Hold, "swallow": Swallow, "mute": Mute}


def value_of(key: str) -> bytes:
    return b"is " + key.encode()


def getting(key: str) -> Step[bytes | None]:
    return lambda store: store.get(key)


def swapping(key: str, old: bytes | None, new: bytes) -> Step[bool]:
    return lambda store: store.swap(key, old, new)


def wait_until_frozen(pid: int) -> None:
    """Wait until all threads of a process stand: the signal takes its time to reach them."""

    def stands() -> bool:
        return all(map(is_stopped, Path(f"/proc/{pid}/task").glob("*/stat")))

    until(stands, "all threads stand")


class FaultBase:
    """Subclass it as `Test...` and give `run` and `open`.

    Attributes:
        timeout: What `open` gives each operation, in seconds.
        slack: What a busy machine may add.
        connections: How many connections one face may have open at the same time.
        large: Bytes of a large value.
    """

    timeout = 0.4
    slack = 1.0
    connections = 60
    large = 900_000

    @classmethod
    def run(cls) -> AbstractContextManager[Server]:
        """Run a server for the tests of this class alone: it will be frozen and killed."""
        raise NotImplementedError

    def open(self, port: int, prefix: str) -> OpenStore:
        """Open the store on that port, with `self.timeout`; `prefix` names its rows."""
        raise NotImplementedError

    def freeze(self, server: Server) -> None:
        """Stop all processes of the server."""
        server.pause()
        wait_until_frozen(server.pid)

    def thaw(self, server: Server) -> None:
        """Let them go on; twice is fine."""
        server.go_on()

    # Fixtures

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[Server]:
        with cls.run() as server:
            yield server

    @pytest.fixture
    def proxy(self, server: Server) -> Iterator[Proxy]:
        with Proxy(server.port) as proxy:
            yield proxy

    @pytest.fixture(params=["sync", "aio"])
    def kind(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def face(self, proxy: Proxy, kind: str) -> Iterator[Face]:
        """A face whose rows are there and whose connection stands; `x` and `y` are for writes."""
        with self.opened(proxy.port, kind) as face:
            face.calmly(lambda store: store.put_many({key: value_of(key) for key in KEYS}))
            face.calmly(lambda store: store.put("x", b"v"))
            face.calmly(lambda store: store.swap("x", b"v", b"v"))  # a script is known from here on
            yield face

    @contextlib.contextmanager
    def opened(self, port: int, kind: str) -> Iterator[Face]:
        face = Face(self.open(port, f"f{next(_numbers)}"), kind)
        try:
            yield face
        finally:
            face.close()

    # What must be so after any fault

    def check_sound(self, face: Face, keys: Sequence[str] = KEYS) -> None:
        """Every key gives its own value: one by one, many in one call, and to a crowd."""
        for key in keys:
            assert face.calmly(getting(key)) == value_of(key)
        everything = face.calmly(lambda store: store.get_many(list(keys)))
        assert everything == {key: value_of(key) for key in keys}
        asked = [keys[number % len(keys)] for number in range(face.crowd)]
        outcomes = self.crowd(face, asked)
        for key, outcome in zip(asked, outcomes, strict=True):
            assert outcome.value == value_of(key) or outcome.was_late
        assert any(outcome.value for outcome in outcomes)

    def crowd(self, face: Face, keys: Sequence[str]) -> list[Outcome[bytes | None]]:
        return face.all_at_once([getting(key) for key in keys])

    def check_timely(self, outcome: Outcome[object], slack: float = 0.0) -> None:
        """It ended at its deadline, neither before nor much later."""
        assert isinstance(outcome.error, StoreTimeout), f"{outcome} is no timeout"
        assert outcome.error.__cause__ is not None
        assert self.timeout * 0.9 <= outcome.seconds <= self.timeout + self.slack + slack

    def check_own(self, outcome: Outcome[bytes | None], key: str) -> None:
        """It has its own value, or a fault of the world; never another's, never None."""
        assert outcome.error is not None or outcome.value == value_of(key)
        assert outcome.seconds <= self.timeout + self.slack
