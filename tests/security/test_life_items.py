"""Items 9 to 15 of the security list: how long a session and its tokens count."""

from collections.abc import Callable
from typing import Any

import pytest
from visited_site import NAME, Place, Visit, everywhere, meanwhile, stored, visiting

from holdfast import ConfigError, Cookie
from holdfast.session.data import Note, decode
from holdfast.session.token import id_of
from holdfast.testing.calls import Visitor

visit = pytest.fixture(visiting)

MINUTE, HOUR, DAY = 60, 3600, 86_400


@stored
def test_item_09_a_rotated_token_only_reads_and_only_for_its_grace(
    visit: Visit, place: Place
) -> None:
    grace = 20
    site = visit(place, rotate_every=15 * MINUTE, rotate_grace=grace, idle_timeout="1h")

    def view(session: Any, path: str) -> object:
        if path == "/write":
            session["name"] = "eve"
            session.increment("visits")
        elif path == "/notice":
            session.notify("once", "for ada")
        elif path == "/take":
            return session.take("once")
        elif path == "/rotate":
            session.rotate()
        return session.get("name", "nobody")

    visitor = site.writer()
    visitor.app = site.visitor(view).app
    old = visitor.twin()
    site.clock.advance(15 * MINUTE)
    assert len(visitor.get("/").all("set-cookie")) == 1
    visitor.get("/notice")
    new, before = visitor.cookies[NAME], site.rows()
    for _ in range(grace - 1):
        site.clock.advance(1)
        assert old.get("/").body == b"ada"
        for path in ("/", "/write", "/take", "/notice", "/rotate"):
            assert old.get(path).all("set-cookie") == [], path
    assert site.rows() == before, "it only reads"
    site.clock.advance(1)
    for path in ("/", "/write", "/notice"):
        answer = old.get(path)
        assert (answer.body == b"ada", answer.all("set-cookie")) == (False, []), path
    assert site.rows() == before
    assert visitor.cookies[NAME] == new
    assert visitor.get("/").body == b"ada"
    assert visitor.get("/take").body == b"for ada"


@stored
def test_item_09_no_other_rotation_has_a_grace(visit: Visit, place: Place) -> None:
    for options in ({}, {"rotate_every": 15 * MINUTE, "rotate_grace": MINUTE}):
        for verb in ("rotate", "login"):
            site = visit(place, **options)
            visitor = site.writer()
            old = visitor.cookies[NAME]
            visitor.get(f"/{verb}")
            assert site.ask(old).body == b"nobody"
            assert visitor.get("/").body == b"ada"
    site = visit(place)
    visitor = site.writer()
    for _ in range(20):
        site.clock.advance(20 * MINUTE)
        assert visitor.get("/").all("set-cookie") == [], "off by default"
    for options in ({"rotate_grace": 20}, {"rotate_every": 60, "rotate_grace": 1}):
        with pytest.raises(ConfigError, match="rotate_grace"):
            visit(place, **options)


@stored
def test_item_09_a_logout_with_the_old_token_counts(visit: Visit, place: Place) -> None:
    site = visit(place, rotate_every=15 * MINUTE)
    visitor = site.writer()
    old = visitor.twin()
    site.clock.advance(15 * MINUTE)
    visitor.get("/")
    [line] = old.get("/logout").all("set-cookie")
    assert "Max-Age=0" in line
    assert visitor.get("/").body == b"nobody"
    assert site.records() == []


