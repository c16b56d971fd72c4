"""Sessions of pyramid_kvs: what lies in the store, what the cookie says, what is not believed."""

import pickle
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pyramid import testing
from pyramid.interfaces import ISession, ISessionFactory
from zope.interface.verify import verifyObject

from compat.kvs_pages import MOCK, NAME, Visit, clean, keep, options_for, record_of, site
from holdfast.compat.pyramid_kvs import session as module
from holdfast.compat.pyramid_kvs.kvs import KVS, register
from holdfast.compat.pyramid_kvs.session import (
    AuthTokenSession,
    CookieSession,
    SessionFactory,
)
from holdfast.compat.pyramid_kvs.testing import MockCache
from holdfast.compat.settings import CompatWarning, configure, refused
from holdfast.errors import ConfigError, StoreUnavailable


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    with clean():
        yield


def test_it_is_what_pyramid_asks_of_a_session() -> None:
    session = Visit().session
    assert verifyObject(ISession, session)
    assert verifyObject(ISessionFactory, SessionFactory({"kvs.session": MOCK}))


def test_the_defaults() -> None:
    factory = SessionFactory({"kvs.session": '{"type": "mock"}'})
    assert (factory.session_class, factory.key_name) == (CookieSession, "session_id")
    assert (factory._client.key_prefix, factory._client.ttl) == (b"session::", 3600)
    header = SessionFactory({"kvs.session": MOCK | {"session_type": "header"}})
    assert header.session_class is AuthTokenSession


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ('{"kvs": "mock", "session_type": "url"}', "session_type='url'"),
        ('{"kvs": "nosuch"}', "kvs='nosuch'"),
        ('{"kvs": "mock", "codec": "yaml"}', "codec='yaml'"),
        ("{", "kvs.session: not readable as JSON"),
        ("[1]", "write a JSON object"),
    ],
)
def test_a_wrong_setting_says_what_is_right(given: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        SessionFactory({"kvs.session": given})


def test_settings_are_not_changed() -> None:
    given = {"type": "mock", "session_type": "cookie"}
    SessionFactory({"kvs.session": given})
    assert given == {"type": "mock", "session_type": "cookie"}


def test_the_cookie_is_sent_at_every_use_and_lives_as_long_as_the_record() -> None:
    app = site(lambda request: request.session.get("a"), session=MOCK)
    for _ in range(2):
        [cookie] = app.get("/").headers.getall("Set-Cookie")
        parts = cookie.split("; ")
        assert parts[0] == f"{NAME}={app.cookies[NAME]}"
        assert parts[1:3] == ["Max-Age=20", "Path=/"]
        assert parts[4:] == ["HttpOnly", "SameSite=Lax"]
        assert MockCache.last_ttl == 20
        MockCache.last_ttl = None


def test_a_request_that_does_not_ask_for_it_has_none() -> None:
    app = site(lambda _: 1, session=MOCK)
    assert "Set-Cookie" not in app.get("/").headers
    assert MockCache.cached_data == {}


def test_what_is_only_read_is_not_written_anew() -> None:
    keep("id", '{"a":   1}')
    visit = Visit("id")
    assert visit.session["a"] == 1
    visit.respond()
    assert MockCache.cached_data[b"session::id"] == '{"a":   1}'
    assert MockCache.last_ttl == 20


def test_names_and_values() -> None:
    keep("id", '{"a": 1, "b": [2]}')
    session = Visit("id").session
    assert (sorted(session), len(session), "a" in session, session.has_key("c")) == (
        ["a", "b"],
        2,
        True,
        False,
    )
    assert (dict(session.items()), [*session.values()]) == ({"a": 1, "b": [2]}, [1, [2]])
    assert dict(session.iteritems()) == dict(
        zip(session.iterkeys(), session.itervalues(), strict=True)
    )
    assert repr(session).endswith("{'a': 1, 'b': [2]})")
    assert (session.get("c"), session.get("c", 3), session.setdefault("c", 4)) == (None, 3, 4)
    assert (session.pop("c"), session.pop("c"), session.pop("c", 5)) == (4, None, 5)
    session.update({"d": 6})
    del session["a"]
    assert session.popitem() == ("d", 6)
    with pytest.raises(KeyError):
        del session["a"]
    session.clear()
    assert session["missing"] == {}  # as the genuine library has it


def test_a_change_deep_inside_is_written() -> None:
    keep("id", '{"cart": {"tea": [1]}}')
    visit = Visit("id")
    visit.session["cart"]["tea"].append(2)
    visit.respond()
    assert record_of("session::id") == {"cart": {"tea": [1, 2]}}


def test_one_and_true_are_two_values() -> None:
    keep("id", '{"a": 1}')
    visit = Visit("id")
    visit.session["a"] = True
    visit.respond()
    assert record_of("session::id")["a"] is True


def test_two_requests_that_overlap_lose_nothing() -> None:
    keep("id", '{"a": 1, "b": 2, "c": 3}')
    one, two = Visit("id"), Visit("id")
    one.session["a"] = 10
    del one.session["c"]
    two.session["b"] = 20
    two.session["d"] = 40
    assert one.respond()
    assert two.respond()
    assert record_of("session::id") == {"a": 10, "b": 20, "d": 40}


def test_one_that_only_reads_takes_nothing_back() -> None:
    keep("id", '{"a": 1}')
    one, two = Visit("id"), Visit("id")
    one.session["a"] = 10
    assert two.session["a"] == 1
    assert one.respond()
    assert two.respond()
    assert record_of("session::id") == {"a": 10}


def test_a_logout_is_not_undone_by_another_request() -> None:
    keep("id", '{"user": "ada"}')
    leaving, other = Visit("id"), Visit("id")
    other.session["seen"] = 1
    leaving.session.invalidate()
    [cookie] = leaving.respond()
    assert cookie.startswith(f"{NAME}=;")
    assert other.respond() == []
    assert MockCache.cached_data == {}


def test_invalidate_begins_a_new_session() -> None:
    keep("id", '{"user": "ada"}')
    visit = Visit("id")
    visit.session.invalidate()
    assert (len(visit.session), visit.session.new) == (0, True)
    visit.session["user"] = "bob"
    [cookie] = visit.respond()
    key = cookie.partition("=")[2].partition(";")[0]
    assert len(key) == 40
    assert set(MockCache.cached_data) == {f"session::{key}".encode()}
    assert record_of(f"session::{key}") == {"user": "bob"}


def test_kept_records() -> None:
    keep("id", '{"user": "ada"}')
    with pytest.warns(CompatWarning):
        configure(unsafe=["kept-records"])
    visit = Visit("id")
    visit.session.invalidate()
    [cookie] = visit.respond()
    assert cookie.startswith(f"{NAME}=id;")
    assert record_of("session::id") == {}


@pytest.mark.parametrize("cookie", ["chosen", "id::ratelimit", "\x00\n", "\ud800", "x" * 5000])
def test_a_session_that_a_client_names_is_not_begun(cookie: str) -> None:
    keep("id::ratelimit", "5")
    visit = Visit(cookie)
    visit.session["user"] = "ada"
    [sent] = visit.respond()
    key = sent.partition("=")[2].partition(";")[0]
    assert len(key) == 40
    assert set(MockCache.cached_data) == {b"session::id::ratelimit", f"session::{key}".encode()}


def test_unknown_ids() -> None:
    with pytest.warns(CompatWarning):
        configure(unsafe=["unknown-ids"])
    visit = Visit("chosen")
    visit.session["user"] = "ada"
    [sent] = visit.respond()
    assert sent.startswith(f"{NAME}=chosen;")
    assert record_of("session::chosen") == {"user": "ada"}


@pytest.mark.server
@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_many_requests_at_once_lose_nothing(kind: str, request: pytest.FixtureRequest) -> None:
    options = options_for(kind, request, 11)
    client: Any = KVS(kind, options, key_prefix="many-at-once::")
    client.raw_set("id", '{"user": "ada"}', 60)
    ready = threading.Barrier(8)

    def visit(number: int) -> None:
        request = testing.DummyRequest(cookies={NAME: "id"})
        session = CookieSession(request, client, NAME)
        session[f"name {number}"] = number
        ready.wait()
        session.save_session(request, request.response)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(visit, range(8)))
    found = client.get("id")
    del found["__created"]
    assert found == {"user": "ada"} | {f"name {number}": number for number in range(8)}
    client.delete("id")
    (client._client if kind == "redis" else client._client.store).close()


