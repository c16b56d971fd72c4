"""What `HOLDFAST_COMPAT` asks for, done before a program's first line.

Law: importing this is the asking: `holdfast-compat.pth` does it where the variable is set. What is
asked for and cannot be done ends the program, or it would run half on the genuine library.

    HOLDFAST_COMPAT           import names, separated by commas
    HOLDFAST_COMPAT_ALLOW     classes, as "module.Class", separated by commas
    HOLDFAST_COMPAT_OLD_FORM  "1": write as the old libraries did
    HOLDFAST_COMPAT_UNSAFE    names of `settings.UNSAFE`, separated by commas
"""

import os
import sys

from holdfast.compat.names import install
from holdfast.errors import ConfigError

__all__ = ["install_from_environ"]

_ON, _OFF = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


def install_from_environ() -> None:
    """Do what the environment asks for; nothing if it does not.

    Raises:
        ConfigError: A name or a setting is wrong; the message begins with the variable.
    """
    if not (names := _listed("HOLDFAST_COMPAT")):
        return
    try:
        install(
            *names,
            allow=_listed("HOLDFAST_COMPAT_ALLOW"),
            old_form=_flag("HOLDFAST_COMPAT_OLD_FORM"),
            unsafe=_listed("HOLDFAST_COMPAT_UNSAFE"),
        )
    except ConfigError as error:
        raise ConfigError(f"HOLDFAST_COMPAT={','.join(names)}: {error}") from error


def _listed(variable: str) -> list[str]:
    return [part.strip() for part in os.environ.get(variable, "").split(",") if part.strip()]


def _flag(variable: str) -> bool:
    given = os.environ.get(variable, "").strip().lower()
    if given not in _ON + _OFF:
        raise ConfigError(f"{variable}={given!r}: write 1 or 0")
    return given in _ON


try:
    install_from_environ()
except ConfigError as error:
    sys.stderr.write(f"holdfast: {error}\n")
    sys.stderr.flush()
    os._exit(2)  # an exception here would be a page of Python's own start
