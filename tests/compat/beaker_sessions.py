"""Requests of Beaker's sessions, for tests: each opens the session whose id it brings."""

from collections.abc import Callable
from typing import Any

from holdfast.compat.beaker.session import Session

__all__ = ["NAME", "Open", "keep", "opens", "values"]

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
