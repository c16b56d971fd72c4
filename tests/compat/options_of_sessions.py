"""Probes of the options of sessions: `Session`, `CookieSession`, and how they are configured."""

import zlib
from base64 import b64decode
from collections.abc import Callable
from typing import Any

from compat.beaker_walk import Browser
from compat.option_probes import Room, option
from holdfast.compat.beaker.container import MemoryNamespaceManager
from holdfast.compat.beaker.middleware import SessionMiddleware
from holdfast.compat.beaker.session import CookieSession, Session, SignedCookie

__all__: list[str] = []

Given = dict[str, Any]
_KEYS = {"encrypt_key": "e", "validate_key": "v"}
_NEVER = "Tue, 19-Jan-2038"


def _stored(given: Given, request: Given | None = None, **more: Any) -> Session:
    return Session({} if request is None else request, **{**more, **given})


def _carried(given: Given, request: Given | None = None, **more: Any) -> Session:
    keys = {} if "encrypt_key" in more or "bare" in more else {"validate_key": "v"}
    more.pop("bare", None)
    return CookieSession({} if request is None else request, **{**keys, **more, **given})


def _kept(session: Session) -> Session:
    session["n"] = 1
    session.save()
    return session


def _header(session: Session) -> str:
    said: str = _kept(session).request["cookie_out"].strip()
    return said


def _back(session: Session) -> Given:
    """Return the next request of the same browser."""
    came = session.request.get("cookie", "")
    said: str = session.request.get("cookie_out", came).strip()
    return {"cookie": said.partition(";")[0]}


def _value(session: Session) -> str:
    return _header(session).partition(";")[0].partition("=")[2]


def _attribute(name: str) -> Callable[[Session], str | None]:
    """Return what reads an attribute off the cookie: its value, "" if it is bare, None without."""

    def read(session: Session) -> str | None:
        for part in _header(session).split("; ")[1:]:
            found, _, value = part.partition("=")
            if found.lower() == name:
                return value
        return None

    return read


def _record(session: Session) -> bytes:
    """Return the bytes of the values, in the store or in the cookie."""
    if isinstance(session, CookieSession):
        return b64decode(_value(session)[40:] + "==")
    text: str = MemoryNamespaceManager(_kept(session).id)["session"]
    return b64decode(text + "==")


def _both(name: str, *, to: Any, sees: Any, ask: Callable[[Any, Given, Room], Any]) -> None:
    """Add an option of both kinds; `ask` is given what makes a session, first."""
    for owner, make in (("Session", _stored), ("CookieSession", _carried)):
        option(
            f"{owner} {name}",
            to=to,
            sees=sees,
            ask=lambda given, room, make=make: ask(make, given, room),  # type: ignore[misc]
        )


def _survives(make: Any, given: Given, room: Room) -> bool:
    room.at(1000)
    session = _kept(make(given))
    room.at(2000)
    return "n" in make(given, _back(session))


def _noted(given: Given, room: Room) -> Any:
    room.at(1000)
    session = _kept(_stored(given))
    room.at(2000)
    _stored(given, _back(session)).save(accessed_only=True)
    room.at(3000)
    return _stored(given, _back(session)).last_accessed


def _corrupt(make: Any, given: Given, _: Room) -> str:
    session = _kept(make(given))
    request = _back(session)
    if make is _stored:
        MemoryNamespaceManager(session.id)["session"] = "no session"
    else:
        request["cookie"] = f"{session.key}={'0' * 40}bm8gc2Vzc2lvbg=="
    return "a new session" if "n" not in make(given, request) else "the old one"


def _of_48_bits(make: Any, given: Given, _: Room) -> Any:
    session = _kept(make(given, **_KEYS))
    return make({"encrypt_nonce_bits": 48}, _back(session), **_KEYS)["n"]


def _only_accessed(make: Any) -> Any:
    def ask(given: Given, _: Room) -> Any:
        session = make({}, _back(_kept(make({}))))
        session["n"] = 2
        session.save(**given)
        return make({}, _back(session))["n"]

    return ask


