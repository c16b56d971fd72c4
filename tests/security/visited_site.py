"""The site the security tests visit: one application, over each face, on each kind of store."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holdfast import Sessions, open_store
from holdfast.store.abilities import CanScan
from holdfast.testing.calls import Face, Visitor, one_view
from holdfast.web import asgi, wsgi

NAME = "__Host-sid"
KINDS = ("memory", "sqlite", "cookie")
FACES: tuple[Face, ...] = ("wsgi", "asgi")


ACTIONS: dict[str, Callable[[Any, str], object]] = {
    "write": lambda session, name: session.update(name=name),
    "big": lambda session, _: session.update(big=secrets.token_urlsafe(6000)),
    "small": lambda session, _: session.update(big=""),
    "login": lambda session, name: session.login(name),
    "logout": lambda session, _: session.logout(),
    "clear": lambda session, _: session.clear(),
}


@dataclass
class Site:
    """One application on one kind of store, over one face."""

    face: Face
    sessions: Sessions
    events: list[str] = field(default_factory=list)

    def rows(self) -> int:
        store: object = self.sessions.store
        return len(list(store.scan())) if isinstance(store, CanScan) else 0

    def close(self) -> None:
        if self.sessions.store is not None:
            self.sessions.store.close()

    def visitor(self, view: Any = None) -> Visitor:
        app = one_view(view or self.view, self.face)
        if self.face == "wsgi":
            return Visitor(wsgi.SessionMiddleware(app, self.sessions), "wsgi")
        return Visitor(asgi.SessionMiddleware(app, self.sessions), "asgi")

    @staticmethod
    def view(session: Any, path: str) -> object:
        """Do what the last word of the path says; below `/fail/` the answer is 500."""
        if path == "/untouched":
            return "untouched"
        failing, verb = path.startswith("/fail/"), path.rpartition("/")[2]
        if verb:
            ACTIONS[verb](session, "eve" if failing else "ada")
        return 500 if failing else session.get("name", "nobody")


def make(kind: str, face: Face, folder: Path, **options: Any) -> Site:
    """Return a site on `"memory"`, `"sqlite"` or `"cookie"`."""
    events: list[str] = []

    def observe(event: str, _fields: Mapping[str, object]) -> None:
        events.append(event)

    if kind == "cookie":
        secret = secrets.token_bytes(32)
        sessions = Sessions.in_cookie(secrets=[secret], observer=observe, **options)
    else:
        url = "memory://" if kind == "memory" else f"sqlite:///{folder}/s.db"
        sessions = Sessions(open_store(url), observer=observe, **options)
    return Site(face, sessions, events)
