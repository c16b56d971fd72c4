"""A Python that has not installed something."""

import subprocess
import sys

__all__ = ["error_without"]


def error_without(package: str, module: str) -> str:
    """Return the `ConfigError` that importing `module` raises where `package` is missing."""
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        f"from holdfast.errors import ConfigError\n"
        f"try: import {module}\n"
        f"except ConfigError as error: print(error)"
    )
    run = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return run.stdout
