"""Invalidations the far tier did not hear of: this process passes by what they hit, till it did.

Law: `ping` fails until a test lets the recovery through, so what waits, waits as long as it must.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tiers import FACES, Scene, scene_of, until

from holdfast import creation
from holdfast.cache import Cache
from holdfast.cache.pending import Pending
from holdfast.cache.space import EVERYTHING, Space, tag_label
from holdfast.errors import StoreError, StoreUnavailable
from holdfast.store.memory import MemoryStore
from holdfast.testing.faults import FaultyStore
from holdfast.testing.trial import in_processes, in_threads

pytestmark = pytest.mark.slow

WRITES = ("put", "put_many", "delete", "delete_many", "swap")

INVALIDATIONS: dict[str, Callable[[Scene, Cache], object]] = {
    "delete": lambda scene, cache: scene.call(cache, "delete", "k"),
    "delete_many": lambda scene, cache: scene.call(cache, "delete_many", ["k", "other"]),
    "put": lambda scene, cache: scene.call(cache, "put", "k", "newer"),
    "ttl 0": lambda scene, cache: scene.call(cache, "put", "k", "newer", ttl=0),
    "tags": lambda scene, cache: scene.call(cache, "invalidate_tags", "t", "u"),
    "late tags": lambda scene, cache: scene.call(cache, "invalidate_tags", "late"),
    "clear": lambda scene, cache: scene.call(cache, "clear"),
}
HOWS = [*INVALIDATIONS, "namespace"]


@pytest.fixture(params=FACES)
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene_of("near and far", request.param) as made:
        made.store.fail("ping")
        yield made
        made.store.mend()


def create(scene: Scene, cache: Cache, value: object) -> Any:
    """Return what stands under "k", or `value` where that is created now."""

    def run() -> object:
        creation().tags.append("late")
        return value

    return scene.call(cache, "get_or_create", "k", run, tags=["t"])


def fails(scene: Scene, cache: Cache, how: str) -> None:
    """Let an invalidation of "k" fail, whichever it is."""
    with scene.store.fail(*WRITES), pytest.raises(StoreError):
        INVALIDATIONS.get(how, INVALIDATIONS["clear"])(scene, cache)


def caught_up(scene: Scene, cache: Cache) -> None:
    """Let the recovery through, and wait for its end."""
    scene.store.mend()
    until(lambda: not cache.stats().pending)


@pytest.mark.parametrize("how", HOWS)
def test_what_waits_is_passed_by_in_this_process(scene: Scene, how: str) -> None:
    root = scene.cache()
    cache = root.namespace("users") if how == "namespace" else root
    assert create(scene, cache, "old") == "old"
    fails(scene, cache, how)
    assert root.stats().pending == (2 if how in ("delete_many", "tags") else 1)
    assert scene.call(cache, "get", "k") is None
    assert scene.call(cache, "get_many", ["k", "x"]) == {}
    other = scene.cache()
    elsewhere = other.namespace("users") if how == "namespace" else other
    assert scene.call(elsewhere, "get", "k") == "old", "the store has not heard of it"
    assert create(scene, cache, "new") == "new"
    many = scene.call(cache, "get_or_create_many", ["k"], lambda keys: dict.fromkeys(keys, "many"))
    assert many == {"k": "new"}, "which is near by now"
    assert scene.call(cache, "get", "k") == "new"
    caught_up(scene, root)
    assert scene.call(cache, "get", "k") == "new"
    fresh = scene.cache()
    anywhere = fresh.namespace("users") if how == "namespace" else fresh
    assert scene.call(anywhere, "get", "k") in (None, "new")
    assert root.stats().pending == 0


@pytest.mark.parametrize("how", HOWS)
def test_the_store_hears_of_it_at_last(scene: Scene, how: str) -> None:
    root, other = scene.cache(), scene.cache(near_ttl=0)
    cache, elsewhere = (
        each.namespace("users") if how == "namespace" else each for each in (root, other)
    )
    create(scene, cache, "old")
    fails(scene, cache, how)
    assert scene.call(elsewhere, "get", "k") == "old"
    caught_up(scene, root)
    assert scene.call(elsewhere, "get", "k") is None
    assert scene.told.count("cache.invalidation_queued") == 1
    assert scene.told.count("cache.invalidation_replayed") == 1


@pytest.mark.parametrize("how", HOWS)
def test_queued_it_is_no_error(scene: Scene, how: str) -> None:
    root = scene.cache(on_error="queue")
    cache = root.namespace("users") if how == "namespace" else root
    create(scene, cache, "old")
    with scene.store.fail(*WRITES):
        INVALIDATIONS.get(how, INVALIDATIONS["clear"])(scene, cache)
    kept = "newer" if how == "put" else None  # near it serves who put it, as any near value
    assert scene.call(cache, "get", "k") == kept
    assert root.stats().pending > 0
    assert root.stats().errors > 0
    caught_up(scene, root)
    assert scene.call(cache, "get", "k") == kept
    scene.clock.advance(5)
    assert scene.call(cache, "get", "k") is None


def test_a_lost_reply_waits_too(scene: Scene) -> None:
    cache = scene.cache()
    create(scene, cache, "old")
    with scene.store.lose_reply("delete_many"), pytest.raises(StoreError):
        scene.call(cache, "delete", "k")
    assert cache.stats().pending == 1
    assert create(scene, cache, "new") == "new"
    assert cache.stats().pending == 0


# The newest wins


def test_a_put_after_a_failed_delete_stays(scene: Scene) -> None:
    cache, other = scene.cache(), scene.cache(near_ttl=0)
    create(scene, cache, "old")
    fails(scene, cache, "delete")
    scene.call(cache, "put", "k", "newest")
    assert cache.stats().pending == 0
    caught_up(scene, cache)
    assert scene.call(other, "get", "k") == "newest"


def test_a_delete_that_fails_after_a_put_wins(scene: Scene) -> None:
    cache, other = scene.cache(), scene.cache(near_ttl=0)
    fails(scene, cache, "delete")
    scene.call(cache, "put", "k", "newer")
    fails(scene, cache, "delete")
    assert scene.call(cache, "get", "k") is None
    caught_up(scene, cache)
    assert scene.call(other, "get", "k") is None


def test_a_creation_that_began_after_it_is_published(scene: Scene) -> None:
    cache, other = scene.cache(), scene.cache(near_ttl=0)
    create(scene, cache, "old")
    fails(scene, cache, "delete")
    assert create(scene, cache, "new") == "new"
    assert cache.stats().pending == 0
    caught_up(scene, cache)
    assert scene.call(other, "get", "k") == "new"


@pytest.mark.parametrize("how", HOWS)
def test_a_creation_that_began_before_it_is_not_served(how: str) -> None:
    """Threads: the invalidation fails in the midst of the creation."""
    with scene_of("near and far", "sync") as scene:
        scene.store.fail("ping")
        root, other = scene.cache(), scene.cache(near_ttl=0)
        cache = root.namespace("users") if how == "namespace" else root

        def invalidated_meanwhile() -> str:
            creation().tags.append("late")
            fails(scene, cache, how)
            return "doomed"

        assert cache.get_or_create("k", invalidated_meanwhile, tags=["t"]) == "doomed"
        assert cache.get("k") is None
        assert root.stats().pending > 0
        caught_up(scene, root)
        assert cache.get("k") is None
        assert (other.namespace("users") if how == "namespace" else other).get("k") is None


def test_many_created_after_it_are_published(scene: Scene) -> None:
    cache, other = scene.cache(), scene.cache(near_ttl=0)
    for name in ("a", "b"):
        scene.call(cache, "put", name, "old")
    with scene.store.fail(*WRITES), pytest.raises(StoreError):
        scene.call(cache, "delete_many", ["a", "b"])

    def make(keys: list[str]) -> dict[str, str]:
        return dict.fromkeys(keys, "new")

    made = scene.call(cache, "get_or_create_many", ["a", "b", "c"], make)
    assert made == {"a": "new", "b": "new", "c": "new"}
    assert cache.stats().pending == 0
    caught_up(scene, cache)
    assert scene.call(other, "get_many", ["a", "b"]) == {"a": "new", "b": "new"}


@pytest.mark.parametrize("how", ["delete", "tags", "clear"])
def test_nothing_is_counted_onto_what_waits(scene: Scene, how: str) -> None:
    """It would begin anew each time, and be removed in the end."""
    cache = scene.cache()
    assert scene.call(cache, "increment", "k", 5, tags=["t"]) == 5
    fails(scene, cache, how)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="'k'"):
            scene.call(cache, "increment", "k")
    assert scene.call(cache, "increment", "elsewhere") == 1 if how == "delete" else True
    caught_up(scene, cache)
    assert [scene.call(cache, "increment", "k") for _ in range(2)] == [1, 2]


# The recovery


def test_half_a_replay_is_repeated(scene: Scene) -> None:
    cache, other = scene.cache(), scene.cache(near_ttl=0)
    for name in ("a", "b"):
        scene.call(cache, "put", name, "old", tags=["t"])
    with scene.store.fail(*WRITES):
        for operation, argument in (("delete", "a"), ("invalidate_tags", "t"), ("delete", "b")):
            with pytest.raises(StoreError):
                scene.call(cache, operation, argument)
    assert cache.stats().pending == 3
    broken = scene.store.fail("delete_many", keys="v:b")
    scene.store._weather.mend(scene.store._weather._faults[-1])  # the ping
    until(lambda: broken.struck > 1)
    assert cache.stats().pending == 3
    assert scene.call(cache, "get", "a") is None
    broken.mend()
    until(lambda: not cache.stats().pending)
    assert scene.call(other, "get_many", ["a", "b"]) == {}


def test_a_success_begins_what_nobody_sees_to(scene: Scene) -> None:
    """As in the child of a fork, or when there was no thread for it."""
    cache = scene.cache()
    create(scene, cache, "old")
    assert cache._core.recovery.take()
    fails(scene, cache, "delete")
    scene.store.mend()
    cache._core.recovery.give_back()
    assert cache.stats().pending == 1
    scene.call(cache, "get", "something else")
    until(lambda: not cache.stats().pending)


def test_a_child_repeats_what_its_parent_could_not() -> None:
    store = FaultyStore(MemoryStore())
    with Cache(store) as cache:
        store.fail("ping")
        cache.put("k", "old")
        with store.fail(*WRITES), pytest.raises(StoreError):
            cache.delete("k")

        def work(_number: int) -> None:
            assert cache.get("k") is None
            assert cache.stats().pending == 1
            store.mend()
            cache.get("k")
            until(lambda: not cache.stats().pending)
            assert store.get("v:k") is None

        assert in_processes(2, work) == [0, 0]
        assert cache.stats().pending == 1
        store.mend()
        until(lambda: not cache.stats().pending)


def test_threads_and_faults_leave_nothing_behind() -> None:
    """Whatever fails meanwhile: in the end nobody reads a value older than the last word on it."""
    store = FaultyStore(MemoryStore(), seed=7)
    names = [f"k{number}" for number in range(8)]
    last: dict[str, int] = {}
    with Cache(store, on_error="queue", near_ttl=0) as cache, Cache(store, near=False) as other:
        fault = store.fail("delete_many", "put_many", "put", share=0.3)

        def work(number: int) -> None:
            rand = random.Random(number)  # noqa: S311 - the same in each run
            for turn in range(200):
                name = names[number * 2 + rand.randrange(2)]  # nobody else writes it
                version = number * 1000 + turn
                if rand.random() < 0.5:
                    cache.put(name, version)
                else:
                    cache.delete(name)
                    assert cache.get_or_create(name, [version].pop) == version
                last[name] = version
                assert cache.get(name) in (None, version)
                if rand.random() < 0.1:
                    cache.invalidate_tags("t")

        in_threads(4, work)
        fault.mend()
        store.mend()
        cache.get("k0")
        until(lambda: not cache.stats().pending)
        for name in names:
            assert other.get(name) in (None, last.get(name)), name


# The list itself


def test_too_many_become_a_clear() -> None:
    store = FaultyStore(MemoryStore())
    with Cache(store, on_error="queue", near_ttl=0) as cache, Cache(store, near_ttl=0) as other:
        cache.put_many(dict.fromkeys(map(str, range(3)), 1))
        store.fail(*WRITES, "ping")
        cache.delete_many([f"gone{number}" for number in range(10_000)])
        assert cache.stats().pending == 10_000
        assert cache.get_many(["0", "gone1"]) == {"0": 1}
        cache.delete("0")
        assert cache.stats().pending == 1
        store.mend()
        until(lambda: not cache.stats().pending)
        assert cache.get_many(["0", "1", "2"]) == other.get_many(["0", "1", "2"]) == {}


def test_what_it_hides() -> None:
    root, users = Space(""), Space("", "users")
    pending = Pending()
    assert not pending.hides(root.item("k"), root.labels)
    pending.add([tag_label("t")], labels=True)
    assert not pending.hides(root.item("k"), root.labels)
    assert pending.hides(root.item("k"), (*root.labels, "t:t"))
    pending.add(["v:k"], labels=False)
    assert pending.hides(root.item("k"), root.labels)
    assert not pending.hides(users.item("k"), users.labels)
    pending.add([EVERYTHING], labels=True)
    assert pending.hides(users.item("k"), users.labels)


def test_the_newest_first_and_once() -> None:
    pending = Pending(most=3)
    pending.add(["a", "b"], labels=False)
    mark = pending.mark("a")
    pending.add(["a"], labels=False)
    assert [name for name, _ in pending.newest_first(10)] == ["a", "b"]
    assert [name for name, _ in pending.newest_first(1)] == ["a"]
    pending.superseded("a", mark)
    assert set(pending.waiting) == {"a", "b"}, "it was added again since"
    pending.superseded("a", pending.mark("a"))
    pending.superseded("c", pending.mark("c"))
    assert list(pending.waiting) == ["b"]
    pending.add(["c", "d", "e"], labels=False)
    assert list(pending.waiting) == [EVERYTHING]
