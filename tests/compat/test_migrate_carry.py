"""Nobody is logged out by moving to the native API: old cookies, migrated sessions, forgeries."""

import base64
import hashlib
import hmac
import json
import pickle
import random
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from compat.seeds import genuine
from holdfast import Cookie, Sessions
from holdfast.compat.carry import OldCookie, token_for
from holdfast.compat.migrate import Migration, Outcome, Report
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.store.file.plain import PlainFiles
from holdfast.store.memory import named
from holdfast.store.registry import open_store
from holdfast.testing.calls import Answer, call_wsgi, environ
from holdfast.web.transport import Transport
from holdfast.web.wsgi import SessionMiddleware
from servers.redis import RedisServer

SECRET = "the old application's secret"
BEAKER = """
import json, sys
from beaker.middleware import SessionMiddleware

def app(environ, start_response):
    session = environ["beaker.session"]
    session["user"] = "ada"
    session["cart"] = {"tea": 2}
    session.save()
    start_response("200 OK", [])
    return []

said = []
site = SessionMiddleware(app, {"session.type": "file", "session.data_dir": sys.argv[1],
                               "session.secret": sys.argv[2] or None})
list(site({"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.url_scheme": "http"},
          lambda status, headers, exc_info=None: said.extend(headers)))
print(dict((name.lower(), value) for name, value in said)["set-cookie"].split(";")[0].strip())
"""
PYCKET = """
import sys
from tornado.web import create_signed_value
print(create_signed_value(sys.argv[1], "PYCKET_ID", sys.argv[2]).decode())
"""


def migrated(source: str, target: str, **options: Any) -> Report:
    report = Report()
    with Migration(source, target, **options) as migration:
        migration.run(report, lambda _: None)
    return report


def site(sessions: Sessions) -> SessionMiddleware:
    def app(env: dict[str, Any], start: Any) -> list[bytes]:
        session = env["holdfast.session"]
        if env["PATH_INFO"] == "/login":
            session.login("ada")
        if env["PATH_INFO"] == "/logout":
            session.logout()
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({name: session[name] for name in sorted(session)}).encode()]

    return SessionMiddleware(app, sessions)


def ask(wsgi: SessionMiddleware, cookie: str, path: str = "/") -> Answer:
    return call_wsgi(wsgi, environ(path, headers=[("Cookie", cookie)]))


def set_cookies(answer: Answer) -> dict[str, str]:
    lines = [value for name, value in answer.headers if name.lower() == "set-cookie"]
    return {line.partition("=")[0]: line.partition("=")[2] for line in lines}


@pytest.mark.parametrize("secret", [SECRET, None], ids=["signed", "unsigned"])
def test_who_was_signed_in_with_beaker_stays_so(tmp_path: Path, secret: str | None) -> None:
    cookie = genuine(BEAKER, tmp_path / "old", secret or "").strip()
    target = f"sqlite:///{tmp_path}/new.db"
    report = migrated(f"beaker+file:///{tmp_path}/old", target)
    assert report.counts == {Outcome.WRITTEN: 1}
    assert migrated(f"beaker+file:///{tmp_path}/old", target).counts == {Outcome.THERE: 1}
    transport = OldCookie(Cookie(), secret=secret)
    with open_store(target) as store:
        shop = site(Sessions(store, transport=transport, rotate_every="1d"))
        first = ask(shop, cookie)
        assert json.loads(first.body) == {"cart": {"tea": 2}, "user": "ada"}
        found = set_cookies(first)
        assert "Max-Age=0" in found["beaker.session.id"], "the old cookie goes"
        new = found["__Host-sid"].partition(";")[0]
        assert new != token_for("beaker", cookie[-32:]), "a token of its own"
        second = ask(shop, f"__Host-sid={new}")
        assert json.loads(second.body) == {"cart": {"tea": 2}, "user": "ada"}
        assert set_cookies(second) == {}
        assert json.loads(ask(shop, "beaker.session.id=" + "0" * 72).body) == {}


