"""Items 4 to 27 of the security list as a whole application meets them: garbage is a new visitor.

Each test runs over WSGI and ASGI, on a memory store, on SQLite and on cookie-only sessions.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from visited_site import FACES, KINDS, NAME, Site, make

from holdfast import Cookie, Sessions, SessionTooLarge, open_store
from holdfast.testing.calls import Face

TOKEN = secrets.token_urlsafe(32)  # well-formed, and known to nobody


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Face:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def site(kind: str, face: Face, tmp_path: Path) -> Iterator[Site]:
    made = make(kind, face, tmp_path)
    yield made
    made.close()


GARBAGE = {
    "004 empty": f"{NAME}=",
    "004 blank": f"{NAME}= \t ",
    "004 one character": f"{NAME}=a",
    "004 ten kilobytes": f"{NAME}={'a' * 10_000}",
    "004 not ASCII": f"{NAME}={'é' * 43}",
    "004 up the path": f"{NAME}=../../../../etc/passwd",
    "004 star": f"{NAME}=*",
    "004 NUL": f"{NAME}={TOKEN[:20]}\0{TOKEN[21:]}",
    "004 CRLF": f"{NAME}={TOKEN[:20]}\r\n{TOKEN[22:]}",
    "004 one too short": f"{NAME}={TOKEN[:-1]}",
    "004 one too long": f"{NAME}={TOKEN}A",
    "004 padded": f"{NAME}={TOKEN}=",
    "004 not canonical": f"{NAME}={'A' * 42}B",
    "002 invented": f"{NAME}={TOKEN}",
    "019 control in front": f"\x1f{NAME}={TOKEN}",
    "019 no-break space in front": f"\xa0{NAME}={TOKEN}",
    "019 next line in front": f"\x85{NAME}={TOKEN}",
    "019 U+2000 in front": f"\xe2\x80\x80{NAME}={TOKEN}",
    "020 nameless": f"={NAME}={TOKEN}",
    "021 percent-encoded": f"%5F%5FHost-sid={TOKEN}",
    "022 other case": f"__host-sid={TOKEN}; __HOST-SID={TOKEN}",
    "023 quoted": f'{NAME}="{TOKEN}"',
    "023 octal": f'{NAME}="{TOKEN}\\073 Path=/"',
    "023 escaped quote": f'{NAME}="\\"{TOKEN}"',
    "025 chunk head": f"{NAME}=2.AAAAAAAAAAAAAAAAAAAAAA",
    "only separators": ";;; ; =; ==;",
    "a sealed look": f"{NAME}={secrets.token_urlsafe(300)}",
}


@pytest.mark.parametrize("raw", GARBAGE.values(), ids=GARBAGE)
def test_004_019_to_023_garbage_is_a_new_visitor_and_writes_nothing(site: Site, raw: str) -> None:
    visitor = site.visitor()
    for path in ("/untouched", "/", "/logout", "/clear"):
        answer = visitor.get(path, cookie=raw)
        assert (answer.status, answer.all("set-cookie")) == (200, []), path
        assert answer.body in (b"untouched", b"nobody")
    assert site.rows() == 0


@pytest.mark.parametrize("raw", GARBAGE.values(), ids=GARBAGE)
def test_002_what_the_client_invented_is_never_used(site: Site, raw: str) -> None:
    visitor = site.visitor()
    answer = visitor.get("/write", cookie=raw)
    [line] = answer.all("set-cookie")
    assert answer.status == 200
    assert TOKEN not in line
    assert visitor.cookies[NAME] not in raw
    assert visitor.get("/").body == b"ada"
    assert visitor.get("/", cookie=raw).body == b"nobody"


def test_004_malformed_tokens_never_reach_the_store(face: Face) -> None:
    store = open_store("memory://")
    site = Site(face, Sessions(store))
    store.close()  # whoever asks it now is answered with 503
    for name, raw in GARBAGE.items():
        if name != "002 invented":
            assert site.visitor().get("/", cookie=raw).status == 200, name
    assert site.visitor().get("/", cookie=f"{NAME}={TOKEN}").status == 503


def test_005_invented_tokens_at_rate_leave_no_row(site: Site) -> None:
    visitor = site.visitor()
    for _ in range(50):
        visitor.get("/", cookie=f"{NAME}={secrets.token_urlsafe(32)}")
    assert site.rows() == 0


def test_006_anonymous_logouts_leave_no_row_and_no_cookie(site: Site) -> None:
    visitor = site.visitor()
    for path in ("/logout", "/clear") * 10:
        assert visitor.get(path).all("set-cookie") == []
    assert site.rows() == 0


def test_007_a_token_counts_in_the_cookie_alone(site: Site) -> None:
    visitor = site.visitor()
    visitor.get("/write")
    token = visitor.cookies[NAME]
    headers = [("X-Auth-Token", token), ("Authorization", f"Bearer {token}"), (NAME, token)]
    assert site.visitor().get(f"/?{NAME}={token}", headers=headers).body == b"nobody"


def test_010_logout_expires_the_cookie_as_it_was_set(kind: str, face: Face, tmp_path: Path) -> None:
    cookie = Cookie("shop", domain="example.com", path="/x", partitioned=True, same_site="None")
    site = make(kind, face, tmp_path, transport=cookie)
    visitor = site.visitor()
    [set_line] = visitor.get("/write").all("set-cookie")
    old = dict(visitor.cookies)
    [expired] = visitor.get("/logout").all("set-cookie")
    assert expired.split("; ")[1:-2] == set_line.split("; ")[1:]
    assert expired.startswith("__Secure-shop=;")
    assert "Max-Age=0" in expired
    assert site.rows() == 0
    visitor.cookies = old
    if kind != "cookie":  # a cookie-only session is where the client keeps it: documented
        assert visitor.get("/").body == b"nobody"
    site.close()


def test_016_the_defaults_are_the_safe_ones(site: Site) -> None:
    [line] = site.visitor().get("/write").all("set-cookie")
    name, *attributes = line.split("; ")
    assert name.startswith("__Host-sid=")
    assert set(attributes) == {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"}


def test_018_plain_http_has_no_prefix(kind: str, face: Face, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="insecure"):
        cookie = Cookie(insecure=True)
    site = make(kind, face, tmp_path, transport=cookie)
    [line] = site.visitor().get("/write").all("set-cookie")
    assert line.startswith("sid=")
    assert "Secure" not in line.split("; ")
    site.close()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_022_of_two_cookies_of_our_name_none_is_used(site: Site, order: tuple[int, int]) -> None:
    visitor = site.visitor()
    visitor.get("/write")
    both = [visitor.cookies[NAME], TOKEN]
    raw = "; ".join(f"{NAME}={both[number]}" for number in order)
    site.events.clear()
    for path in ("/untouched", "/"):
        answer = visitor.twin().get(path, cookie=raw)
        [line] = answer.all("set-cookie")
        assert answer.body in (b"untouched", b"nobody")
        assert line.startswith(f"{NAME}=;")
        assert "Max-Age=0" in line
        assert answer.all("cache-control") == ["no-store"]
        assert answer.all("vary") == ["Cookie"]
    assert site.events.count("cookie_tossing") == 2
    assert site.visitor().get("/", cookie=f"{NAME}={both[0]}").body == b"ada"


def test_022_the_answer_to_two_cookies_may_be_a_new_one(site: Site) -> None:
    visitor = site.visitor()
    [line] = visitor.get("/write", cookie=f"{NAME}={TOKEN}; {NAME}={TOKEN}").all("set-cookie")
    assert "Max-Age=0" not in line
    assert visitor.get("/").body == b"ada"


def test_024_what_does_not_fit_is_an_error_before_anything_is_sent(
    face: Face, tmp_path: Path
) -> None:
    site = make("cookie", face, tmp_path)
    with pytest.raises(SessionTooLarge, match="big"):
        site.visitor().get("/big")


def test_025_chunks_grow_shrink_and_are_rejected_as_a_whole(face: Face, tmp_path: Path) -> None:
    site = make("cookie", face, tmp_path, transport=Cookie(max_chunks=4))
    visitor = site.visitor()
    visitor.get("/write")
    visitor.get("/big")
    assert len(visitor.cookies) == 4
    assert visitor.get("/").body == b"ada"
    spoilt = visitor.twin()
    del spoilt.cookies[f"{NAME}.2"]
    answer = spoilt.get("/")
    assert answer.body == b"nobody"
    assert len(answer.all("set-cookie")) == 3
    assert spoilt.cookies == {}
    assert "chunks_rejected" in site.events
    visitor.get("/small")
    assert list(visitor.cookies) == [NAME]
    assert visitor.get("/").body == b"ada"


def test_027_a_value_of_the_session_cannot_reach_set_cookie(site: Site) -> None:
    def view(session: Any, _path: str) -> object:
        session["name"] = "a\r\nSet-Cookie: evil=1; \0"
        return session["name"]

    [line] = site.visitor(view).get("/").all("set-cookie")
    assert not {"\r", "\n", "\0"} & set(line)
    assert "evil" not in line
