"""`holdfast keys`: makes secrets, and keeps a key ring in a file.

Law: options and messages only; the work is done by `holdfast.signing`. A secret is printed by `new`
and by nothing else.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from holdfast.clock import wall
from holdfast.errors import ConfigError
from holdfast.signing import Key, KeyRing

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Make secrets; keep a key ring in a file.")

_File = Annotated[Path, typer.Argument(dir_okay=False, help="The key ring.")]


@app.command()
def new() -> None:
    """Print a new secret of 256 random bits."""
    typer.echo(secrets.token_urlsafe(32))


@app.command()
def rotate(
    file: _File,
    *,
    delay: Annotated[
        str, typer.Option(help="Until the new key signs: 30m, 1h, 2d. The first signs at once.")
    ] = "1h",
    keep: Annotated[
        str | None, typer.Option(help="Drop keys that have not signed for so long; default: none.")
    ] = None,
) -> None:
    """Put a new key first in FILE; make FILE if there is none."""
    with _said("rotate"):
        ring = KeyRing.in_file(file)
        ring.rotate(delay=delay, keep=keep)
        _list(ring)


@app.command()
def revoke(
    file: _File, key: Annotated[str, typer.Argument(help="Its id, as `show` prints it.")]
) -> None:
    """Believe no more what KEY signed; if it signs now, the next or a new key does at once."""
    with _said("revoke"):
        ring = KeyRing.in_file(file)
        ring.revoke(_id_of(key))
        _list(ring)


@app.command()
def show(file: _File) -> None:
    """List ids and states of the keys in FILE, newest first; never their secrets."""
    with _said("show"):
        _list(KeyRing.in_file(file))


def _list(ring: KeyRing) -> None:
    now, signer = wall(), ring.newest
    for key in ring.keys:
        typer.echo(f"{key.id.hex()}  {_state(key, now, signs=key is signer)}")


def _state(key: Key, now: float, *, signs: bool) -> str:
    begins = datetime.fromtimestamp(key.activates, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if key.revoked:
        return "revoked"
    if signs:
        return f"signs, since {begins}"
    return f"verifies, signs from {begins}" if key.activates > now else "verifies"


def _id_of(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ConfigError(f"{text!r} is no key id; `holdfast keys show` prints them") from None


@contextmanager
def _said(command: str) -> Iterator[None]:
    """Say what goes wrong in one line."""
    try:
        yield
    except (ConfigError, OSError) as error:
        typer.secho(f"holdfast keys {command}: {error}", fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from error
