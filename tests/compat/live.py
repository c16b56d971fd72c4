"""Processes of either library that stay, and answer a question a line: a rolling deploy needs two.

Law: a script reads JSON from its input, line by line, and answers each with a line of JSON.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compat.seeds import seeds_python

__all__ = ["Live", "live"]

_TESTS = Path(__file__).parents[1]


class Live:
    """A process that runs."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def begin(self, **question: Any) -> None:
        """Ask, and do not wait."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()

    def end(self) -> Any:
        """Return the answer to what was asked."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            pytest.fail("the process ended")
        return json.loads(line)

    def ask(self, **question: Any) -> Any:
        """Return the answer to a question."""
        self.begin(**question)
        return self.end()


@contextlib.contextmanager
def live(which: str, names: str, script: Path, *arguments: str, **environ: str) -> Iterator[Live]:
    """Run a script: on the "genuine" libraries, or on "ours", or on ours in the "old form".

    Args:
        which: As said.
        names: What ours is installed as.
        script: Its file.
        arguments: What it gets.
        environ: Variables beside ours.
    """
    source = _TESTS.parent / "src"
    if which == "genuine":
        command, ours = [seeds_python(), str(script)], {"HOLDFAST_COMPAT": ""}
    else:
        hooked = (
            f"import holdfast.compat.hook, runpy; runpy.run_path({str(script)!r}, None, '__main__')"
        )
        command = [sys.executable, "-c", hooked]
        ours = {"HOLDFAST_COMPAT": names}
        ours["HOLDFAST_COMPAT_OLD_FORM"] = "1" if which == "old form" else ""
    environ = {**os.environ, "PYTHONPATH": f"{source}:{_TESTS}", **ours, **environ}
    process = subprocess.Popen(  # noqa: S603 - our own interpreters
        [*command, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environ,
    )
    try:
        yield Live(process)
    finally:
        process.kill()
        with contextlib.suppress(BrokenPipeError):  # of what it did not read any more
            process.__exit__(None, None, None)
