"""Tokyo Tyrant for tests: a real ttserver where HOLDFAST_TTSERVER names one, else a stand-in.

The stand-in (`_tokyo.py`) speaks the same protocol over the real Tokyo Cabinet library.
"""

import contextlib
import ctypes.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from servers.process import Server, folder_for, free_port, missing

__all__ = ["Tyrant", "run_tyrant", "tyrant", "tyrant_of_old", "tyrants"]

STAND_IN = Path(__file__).with_name("_tokyo.py")


@dataclass(frozen=True)
class Tyrant:
    """A server that runs.

    Attributes:
        server: Its process.
        url: What `open_store` takes.
        address: Its host and port.
    """

    server: Server
    url: str
    address: tuple[str, int]


@contextlib.contextmanager
def run_tyrant(database: str = "casket.tch") -> Iterator[Tyrant]:
    """Start a server of its own.

    Args:
        database: `*` keeps all in memory; .tch is a hash, .tcb a B+ tree, .tct a table, on disk.
    """
    port = free_port()
    with folder_for() as folder:
        name = database if database == "*" else str(folder / database)
        server = Server(_command(port, name), port, log=folder / "log")
        server.start()
        try:
            yield Tyrant(server, f"tyrant://127.0.0.1:{port}", ("127.0.0.1", port))
        finally:
            server.stop()


def _command(port: int, database: str) -> list[str]:
    real = os.environ.get("HOLDFAST_TTSERVER")
    if real:
        return [real, "-host", "127.0.0.1", "-port", str(port), database]
    if ctypes.util.find_library("tokyocabinet") is None:
        missing("libtokyocabinet9")
    return [sys.executable, str(STAND_IN), str(port), database]


@pytest.fixture(scope="session")
def tyrant() -> Iterator[Tyrant]:
    """Give a server with a hash database."""
    with run_tyrant() as running:
        yield running


@pytest.fixture(scope="session")
def tyrants() -> Iterator[list[Tyrant]]:
    """Give three servers: a hash in memory, a hash on disk, a B+ tree."""
    with run_tyrant("*") as first, run_tyrant() as second, run_tyrant("casket.tcb") as third:
        yield [first, second, third]


@pytest.fixture(scope="session")
def tyrant_of_old() -> Iterator[Tyrant]:
    """Give a server in memory, for what old programs do there; each of their tests empties it."""
    with run_tyrant("*") as running:
        yield running
