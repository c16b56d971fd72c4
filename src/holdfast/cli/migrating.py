"""The work of `holdfast migrate`: its progress, its report, and what it says at the end.

Law: that of `migrate.py`; loaded when the command is called, because it loads all old forms.
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from holdfast.compat.migrate import LeftOut, Migration, Outcome, Report
from holdfast.compat.settings import configure
from holdfast.durations import seconds
from holdfast.errors import HoldfastError

__all__ = ["carry_out"]


def carry_out(
    source: str,
    target: str,
    *,
    dry: bool,
    old_form: bool,
    allow: Sequence[str],
    timeout: str | None,
    replace: bool,
    path: Path | None,
) -> bool:
    """Migrate; return whether it came to the end."""
    logging.getLogger("holdfast.compat").addHandler(logging.NullHandler())  # the report says it
    found = Report()
    try:
        if allow:  # classes of an application that is not installed, as `python -m` finds them
            sys.path.insert(0, str(Path.cwd()))
        configure(allow=allow, old_form=old_form)
        limit = None if timeout is None else seconds(timeout, option="timeout")
        with (
            _written(path) as found.tell,
            Migration(source, target, limit, replace=replace, dry=dry) as migration,
        ):
            _run(migration, found)
    except (HoldfastError, OSError, KeyboardInterrupt) as error:
        if found.done:
            _summary(found, dry=dry)
        said = "stopped" if isinstance(error, KeyboardInterrupt) else error
        typer.secho(f"holdfast migrate: {said}", fg=typer.colors.RED, err=True)
        if found.done:
            typer.echo("What is written stays; begun again, it goes on.", err=True)
        return False
    _summary(found, dry=dry)
    return True


def _run(migration: Migration, found: Report) -> None:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("counting", total=None)
        bar.update(task, total=migration.count(), description="migrating")
        migration.run(found, lambda report: bar.update(task, completed=report.done))


@contextmanager
def _written(path: Path | None) -> Iterator[Callable[[LeftOut], object]]:
    """Give what writes a line of the report; do nothing where none is wanted."""
    if path is None:
        yield lambda _: None
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)  # of a file that was there, too

        def write(left: LeftOut) -> None:
            file.write(json.dumps(left._asdict()) + "\n")

        yield write


def _summary(found: Report, *, dry: bool) -> None:
    would = "would be " if dry else ""
    for outcome in Outcome:
        count = found.counts[outcome]
        if count:
            word = would + outcome.value if outcome is Outcome.WRITTEN else outcome.value
            typer.echo(f"{count:>9} {word}")
    for reason, count in found.reasons.most_common():
        typer.echo(f"{count:>17} {reason}")
    for note in found.notes:
        typer.echo(f"          {note}")
    if not found.done:
        typer.echo("there is nothing to migrate")
