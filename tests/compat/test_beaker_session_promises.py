"""Promises of Beaker's document and changelog about sessions, each named by its version."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from compat.beaker_walk import Browser, application
from compat.seeds import genuine, ours
from holdfast.compat.beaker import session as module
from holdfast.compat.beaker.container import FileNamespaceManager, MemoryNamespaceManager
from holdfast.compat.beaker.middleware import SessionMiddleware
from holdfast.compat.beaker.session import (
    CookieSession,
    InvalidSignature,
    Session,
    SessionObject,
    SignedCookie,
)

_NAME = "beaker.session.id"


def _of(session: Session) -> dict[str, Any]:
    """Return a request that brings the id of a session."""
    return {"cookie": f"{_NAME}={session.id}"}


def _saved(**options: Any) -> Session:
    session = Session({}, **options)
    session["n"] = 1
    session.save()
    return session


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Give the clock."""

    def set_clock(now: float) -> None:
        monkeypatch.setattr("time.time", lambda: now)

    set_clock(1000.0)
    return set_clock


_NAMES = """
import inspect, json
from beaker import session, middleware
from beaker.session import Session, CookieSession, SessionObject, SignedCookie
from beaker.middleware import SessionMiddleware
def parameters(thing):
    return [[p.name, str(p.kind), repr(p.default)]
            for p in inspect.signature(thing).parameters.values()]
public = {}
for made in (Session({}), CookieSession({}, validate_key="v"), SessionObject({}),
             SignedCookie("s"), SessionMiddleware(None)):
    public[type(made).__name__] = sorted(
        name for name in {*dir(type(made)), *vars(made)} - {*dir(dict)} if name[:1] != "_")
own = ["_create_id", "_decrypt_data", "_encrypt_data", "_set_cookie_expires", "_delete_cookie",
       "_set_cookie_values", "_set_serializer", "_update_cookie_out", "_set_cookie_http_only"]
print(json.dumps([
    public,
    {name: parameters(getattr(session, name).__init__)
     for name in ("Session", "CookieSession", "SessionObject", "SignedCookie")},
    {name: parameters(getattr(Session, name)) for name in
     ("save", "load", "delete", "invalidate", "revert", "regenerate_id", "lock", "unlock",
      "has_key", "serialize_cookie_date", *own) if hasattr(Session, name)},
    parameters(SessionMiddleware.__init__),
    parameters(middleware.session_filter_factory),
    parameters(middleware.session_filter_app_factory),
    SessionMiddleware(None).options,
    session.months, session.weekdays, len(session._session_id()),
    bool(session.InvalidSignature), sorted({*dir(session)} & {"Session", "CookieSession",
    "SessionObject", "SignedCookie", "InvalidSignature", "_ConfigurableSession"}),
]))
"""


def test_all_names_and_signatures_are_there() -> None:
    expected, seen = json.loads(genuine(_NAMES)), json.loads(ours("beaker", _NAMES))
    for kind, names in expected[0].items():
        assert not set(names) - set(seen[0][kind]), kind
    assert seen[1:] == expected[1:]


def test_1_10_samesite_is_lax_unless_it_is_chosen() -> None:
    for samesite, said in {"Lax": "Lax", "Strict": "Strict", None: None}.items():
        options = {} if samesite == "Lax" else {"samesite": samesite}
        cookie = _saved(**options).request["cookie_out"]
        assert ("SameSite" not in cookie) if said is None else (f"SameSite={said}" in cookie)


def test_1_9_cookie_options_are_not_lost_when_the_id_changes() -> None:
    options: dict[str, Any] = {"secure": True, "httponly": True, "cookie_domain": "example.org"}
    session = Session(_of(_saved(**options)), **options)
    session.regenerate_id()
    assert session.request["set_cookie"]
    for said in ("Secure", "HttpOnly", "Domain=example.org", "Path=/", f"={session.id};"):
        assert said in session.request["cookie_out"]


def test_1_8_1_nothing_is_written_by_reading_without_save_accessed_time(
    at: Callable[[float], None],
) -> None:
    kept = _saved(save_accessed_time=False)
    at(2000)
    reads = Session(_of(kept), save_accessed_time=False)
    reads.save(accessed_only=True)
    assert reads["_accessed_time"] == 2000
    assert Session(_of(kept), save_accessed_time=False).last_accessed == 1000
    at(3000)
    reads.save()
    assert Session(_of(kept), save_accessed_time=False).last_accessed == 2000, "as it was loaded"


