"""The races: what Holdfast keeps, what its cookie-only sessions lose, and what others do."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from race_rivals import Rival, answering

from holdfast import Sessions
from holdfast.errors import ConfigError
from holdfast.testing.races import RACES, run_races
from holdfast.testing.races.site import asgi_site, wsgi_site
from holdfast.web import asgi, wsgi
from servers.process import free_port
from servers.redis import RedisServer

SECRET = "Zk3vQ1xY7pLw9sT2mN8bR4cD6fG0hJ5a-uE"
FACES: dict[str, Callable[[Sessions], Any]] = {
    "wsgi": lambda sessions: wsgi.SessionMiddleware(wsgi_site, sessions),
    "asgi": lambda sessions: asgi.SessionMiddleware(asgi_site, sessions),
    "asgi, lazy": lambda sessions: asgi.SessionMiddleware(asgi_site, sessions, lazy=True),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "sealed": {"secrets": [SECRET]},
    "one session of a user": {"max_sessions": 1, "when_full": "refuse"},
    "rotated by time": {"rotate_every": "5m"},
    "json, and the client kept": {"codec": "json", "keep_client": ("address", "agent")},
}
COOKIE_ONLY_KEEPS = ["read-write", "read-first", "read"]


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Callable[[Sessions], Any]:
    return FACES[request.param]


def keeps_all(app: Any) -> None:
    report = run_races(app)
    assert report.those("kept") == list(RACES), f"\n{report}"


def test_in_memory_nothing_is_lost(face: Callable[[Sessions], Any]) -> None:
    keeps_all(face(Sessions("memory://")))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_whatever_the_options_nothing_is_lost(
    face: Callable[[Sessions], Any], options: dict[str, Any]
) -> None:
    keeps_all(face(Sessions("memory://", **options)))


def test_in_sqlite_nothing_is_lost(face: Callable[[Sessions], Any], tmp_path: Path) -> None:
    sessions = Sessions(f"sqlite:///{tmp_path}/races.db?timeout=30")
    keeps_all(face(sessions))
    assert sessions.store is not None
    sessions.store.close()


@pytest.mark.server
def test_in_redis_nothing_is_lost(
    face: Callable[[Sessions], Any], redis_server: RedisServer
) -> None:
    sessions = Sessions(f"{redis_server.url}?timeout=30", prefix="races")
    keeps_all(face(sessions))
    assert sessions.store is not None
    sessions.store.close()


def test_what_cookie_only_sessions_lose_is_what_the_documentation_says(
    face: Callable[[Sessions], Any],
) -> None:
    report = run_races(face(Sessions.in_cookie([SECRET])))
    assert report.those("kept") == COOKIE_ONLY_KEEPS, f"\n{report}"
    assert report.lost == [name for name in RACES if name not in COOKIE_ONLY_KEEPS]


def test_with_revocations_cookie_only_sessions_lose_no_logout(
    face: Callable[[Sessions], Any],
) -> None:
    report = run_races(face(Sessions.in_cookie([SECRET], revocations="memory://")))
    assert {verdict.about.about for verdict in report.verdicts if verdict.says == "lost"} == {
        *("updates", "tokens", "messages"),
    }
    assert [name for name in report.lost if RACES[name].about == "tokens"] == [
        *("write-login", "write-rotate"),
    ]


def test_every_race_can_be_lost() -> None:
    whole, cookie = run_races(Rival()), run_races(Rival(cookie_only=True))
    assert {*whole.lost, *cookie.lost} == set(RACES)
    assert set(RACES) - set(whole.lost) == {"login-login", "login-another", "rotate-rotate"}


def test_the_documentation_has_every_race() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/testing.md").read_text(encoding="utf-8")
    for race in RACES.values():
        assert f"| `{race.name}` | {race.about} | {race.title} |" in page


def test_who_writes_only_changes_loses_less() -> None:
    whole, careful = run_races(Rival()), run_races(Rival(reads_write=False))
    assert set(whole.lost) - set(careful.lost) == {
        *("read-write", "read-logout", "read-login", "read-rotate", "read-first", "read"),
    }


@pytest.mark.slow
def test_who_locks_loses_no_update_and_it_is_said() -> None:
    [verdict] = run_races(Rival(locks=True), ["count-count"], patience=2).verdicts
    assert (verdict.says, verdict.why) == ("kept", "one waited for the other")


def test_an_error_in_answer_to_the_slow_request_is_no_promise() -> None:
    report = run_races(Rival(reads_write=False, refuses=True))
    refused = {
        verdict.race: verdict.why for verdict in report.verdicts if verdict.says == "refused"
    }
    assert refused["write-write"] == "/set was answered 409"
    assert set(refused) == {
        *("write-write", "write-delete", "count-count", "append-append"),
        *("write-login", "login-login", "login-another", "write-rotate", "rotate-rotate"),
        *("pop-pop", "pop-flash"),
    }
    assert report.lost == ["logout-rotate"]


def test_a_promise_to_the_fast_request_holds_even_if_the_slow_one_fails() -> None:
    app = answering("500 Oh", Rival(), "/set", slow=True)
    assert run_races(app, ["write-logout"]).lost == ["write-logout"]


def test_what_an_application_has_no_path_for_is_absent() -> None:
    app = answering("404 Not Found", Rival(reads_write=False), "/rotate", "/pop")
    report = run_races(app)
    assert report.those("absent") == [
        *("rotate-logout", "logout-rotate", "read-rotate", "write-rotate", "rotate-rotate"),
        *("pop-pop", "pop-flash"),
    ]
    assert "no /rotate" in str(report)


def test_a_race_that_is_not_there_is_said_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="no such race: read-wrote; there are read-write, "):
        run_races(Rival(), ["read-wrote"])


def no_json(_: object, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"<p>hello"]


def no_names(_: object, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"[]"]


def never_waits(_: object, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"{}"]


def no_strangers(_: object, start_response: Any) -> list[bytes]:
    start_response("403 Forbidden", [])
    return []


@pytest.mark.parametrize(
    ("app", "said"),
    [
        (no_json, "as a JSON object"),
        (no_names, "as a JSON object"),
        (never_waits, "answered and did not `wait`"),
        (no_strangers, "no good answer to a stranger: /show was answered 403"),
        (answering("404 No", never_waits, "/show"), "no good answer to a stranger: /show"),
    ],
)
def test_what_cannot_be_played_with_is_said(app: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        run_races(app)


@pytest.mark.slow
def test_an_application_that_answers_one_request_at_a_time_is_said() -> None:
    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with make_server("127.0.0.1", 0, Rival(), WSGIServer, Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            with pytest.raises(ConfigError, match="one request at a time"):
                run_races(f"http://127.0.0.1:{server.server_port}/", patience=2)
        finally:
            server.shutdown()
            thread.join()


def test_nobody_there_is_said() -> None:
    with pytest.raises(ConfigError, match="no answer"):
        run_races(f"http://127.0.0.1:{free_port()}")
