"""A stage for caches: a world that changes, processes that cache it, and the law they must keep.

The world has a version. A creation remembers the version at its start; a change raises it, then
invalidates, and is acknowledged when the invalidation has returned. The law: whoever begins to read
after a change was acknowledged gets that version or a later one.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

from holdfast.bridge import Blocking, ThreadWaits, drive
from holdfast.cache.coding import Coding
from holdfast.cache.coherence import Coherence
from holdfast.cache.core import Core
from holdfast.cache.creation import NOTHING, creation
from holdfast.cache.engine import Engine
from holdfast.cache.found import near_labels
from holdfast.cache.near import Near, Traits
from holdfast.cache.policy import Policy
from holdfast.cache.space import ANY, EVERYTHING, Item, Space
from holdfast.cache.stamps import Stamps
from holdfast.codec.msgpack import Msgpack
from holdfast.entry import Entry, make_stamp, pack
from holdfast.events import silent
from holdfast.store.bus import Listener
from holdfast.store.protocol import AsyncStore
from holdfast.testing.interleave import (
    Caller,
    End,
    Scene,
    Stage,
    play_every_order,
    play_some_orders,
)

__all__ = ["KEY", "LEASE_KEY", "STORE_KEY", "TAG", "Process", "World", "lose_once", "play"]

KEY = "report"
TAG = "reports"
STORE_KEY = "v:report"
LEASE_KEY = "lv:report"
Value = tuple[int, str]
Build = Callable[[Stage], "tuple[World, list[Caller]]"]
T = TypeVar("T")
_changing: ContextVar[int] = ContextVar("changing", default=0)


class Replying:
    """The store of a stage, where others may also go on before an answer arrives."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._store = stage.store

    async def _reply(self, answer: T) -> T:
        await self._stage.pause("reply")
        return answer

    async def get(self, key: str) -> bytes | None:
        return await self._reply(await self._store.get(key))

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return await self._reply(await self._store.get_many(keys))

    async def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        await self._store.put(key, value, ttl)
        await self._stage.pause("reply")

    async def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        await self._store.put_many(items, ttl)
        await self._stage.pause("reply")

    async def delete(self, key: str) -> bool:
        return await self._reply(await self._store.delete(key))

    async def delete_many(self, keys: Sequence[str]) -> int:
        return await self._reply(await self._store.delete_many(keys))

    async def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        return await self._reply(await self._store.swap(key, old, new, ttl))

    async def ping(self) -> None:
        await self._store.ping()

    async def close(self) -> None:
        await self._store.close()


class SceneBus:
    """A bus between the processes of a world: each message comes at any later moment."""

    name = "scene"
    speaks = True

    def __init__(self, world: "World", process: int) -> None:
        self._world = world
        self._process = process
        self.listener: Listener | None = None

    def listen(self, prefixes: Sequence[str], listener: Listener) -> None:
        assert prefixes
        self.listener = listener
        listener.ready()

    def wrote(self, key: str, value: bytes) -> None:
        """Say nothing: there are no echoes here."""

    def publish(self, keys: Sequence[str]) -> None:
        version = _changing.get() if _last_of_a_change(keys) else 0
        for number, process in enumerate(self._world.processes):
            if number != self._process and process.bus is not None:
                self._world.stage.waits.begun.append(process.hear(list(keys), version))

    def close(self) -> None:
        """Stay open: a scene ends by itself."""


def _last_of_a_change(keys: Sequence[str]) -> bool:
    return keys != ["t:~any"]  # it moves first, and nothing but late tags depends on it


class Process:
    """One process: a near tier and flights of its own, over the store of all."""

    def __init__(
        self,
        stage: Stage,
        store: AsyncStore,
        *,
        near: bool,
        far: bool,
        policy: Policy,
        lease: float = 0.0,
        bus: SceneBus | None = None,
    ) -> None:
        self.bus = bus
        self._near = Near(100 if near else 0, stage.clock)
        self.core = Core(
            near=self._near,
            coding=Coding(Msgpack()),
            clock=stage.clock,
            observer=silent,
            prefix="",
            coherence=Coherence("", self._near, silent, bus),
            lease=lease,
            queues=True,
            draw=lambda: 0.0,
        )
        self.stage = stage
        self.policy = policy
        self.acknowledged = 0
        self._missed = 0
        self.space = Space("")
        self.engine = Engine(self.core, store if far else None, stage.waits)
        self.direct = Engine(self.core, Blocking(stage.rows) if far else None, ThreadWaits())

    async def hear(self, keys: list[str], version: int) -> None:
        """Hear that another process changed `keys` and, with them, the world."""
        await self.stage.pause("hear")
        self._missed = max(self._missed, version)
        if self.core.coherence.is_whole:
            self.core.coherence.changed(keys)
            self.acknowledged = max(self.acknowledged, version)

    async def miss(self) -> None:
        """Be without the bus for a while."""
        await self.stage.pause("lost")
        self.core.coherence.lost()
        await self.stage.pause("ready")
        self.core.coherence.ready()
        self.acknowledged = max(self.acknowledged, self._missed)

    def read(self, item: Item | None = None) -> Value | None:
        """Return what a reader of this process gets now, without a pause."""
        value: Value | None = self.read_item(item or self.space.item(KEY))
        return value

    def read_item(self, item: Item) -> Any:
        """Return the same for any item."""
        value = drive(self.direct.get_many([item], self.policy)).get(item.name, NOTHING)
        return value if value is not NOTHING else None


