"""What `holdfast` can do: one function per command.

Law: options and messages only; a command's work stands in a module of its own.
"""

from pathlib import Path
from typing import Annotated

import typer

import holdfast
from holdfast.cli import demo as _demo
from holdfast.cli import keys as _keys
from holdfast.cli import migrate as _migrate
from holdfast.errors import ConfigError

__all__ = ["app"]

app = typer.Typer(
    name="holdfast",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(_keys.app, name="keys")
app.command("migrate")(_migrate.migrate)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it
    if wanted:
        typer.echo(f"holdfast {holdfast.__version__}")
        raise typer.Exit


@app.callback()
def top(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """Sessions, cached values and rate limits on one kind of store."""


@app.command()
def demo(
    *,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes that answer.")] = 1,
    db: Annotated[
        Path | None, typer.Option(dir_okay=False, help="SQLite file; default: in your cache.")
    ] = None,
) -> None:
    """Serve the example application, on SQLite."""
    try:
        _demo.serve(host, port, workers=workers, database=db, say=typer.echo)
    except ConfigError as error:
        typer.secho(f"holdfast demo: {error}", fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from error
