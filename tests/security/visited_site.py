"""The site the security tests visit: one application, over each face, on each kind of store.

A test asks for `visit`, opens sites with it, and is run in every `place` its decorator names:
`everywhere` is all there is, `stored` all but cookie-only sessions, `in_cookie` these alone,
`in_front` what a rule of the answer's headers can depend on, `over_wsgi` and `over_asgi` are what
only one of both has. Places marked `live` are left to `make test-live`.
"""

import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote

import pytest

from holdfast import Sessions, open_store
from holdfast.codec.seal import Seal
from holdfast.session.data import Record, decode
from holdfast.session.sealed import pad
from holdfast.session.token import id_of, new_token
from holdfast.signing import KeyRing
from holdfast.store.abilities import CanScan
from holdfast.store.protocol import OpenStore
from holdfast.testing.calls import Answer, Face, Visitor, one_view
from holdfast.testing.clock import ManualClock
from holdfast.web import asgi, wsgi

__all__ = [
    "NAME",
    "Place",
    "Site",
    "Visit",
    "everywhere",
    "in_cookie",
    "in_front",
    "meanwhile",
    "over_asgi",
    "over_wsgi",
    "stored",
    "visiting",
]

T = TypeVar("T")
NAME = "__Host-sid"
FACES: tuple[Face, ...] = ("wsgi", "asgi")
HERE = ("memory", "sqlite")
SERVED = {
    "redis": "redis_server",
    "valkey": "valkey_server",
    "cluster": "redis_cluster",
    "postgresql": "postgresql",
    "mariadb": "mariadb",
    "memcached": "memcached_server",
    "mongodb": "mongodb",
    "dynamodb": "dynamodb",
    "tyrant": "tyrant",
}
"""Kind of store -> the fixture of its server."""
LIVE = ("file", "dbm", *(kind for kind in SERVED if kind != "redis"))


class Place(NamedTuple):
    """Where a test is run: on which kind of store, over which face."""

    kind: str
    face: Face


def _places(*kinds: str, faces: Iterable[Face] = FACES) -> pytest.MarkDecorator:
    """Return the decorator that runs a test in every place with one of `kinds`."""
    found = []
    for kind in kinds:
        marks = [pytest.mark.server] if kind in SERVED else []
        marks += [pytest.mark.live] if kind in LIVE else []
        for face in faces:
            place = pytest.param(Place(kind, face), id=f"{kind}-{face}", marks=marks)
            found.append(place)
    return pytest.mark.parametrize("place", found)


stored = _places(*HERE, "redis", *LIVE)
everywhere = _places(*HERE, "redis", "cookie", *LIVE)
in_front = _places(*HERE, "redis", "cookie")
in_cookie = _places("cookie")
over_wsgi = _places(*HERE, "redis", faces=["wsgi"])
over_asgi = _places(*HERE, "redis", faces=["asgi"])

ACTIONS: dict[str, Callable[[Any, str], object]] = {
    "write": lambda session, name: session.update(name=name),
    "big": lambda session, _: session.update(big=secrets.token_urlsafe(6000)),
    "small": lambda session, _: session.update(big=""),
    "login": lambda session, name: session.login(name),
    "rotate": lambda session, _: session.rotate(),
    "logout": lambda session, _: session.logout(),
    "clear": lambda session, _: session.clear(),
}


@dataclass
class Site:
    """One application on one kind of store, over one face."""

    face: Face
    sessions: Sessions
    clock: ManualClock = field(default_factory=ManualClock)
    events: list[str] = field(default_factory=list)
    keys: Callable[[], list[str]] = list
    secret: bytes = b""  # what seals cookies, where it was made here

    def rows(self) -> dict[str, bytes]:
        """Return all that is stored, by key."""
        keys, sessions = self.keys(), self.sessions
        store = sessions.revocations if sessions.store is None else sessions.store
        return {} if store is None else store.get_many(keys)

    def records(self) -> list[str]:
        """Return the ids of the sessions that are stored, without forward notes."""
        return [
            key.removeprefix("s:")
            for key, raw in self.rows().items()
            if key.startswith("s:") and isinstance(decode(raw), Record)
        ]

    def planted(self, raw: bytes) -> str:
        """Return the token of a session that has these bytes, whatever they are."""
        if self.sessions.store is None:
            return Seal(KeyRing(self.secret), "session").seal_text(pad(raw), NAME)
        token = new_token()
        self.sessions.store.put(f"s:{id_of(token)}", raw)
        return token

    def visitor(self, view: Any = None, *, headers: Any = ()) -> Visitor:
        """Return a new visitor; the application has one view and says `headers` besides."""
        return self.visitor_of(one_view(view or self.view, self.face, headers))

    def visitor_of(self, app: Any) -> Visitor:
        """Return a new visitor of a whole application."""
        if self.face == "wsgi":
            return Visitor(wsgi.SessionMiddleware(app, self.sessions), "wsgi")
        return Visitor(asgi.SessionMiddleware(app, self.sessions), "asgi")

    def writer(self) -> Visitor:
        """Return a visitor who has a session with a name in it: the site calls him `ada`."""
        visitor = self.visitor()
        assert visitor.get("/write").status == 200
        return visitor

    def ask(self, token: str) -> Answer:
        """Return what the site answers to whoever holds `token` alone."""
        return self.visitor().get("/", cookie=f"{NAME}={token}")

    @staticmethod
    def view(session: Any, path: str) -> object:
        """Do what the last word of the path says; below `/fail/` the answer is 500."""
        if path == "/untouched":
            return "untouched"
        failing, verb = path.startswith("/fail/"), path.rpartition("/")[2]
        if verb:
            ACTIONS[verb](session, "eve" if failing else "ada")
        return 500 if failing else session.get("name", "nobody")


