"""Table `stampede`: four processes of fifty callers want one cold key at the same moment.

Law: real processes (`tests/cache/crowd.py`), each of which has called once before for another key;
nobody calls before all stand at the line. A creation takes 200 ms. Threads where a library blocks,
tasks where it awaits. Each round has a key of its own; told are the most creations of a round, and
the median of the slowest callers. All cores are theirs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from statistics import median
from typing import Any

from bench import cache_peers as peers
from bench.measure import NOT_INSTALLED, Absent, Effort
from bench.report import Row, Table
from bench.servers import of_tests, running
from bench.store_rows import disk
from bench.targets import STAMPEDE_CREATIONS, STAMPEDE_SLOWEST

PROCESSES, CALLERS, SECONDS = 4, 50, 0.2
ROUNDS = 5
ENOUGH = 15.0  # seconds of stampede after which a row has no more rounds
CREATIONS, SLOWEST, RATIO = "creations", "slowest, s", "x creation"


@dataclass(frozen=True, slots=True)
class Scene:
    """One row.

    Args:
        row: Its name.
        opener: One of `bench/cache_peers.py`, with its arguments.
        tasks: Whether it is for tasks.
        library: What must be installed.
        long: Whether a round takes seconds: left out of a quick run.
    """

    row: str
    opener: Any
    tasks: bool = False
    library: str = "holdfast"
    long: bool = False

    @property
    def ours(self) -> bool:
        """Whether it is ours."""
        return self.library == "holdfast"


def ours(name: str, url: str) -> list[Scene]:
    """Return our two rows on a store."""
    return [
        Scene(f"Holdfast, {name}, threads", partial(peers.holdfast, url)),
        Scene(f"Holdfast, {name}, tasks", partial(peers.holdfast_tasks, url), tasks=True),
    ]


def on_redis(server: Any) -> list[Scene]:
    """With what each library has against a stampede of several processes."""
    url = server.url
    dogpile = partial(peers.dogpile_redis, url, distributed=True)
    cashews = partial(peers.cashews, url, lock=True)
    aiocache = partial(peers.aiocache_redis, url, stampede=True)
    beaker = partial(peers.beaker, "ext:redis", url)
    return [
        Scene("no cache, threads", peers.nothing, library="contextlib"),
        Scene("dogpile, lock in redis", dogpile, library="dogpile"),
        Scene("Beaker, redis", beaker, library="beaker", long=True),
        Scene("cashews, lock in redis", cashews, tasks=True, library="cashews"),
        Scene("aiocache cached_stampede, redis", aiocache, tasks=True, library="aiocache"),
        *ours("redis", url),
    ]


def on_postgresql(server: Any) -> list[Scene]:
    """Nobody else keeps cached values there."""
    return ours("postgresql", server.url)


def on_disk(folder: Any) -> list[Scene]:
    """SQLite, and Beaker's files."""
    diskcache = partial(peers.diskcache_barrier, f"{folder}/diskcache")
    beaker = partial(peers.beaker, "file", "", f"{folder}/beaker")
    return [
        Scene("diskcache memoize + barrier", diskcache, library="diskcache", long=True),
        Scene("Beaker, file", beaker, library="beaker", long=True),
        *ours("sqlite", f"sqlite:///{folder}/h.db"),
    ]


PLACES: dict[str, tuple[Any, Callable[[Any], list[Scene]]]] = {
    "redis": (partial(running, "redis", "run_redis", pinned=False), on_redis),
    "postgresql": (
        partial(running, "postgresql", "run_postgresql", pinned=False),
        on_postgresql,
    ),
    "sqlite": (disk, on_disk),
}


def run(effort: Effort) -> Table:
    """Measure the table."""
    quick = effort.share < 1
    table = Table("stampede", "one cold key, 4 processes x 50 callers", "", [CREATIONS, SLOWEST])
    table.columns.append(RATIO)
    for place, (server, scenes) in PLACES.items():
        try:
            with server() as opened:
                chosen = [scene for scene in scenes(opened) if not (quick and scene.long)]
                _play(table, chosen, 1 if quick else ROUNDS)
        except Absent as word:
            table.rows.append(Row(place, {CREATIONS: str(word)}))
    table.notes.append(
        f"a creation takes {SECONDS * 1e3:.0f} ms; creations: the most of a round; slowest caller: "
        f"median of {1 if quick else ROUNDS}"
    )
    return table


def _play(table: Table, scenes: Sequence[Scene], rounds: int) -> None:
    """Add a row for each scene, and the verdicts on ours."""
    for scene in scenes:
        row = Row(scene.row, {}, scene.ours)
        table.rows.append(row)
        if not _is_there(scene.library):
            row.cells[CREATIONS] = NOT_INSTALLED
            continue
        rushes = _rushes(scene, rounds)
        creations = max(rush.creations for rush in rushes)
        slowest = median(rush.slowest for rush in rushes)
        row.cells |= {CREATIONS: float(creations), SLOWEST: slowest, RATIO: slowest / SECONDS}
        row.best |= {SLOWEST: min(rush.slowest for rush in rushes)}
        if errors := {error for rush in rushes for error in rush.errors}:
            table.notes.append(f"{scene.row}: {'; '.join(sorted(errors))[:200]}")
        if scene.ours:
            table.verdicts.append(STAMPEDE_CREATIONS.judge(creations, scene.row))
            table.verdicts.append(STAMPEDE_SLOWEST.judge(slowest / SECONDS, scene.row))


def _is_there(library: str) -> bool:
    try:
        import_module(library)
    except ImportError:
        return False
    return True


def _rushes(scene: Scene, rounds: int) -> list[Any]:
    """Let one crowd rush at a cold key after the other; who takes long has fewer of them."""
    crowd = of_tests("cache.crowd").Crowd(
        peers.crowd_of_tasks if scene.tasks else peers.crowd_of_threads,
        scene.opener,
        processes=PROCESSES,
        callers=CALLERS,
        tasks=scene.tasks,
        seconds=SECONDS,
    )
    rushes: list[Any] = []
    with crowd:
        while len(rushes) < rounds and sum(rush.slowest for rush in rushes) < ENOUGH:
            rushes.append(crowd.rush(f"cold-{len(rushes)}"))
    return rushes
