"""Mutations: one rule taken out of the code, and the test that must notice."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Mutation", "check"]

ROOT = Path(__file__).parent.parent
# One process: is it the copy that is tested, and does the test fail?
_RUN = """
import importlib, sys
name, path, *words = sys.argv[1:]
found = importlib.import_module(name).__file__
if found != path:
    sys.exit(f"the copy does not win: {found}")
import pytest
sys.exit(pytest.main(words))
"""
_WORDS = ("-x", "-q", "--no-header", "--tb=short", "-p", "no:cacheprovider")


@dataclass(frozen=True)
class Mutation:
    """One rule taken out.

    Attributes:
        name: The rule, in a few words.
        file: The file it stands in, relative to `src/holdfast`.
        old: The text that obeys it; occurs exactly once.
        new: The text that does not.
        tests: What pytest must then fail in.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str

    def __str__(self) -> str:
        return self.name


def check(mutation: Mutation, folder: Path, *words: str) -> None:
    """Take the rule out of a copy of the library in `folder`: a test must fail there.

    Args:
        mutation: The rule.
        folder: An empty one.
        words: More of pytest's own.
    """
    # Links, compiled files too: most of what a copy would cost is to compile it anew.
    shutil.copytree(ROOT / "src" / "holdfast", folder / "holdfast", copy_function=os.symlink)
    path = folder / "holdfast" / mutation.file
    text = path.read_text(encoding="utf-8")
    path.unlink()
    assert text.count(mutation.old) == 1, "the text of this rule must stand there exactly once"
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # they take longer to load than a test runs
    }
    parts = Path(mutation.file).with_suffix("").parts
    module = ".".join(("holdfast", *(part for part in parts if part != "__init__")))
    done = subprocess.run(  # noqa: S603 - our own tests
        [sys.executable, "-c", _RUN, module, str(path), *_WORDS, *words, mutation.tests],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    said = f"{done.returncode}: {done.stdout[-3000:]}{done.stderr[-1000:]}"
    assert done.returncode == 1, said
    assert re.search(r"^FAILED |\d failed", done.stdout, re.MULTILINE), said
