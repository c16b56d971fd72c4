"""The world: eight processes of actors, and what befalls them; then all that is left, and judged.

Law: a process is killed by its own id, and another takes its place. Nobody judges before all have
ended. What went wrong in a process is in its journals.
"""

import asyncio
import itertools
import multiprocessing
import random
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self

from holdfast import Sessions, open_store
from holdfast.bridge import aio_face, drive
from holdfast.codec import codec_named
from holdfast.session.data import Note, Record, decode
from holdfast.store.abilities import CanScan
from holdfast.store.protocol import OpenStore
from turmoil.actor import Actor, Tasks, Threads, overhear
from turmoil.board import Board
from turmoil.gate import Gate
from turmoil.journal import Journal, Sight, Told, read_journals
from turmoil.judge import Wipe, faults_of, history_of

__all__ = ["Plan", "World", "verdict"]

PROCESSES = 8
_ACTORS = 2  # of each process
_PATIENCE = 90.0
_CODEC = codec_named("msgpack")


@dataclass(frozen=True, slots=True)
class Plan:
    """What the processes do.

    Attributes:
        folder: Where they keep journals and tokens.
        url: The store.
        timeout: How long they wait for an answer of it.
        seconds: How long they go on.
        seed: The same seed, the same intentions.
        careless: Whether the store's `swap` does not compare: a fault that must be found.
    """

    folder: Path
    url: str
    seconds: float
    seed: int
    timeout: float = 1.0
    careless: bool = False

    def open(self, timeout: float) -> tuple[OpenStore, Sessions]:
        """Return the store, and sessions in it that note each use."""
        store = open_store(self.url, timeout=timeout, prefix=f"turmoil{self.seed}")
        if self.careless:
            vars(store)["swap"] = lambda key, _, new, ttl=None: _put(store, key, new, ttl)
        # late commits follow a note; its end would make two sessions of one
        options: dict[str, Any] = {"forward_note": 3600, "accept_eviction": True}
        return store, Sessions(store, touch_every=0.5, observer=overhear, **options)


def _put(store: OpenStore, key: str, new: bytes | None, ttl: float | None) -> bool:
    if new is None:
        return store.delete(key)
    store.put(key, new, ttl)
    return True


