"""What shows that an option of Beaker counts: what is seen with it, and not without it.

Law: a probe asks an application's questions; it never looks at what an object noted down.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from holdfast.compat.beaker import cache
from holdfast.compat.beaker.container import MemoryNamespaceManager

__all__ = ["PROBES", "Probe", "Room", "keys", "option", "own", "put"]

PROBES: dict[str, "Probe"] = {}


class Room:
    """Where a probe runs: an empty folder, a clock, and servers if it asks for them.

    Args:
        folder: An empty folder.
        request: Of the test.
    """

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        self.folder = folder
        self.request = request

    @property
    def path(self) -> str:
        """The folder, as options say it."""
        return str(self.folder)

    def at(self, now: float) -> None:
        """Give the clock."""
        patch: pytest.MonkeyPatch = self.request.getfixturevalue("monkeypatch")
        patch.setattr("time.time", lambda: now)

    def server(self, fixture: str) -> Any:
        """Return a running server."""
        return self.request.getfixturevalue(fixture)

    def files(self, below: str = "", ending: str = "*") -> int:
        """Return how many files are there."""
        return sum(path.is_file() for path in (self.folder / below).rglob(ending))


Ask = Callable[[dict[str, Any], Room], Any]


@dataclass(frozen=True)
class Probe:
    """One option.

    Attributes:
        name: Its owner and its name, as `documents.options` lists it.
        value: What it is set to.
        sees: What is seen then.
        ask: Asks, with the options it is given: this one, or none.
    """

    name: str
    value: Any
    sees: Any
    ask: Ask

    def seen(self, room: Room, *, dropped: bool = False) -> Any:
        """Return what is seen, in a process that remembers nothing."""
        for shared in (
            cache.cache_regions,
            cache.cache_managers,
            MemoryNamespaceManager.namespaces,
        ):
            shared.clear()
        given: dict[str, Any] = {}
        if not dropped:
            value = self.value(room) if callable(self.value) else self.value
            given[self.name.rpartition(" ")[2]] = value
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return self.ask(given, room)
            except Exception as error:  # noqa: BLE001 - an error is seen, too
                return type(error).__name__


def option(name: str, *, to: Any, sees: Any, ask: Ask) -> None:
    """Add the probe of an option.

    Args:
        name: As in `Probe`.
        to: What it is set to; a function is given the room, and returns that.
        sees: As in `Probe`.
        ask: As in `Probe`.
    """
    assert name not in PROBES, name
    PROBES[name] = Probe(name, to, sees, ask)


def own(room: Room) -> str:
    """Return a folder that is not there yet."""
    return f"{room.path}/own"


def put(manager: Any, key: str = "k", **lock: Any) -> None:
    """Write a value through a manager, under its lock."""
    manager.acquire_write_lock(**lock)
    try:
        manager[key] = 1
    finally:
        manager.release_write_lock()


def keys(manager: Any) -> list[str]:
    """Return the keys of a manager."""
    manager.acquire_read_lock()
    try:
        return sorted(manager.keys())
    finally:
        manager.release_read_lock()
