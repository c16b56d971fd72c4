"""Items 1 to 8 of the security list: ids, and how they travel."""

import base64
import re
import secrets
from typing import Any

import pytest
from visited_site import NAME, Place, Visit, everywhere, in_front, stored, visiting

from holdfast import Cookie, Sessions
from holdfast.session.token import id_of
from holdfast.testing.faults import FaultyStore

visit = pytest.fixture(visiting)

MINUTE, HOUR, DAY = 60, 3600, 86_400
INVENTED = secrets.token_urlsafe(32)  # well-formed, and known to nobody

MALFORMED = {
    "empty": "",
    "blank": " \t ",
    "one character": "a",
    "ten kilobytes": "a" * 10_000,
    "not ASCII": "é" * 43,
    "up the path": "../../../../etc/passwd",
    "up the path, as long as a token": "../" * 14 + "A",
    "star": "*",
    "as many stars as a token is long": "*" * 43,
    "NUL": f"{INVENTED[:20]}\0{INVENTED[21:]}",
    "CRLF": f"{INVENTED[:20]}\r\n{INVENTED[22:]}",
    "one too short": INVENTED[:-1],
    "one too long": f"{INVENTED}A",
    "padded": f"{INVENTED}=",
    "another spelling of the same bytes": "A" * 42 + "B",
    "an id": "a" * 64,
    "a sealed look": secrets.token_urlsafe(300),
    "a chunk head": "2.AAAAAAAAAAAAAAAAAAAAAA",
}


@stored
def test_item_01_a_token_is_256_random_bits(visit: Visit, place: Place) -> None:
    site = visit(place)
    tokens = [site.writer().cookies[NAME] for _ in range(48)]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens)
    numbers = [int.from_bytes(base64.urlsafe_b64decode(f"{token}=")) for token in tokens]
    ones, zeros = 0, 0
    for number in numbers:
        ones, zeros = ones | number, zeros | ~number
    every = 2**256 - 1
    assert (ones & every, zeros & every) == (every, every), "a bit is the same in all of them"


@everywhere
def test_item_02_an_id_the_client_chose_is_never_used(visit: Visit, place: Place) -> None:
    site = visit(place)
    for path in ("/", "/untouched", "/logout"):
        answer = site.visitor().get(path, cookie=f"{NAME}={INVENTED}")
        assert (answer.status, answer.all("set-cookie")) == (200, [])
    assert site.rows() == {}
    for path in ("/write", "/login", "/rotate"):
        visitor = site.visitor()
        visitor.get(path, cookie=f"{NAME}={INVENTED}")
        if path == "/rotate":  # there is nothing to give a new token to
            assert visitor.cookies == {}
        else:
            assert INVENTED not in visitor.cookies[NAME]
    everything = b"".join(key.encode() + raw for key, raw in site.rows().items())
    for trace in (INVENTED, id_of(INVENTED) or ""):
        assert trace.encode() not in everything
    assert site.ask(INVENTED).body == b"nobody"


@everywhere
def test_item_03_the_id_of_what_is_gone_is_not_used_again(visit: Visit, place: Place) -> None:
    def purge(site: Any, handle: str) -> None:
        assert site.sessions.store.delete(f"s:{handle}")

    def expire(site: Any, _handle: str) -> None:
        site.clock.advance(13 * HOUR)

    def destroy(site: Any, handle: str) -> None:
        assert site.sessions.destroy(handle)

    kept_here = [] if place.kind == "cookie" else [purge, destroy]
    for end in [expire, *kept_here]:
        for first in ("/", "/write"):
            site = visit(place)
            visitor = site.writer()
            old = visitor.cookies[NAME]
            end(site, id_of(old) or "")
            if first == "/":
                assert visitor.get("/").body == b"nobody", end
                assert site.records() == [], end
            visitor.get("/write", cookie=f"{NAME}={old}")
            assert visitor.cookies[NAME] != old, end
            assert visitor.get("/").body == b"ada", end
            assert site.ask(old).body == b"nobody", end
            if kept_here:
                assert site.records() == [id_of(visitor.cookies[NAME])], end


@stored
def test_item_04_a_malformed_token_never_reaches_the_store(visit: Visit, place: Place) -> None:
    site = visit(place, around=FaultyStore)
    store = site.sessions.store
    assert isinstance(store, FaultyStore)
    with store.fail() as any_call:
        for name, token in MALFORMED.items():
            for path in ("/", "/logout", "/clear"):
                answer = site.visitor().get(path, cookie=f"{NAME}={token}")
                assert (answer.status, answer.all("set-cookie")) == (200, []), (name, path)
        assert any_call.struck == 0
        assert site.ask(INVENTED).status == 503
        assert any_call.struck == 1
    for name, token in MALFORMED.items():
        visitor = site.visitor()
        visitor.get("/write", cookie=f"{NAME}={token}")
        assert visitor.get("/").body == b"ada", name
    assert len(site.rows()) == len(MALFORMED)


