"""A trial: one test of the store conformance suite, its store, its clock and its helpers.

Law: a body is written once, over the async face. The sync face runs the same body driven, without a
loop; so a store whose faces differ fails one of the two.
"""

import asyncio
import multiprocessing
import threading
import warnings
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from holdfast.bridge import Blocking, drive
from holdfast.store.protocol import AsyncStore, OpenStore
from holdfast.testing.clock import ManualClock

__all__ = ["Hooks", "Trial", "both_faces", "in_processes", "in_threads"]

_ODD_KEYS = [
    *(chr(code) for code in range(0x21, 0x7F)),
    *("a" + chr(code) + "b" for code in range(0x21, 0x7F)),
    *("..", "../../etc/passwd", "/", "a/b", "a/../b", "NUL", "con", "%00", "a%", "_", "A", "a"),
    *("k" * length for length in (2, 16, 64, 240, 249, 250)),
]
_SIZES = [0, 1, 255, 256, 4095, 4096, 65_535, 65_536, 65_537]
_PATIENCE = 120.0  # seconds until a thread or process counts as stuck


class Hooks(Protocol):
    """What a suite tells its trials about the store; see `conformance.StoreSuite`."""

    second: float
    largest: int
    longest_key: int

    def open(self, tmp_path: Path, clock: ManualClock) -> OpenStore: ...
    def advance(self, clock: ManualClock, seconds: float) -> None: ...


class Trial:
    """One test's store.

    Attributes:
        opened: The store as `open` gave it.
        store: The face that is tested now.
        second: How many seconds the suite's second lasts; every ttl is a multiple of it.
        sizes: How many bytes the values have that must come back.
        odd_keys: Keys the store carries, and tells apart.
    """

    def __init__(self, hooks: Hooks, tmp_path: Path) -> None:
        self._hooks = hooks
        self._tmp_path = tmp_path
        self._all: list[OpenStore] = []
        self.clock = ManualClock()
        self.second = hooks.second
        self.sizes = [size for size in _SIZES if size < hooks.largest] + [hooks.largest]
        self.odd_keys = [key for key in _ODD_KEYS if len(key) <= hooks.longest_key]
        self.opened = self.another()
        self.store: AsyncStore = Blocking(self.opened)

    def another(self) -> OpenStore:
        """Return one more handle on the same rows."""
        store = self._hooks.open(self._tmp_path, self.clock)
        self._all.append(store)
        return store

    def advance(self, seconds: float) -> None:
        """Let `seconds` of the suite go by."""
        self._hooks.advance(self.clock, seconds * self.second)

    def play(self, face: str, body: Coroutine[object, None, None]) -> None:
        """Run `body` to its end on that face."""
        if face == "sync":
            self.store = Blocking(self.opened)
            drive(body)
        else:
            self.store = self.opened.aio
            asyncio.run(self._in_loop(body))

    async def _in_loop(self, body: Coroutine[object, None, None]) -> None:
        try:
            await body
        finally:
            await self.store.close()  # its connections belong to this loop

    def close(self) -> None:
        for store in self._all:
            store.close()


def both_faces(
    body: Callable[[Any, Trial], Coroutine[object, None, None]],
) -> Callable[[Any, Trial, str], None]:
    """Make of an async body one test for the sync face and one for the async face."""

    @pytest.mark.parametrize("face", ["sync", "aio"])
    def test(self: Any, trial: Trial, face: str) -> None:
        trial.play(face, body(self, trial))

    test.__name__, test.__doc__ = body.__name__, body.__doc__
    typed: Callable[[Any, Trial, str], None] = test
    return typed


def in_threads(count: int, work: Callable[[int], object]) -> None:
    """Run `work(0)` to `work(count - 1)` in threads that start together; raise what one raised."""
    errors: list[BaseException] = []
    gate = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            gate.wait(_PATIENCE)
            work(number)
        except BaseException as error:  # noqa: BLE001 - it is raised below, in the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PATIENCE)
        assert not thread.is_alive(), "a thread is stuck"
    if errors:
        raise errors[0]


def in_processes(count: int, work: Callable[[int], object]) -> Sequence[int | None]:
    """Run `work(0)` to `work(count - 1)` in forked processes; return their exit codes."""
    context = multiprocessing.get_context("fork")
    children = [
        context.Process(target=work, args=(number,), daemon=True) for number in range(count)
    ]
    with warnings.catch_warnings():
        # Newer Pythons warn of forks beside threads: the suite forks because programs do.
        warnings.simplefilter("ignore", DeprecationWarning)
        for child in children:
            child.start()
    for child in children:
        child.join(_PATIENCE)
        if child.is_alive():
            child.kill()
    return [child.exitcode for child in children]
