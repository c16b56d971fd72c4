"""Orders of callers that want many values at once, some of them the same."""

from collections import Counter

import pytest
from cache_scene import TAG, World, play

from holdfast.cache.space import Item, Space
from holdfast.testing.interleave import Caller, End, Stage

pytestmark = pytest.mark.slow

LONG = 10.0
OVERLAPS = {
    "the same": ["ab", "ab"],
    "the other way round": ["ab", "ba"],
    "one shared": ["ab", "bc"],
    "three": ["ab", "bc", "ca"],
}


class Many:
    """Callers of `get_or_create_many` in a world, and what they created."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.created: Counter[str] = Counter()
        self.failing = False

    def item(self, name: str) -> Item:
        return Space("").item(name, [TAG])

    def ask(self, process: int, names: str) -> Caller:
        """Return a caller that wants the values of these letters, each made of its letter."""

        async def create(missing: list[str]) -> dict[str, str]:
            version = self.world.version
            await self.world.stage.pause("create")
            if self.failing:
                raise LookupError("the source is down")
            self.created.update(missing)
            return {name: f"{name}{version}" for name in missing}

        async def steps() -> dict[str, str]:
            await self.world.stage.pause("start")
            must = self.world.acknowledged
            where = self.world.processes[process]
            items = [self.item(name) for name in names]
            values = await where.engine.get_or_create_many(items, create, self.world.policy)
            assert list(values) == list(names)
            for name, value in values.items():
                assert value[0] == name
                assert int(value[1:]) >= must, f"{value} after {must} was acknowledged"
            return values

        return self.world.at(process, steps())

    def drop(self, process: int, names: str) -> Caller:
        """Return a caller that changes the world and deletes the values of these letters."""

        async def steps() -> str:
            await self.world.stage.pause("start")
            self.world.version += 1
            mine = self.world.version
            engine = self.world.processes[process].engine
            await engine.delete_many([self.item(name) for name in names])
            self.world.acknowledged = mine
            return "dropped"

        return self.world.at(process, steps())


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("overlap", OVERLAPS)
def test_each_value_is_created_once(overlap: str, *, together: bool) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        names = OVERLAPS[overlap]
        world = World(stage, processes=len(names), lease=LONG)
        many = Many(world)
        made.append(many)
        return world, [many.ask(0 if together else at, each) for at, each in enumerate(names)]

    made: list[Many] = []

    def once(world: World, ends: list[End]) -> None:
        assert all(end.error is None for end in ends)
        assert set(made[-1].created.values()) == {1}, made[-1].created
        assert not list(world.stage.rows.scan("lv:")), "a lease was kept"
        assert world.stage.clock() < Stage().clock() + LONG

    assert play(build, more=once, some=250) == 250


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_a_crash_delays_others_by_no_more_than_the_leases(overlap: str) -> None:
    began: list[float] = []
    waited: list[float] = []

    def build(stage: Stage) -> tuple[World, list[Caller]]:
        names = OVERLAPS[overlap]
        world = World(stage, processes=len(names), lease=LONG)
        many = Many(world)
        began[:] = [stage.clock()]
        return world, [many.ask(at, each) for at, each in enumerate(names)]

    def soon(world: World, ends: list[End]) -> None:
        assert all(end.over or end.crashed for end in ends)
        waited.append(world.stage.clock() - began[0])

    assert play(build, more=soon, some=250, crash=(0, 1)) == 250
    # several wait by turns: what one sleeps, passes for the others as well
    assert LONG <= max(waited) <= len(OVERLAPS[overlap]) * (LONG + 0.5)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("lease", [0.0, 0.002, LONG])
def test_many_and_a_delete(lease: float, *, together: bool) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, processes=2, lease=lease, near=together)
        many = Many(world)
        last = 0 if together else 1
        return world, [many.ask(0, "ab"), many.drop(last, "ab"), many.ask(last, "ba")]

    def gone(world: World, _ends: list[End]) -> None:
        many = Many(world)
        for process in range(1 if together else 2):
            value = world.processes[process].read_item(many.item("b"))
            assert value is None or int(value[1:]) >= world.acknowledged

    assert play(build, more=gone, some=300, crash=(0,)) == 300


@pytest.mark.parametrize("together", [False, True])
def test_a_failure_reaches_each(*, together: bool) -> None:
    def build(stage: Stage) -> tuple[World, list[Caller]]:
        world = World(stage, processes=2, lease=LONG)
        many = Many(world)
        many.failing = True
        return world, [many.ask(0, "ab"), many.ask(0 if together else 1, "bc")]

    def failed(world: World, ends: list[End]) -> None:
        assert all(isinstance(end.error, LookupError) for end in ends)
        assert world.stage.clock() - Stage().clock() < LONG, "somebody waited for a lease"
        assert not any(key.startswith("lv:") for key in world.stage.rows.scan(""))
        assert not any(key.startswith("v:") for key in world.stage.rows.scan("")), "a marker stayed"

    assert play(build, more=failed, some=250) == 250
