"""The places of old data, for the tests of it: a folder, and databases that are theirs.

It is a plugin (see conftest.py at the root): five modules ask for it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from servers.memcached import MemcachedServer, run_memcached
from servers.mongodb import MongodbServer
from servers.redis import RedisServer

if TYPE_CHECKING:
    from compat.old_beaker import Places

__all__ = ["memcached", "places"]


@pytest.fixture(scope="module")
def memcached() -> Iterator[MemcachedServer]:
    """Give a server of the module's own: its keys have no room for whose they are."""
    with run_memcached() as running:
        yield running


@pytest.fixture
def places(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    redis_server: RedisServer,
    mongodb: MongodbServer,
    memcached: MemcachedServer,
) -> Iterator["Places"]:
    """Give the places, and close what the test opened there."""
    from compat.beaker_clients import closing_clients  # noqa: PLC0415 - not for the other tests
    from compat.old_beaker import Places  # noqa: PLC0415 - the same

    module = request.module.__name__.rpartition(".")[2]
    with closing_clients():
        yield Places(
            tmp_path,
            redis=f"{redis_server.url}/5",
            memcached=f"127.0.0.1:{memcached.port}",
            mongodb=f"{mongodb.url}/{module}",
        )
