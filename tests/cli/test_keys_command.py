"""`holdfast keys`: what it prints, what it never prints, and how it fails."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from holdfast.cli.commands import app
from holdfast.signing import Key, KeyRing
from holdfast.signing.lines import parse


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["keys", *map(str, arguments)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ring"


def states(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [line.split(maxsplit=1)[1] for line in result.stdout.splitlines()]


def test_new_prints_a_secret_that_is_taken() -> None:
    first, second = (run("new").stdout.strip() for _ in range(2))
    assert Key(first).id != Key(second).id


def test_the_first_rotation_makes_a_ring_and_the_next_one_waits(path: Path) -> None:
    assert [state[:12] for state in states(run("rotate", path))] == ["signs, since"]
    waiting, signing = states(run("rotate", path, "--delay", "2d"))
    assert waiting.startswith("verifies, signs from ")
    assert signing.startswith("signs, since ")
    ring = KeyRing.in_file(path)
    assert ring.newest.id == ring.keys[1].id
    shown = states(run("rotate", path, "--delay", "0"))
    assert [state[:5] for state in shown] == ["signs", "verif", "verif"]
    assert len(states(run("rotate", path, "--delay", "0", "--keep", "0"))) == 2


def test_a_revoked_signer_is_followed_at_once(path: Path) -> None:
    run("rotate", path)
    key_id = KeyRing.in_file(path).newest.id.hex()
    assert [state[:7] for state in states(run("revoke", path, key_id))] == ["signs, ", "revoked"]
    assert states(run("show", path)) == states(run("show", path))


def test_show_lists_ids_and_never_secrets(path: Path) -> None:
    said = run("rotate", path).output + run("rotate", path).output + run("show", path).output
    lines = parse(path.read_bytes())
    for line in lines:
        assert line.key().id.hex() in said
        assert line.secret not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "nothing"], "no such file"),
        (["revoke", "nothing", "00"], "no key of this ring"),
        (["revoke", "nothing", "zz"], "no key id"),
        (["rotate", "nowhere/ring"], "nowhere"),
        (["rotate", "nothing", "--delay", "soon"], "delay='soon'"),
    ],
)
def test_what_goes_wrong_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"holdfast keys {arguments[0]}: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_ring_others_may_read_is_refused(path: Path) -> None:
    run("rotate", path)
    path.chmod(0o644)
    for command in ("show", "rotate"):
        result = run(command, path)
        assert result.exit_code == 1
        assert f"chmod 600 {path}" in result.stderr
