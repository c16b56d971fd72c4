"""Items 46 to 48 of the security list: whose sessions they are, and who ends them."""

import re
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from visited_site import NAME, Place, Site, Visit, everywhere, meanwhile, stored, visiting

from holdfast import TooManySessions
from holdfast.session.index import key_of
from holdfast.session.token import id_of
from holdfast.signing import Key, KeyRing
from holdfast.testing.calls import Visitor

visit = pytest.fixture(visiting)

AT_ONCE = 8  # fifty at once, in several processes: tests/turmoil/test_logins.py
PHONE = "Mozilla/5.0 (Android 16; Mobile)"
PLAIN = re.compile(r"[0-9a-f]{64}")


def signed_in(site: Site, count: int = 1) -> list[Visitor]:
    visitors = [site.writer() for _ in range(count)]
    for visitor in visitors:
        assert visitor.get("/login").status == 200
    return visitors


def in_(visitors: list[Visitor]) -> list[bool]:
    """Return which of the visitors have their session still."""
    return [visitor.get("/").body == b"ada" for visitor in visitors]


def sign_in(site: Site) -> Visitor:
    """Return a visitor of what signs in at the call, and says whether there was room."""

    def view(session: Any, path: str) -> object:
        if path == "/login":
            try:
                session.login("ada")
            except TooManySessions:
                return "full"
        return session.user

    async def app(fields: Mapping[str, Any], _receive: object, send: Any) -> None:
        session, said = fields["session"], ""
        if fields["path"] == "/login":
            try:
                await session.aio.login("ada")
            except TooManySessions:
                said = "full"
        said = said or str(session.user)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": said.encode()})

    return site.visitor(view) if site.face == "wsgi" else site.visitor_of(app)


@stored
def test_item_46_of_logins_at_once_no_more_stay_than_may(visit: Visit, place: Place) -> None:
    site = visit(place, max_sessions=1)
    visitors = [site.writer() if number % 2 else site.visitor() for number in range(AT_ONCE)]
    for visitor in visitors:
        visitor.app = sign_in(site).app
    with ThreadPoolExecutor(AT_ONCE) as pool:
        bodies = list(pool.map(lambda visitor: visitor.get("/login").body, visitors))
    assert bodies == [b"ada"] * AT_ONCE
    assert [visitor.get("/").body for visitor in visitors].count(b"ada") == 1
    assert len(meanwhile(lambda: site.sessions.of("ada"))) == 1


@stored
def test_item_46_a_login_too_many_is_refused_if_that_was_asked_for(
    visit: Visit, place: Place
) -> None:
    site = visit(place, max_sessions=2, when_full="refuse")
    visitors = [sign_in(site) for _ in range(3)]
    assert [one.get("/login").body for one in visitors] == [b"ada", b"ada", b"full"]
    assert [one.get("/").body for one in visitors] == [b"ada", b"ada", b"None"]
    meanwhile(lambda: site.sessions.destroy(id_of(visitors[0].cookies[NAME]) or ""))
    assert visitors[2].get("/login").body == b"ada", "there is room again"
    assert [one.get("/").body for one in visitors] == [b"None", b"ada", b"ada"]


@stored
def test_item_47_revoking_ends_all_but_the_one_that_asked(visit: Visit, place: Place) -> None:
    site = visit(place)
    mine, *others = visitors = signed_in(site, 4)
    [bob] = signed_in(site)
    bob.app = site.visitor(lambda session, path: path == "/bob" and session.login("bob")).app
    bob.get("/bob")
    bob.app = site.visitor().app

    def view(session: Any, _path: str) -> object:
        session["name"] = "ada"  # who changes his password writes to his session
        return f"ended {meanwhile(lambda: site.sessions.revoke('ada', keep=session))}"

    mine.app = site.visitor(view).app
    assert mine.get("/").body == b"ended 3"
    mine.app = site.visitor().app
    assert in_(visitors) == [True, False, False, False]
    assert [info.id for info in site.sessions.of("ada")] == [id_of(mine.cookies[NAME])]
    assert bob.get("/write").status == 200
    assert in_([bob]) == [True]
    assert site.sessions.revoke("ada") == 1
    assert in_([mine, *others]) == [False] * 4
    assert site.sessions.of("ada") == []


@stored
def test_item_47_a_session_that_begins_during_a_revocation_is_ended(
    visit: Visit, place: Place
) -> None:
    late: list[Visitor] = []

    def observe(event: str, _fields: Mapping[str, object]) -> None:
        if event == "session.destroyed" and not late:
            late.append(visitor)
            meanwhile(lambda: late.extend(signed_in(site)))
            meanwhile(lambda: rotated.get("/rotate"))

    site = visit(place, observer=observe)
    visitor, rotated = signed_in(site, 2)
    site.sessions.revoke("ada")
    assert len(late) == 2, "it did begin"
    assert in_([*late, rotated]) == [False] * 3
    assert site.sessions.of("ada") == []
    assert in_(signed_in(site)) == [True], "and who signs in later is in"


