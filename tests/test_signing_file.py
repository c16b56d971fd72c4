"""A ring in a file: for its owner alone, replaced whole, seen by who uses it."""

import logging
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast.errors import ConfigError
from holdfast.signing import KeyRing
from holdfast.signing.file import change_file
from holdfast.signing.lines import Lines, parse
from holdfast.testing.clock import ManualClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ring"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def ring_at(path: Path, clock: ManualClock) -> KeyRing:
    return KeyRing.in_file(path, clock=clock)


def test_the_first_rotation_makes_the_file_for_its_owner_alone(
    path: Path, clock: ManualClock
) -> None:
    ring = ring_at(path, clock)
    old = os.umask(0)
    try:
        ring.rotate()
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["ring"]  # noqa: PTH208 - nothing else is left
    assert ring.verify(ring.sign(b"x", "csrf"), "csrf") == b"x"
    assert ring_at(path, clock).newest.id == ring.newest.id


def test_a_rotation_signs_after_its_delay(path: Path, clock: ManualClock) -> None:
    ring = ring_at(path, clock)
    ring.rotate()
    first = ring.newest.id
    ring.rotate(delay="1h")
    assert [key.id == first for key in ring.keys] == [False, True]
    assert ring.newest.id == first
    clock.advance(3600)
    assert ring.newest.id == ring.keys[0].id
    ring.rotate(delay=0, keep="1d")
    assert len(ring.keys) == 3
    clock.advance(86400)
    ring.rotate(delay=0, keep="1d")
    assert len(ring.keys) == 2


def test_other_processes_see_a_change_within_a_second(path: Path, clock: ManualClock) -> None:
    ours, theirs = ring_at(path, clock), ring_at(path, clock)
    ours.rotate()
    token = theirs.sign(b"x", "csrf")
    ours.revoke(ours.newest.id)
    assert ours.verify(token, "csrf") is None  # at once
    clock.advance(1)
    assert theirs.verify(token, "csrf") is None
    assert theirs.newest.id == ours.newest.id


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_a_file_others_may_read_is_refused(path: Path, clock: ManualClock, mode: int) -> None:
    ring_at(path, clock).rotate()
    before = path.read_bytes()
    path.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        ring_at(path, clock).sign(b"x", "csrf")
    with pytest.raises(ConfigError, match="chmod 600"):
        ring_at(path, clock).rotate()
    assert path.read_bytes() == before


def test_what_is_missing_or_no_ring_is_said_at_the_first_use(
    path: Path, clock: ManualClock
) -> None:
    ring = ring_at(path, clock)
    with pytest.raises(ConfigError, match="`holdfast keys rotate` makes one"):
        ring.sign(b"x", "csrf")
    path.write_bytes(b"what is this?")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="no key ring"):
        ring.sign(b"x", "csrf")
    with pytest.raises(ConfigError, match="no key ring"):
        ring.rotate()
    assert path.read_bytes() == b"what is this?"


def test_a_weak_secret_in_the_file_names_the_file_and_not_the_secret(
    path: Path, clock: ManualClock
) -> None:
    ring_at(path, clock).rotate()
    good = parse(path.read_bytes())[0].secret
    path.write_text(path.read_text().replace(good, "changeme" * 5))
    with pytest.raises(ConfigError, match=r"ring: secrets: one is well known") as caught:
        ring_at(path, clock).sign(b"x", "csrf")
    assert "changeme" not in str(caught.value)


@pytest.mark.parametrize("spoil", ["remove", "garbage", "open to all"])
def test_what_cannot_be_read_later_changes_nothing_and_is_logged_once(
    path: Path, clock: ManualClock, spoil: str, caplog: pytest.LogCaptureFixture
) -> None:
    ring = ring_at(path, clock)
    ring.rotate()
    token, good = ring.sign(b"x", "csrf"), path.read_bytes()
    if spoil == "remove":
        path.unlink()
    elif spoil == "garbage":
        path.write_bytes(b"garbage")
    else:
        path.chmod(0o644)
    for _ in range(3):
        clock.advance(1)
        assert ring.verify(token, "csrf") == b"x"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert parse(good)[0].secret not in caplog.text
    path.unlink(missing_ok=True)
    path.write_bytes(good)
    path.chmod(0o600)
    ring_at(path, clock).rotate()
    clock.advance(1)
    assert len(ring.keys) == 2


def test_a_link_stays_a_link(path: Path, clock: ManualClock) -> None:
    ring_at(path, clock).rotate()
    link = path.with_name("link")
    link.symlink_to(path)
    ring_at(link, clock).rotate()
    assert link.is_symlink()
    assert len(parse(path.read_bytes())) == 2


def test_a_draft_of_somebody_who_was_killed_is_no_obstacle(path: Path, clock: ManualClock) -> None:
    path.with_name("ring.new").write_bytes(b"half a r")
    ring_at(path, clock).rotate()
    assert os.listdir(path.parent) == ["ring"]  # noqa: PTH208


def test_a_write_that_fails_leaves_the_old_ring(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = ring_at(path, clock)
    ring.rotate()
    before = path.read_bytes()

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            ring.rotate()
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["ring"]  # noqa: PTH208


def test_what_needs_no_change_is_not_written(path: Path, clock: ManualClock) -> None:
    ring_at(path, clock).rotate()
    before = path.stat()
    change_file(path, lambda lines: lines)
    assert path.stat().st_ino == before.st_ino


def test_threads_that_rotate_at_once_lose_nothing(path: Path, clock: ManualClock) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ring_at(path, clock).rotate(), range(40)))
    assert len(parse(path.read_bytes())) == 40


@pytest.mark.slow
def test_two_processes_that_rotate_one_file_lose_nothing(path: Path) -> None:
    code = (
        "import sys; from holdfast.signing import KeyRing\n"
        "for _ in range(25): KeyRing.in_file(sys.argv[1]).rotate()"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(path)])  # noqa: S603 - our own code
        for _ in range(2)
    ]
    seen: list[Lines] = []
    while any(child.poll() is None for child in running):
        if path.exists():
            seen.append(parse(path.read_bytes()))  # whole at any moment, though no lock is held
    assert [child.wait(60) for child in running] == [0, 0]
    lines = parse(path.read_bytes())
    assert len({line.secret for line in lines}) == 50
    for earlier in seen:
        assert [line.secret for line in lines[-len(earlier) :]] == [line.secret for line in earlier]
