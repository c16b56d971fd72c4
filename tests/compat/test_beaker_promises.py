"""Beaker's changelog as promises: every line has a test, or a reason; some of those tests."""

import hmac
import importlib.util
import re
from collections.abc import Callable, Iterable
from functools import cache as once
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from compat import options_of_caches, options_of_servers, options_of_sessions
from compat.beaker_walk import Browser, application
from compat.documents import changelog, options
from compat.option_probes import PROBES
from compat.seeds import ours
from holdfast.compat.beaker.cache import Cache, CacheManager
from holdfast.compat.beaker.caching_middleware import CacheMiddleware
from holdfast.compat.beaker.middleware import SessionMiddleware
from holdfast.compat.beaker.session import Session, SessionObject, SignedCookie
from holdfast.store.memcached import plain_flags

_TESTS = Path(__file__).parents[1]
_PROBED = (options_of_caches, options_of_servers, options_of_sessions)
_COOKIE = {"session.type": "cookie", "session.validate_key": "v"}


@once
def _tests() -> frozenset[str]:
    """Return the names of all tests."""
    named = re.compile(r"^ *(?:async )?def (test_\w+)\(", re.MULTILINE)
    return frozenset(
        name
        for path in _TESTS.rglob("*.py")
        for name in named.findall(path.read_text(encoding="utf-8"))
    )


def _shown(proof: str) -> bool:
    if proof.startswith("gone: "):
        return len(proof) > len("gone: ")
    return bool(proof) and all(
        name.removeprefix("option ") in PROBES if name.startswith("option ") else name in _tests()
        for name in proof.split(", ")
    )


def test_each_line_names_a_test_or_a_reason() -> None:
    assert _PROBED
    lines = changelog.lines()
    assert len(lines) > 200
    assert [line for line in lines if not _shown(line[2])] == []


def test_no_line_of_the_document_is_left_out() -> None:
    text = options.document("002")
    if text is None:
        pytest.skip("the document is not beside the repository")
    assert [release for release, _, _ in changelog.lines()] == changelog.releases_of(text)


def test_1_6_1_nothing_is_printed() -> None:
    script = """
from beaker.cache import Cache
from beaker.session import CookieSession, Session
for session in (Session({}), CookieSession({}, validate_key="v")):
    session["n"] = 1
    session.save()
    session.delete()
some = Cache("n")
some.get("k", createfunc=lambda: 1)
some.clear()
"""
    assert ours("beaker", script) == ""


def test_1_6_the_middleware_leaves_enabled_alone() -> None:
    made = count(1)

    def page(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        kept = environ["beaker.cache"].region("r", "name")(lambda: next(made))
        start_response("200 OK", [])
        return [str(kept() + kept()).encode()]

    config = {"cache.regions": "r", "cache.enabled": "false"}
    assert Browser(CacheMiddleware(page, config)).get("/") == "3"
    assert CacheMiddleware(page, config).options["enabled"] is False
    assert Browser(CacheMiddleware(page, {**config, "cache.enabled": "true"})).get("/") == "6"


@pytest.mark.parametrize("options", [{}, {"type": "cookie", "validate_key": "v"}], ids=str)
def test_1_5_4_domain_and_path_can_be_asked_for(options: dict[str, Any]) -> None:
    session = SessionObject({}, **options)
    assert (session.domain, session.path) == (None, "/")
    session = SessionObject({}, **options, cookie_domain="example.org", cookie_path="/shop")
    assert (session.domain, session.path) == ("example.org", "/shop")


def test_1_5_2_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[Any] = []
    real = hmac.compare_digest

    def compare(one: Any, other: Any) -> bool:
        compared.append(one)
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    cookie = SignedCookie("secret")
    cookie["n"] = "value"
    coded = cookie["n"].coded_value
    assert SignedCookie("secret", f"n={coded}")["n"].value == "value"
    assert compared


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [
        ({"pylibmc", "memcache", "bmemcached"}, "memcache"),
        ({"pylibmc", "bmemcached"}, "bmemcached"),
        ({"pylibmc"}, "pylibmc"),
        (set(), "memcache"),
    ],
    ids=["all", "two", "one", "none"],
)
def test_1_5_auto_takes_the_client_that_beaker_would_take(
    monkeypatch: pytest.MonkeyPatch, installed: set[str], chosen: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in installed or None)
    assert plain_flags.form_of("auto") is plain_flags.form_of(chosen)


def test_1_3_regions_may_be_an_argument() -> None:
    manager = CacheManager(cache_regions={"r": {"type": "memory", "expire": 60}})
    made = count(1)
    kept: Any = manager.region("r", "regions as an argument")(lambda: next(made))
    assert (kept(), kept()) == (1, 1)


@pytest.mark.parametrize("options", [{}, _COOKIE], ids=["stored", "cookie"])
def test_1_0_deleting_deletes_the_cookie(options: dict[str, Any]) -> None:
    browser = Browser(SessionMiddleware(application, options))
    browser.get("/count")
    assert browser.cookies
    browser.get("/delete")
    assert not browser.cookies, "it has ended"


def test_0_9_3_errors_of_the_application_pass_through() -> None:
    def failing(environ: dict[str, Any], _: Callable[..., Any]) -> Iterable[bytes]:
        environ["beaker.session"]["n"] = 1
        raise LookupError("of the application")

    with pytest.raises(LookupError, match="of the application"):
        Browser(SessionMiddleware(CacheMiddleware(failing), {})).get("/")


@pytest.mark.parametrize("kind", ["file", "dbm"])
def test_0_6_3_keys_of_files_are_of_any_alphabet(tmp_path: Path, kind: str) -> None:
    for name in ("plain", "ключ", "名前 ñ"):
        Cache(name, type=kind, data_dir=str(tmp_path)).put(name, f"of {name}")
        found = Cache(name, type=kind, data_dir=str(tmp_path))
        assert found.get(name) == f"of {name}"
        assert name in found


def test_0_6_3_an_empty_session_is_made_once() -> None:
    made: list[int] = []

    class Counted(Session):
        def load(self) -> None:
            made.append(1)
            super().load()

    session = SessionObject({}, session_class=Counted, type="memory")
    assert session.get("n") is session.get("m") is None
    session.clear()
    assert "n" not in session
    before = len(made)
    assert not session.has_key("n")
    assert len(made) == before <= 1
