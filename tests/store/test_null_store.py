"""The null store keeps nothing, and refuses what every store refuses."""

import asyncio

import pytest

from holdfast.errors import KeyRejected, StoreUnavailable
from holdfast.store.null import NullStore
from holdfast.store.protocol import OpenStore
from holdfast.testing.store_contract import BAD_KEYS, OPERATIONS


def test_it_keeps_nothing() -> None:
    store = NullStore()
    assert isinstance(store, OpenStore)
    store.put("k", b"v")
    store.put_many({"k": b"v"})
    assert store.get("k") is None
    assert store.get_many(["k"]) == {}
    assert store.swap("k", None, b"v")
    assert store.swap("k", None, b"v"), "it is still absent"
    assert not store.swap("k", b"v", b"w")
    assert not store.delete("k")
    assert store.delete_many(["k"]) == 0
    assert store.increment("n", 3) == 3
    assert store.increment("n", 3) == 3
    assert store.apply("k", lambda old: (b"v", None, old)) is None
    assert list(store.scan()) == []
    assert store.sweep() == 0
    store.ping()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_rejects_bad_keys(operation: str) -> None:
    store = NullStore()
    for key in BAD_KEYS:
        with pytest.raises(KeyRejected):
            asyncio.run(_awaited(store, operation, key))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_closed_it_raises(operation: str) -> None:
    store = NullStore()
    store.close()
    with pytest.raises(StoreUnavailable):
        asyncio.run(_awaited(store, operation, "k"))


async def _awaited(store: NullStore, operation: str, key: str) -> None:
    await OPERATIONS[operation](store.aio, key)
