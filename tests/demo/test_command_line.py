"""The `holdfast` command: what it prints, and how it fails."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

import holdfast
from servers.process import free_port

COMMAND = "from holdfast.cli import main; main()"


def run(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", before + COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def missing(*libraries: str) -> str:
    return "import sys; " + "".join(f"sys.modules[{name!r}] = None; " for name in libraries)


@pytest.mark.slow
def test_version() -> None:
    assert run("--version").stdout == f"holdfast {holdfast.__version__}\n"


@pytest.mark.slow
def test_a_port_that_is_taken_is_said_clearly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("demo", "--port", port, "--db", str(tmp_path / "demo.db"))
    assert ended.returncode == 1
    assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in ended.stderr
    assert "--port" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("library", ["uvicorn", "starlette"])
def test_a_missing_library_names_what_installs_it(library: str, tmp_path: Path) -> None:
    ended = run("demo", "--db", str(tmp_path / "demo.db"), before=missing(library))
    assert ended.returncode == 1
    assert f"needs {library}: pip install 'holdfast[demo]'" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_without_typer_the_command_says_what_installs_it() -> None:
    ended = run("--version", before=missing("typer"))
    assert ended.returncode == 1
    assert ended.stderr == ("holdfast: the command line needs typer: pip install 'holdfast[cli]'\n")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["no/folder/demo.db", "folder"])
def test_a_place_that_cannot_be_written_is_said_clearly(name: str, tmp_path: Path) -> None:
    (tmp_path / "no").write_text("a file, so no folder can be made in it")
    (tmp_path / "folder").mkdir()
    ended = run("demo", "--port", str(free_port()), "--db", str(tmp_path / name))
    assert ended.returncode != 0
    assert "db" in ended.stderr
    assert "Traceback" not in ended.stderr
