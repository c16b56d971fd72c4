"""What holds for every wrapper: exactly the abilities inside, one name, and one close for all."""

import asyncio
from collections.abc import Callable

import pytest
from insides import Counting, Plain

from holdfast.errors import StoreUnavailable
from holdfast.store.abilities import (
    AsyncCanIncrement,
    CanApply,
    CanIncrement,
    CanScan,
    CanSweep,
    CanTellTtl,
)
from holdfast.store.memory import MemoryStore
from holdfast.store.protocol import OpenStore
from holdfast.store.sqlite import SqliteStore
from holdfast.store.wrap import Metered, Prefixed, ReadOnly, Retrying, Sealed

SECRET = "0b8a5c1f-9d27-4e63-a1f4-77c3be2d9e01"
WRAPPERS: dict[str, Callable[[OpenStore], OpenStore]] = {
    "Prefixed": lambda store: Prefixed(store, "shop"),
    "ReadOnly": ReadOnly,
    "Metered": Metered,
    "Retrying": Retrying,
    "Sealed": lambda store: Sealed(store, SECRET),
    "all": lambda store: Prefixed(Metered(Retrying(ReadOnly(store))), "shop"),
}
every_wrapper = pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)


@every_wrapper
def test_all_abilities_pass(wrap: Callable[[OpenStore], OpenStore]) -> None:
    store = wrap(MemoryStore())
    assert isinstance(store, OpenStore)
    for ability in (CanApply, CanScan, CanSweep, CanTellTtl):
        assert isinstance(store, ability)
    assert isinstance(store, CanIncrement) is not isinstance(store, Sealed)
    assert not isinstance(store.aio, AsyncCanIncrement), "the face inside has none"


@every_wrapper
def test_no_ability_is_made_up(wrap: Callable[[OpenStore], OpenStore]) -> None:
    store = wrap(Plain())
    assert isinstance(store, OpenStore)
    for ability in (CanApply, CanIncrement, CanScan, CanSweep, CanTellTtl):
        assert not isinstance(store, ability)
    assert not isinstance(store.aio, AsyncCanIncrement)


@every_wrapper
def test_the_async_face_increments_where_the_one_inside_does(
    wrap: Callable[[OpenStore], OpenStore],
) -> None:
    store = wrap(Counting())
    assert isinstance(store.aio, AsyncCanIncrement) is not isinstance(store, Sealed)


@pytest.mark.parametrize("name", ["Prefixed", "Metered", "Retrying"])
def test_increment_counts_on_both_faces(name: str) -> None:
    inside = Counting()
    store = WRAPPERS[name](inside)
    assert isinstance(store, CanIncrement)
    assert isinstance(store.aio, AsyncCanIncrement)
    assert store.increment("n", 40, 60) == 40
    assert asyncio.run(store.aio.increment("n", 2, ttl=60)) == 42
    assert store.get("n") == b"42"
    assert inside.rows.get("shop:n" if name == "Prefixed" else "n") == b"42"


@every_wrapper
def test_it_waits_as_the_store_inside_does(
    wrap: Callable[[OpenStore], OpenStore], tmp_path_factory: pytest.TempPathFactory
) -> None:
    quick, slow = wrap(MemoryStore()), wrap(SqliteStore(tmp_path_factory.mktemp("rows") / "r.db"))
    waits = wrap in (WRAPPERS["Retrying"], WRAPPERS["all"])  # between two attempts
    assert getattr(quick, "never_waits", None) is not waits
    assert getattr(slow, "never_waits", None) is False


@every_wrapper
def test_it_is_called_as_the_store_inside(wrap: Callable[[OpenStore], OpenStore]) -> None:
    store = wrap(MemoryStore("rows"))
    assert store.name in {"rows", "rows (shop)"}
    assert "rows" in repr(store)
    assert type(store).__name__ in repr(store)


@every_wrapper
@pytest.mark.parametrize("face", ["sync", "aio", "with"])
def test_closing_it_closes_the_store_inside(
    wrap: Callable[[OpenStore], OpenStore], face: str
) -> None:
    inside = MemoryStore()
    store = wrap(inside)
    if face == "sync":
        store.close()
    elif face == "aio":
        asyncio.run(store.aio.close())
    else:
        with store:
            store.ping()
    with pytest.raises(StoreUnavailable):
        inside.get("k")
    with pytest.raises(StoreUnavailable):
        store.get("k")
    with pytest.raises(StoreUnavailable):
        asyncio.run(store.aio.get("k"))


@every_wrapper
def test_the_async_face_is_one_object(wrap: Callable[[OpenStore], OpenStore]) -> None:
    store = wrap(MemoryStore())
    assert store.aio is store.aio