def test_1_8_1_a_timeout_needs_the_time_of_access() -> None:
    with pytest.raises(Exception, match="save_accessed_time"):
        SessionMiddleware(application, {"session.timeout": 3, "session.save_accessed_time": False})


def test_1_8_1_a_cookie_can_go_back_to_the_browsers_end() -> None:
    session = Session({}, cookie_expires=timedelta(days=1))
    assert "expires=" in session.request["cookie_out"]
    session._set_cookie_expires(expires=True)
    session._update_cookie_out()
    assert "expires=" not in session.request["cookie_out"]


def test_1_8_1_session_class_is_used() -> None:
    class Own(Session):
        def load(self) -> None:
            super().load()
            self["loaded by"] = "me"

    browser = Browser(SessionMiddleware(application, {"session.type": "memory"}, session_class=Own))
    browser.get("/count")
    assert "'loaded by': 'me'" in browser.get("/read")


def test_1_8_1_session_class_must_be_one() -> None:
    with pytest.raises(AssertionError, match="Not a Session"):
        SessionObject({}, session_class=dict)["n"]


@pytest.mark.parametrize("kind", ["memory", "cookie"])
def test_a_subclass_that_seals_its_data_itself_is_asked(kind: str) -> None:
    class Sealing(CookieSession if kind == "cookie" else Session):  # type: ignore[misc]
        def _encrypt_data(self, session_data: Any = None) -> str:
            return "sealed." + str(super()._encrypt_data(session_data))

        def _decrypt_data(self, session_data: str) -> Any:
            return super()._decrypt_data(session_data.removeprefix("sealed."))

    app = SessionMiddleware(application, session_class=Sealing, validate_key="v")
    browser = Browser(app)
    browser.get("/count")
    assert browser.get("/read").startswith("1 ")
    if kind == "cookie":
        assert browser.cookies[_NAME][40:].startswith("sealed.")
    else:
        assert MemoryNamespaceManager(browser.cookies[_NAME])["session"].startswith("sealed.")


def test_a_subclass_that_makes_its_own_ids_is_asked() -> None:
    class Numbered(Session):
        numbers = iter(range(9))

        def _create_id(self, set_new: bool = True) -> None:  # noqa: FBT002 - as the original
            super()._create_id(set_new)
            self.id = f"own-id-{next(self.numbers)}"
            self._update_cookie_out(set_cookie=not set_new)

    session = Numbered({})
    session["n"] = 1
    session.save()
    assert f"{_NAME}=own-id-0;" in session.request["cookie_out"]
    assert Numbered(_of(session))["n"] == 1
    unknown = Numbered({"cookie": f"{_NAME}=own-id-77"})
    assert unknown.id == "own-id-1"


def test_namespace_class_is_used(tmp_path: Path) -> None:
    made: list[tuple[str, dict[str, Any]]] = []

    class Own(MemoryNamespaceManager):
        def __init__(self, namespace: str, **kwargs: Any) -> None:
            made.append((namespace, kwargs))
            super().__init__(namespace)

    session = Session({}, namespace_class=Own, timeout=300, data_dir=str(tmp_path), url="x")
    session.save()
    expected = {"data_dir": str(tmp_path), "digest_filenames": False, "timeout": 420, "url": "x"}
    assert made == [(session.id, expected)]
    assert session.namespace_args == {"timeout": 420, "url": "x"}


