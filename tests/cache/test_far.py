"""The far tier: keys and bytes anybody can read, and what is absent though bytes are there."""

from collections.abc import Iterator

import ormsgpack
import pytest

from holdfast.cache import Cache
from holdfast.codec.msgpack import Msgpack
from holdfast.errors import CodecError, ConfigError, StoreError
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def rows(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock=clock)


@pytest.fixture(params=["near", "far only"])
def cache(request: pytest.FixtureRequest, rows: MemoryStore, clock: ManualClock) -> Iterator[Cache]:
    with Cache(rows, prefix="shop", clock=clock, near=request.param == "near") as made:
        yield made


def other(rows: MemoryStore, clock: ManualClock) -> Cache:
    """Return the cache of another process."""
    return Cache(rows, prefix="shop", clock=clock)


def test_the_bytes_are_what_the_reference_says(
    cache: Cache, rows: MemoryStore, clock: ManualClock
) -> None:
    cache.put("price:7", 12, ttl=60, grace=600, tags=["prices"])
    kind, nonce, stamp, fresh, stale, labels, value = ormsgpack.unpackb(
        rows.get("shop:v:price:7") or b""
    )
    assert (kind, len(nonce), stamp) == (1, 16, clock.now)
    assert (fresh, stale) == (clock.now + 60, clock.now + 660)
    assert labels == {"n:~all": rows.get("shop:n:~all"), "t:prices": rows.get("shop:t:prices")}
    assert Msgpack().decode(value) == 12


def test_no_end_is_nil_and_has_no_ttl(cache: Cache, rows: MemoryStore, clock: ManualClock) -> None:
    cache.put("k", 1, ttl=None)
    assert ormsgpack.unpackb(rows.get("shop:v:k") or b"")[3:5] == [None, None]
    clock.advance(10**9)
    assert cache.get("k") == 1


def test_another_process_reads_it(cache: Cache, rows: MemoryStore, clock: ManualClock) -> None:
    cache.put("k", {"a": (1, 2)})
    assert other(rows, clock).get("k") == {"a": (1, 2)}
    assert other(rows, clock).get_or_create("k", lambda: None) == {"a": (1, 2)}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xc1",
        b"garbage",
        ormsgpack.packb([1, b"n"]),
        ormsgpack.packb([9, b"n", 1.0, None, None, {}, b"\x01"]),
        ormsgpack.packb([1, b"n", 1.0, None, None, {}, b"\xc1"]),
        ormsgpack.packb([1, b"n", 1.0, "x", None, {}, b"\x01"]),
    ],
)
def test_bytes_that_are_no_entry_are_a_miss(
    raw: bytes, rows: MemoryStore, clock: ManualClock
) -> None:
    told: list[str] = []
    cache = Cache(rows, clock=clock, observer=lambda event, _fields: told.append(event))
    rows.put("v:k", raw)
    assert cache.get("k", "nothing") == "nothing"
    assert "k" not in cache
    assert cache.get_or_create("k", lambda: "made") == "made"
    assert cache.get("k") == "made"
    assert told[:1] == ["cache.corrupt"]


def test_a_lost_stamp_is_a_miss(rows: MemoryStore, clock: ManualClock) -> None:
    cache = Cache(rows, prefix="shop", clock=clock, near=False)
    cache.put("k", 1, tags=["t"])
    assert cache.get("k") == 1
    rows.delete("shop:t:t")
    assert cache.get("k") is None
    cache.put("k", 2, tags=["t"])
    assert cache.get("k") == 2
    rows.delete("shop:n:~all")
    assert cache.get("k") is None


def test_counters_are_never_kept_near(rows: MemoryStore, clock: ManualClock) -> None:
    here, there = other(rows, clock), other(rows, clock)
    assert here.increment("visits") == 1
    assert here.get("visits") == 1
    assert there.increment("visits", 4) == 5
    assert here.get("visits") == 5


def test_a_counter_keeps_its_ttl_and_can_be_invalidated(cache: Cache, clock: ManualClock) -> None:
    cache.increment("n", ttl=10, tags=["t"])
    clock.advance(9)
    assert cache.increment("n") == 2
    clock.advance(1)
    assert cache.increment("n", ttl=10, tags=["t"]) == 1
    cache.invalidate_tags("t")
    assert cache.increment("n", -3) == -3


def test_counting_goes_on_from_what_was_put(cache: Cache) -> None:
    cache.put("n", 40)
    assert cache.increment("n", 2) == 42
    assert cache.get("n") == 42
    cache.put("n", "text")
    with pytest.raises(TypeError, match="'n' holds no integer"):
        cache.increment("n")