@in_front
def test_item_04_nor_is_anything_made_of_it(visit: Visit, place: Place) -> None:
    site = visit(place)
    for name, token in MALFORMED.items():
        for path in ("/untouched", "/", "/logout", "/clear"):
            answer = site.visitor().get(path, cookie=f"{NAME}={token}")
            assert (answer.status, answer.all("set-cookie")) == (200, []), (name, path)
    assert site.rows() == {}


@everywhere
def test_item_05_invented_ids_at_rate_leave_no_row(visit: Visit, place: Place) -> None:
    site = visit(place)
    site.writer()
    before = site.rows()
    for _ in range(25):
        token = secrets.token_urlsafe(32)
        for path in ("/", "/untouched"):
            assert site.visitor().get(path, cookie=f"{NAME}={token}").all("set-cookie") == []
    assert site.rows() == before


@everywhere
def test_item_06_logging_out_nobody_leaves_no_row_and_no_cookie(visit: Visit, place: Place) -> None:
    site = visit(place)
    visitor = site.visitor()
    for path in ("/logout", "/clear", "/rotate") * 5:
        for cookie in (None, f"{NAME}={INVENTED}"):
            assert visitor.get(path, cookie=cookie).all("set-cookie") == []
    assert site.rows() == {}


@in_front
def test_item_07_a_token_counts_in_the_cookie_alone(visit: Visit, place: Place) -> None:
    site = visit(place)
    token = site.writer().cookies[NAME]
    pair = f"{NAME}={token}"
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    headers = [("X-Auth-Token", token), ("Authorization", f"Bearer {token}"), (NAME, token)]
    for stranger in (
        site.visitor().get(f"/?{pair}"),
        site.visitor().get(f"/?sid={token}"),
        site.visitor().get("/", headers=[*headers, ("X-Cookie", pair), ("Cookie2", pair)]),
        site.visitor().get("/", method="POST", headers=form, body=pair.encode()),
        site.visitor().get("/", method="POST", headers=form, body=f"sid={token}".encode()),
    ):
        assert stranger.body == b"nobody"
        assert stranger.all("set-cookie") == []
    assert site.ask(token).body == b"ada"


@everywhere
def test_item_08_login_and_rotation_give_a_token_nobody_had(visit: Visit, place: Place) -> None:
    for verb in ("login", "rotate"):
        site = visit(place)
        visitor = site.writer()
        old = visitor.cookies[NAME]
        answer = visitor.get(f"/{verb}")
        assert len(answer.all("set-cookie")) == 1
        assert visitor.cookies[NAME] != old
        assert visitor.get("/").body == b"ada"
        if place.kind != "cookie":  # there the old cookie is what its holder can keep: item 39
            assert site.ask(old).body == b"nobody"
            assert site.records() == [id_of(visitor.cookies[NAME])]


@everywhere
def test_item_08_login_replaces_the_csrf_token(visit: Visit, place: Place) -> None:
    site = visit(place)
    visitor, forms = site.writer(), list[str]()

    def view(session: Any, path: str) -> object:
        if path == "/login":
            session.login("ada")
        forms.append(session.csrf_token())
        return [session.check_csrf(form) for form in forms]

    visitor.app = site.visitor(view).app
    assert visitor.get("/").body == b"[True]"
    assert visitor.get("/").body == b"[True, True]"
    assert visitor.get("/login").body == b"[False, False, True]"
    assert visitor.get("/").body == b"[False, False, True, True]"


@everywhere
def test_item_08_a_login_of_another_takes_nothing_along(visit: Visit, place: Place) -> None:
    site = visit(place)

    def view(session: Any, path: str) -> object:
        session.login(path[1:])
        session[path] = 1
        return sorted(session)

    visitor = site.visitor(view)
    assert visitor.get("/ada").body == b"['/ada']"
    assert visitor.get("/ada").body == b"['/ada']"
    assert visitor.get("/eve").body == b"['/eve']"


def test_item_01_there_is_no_option_that_makes_tokens_shorter() -> None:
    for make in (Sessions.__init__, Cookie.__init__):
        words = set(make.__annotations__)
        assert not {word for word in words if re.search(r"bits|bytes|length|token|entropy", word)}
