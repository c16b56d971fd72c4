"""One user signs in fifty times at the same moment: `max_sessions` is decided once, whoever asks.

Of the sessions somebody has the token of, those that are alive are the ones that are listed, also
when others are ended meanwhile.
"""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from holdfast import Sessions, open_store
from holdfast.session.token import id_of
from holdfast.store.protocol import OpenStore
from turmoil.logins import (
    USER,
    Answer,
    Scene,
    alive,
    at_once,
    in_tasks,
    in_threads,
    listed,
    records_of,
    tokens_of,
)

STORES = ["sqlite", "redis", "postgresql"]


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/sessions.db"
    else:
        name = "redis_server" if request.param == "redis" else "postgresql"
        yield request.getfixturevalue(name).url


def scene_of(folder: Path, url: str, **options: object) -> Scene:
    return Scene(folder, url, f"logins-{os.urandom(4).hex()}", options)


def one_is_alive(store: OpenStore, sessions: Sessions, answers: Sequence[Answer]) -> None:
    """Assert that one is signed in, and that nobody who was refused is, or lost what he had."""
    tokens = tokens_of(answers)
    assert len(alive(sessions, tokens)) == 1
    assert alive(sessions, tokens) == listed(sessions) == records_of(store)
    if len(tokens) == 1:
        visited = [sessions.load(answer.token).get("visited") for answer in answers]
        assert visited.count(True) == len(answers) // 2


@pytest.mark.parametrize("tasks", [False, True], ids=["threads", "tasks"])
@pytest.mark.parametrize("when_full", ["evict", "refuse"])
def test_of_fifty_logins_in_this_process_one_is_alive(
    when_full: Literal["evict", "refuse"], *, tasks: bool
) -> None:
    store = open_store("memory://")
    sessions = Sessions(store, max_sessions=1, when_full=when_full)
    answers = asyncio.run(in_tasks(sessions, 50)) if tasks else in_threads(sessions, 50)
    assert len(tokens_of(answers)) == (50 if when_full == "evict" else 1)
    one_is_alive(store, sessions, answers)


@pytest.mark.parametrize(
    ("url", "when_full"),
    [("sqlite", "evict"), ("redis", "evict"), ("postgresql", "evict"), ("sqlite", "refuse")],
    indirect=["url"],
)
@pytest.mark.slow
@pytest.mark.server
def test_of_fifty_logins_in_four_processes_one_is_alive(
    url: str, tmp_path: Path, when_full: str
) -> None:
    scene = scene_of(tmp_path, url, max_sessions=1, when_full=when_full)
    answers = at_once(scene, processes=4, callers=14)
    assert len(answers) == 56
    assert len(tokens_of(answers)) == (56 if when_full == "evict" else 1)
    store, sessions = scene.open()
    with store:
        one_is_alive(store, sessions, answers)


@pytest.mark.parametrize("url", STORES, indirect=True)
@pytest.mark.slow
@pytest.mark.server
def test_who_was_told_he_is_in_before_a_revocation_is_out_after_it(
    url: str, tmp_path: Path
) -> None:
    scene = replace(scene_of(tmp_path, url), crowd=4)
    store, sessions = scene.open()
    with store:
        session = sessions.load(None)
        session.login(USER)
        keep = sessions.commit(session).token or ""
        kept, revoked = id_of(keep) or "", list[tuple[float, float]]()

        def revoke() -> None:
            began = time.monotonic()
            sessions.revoke(USER, keep=kept)
            revoked.append((began, time.monotonic()))

        answers = at_once(scene, processes=2, callers=40, meanwhile=revoke)
        left = alive(sessions, tokens_of(answers))
        assert alive(sessions, [keep]) == [kept]
        assert sorted([*left, kept]) == listed(sessions) == records_of(store)
    began, ended = revoked[-1]
    out = {id_of(token) for token in tokens_of(told for told in answers if told.ended < began)}
    still = {id_of(token) for token in tokens_of(told for told in answers if told.began > ended)}
    assert out
    assert out.isdisjoint(left)
    assert still <= {*left}