@stored
def test_item_47_a_key_that_is_revoked_hides_nobody_from_a_revocation(
    visit: Visit, place: Place
) -> None:
    """Sessions that are used are sealed anew all the time: the list of them must be, too."""
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    before = visit(place, secrets=old)
    visitors = signed_in(before, 2)
    both = visit(place, secrets=[new, old], beside=before)
    before.clock.advance(90)
    for visitor, path in zip(visitors, ("/", "/write"), strict=True):
        visitor.app = both.visitor().app
        assert visitor.get(path).body == b"ada"
    after = visit(place, secrets=KeyRing([new, Key(old, revoked=True)]), beside=before)
    for visitor in visitors:
        visitor.app = after.visitor().app
    assert in_(visitors) == [True, True]
    assert len(after.sessions.of("ada")) == 2
    assert after.sessions.revoke("ada") == 2
    assert in_(visitors) == [False, False]


@stored
def test_item_44_a_damaged_list_of_sessions_is_told(visit: Visit, place: Place) -> None:
    site = visit(place)
    [visitor], store = signed_in(site), site.sessions.store
    assert store is not None
    for raw in (b"\xc1", b"", b"garbage", bytes(100)):
        store.put(f"u:{key_of('ada')}", raw)
        site.events.clear()
        assert site.sessions.of("ada") == []
        assert site.events == ["session.corrupt"]
    assert in_([visitor]) == [True]
    assert visitor.get("/login").status == 200
    assert len(site.sessions.of("ada")) == 1


@everywhere
def test_item_47_who_is_not_welcome_any_more_is_out_at_the_next_request(
    visit: Visit, place: Place
) -> None:
    banned: set[object] = set()
    site = visit(place, check_user=lambda user: user not in banned)
    [visitor], stranger = signed_in(site), site.writer()
    assert in_([visitor, stranger]) == [True, True]
    banned.add("ada")
    copied = visitor.cookies[NAME]
    [line] = visitor.get("/").all("set-cookie")
    assert "Max-Age=0" in line
    assert site.ask(copied).body == b"nobody"
    assert in_([stranger]) == [True], "who is not signed in is nobody's affair"
    banned.clear()
    if place.kind != "cookie":  # there nobody keeps what was ended: item 39
        assert site.ask(copied).body == b"nobody"
        assert id_of(copied) not in site.records()


@stored
def test_item_48_a_listing_is_good_for_no_cookie(visit: Visit, place: Place) -> None:
    site = visit(place, keep_client=["address", "agent"])
    visitors = signed_in(site, 3)
    infos = meanwhile(lambda: site.sessions.of("ada"))
    assert {info.id for info in infos} == {id_of(one.cookies[NAME]) for one in visitors}
    for info in infos:
        assert PLAIN.fullmatch(info.id)
        for said in (*map(str, info), info.id[:43], info.id[-43:], f"s:{info.id}"):
            assert site.ask(said).body == b"nobody"
        assert not [one for one in visitors if one.cookies[NAME] in repr(info)]
    assert site.sessions.destroy(infos[0].id)
    assert sorted(in_(visitors)) == [False, True, True]
    for handle in ("", "*", visitors[1].cookies[NAME], "../" * 20, "A" * 64):
        assert not site.sessions.destroy(handle), "nor is a token a handle"


@stored
def test_item_48_of_a_client_is_kept_what_was_asked_for_and_shortened(
    visit: Visit, place: Place
) -> None:
    said = [("User-Agent", PHONE + "\x7f" + "x" * 5000)]
    for keep, address, agent in (
        ((), None, None),
        (("address",), "203.0.113.0/24", None),
        (("agent",), None, (PHONE + "\x7f" + "x" * 5000)[:200].replace("\x7f", "")),
    ):
        site = visit(place, keep_client=keep)
        visitor = site.visitor()
        visitor.get("/login", headers=said)
        [info] = meanwhile(lambda site=site: site.sessions.of("ada"))  # type: ignore[misc]
        assert (info.address, info.agent) == (address, agent)
        stored_bytes = b"".join(site.rows().values())
        assert b"203.0.113.9" not in stored_bytes, "where somebody is, exactly"
        assert (b"203.0.113" in stored_bytes, b"Android" in stored_bytes) == (
            bool(address),
            bool(agent),
        )
        assert site.sessions.revoke("ada") == 1
        assert not [raw for raw in site.rows().values() if b"203.0" in raw or b"Android" in raw]
