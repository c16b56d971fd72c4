"""The kinds of stores that the tables of the facade go through, and how their rows stand together.

Law: Beaker's row and ours repeat the same lines with the same options, in turns, on the same server
or under the same folder, never on the same records. What old form is written is a setting of the
whole process, so those rows are measured by themselves, with a Beaker of their own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from bench.measure import Absent, Case, Effort, Missing, Outcome, Works, measure
from bench.report import Row, Table, timed
from bench.servers import one_core, running
from bench.targets import COMPAT

__all__ = ["KINDS", "Kind", "Library", "fill"]

Options = Mapping[str, Any]
Library = Callable[[str], ModuleType]
"""Gives a module by the name that it has in Beaker."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of store.

    Args:
        name: What stands behind "Beaker, " and "Holdfast, ".
        server: Runs what the rows share.
        options: Those of Beaker, given what `server` gives and a folder.
        has_form: Whether its records are bytes, of which there is an old form.
    """

    name: str
    server: Callable[[], AbstractContextManager[Any]]
    options: Callable[[Any, str], Options]
    has_form: bool = True


@contextmanager
def disk() -> Iterator[None]:
    """Run nothing: each row has a folder."""
    with one_core():
        yield


def _memory(_: Any, __: str) -> Options:
    return {"type": "memory"}


def _file(_: Any, folder: str) -> Options:
    return {"type": "file", "data_dir": folder}


def _dbm(_: Any, folder: str) -> Options:
    return {"type": "dbm", "data_dir": folder}


def _sqlite(_: Any, folder: str) -> Options:
    return {
        "type": "ext:database",
        "url": f"sqlite:///{folder}/beaker.db",
        "lock_dir": f"{folder}/locks",
    }


def _redis(server: Any, _: str) -> Options:
    return {"type": "ext:redis", "url": server.url}


def _memcached(server: Any, folder: str) -> Options:
    return {
        "type": "ext:memcached",
        "url": f"127.0.0.1:{server.port}",
        "memcache_module": "memcache",
        "lock_dir": folder,
    }


KINDS = (
    Kind("memory", disk, _memory, has_form=False),
    Kind("file", disk, _file),
    Kind("dbm", disk, _dbm),
    Kind("sqlite", disk, _sqlite),
    Kind("redis", partial(running, "redis", "run_redis"), _redis),
    Kind("memcached", partial(running, "memcached", "run_memcached"), _memcached),
)


def fill(
    table: Table,
    kinds: Sequence[Kind],
    works: Callable[[Library, Options], Works],
    effort: Effort,
) -> None:
    """Measure the rows of all kinds, and judge ours.

    Args:
        table: Gets rows and verdicts.
        kinds: The kinds.
        works: Given a library and options, what its row repeats.
        effort: How long; rows on servers have longer samples, and fewer.
    """
    from holdfast.compat.settings import configure

    for kind in kinds:
        served = kind.server is not disk
        longer = replace(effort, rounds=min(effort.rounds, 15), sample=effort.sample * 4, tries=1)
        try:
            with kind.server() as server:
                for old_form in (False, True) if kind.has_form else (False,):
                    configure(old_form=old_form)
                    _beside(table, kind, server, works, longer if served else effort)
        except Absent as word:
            table.rows.append(Row(kind.name, {table.columns[0]: str(word)}))
        finally:
            configure()


def _beside(
    table: Table,
    kind: Kind,
    server: Any,
    works: Callable[[Library, Options], Works],
    effort: Effort,
) -> None:
    from holdfast.compat.settings import current

    form = ", old form" if current().old_form else ""
    rows = tuple(f"{who}, {kind.name}{form}" for who in ("Beaker", "Holdfast"))
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        cases = [
            Case(rows[0], lambda: works(_genuine, kind.options(server, one))),
            Case(rows[1], lambda: works(_ours, kind.options(server, other)), ours=True),
        ]
        outcome = measure(cases, effort)
    timed(table, cases, outcome, per=1e3)
    _judge(table, outcome, rows[1], rows[0])


def _genuine(name: str) -> ModuleType:
    return import_module(f"beaker.{name}")


def _ours(name: str) -> ModuleType:
    return import_module(f"holdfast.compat.beaker.{name}")


def _judge(table: Table, outcome: Outcome, row: str, peer: str) -> None:
    """Add the ratios as a row of their own, and the verdict on the worst of them."""
    ours, theirs = outcome[row], outcome[peer]
    if isinstance(ours, Missing) or isinstance(theirs, Missing):
        return
    ratios = {column: ours[column].over(theirs[column]) for column in ours}
    table.rows.append(Row(f"  x {peer}", dict(ratios)))
    slowest = max(ratios, key=ratios.__getitem__)
    table.verdicts.append(COMPAT.judge(ratios[slowest], f"{row}, {slowest}"))
