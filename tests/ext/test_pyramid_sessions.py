"""Pyramid: `request.session` of ours, in views, tweens, callbacks, streams and failures."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from pyramid.config import Configurator
from pyramid.csrf import SessionCSRFStoragePolicy, get_csrf_token, new_csrf_token
from pyramid.events import NewResponse
from pyramid.httpexceptions import HTTPFound
from pyramid.interfaces import ISession
from pyramid.request import Request
from pyramid.response import FileResponse, Response
from webtest import TestApp
from zope.interface.verify import verifyObject

from holdfast import Sessions, StoreUnavailable
from holdfast.errors import SessionCommitted
from holdfast.ext.pyramid import CsrfTokens, session_factory
from holdfast.store.memory import MemoryStore
from holdfast.testing.calls import Visitor, call_wsgi, environ

View = Callable[[Any], Any]


class Site:
    """A Pyramid application of one view, its store, and what was observed."""

    def __init__(self) -> None:
        self.store = MemoryStore("site")
        self.events: list[str] = []
        self.sessions = Sessions(self.store, observer=lambda event, _: self.events.append(event))

    def app(self, view: View, setup: Callable[[Any], None] = lambda _: None) -> Any:
        config = Configurator()
        config.include("holdfast.ext.pyramid")
        config.registry.holdfast.sessions = self.sessions
        config.set_session_factory(session_factory(self.sessions))
        config.add_view(view)
        setup(config)
        return config.make_wsgi_app()

    def visitor(self, view: View, setup: Callable[[Any], None] = lambda _: None) -> Visitor:
        return Visitor(self.app(view, setup), "wsgi")

    def browser(self, view: View, setup: Callable[[Any], None] = lambda _: None) -> Any:
        app = self.app(view, setup)
        return TestApp(app, extra_environ={"wsgi.url_scheme": "https", "SERVER_PORT": "443"})

    def stored(self, visitor: Visitor) -> dict[str, Any]:
        return dict(self.sessions.load(visitor.cookies.get("__Host-sid")))


@pytest.fixture
def site() -> Site:
    return Site()


def counting(request: Any) -> Response:
    request.session.increment("visits")
    return Response(str(request.session["visits"]))


def test_a_session_lives_from_one_request_to_the_next(site: Site) -> None:
    browser = site.browser(counting)
    first = browser.get("/")
    assert first.headers["Set-Cookie"].startswith("__Host-sid=")
    assert first.headers["Cache-Control"] == "no-store"
    assert first.headers["Vary"] == "Cookie"
    second = browser.get("/")
    assert (first.text, second.text) == ("1", "2")
    assert "Set-Cookie" not in second.headers


def test_an_untouched_session_leaves_the_answer_alone(site: Site) -> None:
    answer = site.visitor(lambda _: Response("x")).get(cookie="__Host-sid=" + "a" * 43)
    assert [name for name, _ in answer.headers] == ["Content-Type", "Content-Length"]


def test_it_is_all_that_pyramid_asks_of_a_session(site: Site) -> None:
    seen: dict[str, Any] = {}

    def view(request: Any) -> Response:
        session = request.session
        verifyObject(ISession, session)
        seen["new"], seen["created"] = session.new, session.created
        session["a"] = {"b": 1}
        return Response("x")

    visitor = site.visitor(view)
    visitor.get()
    assert seen["new"] is True
    assert type(seen["created"]) is int
    visitor.get()
    assert seen["new"] is False


def test_changed_writes_what_need_not_be_said_and_an_inner_change_is_found_without(
    site: Site,
) -> None:
    def view(request: Any) -> Response:
        cart = request.session.setdefault("cart", [])
        cart.append("tea")
        if len(cart) == 2:
            request.session.changed()
        return Response("x")

    visitor = site.visitor(view)
    for _ in range(3):
        visitor.get()
    assert site.stored(visitor) == {"cart": ["tea"] * 3}


def test_invalidate_forgets_and_what_follows_is_in_a_new_session(site: Site) -> None:
    def view(request: Any) -> Response:
        if "again" in request.GET:
            request.session.invalidate()
            request.session["new"] = 1
        else:
            request.session["old"] = 1
        return Response("x")

    visitor = site.visitor(view)
    visitor.get()
    old = visitor.cookies["__Host-sid"]
    visitor.get("/?again")
    assert visitor.cookies["__Host-sid"] != old
    assert site.stored(visitor) == {"new": 1}
    assert dict(site.sessions.load(old)) == {}


def test_flash_messages_wait_in_queues_and_duplicates_only_where_allowed(site: Site) -> None:
    def leave(request: Any) -> Response:
        session = request.session
        session.flash("a")
        session.flash("a")
        session.flash("a", allow_duplicate=False)
        session.flash("b", "errors", allow_duplicate=False)
        session.flash("b", "errors", allow_duplicate=False)
        return Response(str([session.peek_flash(), session.peek_flash("errors")]))

    def pop(request: Any) -> Response:
        session = request.session
        return Response(
            str([session.pop_flash(), session.pop_flash("errors"), session.pop_flash()])
        )

    def setup(config: Any) -> None:
        config.add_view(pop, name="pop")

    visitor = site.visitor(leave, setup)
    assert visitor.get().body == b"[['a', 'a'], ['b']]"
    assert visitor.get("/pop").body == b"[['a', 'a'], ['b'], []]"
    assert visitor.get("/pop").body == b"[[], [], []]"


# Forged requests


def guarded(request: Any) -> Response:
    if "login" in request.GET:
        request.session.login("ada")
    return Response(get_csrf_token(request))


def checking(config: Any) -> None:
    config.set_default_csrf_options(require_csrf=True)
    config.add_view(lambda _: Response("done"), name="do")


@pytest.mark.parametrize("policy", ["ours", "of the session", "legacy"])
def test_a_csrf_token_is_good_until_the_login(site: Site, policy: str) -> None:
    def setup(config: Any) -> None:
        checking(config)
        if policy == "ours":
            config.set_csrf_storage_policy(CsrfTokens())
        if policy == "of the session":
            config.set_csrf_storage_policy(SessionCSRFStoragePolicy())

    browser = site.browser(guarded, setup)
    old = browser.get("/").text
    here = {"Referer": "https://localhost/", "Origin": "https://localhost"}
    assert browser.post("/do", {"csrf_token": old}, headers=here).text == "done"
    assert browser.post("/do", {"csrf_token": "x" * 86}, headers=here, status=400)
    new = browser.get("/?login").text
    assert browser.post("/do", {"csrf_token": new}, headers=here).text == "done"
    assert browser.post("/do", {"csrf_token": old}, headers=here, status=400)


def test_our_policy_masks_and_takes_the_steady_token_of_the_session_too(site: Site) -> None:
    def view(request: Any) -> Response:
        one, two = get_csrf_token(request), get_csrf_token(request)
        assert one != two
        session = request.session
        assert session.get_csrf_token() == session.get_csrf_token()
        return Response(session.get_csrf_token())

    def setup(config: Any) -> None:
        checking(config)
        config.set_csrf_storage_policy(CsrfTokens())

    browser = site.browser(view, setup)
    token = browser.get("/").text
    here = {"Origin": "https://localhost", "Referer": "https://localhost/"}
    assert browser.post("/do", {"csrf_token": token}, headers=here).text == "done"
    assert browser.get("/").text == token


def test_a_new_csrf_token_ends_those_of_before(site: Site) -> None:
    def view(request: Any) -> Response:
        session = request.session
        if "renew" not in request.GET:
            return Response(session.csrf_token())
        old = session.get_csrf_token()
        new = new_csrf_token(request)
        assert new != old
        assert session.check_csrf(new)
        assert not session.check_csrf(old)
        return Response(new)

    def check(request: Any) -> Response:
        return Response(str(request.session.check_csrf(request.GET["t"])))

    visitor = site.visitor(view, lambda config: config.add_view(check, name="check"))
    old = visitor.get().body.decode()
    new = visitor.get("/?renew").body.decode()
    assert visitor.get(f"/check?t={new}").body == b"True"
    assert visitor.get(f"/check?t={old}").body == b"False"


# When it is committed


def test_exception_views_tweens_and_callbacks_may_still_write(site: Site) -> None:
    def view(request: Any) -> Response:
        request.session["view"] = 1
        request.add_response_callback(lambda request, _: request.session.update(callback=1))
        raise LookupError

    def sorry(_error: Exception, request: Any) -> Response:
        request.session["exception view"] = 1
        return Response("sorry", status=404)

    def setup(config: Any) -> None:
        config.add_exception_view(sorry, context=LookupError)
        config.add_tween(f"{__name__}.tween_factory")

    visitor = site.visitor(view, setup)
    assert visitor.get().status == 404
    assert sorted(site.stored(visitor)) == ["callback", "exception view", "tween", "view"]


def tween_factory(handler: Callable[[Any], Any], _registry: Any) -> Callable[[Any], Any]:
    def tween(request: Any) -> Any:
        response = handler(request)
        request.session["tween"] = 1
        return response

    return tween


def test_a_redirect_carries_the_cookie(site: Site) -> None:
    def view(request: Any) -> Response:
        request.session["a"] = 1
        return HTTPFound("/there")

    visitor = site.visitor(view)
    assert visitor.get().status == 302
    assert site.stored(visitor) == {"a": 1}


def test_a_failed_request_writes_nothing_but_a_logout(site: Site) -> None:
    def view(request: Any) -> Response:
        session = request.session
        if "fail" in request.GET:
            session["b"] = 2
            session.destroy()
            raise LookupError
        if "sorry" in request.GET:
            session["b"] = 2
            return Response("sorry", status=500)
        session["a"] = 1
        return Response("x")

    visitor = site.visitor(view)
    visitor.get()
    assert visitor.get("/?sorry").status == 500
    assert site.stored(visitor) == {"a": 1}
    with pytest.raises(LookupError):
        visitor.get("/?fail")
    assert site.stored(visitor) == {}


def test_what_listeners_of_the_response_write_is_kept_for_who_holds_a_token(site: Site) -> None:
    failed: list[BaseException] = []

    def late(event: Any) -> None:
        try:
            event.request.session["late"] = event.request.GET.get("n")
        except SessionCommitted as error:
            failed.append(error)

    def view(request: Any) -> Response:
        if "touch" in request.GET:
            request.session["a"] = 1
        else:
            assert request.session.get("nothing") is None
        return Response("x")

    visitor = site.visitor(view, lambda config: config.add_subscriber(late, NewResponse))
    visitor.get()
    assert len(failed) == 1
    visitor.get("/?touch&n=1")
    visitor.get("/?touch&n=2")
    assert site.stored(visitor) == {"a": 1, "late": "2"}


def test_a_stream_writes_for_who_holds_a_token(site: Site) -> None:
    closed: list[bool] = []

    def view(request: Any) -> Response:
        session = request.session
        session["a"] = 1

        def body() -> Iterator[bytes]:
            try:
                yield b"one"
                session["late"] = request.GET.get("n")
                yield b"two"
            finally:
                closed.append(True)

        return Response(app_iter=body(), content_length=6)

    visitor = site.visitor(view)
    first = visitor.get("/?n=1")
    assert (first.body, first.all("content-length")) == (b"onetwo", ["6"])
    assert visitor.get("/?n=2").body == b"onetwo"
    assert site.stored(visitor) == {"a": 1, "late": "2"}
    assert closed == [True, True]


def test_a_file_stays_the_servers_own(site: Site) -> None:
    wrapped: list[Any] = []

    class Wrapper:
        def __init__(self, file: Any, size: int = 4096) -> None:
            wrapped.append(self)
            self._read = lambda: file.read(size)
            self.close = file.close

        def __iter__(self) -> Iterator[bytes]:
            return iter(self._read, b"")

    def view(request: Any) -> Response:
        request.session["a"] = 1
        return FileResponse(__file__, request=request)

    app = site.app(view)
    request = Request.blank("/", environ={"wsgi.file_wrapper": Wrapper})
    _, headers, body = request.call_application(app)
    try:
        assert body is wrapped[0]
        assert any(name == "Set-Cookie" for name, _ in headers)
    finally:
        body.close()


def test_a_subrequest_has_a_session_of_its_own_cookies(site: Site) -> None:
    def view(request: Any) -> Response:
        if request.path == "/inner":
            return counting(request)
        inner = Request.blank("/inner")
        if "same" in request.GET:
            inner.headers["Cookie"] = request.headers["Cookie"]
        return Response(
            f"{request.session.setdefault('outer', 1)} " + request.invoke_subrequest(inner).text
        )

    def setup(config: Any) -> None:
        config.add_view(view, name="inner")

    visitor = site.visitor(view, setup)
    assert visitor.get().body == b"1 1"
    assert visitor.get("/?same").body == b"1 1"
    assert visitor.get("/?same").body == b"1 2"
    assert site.stored(visitor) == {"outer": 1, "visits": 2}


@pytest.mark.parametrize("is_answered", [True, False])
def test_an_attempt_that_pyramid_retry_repeats_does_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, is_answered: bool
) -> None:
    module = ModuleType("pyramid_retry")
    last = {"retry.attempt": 1, "retry.attempts": 2}

    def is_error_retryable(request: Any, error: BaseException) -> bool:
        return isinstance(error, LookupError) and request.environ["retry.attempt"] < 1

    vars(module)["is_error_retryable"] = is_error_retryable
    monkeypatch.setitem(sys.modules, "pyramid_retry", module)

    def view(request: Any) -> Response:
        request.session["cart"] = ["tea"]
        if "login" in request.GET:
            request.session.login("ada")
            raise LookupError
        return Response("x")

    def setup(config: Any) -> None:
        if is_answered:
            config.add_exception_view(lambda _e, _r: Response("again"), context=LookupError)

    app = site.app(view, setup)
    visitor = Visitor(app, "wsgi")
    visitor.get()
    cookie = [("Cookie", f"__Host-sid={visitor.cookies['__Host-sid']}")]

    def attempt(**retry: int) -> None:
        fields = environ("/?login", headers=cookie) | retry
        with contextlib.nullcontext() if is_answered else pytest.raises(LookupError):
            call_wsgi(app, fields)

    attempt(**(last | {"retry.attempt": 0}))
    assert site.stored(visitor) == {"cart": ["tea"]}
    assert site.sessions.of("ada") == []
    attempt(**last)
    assert site.stored(visitor) == {}
    assert len(site.sessions.of("ada")) == 1


def test_a_typed_session_signs_in_and_flashes(site: Site) -> None:
    @dataclass
    class Shop:
        visits: int = 0

    site.sessions = Sessions(site.store, schema=Shop)

    def view(request: Any) -> Response:
        session = request.session
        session.data.visits += 1
        session.login("ada")
        session.flash("hello")
        return Response(f"{session.data.visits} {session.pop_flash()}")

    visitor = site.visitor(view)
    assert visitor.get().body == b"1 ['hello']"
    assert visitor.get().body == b"2 ['hello']"


# When the store is down


def test_a_view_that_needs_the_store_is_answered_503(site: Site, monkeypatch: Any) -> None:
    visitor = site.visitor(counting)
    visitor.get()

    def down(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("site")

    monkeypatch.setattr(site.store, "get", down)
    answer = visitor.get()
    assert answer.status == 503
    assert answer.all("retry-after") == ["5"]
    assert answer.all("set-cookie") == []
    assert "session.store_down" in site.events


def test_a_commit_that_fails_is_answered_503_and_the_view_s_body_is_let_go_of(
    site: Site, monkeypatch: Any
) -> None:
    closed: list[bool] = []

    class Lines:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"never sent"])

        def close(self) -> None:
            closed.append(True)

    def view(request: Any) -> Response:
        request.session["a"] = 1
        return Response(app_iter=Lines()) if "lines" in request.GET else HTTPFound("/there")

    def down(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("site")

    visitor = site.visitor(view)
    for name in ("put", "swap"):
        monkeypatch.setattr(site.store, name, down)
    for path in ("/?lines", "/"):
        answer = visitor.get(path)
        assert answer.status == 503
        assert b"cannot be reached" in answer.body
        assert answer.all("set-cookie") == answer.all("location") == []
    assert closed == [True]
    assert "session.store_down" in site.events


def test_the_client_is_told_who_keeps_it(site: Site) -> None:
    site.sessions = Sessions(site.store, keep_client=["address"])

    def view(request: Any) -> Response:
        request.session.login("ada")
        return Response("x")

    site.visitor(view).get()
    assert [info.address for info in site.sessions.of("ada")] == ["203.0.113.0/24"]
