"""`holdfast migrate`: copies or converts a whole store, and says what it left out.

Law: options, messages and the report's file; the work is done by `holdfast.compat.migrate`. No
password is printed. Keys are written to the report alone, which only its owner may read: that of an
old session may be what opens it.
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from holdfast.compat.migrate import LeftOut, Migration, Outcome, Report
from holdfast.compat.settings import configure
from holdfast.durations import seconds
from holdfast.errors import HoldfastError

__all__ = ["migrate"]


def migrate(
    *,
    source: Annotated[str, typer.Option("--from", help="URL of the store, or of old data.")],
    target: Annotated[str, typer.Option("--to", help="URL it goes to; may be the same.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look, and write nothing.")] = False,
    old_form: Annotated[
        bool,
        typer.Option("--old-form", help="Write what the old library wrote, not the safe form."),
    ] = False,
    allow: Annotated[
        list[str] | None, typer.Option(help="A class that may be read: module.Class. Repeatable.")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(help="Old sessions not used for so long are over: 30m, 14d.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over what the target holds and differs.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(dir_okay=False, help="File for all that was left out, as JSON.")
    ] = None,
) -> None:
    """Copy or convert a whole store; begun again, it goes on where it was."""
    logging.getLogger("holdfast.compat").addHandler(logging.NullHandler())  # the report says it
    found = Report()
    try:
        if allow:  # classes of an application that is not installed, as `python -m` finds them
            sys.path.insert(0, str(Path.cwd()))
        configure(allow=allow or (), old_form=old_form)
        limit = None if timeout is None else seconds(timeout, option="timeout")
        with (
            _written(report) as found.tell,
            Migration(source, target, limit, replace=replace, dry=dry_run) as migration,
        ):
            _run(migration, found)
    except (HoldfastError, OSError) as error:
        if found.done:
            _summary(found, dry=dry_run)
        typer.secho(f"holdfast migrate: {error}", fg=typer.colors.RED, err=True)
        if found.done:
            typer.echo("What is written stays; begun again, it goes on.", err=True)
        raise typer.Exit(1) from error
    _summary(found, dry=dry_run)


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
