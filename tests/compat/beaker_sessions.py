"""Requests of Beaker's sessions, for tests: each opens the session whose id it brings."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from holdfast.compat.beaker.session import Session

__all__ = ["NAME", "Open", "keep", "opens", "threads_lose_nothing", "values"]

NAME = "beaker.session.id"

Open = Callable[..., Session]


def opens(**site: Any) -> Open:
    """Return what opens a session of one application; the first argument is the id it brings."""

    def open_session(brought: str | None = None, **options: Any) -> Session:
        carried = {"cookie": f"{NAME}={brought}"} if brought else {}
        return Session(carried, **{**site, **options})

    return open_session


def keep(opened: Open, **values: Any) -> str:
    """Keep a new session that has these values; return its id."""
    session = opened()
    session.update(values)
    session.save()
    return str(session.id)


def values(session: Session) -> dict[str, Any]:
    """Return what the application has in a session."""
    return {name: value for name, value in session.items() if not name.startswith("_")}


def threads_lose_nothing(opened: Open) -> None:
    """Let eight requests of one session change it at once, and look for what each of them wrote."""
    kept = keep(opened, n=1)
    sessions = [opened(kept) for _ in range(8)]
    ready = Barrier(8)

    def work(number: int) -> None:
        ready.wait()
        sessions[number][f"of {number}"] = number
        sessions[number].save()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert values(opened(kept)) == {"n": 1, **{f"of {number}": number for number in range(8)}}