class World:
    """Processes that visit sessions; a context manager, at whose end all of them have ended.

    Args:
        plan: What they do.

    Attributes:
        wipes: When the store was down, if it keeps nothing.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.wipes: list[Wipe] = []
        self._processes: dict[int, BaseProcess] = {}
        self._spawn = multiprocessing.get_context("spawn")
        self._generations = itertools.count()
        self._killed: set[str] = set()
        self._until = 0.0

    def __enter__(self) -> Self:
        for number in range(PROCESSES):
            self._start(number, next(self._generations))
        self._until = Gate(self.plan.folder).open(PROCESSES, self.plan.seconds)
        return self

    def __exit__(self, *_: object) -> None:
        late = self._until + _PATIENCE
        for process in self._processes.values():
            process.join(max(0.0, late - time.monotonic()))
        hanging = [process for process in self._processes.values() if process.is_alive()]
        for process in hanging:
            process.kill()
            process.join()
        assert not hanging, f"{len(hanging)} processes hang"

    def befall(self, *troubles: Callable[[], object], every: float) -> None:
        """Let one of `troubles` after the other happen, until all is over."""
        began = time.monotonic()
        for count, trouble in enumerate(itertools.cycle(troubles), start=1):
            moment = began + count * every
            if moment > self._until - 1.0:  # what comes after it is to be seen as well
                return
            time.sleep(max(0.0, moment - time.monotonic()))
            trouble()

    def kill_process(self) -> None:
        """Kill one process in whatever it does, and put another in its place."""
        generation = next(self._generations)
        number = generation % PROCESSES
        process = self._processes[number]
        process.kill()
        process.join()
        self._killed.add(process.name)
        self._start(number, generation)

    def _start(self, number: int, generation: int) -> None:
        name = f"{number}.{generation}"
        process = self._spawn.Process(target=_live, args=[self.plan, name], name=name, daemon=True)
        process.start()
        self._processes[number] = process

    def told(self) -> Told:
        """Return what all journals say, and what is in the store now; all processes have ended."""
        told = read_journals(self.plan.folder)
        told.unfinished = {
            who for who in told.unfinished if who.rpartition(".")[0] not in self._killed
        }
        store, sessions = self.plan.open(_PATIENCE)
        with store:
            _look_around(store, told)
            _look_at_lists(sessions, told)
        return told


def verdict(world: World, told: Told) -> str:
    """Return what is wrong, with a short history; empty where nothing is."""
    wrong = [*told.broken, *(f"{who} did not end" for who in sorted(told.unfinished))]
    if wrong:
        return "\n".join(wrong[:5])
    for life in told.lives.values():
        if faults := faults_of(life, world.wipes):
            history = history_of(life, faults[0].at)
            words = "\n".join(map(str, faults[:3]))
            return f"seed {world.plan.seed}, session {life.line}: {words}\n\n{history}"
    return "\n".join(told.strays[:5])


# At the end


def _look_around(store: OpenStore, told: Told) -> None:
    """Add what is in the store to the lives it belongs to."""
    listed: dict[str, bytes] = {}
    if isinstance(store, CanScan):
        for keys in _batches(sorted(store.scan("s:"))):
            listed |= store.get_many(keys)
    reached = set[str]()
    for life in told.lives.values():
        ends = {end for handle in life.ids if (end := _end_of(store, handle)) is not None}
        reached |= {end[0] for end in ends}
        life.sights += [_sight(life.line, handle, raw) for handle, raw in sorted(ends)]
    for key, raw in listed.items():
        handle, found = key.removeprefix("s:"), decode(raw)
        if found is None:
            told.strays.append(f"no record under {handle[:8]}")
        elif isinstance(found, Record) and handle not in reached:
            line = str(_values(found).get("line"))
            # a rotation that was cut off leaves a record whose token nobody was told
            if not any(_may_leave(deed) for deed in told.lives[line].deeds):
                told.strays.append(f"{handle[:8]} of {line}, which no token leads to")


def _look_at_lists(sessions: Sessions, told: Told) -> None:
    """Add to `told` who is signed in without being listed."""
    lists = defaultdict[str, set[str]](set)
    for life in told.lives.values():
        for sight in life.sights:
            if sight.who == "end" and sight.user and not any(map(_may_leave, life.deeds)):
                listed = lists[sight.user] or {info.id for info in sessions.of(sight.user)}
                lists[sight.user] = listed
                if sight.id not in listed:
                    told.strays.append(f"{sight.id[:8]} of {sight.user}, who is not told of it")


def _may_leave(deed: Any) -> bool:
    return not deed.done and deed.has("begin", "rotate", "login")


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + 500] for start in range(0, len(keys), 500))


def _end_of(store: OpenStore, handle: str) -> tuple[str, bytes] | None:
    """Return the record that `handle` leads to, through however many notes."""
    while (raw := store.get(f"s:{handle}")) is not None:
        found = decode(raw)
        if not isinstance(found, Note):
            return handle, raw
        handle = found.target
    return None


def _values(record: Record) -> dict[str, Any]:
    return {name: _CODEC.decode(encoded) for name, encoded in record.data.items()}


def _sight(line: str, handle: str, raw: bytes) -> Sight:
    now, record = time.monotonic(), decode(raw)
    boxes: dict[str, list[str]] = {"f": [], "n": []}
    sight = Sight("end", line, handle, now, now, True, flashes=boxes["f"], notices=boxes["n"])  # noqa: FBT003
    if isinstance(record, Record):
        sight.user = None if record.user is None else str(record.user)
        sight.names = _values(record)
        for message in record.messages:
            boxes[message.box[0]].append(str(_CODEC.decode(message.encoded)))
    return sight


# One process


def _live(plan: Plan, name: str) -> None:
    """Be one process: of tasks if its number is odd."""
    store, sessions = plan.open(plan.timeout)
    actors = []
    for count in range(_ACTORS):
        who = f"{name}.{count}"
        chance = random.Random(f"{plan.seed} {who}")  # noqa: S311 - repeatable
        face = Tasks(sessions) if int(name.partition(".")[0]) % 2 else Threads(sessions)
        journal = Journal(plan.folder, who)
        actor = Actor(face, Board(plan.folder), journal, chance)
        actors.append((actor, journal))
    until = Gate(plan.folder).wait(name)
    if isinstance(face, Tasks):
        asyncio.run(_live_in_loop(store, actors, until))
    else:
        threads = [threading.Thread(target=_act_in_thread, args=[*pair, until]) for pair in actors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    store.close()


async def _live_in_loop(
    store: OpenStore, actors: Sequence[tuple[Actor, Journal]], until: float
) -> None:
    await asyncio.gather(*(_act(actor, journal, until) for actor, journal in actors))
    await aio_face(store).close()


def _act_in_thread(actor: Actor, journal: Journal, until: float) -> None:
    drive(_act(actor, journal, until))


async def _act(actor: Actor, journal: Journal, until: float) -> None:
    try:
        await actor.act(until)
    except Exception:  # noqa: BLE001 - the judge is told
        journal.broke(traceback.format_exc())
    journal.close()
