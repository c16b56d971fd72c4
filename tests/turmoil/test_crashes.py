"""A login, a rotation, a revocation or a logout that is killed after any of its steps.

Nothing is alive and unlisted that anybody has a token of; who comes next finishes what was begun.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from holdfast import Sessions
from holdfast.session.index import decode, key_of
from holdfast.session.token import id_of
from turmoil.crashes import ACTS, USER, crashes, scene_at
from turmoil.logins import alive, listed

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("act", ACTS)
def test_what_is_alive_is_listed_and_whoever_comes_next_ends_what_was_left(
    act: str, tmp_path: Path
) -> None:
    folder = tmp_path / "crashed"
    folder.mkdir()
    crashed = [*crashes(folder, act)]
    twin = shutil.copytree(folder, tmp_path / "twin")
    assert len(crashed) > 1
    for step, tokens in crashed:
        store, sessions = scene_at(folder, step)
        with store:
            entries = decode(store.get(f"u:{key_of(USER)}"))
            found = alive(sessions, [*tokens.values()])
            assert {*found} <= {entry.id for entry in entries}, f"unlisted after step {step}"
            session = sessions.load(None)
            session.login(USER)
            after = tokens | {"next": sessions.commit(session).token or ""}
            assert only(sessions, after) == ["next"], f"after step {step}"
        store, sessions = scene_at(twin, step)
        with store:
            sessions.revoke(USER)
            assert only(sessions, tokens) == [], f"after step {step}"


def test_a_logout_that_was_killed_is_done_by_another(tmp_path: Path) -> None:
    for step, tokens in crashes(tmp_path, "late logout"):
        store, sessions = scene_at(tmp_path, step)
        with store:
            sessions.destroy(id_of(tokens["first"]) or "")
            assert only(sessions, tokens) == [], f"after step {step}"


def only(sessions: Sessions, tokens: Mapping[str, str]) -> list[str]:
    """Return the names of those `tokens` that are signed in, which are all that are listed."""
    found = alive(sessions, [*tokens.values()])
    assert found == listed(sessions)
    return [name for name, token in tokens.items() if id_of(token) in found]
