"""MongoDB: the server `HOLDFAST_MONGODB_URL` names, else a stand-in of our own.

Law: a server that was named is never stopped; tests that must stop one are skipped there.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from servers.process import Server, folder_for, free_port

__all__ = ["MongodbServer", "mongodb", "run_mongodb"]


@dataclass(frozen=True)
class MongodbServer:
    """A server that runs.

    Attributes:
        url: Its address, without a database.
        process: The stand-in; None where a real server was named.
    """

    url: str
    process: Server | None

    @property
    def server(self) -> Server:
        """The stand-in; the test is skipped where there is none."""
        if self.process is None:
            pytest.skip("HOLDFAST_MONGODB_URL: a server that is not ours is not stopped")
        return self.process


@contextlib.contextmanager
def run_mongodb() -> Iterator[MongodbServer]:
    """Run the stand-in, or give the server that is named."""
    named = os.environ.get("HOLDFAST_MONGODB_URL")
    if named:
        yield MongodbServer(named.rstrip("/"), None)
        return
    with folder_for() as folder:
        port = free_port()
        program = Path(__file__).with_name("_mongod.py")
        server = Server([sys.executable, str(program), str(port)], port, log=folder / "log")
        server.start()
        try:
            yield MongodbServer(f"mongodb://127.0.0.1:{port}", server)
        finally:
            server.kill()


@pytest.fixture(scope="session")
def mongodb() -> Iterator[MongodbServer]:
    with run_mongodb() as server:
        yield server
