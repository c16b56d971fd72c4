"""Items 28 to 55 of the security list as a client sees them, over WSGI and ASGI, on each store."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from visited_site import FACES, KINDS, NAME, Site, make

from holdfast import Cookie
from holdfast.testing.calls import Face


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Face:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=KINDS)
def site(request: pytest.FixtureRequest, face: Face, tmp_path: Path) -> Iterator[Site]:
    made = make(request.param, face, tmp_path)
    yield made
    made.close()


def test_008_a_login_gives_a_token_nobody_had(site: Site) -> None:
    visitor = site.visitor()
    visitor.get("/write")
    old = visitor.twin()
    answer = visitor.get("/login")
    assert len(answer.all("set-cookie")) == 1
    assert visitor.cookies[NAME] != old.cookies[NAME]
    assert visitor.get("/").body == b"ada"
    if site.sessions.store is not None:
        assert old.get("/").body == b"nobody"


def test_028_any_look_at_the_session_makes_the_answer_vary(site: Site) -> None:
    looks = (lambda s: s.get("a"), lambda s: "a" in s, len, list, bool, repr, lambda s: s.user)
    visitor = site.visitor()
    visitor.get("/write")
    for look in looks:

        def view(session: Any, _path: str, look: Any = look) -> object:
            look(session)
            return "seen"

        for cookie in ("", f"{NAME}={visitor.cookies[NAME]}"):
            assert site.visitor(view).get(cookie=cookie).all("vary") == ["Cookie"]
    assert visitor.get("/untouched").all("vary") == []


def test_029_what_sets_a_cookie_is_stored_nowhere(site: Site) -> None:
    visitor = site.visitor()
    for path in ("/write", "/login", "/logout"):
        answer = visitor.get(path)
        assert len(answer.all("set-cookie")) == 1, path
        assert answer.all("cache-control") == ["no-store"], path


def test_030_a_cookie_is_set_only_when_something_changed(site: Site) -> None:
    visitor = site.visitor()
    visitor.get("/write")
    for path in ("/", "/untouched", "/write"):
        answer = visitor.get(path)
        assert answer.all("set-cookie") == [], path
        assert answer.all("cache-control") == [], path


def test_049_no_event_has_the_token_in_it(face: Face, tmp_path: Path) -> None:
    told: list[str] = []
    for kind in KINDS:
        site = make(kind, face, tmp_path)
        site.sessions.observer = lambda event, fields: told.append(f"{event} {dict(fields)}")
        visitor = site.visitor()
        visitor.get("/write")
        token = visitor.cookies[NAME]
        visitor.get("/", cookie=f"{NAME}={token}; {NAME}={token}")
        assert "cookie_tossing" in told[-1]
        assert not [line for line in told if token in line]
        site.close()


def test_052_what_fails_writes_nothing_but_logs_in_and_out(site: Site) -> None:
    visitor = site.visitor()
    visitor.get("/write")
    before = visitor.cookies[NAME]
    assert visitor.get("/fail/write").all("set-cookie") == []
    assert visitor.get("/").body == b"ada"
    assert len(visitor.get("/fail/login").all("set-cookie")) == 1
    assert visitor.cookies[NAME] != before
    assert visitor.get("/").body == b"ada"
    assert "Max-Age=0" in visitor.get("/fail/logout").all("set-cookie")[0]
    assert visitor.get("/").body == b"nobody"


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_054_a_store_that_is_down_never_costs_a_cookie(
    kind: str, face: Face, tmp_path: Path
) -> None:
    site = make(kind, face, tmp_path)
    visitor = site.visitor()
    visitor.get("/write")
    site.close()
    for path in ("/", "/write", "/login", "/logout"):
        answer = visitor.get(path)
        assert (answer.status, answer.all("set-cookie")) == (503, []), path
        assert re.fullmatch(r"\d+", answer.all("retry-after")[0])
    assert visitor.get("/untouched").status == 200
    stranger = site.visitor()
    assert [stranger.get(path).status for path in ("/", "/untouched", "/logout")] == [200] * 3
    assert (stranger.get("/write").status, stranger.cookies) == (503, {})


def test_055_no_subdomain_can_plant_a_cookie_by_default(site: Site) -> None:
    [line] = site.visitor().get("/write").all("set-cookie")
    assert line.startswith("__Host-")
    assert "domain" not in line.lower()
    assert Cookie(domain="example.com").bound_name.startswith("__Secure-")