def _readable(session: Session) -> bool:
    return b"_creation_time" in _record(session)


_both(
    "key", to="mine", sees="mine", ask=lambda make, given, _: _header(make(given)).partition("=")[0]
)
_both("timeout", to=300, sees=False, ask=_survives)
option("Session save_accessed_time", to=False, sees=1000, ask=_noted)
option(  # each request sends the cookie anew whatever it says, as in Beaker
    "CookieSession save_accessed_time",
    to=False,
    sees="BeakerException",
    ask=lambda given, room: _survives(_carried, {"timeout": 300, **given}, room),
)
for _name, _attr, _set, _seen in (
    ("cookie_expires", "expires", False, _NEVER),
    ("cookie_domain", "domain", "example.org", "example.org"),
    ("cookie_path", "path", "/app", "/app"),
    ("secure", "secure", True, ""),
    ("httponly", "httponly", True, ""),
    ("samesite", "samesite", "Strict", "Strict"),
):

    def _dressed(make: Any, given: Given, _: Room, attr: str = _attr) -> Any:
        found = _attribute(attr)(make(given))
        return found and found[: len(_NEVER)]

    _both(_name, to=_set, sees=_seen, ask=_dressed)
_both(
    "data_serializer",
    to="json",
    sees=b"{",
    ask=lambda make, given, _: zlib.decompress(_record(make(given)))[:1],
)
_both("invalidate_corrupt", to=True, sees="a new session", ask=_corrupt)
_both("encrypt_nonce_bits", to=48, sees=1, ask=_of_48_bits)
_both(
    "crypto_type",
    to="no such module",
    sees="InvalidCryptoBackendError",
    ask=lambda make, given, _: _readable(make(given)),
)
_both(
    "encrypt_key",
    to="e",
    sees=False,
    ask=lambda make, given, _: _readable(make(given, validate_key="v")),
)
option(
    "Session validate_key",
    to="v",
    sees=False,
    ask=lambda given, _: _readable(_stored(given, encrypt_key="e")),
)
option(
    "CookieSession validate_key",
    to="v",
    sees=True,
    ask=lambda given, _: _readable(_carried(given, bare=True)),
)
option("Session id", to="f" * 32, sees="f" * 32, ask=lambda given, _: _kept(_stored(given)).id)
option(
    "Session use_cookies",
    to=False,
    sees=False,
    ask=lambda given, _: "cookie_out" in _kept(_stored(given)).request,
)


def _folders(session: Session, room: Room) -> list[str]:
    _kept(session)
    return sorted(path.name for path in room.folder.iterdir())


option(
    "Session type",
    to="dbm",
    sees=["container_dbm", "container_dbm_lock"],
    ask=lambda given, room: _folders(_stored(given, data_dir=room.path), room),
)
option(
    "Session data_dir",
    to=lambda room: room.path,
    sees=["container_file", "container_file_lock"],
    ask=lambda given, room: _folders(_stored(given), room),
)
option("Session secret", to="s", sees=72, ask=lambda given, _: len(_value(_stored(given))))


def _own_class(given: Given, _: Room) -> list[str]:
    made: list[str] = []

    class Own(MemoryNamespaceManager):
        def __init__(self, namespace: str, **kwargs: Any) -> None:
            made.append("made")
            super().__init__(namespace, **kwargs)

    _kept(_stored(dict.fromkeys(given, Own)))
    return made


option("Session namespace_class", to=True, sees=["made"], ask=_own_class)
option("Session.save accessed_only", to=True, sees=1, ask=_only_accessed(_stored))
option("CookieSession.save accessed_only", to=True, sees=1, ask=_only_accessed(_carried))
option(
    "SignedCookie input",
    to="a=1; b=2",
    sees=["a", "b"],
    ask=lambda given, _: sorted(SignedCookie("s", **given)),
)


# As they are configured: texts, of an INI file