def test_a_forged_old_cookie_is_nothing(tmp_path: Path) -> None:
    cookie = genuine(BEAKER, tmp_path / "old", SECRET).strip()
    name, _, value = cookie.partition("=")
    migrated(f"beaker+file:///{tmp_path}/old", f"sqlite:///{tmp_path}/new.db")
    with open_store(f"sqlite:///{tmp_path}/new.db") as store:
        shop = site(Sessions(store, transport=OldCookie(Cookie(), secret=SECRET)))
        handle = value[40:]
        wrong = hmac.new(b"another secret", handle.encode(), hashlib.sha1).hexdigest()
        forged = [handle, wrong + handle, "0" * 40 + handle, value[:-1], value + "0", "", '"']
        for attempt in forged:
            assert json.loads(ask(shop, f"{name}={attempt}").body) == {}, attempt
        assert json.loads(ask(shop, cookie).body)["user"] == "ada"


def test_a_login_and_a_logout_end_the_old_cookie(tmp_path: Path) -> None:
    cookie = genuine(BEAKER, tmp_path / "old", SECRET).strip()
    target = f"sqlite:///{tmp_path}/new.db"
    migrated(f"beaker+file:///{tmp_path}/old", target)
    transport = OldCookie(Cookie(), secret=SECRET)
    with open_store(target) as store:
        shop = site(Sessions(store, transport=transport))
        assert set_cookies(ask(shop, cookie)) == {}, "without rotate_every it may go on"
        found = set_cookies(ask(shop, cookie, "/login"))
        assert "Max-Age=0" in found["beaker.session.id"]
        new = "__Host-sid=" + found["__Host-sid"].partition(";")[0]
        assert json.loads(ask(shop, cookie).body) == {}, "the old id opens it no more"
        gone = set_cookies(ask(shop, new, "/logout"))
        assert "Max-Age=0" in gone["beaker.session.id"]
        assert json.loads(ask(shop, new).body) == {}
    again = migrated(f"beaker+file:///{tmp_path}/old", target, replace=True)
    assert again.counts == {Outcome.THERE: 1}
    with open_store(target) as store:
        shop = site(Sessions(store, transport=transport))
        assert json.loads(ask(shop, cookie).body) == {}, "a logout stands, whatever runs again"


def test_a_session_in_use_is_not_written_over(tmp_path: Path) -> None:
    files = PlainFiles(tmp_path / "container_file")
    files.put("5a" * 16, pickle.dumps({"session": {"n": 1, "_creation_time": 1e9}}))
    source, target = f"beaker+file:///{tmp_path}", "memory://carried"
    with named("carried") as store:
        migrated(source, target)
        sessions = Sessions(store, lifetime="20000d", idle_timeout="20000d")
        session = sessions.load(token_for("beaker", "5a" * 16))
        assert session["n"] == 1
        assert session.created == 1e9
        session["n"] = 2
        sessions.commit(session)
        assert migrated(source, target, replace=True).counts == {Outcome.THERE: 1}
        assert sessions.load(token_for("beaker", "5a" * 16))["n"] == 2


def test_what_no_session_can_hold_is_left_out_whole(tmp_path: Path) -> None:
    files = PlainFiles(tmp_path / "container_file")
    files.put("a", pickle.dumps({"session": {1: "one"}}))
    files.put("b", pickle.dumps({"session": "no base64!"}))
    files.put("c", pickle.dumps({"session": ["a list"]}))
    report = migrated(f"beaker+file:///{tmp_path}", "memory://")
    assert report.counts == {Outcome.LEFT_OUT: 3}


@pytest.mark.server
def test_sessions_of_pycket_and_pyramid_kvs_go_on(redis_server: RedisServer) -> None:
    far = f"{redis_server.url}/9"
    client = redis.Redis.from_url(far)
    client.flushdb()
    client.set("9f1c", pickle.dumps({"user": "ada"}), ex=900)
    with named("pycket") as store:
        migrated(f"pycket+{far}", "memory://pycket")
        transport = OldCookie(Cookie(), secret=SECRET, library="pycket")
        shop = site(Sessions(store, transport=transport))
        good, bad = (genuine(PYCKET, key, "9f1c").strip() for key in (SECRET, "another"))
        assert json.loads(ask(shop, f'PYCKET_ID="{good}"').body) == {"user": "ada"}
        assert json.loads(ask(shop, f'PYCKET_ID="{bad}"').body) == {}
        assert json.loads(ask(shop, "PYCKET_ID=9f1c").body) == {}
    client.flushdb()
    client.set("session::tok", json.dumps({"user": "bob", "_f_": ["hello"]}), ex=900)
    client.close()
    with named("kvs") as store:
        migrated(f"kvs+{far}", "memory://kvs")
        shop = site(Sessions(store, transport=OldCookie(Cookie(), library="kvs")))
        assert json.loads(ask(shop, "session_id=tok").body) == {"user": "bob", "_f_": ["hello"]}
        assert json.loads(ask(shop, "session_id=other").body) == {}