def test_a_session_that_others_write_to_without_end_is_an_error() -> None:
    class Busy(MockCache):
        def raw_swap(self, *_: Any) -> bool:
            return False

    register("mock", Busy)
    request = testing.DummyRequest(cookies={NAME: "id"})
    session = CookieSession(request, KVS("mock"), NAME)
    with pytest.raises(StoreUnavailable, match="100 times"):
        session.save_session(request, request.response)


def test_created_is_when_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.5
    monkeypatch.setattr(module, "wall", lambda: now)
    visit = Visit()
    assert (visit.session.created, visit.session.new) == (1000, True)
    [cookie] = visit.respond()
    now = 2000.0
    visit = Visit(cookie.partition("=")[2].partition(";")[0])
    assert (visit.session.created, visit.session.new) == (1000, False)
    assert [*visit.session] == []
    keep("old", '{"a": 1}')
    assert Visit("old").session.created == 2000


def test_the_old_form_has_no_time_in_it() -> None:
    configure(old_form=True)
    keep("id", '{"a": 1}')
    visit = Visit("id")
    visit.session["b"] = 2
    visit.respond()
    assert MockCache.cached_data[b"session::id"] == '{"a": 1, "b": 2}'


def test_flash_messages() -> None:
    visit = Visit()
    visit.session.flash("a")
    visit.session.flash("a")
    visit.session.flash("a", allow_duplicate=False)
    visit.session.flash("b", "errors", allow_duplicate=False)
    [cookie] = visit.respond()
    key = cookie.partition("=")[2].partition(";")[0]
    assert record_of(f"session::{key}") == {"_f_": ["a", "a"], "_f_errors": ["b"]}
    visit = Visit(key)
    assert (visit.session.peek_flash(), visit.session.pop_flash("errors")) == (["a", "a"], ["b"])
    visit.respond()
    assert record_of(f"session::{key}") == {"_f_": ["a", "a"]}
    assert Visit(key).session.pop_flash("errors") == []


