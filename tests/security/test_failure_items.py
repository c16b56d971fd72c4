"""Items 52 to 56 of the security list: what fails, and what must not get out meanwhile."""

import re

import pytest
from visited_site import NAME, Place, Visit, everywhere, in_front, stored, visiting

from holdfast import Cookie
from holdfast.testing.faults import FaultyStore

visit = pytest.fixture(visiting)


@everywhere
def test_item_52_what_fails_writes_nothing_but_logs_in_and_out(visit: Visit, place: Place) -> None:
    visitor = visit(place).writer()
    before = visitor.cookies[NAME]
    assert visitor.get("/fail/write").all("set-cookie") == []
    assert visitor.get("/").body == b"ada"
    assert len(visitor.get("/fail/login").all("set-cookie")) == 1
    assert visitor.cookies[NAME] != before
    assert visitor.get("/").body == b"ada"
    assert "Max-Age=0" in visitor.get("/fail/logout").all("set-cookie")[0]
    assert visitor.get("/").body == b"nobody"


@stored
def test_item_54_a_store_that_is_down_never_costs_a_cookie(visit: Visit, place: Place) -> None:
    site = visit(place, around=FaultyStore)
    store = site.sessions.store
    assert isinstance(store, FaultyStore)
    visitor, stranger = site.writer(), site.visitor()
    with store.fail():
        for path in ("/", "/write", "/login", "/logout"):
            answer = visitor.get(path)
            assert (answer.status, answer.all("set-cookie")) == (503, []), path
            assert re.fullmatch(r"\d+", answer.all("retry-after")[0])
        assert visitor.get("/untouched").status == 200
        assert [stranger.get(path).status for path in ("/", "/untouched", "/logout")] == [200] * 3
        assert (stranger.get("/write").status, stranger.cookies) == (503, {})
    assert visitor.get("/").body == b"ada"


@in_front
def test_item_55_no_subdomain_can_plant_a_cookie_by_default(visit: Visit, place: Place) -> None:
    [line] = visit(place).visitor().get("/write").all("set-cookie")
    assert line.startswith("__Host-")
    assert "domain" not in line.lower()
    assert Cookie(domain="example.com").bound_name.startswith("__Secure-")
