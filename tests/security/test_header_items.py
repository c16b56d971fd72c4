"""Items 2 to 30 of the security list where the token travels in a header of its own."""

from dataclasses import dataclass
from typing import Any

import pytest
from visited_site import NAME, Place, Site, Visit, everywhere, in_front, stored, visiting

from holdfast import Cache, ConfigError, Header
from holdfast.session.token import id_of, new_token
from holdfast.testing.calls import Answer, Visitor
from holdfast.testing.faults import FaultyStore
from holdfast.web.httpcache import CacheMiddleware

visit = pytest.fixture(visiting)

WORD = "X-Auth-Token"


@dataclass
class Client:
    """A client of an API: it sends the token it was sent last."""

    visitor: Visitor
    token: str = ""

    def get(self, path: str = "/", **more: Any) -> Answer:
        sent = [(WORD, self.token)] if self.token else []
        answer = self.visitor.get(path, headers=sent, **more)
        assert answer.all("set-cookie") == []
        for token in answer.all(WORD):
            self.token = token
        return answer


def client(site: Site, token: str = "", **options: Any) -> Client:
    return Client(site.visitor(**options), token)


def writer(site: Site) -> Client:
    made = client(site)
    assert made.get("/write").status == 200
    assert made.token
    return made


@everywhere
def test_item_02_a_header_the_client_chose_is_never_used(visit: Visit, place: Place) -> None:
    site, invented = visit(place, transport=Header(WORD)), new_token()
    for path in ("/", "/untouched", "/logout"):
        assert client(site, invented).get(path).all(WORD) == []
    assert site.rows() == {}
    planted = client(site, invented)
    planted.get("/write")
    assert planted.token not in ("", invented)
    assert client(site, invented).get("/").body == b"nobody"


@stored
def test_item_04_a_malformed_header_never_reaches_the_store(visit: Visit, place: Place) -> None:
    site = visit(place, transport=Header(WORD), around=FaultyStore)
    store = site.sessions.store
    assert isinstance(store, FaultyStore)
    token = new_token()
    with store.fail() as any_call:
        for evil in ("", "a", "*" * 43, f"{token}=", f'"{token}"', f"Bearer {token}", "é" * 43):
            answer = client(site, evil).get("/")
            assert (answer.status, answer.all(WORD)) == (200, []), evil
        assert any_call.struck == 0


@in_front
def test_item_07_of_two_transports_only_ours_counts(visit: Visit, place: Place) -> None:
    site = visit(place, transport=Header(WORD))
    ada, bob = writer(site).token, client(site)
    pair = f"{NAME}={ada}; {WORD}={ada}; sid={ada}"
    assert bob.get("/", cookie=pair).body == b"nobody"
    bob.get("/small", cookie=pair)
    assert bob.token not in ("", ada)
    assert bob.get("/", cookie=pair).body == b"nobody"
    assert client(site, ada).get(f"/?{WORD}={bob.token}", cookie=f"{NAME}=x").body == b"ada"


@everywhere
def test_item_08_a_login_gives_another_header(visit: Visit, place: Place) -> None:
    site = visit(place, transport=Header(WORD))
    ada = writer(site)
    old = ada.token
    assert len(ada.get("/login").all(WORD)) == 1
    assert ada.token != old
    assert ada.get("/").body == b"ada"
    if place.kind != "cookie":
        assert client(site, old).get("/").body == b"nobody"
        assert site.records() == [id_of(ada.token)]


@everywhere
def test_item_10_a_logout_empties_the_header(visit: Visit, place: Place) -> None:
    site = visit(place, transport=Header(WORD))
    ada = writer(site)
    old = ada.token
    assert ada.get("/logout").all(WORD) == [""]
    assert ada.token == ""
    assert site.rows() == {}
    if place.kind != "cookie":
        assert client(site, old).get("/").body == b"nobody"


@in_front
def test_item_22_of_two_headers_none_is_used(visit: Visit, place: Place) -> None:
    site = visit(place, transport=Header(WORD))
    one, other = writer(site).token, writer(site).token
    site.events.clear()
    for both in (f"{one},{other}", f"{other}, {one}", f"{one}, {one}", f",{one}"):
        assert client(site, both).get("/").body == b"nobody"
    assert site.events.count("session.header_repeated") == 4


def test_item_27_only_a_name_can_be_a_header() -> None:
    for evil in ("", "X Y", "X:Y", "X\r\nSet-Cookie", "X\0", "é", "Cookie", "Set-Cookie", "Host"):
        with pytest.raises(ConfigError, match="Header"):
            Header(evil)


@in_front
def test_item_28_what_looked_at_a_session_is_private(visit: Visit, place: Place) -> None:
    site = visit(place, transport=Header(WORD))
    ada = writer(site)
    for said, answered in (
        ([], "private"),
        ([("Cache-Control", "public, max-age=60")], "private, max-age=60"),
        ([("Cache-Control", "no-store")], "no-store"),
    ):
        answer = client(site, ada.token, headers=said).get("/")
        assert (answer.all("vary"), answer.all("cache-control")) == ([WORD], [answered])
    assert ada.get("/untouched").all("vary") == []


@in_front
def test_item_29_no_cache_keeps_what_a_header_opened(visit: Visit, place: Place) -> None:
    site = visit(place, transport=Header(WORD))
    fresh = [("Cache-Control", "public, max-age=600")]
    for path in ("/login", "/logout"):
        ada = writer(site)
        ada.visitor = site.visitor(headers=fresh)
        assert ada.get(path).all("cache-control") == ["no-store"]
    with Cache(clock=site.clock) as cache:
        app = CacheMiddleware(site.visitor(headers=fresh).app, cache, clock=site.clock)
        ada, bob = writer(site), Client(Visitor(app, place.face))
        ada.visitor = bob.visitor
        for _ in range(2):
            assert ada.get("/").body == b"ada"
            assert bob.get("/").body == b"nobody"


@in_front
def test_item_30_a_header_is_sent_only_when_something_changed(visit: Visit, place: Place) -> None:
    site = visit(place, transport=Header(WORD))
    ada = writer(site)
    for who in (ada, client(site)):
        for path in ("/", "/untouched"):
            assert who.get(path).all(WORD) == [], path
