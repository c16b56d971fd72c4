"""The genuine libraries, run in a process and a virtual environment of their own.

Law: nothing of them is imported by the tests themselves; what is compared is what they print and
what they leave in a store.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from servers.process import missing

__all__ = ["genuine", "ours", "seeds_python"]

_SOURCE = Path(__file__).parents[2] / "src"
_TESTS = Path(__file__).parents[1]


def seeds_python() -> str:
    """Return the interpreter that has the genuine libraries; skip, or fail in CI, without it."""
    python = Path(sys.prefix) / "seeds" / "bin" / "python"
    if not python.exists():
        missing("the genuine libraries: `make .venv/.seeds`")
    return str(python)


def genuine(script: str | Path, *arguments: object, timeout: float = 60, **environ: str) -> str:
    """Run a script with the genuine libraries and return what it prints.

    Args:
        script: A path, or the text of the script itself.
        arguments: What `sys.argv[1:]` will be.
        timeout: Seconds it may take.
        environ: Variables beside ours.
    """
    return _run([seeds_python()], script, arguments, timeout, environ)


def ours(
    names: str, script: str | Path, *arguments: object, timeout: float = 60, **environ: str
) -> str:
    """Run the same script on Holdfast under the import names `names` ("beaker,pycket")."""
    environ = {"HOLDFAST_COMPAT": names, **environ}
    before = "import holdfast.compat.hook"
    return _run([sys.executable], script, arguments, timeout, environ, before)


def _run(
    command: list[str],
    script: str | Path,
    arguments: tuple[object, ...],
    timeout: float,
    environ: dict[str, str],
    before: str = "",
) -> str:
    text = script.read_text(encoding="utf-8") if isinstance(script, Path) else script
    code = f"{before}\nexec(compile({text!r}, 'script', 'exec'), {{'__name__': '__main__'}})"
    done = subprocess.run(  # noqa: S603 - our own interpreters
        [*command, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        env={
            **os.environ,
            "PYTHONPATH": f"{_SOURCE}:{_TESTS}",
            "TMPDIR": tempfile.gettempdir(),
            **environ,
        },
    )
    if done.returncode:
        pytest.fail(f"the script failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout
