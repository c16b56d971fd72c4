"""DynamoDB under faults of the network, the server and its callers."""

import contextlib
from collections.abc import Iterator

import pytest
from face import Face, until
from fault_base import KEYS, OPERATIONS, getting, value_of
from fault_suite import FaultSuite

from holdfast import open_store
from holdfast.errors import StoreUnavailable
from holdfast.store.protocol import OpenStore
from servers.dynamodb import ACCOUNT, run_dynamodb
from servers.process import Server
from servers.proxy import Hold, Proxy, Swallow

pytestmark = [pytest.mark.server, pytest.mark.slow]


class TestDynamodbFaults(FaultSuite):
    """One moto, which keeps its tables in memory."""

    timeout = 0.5
    connections = 130  # of 64 threads, and those that moto is just closing
    large = 300_000  # an item has 400 KB at most

    @classmethod
    @contextlib.contextmanager
    def run(cls) -> Iterator[Server]:
        with run_dynamodb() as found:
            yield found.server

    @pytest.fixture(autouse=True)
    def account(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let tests without the server have credentials, too: none are looked for elsewhere."""
        for name, value in ACCOUNT.items():
            monkeypatch.setenv(name, value)

    def open(self, port: int, prefix: str) -> OpenStore:
        given: dict[str, object] = {"region": "eu-west-1", "create": True, "timeout": self.timeout}
        where = f"http://127.0.0.1:{port}"
        return open_store("dynamodb://faults", endpoint=where, prefix=prefix, **given)

    # moto closes each connection after its reply: where a reply is lost, that is seen, and is no
    # silence.

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_a_black_hole_ends_at_the_deadline(
        self, proxy: Proxy, face: Face, operation: str
    ) -> None:
        for hole in (Hold, Swallow):
            with proxy.under(hole()):
                self.check_timely(face.attempt(OPERATIONS[operation]))
            for key in KEYS[:3]:
                assert face.calmly(getting(key)) == value_of(key)

    @pytest.mark.parametrize("hole", ["hold", "swallow"])
    def test_a_crowd_in_a_black_hole(self, proxy: Proxy, face: Face, hole: str) -> None:
        super().test_a_crowd_in_a_black_hole(proxy, face, hole)

    def test_close_leaves_no_connection(self, proxy: Proxy, face: Face) -> None:
        self.check_sound(face)
        face.close()
        until(lambda: proxy.open == 0, "the last connection is closed")
        with pytest.raises(StoreUnavailable, match="the store is closed"):
            face.store.get("x")

    # It forgets its tables when it dies: test_dynamodb_ways.py kills one.

    @pytest.mark.skip("its tables are gone")
    def test_a_killed_server_comes_back(self, server: Server, kind: str) -> None:
        raise NotImplementedError

    @pytest.mark.skip("its tables are gone")
    def test_a_restart_that_nobody_noticed(self, server: Server, kind: str) -> None:
        raise NotImplementedError
