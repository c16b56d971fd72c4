"""The `holdfast` command.

Law: nothing here is imported by the library. What the command needs beside it is named, with what
installs it, when it is missing.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; the exit status says whether it went well."""
    try:
        import typer  # noqa: F401, PLC0415 - optional: only asked whether it is there
    except ModuleNotFoundError:
        sys.exit("holdfast: the command line needs typer: pip install 'holdfast[cli]'")
    from holdfast.cli.commands import app  # noqa: PLC0415 - needs typer

    app()
