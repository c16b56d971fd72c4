"""The token in a header of its own: what it is called, what is read, what the answer says."""

import secrets
from typing import Any

import pytest

from holdfast import Cache, Header, Sessions, open_store
from holdfast.errors import ConfigError, SessionTooLarge
from holdfast.store.memory import MemoryStore
from holdfast.testing.calls import Answer, Face, call_asgi, call_wsgi, environ, one_view, scope
from holdfast.web import asgi, wsgi
from holdfast.web.httpcache import CacheMiddleware
from holdfast.web.transport import NOTHING, Transport

NAME = "X-Auth-Token"
TOKEN = secrets.token_urlsafe(32)
Fields = list[tuple[str, str]]


def view(session: Any, path: str) -> object:
    match path:
        case "/untouched":
            return "untouched"
        case "/write":
            session["name"] = "ada"
        case "/logout":
            session.logout()
        case "/big":
            session["big"] = secrets.token_urlsafe(8000)
    return session.get("name", "nobody")


class Api:
    """An application whose sessions travel in a header, as its clients see it."""

    def __init__(self, face: Face, kind: str, said: Fields) -> None:
        self.face = face
        self.events: list[str] = []
        self.store = MemoryStore("api")
        options: dict[str, Any] = {
            "transport": Header(NAME),
            "observer": lambda event, _: self.events.append(event),
        }
        if kind == "store":
            self.sessions = Sessions(self.store, **options)
        else:
            self.sessions = Sessions.in_cookie([secrets.token_bytes(32)], **options)
        self.app = one_view(view, face, said)

    def around(self, app: Any) -> Any:
        kind = wsgi if self.face == "wsgi" else asgi
        return kind.SessionMiddleware(app, self.sessions)

    def get(self, path: str, *headers: tuple[str, str], app: Any = None) -> Answer:
        app = app or self.around(self.app)
        if self.face == "asgi":
            return call_asgi(app, scope(path, headers=headers))
        joined: dict[str, str] = {}
        for name, value in headers:  # as WSGI servers do
            joined[name] = f"{joined[name]},{value}" if name in joined else value
        return call_wsgi(app, environ(path, headers=list(joined.items())))

    def login(self) -> str:
        [token] = self.get("/write").all(NAME)
        return token


@pytest.fixture(params=["wsgi", "asgi"])
def face(request: pytest.FixtureRequest) -> Face:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=["store", "sealed"])
def api(request: pytest.FixtureRequest, face: Face) -> Api:
    return Api(face, request.param, [])


def test_a_session_lives_from_one_request_to_the_next(api: Api) -> None:
    token = api.login()
    answer = api.get("/", (NAME, token))
    assert answer.body == b"ada"
    assert answer.all(NAME) == []  # the client has it
    assert api.get("/").body == b"nobody"


def test_029_what_gives_a_token_is_stored_nowhere_and_sets_no_cookie(api: Api) -> None:
    answer = api.get("/write")
    assert len(answer.all(NAME)) == 1
    assert answer.all("cache-control") == ["no-store"]
    assert answer.all("vary") == [NAME]
    assert answer.all("set-cookie") == []


def test_010_logout_empties_the_header(api: Api) -> None:
    token = api.login()
    answer = api.get("/logout", (NAME, token))
    assert answer.all(NAME) == [""]
    assert answer.all("cache-control") == ["no-store"]
    if api.sessions.store is not None:
        assert api.get("/", (NAME, token)).body == b"nobody"
    assert api.get("/logout").all(NAME) == []  # an anonymous one changes nothing


def test_007_a_cookie_beside_the_header_is_not_looked_at(api: Api) -> None:
    token = api.login()
    for name in ("__Host-sid", "sid", NAME, NAME.lower()):
        assert api.get("/", ("Cookie", f"{name}={token}")).body == b"nobody"
        answer = api.get("/", ("Cookie", f"{name}={TOKEN}"), (NAME, token))
        assert answer.body == b"ada"
        assert answer.all("vary") == [NAME]
    assert api.get(f"/?{NAME}={token}", ("Authorization", f"Bearer {token}")).body == b"nobody"


