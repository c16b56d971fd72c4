"""`holdfast migrate`: what it prints, what it never prints, what its report holds, how it fails."""

import json
import pickle
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from holdfast.cli.commands import app
from holdfast.compat import configure, refused
from holdfast.store.file import FileStore
from holdfast.store.file.plain import PlainFiles
from holdfast.store.registry import open_store


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    yield
    configure()
    refused.clear()


def run(source: str, target: str, *options: str | Path) -> Result:
    words = ["migrate", "--from", source, "--to", target, *map(str, options)]
    return CliRunner().invoke(app, words)


def filled(path: Path) -> str:
    with open_store(f"sqlite:///{path}") as store:
        store.put_many({"a": b"1", "b": b"2"})
    return f"sqlite:///{path}"


def test_it_says_what_it_did_and_that_it_had_done_it(tmp_path: Path) -> None:
    source, target = filled(tmp_path / "a.db"), f"file:///{tmp_path}/b"
    assert run(source, target, "--dry-run").stdout == "        2 would be written\n"
    assert run(source, target).stdout == "        2 written\n"
    assert run(source, target).stdout == "        2 already there\n"
    with open_store(target) as store:
        store.put("a", b"newer")
    said = run(source, target).stdout.splitlines()
    assert [line.split(maxsplit=1)[0] for line in said] == ["1", "1", "1"]
    assert "something else" in said[2]
    assert run(source, target, "--replace").stdout.splitlines()[0] == "        1 written"


def test_the_report_tells_keys_to_its_owner_alone_and_the_terminal_none(tmp_path: Path) -> None:
    files = PlainFiles(tmp_path / "container_file")
    files.put("5e55104", pickle.dumps({"session": Fraction(1, 2)}))
    report, url = tmp_path / "left.jsonl", f"beaker+file:///{tmp_path}"
    report.touch(0o644)
    result = run(url, url, "--report", report)
    assert result.exit_code == 0
    assert "Fraction" in result.stdout
    assert "5e55104" not in result.output
    assert report.stat().st_mode & 0o777 == 0o600
    (line,) = map(json.loads, report.read_text().splitlines())
    assert line["key"] == "5e55104"
    assert "Fraction" in line["detail"]
    assert run(url, url, "--allow", "fractions.Fraction").stdout == "        1 written\n"


def test_the_form_and_the_timeout_are_options(tmp_path: Path) -> None:
    files = PlainFiles(tmp_path / "container_file")
    files.put("id", pickle.dumps({"session": {"_accessed_time": 1.0}}))
    url = f"beaker+file:///{tmp_path}"
    assert run(url, url).exit_code == 0
    assert not (files.get("id") or b"").startswith(b"\x80")
    assert run(url, url, "--old-form").exit_code == 0
    assert (files.get("id") or b"").startswith(b"\x80")
    done = run(url, f"sqlite:///{tmp_path}/n.db", "--timeout", "14d")
    assert done.stdout == "        1 over meanwhile\n"


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ("memcached://h", "memory://", "it can be a target"),
        ("redis://ada:secret@127.0.0.1:1", "memory://", "127.0.0.1"),
        ("beaker+redis://:secret@127.0.0.1:1/0", "memory://", "127.0.0.1"),
        ("beaker+postgresql+psycopg://ada:secret@127.0.0.1:1/d", "memory://", "127.0.0.1"),
        ("beaker+what://ada:secret@h/d", "memory://", "what"),
        ("pycket://ada:secret@h", "memory://", "old data is one of"),
    ],
)
def test_what_goes_wrong_is_said_without_a_password(source: str, target: str, says: str) -> None:
    result = run(source, target)
    assert result.exit_code == 1
    assert says in result.output
    assert "holdfast migrate: " in result.output
    assert "secret" not in result.output


def test_nothing_there_is_said(tmp_path: Path) -> None:
    result = run(f"beaker+file:///{tmp_path}/none", "memory://")
    assert result.exit_code == 0
    assert result.stdout == "there is nothing to migrate\n"


def test_who_stops_it_is_told_that_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, stopped = filled(tmp_path / "a.db"), [False]

    def stop(store: FileStore, key: str, *rest: Any) -> bool:
        stopped[0] = key == "b"
        if stopped[0]:
            raise KeyboardInterrupt
        return swap(store, key, *rest)

    swap = FileStore.swap
    monkeypatch.setattr(FileStore, "swap", stop)
    result = run(source, f"file:///{tmp_path}/b")
    assert stopped == [True]
    assert result.exit_code == 1
    assert "        1 written" in result.output
    assert "stopped" in result.output
    assert "begun again, it goes on" in result.output
    monkeypatch.undo()
    done = run(source, f"file:///{tmp_path}/b").stdout.splitlines()
    assert done == ["        1 written", "        1 already there"]
