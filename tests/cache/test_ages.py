"""Ages: fresh, stale and gone, and what a creation says about its own value."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tiers import FACES, TIERS, Counter, Scene, scene_of

from holdfast import creation
from holdfast.entry import unpack
from holdfast.errors import ConfigError


@pytest.fixture(params=TIERS)
def tiers(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=FACES)
def scene(tiers: str, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene_of(tiers, request.param) as made:
        yield made


def test_fresh_then_stale_then_gone(scene: Scene) -> None:
    cache, create = scene.cache(ttl=10, grace=5), Counter()
    assert scene.call(cache, "get_or_create", "k", create) == 1
    scene.clock.advance(9.999)
    assert scene.call(cache, "get", "k") == 1
    scene.clock.advance(0.001)
    assert scene.call(cache, "get", "k") is None
    create.failure = LookupError("down")
    assert scene.call(cache, "get_or_create", "k", create) == 1
    scene.clock.advance(4.999)
    assert scene.call(cache, "get_or_create", "k", create) == 1
    scene.clock.advance(0.001)
    with pytest.raises(LookupError):
        scene.call(cache, "get_or_create", "k", create)
    assert create.runs == 4


def test_a_stale_value_is_not_served_after_its_invalidation(scene: Scene) -> None:
    cache, create = scene.cache(ttl=10, grace=50, tags=["t"]), Counter()
    scene.call(cache, "get_or_create", "k", create)
    scene.clock.advance(20)
    create.failure = LookupError("down")
    assert scene.call(cache, "get_or_create", "k", create) == 1
    scene.call(cache, "invalidate_tags", "t")
    with pytest.raises(LookupError):
        scene.call(cache, "get_or_create", "k", create)


def test_a_value_invalidated_while_its_successor_fails_is_not_served(scene: Scene) -> None:
    cache = scene.cache(ttl=10, grace=50)
    create = Counter()
    scene.call(cache, "get_or_create", "k", create)
    scene.clock.advance(20)

    def fail() -> int:
        cache.delete("k")
        raise LookupError("down")

    with pytest.raises(LookupError):
        scene.call(cache, "get_or_create", "k", fail)


@pytest.mark.parametrize("draw", [0.0, 0.5, 1.0])
def test_jitter_takes_a_random_part_off(scene: Scene, draw: float) -> None:
    cache, create = scene.cache(ttl=100, jitter=0.2), Counter()
    cache._core.draw = lambda: draw
    scene.call(cache, "get_or_create", "k", create)
    scene.clock.advance(100 * (1 - 0.2 * draw) - 0.001)
    assert scene.call(cache, "get", "k") == 1
    scene.clock.advance(0.002)
    assert scene.call(cache, "get", "k") is None


def test_jitter_is_drawn_for_each_value(scene: Scene) -> None:
    cache = scene.cache(ttl=100, jitter=0.5)
    names = [f"k{number}" for number in range(200)]
    for name in names:
        scene.call(cache, "get_or_create", name, Counter())
    scene.clock.advance(75)
    left = len(scene.call(cache, "get_many", names))
    assert 50 < left < 150


def test_none_has_its_own_ttl(scene: Scene) -> None:
    cache = scene.cache(ttl=100, none_ttl=5)
    runs: list[None] = []

    def create() -> None:
        runs.append(None)

    for _ in range(3):
        assert scene.call(cache, "get_or_create", "k", create) is None
    assert len(runs) == 1
    scene.clock.advance(5)
    scene.call(cache, "get_or_create", "k", create)
    assert len(runs) == 2


def test_none_is_not_kept_where_its_ttl_is_0(scene: Scene) -> None:
    cache, default = scene.cache(ttl=100, none_ttl=0, grace=50), object()
    assert scene.call(cache, "get_or_create", "k", lambda: None) is None
    assert scene.call(cache, "get", "k", default) is default
    assert scene.call(cache, "get_or_create", "k", Counter()) == 1
    assert scene.call(cache, "get_or_create", "k", lambda: None) == 1


def test_a_none_that_is_not_kept_leaves_the_stale_value_where_it_was(scene: Scene) -> None:
    cache = scene.cache(ttl=10, none_ttl=0, grace=50)
    scene.call(cache, "get_or_create", "k", Counter())
    scene.clock.advance(20)
    assert scene.call(cache, "get_or_create", "k", lambda: None) is None
    create = Counter()
    create.failure = LookupError("down")
    assert scene.call(cache, "get_or_create", "k", create) == 1


def test_a_creation_says_how_long_its_value_lives(scene: Scene) -> None:
    cache = scene.cache(ttl=10, none_ttl=1)
    scene.call(cache, "get_or_create", "k", Counter(lambda: _ttl("2m")))
    scene.call(cache, "get_or_create", "none", lambda: _ttl(60))
    scene.clock.advance(59)
    assert scene.call(cache, "get", "none", "gone") is None
    assert scene.call(cache, "get", "k") == 1
    scene.clock.advance(61)
    assert scene.call(cache, "get", "k") is None


def _ttl(duration: Any) -> None:
    creation().ttl = duration


def test_a_ttl_of_0_keeps_nothing(scene: Scene) -> None:
    cache = scene.cache(ttl=10, grace=10)
    assert scene.call(cache, "get_or_create", "k", Counter(lambda: _ttl(0))) == 1
    assert scene.call(cache, "get", "k") is None
    create = Counter()
    create.runs = 6
    assert scene.call(cache, "get_or_create", "k", create) == 7


def test_a_creation_adds_tags(scene: Scene) -> None:
    cache = scene.cache(tags=["given"])
    create = Counter(lambda: creation().tag("late", "later"))
    for tag in ("given", "late", "later"):
        before = scene.call(cache, "get_or_create", "k", create)
        assert scene.call(cache, "get_or_create", "k", create) == before
        scene.call(cache, "invalidate_tags", tag)
        assert scene.call(cache, "get_or_create", "k", create) == before + 1


def test_what_is_skipped_is_kept_nowhere(scene: Scene) -> None:
    cache = scene.cache()
    create = Counter(lambda: creation().skip())
    assert scene.call(cache, "get_or_create", "k", create) == 1
    assert scene.call(cache, "get_or_create", "k", create) == 2
    assert scene.call(cache, "get", "k") is None
    assert scene.store.get("v:k") is None  # no marker either


def test_not_modified_makes_the_stale_value_fresh_again(scene: Scene) -> None:
    cache = scene.cache(ttl=10, grace=50)
    scene.call(cache, "get_or_create", "k", lambda: {"price": 7})
    scene.clock.advance(20)

    def same() -> Any:
        assert creation().has_stale
        return creation().not_modified()

    assert scene.call(cache, "get_or_create", "k", same) == {"price": 7}
    scene.clock.advance(9)
    assert scene.call(cache, "get", "k") == {"price": 7}
    scene.clock.advance(1)
    assert scene.call(cache, "get", "k") is None


def test_not_modified_needs_a_stale_value(scene: Scene) -> None:
    def same() -> Any:
        assert not creation().has_stale
        return creation().not_modified()

    with pytest.raises(ConfigError):
        scene.call(scene.cache(), "get_or_create", "k", same)


def test_an_invalidated_value_is_not_handed_to_not_modified(scene: Scene) -> None:
    cache = scene.cache(ttl=10, grace=50, tags=["t"])
    scene.call(cache, "get_or_create", "k", Counter())
    scene.clock.advance(20)
    scene.call(cache, "invalidate_tags", "t")
    has: list[bool] = []
    scene.call(cache, "get_or_create", "k", lambda: has.append(creation().has_stale))
    assert has == [False]


def test_not_modified_loses_to_an_invalidation_during_the_creation(scene: Scene) -> None:
    cache = scene.cache(ttl=10, grace=50)
    scene.call(cache, "get_or_create", "k", Counter())
    scene.clock.advance(20)

    def same() -> Any:
        cache.delete("k")
        return creation().not_modified()

    scene.call(cache, "get_or_create", "k", same)
    assert scene.call(cache, "get", "k") is None


def test_after_a_failure_a_dead_source_is_left_in_peace(scene: Scene) -> None:
    cache, create = scene.cache(ttl=10, grace=100, retry_after=20), Counter()
    scene.call(cache, "get_or_create", "k", create)
    scene.clock.advance(10)
    create.failure = LookupError("down")
    for _ in range(5):
        assert scene.call(cache, "get_or_create", "k", create) == 1
        assert scene.call(cache, "get", "k") == 1
    assert create.runs == 2
    scene.clock.advance(20)
    assert scene.call(cache, "get", "k") is None
    assert scene.call(cache, "get_or_create", "k", create) == 1
    assert create.runs == 3
    create.failure = None
    scene.clock.advance(20)
    assert scene.call(cache, "get_or_create", "k", create) == 4


def test_retry_after_ends_with_the_grace(scene: Scene) -> None:
    cache, create = scene.cache(ttl=10, grace=5, retry_after=100), Counter()
    scene.call(cache, "get_or_create", "k", create)
    scene.clock.advance(12)
    create.failure = LookupError("down")
    assert scene.call(cache, "get_or_create", "k", create) == 1
    scene.clock.advance(3)
    with pytest.raises(LookupError):
        scene.call(cache, "get_or_create", "k", create)


def test_retry_after_is_no_time_for_another_refresh(scene: Scene) -> None:
    options: dict[str, Any] = {"ttl": 10, "grace": 100, "retry_after": 20, "refresh_at": 0.5}
    cache, create = scene.cache(**options), Counter()
    scene.call(cache, "get_or_create", "k", create)
    scene.clock.advance(10)
    create.failure = LookupError("down")
    for _ in range(5):
        assert scene.call(cache, "get_or_create", "k", create) == 1
        scene.settle()
        scene.clock.advance(3)
    assert create.runs == 2


@pytest.mark.parametrize("how", ["delete", "tags", "clear", "put"])
def test_an_invalidation_beats_the_retry_after_of_what_it_hits(scene: Scene, how: str) -> None:
    cache, create = scene.cache(ttl=10, grace=100, retry_after=20, tags=["t"]), Counter()
    scene.call(cache, "get_or_create", "k", create)
    scene.clock.advance(10)
    changes: dict[str, Callable[[], object]] = {
        "delete": lambda: cache.delete("k"),
        "tags": lambda: cache.invalidate_tags("t"),
        "clear": cache.clear,
        "put": lambda: cache.put("k", "put"),
    }

    def fail() -> int:
        changes[how]()
        raise LookupError("down")

    with pytest.raises(LookupError):
        scene.call(cache, "get_or_create", "k", fail)
    assert scene.call(cache, "get", "k") == ("put" if how == "put" else None)


@pytest.mark.parametrize("tiers", TIERS[1:], indirect=True)
class TestTwoCachesOverOneStore:
    """Two processes, as far as the store can tell."""

    def test_they_share_what_a_creation_said(self, scene: Scene) -> None:
        one, other = scene.cache(ttl=10), scene.cache(ttl=10)
        scene.call(one, "get_or_create", "k", Counter(lambda: _ttl(60)))
        scene.clock.advance(30)
        assert scene.call(other, "get", "k") == 1

    def test_a_dead_source_is_left_in_peace_by_both(self, scene: Scene) -> None:
        options: dict[str, Any] = {"ttl": 10, "grace": 100, "retry_after": 20}
        one, other = scene.cache(**options), scene.cache(**options)
        create = Counter()
        scene.call(one, "get_or_create", "k", create)
        scene.clock.advance(10)
        create.failure = LookupError("down")
        for _ in range(3):
            assert scene.call(one, "get_or_create", "k", create) == 1
            assert scene.call(other, "get_or_create", "k", create) == 1
        assert create.runs == 2

    def test_the_other_invalidates_between_the_last_look_and_the_rest(self, scene: Scene) -> None:
        options: dict[str, Any] = {"ttl": 10, "grace": 100, "retry_after": 20}
        one, other, create = scene.cache(**options), scene.cache(**options), Counter()
        scene.call(one, "get_or_create", "k", create)
        scene.clock.advance(10)
        create.failure = LookupError("down")
        swap = one._core.observer

        def hear(event: str, fields: Any) -> None:
            if event == "cache.stale_after_failure":
                other.delete("k")
            swap(event, fields)

        one._core.observer = hear
        scene.call(one, "get_or_create", "k", create)
        assert scene.store.get("v:k") is None
        assert scene.call(other, "get", "k") is None

    def test_what_stands_during_the_rest_is_the_same_entry(self, scene: Scene) -> None:
        cache, create = scene.cache(ttl=10, grace=100, retry_after=20, tags=["t"]), Counter()
        scene.call(cache, "get_or_create", "k", create)
        before = unpack(scene.store.get("v:k") or b"")
        scene.clock.advance(10)
        create.failure = LookupError("down")
        scene.call(cache, "get_or_create", "k", create)
        after = unpack(scene.store.get("v:k") or b"")
        assert before is not None
        assert after is not None
        assert after.value == before.value
        assert after.labels == before.labels
        assert after.stale_until == before.stale_until
        assert after.fresh_until == scene.clock() + 20