class World:
    """What is cached, by whom, and what was promised.

    Attributes:
        version: What a creation that starts now sees.
        acknowledged: What a read that starts now must see.
        created: How often `create` was run to its end.
        lenient: Whether callers may be served what another process has changed; `check` may not.
        takes: How many seconds a creation takes, by the clock of the stage.
    """

    def __init__(
        self,
        stage: Stage,
        *,
        processes: int = 1,
        near: bool = False,
        far: bool = True,
        replies: bool = False,
        tags: Sequence[str] = (),
        grace: float = 0.0,
        lease: float = 0.0,
        bus: bool = False,
        policy: Policy | None = None,
        name: str = KEY,
        tag: str = TAG,
    ) -> None:
        self.stage = stage
        self.tag = tag
        self.far = far
        self.version = 0
        self.acknowledged = 0
        self.created = 0
        self.lenient = False
        self.started = 0
        self.order: list[str] = []
        self.takes = 0.0
        self._homes: dict[Caller, int] = {}
        self._played: list[int] = []
        near_ttl = None if bus else 5.0
        usual = Policy(ttl=1000.0, grace=grace, tags=tuple(tags), near_ttl=near_ttl)
        self.policy = policy or usual
        store = Replying(stage) if replies else stage.store
        self.processes: list[Process] = []
        for number in range(processes):
            told = SceneBus(self, number) if bus else None
            self.processes.append(
                Process(stage, store, near=near, far=far, policy=self.policy, lease=lease, bus=told)
            )
        self.item = Space("").item(name, tags)
        stamps = Stamps(Blocking(stage.rows), "")
        for label in (EVERYTHING, ANY, f"t:{tag}"):
            stage.rows.put(stamps.key(label), make_stamp())

    def store(
        self, *, fresh: float, stale: float = 0.0, tags: Sequence[str] = (), idle: float = 0.0
    ) -> None:
        """Put an entry of version 0 into the last tier, fresh for a while, then stale."""
        until = self.stage.clock() + fresh
        labels = Space("").item(self.item.name, tags).labels
        if not self.far:
            near = self.processes[0].core.near
            hold = near.hold(KEY)
            traits = Traits(near_labels(labels))
            times = (until, until, until + stale, until)
            near.fill(hold, (0, "old"), times=times, traits=traits)
            near.release(hold)
            return
        known = drive(Stamps(Blocking(self.stage.rows), "").read(labels))
        data = Msgpack().encode((0, "old"))
        end = self.stage.clock() + 1000.0 if idle else math.inf
        now = self.stage.clock()
        entry = Entry(data, now, until, until + stale, known, idle=idle, end=end)
        self.stage.rows.put(self.item.far, pack(entry))

    def _must(self, process: int) -> int:
        """Return the version a read of this process that starts now must see."""
        mine = self.processes[process].acknowledged
        return mine if self.lenient else max(mine, self.acknowledged)

    def at(self, process: int, steps: Caller) -> Caller:
        """Say that a caller belongs to a process."""
        self._homes[steps] = process
        return steps

    def scene(self, callers: Sequence[Caller], check: Callable[[list[End]], None]) -> Scene:
        """Return the scene of `callers`, each in his process."""
        self._played = [self._homes.get(caller, 0) for caller in callers]
        return Scene(callers, check, self._played)

    def one_by_one(self, process: int, *callers: Caller) -> Caller:
        """Return a caller that is these, one after the other."""

        async def steps() -> object:
            return [await caller for caller in callers]

        return self.at(process, steps())

    def miss(self, process: int = 0) -> Caller:
        """Return a caller that lets a process be without its bus for a while."""
        return self.at(process, self.processes[process].miss())

    async def _create(self, late: Sequence[str], *, fail: bool) -> Value:
        seen = self.version
        self.started += 1
        number = self.started
        await self.stage.pause("create")
        self.stage.clock.advance(self.takes)
        creation().tag(*late)
        if fail:
            raise LookupError("the source is down")
        self.created += 1
        return (seen, f"creation {number}")

    async def _read(self, process: int, late: Sequence[str], *, fail: bool, anew: bool) -> Value:
        await self.stage.pause("start")
        must = self._must(process)
        value: Value = await self.processes[process].engine.get_or_create(
            self.item, lambda: self._create(late, fail=fail), self.policy, anew=anew
        )
        assert value[0] >= must, f"read version {value[0]} after {must} was acknowledged"
        return value

    def fill(
        self,
        process: int = 0,
        *,
        late: Sequence[str] = (),
        fail: bool = False,
        anew: bool = False,
    ) -> Caller:
        """Return a caller of `get_or_create`."""
        return self.at(process, self._read(process, late, fail=fail, anew=anew))

    def get(self, process: int = 0) -> Caller:
        """Return a caller of `get`."""

        async def steps() -> Value:
            await self.stage.pause("start")
            must = self._must(process)
            where = self.processes[process]
            found = await where.engine.get_many([self.item], self.policy)
            value: Value = found.get(self.item.name, (10**9, "nothing"))
            assert value[0] >= must, f"read version {value[0]} after {must} was acknowledged"
            return value

        return self.at(process, steps())

    def change(
        self,
        how: str,
        process: int = 0,
        *,
        then_read: bool = True,
        then_wait: float = 0.0,
        late: Sequence[str] = (),
    ) -> Caller:
        """Return a caller that changes the world, invalidates, and perhaps reads."""

        async def steps() -> Value:
            await self.stage.pause("start")
            self.version += 1
            mine = self.version
            changing = _changing.set(mine)
            await self._invalidate(how, process, mine)
            _changing.reset(changing)
            self.order.append(f"acknowledged {mine}")
            here = self.processes[process]
            here.acknowledged = max(here.acknowledged, mine)
            if then_wait:
                await self.stage.pause("wait")
                self.stage.clock.advance(then_wait)
            if not here.core.pending.waiting:
                self.acknowledged = max(self.acknowledged, mine)
            if then_read:
                return await self._read(process, late, fail=False, anew=False)
            return (mine, "changed")

        return self.at(process, steps())

    async def _invalidate(self, how: str, process: int, version: int) -> None:
        engine = self.processes[process].engine
        match how:
            case "delete":
                await engine.delete_many([self.item])
            case "put":
                await engine.put(self.item, (version, f"put {version}"), self.policy)
            case "tag":
                await engine.invalidate_tags([self.tag])
            case "clear":
                await engine.clear(Space(""))
            case _:
                raise AssertionError(how)

    def check(self, ends: list[End]) -> None:
        """Check the law, and that nobody was left waiting who need not be."""
        for end in ends:
            if isinstance(end.error, AssertionError):
                raise end.error
        homes = self._played
        crashed = {homes[number] for number, end in enumerate(ends) if end.crashed}
        for number, end in enumerate(ends):
            alone = number >= len(homes) or homes[number] in crashed
            assert end.over or end.crashed or (alone and crashed), f"{number} is still waiting"
        if not crashed:
            assert not any(process.core.pending.waiting for process in self.processes)
            self.acknowledged = max(
                self.acknowledged, *(process.acknowledged for process in self.processes)
            )
        for number, process in enumerate(self.processes):
            value = process.read(self.item)
            if value is not None:
                assert value[0] >= self.acknowledged, (
                    f"process {number} still has version {value[0]}, not {self.acknowledged}"
                )


def lose_once(stage: Stage, lost: str, operation: str, key: str, *, after: int = 0) -> None:
    """Lose the request or the reply of one operation, and of no other."""
    seen = 0

    def lose(done: str, on: str) -> str:
        nonlocal seen
        seen += (done, on) == (operation, key)
        return lost if (done, on) == (operation, key) and seen == after + 1 else ""

    stage.store.lose = lose


def play(
    build: Build,
    *,
    crash: Sequence[int] = (),
    cancel: Sequence[int] = (),
    more: Callable[[World, list[End]], None] | None = None,
    some: int = 0,
    settle: float = 0.0,
) -> int:
    """Play the callers in every order, or in `some`; one may also crash or be cancelled anywhere.

    The law is checked `settle` seconds after the last of them has ended.
    """

    def scene(stage: Stage) -> Scene:
        world, callers = build(stage)

        def check(ends: list[End]) -> None:
            stage.clock.advance(settle)
            if more is not None:
                more(world, ends)  # first: to check the law is to read, and to keep what was read
            world.check(ends)

        return world.scene(callers, check)

    if some:
        play_some_orders(scene, some, seed=some, crash=crash, cancel=cancel)
        return some
    return play_every_order(scene, crash=crash, cancel=cancel)
