"""`python -m bench`: the tables, all or some.

Law: it only measures and prints. A library that is not installed is a word in its row, no error.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

from rich.console import Console

from bench.measure import FULL, QUICK, Effort
from bench.plot import draw_growth
from bench.report import Table, machine, show, write_json

TABLES = {
    "hit": "hit",
    "hit-async": "hit_async",
    "misses": "cache_misses",
    "far": "cache_far",
    "stampede": "cache_stampede",
    "clear": "cache_clear",
    "bus": "cache_bus",
    "store": "store",
    "stores": "store_sync",
    "stores-async": "store_async",
    "stores-tasks": "store_tasks",
    "session": "session",
    "session-redis": "session_redis",
    "session-asgi": "session_asgi",
    "session-race": "session_race",
    "session-redis-asgi": "session_redis_asgi",
    "compat-cache": "compat_cache",
    "compat-session": "compat_session",
    "ratio": "ratio",
    "memory": "memory",
    "limit": "limit",
    "import": "imports",
    "race": "race",
    "growth": "growth",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Holdfast and others.")
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"some of: {', '.join(TABLES)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the table growth there")
    parser.add_argument("--quick", action="store_true", help="tiny samples: does it run at all?")
    parser.add_argument(
        "--full", action="store_true", help="the table growth, too: a million records (minutes)"
    )
    asked = parser.parse_args(arguments)
    if unknown := set(asked.tables) - set(TABLES):
        parser.error(f"no such table: {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")
    wanted = asked.tables or [name for name in TABLES if name != "growth" or asked.full]
    if asked.plot and ("growth" not in wanted or find_spec("matplotlib") is None):
        parser.error("--plot needs matplotlib and the table growth")
    tables = _run(wanted, QUICK if asked.quick else FULL)
    if asked.plot:
        draw_growth(next(table for table in tables if table.name == "growth"), asked.plot)
    if asked.json:
        write_json(tables, asked.json)
    return 0


def _run(names: Sequence[str], effort: Effort) -> list[Table]:
    """Measure and show one table after the other."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(", ".join(machine().values()), style="dim")
    tables, started = [], perf_counter()
    for name in names:
        run: Callable[[Effort], Table] = import_module(f"bench.{TABLES[name]}").run
        tables.append(run(effort))
        show(tables[-1], console)
    _summary(tables, perf_counter() - started, console)
    return tables


def _summary(tables: Sequence[Table], seconds: float, console: Console) -> None:
    """Say in one line what the targets say together."""
    verdicts = [v for table in tables for v in table.verdicts if not v.target.stretch]
    missed = [v for v in verdicts if not v.met]
    said = f"{len(verdicts) - len(missed)} of {len(verdicts)} targets met in {seconds:.0f} s"
    console.print(said, style="bold red" if missed else "bold green")
    for verdict in missed:
        console.print(f"  {verdict}", style="red", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
