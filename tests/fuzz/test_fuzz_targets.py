"""The laws of foreign bytes, under what coverage finds: half a minute each; a soak takes two."""

import importlib.util
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.laws import LAWS

pytestmark = [pytest.mark.slow, pytest.mark.fuzz]

SECONDS = 120 if os.environ.get("HOLDFAST_SOAK") else 30
PATIENCE = 300  # beyond that: importing, and ending, on a busy machine
TESTS = Path(__file__).parent.parent
LIMITS = [
    f"-max_total_time={SECONDS}",
    "-timeout=60",  # seconds for one input, of which most need less than a millisecond
    "-rss_limit_mb=1024",
    "-max_len=4096",
]


@pytest.fixture(scope="module", autouse=True)
def atheris() -> None:
    """Skip where there is no atheris; where there could be one and CI is set, fail."""
    if importlib.util.find_spec("atheris") is not None:
        return
    if os.environ.get("CI") and (3, 11) <= sys.version_info < (3, 14) and _is_usual_linux():
        pytest.fail("atheris is not installed: `make .venv/.test` installs it")
    pytest.skip("NOT TO BE HAD: atheris, which has wheels for CPython 3.11 to 3.13 on Linux")


def _is_usual_linux() -> bool:
    return (sys.platform, platform.machine()) == ("linux", "x86_64")


@pytest.mark.parametrize("name", LAWS)
def test_what_coverage_finds_obeys(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fuzz.target", name, str(tmp_path), *LIMITS]
    done = subprocess.run(  # noqa: S603 - our own
        command, cwd=TESTS, capture_output=True, timeout=SECONDS + PATIENCE, check=False
    )
    said = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
    assert done.returncode == 0, said[-10_000:]
    assert re.search(r"Done [1-9]\d* runs", said), said[-1000:]