@everywhere
def test_item_10_logout_ends_record_and_cookie(visit: Visit, place: Place) -> None:
    cookie = Cookie("shop", domain="example.com", path="/x", partitioned=True, same_site="None")
    site = visit(place, transport=cookie)
    visitor = site.visitor()
    [set_line] = visitor.get("/write").all("set-cookie")
    visitor.get("/login")
    old = visitor.twin()
    [expired] = visitor.get("/logout").all("set-cookie")
    assert expired.startswith("__Secure-shop=;")
    assert "Max-Age=0" in expired
    assert expired.split("; ")[1:-2] == set_line.split("; ")[1:], "a browser would keep it"
    assert visitor.cookies == {}
    assert site.records() == []
    if place.kind != "cookie":  # there the old cookie is what its holder can keep: item 39
        assert old.get("/").body == b"nobody"
        assert old.get("/login").status == 200
        assert old.cookies["__Secure-shop"] not in set_line


@everywhere
def test_item_10_a_logout_may_clear_what_the_browser_keeps(visit: Visit, place: Place) -> None:
    for asked, said in ((True, ['"cache", "storage"']), (False, [])):
        visitor = visit(place, transport=Cookie(clear_site_data=asked)).writer()
        assert visitor.get("/login").all("clear-site-data") == []
        assert visitor.get("/logout").all("clear-site-data") == said
        assert visitor.get("/logout").all("clear-site-data") == []


def late(site: Any, visitor: Visitor, path: str, finish: Callable[[Any], object]) -> Visitor:
    """Let another tab ask for `path` while a request is under way that then does `finish`.

    Returns:
        The visitor of the request that was overtaken; the other tab is `visitor`.
    """

    def view(session: Any, _path: str) -> object:
        name = session["name"]
        assert meanwhile(lambda: visitor.get(path)).status == 200
        finish(session)
        return name

    slow = visitor.twin()
    slow.app = site.visitor(view).app
    answer = slow.get("/")
    assert (answer.status, answer.body) == (200, b"ada")
    assert answer.all("set-cookie") == []
    return slow


LATE: dict[str, Callable[[Any], object]] = {
    "write": lambda session: session.update(late=1),
    "increment": lambda session: session.increment("late"),
    "append": lambda session: session.append("late", 1),
    "flash": lambda session: session.flash("late"),
    "notify": lambda session: session.notify("late", 1),
    "clear": lambda session: session.clear(),
    "save": lambda session: session.save(),
    "csrf_token": lambda session: session.csrf_token(),
    "remember": lambda session: session.remember("1d"),
    "rotate": lambda session: session.rotate(),
    "login": lambda session: session.login("ada"),
}


@stored
def test_item_11_what_ends_after_a_logout_brings_nothing_back(visit: Visit, place: Place) -> None:
    site = visit(place)
    touch = {"touch": lambda _session: site.clock.advance(2 * MINUTE)}
    for what, finish in {**LATE, **touch}.items():
        visitor = site.writer()
        old = visitor.cookies[NAME]
        slow = late(site, visitor, "/logout", finish)
        assert site.rows() == {}, what
        assert slow.cookies[NAME] == old
        assert site.ask(old).body == b"nobody", what


@stored
@pytest.mark.parametrize("verb", ["rotate", "login"])
def test_item_12_what_ends_after_a_rotation_writes_to_the_new_record(
    visit: Visit, place: Place, verb: str
) -> None:
    site = visit(place)

    def write(session: Any) -> None:
        session["late"] = "yes"

    visitor = site.writer()
    old = visitor.cookies[NAME]
    late(site, visitor, f"/{verb}", write)
    new = visitor.cookies[NAME]
    assert new != old
    assert site.records() == [id_of(new)]
    store = site.sessions.store
    assert store is not None
    assert decode(store.get(f"s:{id_of(old)}") or b"") == Note(id_of(new) or "")
    assert site.ask(old).body == b"nobody"
    seen = visitor.twin()
    seen.app = site.visitor(lambda session, _path: dict(session)).app
    assert seen.get("/").body == b"{'name': 'ada', 'late': 'yes'}"


