"""`python -m holdfast.compat NAMES -- COMMAND`: run a program on Holdfast without touching it.

Law: it sets the environment that `hook.py` reads, in this process and all its children, and becomes
the command: the one beside this Python, where there is one. Another Python may not have Holdfast,
and would run on the genuine library without a word.
"""

import argparse
import os
import shutil
import site
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from holdfast.compat.names import NAMES
from holdfast.compat.settings import UNSAFE

__all__ = ["environment", "main"]

_HOOK = "holdfast-compat.pth"
_BESIDE = str(Path(sys.executable).parent)


def main() -> None:
    """Become the command; the exit status is its own, or 2 where it cannot be begun."""
    parser = argparse.ArgumentParser(
        "python -m holdfast.compat",
        usage="%(prog)s [--allow module.Class] [--old-form] [--unsafe NAME] NAMES -- COMMAND ...",
        description="Run COMMAND with the import names NAMES resolved to Holdfast: "
        f"{', '.join(NAMES)}; several are separated by commas.",
    )
    parser.add_argument("names", metavar="NAMES")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="module.Class",
        help="a class of the application that may stand in a session or cache",
    )  # fmt: skip
    parser.add_argument(
        "--old-form", action="store_true",
        help="write as the old libraries did, while processes with them still run",
    )  # fmt: skip
    parser.add_argument(
        "--unsafe", action="append", default=[], choices=list(UNSAFE), metavar="NAME",
        help=f"old behaviour that is not safe: {', '.join(UNSAFE)}",
    )  # fmt: skip
    before, dashes, command = _parted(sys.argv[1:])
    given = parser.parse_args(before)
    if not dashes or not command:
        parser.error("write `--` and the command to run after the names")
    for name in given.names.split(","):
        if name.strip() not in NAMES:
            parser.error(f"no library {name.strip()!r} to stand in for: choose {', '.join(NAMES)}")
    if not _is_hooked():
        parser.error(f"{_HOOK} is in no folder of packages: install holdfast with pip")
    program = shutil.which(command[0], path=_BESIDE) or shutil.which(command[0])
    if program is None:
        parser.error(f"{command[0]}: no such command")
    asked = environment(given.names, given.allow, given.unsafe, old_form=given.old_form)
    os.execve(program, [program, *command[1:]], {**os.environ, **asked})  # noqa: S606 - what the user typed


def environment(
    names: str, allow: Sequence[str], unsafe: Sequence[str], *, old_form: bool
) -> Mapping[str, str]:
    """Return the variables that `hook.py` reads."""
    return {
        "HOLDFAST_COMPAT": names,
        "HOLDFAST_COMPAT_ALLOW": ",".join(allow),
        "HOLDFAST_COMPAT_OLD_FORM": "1" if old_form else "",
        "HOLDFAST_COMPAT_UNSAFE": ",".join(unsafe),
    }


def _parted(arguments: Sequence[str]) -> tuple[Sequence[str], bool, Sequence[str]]:
    if "--" not in arguments:
        return arguments, False, []
    at = arguments.index("--")
    return arguments[:at], True, arguments[at + 1 :]


def _is_hooked() -> bool:
    """Return whether a Python that starts now reads the variables."""
    folders = [*site.getsitepackages(), site.getusersitepackages()]
    return any((Path(folder) / _HOOK).exists() for folder in folders)


if __name__ == "__main__":
    main()
