"""The benchmarks run: every table, tiny samples, nothing but Holdfast installed.

Law: no figure is judged here; a table must have its rows, its columns and its verdicts, and a
library that is not installed must be a word in its row.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from servers.process import program

pytest.importorskip("rich")

ROOT = Path(__file__).parent.parent
PEERS = (
    "beaker", "dogpile", "cashews", "aiocache", "cachetools", "cachebox", "theine", "limits",
    "starsessions", "diskcache", "async_lru", "flask", "flask_session", "django",
)  # fmt: skip
WITHOUT_PEERS = f"""
import sys
sys.modules.update(dict.fromkeys({PEERS!r}))
from bench.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def run(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """Run the benchmarks where no peer can be imported; return what they wrote."""
    file = tmp_path / "told.json"
    command = [sys.executable, "-c", WITHOUT_PEERS, "--quick", "--json", str(file), *arguments]
    done = subprocess.run(  # noqa: S603 - our own code
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(file.read_text())
    return {table["name"]: table for table in told["tables"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("hit", {1}),
        ("hit-async", {2}),
        ("store", {10}),
        ("session", {5}),
        ("session-asgi", set()),
        ("ratio", {8}),
        ("memory", {9}),
        ("limit", {11}),
        ("import", {13}),
    ],
)
def test_a_table_runs_without_peers(tmp_path: Path, name: str, targets: set[int]) -> None:
    looks_right(tmp_path, name, targets)


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("misses", set()),
        ("far", set()),
        ("stampede", {6}),
        ("race", {7}),
        ("session-race", set()),
        ("clear", {12}),
        ("bus", {4}),
        ("stores", {15}),
        ("stores-async", set()),
        ("stores-tasks", {3}),
        ("growth", {14}),
        ("session-redis", {5}),
        ("session-redis-asgi", {5}),
        ("compat-cache", set()),
        ("compat-session", set()),
    ],
)
def test_a_table_with_servers_runs_without_peers(
    tmp_path: Path, name: str, targets: set[int]
) -> None:
    program("redis-server")
    looks_right(tmp_path, name, targets)


def looks_right(tmp_path: Path, name: str, targets: set[int]) -> None:
    table = run(tmp_path, name)[name]
    first = table["columns"][0]
    ours = [row for row in table["rows"] if row["ours"]]
    assert ours
    assert all(first in row["cells"] for row in ours)
    assert {verdict["target"]["number"] for verdict in table["verdicts"]} == targets
    for row in table["rows"]:
        figures = [cell for cell in row["cells"].values() if isinstance(cell, float)]
        assert figures or row["cells"], f"an empty row: {row}"
        assert not (row["ours"] and "not installed" in row["cells"].values())


@pytest.mark.slow
def test_a_missing_library_is_a_word_in_its_row(tmp_path: Path) -> None:
    rows = {row["name"]: row["cells"] for row in run(tmp_path, "hit")["hit"]["rows"]}
    assert "not installed" in rows["Beaker @cache.cache, memory"]["ns"]
    assert rows["lru_cache"]["ns"] > 0
    assert rows["Holdfast @cached"]["ns"] > 0


@pytest.mark.slow
def test_an_unknown_table_is_said_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no such table: nonsense; there are hit, hit-async"):
        run(tmp_path, "nonsense")
