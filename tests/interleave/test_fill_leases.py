"""Every order of creations that a lease keeps apart, and of whatever may meet them.

A lease ends by the stage's clock, which moves while somebody sleeps. One that is shorter than the
shortest pause is over when whoever waited for it looks again; a long one is not over for many.
"""

import pytest
from cache_scene import KEY, LEASE_KEY, STORE_KEY, TAG, World, lose_once, play

from holdfast.testing.interleave import Caller, End, Scene, Stage, play_some_orders

pytestmark = pytest.mark.slow

HOWS = ["delete", "put", "tag", "clear"]
SHORT = 0.002  # less than the first pause
LONG = 10.0
LOST = ["request", "reply"]


def made_once(world: World, ends: list[End]) -> None:
    """Check that there was one creation, and that all have it."""
    if not any(end.crashed for end in ends):
        assert world.created == 1, f"{world.created} creations"
        assert len({end.value for end in ends}) == 1


@pytest.mark.parametrize("crash", [False, True])
def test_fill_and_fill(*, crash: bool) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, processes=2, lease=SHORT)
        return world, [world.fill(0), world.fill(1)]

    def kept(world: World, ends: list[End]) -> None:
        value = world.processes[0].read()
        assert value in [end.value for end in ends] or any(end.crashed for end in ends)
        assert world.processes[1].read() == value

    assert play(build, crash=(0, 1) if crash else (), more=kept, some=500 * crash) > 1


@pytest.mark.parametrize("stale", [False, True])
@pytest.mark.parametrize("callers", [2, 3])
def test_who_waits_for_a_lease_creates_nothing(callers: int, *, stale: bool) -> None:
    """Of any number of processes one creates; who has a stale value meanwhile is served that."""

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, processes=callers, lease=LONG, grace=100.0)
        if stale:
            world.store(fresh=0.0, stale=100.0)
        return world, [world.fill(number) for number in range(callers)]

    def once(world: World, ends: list[End]) -> None:
        assert world.created == 1, f"{world.created} creations"
        allowed = {world.processes[0].read(), (0, "old")} if stale else {world.processes[0].read()}
        assert {end.value for end in ends} <= allowed
        assert world.stage.rows.get(LEASE_KEY) is None, "a lease was kept"
        assert not stale or world.stage.clock() == Stage().clock(), "somebody waited"

    assert play(build, more=once, some=200) == 200


@pytest.mark.parametrize("after", [0.0, 5.0])
def test_a_crash_delays_others_by_no_more_than_the_lease(after: float) -> None:
    """Whatever the creator did last; `after` is how long he had been at it."""
    waited: list[float] = []

    def scene(stage: Stage) -> Scene:
        world = World(stage, processes=3, lease=LONG)
        world.takes = after
        callers = [world.fill(0), world.fill(1), world.fill(2)]
        began = stage.clock()

        def check(ends: list[End]) -> None:
            world.check(ends)
            assert all(end.over or end.crashed for end in ends)
            waited.append(stage.clock() - began)
            assert stage.rows.get(LEASE_KEY) is None or any(end.crashed for end in ends)

        return world.scene(callers, check)

    play_some_orders(scene, 300, seed=3, crash=(0, 1, 2))
    # whoever waits sleeps by turns with another one, and each creation takes its time
    assert max(waited) <= 2 * (LONG + 0.25) + 3 * after
    assert max(waited) >= LONG, "nobody crashed while he held the lease"


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("stale", [False, True])
@pytest.mark.parametrize("how", HOWS)
def test_fill_and_change(how: str, *, stale: bool, late: bool) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        tags = [] if late else [TAG]
        world = World(stage, processes=2, tags=tags, lease=SHORT, grace=100.0 * stale)
        if stale:
            world.store(fresh=0.0, stale=100.0, tags=tags)
        change = world.change(how, 1, then_read=False)
        return world, [world.fill(0, late=[TAG] if late else []), change]

    assert play(build, crash=(0, 1)) > 1


@pytest.mark.parametrize("near", [False, True])
@pytest.mark.parametrize("how", HOWS)
def test_fill_and_change_and_read(how: str, *, near: bool) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, processes=1 + (not near), tags=[TAG], lease=SHORT, near=near)
        return world, [world.fill(0), world.change(how, not near)]

    assert play(build, crash=(0, 1), some=300) == 300


@pytest.mark.parametrize("how", HOWS)
def test_two_fills_and_a_change(how: str) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, processes=3, tags=[TAG], lease=LONG, replies=True)
        return world, [world.fill(0), world.fill(1), world.change(how, 2)]

    assert play(build, some=300, crash=(0, 1)) == 300


def test_after_a_delete_nobody_waits_for_a_doomed_creation() -> None:
    """A delete takes the lease of a creation whose marker it removed."""
    orders = {"doomed": 0}

    def scene(stage: Stage) -> Scene:
        world = World(stage, processes=2, lease=LONG)

        def check(ends: list[End]) -> None:
            world.check(ends)
            assert world.created == 1 or stage.clock() == began, "somebody waited for the lease"
            orders["doomed"] += world.created == 2

        began = stage.clock()
        return world.scene([world.fill(0), world.change("delete", 1)], check)

    play_some_orders(scene, 500, seed=5)
    assert orders["doomed"] > 10