MALFORMED = {
    "empty": "",
    "blank": " \t ",
    "one character": "a",
    "not ASCII": "\xe9" * 43,
    "NUL": f"{TOKEN[:20]}\0{TOKEN[21:]}",
    "CRLF": f"{TOKEN[:20]}\r\n{TOKEN[22:]}",
    "quoted": f'"{TOKEN}"',
    "two words": f"Bearer {TOKEN}",
    "invented": TOKEN,
    "long": "a" * 20_000,
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_004_garbage_is_a_new_visitor_and_writes_nothing(api: Api, raw: str) -> None:
    for path in ("/", "/untouched", "/logout"):
        answer = api.get(path, (NAME, raw))
        assert (answer.status, answer.all(NAME)) == (200, []), path
    assert len(api.store) == 0
    assert "session.header_repeated" not in api.events
    assert api.get("/write", (NAME, raw)).all(NAME)[0] != raw


@pytest.mark.parametrize("second", ["invented", "", "the same"])
def test_022_of_two_headers_none_is_used(api: Api, second: str) -> None:
    token = api.login()
    second = {"invented": TOKEN, "the same": token}.get(second, second)
    for pair in ((token, second), (second, token)):
        answer = api.get("/", *((NAME, one) for one in pair))
        assert answer.body == b"nobody"
        assert answer.all(NAME) == []  # the client's token is good: it is not told to forget it
        assert answer.all("vary") == [NAME]
    assert api.events.count("session.header_repeated") == 2
    assert api.get("/", (NAME, token)).body == b"ada"


def test_049_the_event_has_no_token_in_it(face: Face) -> None:
    told: list[str] = []
    api = Api(face, "store", [])
    token = api.login()
    api.sessions.observer = lambda event, fields: told.append(f"{event} {dict(fields)}")
    api.get("/", (NAME, token), (NAME, token))
    assert "header_repeated" in told[0]
    assert token not in "".join(told)


SHARED = {
    "": "private",
    "max-age=60": "private, max-age=60",
    "public, max-age=60": "private, max-age=60",
    "PUBLIC,S-MaxAge=9 , max-age=60": "private, max-age=60",
    'private="x, y", no-cache="public, z"': 'private, no-cache="public, z"',
    "private, max-age=60": "private, max-age=60",
    "no-store": "no-store",
    "public, no-store": "public, no-store",
    "must-understand, no-store": "private, must-understand, no-store",
}


@pytest.mark.parametrize("said", SHARED)
def test_what_a_header_session_was_looked_at_for_is_its_clients(face: Face, said: str) -> None:
    headers = [("Cache-Control", said), ("CDN-Cache-Control", "max-age=60")] if said else []
    api = Api(face, "store", headers)
    token = api.login()
    for sent in ([(NAME, token)], []):
        answer = api.get("/", *sent)
        assert answer.all("cache-control") == [SHARED[said]]
        assert answer.all("cdn-cache-control") == []
        assert answer.all("vary") == [NAME]
    untouched = api.get("/untouched", (NAME, token))
    assert untouched.all("cache-control") == [value for _, value in headers[:1]]
    assert untouched.all("vary") == []


@pytest.mark.parametrize("outside", [True, False])
def test_our_own_cache_keeps_no_answer_to_a_token(face: Face, outside: object) -> None:
    api = Api(face, "store", [("Cache-Control", "public, max-age=60")])
    token = api.login()
    cache = Cache(MemoryStore("pages"))
    if outside:
        app = CacheMiddleware(api.around(api.app), cache, interface=face)
    else:
        app = api.around(CacheMiddleware(api.app, cache, interface=face))
    assert api.get("/", (NAME, token), app=app).body == b"ada"
    assert api.get("/", app=app).body == b"nobody"
    assert api.get("/", (NAME, token), app=app).body == b"ada"
    api.get("/untouched", (NAME, token), app=app)
    assert "hit" in api.get("/untouched", app=app).all("cache-status")[0]  # nobody's is everybody's


def test_our_own_cache_keeps_a_page_for_each_client_where_that_is_asked_for(face: Face) -> None:
    api = Api(face, "store", [("Cache-Control", "max-age=60")])
    cache = Cache(MemoryStore("pages"))
    middleware: Any = CacheMiddleware
    app = middleware(
        api.around(api.app), cache, interface=face, private=lambda request: request.header(NAME)
    )
    tokens = [api.login(), api.login()]
    for token in tokens:
        api.get("/", (NAME, token), app=app)
    for token in tokens:
        assert "hit" in api.get("/", (NAME, token), app=app).all("cache-status")[0]


def test_024_a_sealed_token_has_room_for_eight_kilobytes(face: Face) -> None:
    api = Api(face, "sealed", [])
    room = api.sessions.transport.room  # type: ignore[union-attr]
    assert 8000 < room < 8192 - len(f"{NAME}: \r\n")
    with pytest.raises(SessionTooLarge, match="big"):
        api.get("/big")
    assert len(f"{NAME}: {'a' * room}\r\n") == 8190
    with pytest.raises(SessionTooLarge):
        Header(NAME).write("a" * (room + 1))
    assert Header(NAME).write("a" * room)


def test_032_a_sealed_token_is_good_for_its_header_alone() -> None:
    secret = [secrets.token_bytes(32)]
    one, same, other = (
        Sessions.in_cookie(secret, transport=Header(name))
        for name in (NAME, NAME.lower(), "X-Other-Token")
    )
    session = one.load(None)
    session["a"] = 1
    token = one.commit(session).token
    assert dict(one.load(token)) == dict(same.load(token)) == {"a": 1}  # a header has no case
    assert dict(other.load(token)) == {}


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            " ",
            "X Token",
            "X-Tokén",
            "X-Token\n",
            "X-Token\r\nSet-Cookie",
            "X:Token",
            "1-Token",
        ),
        *("X_Auth_Token", "X-" + "a" * 70, "Cookie", "set-cookie", "Authorization", "Host"),
        *("Content-Type", "X-Forwarded-For", "Sec-Fetch-Site", "Proxy-Authorization", "If-Match"),
        *("Accept", "Accept-Language", "VARY", "Connection", "Access-Control-Allow-Origin"),
    ],
)
def test_a_name_that_cannot_be_ours_is_refused_at_start(name: str) -> None:
    with pytest.raises(ConfigError, match="X-Auth-Token"):
        Header(name)


def test_a_token_that_could_end_the_header_is_refused() -> None:
    for token in ("", "a\r\nb", "a b", "a,b", "\xe9"):
        with pytest.raises(ConfigError):
            Header().write(token)


def test_it_is_a_transport() -> None:
    header = Header()
    assert isinstance(header, Transport)
    assert header == Header("X-Auth-Token")
    assert header.read(f" {TOKEN}\t") == (TOKEN, (), "")
    assert header.read("a b") == NOTHING
    store = open_store("memory://")
    with pytest.raises(ConfigError, match="Header"):
        wsgi.SessionMiddleware(one_view(view, "wsgi"), Sessions(store, transport="X-Token"))  # type: ignore[arg-type]
