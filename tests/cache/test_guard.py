"""The guard: an open breaker costs nothing, and one recovery sees to its end, whoever began it."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from tiers import FACES, Scene, scene_of, until

from holdfast.cache import Cache
from holdfast.cache.opening import DEADLINE
from holdfast.errors import ConfigError, StoreError, StoreTimeout, StoreUnavailable
from holdfast.store import registry
from holdfast.store.memory import MemoryStore
from holdfast.testing.faults import FaultyStore
from holdfast.testing.trial import in_processes, in_threads

pytestmark = pytest.mark.slow


@pytest.fixture(params=FACES)
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene_of("near and far", request.param) as made:
        yield made


def opened(store: FaultyStore, **options: Any) -> Cache:
    """Return a cache whose breaker is open; the store fails until it is mended."""
    cache = Cache(store, **options)
    store.fail()
    for _ in range(3):
        cache.get("k")
    assert cache.stats().far_open
    return cache


def count(store: FaultyStore) -> list[str]:
    """Return a list that gets the name of each operation the store is asked for."""
    asked: list[str] = []
    strike = store._weather._strike

    def noted(operation: str, keys: Any) -> Any:
        asked.append(operation)
        return strike(operation, keys)

    store._weather._strike = noted  # type: ignore[method-assign]
    return asked


def test_three_failures_in_a_row_open_it(scene: Scene) -> None:
    cache = scene.cache()
    scene.store.fail("get_many")
    for failures in range(1, 4):
        assert not cache.stats().far_open
        assert scene.call(cache, "get", "k") is None
        assert cache.stats().errors == failures
    assert cache.stats().far_open
    assert scene.told.count("cache.breaker_open") == 1
    scene.store.mend()
    until(lambda: not cache.stats().far_open)
    assert scene.told.count("cache.breaker_closed") == 1


def test_one_answer_forgets_the_failures(scene: Scene) -> None:
    cache = scene.cache()
    for _ in range(4):
        with scene.store.fail("get_many"):
            scene.call(cache, "get", "k")
            scene.call(cache, "get", "k")
        scene.call(cache, "get", "k")
    assert "cache.breaker_open" not in scene.told


def test_slow_is_not_down(scene: Scene) -> None:
    cache = scene.cache()
    scene.store.delay(seconds=30.0)
    for _ in range(5):
        scene.call(cache, "get_or_create", "k", lambda: 1)
        scene.call(cache, "delete", "k")
    assert "cache.breaker_open" not in scene.told
    scene.store.mend()


def test_while_it_is_open_the_store_is_left_alone(scene: Scene) -> None:
    cache = scene.cache(near_ttl=5)
    scene.call(cache, "put", "near", "here")
    scene.store.fail("get_many")
    asked = count(scene.store)
    scene.store.fail("ping")
    for _ in range(3):
        scene.call(cache, "get", "k")
    asked.clear()
    for number in range(50):
        name = f"k{number}"
        assert scene.call(cache, "get", name) is None
        assert scene.call(cache, "get_many", [name, "near"]) == {"near": "here"}
        assert scene.call(cache, "get_or_create", name, lambda: 1) == 1
        assert scene.call(cache, "get", name) == 1
        made = scene.call(cache, "get_or_create_many", [name, f"{name}b"], dict.fromkeys)
        assert made == {name: 1, f"{name}b": None}
        with pytest.raises(StoreUnavailable):
            scene.call(cache, "put", "p", 1)
        with pytest.raises(StoreUnavailable):
            scene.call(cache, "increment", "n")
        with pytest.raises(StoreUnavailable):
            scene.call(cache, "delete", name)
    assert set(asked) <= {"ping"}
    scene.clock.advance(5)
    assert scene.call(cache, "get", "near") is None
    scene.store.mend()
    until(lambda: not cache.stats().far_open)


def test_contains_fails_open() -> None:
    store = FaultyStore(MemoryStore())
    with opened(store) as cache:
        assert "k" not in cache
        store.mend()


def test_one_recovery_for_all_threads_and_both_faces() -> None:
    store = FaultyStore(MemoryStore())
    with opened(store) as cache:
        asked = count(store)

        def ask(_number: int) -> None:
            async def work() -> None:
                await asyncio.gather(*(cache.aio.get(f"k{number}") for number in range(20)))

            for number in range(20):
                cache.get(f"k{number}")
            asyncio.run(work())

        in_threads(8, ask)
        until(lambda: "ping" in asked)
        sleeping = [each for each in threading.enumerate() if each.name == "holdfast"]
        store.mend()
        until(lambda: not cache.stats().far_open)
        assert asked.count("ping") <= 8, asked  # 0.1, 0.2, 0.4 ... seconds apart
        assert len(sleeping) <= len([t for t in threading.enumerate() if t.name == "holdfast"])


@pytest.mark.parametrize("how", ["cancelled", "closed"])
def test_a_recovery_outlives_the_loop_it_began_in(how: str) -> None:
    """Each request has a loop of its own in some programs, which ends long before the first ask."""
    store = FaultyStore(MemoryStore())
    with Cache(store) as cache:

        async def work() -> None:
            for _ in range(3):
                assert await cache.aio.get("k") is None

        store.fail()
        if how == "cancelled":
            asyncio.run(work())
        else:
            loop = asyncio.new_event_loop()
            loop.run_until_complete(work())
            loop.close()
        assert cache.stats().far_open
        store.mend()
        until(lambda: not cache.stats().far_open)


def test_an_observer_that_raises_does_not_end_the_recovery() -> None:
    store = FaultyStore(MemoryStore())
    raised: list[str] = []

    def observe(event: str, _fields: object) -> None:
        if event in ("cache.breaker_closed", "cache.invalidation_replayed"):
            raised.append(event)
            raise LookupError(event)

    with Cache(store, observer=observe) as cache:
        cache.put("k", 1)
        store.fail()
        for _ in range(3):
            with pytest.raises(StoreError):
                cache.delete("k")
        store.mend()
        until(lambda: not cache.stats().far_open and not cache.stats().pending)
        assert set(raised) == {"cache.breaker_closed", "cache.invalidation_replayed"}
        assert store.get("v:k") is None
        store.fail()  # and the next one finds its threads as they were
        for _ in range(3):
            cache.get("x")
        store.mend()
        until(lambda: not cache.stats().far_open)


def test_no_thread_to_be_had_is_no_error_of_a_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    store = FaultyStore(MemoryStore())
    with Cache(store) as cache:
        from holdfast import bridge  # noqa: PLC0415 - its threads are used up here
        from holdfast.background import Background  # noqa: PLC0415 - the same

        with monkeypatch.context() as patch:
            patch.setattr(bridge, "_apart", Background(1))
            patch.setattr(threading.Thread, "start", refuse)
            store.fail()
            for _ in range(5):
                assert cache.get("k", "fails open") == "fails open"
        store.mend()
        cache.get("k")  # there are threads again
        until(lambda: not cache.stats().far_open)


@pytest.mark.parametrize("how", ["closed", "forgotten"])
def test_a_cache_that_is_gone_is_recovered_no_more(how: str) -> None:
    store = FaultyStore(MemoryStore())
    cache = opened(store)
    core = weakref.ref(cache._core.recovery)
    asked = count(store)
    until(lambda: "ping" in asked)
    if how == "closed":
        cache.close()
        until(cache._core.recovery.take)
        cache.get("k")
        cache._core.recovery.give_back()
    del cache

    def gone() -> bool:
        gc.collect()
        return core() is None

    until(gone)
    asked.clear()
    store.mend()
    assert asked == []


def test_a_child_recovers_by_itself() -> None:
    store = FaultyStore(MemoryStore())
    with opened(store) as cache:

        def work(_number: int) -> None:
            assert cache.stats().far_open
            store.mend()
            cache.get("k")  # this process has no recovery yet
            until(lambda: not cache.stats().far_open)
            cache.put("k", 1)
            assert cache.get("k") == 1

        assert in_processes(2, work) == [0, 0]
        assert cache.stats().far_open
        store.mend()
        until(lambda: not cache.stats().far_open)


def test_recovery_is_no_stampede() -> None:
    """Those who were refused meanwhile come one by one, not all at once for one value."""
    store = FaultyStore(MemoryStore())
    with opened(store, near=False) as cache:
        store.mend()
        until(lambda: not cache.stats().far_open)
        runs: list[int] = []

        def create() -> int:
            runs.append(1)
            return 1

        in_threads(16, lambda _: cache.get_or_create("k", create))
        assert len(runs) == 1


# Deadlines


def timeout_of(cache: Cache) -> float:
    store: Any = cache._engines.store
    return float(store._settings.timeout)


@pytest.mark.parametrize(
    ("url", "deadline", "seconds"),
    [
        ("redis://127.0.0.1:1", None, 0.25),
        ("redis://127.0.0.1:1?timeout=3", None, 3.0),
        ("redis://127.0.0.1:1", "2s", 2.0),
        ("redis://127.0.0.1:1?timeout=3", 0.5, 0.5),
    ],
)
def test_a_store_by_url_answers_within_the_deadline(
    url: str, deadline: Any, seconds: float
) -> None:
    with Cache(url, deadline=deadline, bus=None) as cache:
        assert timeout_of(cache) == seconds


def test_the_timeout_of_a_driver_is_not_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []

    def note(_target: object, **options: object) -> MemoryStore:
        given.append(options)
        return MemoryStore()

    monkeypatch.setattr(registry, "open_store", note)
    Cache("postgresql+psycopg://ada@127.0.0.1:1/db?connect_timeout=9", bus=None).close()
    assert given == [{"timeout": DEADLINE}]


def test_a_store_of_others_may_know_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    def opens(_url: str) -> MemoryStore:
        return MemoryStore()

    entry = SimpleNamespace(value="theirs:opens", load=lambda: opens)
    monkeypatch.setattr(registry, "entry_points", lambda *_: [entry])
    with Cache("theirs://somewhere") as cache:
        cache.put("k", 1)
        assert cache.get("k") == 1
    with pytest.raises(ConfigError, match="timeout"):
        Cache("theirs://somewhere", deadline=3)


def test_a_ready_client_has_the_deadline_too() -> None:
    redis = pytest.importorskip("redis")
    with Cache(redis.Redis(port=1), bus=None) as cache:
        assert timeout_of(cache) == 0.25
    with Cache(redis.Redis(port=1), bus=None, deadline=3) as cache:
        assert timeout_of(cache) == 3


def test_a_ready_client_with_an_attribute_of_every_name_is_no_open_store() -> None:
    pymongo = pytest.importorskip("pymongo")
    client = pymongo.MongoClient("mongodb://127.0.0.1:1", connect=False)
    with client, Cache(client, deadline=3) as cache:
        assert type(cache._engines.store).__name__ == "MongodbStore"


def test_an_open_store_keeps_its_own() -> None:
    with MemoryStore() as store, pytest.raises(ConfigError, match="deadline"):
        Cache(store, deadline=3)


def test_a_deadline_that_passes_is_a_failure() -> None:
    store = FaultyStore(MemoryStore())
    with Cache(store) as cache:
        store.hang(seconds=0.01)
        assert cache.get("k", "nothing") == "nothing"
        with pytest.raises(StoreTimeout):
            cache.put("k", 1)
        cache.get("k")
        assert cache.stats().far_open
        store.mend()
        until(lambda: not cache.stats().far_open)