@pytest.mark.parametrize("bits", [48, 128, 256])
def test_1_8_encrypt_nonce_bits_is_the_length_of_the_nonce(bits: int) -> None:
    options: dict[str, Any] = {"encrypt_key": "e", "validate_key": "v", "encrypt_nonce_bits": bits}
    session = _saved(**options)
    nonces = {session._encrypt_data()[: (bits // 8 + 2) // 3 * 4] for _ in range(9)}
    assert len(nonces) == 9
    assert Session(_of(session), **options)["n"] == 1


def test_1_8_an_invalid_cookie_beside_is_skipped() -> None:
    session = _saved()
    carried = {"cookie": f"in[va]lid=1; {_NAME}={session.id}; also;not=1"}
    assert Session(carried)["n"] == 1


def test_1_6_4_cookie_path_is_said() -> None:
    assert "Path=/app;" in Session({}, cookie_path="/app").request["cookie_out"]


def test_1_6_3_a_cookie_is_deleted_on_leap_days_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class LeapDay(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "LeapDay":
            return cls(2028, 2, 29, 12, tzinfo=tz)

    monkeypatch.setattr("holdfast.compat.beaker.session_header.datetime", LeapDay)
    session = _saved()
    session.delete()
    assert "expires=Mon, 01-Mar-2027 12:00:00 GMT" in session.request["cookie_out"]


def test_1_6_cookie_expires_takes_seconds() -> None:
    browser = Browser(SessionMiddleware(application, {"session.cookie_expires": "300"}))
    browser.get("/count")
    said = browser.sent[0].partition("expires=")[2].partition(";")[0]
    ends = datetime.strptime(f"{said}+0000", "%a, %d-%b-%Y %H:%M:%S GMT%z")
    assert timedelta(seconds=280) < ends - datetime.now(UTC) <= timedelta(seconds=300)
    assert "expires=" in Session({}, cookie_expires=300).request["cookie_out"]


def test_1_6_the_path_of_a_session_is_kept_with_it() -> None:
    session = _saved()
    session.path = "/shop"
    session.save()
    again = Session(_of(session))
    assert again.path == "/shop"
    again.regenerate_id()
    assert "Path=/shop;" in again.request["cookie_out"]
    again.clear()
    assert again.path == "/", "that of the configuration"


def test_1_6_4_invalidating_a_cookie_session_clears_its_data() -> None:
    session = CookieSession({}, validate_key="v")
    session["n"] = 1
    old = session.id
    session.invalidate()
    assert "n" not in session
    assert session.id != old


def test_1_6_webtest_finds_the_session() -> None:
    app = SessionMiddleware(application, {"session.webtest_varname": "session"})
    variables: dict[str, Any] = {}
    Browser(app).get("/count", **{"paste.testing_variables": variables})
    assert variables["session"]["n"] == 1


def test_1_6_1_app_and_wrap_app_are_the_application() -> None:
    app = SessionMiddleware(application)
    assert app.app is app.wrap_app is application


def test_1_4_domain_and_path_are_set_on_the_fly() -> None:
    browser = Browser(SessionMiddleware(application, {"session.type": "memory"}))
    browser.get("/count")
    browser.get("/elsewhere")
    assert "Domain=example.org; Path=/shop;" in browser.sent[0]


def test_1_4_a_session_that_was_only_read_makes_no_file(tmp_path: Path) -> None:
    browser = Browser(SessionMiddleware(application, {"session.data_dir": str(tmp_path)}))
    browser.get("/read")
    assert browser.sent == []
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".cache"]


def test_1_3_last_accessed_is_the_time_before(at: Callable[[float], None]) -> None:
    session = _saved()
    assert session.last_accessed is None
    at(2000)
    second = Session(_of(session))
    assert (second.last_accessed, second["_accessed_time"], second.created) == (1000, 2000, 1000)
    second.save(accessed_only=True)
    at(3000)
    assert Session(_of(session)).last_accessed == 2000


@pytest.mark.parametrize("after", [299, 300, 301])
def test_1_3_the_timeout_counts_from_the_last_access(
    at: Callable[[float], None], after: float
) -> None:
    session = _saved(timeout=300)
    at(1200)
    Session(_of(session), timeout=300).save(accessed_only=True)
    at(1200 + after)
    late = Session(_of(session), timeout=300)
    assert late.was_invalidated is late.is_new is (after > 300)
    assert ("n" in late) is (after <= 300)
    if after > 300:
        assert late.id != session.id
        assert late.created == 1200 + after


def test_the_timeout_of_a_cookie_session_counts_too(at: Callable[[float], None]) -> None:
    session = CookieSession({}, validate_key="v", timeout=300)
    session["n"] = 1
    session.save()
    carried = {"cookie": session.request["cookie_out"].strip().partition(";")[0]}
    at(1300)
    assert CookieSession(dict(carried), validate_key="v", timeout=300)["n"] == 1
    at(1301)
    late = CookieSession(dict(carried), validate_key="v", timeout=300)
    assert "n" not in late
    assert late.created == 1301


def test_1_3_a_cookie_session_that_was_not_saved_sends_nothing() -> None:
    options = {"session.type": "cookie", "session.validate_key": "v"}
    browser = Browser(SessionMiddleware(application, options))
    browser.get("/unsaved")
    assert browser.sent == []


def test_1_2_all_of_a_session_lies_under_one_key() -> None:
    assert list(MemoryNamespaceManager(_saved().id).keys()) == ["session"]


def test_1_2_revert_brings_back_what_the_request_began_with() -> None:
    session = Session(_of(_saved()))
    session["n"] = 2
    session["more"] = 1
    session.revert()
    assert session["n"] == 1
    assert "more" not in session


def test_1_2_a_session_is_stored_once_however_often_it_is_saved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored: list[int] = []
    save = Session.save

    def counted(self: Session, accessed_only: bool = False) -> None:  # noqa: FBT002 - as the original
        stored.append(1)
        save(self, accessed_only)

    monkeypatch.setattr(Session, "save", counted)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        for number in range(5):
            environ["beaker.session"]["n"] = number
            environ["beaker.session"].save()
        assert stored == []
        start_response("200 OK", [])
        return []

    Browser(SessionMiddleware(app)).get("/")
    assert stored == [1]


def test_1_0_2_a_session_that_was_never_saved_can_be_invalidated() -> None:
    session = Session({})
    old = session.id
    session.invalidate()
    assert session.id != old
    assert session.is_new


def test_1_0_1_a_cookie_session_has_its_id_in_its_values() -> None:
    session = CookieSession({}, validate_key="v")
    session.save()
    carried = {"cookie": session.request["cookie_out"].strip().partition(";")[0]}
    again = CookieSession(carried, validate_key="v")
    assert again["_id"] == again.id == session.id


def test_0_7_5_get_by_id_finds_a_session_and_makes_none(tmp_path: Path) -> None:
    kept = _saved(data_dir=str(tmp_path))
    found = SessionObject({}, data_dir=str(tmp_path))
    assert found.get_by_id(kept.id)["n"] == 1
    assert found.get_by_id("nobody") is None
    assert len([path for path in tmp_path.rglob("*") if path.suffix == ".cache"]) == 1
    assert not found.accessed()


def test_0_7_5_get_by_id_knows_the_timeout(at: Callable[[float], None]) -> None:
    kept = _saved(timeout=300)
    at(1301)
    assert SessionObject({}, timeout=300).get_by_id(kept.id) is None


def test_get_by_id_works_where_cookies_are_off() -> None:
    kept = _saved()
    assert SessionObject({}, use_cookies=False).get_by_id(kept.id)["n"] == 1


def test_without_cookies_none_is_read_or_sent() -> None:
    kept = _saved()
    browser = Browser(SessionMiddleware(application, {"session.type": "memory"}, use_cookies=False))
    browser.cookies[_NAME] = kept.id
    assert browser.get("/count").endswith("'n': 1}")
    assert browser.sent == []


def _lock_tried(session: Session, folder: Path) -> bool:
    """Return whether another thread could write the session now."""
    found: list[bool] = []

    def work() -> None:
        space = FileNamespaceManager(session.id, data_dir=str(folder), digest_filenames=False)
        found.append(bool(space.acquire_write_lock(wait=False)))
        if found[0]:
            space.release_write_lock()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return found[0]


def test_lock_keeps_others_out_until_unlock(tmp_path: Path) -> None:
    session = Session({}, data_dir=str(tmp_path))
    session.lock()
    try:
        assert not _lock_tried(session, tmp_path)
        session["n"] = 1
        session.save()
        assert not _lock_tried(session, tmp_path)
    finally:
        session.unlock()
    assert _lock_tried(session, tmp_path)
    assert Session(_of(session), data_dir=str(tmp_path))["n"] == 1


@pytest.mark.parametrize("end", ["delete", "invalidate", "regenerate_id"])
def test_a_locked_session_can_end(tmp_path: Path, end: str) -> None:
    session = Session(_of(_saved(data_dir=str(tmp_path))), data_dir=str(tmp_path))
    old = session.id
    session.lock()
    try:
        session["n"] = 2
        session.save()
        getattr(session, end)()
        session.save()
    finally:
        session.unlock()
    assert SessionObject({}, data_dir=str(tmp_path)).get_by_id(old) is None
    assert (session.get("n") == 2) is (end == "regenerate_id")
    again = Session(_of(session), data_dir=str(tmp_path))
    assert again.is_new is (end == "delete")


def test_has_key_and_the_rest_of_a_dict_pass_through() -> None:
    session = SessionObject({})
    session["n"] = 1
    assert session.has_key("n")
    assert "n" in session
    assert "n" in set(session)
    assert session.get("n") == 1
    assert "'n': 1" in repr(session)
    session.path = "/x"
    assert session["_path"] == "/x"
    del session["n"]
    assert not session.has_key("n")
    session.own = 1
    del session.own
    assert not hasattr(session, "own")


def test_persist_keeps_it_now() -> None:
    session = SessionObject({})
    assert not session.dirty()
    session["n"] = 1
    session.save()
    assert session.dirty()
    assert SessionObject({}).get_by_id(session.id) is None
    session.persist()
    assert SessionObject({}).get_by_id(session.id)["n"] == 1


def test_auto_saves_whatever_was_touched() -> None:
    browser = Browser(SessionMiddleware(application, {"session.auto": "true"}))
    browser.get("/unsaved")
    assert browser.get("/read").startswith("99 ")


def test_a_date_of_a_cookie_is_english() -> None:
    assert Session.serialize_cookie_date(datetime(2027, 3, 1, 4, 5, 6)) == (  # noqa: DTZ001 - its zone is not looked at
        "Mon, 01-Mar-2027 04:05:06 GMT"
    )
    assert len(module.weekdays) == 7
    assert len(module.months) == 13


def test_signed_cookies_know_their_signature() -> None:
    cookie = SignedCookie("secret")
    cookie["n"] = "value"
    text = cookie["n"].coded_value
    assert len(text) == 45
    assert SignedCookie("secret", f"n={text}")["n"].value == "value"
    assert SignedCookie("other", f"n={text}")["n"].value is InvalidSignature
    assert SignedCookie("secret", "n=short")["n"].value is InvalidSignature
    assert SignedCookie("secret", 'n=""')["n"].value is None
    assert not InvalidSignature


def test_a_cookie_session_can_forget_when_it_ends() -> None:
    session = CookieSession({}, validate_key="v")
    session["_expires"] = datetime(2000, 1, 1)  # noqa: DTZ001 - as Beaker 1.0.3 wrote it
    session.expire()
    session.expire()
    assert "_expires" not in session


def test_a_cookie_session_can_change_its_id() -> None:
    session = CookieSession({}, validate_key="v")
    old = session.id
    session.regenerate_id()
    assert session.id != old
    session.save()


def test_all_cookies_that_came_can_be_seen_beside_ours() -> None:
    kept = _saved()
    session = Session({"cookie": f"a=1; {_NAME}={kept.id}; b=2"})
    assert {name: morsel.value for name, morsel in session.cookie.items()} == {
        "a": "1",
        "b": "2",
        _NAME: kept.id,
    }
    session.regenerate_id()
    assert session.cookie[_NAME].value == session.id
    session.cookie[_NAME]["max-age"] = 5
    session.path = "/x"
    assert "Max-Age=5" in session.request["cookie_out"]
    session.cookie = SignedCookie("secret")
    session.path = "/y"
    assert session.cookie.keys() == {_NAME}


def test_the_middleware_hands_out_sessions_without_cookies() -> None:
    environ: dict[str, Any] = {}
    app = SessionMiddleware(
        lambda environ, _: [environ["beaker.get_session"]().id], environ_key="s"
    )
    app(environ, lambda *_: None)
    assert isinstance(environ["s"], SessionObject)
    assert "beaker.session" not in environ
    made = environ["beaker.get_session"]()
    assert made.is_new
    assert not made.use_cookies


def test_pastes_registry_knows_the_session() -> None:
    registered: list[Any] = []

    class Registry:
        reglist = (1,)

        def register(self, name: Any, session: Any) -> None:
            registered.append((name, session))

    environ: dict[str, Any] = {"paste.registry": Registry(), "PATH_INFO": "/count"}
    app = SessionMiddleware(application)
    app(environ, lambda *_: None)
    assert registered == [(app.session, environ["beaker.session"])]


def test_pastes_factories_wrap_an_application() -> None:
    from holdfast.compat.beaker.middleware import (  # noqa: PLC0415 - only here
        session_filter_app_factory,
        session_filter_factory,
    )

    conf = {"here": "/", "session.key": "of the site"}
    for made in (
        session_filter_factory(conf, **{"session.timeout": "30"})(application),
        session_filter_app_factory(application, conf, **{"session.timeout": "30"}),
    ):
        assert made.app is application
        assert made.options["key"] == "of the site"
        assert made.options["timeout"] == 30


def test_0_9_old_spellings_of_options_are_warned_of() -> None:
    with pytest.warns(DeprecationWarning, match=r"session\. instead of session_"):
        app = SessionMiddleware(application, {"session_key": "sid"})
    assert app.options["key"] == "sid"
