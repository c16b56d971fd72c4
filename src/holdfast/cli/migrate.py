"""`holdfast migrate`: copies or converts a whole store, and says what it left out.

Law: options, messages and the report's file; the work is done by `holdfast.compat.migrate`. No
password is printed. Keys are written to the report alone, which only its owner may read: that of an
old session may be what opens it.
"""

from pathlib import Path
from typing import Annotated

import typer

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
    from holdfast.cli.migrating import carry_out  # noqa: PLC0415 - slow to load

    done = carry_out(
        source,
        target,
        dry=dry_run,
        old_form=old_form,
        allow=allow or (),
        timeout=timeout,
        replace=replace,
        path=report,
    )
    if not done:
        raise typer.Exit(1)
