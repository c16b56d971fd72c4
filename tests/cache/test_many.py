"""Many values at once: one read, one creation of each, and nobody waits for ever."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest
from tiers import FACES, TIERS, Scene, scene_of

from holdfast import creation
from holdfast.cache import Cache
from holdfast.errors import CodecError
from holdfast.store.wrap.metered import Metered

CALLERS = 20


@pytest.fixture(params=TIERS)
def tiers(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=FACES)
def scene(tiers: str, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene_of(tiers, request.param) as made:
        yield made


class Load:
    """A loader that remembers what it was asked for.

    Attributes:
        asked: The keys of each run.
        without: The keys it leaves out.
        failure: Raised instead, if there is one.
    """

    def __init__(self, *without: str) -> None:
        self.asked: list[list[str]] = []
        self.without = without
        self.failure: Exception | None = None

    def __call__(self, names: list[str]) -> dict[str, str]:
        self.asked.append(names)
        if self.failure is not None:
            raise self.failure
        return {name: f"{name}{len(self.asked)}" for name in names if name not in self.without}


def many(scene: Scene, cache: Cache, names: Iterable[str], load: Any, **options: Any) -> Any:
    return scene.call(cache, "get_or_create_many", names, load, **options)


def test_what_is_missing_is_made_at_once_and_in_order(scene: Scene) -> None:
    cache, load = scene.cache(), Load()
    cache.put("b", "there")
    answer = many(scene, cache, ["c", "b", "a"], load)
    assert list(answer.items()) == [("c", "c1"), ("b", "there"), ("a", "a1")]
    assert load.asked == [["c", "a"]]
    assert many(scene, cache, ["a", "b", "c", "d"], load)["d"] == "d2"
    assert load.asked == [["c", "a"], ["d"]]


def test_duplicates_are_asked_for_once(scene: Scene) -> None:
    load = Load()
    assert many(scene, scene.cache(), ["a", "b", "a"], load) == {"a": "a1", "b": "b1"}
    assert load.asked == [["a", "b"]]


@pytest.mark.parametrize("enabled", [True, False])
def test_of_nothing_there_is_nothing_to_make(scene: Scene, *, enabled: bool) -> None:
    load = Load()
    assert many(scene, scene.cache(enabled=enabled), [], load) == {}
    assert load.asked == []


def test_a_cache_that_is_off_makes_all_of_them_each_time(scene: Scene) -> None:
    cache, load = scene.cache(enabled=False), Load("b")
    assert many(scene, cache, ["a", "b"], load) == {"a": "a1"}
    assert many(scene, cache, ["a", "b"], load) == {"a": "a2"}


def test_a_key_that_is_left_out_does_not_exist_and_is_asked_for_again(scene: Scene) -> None:
    cache, load = scene.cache(), Load("b", "c")
    assert many(scene, cache, ["a", "b", "c"], load) == {"a": "a1"}
    assert many(scene, cache, ["a", "b", "c"], load) == {"a": "a1"}
    assert load.asked == [["a", "b", "c"], ["b", "c"]]
    assert scene.store.get("v:b") is None  # no marker either


def test_none_is_a_value(scene: Scene) -> None:
    cache = scene.cache()
    assert many(scene, cache, ["a"], dict.fromkeys) == {"a": None}
    assert many(scene, cache, ["a"], Load()) == {"a": None}


def test_a_loader_says_tags_and_ttl_for_all_it_makes(scene: Scene) -> None:
    cache, load = scene.cache(ttl=10, tags=["given"]), Load()

    def tagged(names: list[str]) -> dict[str, str]:
        creation().tag("late")
        creation().ttl = 60
        return load(names)

    for tag in ("late", "given"):
        many(scene, cache, ["a", "b"], tagged)
        scene.clock.advance(50)
        assert len(scene.call(cache, "get_many", ["a", "b"])) == 2
        scene.call(cache, "invalidate_tags", tag)
        assert scene.call(cache, "get_many", ["a", "b"]) == {}
    assert load.asked == [["a", "b"]] * 2


def test_a_loader_that_skips_keeps_nothing(scene: Scene) -> None:
    cache, load = scene.cache(), Load()

    def skip(names: list[str]) -> dict[str, str]:
        creation().skip()
        return load(names)

    assert many(scene, cache, ["a", "b"], skip) == {"a": "a1", "b": "b1"}
    assert many(scene, cache, ["a", "b"], skip) == {"a": "a2", "b": "b2"}


def test_a_loader_that_fails_where_all_are_stale_serves_them(scene: Scene) -> None:
    cache, load = scene.cache(ttl=10, grace=100), Load()
    many(scene, cache, ["a", "b"], load)
    scene.clock.advance(20)
    load.failure = LookupError("down")
    assert many(scene, cache, ["a", "b"], load) == {"a": "a1", "b": "b1"}
    with pytest.raises(LookupError):
        many(scene, cache, ["a", "b", "c"], load)
    assert scene.store.get("v:c") is None
    load.failure = None
    assert many(scene, cache, ["a", "c"], load) == {"a": "a4", "c": "c4"}


def test_after_a_failure_a_dead_source_is_left_in_peace(scene: Scene) -> None:
    cache, load = scene.cache(ttl=10, grace=100, retry_after=20), Load()
    many(scene, cache, ["a", "b"], load)
    scene.clock.advance(20)
    load.failure = LookupError("down")
    for _ in range(3):
        assert many(scene, cache, ["a", "b"], load) == {"a": "a1", "b": "b1"}
    assert len(load.asked) == 2


@pytest.mark.parametrize("how", ["delete", "tags", "clear"])
def test_an_invalidation_beats_what_is_being_made(scene: Scene, how: str) -> None:
    cache = scene.cache(tags=["t"])

    def load(names: list[str]) -> dict[str, str]:
        if how == "delete":
            cache.delete("a")
        elif how == "tags":
            cache.invalidate_tags("t")
        else:
            cache.clear()
        return dict.fromkeys(names, "from before")

    assert many(scene, cache, ["a", "b"], load) == {"a": "from before", "b": "from before"}
    left = scene.call(cache, "get_many", ["a", "b"])
    assert left == ({"b": "from before"} if how == "delete" else {})


def test_one_that_cannot_be_written_leaves_nothing_of_itself(scene: Scene) -> None:
    if scene.tiers == "near only":
        return
    cache = scene.cache()
    with pytest.raises(CodecError):
        many(scene, cache, ["a", "b", "c"], lambda _: {"a": 1, "b": object(), "c": 3})
    assert scene.store.get("v:b") is None
    assert many(scene, cache, ["b"], Load()) == {"b": "b1"}


def test_it_is_counted(scene: Scene) -> None:
    cache = scene.cache()
    cache.put("b", "there")
    many(scene, cache, ["a", "b", "c"], Load())
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.creates) == (1, 2, 2)


@pytest.mark.parametrize("tiers", TIERS[1:], indirect=True)
def test_one_read_serves_them_all(scene: Scene) -> None:
    store = Metered(scene.store)
    names = [f"k{number}" for number in range(50)]
    many(scene, scene.cache(store), names, Load())
    writer = store.stats()
    assert writer["get_many"].calls <= 1 + 3 * len(names)
    reader = scene.cache(fresh := Metered(scene.store))
    assert len(many(scene, reader, names, Load())) == 50
    assert {name: each.calls for name, each in fresh.stats().items()} == {"get_many": 1}


def test_put_get_and_delete_of_many_go_through_both_tiers(scene: Scene) -> None:
    cache = scene.cache(tags=["t"])
    scene.call(cache, "put_many", {"a": 1, "b": None, "c": 3})
    assert scene.call(cache, "get_many", ["c", "x", "b", "a", "a"]) == {"c": 3, "b": None, "a": 1}
    assert scene.call(cache, "delete_many", ["a", "x", "c"]) == 2
    assert scene.call(cache, "get_many", ["a", "b", "c"]) == {"b": None}
    scene.call(cache, "invalidate_tags", "t")
    assert scene.call(cache, "get_many", ["a", "b", "c"]) == {}
    scene.call(cache, "put_many", {})
    assert scene.call(cache, "get_many", []) == {}
    assert scene.call(cache, "delete_many", []) == 0


@pytest.mark.parametrize("tiers", TIERS[1:], indirect=True)
def test_another_cache_sees_what_was_done_to_many(scene: Scene) -> None:
    one, other = scene.cache(near_ttl=0), scene.cache(near_ttl=0)
    scene.call(one, "put_many", {"a": 1, "b": 2}, ttl=10)
    assert scene.call(other, "get_many", ["a", "b"]) == {"a": 1, "b": 2}
    scene.call(other, "delete_many", ["a"])
    assert scene.call(one, "get_many", ["a", "b"]) == {"b": 2}
    scene.clock.advance(10)
    assert scene.call(one, "get_many", ["a", "b"]) == {}


@pytest.mark.parametrize("tiers", TIERS[1:], indirect=True)
def test_what_another_process_makes_is_waited_for_last(scene: Scene) -> None:
    cache, load = scene.cache(), Load()
    scene.store.put("lv:b", b"of another process")

    def then_it_ends(names: list[str]) -> dict[str, str]:
        scene.store.put("v:b", b"")  # no entry of ours: absent
        scene.store.delete("lv:b")
        return load(names)

    assert many(scene, cache, ["a", "b", "c"], then_it_ends) == {"a": "a1", "b": "b2", "c": "c1"}
    assert load.asked == [["a", "c"], ["b"]]


@pytest.mark.parametrize("tiers", TIERS[1:], indirect=True)
def test_a_loader_may_ask_for_what_another_process_makes(scene: Scene) -> None:
    cache = scene.cache()
    scene.store.put("lv:b", b"of another process")

    async def load(names: list[str]) -> dict[str, str]:
        scene.store.delete("lv:b")
        if names == ["b"]:
            return {"b": "b"}
        b = await cache.aio.get_or_create("b", lambda: "inner")
        return dict.fromkeys(names, b)

    async def main() -> Mapping[str, str]:
        async with asyncio.timeout(20):
            return await cache.aio.get_or_create_many(["a", "b"], load)

    assert asyncio.run(main()) == {"a": "inner", "b": "inner"}


def test_a_loader_may_ask_for_its_own_keys(scene: Scene) -> None:
    cache = scene.cache()

    def load(names: list[str]) -> dict[str, str]:
        return {name: cache.get_or_create(name, lambda: "inner") for name in names}

    assert many(scene, cache, ["a", "b"], load) == {"a": "inner", "b": "inner"}
