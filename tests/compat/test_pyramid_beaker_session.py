"""pyramid_beaker here: what Pyramid asks of a session, the settings, the document's own code."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pyramid.config import Configurator
from pyramid.csrf import get_csrf_token
from pyramid.i18n import TranslationString
from pyramid.interfaces import ISession
from pyramid.request import Request
from pyramid.response import Response
from webtest import TestApp
from zope.interface.verify import verifyObject

from compat.seeds import ours
from holdfast.compat import configure
from holdfast.compat.beaker import cache, container
from holdfast.compat.beaker.exceptions import BeakerException
from holdfast.compat.pyramid_beaker import (
    BeakerSessionFactoryConfig,
    call_save,
    includeme,
    session_factory_from_settings,
    set_cache_regions_from_settings,
)
from holdfast.errors import CodecError
from servers.process import Server, free_port


@pytest.fixture(autouse=True)
def _as_they_were() -> Iterator[None]:
    before = dict(cache.cache_regions)
    yield
    cache.cache_regions.clear()
    cache.cache_regions.update(before)
    container.MemoryNamespaceManager.namespaces.dict.clear()


def session_of(request: Any = None, **options: Any) -> Any:
    return BeakerSessionFactoryConfig(**options)(request or Request.blank("/"))


def browser(view: Any, **settings: Any) -> Any:
    spelt = {key.replace("__", "."): value for key, value in settings.items()}
    with Configurator(settings=spelt) as config:
        config.include(includeme)
        config.add_view(view)
        return TestApp(config.make_wsgi_app())


# What a session is


def test_it_is_all_that_pyramid_asks_of_a_session() -> None:
    session = session_of()
    assert verifyObject(ISession, session)
    assert session.new is True
    session["a"] = 1
    assert (session["a"], session.get("a"), dict(session.items())["a"]) == (1, 1, 1)
    assert "a" in list(session.keys())
    assert 1 in list(session.values())


@pytest.mark.parametrize(
    "change",
    [
        lambda session: session.update({"b": 2}),
        lambda session: session.update({}, b=2),
        lambda session: session.setdefault("b"),
        lambda session: session.pop("b"),
        lambda session: session.popitem(),
        lambda session: session.clear(),
        lambda session: session.__setitem__("b", 2),
        lambda session: session.__delitem__("a"),
        lambda session: session.changed(),
        lambda session: session.save(),
        lambda session: session.flash("b"),
        lambda session: session.pop_flash(),
        lambda session: session.new_csrf_token(),
        lambda session: session.get_csrf_token(),
        lambda session: session.delete(),
    ],
)
def test_whoever_changes_it_need_not_say_so(change: Any) -> None:
    session = session_of()
    session._session()["a"] = 1
    assert not session.dirty()
    change(session)
    assert session.dirty()


@pytest.mark.parametrize(
    "read", [lambda s: s.get("a"), lambda s: "a" in s, lambda s: s.peek_flash(), lambda s: s.new]
)
def test_who_only_reads_changes_nothing(read: Any) -> None:
    session = session_of()
    read(session)
    assert session.accessed()
    assert not session.dirty()


def test_call_save_saves_after_the_method_and_keeps_its_words() -> None:
    said: list[str] = []

    class Thing:
        def save(self) -> None:
            said.append("saved")

        @call_save
        def do(self, what: str, *, times: int = 1) -> str:
            """Do it."""
            said.append(what)
            return what * times

    assert Thing().do("a", times=2) == "aa"
    assert said == ["a", "saved"]
    assert Thing.do.__doc__ == "Do it."


def test_a_constant_token_is_for_tests() -> None:
    assert session_of(constant_csrf_token="T").get_csrf_token() == "T"
    token = session_of().get_csrf_token()
    assert len(token) == 40
    assert session_of().get_csrf_token() != token


def test_pyramid_checks_its_token() -> None:
    def view(request: Any) -> Response:
        return Response(get_csrf_token(request))

    with Configurator(settings={"session.type": "memory"}) as config:
        config.include(includeme)
        config.set_default_csrf_options(require_csrf=True)
        config.add_view(view)
        site = TestApp(config.make_wsgi_app())
    token = site.get("/").text
    assert site.post("/", {"csrf_token": token}).text == token
    assert site.post("/", {"csrf_token": "x"}, status=400)


def test_a_cookie_session_knows_whether_it_is_new() -> None:
    def view(request: Any) -> Response:
        new = request.session.new
        request.session["a"] = 1
        return Response(str(new))

    site = browser(view, session__type="cookie", session__validate_key="v" * 20)
    assert [site.get("/").text for _ in range(2)] == ["True", "False"]


def test_a_session_that_makes_no_cookies_sends_none() -> None:
    def view(request: Any) -> Response:
        request.session["a"] = 1
        return Response("x")

    with Configurator() as config:
        config.set_session_factory(BeakerSessionFactoryConfig(use_cookies=False))
        config.add_view(view)
        site = TestApp(config.make_wsgi_app())
    assert "Set-Cookie" not in site.get("/").headers


# What is safer here


def test_an_id_a_client_made_up_opens_nothing() -> None:
    def view(request: Any) -> Response:
        request.session["a"] = 1
        return Response(request.session.id)

    site = browser(view, session__type="memory")
    site.set_cookie("beaker.session.id", "m" * 32)
    answer = site.get("/")
    assert answer.text != "m" * 32
    assert answer.text in answer.headers["Set-Cookie"]


def test_what_was_invalidated_is_gone_from_the_store() -> None:
    def view(request: Any) -> Response:
        session = request.session
        if "leave" in request.GET:
            session.invalidate()
        elif "write" in request.GET:
            session["a"] = 1
        return Response(str(session.get("a")))

    site = browser(view, session__type="memory")
    site.get("/?write")
    old = site.cookies["beaker.session.id"]
    site.get("/?leave")
    site.set_cookie("beaker.session.id", old)
    assert site.get("/").text == "None"


def test_two_requests_at_once_lose_nothing() -> None:
    def view(request: Any) -> Response:
        session = request.session
        assert session.get("seen") is None
        if "inner" in request.GET:
            inner = Request.blank("/?write", headers={"Cookie": request.headers["Cookie"]})
            request.invoke_subrequest(inner)
            session["outer"] = 1
        if "write" in request.GET:
            session["inner"] = 1
        return Response(json.dumps(sorted(k for k in session.keys() if k[0] != "_")))  # noqa: SIM118

    site = browser(view, session__type="memory")
    site.get("/?write")
    site.get("/?inner")
    assert json.loads(site.get("/").text) == ["inner", "outer"]


# Settings


def test_settings_of_both_prefixes_are_read() -> None:
    factory: Any = session_factory_from_settings(
        {
            "session.type": "file",
            "session.cookie_on_exception": "no",
            "beaker.session.timeout": "60",
            "session.constant_csrf_token": "T",
            "cache.type": "memory",
            "mysession.key": "no",
        }
    )
    assert factory._options == {"type": "file", "timeout": 60}
    assert factory._cookie_on_exception is False
    assert factory._constant_csrf_token == "T"
    assert session_factory_from_settings({})._cookie_on_exception is True


def test_a_setting_that_cannot_be_meant_is_told_at_the_start() -> None:
    with pytest.raises(Exception, match="Session timeout must be an integer"):
        session_factory_from_settings({"session.timeout": "soon"})


def test_regions_inherit_or_have_the_defaults() -> None:
    set_cache_regions_from_settings(
        {
            "cache.regions": "plain, own",
            "cache.own.expire": "5",
            "cache.own.type": "file",
            "cache.own.data_dir": "/own",
            "cache.own.enabled": "false",
            "cache.own.key_length": "99",
        }
    )
    default = {
        "data_dir": None, "enabled": True, "expire": 60, "key_length": 250, "lock_dir": None,
        "type": "memory", "url": None,
    }  # fmt: skip
    own = {"expire": 5, "type": "file", "data_dir": "/own", "enabled": False, "key_length": 99}
    assert cache.cache_regions["plain"] == default
    assert cache.cache_regions["own"] == default | own


@pytest.mark.parametrize("prefix", ["cache.", "beaker.cache."])
def test_all_inherited_options_are_inherited(prefix: str) -> None:
    common: dict[str, Any] = {
        "data_dir": "/d", "enabled": "false", "expire": " 7 ", "key_length": "9", "lock_dir": "/l",
        "type": "dbm", "url": "u",
    }  # fmt: skip
    settings = {f"{prefix}{key}": value for key, value in common.items()}
    set_cache_regions_from_settings({f"{prefix}regions": "a", **settings})
    assert cache.cache_regions["a"] == common | {"enabled": False, "expire": 7, "key_length": 9}


def test_a_region_whose_name_ends_in_cache_keeps_its_options() -> None:
    set_cache_regions_from_settings({"cache.regions": "mycache", "cache.mycache.expire": 9})
    assert cache.cache_regions["mycache"]["expire"] == 9


def test_without_regions_there_are_none() -> None:
    for settings in ({}, {"cache.type": "memory"}, {"cache.regions": ""}):
        before = dict(cache.cache_regions)
        set_cache_regions_from_settings(settings)
        assert cache.cache_regions == before


def test_a_corrupt_cookie_raises_unless_it_is_to_be_dropped() -> None:
    def view(request: Any) -> Response:
        return Response(str(request.session.get("a")))

    settings = {"session__type": "cookie", "session__validate_key": "v" * 20}
    site = browser(view, **settings)
    site.set_cookie("beaker.session.id", "x" * 60)
    with pytest.raises(BeakerException, match="Invalid signature"):
        site.get("/")
    site = browser(view, **settings, session__invalidate_corrupt="true")
    site.set_cookie("beaker.session.id", "x" * 60)
    with pytest.warns(match="Invalidating corrupt session"):
        assert site.get("/").text == "None"


def translated(request: Any) -> Response:
    session = request.session
    if "flash" in request.GET:
        session.flash(TranslationString("saved", default="Saved ${n}", mapping={"n": 3}))
    said = [f"{type(message).__name__} {message.interpolate()}" for message in session.peek_flash()]
    return Response(" ".join(said))


def test_messages_that_are_objects_need_their_class_on_the_list() -> None:
    settings = {"session__type": "cookie", "session__validate_key": "v" * 20}
    site = browser(translated, **settings)
    with pytest.raises(CodecError, match=r"_f_.*allow=\['translationstring.TranslationString'\]"):
        site.get("/?flash")
    configure(allow=["translationstring.TranslationString"])
    site.get("/?flash")
    assert site.get("/").text == "TranslationString Saved 3"


# The document's own code

FIRST = """
from pyramid_beaker import session_factory_from_settings
from pyramid.config import Configurator