@stored
def test_item_12_a_logout_ends_what_was_rotated_meanwhile(visit: Visit, place: Place) -> None:
    site = visit(place)
    visitor = site.writer()
    slow = visitor.twin()

    def view(session: Any, _path: str) -> object:
        assert session["name"] == "ada"
        assert len(meanwhile(lambda: visitor.get("/rotate")).all("set-cookie")) == 1
        session.logout()
        return "bye"

    slow.app = site.visitor(view).app
    assert slow.get("/").body == b"bye"
    assert slow.cookies == {}
    assert visitor.get("/").body == b"nobody"
    assert site.rows() == {}


@everywhere
def test_item_13_an_idle_session_is_over_by_our_own_clock(visit: Visit, place: Place) -> None:
    for idle, end in ((1, 30 * MINUTE - 1), (0, 30 * MINUTE + MINUTE - 1)):
        # `seen` may lag by `touch_every`, which is granted on top
        touch_every = 0 if idle else MINUTE
        for more, body in ((0, b"ada"), (1, b"nobody"), (2, b"nobody")):
            site = visit(place, idle_timeout="30m", touch_every=touch_every)
            visitor = site.writer()
            site.clock.advance(end + more)
            assert len(site.records()) == (place.kind != "cookie"), "the store's time is another"
            assert visitor.get("/").body == body, (touch_every, end + more)
            assert len(site.records()) == (body == b"ada" and place.kind != "cookie")


@everywhere
def test_item_14_nothing_extends_a_lifetime(visit: Visit, place: Place) -> None:
    for path in ("/", "/write", "/small", "/rotate"):
        site = visit(place, idle_timeout="30m", lifetime="2h")
        visitor = site.writer()
        for _ in range(6):
            site.clock.advance(19 * MINUTE + 59)
            visitor.get(path)
            assert visitor.get("/").body == b"ada"
        site.clock.advance(5)
        assert visitor.get("/").body == b"ada", path
        site.clock.advance(1)
        assert visitor.get("/").body == b"nobody", path
        assert site.records() == [], path


@stored
def test_item_14_presets_keep_to_the_figures_of_nist(visit: Visit, place: Place) -> None:
    for level, lifetime, idle in (
        ("aal1", 30 * DAY, 30 * DAY),
        ("aal2", 12 * HOUR, 30 * MINUTE),
        ("aal3", 12 * HOUR, 15 * MINUTE),
    ):
        for more, body in ((-1, b"ada"), (0, b"nobody")):
            site = visit(place, preset=level)
            visitor = site.visitor()
            [line] = visitor.get("/write").all("set-cookie")
            assert "Max-Age" not in line
            site.clock.advance(idle + more)
            assert visitor.get("/").body == body, level
            site = visit(place, preset=level)
            visitor = site.writer()
            for _ in range(2 * lifetime // idle):
                site.clock.advance(idle // 2 - 1)
                assert visitor.get("/").body == b"ada", level
            site.clock.advance(2 * lifetime // idle + more)
            assert visitor.get("/").body == body, level
        laxer: list[dict[str, Any]] = [{"lifetime": lifetime + 1}, {"idle_timeout": idle + 1}]
        if level != "aal1":
            laxer += [{"transport": Cookie(persistent=True)}, {"remember_up_to": 1}]
        for options in laxer:
            with pytest.raises(ConfigError, match=level):
                visit(place, preset=level, **options)
        assert visit(place, preset=level, idle_timeout=60).writer().cookies


@everywhere
def test_item_15_no_cookie_has_to_expire_for_a_session_to_be_over(
    visit: Visit, place: Place
) -> None:
    for persistent, away in ((True, 12 * HOUR), (False, 12 * HOUR), (True, 31 * MINUTE + 1)):
        site = visit(place, transport=Cookie(persistent=persistent))
        visitor = site.visitor()
        [line] = visitor.get("/write").all("set-cookie")
        assert ("Max-Age=43200" in line) == persistent
        site.clock.advance(away)  # and the client presents it all the same
        assert visitor.get("/", cookie=line.partition(";")[0]).body == b"nobody"
        assert site.records() == []