def _site(environ: Given, start_response: Callable[..., Any]) -> list[bytes]:
    session = environ.get("beaker.session") or environ["here"]
    word = environ["PATH_INFO"]
    if word != "/read":
        session["n"] = 1
        session["long"] = "needle"
    if word == "/save":
        session.save()
    page = str(session.get("n")).encode()
    start_response("200 OK", [])
    return [page]


def _pages(given: Given, *words: str, environ: Given | None = None, **more: Any) -> Browser:
    options = {f"session.{name}": value for name, value in {**more, **given}.items()}
    browser = Browser(SessionMiddleware(_site, options))
    browser.pages = [browser.get(word, **(environ or {})) for word in words]  # type: ignore[attr-defined]
    return browser


def _shown(given: Given, *words: str, **more: Any) -> str:
    page: str = _pages(given, *words, **more).pages[-1]  # type: ignore[attr-defined]
    return page


def _cookie(given: Given, **more: Any) -> bytes:
    browser = _pages(given, "/save", type="cookie", **more)
    return b64decode(browser.cookies["beaker.session.id"][40:] + "==")


def _stashed(given: Given, _: Room) -> list[str]:
    variables: Given = {}
    _pages(given, "/save", environ={"paste.testing_variables": variables})
    return list(variables)


option(
    "configuration data_dir",
    to=lambda room: room.path,
    sees=1,
    ask=lambda given, room: (_pages(given, "/save"), room.files(ending="*.cache"))[1],
)
option(
    "configuration lock_dir",
    to=lambda room: f"{room.path}/locks",
    sees=True,
    ask=lambda given, room: (
        _pages(given, "/save", data_dir=room.path),
        room.files("locks", "*.lock") > 0,
    )[1],
)
option(
    "configuration memcache_module",
    to="no such module",
    sees="InvalidCacheBackendError",
    ask=lambda given, _: _shown(given, "/save", type="ext:memcached", url="127.0.0.1:1"),
)
option(
    "configuration type",
    to="dbm",
    sees=0,
    ask=lambda given, room: (
        _pages(given, "/save", data_dir=room.path),
        room.files(ending="*.cache"),
    )[1],
)
option("configuration webtest_varname", to="session", sees=["session"], ask=_stashed)
option(
    "configuration url",
    to=lambda room: f"sqlite:///{room.path}/sessions.db",
    sees="1",
    ask=lambda given, room: _shown(
        given, "/save", "/read", type="ext:database", data_dir=room.path
    ),
)
option(
    "configuration auto", to="true", sees="1", ask=lambda given, _: _shown(given, "/set", "/read")
)
option(
    "configuration cookie_expires",
    to="false",
    sees=True,
    ask=lambda given, _: _NEVER in _pages(given, "/save").sent[0],
)
option(
    "configuration encrypt_key",
    to="e",
    sees=False,
    ask=lambda given, _: b"needle" in _cookie(given, validate_key="v"),
)
option(
    "configuration validate_key",
    to="v",
    sees=True,
    ask=lambda given, _: b"needle" in _cookie(given),
)
option(
    "configuration crypto_type",
    to="no such module",
    sees="InvalidCryptoBackendError",
    ask=lambda given, _: b"needle" in _cookie(given, validate_key="v"),
)
option(
    "SessionMiddleware config",
    to={"session.key": "mine"},
    sees=["mine"],
    ask=lambda given, _: _cookies(SessionMiddleware(_site, **given)),
)
option(
    "SessionMiddleware environ_key",
    to="here",
    sees=["here"],
    ask=lambda given, _: _places(SessionMiddleware(_look, **given)),
)


def _cookies(app: SessionMiddleware) -> list[str]:
    browser = Browser(app)
    browser.get("/save")
    return list(browser.cookies)


def _look(environ: Given, start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [])
    return [" ".join(name for name in ("here", "beaker.session") if name in environ).encode()]


def _places(app: SessionMiddleware) -> list[str]:
    return Browser(app).get("/").split()