def test_the_new_cookie_counts_and_takes_the_old_one_along() -> None:
    transport = OldCookie(Cookie())
    assert isinstance(transport, Transport)
    token = token_for("beaker", "x")
    assert transport.read("a=b") == (None, (), "")
    assert transport.read("beaker.session.id=x") == (token, ("beaker.session.id",), "")
    both = transport.read("__Host-sid=new; beaker.session.id=x")
    assert both == ("new", ("beaker.session.id",), "")
    tossed = transport.read("__Host-sid=a; __Host-sid=b; beaker.session.id=x")
    assert tossed[0] is None
    assert tossed[2] == "cookie_tossing"
    assert "secret" not in repr(OldCookie(Cookie(), secret="secret words"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"library": "django"}, "choose from"),
        ({"library": "pycket"}, "cookie_secret"),
        ({"library": "kvs", "secret": "x"}, "has no secret"),
        ({"secret": ""}, "leave it out"),
        ({"old": "__Host-sid"}, "another"),
        ({"old": "a b"}, "cookie name"),
    ],
    ids=["library", "pycket", "kvs", "empty", "same", "name"],
)
def test_wrong_options_name_the_fix(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        OldCookie(Cookie(), **options)


@pytest.mark.parametrize("library", ["beaker", "signed", "pycket", "kvs"])
def test_any_cookie_header_is_a_token_of_ours_or_nothing(library: Any) -> None:
    dice = random.Random(7)  # noqa: S311 - the same words each time
    secret = SECRET if library in ("signed", "pycket") else None
    transport = OldCookie(
        Cookie(), library="beaker" if library == "signed" else library, secret=secret
    )
    name = transport.old
    parts = [
        name,
        "=",
        ";",
        " ",
        '"',
        "2|1:0|10:1|",
        "a" * 40,
        "\xff",
        "\0",
        "__Host-sid",
        ",",
        "|",
    ]
    for _ in range(3000):
        raw = "".join(dice.choices(parts, k=dice.randint(1, 12)))
        token, expire, _event = transport.read(raw)
        assert set(expire) <= {name, "__Host-sid"}
        if secret is not None and "__Host-sid" not in raw:
            assert token is None, "nobody could sign that"


def test_sessions_as_json_and_as_objects_come_along(tmp_path: Path) -> None:
    files = PlainFiles(tmp_path / "container_file")
    data = json.dumps({"user": "ada", "_accessed_time": time.time()})
    text = base64.b64encode(data.encode()).decode()
    files.put("a" * 32, pickle.dumps({"session": text}))
    files.put("b" * 32, pickle.dumps({"session": {"user": "bob"}}))  # as Beaker 1.10 wrote it
    with named("forms") as store:
        assert migrated(f"beaker+file:///{tmp_path}", "memory://forms").counts[Outcome.WRITTEN] == 2
        sessions = Sessions(store, lifetime="400d", idle_timeout="400d")
        found = [sessions.load(token_for("beaker", name * 32))["user"] for name in "ab"]
    assert found == ["ada", "bob"]


def test_without_a_timeout_the_report_says_what_has_no_end(tmp_path: Path) -> None:
    files = PlainFiles(tmp_path / "container_file")
    files.put("a" * 32, pickle.dumps({"session": {"user": "ada"}}))
    report = migrated(f"beaker+file:///{tmp_path}", "memory://", dry=True)
    assert report.notes == {}, "native sessions end by themselves"
    with pytest.raises(StoreUnavailable):
        migrated(f"beaker+file:///{tmp_path}", "beaker+redis://127.0.0.1:1/0")
