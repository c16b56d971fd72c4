"""DynamoDB: moto as a child process, in place of Amazon's."""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from servers.process import Server, folder_for, free_port

__all__ = ["ACCOUNT", "DynamodbServer", "dynamodb", "run_dynamodb"]

ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "AKIAHOLDFAST",
    "AWS_SECRET_ACCESS_KEY": "moto-takes-any-secret",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
"""The environment of a program that may ask the server."""


@dataclass(frozen=True)
class DynamodbServer:
    """A server that runs.

    Attributes:
        endpoint: Where it listens.
        server: The process.
    """

    endpoint: str
    server: Server

    @property
    def url(self) -> str:
        """The URL of a store with a table of its own."""
        return self.table("holdfast")

    def table(self, name: str, **options: str) -> str:
        """Return the URL of a store on the table `name`, which is made where there is none."""
        query = {"region": "eu-west-1", "endpoint": self.endpoint, "create": "true", **options}
        return f"dynamodb://{name}?{urlencode(query)}"


@contextlib.contextmanager
def run_dynamodb() -> Iterator[DynamodbServer]:
    """Run the server; while it runs, the environment has credentials for it."""
    before = {name: os.environ.get(name) for name in ACCOUNT}
    with folder_for() as folder:
        port = free_port()
        program = Path(__file__).with_name("_moto.py")
        server = Server([sys.executable, str(program), str(port)], port, log=folder / "log")
        os.environ.update(ACCOUNT)
        server.start()
        try:
            yield DynamodbServer(f"http://127.0.0.1:{port}", server)
        finally:
            server.kill()
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


@pytest.fixture(scope="session")
def dynamodb() -> Iterator[DynamodbServer]:
    with run_dynamodb() as server:
        yield server