def app(global_config, **settings):
    session_factory = session_factory_from_settings(settings)
    config = Configurator(root_factory=get_root, settings=settings)
    config.set_session_factory(session_factory)
    config.add_view(view)
    return config.make_wsgi_app()
"""
SECOND = """
from pyramid_beaker import set_cache_regions_from_settings
from pyramid.config import Configurator

def app(global_config, **settings):
    set_cache_regions_from_settings(settings)
    config = Configurator(root_factory=get_root, settings=settings)
    config.add_view(cached_view)
    return config.make_wsgi_app()
"""
AROUND = """
import json, sys, warnings
from beaker.cache import cache_region, cache_regions
from configparser import ConfigParser
from pyramid.response import Response
from webtest import TestApp

def get_root(request):
    return {{}}

def view(request):
    request.session["n"] = request.session.get("n", 0) + 1
    return Response(str(request.session["n"]))

def cached_view(request):
    return Response("".join(kept() for _ in range(3)))

@cache_region("long_term", "kept")
def kept():
    made.append(1)
    return str(len(made))

made = []
ini = ConfigParser(defaults={{"here": sys.argv[1]}})
ini.read_string(sys.argv[2])
{code}
site = TestApp(app({{}}, **dict(ini["app:myapp"])))
print(json.dumps([site.get("/").text, site.get("/").text, sorted(site.cookies),
                  {{name: each["expire"] for name, each in cache_regions.items()}}]))
