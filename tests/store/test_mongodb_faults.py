"""MongoDB under faults of the network, the server and its callers."""

import contextlib
from collections.abc import Iterator

import pytest
from face import Face, until
from fault_suite import FaultSuite

from holdfast import open_store
from holdfast.errors import StoreTimeout
from holdfast.store.protocol import OpenStore
from servers.mongodb import run_mongodb
from servers.process import Server
from servers.proxy import Proxy, Swallow

pytestmark = [pytest.mark.server, pytest.mark.slow]


class TestMongodbFaults(FaultSuite):
    """One stand-in, which keeps its rows in memory."""

    timeout = 0.5

    @pytest.fixture(autouse=True)
    def _look_often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Pymongo looks for a lost server every 0.5 s; here servers are lost a thousand times."""
        monkeypatch.setattr("pymongo.common.MIN_HEARTBEAT_INTERVAL", 0.01)

    @classmethod
    @contextlib.contextmanager
    def run(cls) -> Iterator[Server]:
        with run_mongodb() as found:
            yield found.server

    def open(self, port: int, prefix: str) -> OpenStore:
        url = f"mongodb://127.0.0.1:{port}/faults?directConnection=true"
        return open_store(url, prefix=prefix, timeout=self.timeout)

    # pymongo looks whether a connection is dead when it was idle for a second, not before. What is
    # sent on a younger one is lost: a read is asked again, a swap ends as an unknown one, once.

    def test_connections_reset_while_idle(self, proxy: Proxy, face: Face) -> None:
        for _ in range(3):
            self.check_sound(face)
            proxy.reset()
            self.check_sound(face)
            proxy.reset()
            self.check_known_again(face, "x", b"v", b"v")

    def test_a_restart_that_nobody_noticed(self, server: Server, kind: str) -> None:
        with self.opened(server.port, kind) as face:
            face.do(lambda store: store.put("k", b"v"))
            server.kill()
            server.start()
            self.check_known_again(face, "new", None, b"v")
            for outcome in self.crowd(face, ["new"] * face.crowd):
                assert outcome.error is None
                assert outcome.value == b"v"

    def check_known_again(self, face: Face, key: str, old: bytes | None, new: bytes) -> None:
        first = face.attempt(lambda store: store.swap(key, old, new))
        if first.error is None:
            assert first.value is True
            return
        assert isinstance(first.error, StoreTimeout), "it may have been done"
        found = face.do(lambda store: store.get(key))
        assert found in (old, new)
        assert face.do(lambda store: store.swap(key, found, new)) is True

    def test_a_server_that_never_greets(self, proxy: Proxy, kind: str) -> None:
        with self.opened(proxy.port, kind) as face:
            with proxy.under(Swallow()):
                self.check_timely(face.attempt(lambda store: store.get("x")))
                for outcome in self.crowd(face, ["x"] * face.crowd):
                    self.check_timely(outcome, slack=0.6)
            # its search for servers may still wait for the silent one
            until(lambda: face.attempt(lambda store: store.get("x")).error is None, "it is found")
