"""A stand-in for Google Cloud Datastore: PyPI `inmemory-datastore-stub` behind HTTP, as a process.

Law: it has a free port of its own and keeps nothing but memory. It proves the wire, the client and
our sequences; not the service's own concurrency, quotas and expiry policy.
"""

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from servers.process import Server, folder_for, free_port, missing

__all__ = ["DatastoreServer", "run_datastore"]

_VARIABLE = "DATASTORE_EMULATOR_HOST"


@dataclass(frozen=True)
class DatastoreServer:
    """A server that runs.

    Attributes:
        server: The process; `kill` and `start` it to see what a client does.
        url: Opens a store on it, while the environment variable of Google's emulator names it.
    """

    server: Server
    url: str


@contextlib.contextmanager
def run_datastore() -> Iterator[DatastoreServer]:
    """Run a server, and let clients that are made meanwhile speak to it."""
    if importlib.util.find_spec("inmemory_datastore_stub") is None:
        missing("inmemory-datastore-stub")
    port = free_port()
    program = Path(__file__).with_name("_datastore.py")
    # -P: the folder of the program has modules named like drivers
    command = [sys.executable, "-P", "-W", "ignore", str(program), str(port)]
    with folder_for() as folder, pytest.MonkeyPatch.context() as patch:
        server = Server(command, port, log=folder / "log")
        server.start()
        patch.setenv(_VARIABLE, f"127.0.0.1:{port}")
        try:
            yield DatastoreServer(server, "datastore://holdfast/Row")
        finally:
            server.stop()


@pytest.fixture(scope="session")
def datastore_server() -> Iterator[DatastoreServer]:
    """Return a Datastore for all tests of this process."""
    with run_datastore() as running:
        yield running