"""
INI = """
[app:myapp]
session.type = file
session.data_dir = %(here)s/data/sessions/data
session.lock_dir = %(here)s/data/sessions/lock
session.key = mykey
session.secret = mysecret
session.cookie_on_exception = true

cache.regions = default_term, second, short_term, long_term
cache.type = memory
cache.second.expire = 1
cache.short_term.expire = 60
cache.default_term.expire = 300
cache.long_term.expire = 3600
"""
EXPIRES = {"default_term": 300, "second": 1, "short_term": 60, "long_term": 3600}


@pytest.mark.slow
def test_the_documents_blocks_run(tmp_path: Path) -> None:
    names = "beaker,pyramid_beaker"
    first = json.loads(ours(names, AROUND.format(code=FIRST), tmp_path, INI))
    assert first == ["1", "2", ["mykey"], {}]
    assert len(list(tmp_path.glob("data/sessions/data/container_file/*/*/*.cache"))) == 1
    assert (tmp_path / "data/sessions/lock").is_dir()
    second = json.loads(ours(names, AROUND.format(code=SECOND), tmp_path, INI))
    assert second == ["111", "111", [], EXPIRES]


APP = """
from pyramid.config import Configurator
from pyramid.response import Response

def view(request):
    request.session["n"] = request.session.get("n", 0) + 1
    return Response(f"{request.session['n']} {type(request.session).__mro__[1].__module__}")

def main(global_config, **settings):
    config = Configurator(settings=settings)
    config.add_view(view)
    return config.make_wsgi_app()
"""
PSERVE = """
use = call:kept_app:main
pyramid.includes = pyramid_beaker

[server:main]
use = egg:waitress#main
listen = 127.0.0.1:{port}
"""


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.parametrize("way", ["variable", "command"])
def test_pserve_runs_an_ini_file_that_names_it(tmp_path: Path, way: str) -> None:
    (tmp_path / "kept_app.py").write_text(APP, encoding="utf-8")
    port = free_port()
    path = tmp_path / "site.ini"
    path.write_text(INI.replace("myapp]", "main]") + PSERVE.format(port=port), encoding="utf-8")
    command = [sys.executable, "-m", "pyramid.scripts.pserve", str(path)]
    environ = {"PYTHONPATH": str(tmp_path)}
    if way == "variable":
        environ["HOLDFAST_COMPAT"] = "beaker,pyramid_beaker"
    else:
        before = [sys.executable, "-m", "holdfast.compat", "beaker,pyramid_beaker", "--"]
        command = before + command
    server = Server(command, port, log=tmp_path / "log", env=environ)
    server.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            assert client.get("/").text == "1 holdfast.compat.pyramid_beaker"
            assert client.get("/").text == "2 holdfast.compat.pyramid_beaker"
            assert list(client.cookies) == ["mykey"]
    finally:
        server.stop()
