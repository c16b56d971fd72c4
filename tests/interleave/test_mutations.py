"""Each rule of the protocols is needed: take one out, and a test fails."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mutation import Mutation

ROOT = Path(__file__).parent.parent.parent
LISTS = ["mutations_cache", "mutations_session"]


def _mutations() -> list[Mutation]:
    found: list[Mutation] = []
    for name in LISTS:
        if (Path(__file__).parent / f"{name}.py").exists():
            found += importlib.import_module(name).MUTATIONS
    return found


def _run(source: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(source),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(  # noqa: S603 - our own tests
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a folder with a copy of the library that wins over the installed one."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "holdfast", tmp_path / "holdfast", ignore=ignore)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("mutation", _mutations(), ids=str)
def test_without_the_rule_a_test_fails(mutation: Mutation, source: Path) -> None:
    path = source / "holdfast" / mutation.file
    text = path.read_text(encoding="utf-8")
    assert text.count(mutation.old) == 1, "the text of this rule must stand there exactly once"
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    module = mutation.file.removesuffix(".py").replace("/", ".")
    done = _run(source, "-c", f"import holdfast.{module} as it; print(it.__file__)")
    assert done.stdout.strip() == str(path), f"the copy does not win: {done.stdout}{done.stderr}"
    done = _run(
        source,
        *("-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider"),
        mutation.tests,
    )
    assert done.returncode == 1, f"{done.returncode}: {done.stdout[-3000:]}{done.stderr[-1000:]}"
