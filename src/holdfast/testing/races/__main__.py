"""`python -m holdfast.testing.races URL [RACE ...]`: a table of what was kept and what was lost.

Law: the exit code is 0 when nothing was lost, 1 when something was, 2 when it could not be played.
"""

import argparse
import sys
from collections.abc import Sequence

from holdfast.errors import ConfigError
from holdfast.testing.races.play import run_races
from holdfast.testing.races.plays import RACES
from holdfast.testing.races.report import RaceReport

_STYLES = {"kept": "green", "lost": "bold red", "refused": "yellow", "absent": "dim"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m holdfast.testing.races",
        description="Two tabs at once, against an application with sessions.",
    )
    parser.add_argument("url", help="where it listens, such as http://127.0.0.1:8000")
    parser.add_argument("races", nargs="*", metavar="RACE", help=f"some of: {', '.join(RACES)}")
    asked = parser.parse_args(arguments)
    try:
        report = run_races(asked.url, asked.races)
    except ConfigError as error:
        parser.error(str(error))
    _show(report)
    return 1 if report.lost else 0


def _show(report: RaceReport) -> None:
    """Print a table, or lines where `rich` is not installed."""
    try:
        from rich.console import Console  # noqa: PLC0415 - optional
        from rich.table import Table  # noqa: PLC0415 - optional
        from rich.text import Text  # noqa: PLC0415 - optional
    except ModuleNotFoundError:
        print(report)  # noqa: T201 - a command's answer
        return
    grid = Table("race", "", "what must be true after it", "")
    for verdict in report.verdicts:
        says = Text(verdict.says, _STYLES[verdict.says])
        grid.add_row(verdict.race, says, Text(verdict.about.title), Text(verdict.why))
    Console().print(grid)


if __name__ == "__main__":
    sys.exit(main())
