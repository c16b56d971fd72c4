"""Crashes: what changes who is signed in is killed after each of its steps, one process for each.

Law: a step is one operation of the store. A process kills itself (SIGKILL) right after one; what it
had been told before, and could have told others, is in a file. It is forked from a process that has
neither threads nor connections.
"""

import asyncio
import inspect
import itertools
import json
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from holdfast import Sessions, open_store
from holdfast.bridge import aio_face
from holdfast.store.protocol import OpenStore

__all__ = ["ACTS", "USER", "crashes", "scene_at"]

USER = "ada"
_STEPS = ("get", "get_many", "put", "put_many", "swap", "delete", "delete_many")
_PATIENCE = 120.0
_MOST = 40  # steps; nothing here takes so many


def scene_at(folder: Path, step: int) -> tuple[OpenStore, Sessions]:
    """Return what the process that crashed after this step worked with."""
    store = open_store(f"sqlite:///{folder}/sessions.db?timeout=30", prefix=f"step{step}")
    return store, Sessions(store, max_sessions=1)


def crashes(folder: Path, act: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Crash after each step of `act`; yield the step, and the tokens others knew by then."""
    spawn = multiprocessing.get_context("spawn")
    nurse = spawn.Process(target=_nurse, args=[folder, act], daemon=True)
    nurse.start()
    nurse.join(_PATIENCE)
    assert nurse.exitcode == 0, f"it ended with {nurse.exitcode}"
    for step in itertools.count(1):
        path = folder / f"step-{step}"
        if not path.exists():
            return
        yield step, json.loads(path.read_text())


def _nurse(folder: Path, act: str) -> None:
    for step in range(1, _MOST):
        child = os.fork()
        if not child:
            _crash(folder, act, step)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):  # it had no more steps
            (folder / f"step-{step}").unlink()
            os._exit(os.WEXITSTATUS(status))
    os._exit(2)


def _crash(folder: Path, act: str, step: int) -> None:
    try:
        store, sessions = scene_at(folder, step)
        tokens = _prepared(sessions)

        def begin() -> None:
            (folder / f"step-{step}").write_text(json.dumps(tokens))
            _doom(store, step)

        ACTS[act](store, sessions, tokens, begin)
    except BaseException:  # noqa: BLE001 - nobody may go on as a copy of the nurse
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _prepared(sessions: Sessions) -> dict[str, str]:
    """Let somebody visit, and the user be signed in; return the tokens, by their names."""
    tokens = {}
    for name in ("visitor", "first"):
        session = sessions.load(None)
        session["who"] = name
        if name != "visitor":
            session.login(USER)
        tokens[name] = sessions.commit(session).token or ""
    return tokens


def _doom(store: OpenStore, steps: int) -> None:
    """Kill this process after so many more operations of `store`."""
    left = itertools.count(steps - 1, -1)

    def after() -> None:
        if not next(left):
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            answer = operation(*arguments, **options)
            after()
            return answer

        async def arun(*arguments: Any, **options: Any) -> Any:
            answer = await operation(*arguments, **options)
            after()
            return answer

        return arun if inspect.iscoroutinefunction(operation) else run

    for face in (store, store.aio):
        for name in _STEPS:
            vars(face)[name] = counted(getattr(face, name))


# What is crashed: each gets ready, and begins

_Act = Callable[[OpenStore, Sessions, dict[str, str], Callable[[], None]], None]


def _login(
    _: OpenStore, sessions: Sessions, tokens: dict[str, str], begin: Callable[[], None]
) -> None:
    session = sessions.load(tokens["visitor"])
    assert session.user is None
    begin()
    session.login(USER)
    sessions.commit(session)


def _login_of_a_stranger(
    _: OpenStore, sessions: Sessions, __: dict[str, str], begin: Callable[[], None]
) -> None:
    session = sessions.load(None)
    begin()
    session.login(USER)
    sessions.commit(session)


def _login_in_a_loop(
    store: OpenStore, sessions: Sessions, tokens: dict[str, str], begin: Callable[[], None]
) -> None:
    async def run() -> None:
        session = await sessions.aio.load(tokens["visitor"])
        begin()
        await session.aio.login(USER)
        await sessions.aio.commit(session)
        await aio_face(store).close()

    asyncio.run(run())


def _rotate(
    _: OpenStore, sessions: Sessions, tokens: dict[str, str], begin: Callable[[], None]
) -> None:
    session = sessions.load(tokens["first"])
    session.rotate()
    begin()
    sessions.commit(session)


def _revoke(
    _: OpenStore, sessions: Sessions, __: dict[str, str], begin: Callable[[], None]
) -> None:
    begin()
    sessions.revoke(USER)


def _logout(
    _: OpenStore, sessions: Sessions, tokens: dict[str, str], begin: Callable[[], None]
) -> None:
    session = sessions.load(tokens["first"])
    session.logout()
    begin()
    sessions.commit(session)


def _late_logout(
    _: OpenStore, sessions: Sessions, tokens: dict[str, str], begin: Callable[[], None]
) -> None:
    """Log out of a session that another request has rotated meanwhile."""
    late, session = sessions.load(tokens["first"]), sessions.load(tokens["first"])
    late.logout()
    session.rotate()
    tokens["second"] = sessions.commit(session).token or ""
    begin()
    sessions.commit(late)


ACTS: dict[str, _Act] = {
    "login": _login,
    "login of a stranger": _login_of_a_stranger,
    "login in a loop": _login_in_a_loop,
    "rotate": _rotate,
    "revoke": _revoke,
    "logout": _logout,
    "late logout": _late_logout,
}
