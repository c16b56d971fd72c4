"""A world of two processes that change and read the same keys of one cache, at random.

Law: the truth of a key is its version, a number in a file that all processes map, which only grows.
`create` returns the version it finds when it starts. Whoever changes a key raises its version first
and then tells the cache. What no cache could order is not done at once: a `put` is alone with its
key; deletions, refreshes, tags and clears of one key may cross each other, and any creation.
"""

import asyncio
import contextlib
import fcntl
import mmap
import multiprocessing
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from holdfast import Cache, creation, open_store
from holdfast.bridge import drive
from holdfast.cache import core
from model.history import Change, History, Read

__all__ = ["KEYS", "Plan", "live"]

KEYS = 9  # of each three, one tag; every second learns of its tag in its creation
_TAGS = 3
_PART = 6  # from here on they stand in a namespace
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What the processes do.

    Attributes:
        folder: Where they keep the truth.
        store: The URL of the far tier.
        seconds: How long they go on.
        bus: The URL of the server that is asked for the bus, and its kind; None for no bus.
        near_ttl: How long values are near without a bus.
        options: More options of the cache.
        threads: How many threads a process has.
        tasks: How many tasks.
        settle: Seconds from the last change until all must see it.
        seed: The same seed, the same intentions.
    """

    folder: Path
    store: str
    seconds: float
    bus: tuple[str, str] | None
    near_ttl: float
    options: dict[str, Any] = field(default_factory=dict)
    threads: int = 2
    tasks: int = 3
    settle: float = 2.0
    seed: int = 0


def live(plan: Plan) -> list[History]:
    """Let two processes do what `plan` says; return what each of them did and saw."""
    (plan.folder / "truth").write_bytes(bytes(8 * KEYS))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        lives = [pool.submit(_life, plan, process) for process in range(2)]
        return [life.result(plan.seconds + plan.settle + _PATIENCE) for life in lives]


class _Truth:
    """The versions, and who may change them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = (folder / "truth").open("r+b")
        self._map = mmap.mmap(self._file.fileno(), 8 * KEYS)
        self._versions = memoryview(self._map).cast("q")

    def now(self, key: int) -> int:
        return self._versions[key]

    def raise_(self, keys: Sequence[int]) -> dict[int, int]:
        """Raise the versions of `keys`; return the new ones."""
        with self._lock("all", fcntl.LOCK_EX):
            for key in keys:
                self._versions[key] += 1
            return {key: self._versions[key] for key in keys}

    @contextlib.contextmanager
    def changing(self, keys: Sequence[int], *, alone: bool = False) -> Iterator[bool]:
        """Say whether `keys` may be changed while the block runs."""
        how = (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB
        with contextlib.ExitStack() as locks:
            try:
                for key in keys:
                    locks.enter_context(self._lock(f"key-{key}", how))
            except BlockingIOError:
                yield False
                return
            yield True

    @contextlib.contextmanager
    def _lock(self, name: str, how: int) -> Iterator[None]:
        with (self._folder / name).open("wb") as file:  # each has its own: threads lock as well
            fcntl.flock(file, how)
            yield

    def close(self) -> None:
        self._versions.release()
        self._map.close()
        self._file.close()


class _Face(Protocol):
    """What an actor needs of a cache, awaited."""

    async def sleep(self, seconds: float) -> None: ...
    async def do(self, part: bool, word: str, *arguments: Any, **options: Any) -> Any: ...
    async def refresh(self, key: int) -> Any: ...
    def create(self, key: int) -> Callable[[], Any]: ...
    def create_many(self) -> Callable[[list[str]], Any]: ...


def _name(key: int) -> str:
    return f"key-{key}"


def _tag(key: int) -> str:
    return f"tag-{key % _TAGS}"


def _tags(key: int) -> list[str]:
    return [] if key % 2 else [_tag(key)]


class _Work:
    """What both faces do."""

    def __init__(self, cache: Cache, truth: _Truth, chance: random.Random) -> None:
        self.parts = (cache, cache.namespace("part"))
        self.truth = truth
        self.chance = chance

    def begin(self, key: int) -> tuple[list[int], float]:
        """Return the value of a creation that starts now, and how long it takes."""
        value = [key, self.truth.now(key)]
        creation().tag(_tag(key))  # even keys have it from the call already, but not in a refresh
        return value, self.chance.choice([0, 0, 0.001, 0.01, 0.05])


class _Threads(_Work):
    def __init__(self, cache: Cache, truth: _Truth, chance: random.Random) -> None:
        super().__init__(cache, truth, chance)
        self._loads = {
            part: self.parts[part].cached(key="key-{key}")(self._load) for part in (0, 1)
        }

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - it is driven, by a thread

    async def do(self, part: bool, word: str, *arguments: Any, **options: Any) -> Any:
        return getattr(self.parts[part], word)(*arguments, **options)

    async def refresh(self, key: int) -> Any:
        return self._loads[key >= _PART].refresh(key)

    def _load(self, key: int):  # type: ignore[no-untyped-def]  # noqa: ANN202 - no type, no form
        value, seconds = self.begin(key)
        time.sleep(seconds)
        return value

    def create(self, key: int) -> Callable[[], Any]:
        return lambda: self._load(key)

    def create_many(self) -> Callable[[list[str]], Any]:
        return lambda names: {name: self._load(int(name[4:])) for name in names}


class _Tasks(_Work):
    def __init__(self, cache: Cache, truth: _Truth, chance: random.Random) -> None:
        super().__init__(cache, truth, chance)
        self._loads = {
            part: self.parts[part].cached(key="key-{key}")(self._load) for part in (0, 1)
        }

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def do(self, part: bool, word: str, *arguments: Any, **options: Any) -> Any:
        return await getattr(self.parts[part].aio, word)(*arguments, **options)

    async def refresh(self, key: int) -> Any:
        return await self._loads[key >= _PART].refresh(key)

    async def _load(self, key: int):  # type: ignore[no-untyped-def]  # noqa: ANN202 - as above
        value, seconds = self.begin(key)
        await asyncio.sleep(seconds)
        return value

    def create(self, key: int) -> Callable[[], Any]:
        return lambda: self._load(key)

    def create_many(self) -> Callable[[list[str]], Any]:
        async def load(names: list[str]) -> dict[str, Any]:
            return {name: await self._load(int(name[4:])) for name in names}

        return load


class _Actor:
    """One thread or task."""

    def __init__(self, face: _Face, truth: _Truth, chance: random.Random, name: str) -> None:
        self._face = face
        self._truth = truth
        self._chance = chance
        self._name = name
        self.changes: list[Change] = []
        self.behind: list[Read] = []
        self.reads = 0

    async def act(self, until: float) -> None:
        """Read and change at random until then."""
        ways: list[Callable[[int], Awaitable[None]]] = [self._get, self._create, self._create_many]
        ways += [self._put, self._delete, self._refresh, self._invalidate, self._clear]
        # so few changes that what was missed is not put right at once by the next
        weights = [200, 600, 80, 10, 10, 8, 4, 2]
        while time.monotonic() < until:
            way = self._chance.choices(ways, weights)[0]
            await way(self._chance.randrange(KEYS))
            await self._face.sleep(self._chance.choice([0, 0, 0, 0.001, 0.01]))

    async def end(self, key: int) -> int:
        """Return what is there of `key` when all is over."""
        return int((await self._created(key))[1])

    def _saw(self, key: int, value: Any, newest: int, began: float, how: str) -> None:
        if value is None:
            return
        assert value[0] == key, f"{value} under key {key}"
        assert value[1] <= self._truth.now(key), f"{value} is of the future"
        self.reads += 1
        if value[1] < newest:
            self.behind.append(Read(key, value[1], began, f"{self._name} {how}"))

    async def _created(self, key: int) -> Any:
        face, part = self._face, key >= _PART
        return await face.do(part, "get_or_create", _name(key), face.create(key), tags=_tags(key))

    async def _get(self, key: int) -> None:
        newest, began = self._truth.now(key), time.monotonic()
        value = await self._face.do(key >= _PART, "get", _name(key))
        self._saw(key, value, newest, began, "get")

    async def _create(self, key: int) -> None:
        newest, began = self._truth.now(key), time.monotonic()
        self._saw(key, await self._created(key), newest, began, "create")

    async def _create_many(self, key: int) -> None:
        keys = [each for each in range(KEYS) if each % 2 and (each >= _PART) == (key >= _PART)]
        newest, began = [self._truth.now(each) for each in keys], time.monotonic()
        many = self._face.create_many()
        names = [_name(each) for each in keys]
        # what is tagged inside is so for all of them: more tags than needed do no harm
        found = await self._face.do(key >= _PART, "get_or_create_many", names, many)
        for each, least in zip(keys, newest, strict=True):
            self._saw(each, found[_name(each)], least, began, "create_many")

    async def _put(self, key: int) -> None:
        with self._truth.changing([key], alone=True) as may:
            if may:
                new = self._truth.raise_([key])
                value = [key, new[key]]
                await self._face.do(key >= _PART, "put", _name(key), value, tags=[_tag(key)])
                self._changed(new, "put")

    async def _delete(self, key: int) -> None:
        with self._truth.changing([key]) as may:
            if may:
                new = self._truth.raise_([key])
                await self._face.do(key >= _PART, "delete", _name(key))
                self._changed(new, "delete")

    async def _refresh(self, key: int) -> None:
        with self._truth.changing([key]) as may:
            if may:
                new = self._truth.raise_([key])
                value = await self._face.refresh(key)
                assert value[1] >= new[key], f"refresh of version {new[key]} returned {value}"
                self._changed(new, "refresh")

    async def _invalidate(self, key: int) -> None:
        keys = [each for each in range(KEYS) if _tag(each) == _tag(key)]
        await self._many(keys, "invalidate_tags", _tag(key))

    async def _clear(self, key: int) -> None:
        if key % 2:
            await self._many(range(_PART, KEYS), "clear", part=True)
        else:
            await self._many(range(KEYS), "clear")

    async def _many(self, keys: Sequence[int], word: str, *of: str, part: bool = False) -> None:
        with self._truth.changing(keys) as may:
            if may:
                new = self._truth.raise_(keys)
                await self._face.do(part, word, *of)
                self._changed(new, word)

    def _changed(self, new: dict[int, int], how: str) -> None:
        now = time.monotonic()
        by = f"{self._name} {how}"
        self.changes += [Change(key, version, now, by) for key, version in new.items()]


def _life(plan: Plan, process: int) -> History:
    """Be one process."""
    vars(core)["NEAR_TTL"] = plan.near_ttl  # else a short run could see nothing
    bus: Any = None
    with contextlib.ExitStack() as stack:
        if plan.bus is not None:
            url, kind = plan.bus
            bus = stack.enter_context(open_store(url)).bus(kind)  # type: ignore[attr-defined]
        cache = stack.enter_context(Cache(plan.store, bus=bus, **plan.options))
        truth = _Truth(plan.folder)
        stack.callback(truth.close)
        cache.get("warm")
        _stand_ready(plan, process, cache)
        actors = _act(plan, cache, truth, process)
        history = History(process)
        for actor in actors:
            history.changes += actor.changes
            history.behind += actor.behind
            history.reads += actor.reads
        history.bus = cache.stats().bus
        _meet(plan, f"acted-{process}", "acted")
        time.sleep(plan.settle)
        chance = _chance(plan, process, -1)
        last = _Actor(_Threads(cache, truth, chance), truth, chance, "last")
        history.ends = {key: drive(last.end(key)) for key in range(KEYS)}
        history.near_hits = cache.stats().near_hits
        return history


def _act(plan: Plan, cache: Cache, truth: _Truth, process: int) -> list[_Actor]:
    until = time.monotonic() + plan.seconds
    faces: list[Callable[..., Any]] = [_Threads] * plan.threads + [_Tasks] * plan.tasks
    actors = []
    for number, face in enumerate(faces):
        mine = _chance(plan, process, number)
        name = f"{process}.{number} {face.__name__}"
        actors.append(_Actor(face(cache, truth, mine), truth, mine, name))
    failures: list[BaseException] = []

    def run(actor: _Actor) -> None:
        try:
            drive(actor.act(until))
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)

    threads = [threading.Thread(target=run, args=[actor]) for actor in actors[: plan.threads]]
    for thread in threads:
        thread.start()

    async def tasks() -> None:
        await asyncio.gather(*(actor.act(until) for actor in actors[plan.threads :]))

    try:
        asyncio.run(tasks())
    finally:
        for thread in threads:
            thread.join()
    for failure in failures:
        raise failure
    return actors


def _chance(plan: Plan, process: int, number: int) -> random.Random:
    return random.Random(f"{plan.seed} {process} {number}")  # noqa: S311 - repeatable


def _stand_ready(plan: Plan, process: int, cache: Cache) -> None:
    until = time.monotonic() + _PATIENCE
    while plan.bus is not None and not cache.stats().bus:
        assert time.monotonic() < until, "the bus does not come up"
        time.sleep(0.01)
    _meet(plan, f"ready-{process}", "ready")


def _meet(plan: Plan, mine: str, all_: str) -> None:
    """Go on when both processes are here."""
    (plan.folder / mine).touch()
    until = time.monotonic() + _PATIENCE
    while not all((plan.folder / f"{all_}-{other}").exists() for other in range(2)):
        assert time.monotonic() < until, "the other process does not come"
        time.sleep(0.01)