def test_csrf_tokens() -> None:
    session = Visit().session
    token = session.get_csrf_token()
    assert len(token) == 40
    assert session.get_csrf_token() == token
    assert session.new_csrf_token() == session.get_csrf_token() != token


@pytest.mark.parametrize(
    "record",
    [
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.",
        b"cos\nsystem\n(S'true'\ntR.",
        b"{",
        b"\xff\xfe",
        b"[1]",
        b"7",
        b"[" * 100_000,
    ],
    ids=["pickle", "old pickle", "cut off", "no text", "a list", "a number", "deep"],
)
def test_a_record_that_cannot_be_read_is_not_there(record: bytes) -> None:
    keep("id", record)
    visit = Visit("id")
    assert (len(visit.session), visit.session.new) == (0, True)
    [cookie] = visit.respond()
    assert not cookie.startswith(f"{NAME}=id;")
    assert sum(refused.values()) == (record not in (b"[1]", b"7"))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_before_are_read(protocol: int) -> None:
    # as the genuine library pickles it
    keep("id", pickle.dumps(defaultdict(defaultdict, {"user": "ada", "n": [1, None]}), protocol))
    visit = Visit("id")
    assert dict(visit.session.items()) == {"user": "ada", "n": [1, None]}
    visit.session["more"] = 1
    visit.respond()
    assert record_of("session::id") == {"user": "ada", "n": [1, None], "more": 1}


def test_a_callback_of_the_application_may_still_change_it() -> None:
    visit = Visit()
    visit.session["a"] = 1
    [cookie] = visit.respond()
    visit.session["b"] = 2
    assert len(visit.respond()) == 2
    key = cookie.partition("=")[2].partition(";")[0]
    assert record_of(f"session::{key}") == {"a": 1, "b": 2}


def test_a_view_that_fails_changes_nothing() -> None:
    keep("id", '{"a": 1}')

    def page(request: Any) -> None:
        request.session["a"] = 2
        raise ZeroDivisionError

    app = site(page, session=MOCK)
    app.set_cookie(NAME, "id")
    with pytest.raises(ZeroDivisionError):
        app.get("/")
    assert record_of("session::id") == {"a": 1}
