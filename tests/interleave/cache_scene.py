"""A stage for caches: a world that changes, processes that cache it, and the law they must keep.

The world has a version. A creation remembers the version at its start; a change raises it, then
invalidates, and is acknowledged when the invalidation has returned. The law: whoever begins to read
after a change was acknowledged gets that version or a later one.
"""

import contextvars
from collections.abc import Coroutine, Mapping, Sequence
from types import TracebackType
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
from holdfast.cache.space import ANY, EVERYTHING, Space
from holdfast.cache.stamps import Stamps
from holdfast.codec.msgpack import Msgpack
from holdfast.entry import Entry, make_stamp, pack
from holdfast.events import silent
from holdfast.store.protocol import AsyncStore
from holdfast.testing.interleave import Caller, End, Stage

__all__ = ["KEY", "TAG", "Own", "Process", "World"]

KEY = "report"
TAG = "reports"
STORE_KEY = "v:report"
Value = tuple[int, str]
T = TypeVar("T")


class Own(Coroutine[object, None, object]):
    """A caller with a context of its own, as a thread or a task has."""

    def __init__(self, steps: Coroutine[Any, Any, object]) -> None:
        self._steps = steps
        self._context = contextvars.copy_context()

    def send(self, value: None, /) -> object:
        return self._context.run(self._steps.send, value)

    def throw(  # type: ignore[override]
        self, kind: Any, value: BaseException | None = None, trace: TracebackType | None = None, /
    ) -> object:
        raise NotImplementedError

    def close(self) -> None:
        self._context.run(self._steps.close)

    def __await__(self) -> Any:
        raise NotImplementedError


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
    ) -> None:
        self._near = Near(100 if near else 0, stage.clock)
        self.core = Core(
            near=self._near,
            coding=Coding(Msgpack()),
            clock=stage.clock,
            observer=silent,
            prefix="",
            coherence=Coherence("", self._near, silent, None),
            lease=lease,
            draw=lambda: 0.0,
        )
        self.stage = stage
        self.policy = policy
        self.acknowledged = 0
        self.space = Space("")
        self.engine = Engine(self.core, store if far else None, stage.waits)
        self.direct = Engine(self.core, Blocking(stage.rows) if far else None, ThreadWaits())

    def read(self) -> Value | None:
        """Return what a reader of this process gets now, without a pause."""
        value = drive(self.direct.get_many([self.space.item(KEY)], self.policy)).get(KEY)
        return value if value is not NOTHING else None


class World:
    """What is cached, by whom, and what was promised.

    Attributes:
        version: What a creation that starts now sees.
        acknowledged: What a read that starts now must see.
        created: How often `create` was run to its end.
        lenient: Whether callers may be served what another process has changed; `check` may not.
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
    ) -> None:
        self.stage = stage
        self.far = far
        self.version = 0
        self.acknowledged = 0
        self.created = 0
        self.lenient = False
        self.started = 0
        self.order: list[str] = []
        self.policy = Policy(ttl=1000.0, grace=grace, tags=tuple(tags), near_ttl=5.0)
        store = Replying(stage) if replies else stage.store
        self.processes = [
            Process(stage, store, near=near, far=far, policy=self.policy) for _ in range(processes)
        ]
        self.item = Space("").item(KEY, tags)
        stamps = Stamps(Blocking(stage.rows), "")
        for label in (EVERYTHING, ANY, f"t:{TAG}"):
            stage.rows.put(stamps.key(label), make_stamp())

    def store(self, *, fresh: float, stale: float = 0.0, tags: Sequence[str] = ()) -> None:
        """Put an entry of version 0 into the last tier, fresh for a while, then stale."""
        until = self.stage.clock() + fresh
        labels = Space("").item(KEY, tags).labels
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
        entry = Entry(data, self.stage.clock(), until, until + stale, known)
        self.stage.rows.put(STORE_KEY, pack(entry))

    def _must(self, process: int) -> int:
        """Return the version a read of this process that starts now must see."""
        return self.processes[process].acknowledged if self.lenient else self.acknowledged

    async def _create(self, late: Sequence[str], *, fail: bool) -> Value:
        seen = self.version
        self.started += 1
        number = self.started
        await self.stage.pause("create")
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
        return Own(self._read(process, late, fail=fail, anew=anew))

    def get(self, process: int = 0) -> Caller:
        """Return a caller of `get`."""

        async def steps() -> Value:
            await self.stage.pause("start")
            must = self._must(process)
            where = self.processes[process]
            found = await where.engine.get_many([self.item], self.policy)
            value: Value = found.get(KEY, (10**9, "nothing"))
            assert value[0] >= must, f"read version {value[0]} after {must} was acknowledged"
            return value

        return Own(steps())

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
            await self._invalidate(how, process, mine)
            self.order.append(f"acknowledged {mine}")
            if then_wait:
                self.stage.clock.advance(then_wait)
            self.acknowledged = max(self.acknowledged, mine)
            seen = self.processes[process].acknowledged
            self.processes[process].acknowledged = max(seen, mine)
            if then_read:
                return await self._read(process, late, fail=False, anew=False)
            return (mine, "changed")

        return Own(steps())

    async def _invalidate(self, how: str, process: int, version: int) -> None:
        engine = self.processes[process].engine
        match how:
            case "delete":
                await engine.delete_many([self.item])
            case "put":
                await engine.put(self.item, (version, f"put {version}"), self.policy)
            case "tag":
                await engine.invalidate_tags([TAG])
            case "clear":
                await engine.clear(Space(""))
            case _:
                raise AssertionError(how)

    def check(self, ends: list[End], *, crashed: Sequence[int] = ()) -> None:
        """Check the law, and that nobody was left waiting who need not be."""
        for end in ends:
            if isinstance(end.error, AssertionError):
                raise end.error
        someone_crashed = any(end.crashed for end in ends)
        for number, end in enumerate(ends):
            over = end.crashed or end.error is not None or end.value is not None
            left_alone = someone_crashed and number not in crashed
            assert over or left_alone, f"{number} is still waiting"
        for number, process in enumerate(self.processes):
            value = process.read()
            if value is not None:
                assert value[0] >= self.acknowledged, (
                    f"process {number} still has version {value[0]}, not {self.acknowledged}"
                )