class Visit:
    """Opens sites, each with rows of its own, and closes them when the test ends."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path, stack: ExitStack) -> None:
        self._request = request
        self._folder = folder
        self._stack = stack

    def __call__(self, place: Place, **options: Any) -> Site:
        """Return a new site; `options` are those of `Sessions`, and some more.

        Args:
            place: Where.
            options: `around` wraps the store; `beside` is a site with the same rows and clock;
                `preset` names one of `Sessions.preset`; `revocable` has cookie-only sessions, the
                store knows which were ended.
        """
        beside: Site | None = options.pop("beside", None)
        clock = ManualClock() if beside is None else beside.clock
        events = list[str]()
        around = options.pop("around", lambda store: store)
        level, revocable = options.pop("preset", None), options.pop("revocable", False)

        def observe(event: str, _fields: Mapping[str, object]) -> None:
            events.append(event)

        options = {"observer": observe, "clock": clock, **options}
        if place.kind == "cookie" or revocable:
            options.setdefault("secrets", secrets.token_bytes(32))
        if place.kind == "cookie":
            made = Sessions.in_cookie(**options)
            return Site(place.face, made, clock, events, secret=options["secrets"])
        if place.kind == "memcached" and not revocable:
            options["accept_eviction"] = True
        if beside is not None and beside.sessions.store is not None:
            made = Sessions(beside.sessions.store, **options)
            return Site(place.face, made, clock, events, beside.keys)
        prefix = secrets.token_hex(4)
        store: OpenStore = around(open_store(self._url(place.kind), prefix=prefix))
        self._stack.callback(store.close)
        if revocable:
            made = Sessions.in_cookie(revocations=store, **options)
        else:
            made = Sessions.preset(level, store, **options) if level else Sessions(store, **options)
        site = Site(place.face, made, clock, events)
        scanned: object = store
        if isinstance(scanned, CanScan):
            site.keys = lambda: list(scanned.scan())
        else:
            port = self._request.getfixturevalue(SERVED[place.kind]).server.port
            site.keys = lambda: _memcached_keys(port, f"{prefix}:")
        return site

    def _url(self, kind: str) -> str:
        if kind == "memory":
            return "memory://"
        if kind in SERVED:
            server = self._request.getfixturevalue(SERVED[kind])
            url = f"{server.url}/test" if kind == "mongodb" else str(server.url)
        else:
            url = f"{kind}:///{self._folder}/rows"
        return f"{url}{'&' if '?' in url else '?'}timeout=5"  # the machine may be busy


def visiting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Visit]:
    """Be the fixture `visit` of a file of tests: `visit = pytest.fixture(visiting)`."""
    with ExitStack() as stack:
        yield Visit(request, tmp_path, stack)


def meanwhile(act: Callable[[], T]) -> T:
    """Do something beside a request that is still under way, and return what came of it."""
    with ThreadPoolExecutor(1) as other:
        return other.submit(act).result()


def _memcached_keys(port: int, prefix: str) -> list[str]:
    """Return the keys of living items, which only the server itself can list."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
        link.sendall(b"lru_crawler metadump all\r\n")
        said = b""
        while not said.endswith(b"END\r\n"):
            part = link.recv(65536)
            assert part, f"it hung up: {said!r}"
            said += part
    now = time.time()
    found = []
    for line in said.decode().splitlines()[:-1]:
        words = dict(word.split("=", 1) for word in line.split())
        key, end = unquote(words["key"]), int(words["exp"])
        if key.startswith(prefix) and (end == -1 or end > now):
            found.append(key.removeprefix(prefix))
    return found