@pytest.mark.parametrize("lease", [SHORT, 0.02])
@pytest.mark.parametrize("how", HOWS)
def test_a_creation_longer_than_its_lease(how: str, lease: float) -> None:
    """Another one begins meanwhile; both share the base, and the first publish wins."""

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, processes=3, tags=[TAG], lease=lease)
        world.takes = 1.0
        return world, [world.fill(0), world.fill(1), world.change(how, 2, then_read=False)]

    assert play(build, some=300) == 300


def test_who_outlived_his_lease_leaves_that_of_another() -> None:
    """A lease is given back by its token: beside who outlived his, one creates at a time."""
    outlived: list[bool] = []

    def scene(stage: Stage) -> Scene:
        world = World(stage, processes=3, lease=1.0)
        at_it: list[int] = []

        def asking(number: int) -> Caller:
            async def create() -> tuple[int, str]:
                is_first = not at_it and not world.created
                at_it.append(0 if is_first else number + 1)
                others = [other for other in at_it if other]
                outlived.append(len(at_it) > len(others) == 1)
                assert len(others) < 2, "a third creation while the second held the lease"
                await stage.pause("create")
                if is_first:
                    stage.clock.advance(2.0)
                    await stage.pause("late")
                world.created += 1
                at_it.remove(0 if is_first else number + 1)
                if is_first:
                    raise LookupError("the source is down")
                return (0, "late")

            where = world.processes[number].engine
            return where.get_or_create(world.item, create, world.policy)

        def check(ends: list[End]) -> None:
            errors = [end.error for end in ends if end.error is not None]
            assert [type(error) for error in errors] == [LookupError], errors

        return Scene([asking(0), asking(1), asking(2)], check)

    play_some_orders(scene, 600, seed=7)
    assert sum(outlived) > 10


def test_who_waits_takes_what_comes() -> None:
    """Whoever waits for the lease of one who was killed is served what was put meanwhile."""

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, processes=2, lease=LONG)
        stage.rows.put(LEASE_KEY, b"of one who was killed", LONG)
        return world, [world.fill(0), world.change("put", 1, then_read=False)]

    def soon(world: World, ends: list[End]) -> None:
        assert ends[0].value == (1, "put 1")
        assert world.stage.clock() < Stage().clock() + LONG
        assert world.created == 0

    assert play(build, more=soon, some=200) == 200


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("operation", ["won", "released"])
@pytest.mark.parametrize("how", ["delete", "tag"])
def test_a_lost_lease_is_no_harm(how: str, operation: str, lost: str) -> None:
    """Who cannot know whether he won creates; what he cannot give back ends by itself."""

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, processes=2, tags=[TAG], lease=SHORT)
        lose_once(stage, lost, "swap", LEASE_KEY, after=operation == "released")
        return world, [world.fill(0), world.change(how, 1, then_read=False)]

    assert play(build) > 1


@pytest.mark.parametrize("lost", LOST)
def test_a_lease_that_was_perhaps_won_is_given_back(lost: str) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, lease=LONG)
        lose_once(stage, lost, "swap", LEASE_KEY)
        return world, [world.fill(0)]

    def given_back(world: World, _ends: list[End]) -> None:
        assert world.stage.rows.get(LEASE_KEY) is None

    assert play(build, more=given_back) == 1


@pytest.mark.parametrize("lost", LOST)
def test_a_lease_that_could_not_be_given_back_is_owed(lost: str) -> None:
    """The next who reaches the store sees to it that nobody waits for it."""

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, lease=LONG)
        lose_once(stage, lost, "swap", LEASE_KEY, after=1)
        return world, [world.one_by_one(0, world.fill(0), world.get(0))]

    def given_back(world: World, _ends: list[End]) -> None:
        assert world.stage.clock() < Stage().clock() + LONG
        assert world.stage.rows.get(LEASE_KEY) is None

    assert play(build, more=given_back) >= 1


def test_who_waited_keeps_what_he_found_near() -> None:
    """The message of what he waited for is no reason not to."""
    kept: list[bool] = []

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, processes=2, near=True, bus=True, lease=LONG)
        return world, [world.fill(0), world.fill(1)]

    def near(world: World, _ends: list[End]) -> None:
        if world.stage.clock() > Stage().clock():  # somebody waited
            kept.extend(KEY in process.core.near.cells for process in world.processes)

    assert play(build, more=near, some=300) == 300
    assert kept.count(True) > len(kept) / 2 + 10, "only who created keeps it"


@pytest.mark.parametrize("how", HOWS)
def test_refresh_and_change(how: str) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, processes=2, tags=[TAG], lease=SHORT)
        world.store(fresh=500.0, tags=[TAG])
        return world, [world.fill(0, anew=True), world.change(how, 1, then_read=False)]

    assert play(build) > 1


def test_refresh_never_takes_what_began_before_it() -> None:
    """A refresh waits for the lease of another creation, and then creates all the same."""

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, processes=2, lease=LONG)
        return world, [world.fill(0), world.fill(1, anew=True)]

    def his_own(world: World, ends: list[End]) -> None:
        log = [(who, getattr(what, "key", what)) for who, what in world.stage.log]
        if (0, "create") in log[: log.index((1, "start"))]:
            assert world.created == 2
            assert ends[1].value != ends[0].value
            later.append(world.created)

    later: list[int] = []

    assert play(build, more=his_own, some=300) == 300
    assert later


def test_the_store_holds_what_the_key_says() -> None:
    stage = Stage()
    world = World(stage, lease=LONG)
    assert (world.item.far, world.item.lease) == (STORE_KEY, LEASE_KEY)
