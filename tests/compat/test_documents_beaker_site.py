"""A shop on Beaker: the same pages there, here, and on the way between, on one store."""

import json
from pathlib import Path
from typing import Any

import pytest

from compat.seeds import genuine, ours
from servers.redis import RedisServer

SITE = Path(__file__).parent / "documents" / "beaker_site.py"
COMMON = """
[app:main]
beaker.session.type = {type}
beaker.session.data_dir = {folder}/sessions/data
beaker.session.lock_dir = {folder}/sessions/lock
beaker.session.key = shop
beaker.session.timeout = 3600
beaker.session.cookie_expires = true
beaker.session.httponly = true
{more}
cache.type = {cache}
cache.data_dir = {folder}/cache/data
cache.lock_dir = {folder}/cache/lock
cache.regions = short_term, long_term
cache.short_term.expire = 60
cache.long_term.type = file
cache.long_term.expire = 86400
"""
ENCRYPTED = "beaker.session.encrypt_key = a key\nbeaker.session.validate_key = another"

WALKS = """
/ /login?name=Zo%C3%AB / /buy?item=tea /template?q=a /template?q=a /search?q=gophers /search?q=gophers /region?q=b /thing?q=chair /alone /another
/ /buy?item=milk /doubt /template?q=a /template/anew?q=a /search?q=gophers /search?q=gophers&anew=1 /region?q=b&anew=1 /thing?q=chair /thing?q=table /another /alone
/ /forget / /template/anew /template?q=a /thing?q=chair&anew=1 /thing?q=table /search?q=gophers /region?q=b /buy?item=honey
/ /thing?q=chair /region?q=b /anew / /logout /
""".strip().split("\n")  # noqa: E501 - a walk in a line


class Place:
    """The options of a site that is written down once.

    Args:
        kind: Where its sessions are.
        folder: Its own.
        redis: The address of a database, if it is on Redis.
    """

    def __init__(self, kind: str, folder: Path, redis: str = "") -> None:
        kind, _, kept = kind.partition(", ")
        more = ENCRYPTED if kept == "encrypted" else "beaker.session.secret = a secret"
        cache = "file"
        if kind == "cookie":
            more = f"{ENCRYPTED}\nbeaker.session.samesite = Strict"
        elif kind == "ext:database":
            more += f"\nbeaker.session.url = sqlite:///{folder}/shop.db"
        elif kind == "ext:redis":
            more += f"\nbeaker.session.url = {redis}"
            more += f"\ncache.url = {redis}\ncache.short_term.url = {redis}"
            cache = kind
        self.ini = COMMON.format(type=kind, folder=folder, more=more, cache=cache)
        self.jar: dict[str, str] = {}

    def walk(self, how: str, *numbers: int) -> Any:
        """Go through the pages of these walks; return them."""
        pages = [page for number in numbers for page in WALKS[number].split()]
        given = (self.ini, json.dumps(self.jar), *pages)
        if how == "genuine":
            said = genuine(SITE, *given)
        else:
            old_form = "1" if how == "old form" else "0"
            said = ours("beaker", SITE, *given, HOLDFAST_COMPAT_OLD_FORM=old_form)
        found, self.jar = json.loads(said)
        return found


KINDS = [
    "file",
    "file, encrypted",
    "ext:database",
    "cookie",
    pytest.param("ext:redis", marks=pytest.mark.server),
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_shop_moves_and_nobody_notices(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    urls = ["", ""]
    if kind == "ext:redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        urls = [f"{server.url}/13", f"{server.url}/14"]
    for folder in ("stays", "moves"):
        (tmp_path / folder).mkdir()
    stays, moves = (
        Place(kind, tmp_path / "stays", urls[0]),
        Place(kind, tmp_path / "moves", urls[1]),
    )
    expected = stays.walk("genuine", 0, 1, 2, 3)
    moved = [
        *moves.walk("genuine", 0),
        *moves.walk("old form", 1),
        *moves.walk("genuine", 2),
        *moves.walk("ours", 3),
    ]
    assert moved == expected
    # nobody was logged out, and what was cached was found
    users = [found["user"] for page, found, *_ in moved if page == "/"]
    assert users == [None, "Zoë", "Zoë", "Zoë", "Zoë", "Zoë", "new", None]
    assert [made for page, _, made, _ in moved if page == "/thing?q=chair"] == [
        ["chair", "a-z"],
        [],
        [],
    ]
