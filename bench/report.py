"""What a table says: rows, columns, verdicts; on the screen and as JSON.

Law: a table holds figures only, already in its unit. Whoever reads the JSON needs nothing else.
"""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from bench.measure import Case, Missing, Outcome
from bench.targets import Verdict

__all__ = ["Row", "Table", "ratios", "show", "timed", "write_json"]

PEERS = (
    "holdfast", "Beaker", "dogpile.cache", "cashews", "aiocache", "cachetools", "cachebox",
    "theine", "limits", "starsessions", "starlette", "Flask-Session", "Flask", "Django",
    "diskcache", "async-lru", "cryptography", "pycryptodome", "ormsgpack", "redis", "hiredis",
    "pymemcache", "emcache", "python-memcached", "SQLAlchemy", "psycopg", "asyncpg", "PyMySQL",
    "asyncmy", "aiosqlite", "pymongo",
)  # fmt: skip


@dataclass(slots=True)
class Row:
    """A line: column -> figure in the table's unit, or a word."""

    name: str
    cells: dict[str, float | str]
    ours: bool = False
    best: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Table:
    """Rows side by side, what was compared and what the targets say."""

    name: str
    title: str
    unit: str
    columns: list[str]
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)


def timed(table: Table, cases: Sequence[Case], outcome: Outcome, *, per: float = 1.0) -> None:
    """Fill `table` with the medians of `outcome`.

    Args:
        table: Its columns are those of the timings.
        cases: What was measured.
        outcome: The timings, in nanoseconds.
        per: Nanoseconds per unit of the table.
    """
    for case in cases:
        timings = outcome[case.row]
        if isinstance(timings, Missing):
            table.rows.append(Row(case.row, {table.columns[0]: timings.reason}, case.ours))
            continue
        cells: dict[str, float | str] = {c: t.median / per for c, t in timings.items()}
        best = {c: t.best / per for c, t in timings.items()}
        table.rows.append(Row(case.row, cells, case.ours, best))


def ratios(table: Table, outcome: Outcome, reference: str, *, by: str) -> None:
    """Add a column that says how many times `reference` each row takes."""
    base = outcome[reference]
    assert not isinstance(base, Missing)
    table.columns.append(heading := f"x {reference}")
    for row in table.rows:
        timings = outcome[row.name]
        if not isinstance(timings, Missing):
            row.cells[heading] = timings[by].over(base[by])


def show(table: Table, console: Console) -> None:
    """Print `table`, its notes and its verdicts."""
    grid = Grid(title=f"{table.name}: {table.title}", title_justify="left", title_style="bold")
    grid.add_column(table.unit)
    for column in table.columns:
        grid.add_column(column, justify="right")
    for row in table.rows:
        cells = [_cell(row.cells.get(column)) for column in table.columns]
        grid.add_row(row.name, *cells, style="bold green" if row.ours else None)
    console.print(grid)
    for note in table.notes:
        console.print(Text(f"  {note}", style="dim"))
    for verdict in table.verdicts:
        style = "green" if verdict.met else "yellow" if verdict.target.stretch else "red"
        console.print(Text(f"  {verdict}", style=style))
    console.print()


def _cell(figure: float | str | None) -> str:
    """Return three or four significant digits."""
    if figure is None:
        return ""
    if isinstance(figure, str):
        return figure
    digits = 0 if abs(figure) >= 1000 else 1 if abs(figure) >= 20 else 2
    return f"{figure:,.{digits}f}"


def write_json(tables: Sequence[Table], file: Path) -> None:
    """Write everything that was measured, and on what, to `file`."""
    told = []
    for table in tables:
        line = asdict(table)
        for verdict, facts in zip(table.verdicts, line["verdicts"], strict=True):
            facts["met"] = verdict.met
            facts["miss"] = verdict.miss
        told.append(line)
    facts = {"machine": machine(), "versions": versions(), "tables": told}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    """Return the version of every library that appears in a table."""
    found = {}
    for name in PEERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
