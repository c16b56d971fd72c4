"""Ages that move: refreshes in the background, XFetch, and values that slide."""

import itertools
import math
import random
from collections.abc import Iterator
from typing import Any

import pytest
from tiers import FACES, TIERS, Counter, Scene, scene_of

from holdfast.bridge import LoopWaits, ThreadWaits
from holdfast.cache import Cache
from holdfast.cache.policy import Policy
from holdfast.entry import unpack
from holdfast.errors import ConfigError
from holdfast.store.wrap.metered import Metered


@pytest.fixture(params=TIERS)
def tiers(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=FACES)
def scene(tiers: str, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with scene_of(tiers, request.param) as made:
        yield made


def read(scene: Scene, cache: Cache, create: Any) -> Any:
    """Return what a read gives; what it set off in the background is over then."""
    value = scene.call(cache, "get_or_create", "k", create)
    scene.settle()
    return value


def test_the_first_reader_has_it_made_anew_in_the_background(scene: Scene) -> None:
    cache, create = scene.cache(ttl=100, refresh_at=0.8), Counter()
    assert read(scene, cache, create) == 1
    scene.clock.advance(79)
    assert read(scene, cache, create) == 1
    assert create.runs == 1
    scene.clock.advance(2)
    assert read(scene, cache, create) == 1
    assert create.runs == 2
    assert read(scene, cache, create) == 2
    scene.clock.advance(79)
    assert read(scene, cache, create) == 2
    assert create.runs == 2


def test_plain_reads_do_not_use_the_refresh_up(scene: Scene) -> None:
    cache, create = scene.cache(ttl=100, refresh_at=0.5), Counter()
    read(scene, cache, create)
    scene.clock.advance(60)
    assert scene.call(cache, "get", "k") == 1
    assert scene.call(cache, "get_many", ["k"]) == {"k": 1}
    scene.clock.advance(6)  # longer than near values are served unasked
    assert read(scene, cache, create) == 1
    assert create.runs == 2


def test_readers_get_the_fresh_value_while_it_is_made_anew(scene: Scene) -> None:
    cache = scene.cache(ttl=100, refresh_at=0.5)
    read(scene, cache, Counter())
    scene.clock.advance(60)
    meanwhile: list[int] = []

    def create() -> int:
        meanwhile.extend(cache.get_or_create("k", Counter()) for _ in range(3))
        meanwhile.append(cache.get("k"))
        return 2

    assert read(scene, cache, create) == 1
    assert meanwhile == [1, 1, 1, 1]
    assert read(scene, cache, create) == 2


def test_a_failing_refresh_is_told_and_not_repeated_by_each_read(scene: Scene) -> None:
    cache, create = scene.cache(ttl=100, grace=50, refresh_at=0.5), Counter()
    read(scene, cache, create)
    scene.clock.advance(60)
    create.failure = LookupError("down")
    for _ in range(10):
        assert read(scene, cache, create) == 1
    assert create.runs == 2
    assert scene.told.count("cache.refresh_failed") == 1
    fields = dict(scene.events)["cache.refresh_failed"]
    assert fields == {"key": "k", "error": create.failure}
    scene.clock.advance(39)
    assert scene.call(cache, "get", "k") == 1  # as fresh as it was


def test_a_failing_refresh_takes_nothing_from_the_life_of_the_value(scene: Scene) -> None:
    options: dict[str, Any] = {"ttl": 100, "grace": 50, "refresh_at": 0.5, "retry_after": 5}
    cache, create = scene.cache(**options), Counter()
    read(scene, cache, create)
    scene.clock.advance(60)
    create.failure = LookupError("down")
    assert read(scene, cache, create) == 1
    scene.clock.advance(39)
    assert scene.call(cache, "get", "k") == 1
    scene.clock.advance(1)
    assert scene.call(cache, "get", "k") is None


@pytest.mark.parametrize("how", ["delete", "tags", "clear"])
def test_an_invalidation_beats_the_refresh(scene: Scene, how: str) -> None:
    cache = scene.cache(ttl=100, refresh_at=0.5, tags=["t"])
    read(scene, cache, Counter())
    scene.clock.advance(60)

    def create() -> str:
        if how == "delete":
            cache.delete("k")
        elif how == "tags":
            cache.invalidate_tags("t")
        else:
            cache.clear()
        return "from before"

    assert read(scene, cache, create) == 1
    assert scene.call(cache, "get", "k") is None


def test_a_put_beats_the_refresh(scene: Scene) -> None:
    cache = scene.cache(ttl=100, refresh_at=0.5)
    read(scene, cache, Counter())
    scene.clock.advance(60)

    def create() -> str:
        cache.put("k", "put")
        return "from before"

    assert read(scene, cache, create) == 1
    assert scene.call(cache, "get", "k") == "put"


def test_a_refresh_that_skips_leaves_the_value(scene: Scene) -> None:
    from holdfast import creation  # noqa: PLC0415 - the one test that needs it

    cache = scene.cache(ttl=100, refresh_at=0.5)
    read(scene, cache, Counter())
    scene.clock.advance(60)
    assert read(scene, cache, Counter(lambda: creation().skip())) == 1
    assert scene.call(cache, "get", "k") == 1


@pytest.mark.parametrize("tiers", TIERS[1:], indirect=True)
def test_two_caches_over_one_store_refresh_once(scene: Scene) -> None:
    options: dict[str, Any] = {"ttl": 100, "refresh_at": 0.5}
    one, other, create = scene.cache(**options), scene.cache(**options), Counter()
    read(scene, one, create)
    read(scene, other, create)
    scene.clock.advance(60)
    by_the_other: list[int] = []

    def slowly() -> int:
        by_the_other.append(other.get_or_create("k", create))
        return 2

    assert read(scene, one, slowly) == 1
    assert by_the_other == [1]
    assert create.runs == 1
    scene.clock.advance(6)  # the other has it near
    assert read(scene, other, create) == 2
    assert create.runs == 1


# XFetch


def test_xfetch_is_the_later_the_shorter_a_creation_took() -> None:
    policy = Policy(refresh_at="xfetch", ttl=10)
    draws = random.Random(7)  # noqa: S311 - no secret
    moments = sorted(policy.refresh_from(0, 10, 1.0, draws.random()) for _ in range(20_000))
    assert moments[-1] <= 10
    mean = sum(moments) / len(moments)
    assert mean == pytest.approx(10 - 1.0, abs=0.05)  # exponential: one creation before the end
    assert moments[len(moments) // 2] == pytest.approx(10 - math.log(2), abs=0.05)
    early = sum(moment < 10 - 3 for moment in moments) / len(moments)
    assert early == pytest.approx(math.exp(-3), abs=0.01)


def test_xfetch_never_refreshes_what_took_no_time() -> None:
    policy = Policy(refresh_at="xfetch", ttl=10)
    assert all(policy.refresh_from(0, 10, 0.0, draw) == 10 for draw in (0.0, 1e-12, 0.5, 1.0))


def test_a_value_that_was_put_is_never_refreshed_at_random(scene: Scene) -> None:
    cache, create = scene.cache(ttl=10, refresh_at="xfetch"), Counter()
    cache._core.draw = lambda: 1e-9
    scene.call(cache, "put", "k", "put")
    scene.clock.advance(9.9)
    assert read(scene, cache, create) == "put"
    assert create.runs == 0


def test_xfetch_refreshes_early_by_chance(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, create = scene.cache(ttl=10, refresh_at="xfetch", near_ttl=100), Counter()
    ticks = itertools.count()  # a creation takes a second by this clock
    for waits in (ThreadWaits, LoopWaits):
        monkeypatch.setattr(waits, "now", lambda _: next(ticks))
    draw = math.exp(-4)  # four creations before the end
    cache._core.draw = lambda: draw
    assert read(scene, cache, create) == 1
    scene.clock.advance(5.9)
    assert read(scene, cache, create) == 1
    assert create.runs == 1
    scene.clock.advance(0.2)
    assert read(scene, cache, create) == 1
    assert create.runs == 2
    assert read(scene, cache, create) == 2


# Sliding


@pytest.mark.parametrize("how", ["get", "get_many", "get_or_create"])
def test_reads_keep_a_sliding_value_fresh(scene: Scene, how: str) -> None:
    cache, create = scene.cache(ttl=100, sliding=10), Counter()
    read(scene, cache, create)

    def is_there() -> bool:
        if how == "get":
            return bool(scene.call(cache, "get", "k") == 1)
        if how == "get_many":
            return bool(scene.call(cache, "get_many", ["k"]) == {"k": 1})
        return bool(read(scene, cache, create) == 1)

    for _ in range(12):
        scene.clock.advance(8)
        assert is_there()
    scene.clock.advance(3.9)  # 99.9 s
    assert is_there()
    scene.clock.advance(0.2)  # the ttl ends it in any case
    assert not is_there()


@pytest.mark.parametrize("how", ["put", "put_many", "get_or_create"])
def test_a_sliding_value_that_nobody_reads_ends(scene: Scene, how: str) -> None:
    cache = scene.cache(ttl=100, sliding=10)
    if how == "put":
        scene.call(cache, "put", "k", 1)
    elif how == "put_many":
        scene.call(cache, "put_many", {"k": 1, "l": 2})
    else:
        scene.call(cache, "get_or_create", "k", Counter())
    scene.clock.advance(9.9)
    assert scene.call(cache, "get", "k") == 1
    scene.clock.advance(9.9)
    assert scene.call(cache, "get", "k") == 1
    scene.clock.advance(10)
    assert scene.call(cache, "get", "k") is None


def test_a_sliding_value_is_never_served_later_than_a_tenth_allows(scene: Scene) -> None:
    cache = scene.cache(ttl=None, sliding=10)
    draws = random.Random(3)  # noqa: S311 - no secret
    scene.call(cache, "put", "k", 1)
    renewed = scene.clock()
    for _ in range(300):
        scene.clock.advance(draws.choice([0.2, 0.9, 3, 8.5, 9.9, 10.5]))
        idle = scene.clock() - renewed
        there = scene.call(cache, "get", "k") is not None
        if there:
            assert idle < 10
            renewed = scene.clock()
        else:
            assert idle >= 10 - 1  # the share within which a read renews nothing
            scene.call(cache, "put", "k", 1)
            renewed = scene.clock()


def test_grace_begins_when_a_sliding_value_ends(scene: Scene) -> None:
    cache, create = scene.cache(ttl=100, sliding=10, grace=5), Counter()
    read(scene, cache, create)
    for _ in range(3):
        scene.clock.advance(8)
        assert read(scene, cache, create) == 1
    scene.clock.advance(12)
    create.failure = LookupError("down")
    assert read(scene, cache, create) == 1
    scene.clock.advance(4)
    with pytest.raises(LookupError):
        read(scene, cache, create)


def test_sliding_and_a_refresh_exclude_each_other(scene: Scene) -> None:
    with pytest.raises(ConfigError):
        scene.cache(sliding=10, refresh_at=0.5)


@pytest.mark.parametrize("tiers", TIERS[1:], indirect=True)
def test_a_sliding_value_is_written_at_most_once_in_a_tenth_of_its_idle_time(scene: Scene) -> None:
    store = Metered(scene.store)
    cache = scene.cache(store, ttl=1000, sliding=10)
    scene.call(cache, "put", "k", 1)
    for _ in range(200):
        scene.clock.advance(0.25)
        assert scene.call(cache, "get", "k") == 1
    swaps = store.stats()["swap"].calls - 1  # one made the stamp of the whole cache
    assert swaps <= 50  # seconds, each a tenth
    assert swaps >= 20


@pytest.mark.parametrize("tiers", TIERS[1:], indirect=True)
def test_a_renewal_that_is_refused_harms_nothing(scene: Scene) -> None:
    cache, other = scene.cache(ttl=100, sliding=10), scene.cache(ttl=100, sliding=10)
    scene.call(cache, "put", "k", 1)
    scene.clock.advance(8)
    inside, read_many = scene.store.store, scene.store.store.get_many

    def and_then_the_other_puts(keys: Any) -> dict[str, bytes]:
        rows = read_many(keys)
        inside.get_many = read_many  # type: ignore[method-assign]
        other.put("k", 2)
        return rows

    inside.get_many = and_then_the_other_puts  # type: ignore[method-assign]
    assert scene.call(cache, "get", "k") == 1
    scene.clock.advance(1.5)
    assert scene.call(cache, "get", "k") == 2


@pytest.mark.parametrize("tiers", TIERS[1:], indirect=True)
def test_a_renewal_that_fails_harms_nothing(scene: Scene) -> None:
    cache = scene.cache(ttl=100, sliding=10)
    scene.call(cache, "put", "k", 1)
    scene.clock.advance(8)
    with scene.store.fail("swap"):
        assert scene.call(cache, "get", "k") == 1
    entry = unpack(scene.store.get("v:k") or b"")
    assert entry is not None
    assert entry.fresh_until == scene.clock() + 2
