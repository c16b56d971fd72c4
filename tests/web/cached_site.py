"""A site behind a response cache, the same for WSGI and ASGI: what it says is a plain function."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from holdfast import Cache
from holdfast.testing.calls import Answer, call_asgi, call_wsgi, environ, scope
from holdfast.testing.clock import ManualClock
from holdfast.web.httpcache import CacheMiddleware, Notes

Face = Literal["wsgi", "asgi"]
Pairs = Sequence[tuple[str, str]]


@dataclass
class Heard:
    """A request as the application got it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    notes: Notes | None
    fields: Any = None


@dataclass
class Said:
    """What the application answers; a body of several pieces is sent piece by piece."""

    body: bytes | list[bytes] = b"page"
    headers: Pairs = (("Cache-Control", "max-age=60"),)
    status: int = 200
    error: Exception | None = None


View = Callable[[Heard], Said]


def wsgi_app(view: View) -> Callable[..., Any]:
    def app(fields: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        headers = {
            name[5:].replace("_", "-").lower(): value
            for name, value in fields.items()
            if name.startswith("HTTP_")
        }
        notes = fields.get("holdfast.httpcache")
        path, query = fields["PATH_INFO"], fields["QUERY_STRING"]
        said = view(Heard(fields["REQUEST_METHOD"], path, query, headers, notes, fields))
        if said.error is not None:
            raise said.error
        start_response(f"{said.status} Said", list(said.headers))
        if fields["REQUEST_METHOD"] == "HEAD":
            return []
        return iter(said.body) if isinstance(said.body, list) else [said.body]

    return app


def asgi_app(view: View) -> Callable[..., Any]:
    async def app(fields: dict[str, Any], _receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode("latin-1") for name, value in fields["headers"]}
        notes = fields.get("holdfast.httpcache")
        path, query = fields["path"], fields["query_string"].decode()
        said = view(Heard(fields["method"], path, query, headers, notes, fields))
        if said.error is not None:
            raise said.error
        pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in said.headers]
        await send({"type": "http.response.start", "status": said.status, "headers": pairs})
        pieces = [said.body] if isinstance(said.body, bytes) else [*said.body, b""]
        if fields["method"] == "HEAD":
            pieces = [b""]
        for number, piece in enumerate(pieces, 1):
            more = number < len(pieces)
            await send({"type": "http.response.body", "body": piece, "more_body": more})

    return app


@dataclass
class Site:
    """An application, the cache before it, and who visits them."""

    face: Face
    clock: ManualClock = field(default_factory=ManualClock)
    heard: list[Heard] = field(default_factory=list)
    says: Said = field(default_factory=Said)
    view: View | None = None
    options: dict[str, Any] = field(default_factory=dict)
    around: Callable[[Any], Any] = lambda app: app
    inside: Callable[[Any], Any] = lambda app: app
    cache: Any = None

    def __post_init__(self) -> None:
        def view(heard: Heard) -> Said:
            self.heard.append(heard)
            return self.says if self.view is None else self.view(heard)

        app = wsgi_app(view) if self.face == "wsgi" else asgi_app(view)
        self.cache = self.cache or Cache(clock=self.clock)
        self.middleware = CacheMiddleware(
            self.inside(app), self.cache, clock=self.clock, **self.options
        )
        self.app = self.around(self.middleware)

    @property
    def calls(self) -> int:
        """How often the application was called."""
        return len(self.heard)

    def get(self, path: str = "/", method: str = "GET", **headers: str) -> Answer:
        """Ask for a page; `if_none_match="..."` is a request header."""
        pairs = [(name.replace("_", "-").title(), value) for name, value in headers.items()]
        if "host" not in headers:
            pairs.append(("Host", "shop.example"))
        if self.face == "wsgi":
            return call_wsgi(
                self.app, environ(path.encode().decode("latin-1"), method=method, headers=pairs)
            )
        return call_asgi(self.app, scope(path, method=method, headers=pairs))