def test_a_value_the_codec_cannot_write_names_its_key(cache: Cache) -> None:
    with pytest.raises(CodecError, match="basket:7") as caught:
        cache.put("basket:7", object())
    assert caught.value.name == "basket:7"
    with pytest.raises(CodecError, match="basket:8"):
        cache.get_or_create("basket:8", object)
    assert cache.get_or_create("basket:8", lambda: 1) == 1


def test_near_ttl_bounds_what_another_process_deleted(
    rows: MemoryStore, clock: ManualClock
) -> None:
    here, there = other(rows, clock), other(rows, clock)
    here.put("k", "old", near_ttl=5)
    there.delete("k")
    clock.advance(4.9)
    assert here.get("k") == "old"
    clock.advance(0.1)
    assert here.get("k") is None


def test_near_ttl_zero_asks_the_store_each_time(rows: MemoryStore, clock: ManualClock) -> None:
    here = Cache(rows, clock=clock, near_ttl=0)
    here.put("k", 1)
    rows.delete("v:k")
    assert here.get("k") is None


def test_many_at_once(cache: Cache, rows: MemoryStore, clock: ManualClock) -> None:
    cache.put_many({"a": 1, "b": 2, "c d": None}, ttl=10, tags=["t"])
    assert cache.get_many(["a", "b", "c d", "e"]) == {"a": 1, "b": 2, "c d": None}
    assert other(rows, clock).get_many(["a", "x", "c d"]) == {"a": 1, "c d": None}
    assert cache.delete_many(["a", "e"]) == 1
    assert other(rows, clock).get_many(["a", "b"]) == {"b": 2}
    cache.invalidate_tags("t")
    assert cache.get_many(["a", "b", "c d"]) == {}


@pytest.mark.parametrize("name", ["a b", "é", "x" * 1000, "", "\0", "sha256-1", "a:b", "{}"])
def test_any_text_is_a_key(cache: Cache, name: str) -> None:
    cache.put(name, name)
    assert cache.get(name) == name
    assert cache.delete(name)
    assert name not in cache


def test_names_never_meet_across_namespaces(cache: Cache) -> None:
    users, deep = cache.namespace("users"), cache.namespace("users").namespace("x")
    for place, name in [
        (cache, "users:7"),
        (users, "7"),
        (cache, "\0users\x007"),
        (cache, "users.x:7"),
        (users, "x:7"),
        (deep, "7"),
        (users, "\0x\x007"),
        (cache, "\0\0users\x007"),
    ]:
        assert place.get(name) is None, name
        place.put(name, repr((place, name)))
        assert place.get(name) == repr((place, name))


def test_clear_takes_the_namespaces_below_and_no_other(cache: Cache) -> None:
    users, shops = cache.namespace("users"), cache.namespace("shops")
    deep = users.namespace("deep")
    for place in (cache, users, shops, deep):
        place.put("k", 1)
    users.clear()
    assert [place.get("k") for place in (cache, users, shops, deep)] == [1, None, 1, None]
    cache.clear()
    assert [place.get("k") for place in (cache, users, shops, deep)] == [None] * 4


def test_tags_are_those_of_the_whole_cache(cache: Cache) -> None:
    users = cache.namespace("users")
    users.put("k", 1, tags=["t"])
    cache.put("k", 2, tags=["~any", "~all"])
    cache.invalidate_tags("t")
    assert users.get("k") is None
    assert cache.get("k") == 2
    cache.invalidate_tags("~any")
    assert cache.get("k") is None


@pytest.mark.parametrize("name", ["", "a.b", "a:b", "~all", "x" * 41, "é", "a b"])
def test_a_namespace_has_a_plain_name(cache: Cache, name: str) -> None:
    with pytest.raises(ConfigError, match="namespace"):
        cache.namespace(name)


def test_the_codec_may_be_named(rows: MemoryStore, clock: ManualClock) -> None:
    cache = Cache(rows, codec="json", clock=clock)
    cache.put("k", [1])
    assert ormsgpack.unpackb(rows.get("v:k") or b"")[6] == b"[1]"
    with pytest.raises(ConfigError, match="codec="):
        Cache(codec="pickle")


def test_an_async_face_is_no_store(rows: MemoryStore) -> None:
    with pytest.raises(ConfigError, match=r"cache\.aio"):
        Cache(rows.aio)


def test_a_cache_opens_a_url_and_closes_it() -> None:
    with Cache("memory://") as cache:
        cache.put("k", 1)
        assert cache.get("k") == 1
    with pytest.raises(StoreError):
        cache.put("k", 2)
    with pytest.raises(ConfigError, match="near=False"):
        Cache(near=False)
