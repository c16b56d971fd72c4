"""pycket's applications: the same pages on the genuine library and on ours, on the same records."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from compat.seeds import genuine, ours
from servers.memcached import MemcachedServer
from servers.redis import RedisServer

pytestmark = [pytest.mark.server, pytest.mark.slow]

APP = Path(__file__).parent / "pycket_app.py"
Jar = dict[str, str]
Walk = Callable[..., tuple[list[Any], Jar]]


@pytest.fixture(params=["redis", "memcached"])
def walk(request: pytest.FixtureRequest) -> Walk:
    """Return a function that walks through pages of the shop, on a server of this kind."""
    kind: str = request.param
    server: RedisServer | MemcachedServer = request.getfixturevalue(f"{kind}_server")

    def walk(
        how: Literal["genuine", "ours", "old form"], jar: Jar, *pages: str
    ) -> tuple[list[Any], Jar]:
        words = (kind, server.port, json.dumps(jar), *pages)
        if how == "genuine":
            said = genuine(APP, *words)
        else:
            old_form = "1" if how == "old form" else "0"
            said = ours("pycket", APP, *words, HOLDFAST_COMPAT_OLD_FORM=old_form)
        answers, jar = json.loads(said)
        return answers, jar

    return walk


SHOP = ["/buy?item=tea", "/login?name=Ada", "/", "/", "/buy?item=milk", "/loose", "/logout", "/"]


def test_the_same_pages(walk: Walk) -> None:
    [_, *theirs], _ = walk("genuine", {}, "/", *SHOP)
    [_, *mine], _ = walk("ours", {}, "/", *SHOP)
    assert mine == theirs
    assert [page for _, page, _ in mine] == [
        "bought",
        "",
        "Ada has tea; welcome",
        "Ada has tea; ",
        "bought",
        '[["bar", "baz"], ["cart", "foo", "user"], true]',
        "out",
        "nobody has tea,milk; ",
    ]


def test_nobody_is_logged_out_by_the_move_nor_by_the_way_back(walk: Walk) -> None:
    _, jar = walk("genuine", {}, "/", "/login?name=Ada", "/buy?item=tea")
    [home, *_], after = walk("ours", jar, "/")
    assert (home[1], after) == ("Ada has tea; welcome", jar)
    # both at once, for a while
    walk("old form", jar, "/buy?item=milk", "/login?name=Ada")
    [home, *_], after = walk("genuine", jar, "/")
    assert (home[1], after) == ("Ada has tea,milk; welcome", jar)
    # and by itself
    walk("ours", jar, "/buy?item=honey")
    assert walk("ours", jar, "/")[0][0][1] == "Ada has tea,milk,honey; "


def test_a_first_visit_keeps_what_it_wrote(walk: Walk) -> None:
    # The genuine library makes an id at each call then, and the cookie has the last one.
    assert walk("genuine", {}, "/login?name=Ada", "/")[0][1][1] == "nobody has ; welcome"
    answers, jar = walk("ours", {}, "/login?name=Ada", "/")
    assert answers[1][1] == "Ada has ; welcome"
    assert answers[0][2] == ["expires", "Path"]
    assert list(jar) == ["PYCKET_ID"]


WORDS = [
    "s.set('a', 1); s.get('a'); s['a']; s['zz']; 'a' in s; 'zz' in s",
    "s.set('x', None); 'x' in s; s['x']; s.get('x', 5); list(s); s.keys(); list(s.iterkeys())",
    "s.delete('nope'); s.delete('a', 'x'); s.keys(); s.__delitem__('a')",
    "s.set('a', [1]); s.get('a').append(2); s.get('a')",
    "n.set('m', 'hi'); n.get('m'); n.get('m'); n.get('m', 'd'); n['m']",
    "n.set('m', 0); 'm' in n; n['m']; 'm' in n; n.set('k', None); n.get('k', 1); n.delete('k')",
    "len(s); bool(s); s.set(5, {1: 2}); s.get(5); s.set('t', (1, {2}, 1.5, b'b')); s.get('t')",
    "s.set('f', frozenset({1})); s.get('f'); s.delete(); s.delete(5, 't', 'f', 'a')",
    "n.keys(); s.keys(); s.SESSION_ID_NAME; s.STORAGE_CATEGORY; n.STORAGE_CATEGORY",
    "s.driver.EXPIRE_SECONDS; s.settings['cookies']['expires_days']",
    "s.handler is n.handler; s.nothing; s.get(); s.set('a'); n.delete('m', 'k')",
]


def test_the_same_word_by_word(walk: Walk) -> None:
    said = [f"/try?do={words.replace('; ', ';')}" for words in WORDS]
    [_, *theirs], _ = walk("genuine", {}, "/", *said)
    [_, *mine], _ = walk("ours", {}, "/", *said)
    assert [status for status, _, _ in mine] == [200] * len(WORDS)
    for their, my in zip(theirs, mine, strict=True):
        assert json.loads(my[1]) == json.loads(their[1])
