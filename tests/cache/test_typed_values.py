"""Typed values: what a cached function returns comes back from a store as what it was."""

import asyncio
import dataclasses
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict

import ormsgpack
import pydantic
import pytest
from shop_types import PLACE, PRICE, ROW, SELLER, STOCK, Place, Price, Row, Seller, Stock, Unit

from holdfast.bridge import drive
from holdfast.cache import Cache
from holdfast.codec.compress import MAX_BYTES
from holdfast.codec.pickle import UnsafePickle
from holdfast.errors import CodecError, ConfigError
from holdfast.signing import KeyRing
from holdfast.store.memory import MemoryStore
from holdfast.store.protocol import Store
from holdfast.store.registry import open_store
from holdfast.testing.clock import ManualClock

NEW, OLD = b"q7Xw2mT9vLb4Zr8kYc1Nf6Hs3Jd5Gp0AeUiO7fk2q", b"Vx93hs02lkd81mPz6Rt4Wy7Bn5Cq1Fj8Ku3Ea0Ih"


@pytest.fixture
def rows() -> MemoryStore:
    return MemoryStore()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/c.db"
    with open_store(url) as made:
        yield made


class Events:
    """What a cache told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Mapping[str, object]]] = []

    def __call__(self, event: str, fields: Mapping[str, object]) -> None:
        if event in ("cache.other_form", "cache.corrupt"):
            self.told.append((event, fields))


CASES: list[tuple[Any, Any]] = [
    (Price, PRICE),
    (Stock, STOCK),
    (Seller, SELLER),
    (Place, PLACE),
    (Row, ROW),
    (Unit, Unit.KILO),
    (Price | None, PRICE),
    (Price | None, None),
    (Price | Stock | str, STOCK),
    (Price | Stock | str, "tea"),
    (list[Seller], [SELLER]),
    (dict[str, tuple[Place, ...]], {"a": (PLACE,)}),
    (set[Price], {PRICE}),
    (dict[Unit, Price], {Unit.PIECE: PRICE}),
    (list[int], [1, 2]),
    ("dict[str, Price]", {"a": PRICE}),
    (Any, [1, (2, {3})]),
]


def loader(annotation: object, value: object) -> Callable[[], object]:
    """Return a function that says it returns `annotation`; the same one for each."""

    def load() -> object:
        return value

    load.__annotations__["return"] = annotation
    return load


def unwanted(annotation: object) -> Callable[[], object]:
    load = loader(annotation, "created though it was there")
    load.__qualname__ = loader(annotation, None).__qualname__
    return load


def awaited(load: Callable[[], object]) -> Callable[[], Awaitable[object]]:
    async def later() -> object:
        return load()

    later.__annotations__ = load.__annotations__
    later.__qualname__ = load.__qualname__
    return later


@pytest.mark.parametrize(("annotation", "value"), CASES)
def test_threads_get_back_what_was_created(store: Store, annotation: object, value: object) -> None:
    created = Cache(store, near=False).cached()(loader(annotation, value))()
    assert created is value
    again = Cache(store, near=False).cached()(unwanted(annotation))()
    assert again == value
    assert type(again) is type(value)
    if value is not None and not isinstance(value, Unit | str):
        assert again is not value


@pytest.mark.parametrize(("annotation", "value"), CASES)
def test_tasks_get_back_what_was_created(store: Store, annotation: object, value: object) -> None:
    async def both() -> object:
        await Cache(store, near=False).cached()(awaited(loader(annotation, value)))()
        return await Cache(store, near=False).cached()(awaited(unwanted(annotation)))()

    again = asyncio.run(both())
    assert again == value
    assert type(again) is type(value)


def test_the_near_tier_keeps_the_object_itself(rows: MemoryStore) -> None:
    cache = Cache(rows)
    load = cache.cached()(loader(Price, PRICE))
    assert load() is load() is PRICE
    other = Cache(rows).cached()(unwanted(Price))
    assert other() is other()
    assert other() == PRICE


def test_a_cache_without_a_store_keeps_any_object() -> None:
    thing = object()
    load = Cache().cached()(loader("NowhereDefined", thing))
    assert load() is load() is thing


def test_every_way_to_ask_gives_the_type(rows: MemoryStore) -> None:
    first = Cache(rows, near=False).cached()(loader(Price, PRICE))
    assert first.refresh() is PRICE
    again = Cache(rows, near=False).cached()(unwanted(Price))
    assert again.peek() == PRICE
    again.invalidate()
    assert again.peek() is None


def test_methods_and_collected_generators(rows: MemoryStore) -> None:
    def shelf() -> Any:
        cache = Cache(rows, near=False)

        class Shelf:
            @classmethod
            @cache.cached()
            def best(cls) -> Price:
                return PRICE

            @staticmethod
            @cache.cached(collect=True)
            def prices() -> Iterator[Price]:
                yield PRICE

            @staticmethod
            @cache.cached(collect=True)
            async def later() -> AsyncIterator[Price]:
                yield PRICE

        return Shelf

    for one in (shelf(), shelf()):
        assert one.best() == PRICE
        assert one.prices() == [PRICE]
        assert asyncio.run(one.later()) == [PRICE]


def changed(field: str, kind: object) -> Any:
    return dataclasses.make_dataclass("Thing", [("name", str), (field, kind)])


def tuple_of(kind: Any) -> object:
    return tuple[kind, ...]


def test_a_changed_class_is_a_miss_and_is_told(rows: MemoryStore) -> None:
    before: Any = changed("price", int)
    after: Any = changed("price", str)
    Cache(rows, near=False).cached()(loader(tuple_of(before), (before("a", 1),)))()
    events = Events()
    new = Cache(rows, near=False, observer=events).cached()(
        loader(tuple_of(after), (after("a", "1"),))
    )
    assert new() == (after("a", "1"),)
    assert [event for event, _ in events.told][:1] == ["cache.other_form"]
    told = len(events.told)
    assert new() == (after("a", "1"),)  # its own stands there now
    assert len(events.told) == told
    old = Cache(rows, near=False).cached()(loader(tuple_of(before), (before("a", 1),)))
    assert old() == (before("a", 1),)


@pytest.mark.parametrize("sort", ["class", "typed dict", "model", "no annotation"])
def test_another_sort_of_result_is_a_miss(rows: MemoryStore, sort: str) -> None:
    make: Any = TypedDict
    others: dict[str, tuple[Any, Any]] = {
        "class": (changed("amount", int), None),
        "typed dict": (make("Thing", {"name": str}), {"name": "a"}),
        "model": (pydantic.create_model("Thing", name=(str, ...), amount=(int, ...)), None),
        "no annotation": (Any, "tea"),
    }
    kind, value = others[sort]
    if value is None:
        value = kind(name="a", amount=1)
    Cache(rows, near=False).cached()(loader(Price, PRICE))()
    assert Cache(rows, near=False).cached()(loader(kind, value))() == value
    assert Cache(rows, near=False).cached()(loader(Price, PRICE))() == PRICE


def test_stale_values_of_another_class_are_not_served(rows: MemoryStore) -> None:
    clock = ManualClock()
    before, after = changed("price", int), changed("price", str)

    def fails() -> Any:
        raise OSError("no database")

    fails.__annotations__["return"] = after
    fails.__qualname__ = loader(before, None).__qualname__
    options: Any = {"ttl": 10, "grace": 600}
    old = Cache(rows, near=False, clock=clock).cached(**options)(loader(before, before("a", 1)))
    old()
    clock.advance(20)
    with pytest.raises(OSError, match="no database"):
        Cache(rows, near=False, clock=clock).cached(**options)(fails)()


def test_without_the_function_its_plain_form_is_read(rows: MemoryStore) -> None:
    load = Cache(rows).cached()(loader(Price, PRICE))
    load()
    reader = Cache(rows)
    plain = {"amount": PRICE.amount, "unit": "KILO", "since": PRICE.since}
    assert reader.get(load.key()) == plain
    assert (
        reader.cached()(unwanted(Price))() == PRICE
    )  # the plain form is not kept for the function
    assert reader.get(load.key()) in (plain, PRICE)


def test_what_was_put_there_is_not_taken_for_the_functions_own(rows: MemoryStore) -> None:
    cache = Cache(rows, near=False)
    load = cache.cached()(loader(Price, PRICE))
    cache.put(load.key(), {"amount": 1, "unit": "KILO", "since": 2})
    assert load() == PRICE


@dataclasses.dataclass(frozen=True)
class Bargain(Price):
    """Would lose its end as a mere price."""

    until: str = "Friday"


BARGAIN = Bargain(PRICE.amount, PRICE.unit)


def test_a_subclass_is_refused_where_it_is_written(rows: MemoryStore) -> None:
    load = Cache(rows).cached()(loader(Price, BARGAIN))
    with pytest.raises(CodecError, match="Bargain where the annotation says"):
        load()
    assert rows.get(f"v:{load.key()}") is None
    assert Cache(rows, near=False).cached()(loader(Price | Bargain, BARGAIN))() == BARGAIN
    again = Cache(rows, near=False).cached()(unwanted(Price | Bargain))()
    assert type(again) is Bargain


def test_what_cannot_be_kept_says_what_mends_it(rows: MemoryStore) -> None:
    for annotation in (complex, Any, "Missing"):
        with pytest.raises(CodecError, match=r"loader\.<locals>\.load") as caught:
            Cache(rows).cached()(loader(annotation, 1j))()
        assert "type complex" in str(caught.value)
    assert "'Missing' is not defined" in str(caught.value)


@pytest.mark.parametrize("spoil", ["value", "form", "cut"])
def test_wrong_bytes_are_a_miss(rows: MemoryStore, spoil: str) -> None:
    events = Events()
    cache = Cache(rows, near=False, observer=events)
    load = cache.cached()(loader(Price, PRICE))
    load()
    [key] = [key for key in rows.scan("v:") if b"KILO" in (rows.get(key) or b"")]
    raw = rows.get(key) or b""
    if spoil == "value":
        rows.put(key, raw.replace(b"KILO", b"POND"))
    elif spoil == "form":
        parts = ormsgpack.unpackb(raw)
        assert parts[7]["form"]
        rows.put(key, ormsgpack.packb([*parts[:7], {**parts[7], "form": b"another!"}]))
    else:
        rows.put(key, raw[:-20])
    assert load() == PRICE
    expected = "cache.other_form" if spoil == "form" else "cache.corrupt"
    assert events.told[0][0] == expected
    assert Cache(rows, near=False).cached()(unwanted(Price))() == PRICE


def test_sealed_values_are_unreadable_and_bound_to_their_key(rows: MemoryStore) -> None:
    sealed = Cache(rows, near=False, secrets=[NEW])
    sealed.put("ada", "Lovelace")
    sealed.put("bob", "Builder")
    ada, bob = rows.get("v:ada") or b"", rows.get("v:bob") or b""
    assert b"Lovelace" not in ada
    rows.put("v:ada", bob)
    rows.put("v:bob", ada)
    fresh = Cache(rows, near=False, secrets=[NEW])
    assert fresh.get_many(["ada", "bob"]) == {}
    assert drive(fresh.aio.get("ada")) is None
    rows.put("v:ada", ada)
    assert fresh.get("ada") == "Lovelace"


def test_secrets_rotate(rows: MemoryStore) -> None:
    Cache(rows, near=False, secrets=[OLD]).put("ada", "Lovelace")
    assert Cache(rows, near=False, secrets=[NEW, OLD]).get("ada") == "Lovelace"
    assert Cache(rows, near=False, secrets=[NEW]).get("ada") is None
    assert Cache(rows, near=False).get("ada") is None


def test_sealed_and_typed(rows: MemoryStore) -> None:
    for load in (loader(Seller, SELLER), unwanted(Seller)):
        cache = Cache(rows, near=False, secrets=[NEW], compress_above=20)
        assert cache.cached()(load)() == SELLER


def test_sealed_counters_count(rows: MemoryStore) -> None:
    cache = Cache(rows, secrets=[NEW], compress_above=0)
    assert [cache.increment("n") for _ in range(3)] == [1, 2, 3]
    assert Cache(rows, secrets=[NEW], compress_above=0).get("n") == 3


def test_long_values_are_compressed(rows: MemoryStore) -> None:
    text = "tea " * 5000
    cache = Cache(rows, near=False, compress_above=1000)
    cache.put("long", text)
    assert len(rows.get("v:long") or b"") < 400
    assert cache.get("long") == text
    cache.put("short", "tea " * 5)
    assert b"tea tea" in (rows.get("v:short") or b"")


def test_a_bomb_is_a_miss(rows: MemoryStore) -> None:
    cache = Cache(rows, near=False, compress_above=0)
    cache.put("k", "x" * 500)
    parts = ormsgpack.unpackb(rows.get("v:k") or b"")
    parts[6] = b"\x01" + zlib.compress(bytes(MAX_BYTES + 1), 9)
    rows.put("v:k", ormsgpack.packb(parts))
    events = Events()
    assert Cache(rows, near=False, compress_above=0, observer=events).get("k") is None
    assert [event for event, _ in events.told] == ["cache.corrupt"]


def test_options_that_cannot_be_meant(rows: MemoryStore) -> None:
    with pytest.raises(ConfigError, match="above"):
        Cache(rows, compress_above=-1)
    with pytest.raises(ConfigError, match="secret"):
        Cache(rows, secrets="short")
    with pytest.raises(ConfigError, match="pickle is never chosen by name"):
        Cache(rows, codec="pickle")


def test_pickle_keeps_what_no_form_could(rows: MemoryStore) -> None:
    def cache() -> Cache:
        return Cache(rows, near=False, codec=UnsafePickle(KeyRing(NEW)))

    assert cache().cached()(loader(Price, BARGAIN))() is BARGAIN
    again = cache().cached()(unwanted(Price))()
    assert type(again) is Bargain
    assert again == BARGAIN
