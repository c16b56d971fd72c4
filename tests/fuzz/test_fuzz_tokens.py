"""Item 5 of the security list: tokens nobody was given, a million of them, leave nothing behind."""

import secrets
import sys

import pytest

from holdfast import Sessions, open_store
from holdfast.store.abilities import CanScan
from holdfast.store.memory import MemoryStore
from holdfast.store.protocol import OpenStore
from holdfast.store.wrap import ReadOnly
from servers.redis import RedisServer

SILENT = (None, None, False)  # no token, no age, nothing to forget
FIRST = 1000  # after these, whatever is made once has been made
BLOCKS = 1000  # of memory: what the interpreter itself takes now and then


def rows(store: OpenStore) -> list[str]:
    assert isinstance(store, CanScan)
    return sorted(store.scan())


def visit(sessions: Sessions, times: int) -> None:
    """Look at a session with so many random tokens; the answers say nothing to the clients."""
    for _ in range(times):
        session = sessions.load(secrets.token_urlsafe(32))
        assert session.user is None
        assert sessions.commit(session) == SILENT


class Kept(MemoryStore):
    """A store in memory that can be closed to writers, without a wrapper's cost.

    Attributes:
        keeps: Whether it is.
    """

    keeps = False

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        assert not self.keeps
        return super().swap(key, old, new, ttl)

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        assert not self.keeps
        super().put(key, value, ttl)


def assert_nothing_is_left(store: OpenStore, reader: Sessions, times: int) -> None:
    """Assert that nothing is written, and nothing remembered."""
    writer = Sessions(store)
    session = writer.load(None)
    session["known"] = 1
    token = writer.commit(session).token
    before = rows(store)
    if isinstance(store, Kept):
        store.keeps = True
    visit(reader, FIRST)
    blocks = sys.getallocatedblocks()
    visit(reader, times - FIRST)
    assert sys.getallocatedblocks() - blocks < BLOCKS
    assert rows(store) == before
    assert reader.load(token)["known"] == 1


@pytest.mark.slow
def test_005_a_million_invented_tokens_leave_nothing() -> None:
    with Kept() as store:
        assert_nothing_is_left(store, Sessions(store), 1_000_000)


@pytest.mark.slow
@pytest.mark.server
def test_005_invented_tokens_leave_nothing_in_redis(redis_server: RedisServer) -> None:
    prefix = f"fuzz-{secrets.token_hex(4)}"
    with open_store(f"{redis_server.url}?timeout=30&prefix={prefix}") as store:
        assert_nothing_is_left(store, Sessions(ReadOnly(store)), 20_000)
