"""The article: its class over pytyrant, as printed, in an application that an .ini file sets up."""

import json
from pathlib import Path

import pytest

from compat.seeds import genuine, ours
from holdfast.compat.pytyrant import PyTyrant
from servers.tyrant import Tyrant

pytestmark = pytest.mark.server

# The two lines of the article's second block, an .ini file as its third, and a site of three pages.
SITE = """
import configparser, json, sys

from compat.documents import tcjson_article as tcjson
import beaker

beaker.cache.clsmap['ext:tcjson'] = tcjson.TokyoCabinetManager

ini = configparser.ConfigParser()
ini.read_string(sys.argv[1])

from beaker.middleware import SessionMiddleware

def site(environ, start_response):
    session = environ['beaker.session']
    if environ['PATH_INFO'] == '/login':
        session['user'] = 'zoe'
        session['cart'] = ['tea']
        session.save()
    elif environ['PATH_INFO'] == '/buy':
        session['cart'].append('milk')
        session.save()
    elif environ['PATH_INFO'] == '/logout':
        session.delete()
    body = json.dumps([session.get('user'), session.get('cart')])
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [body.encode()]

app = SessionMiddleware(site, dict(ini['app:main']))
cookie = sys.argv[2]
for page in sys.argv[3].split():
    answer = {}
    def start_response(status, headers, exc_info=None):
        answer.update((name.lower(), value) for name, value in headers)
    environ = {'PATH_INFO': page, 'REQUEST_METHOD': 'GET', 'HTTP_COOKIE': cookie}
    (body,) = app(environ, start_response)
    cookie = answer.get('set-cookie', cookie).split(';')[0]
    print(body.decode())
print(cookie)
"""


# On Beaker of today the article's two lines fail: `import beaker` shows no `cache`, and `clsmap`
# takes no assignment. (The genuine pytyrant is of Python 2, so ours is beside it.)
TODAY = "import beaker.cache\n" + SITE.replace("clsmap[", "clsmap._clsmap[")
FINISHED = SITE.replace("from compat.documents import tcjson_article as tcjson", "").replace(
    "beaker.cache.clsmap['ext:tcjson'] = tcjson.TokyoCabinetManager", ""
)


@pytest.fixture
def server(tyrant_of_old: Tyrant) -> Tyrant:
    t = PyTyrant.open(*tyrant_of_old.address)
    t.clear()
    t.close()
    return tyrant_of_old


def test_the_class_of_the_article_works_as_printed(server: Tyrant, tmp_path: Path) -> None:
    host, port = server.address
    ini = (
        f"[app:main]\nbeaker.session.type = ext:tcjson\nbeaker.session.url = {host}:{port}\n"
        f"beaker.session.lock_dir = {tmp_path}\n"
    )
    first = ours("beaker,pytyrant", SITE, ini, "", "/ /login /buy").split("\n")
    assert [json.loads(page) for page in first[:3]] == [
        [None, None],
        ["zoe", ["tea"]],
        ["zoe", ["tea", "milk"]],
    ]
    cookie = first[3]
    t = PyTyrant.open(host, port)
    try:
        (record,) = t.keys()
        assert record == f"{cookie.partition('=')[2]}_session"
        json.loads(t[record])
        later = ours("beaker,pytyrant", SITE, ini, cookie, "/ /logout /").split("\n")
        assert json.loads(later[0]) == ["zoe", ["tea", "milk"]]
        assert json.loads(later[2]) == [None, None]
        assert not t.keys()
    finally:
        t.close()


def test_the_article_moves_from_beaker_and_back(server: Tyrant, tmp_path: Path) -> None:
    host, port = server.address
    ini = (
        f"[app:main]\nbeaker.session.type = ext:tcjson\nbeaker.session.url = {host}:{port}\n"
        f"beaker.session.lock_dir = {tmp_path}\n"
    )

    def theirs(cookie: str, pages: str) -> list[str]:
        return genuine(TODAY, ini, cookie, pages, HOLDFAST_COMPAT="pytyrant").split("\n")

    cookie = theirs("", "/login")[1]
    steps = [
        theirs(cookie, "/buy"),
        ours("beaker,pytyrant", SITE, ini, cookie, "/buy", HOLDFAST_COMPAT_OLD_FORM="1").split(
            "\n"
        ),
        theirs(cookie, "/buy"),
        ours("beaker,pytyrant", SITE, ini, cookie, "/buy").split("\n"),
        ours("beaker", FINISHED, ini, cookie, "/buy").split("\n"),
    ]
    carts = [["tea", *["milk"] * number] for number in range(1, 6)]
    assert [json.loads(page) for page, *_ in steps] == [["zoe", cart] for cart in carts]


def test_the_type_of_ours_reads_what_it_says(server: Tyrant, tmp_path: Path) -> None:
    host, port = server.address
    site = FINISHED
    ini = f"[app:main]\nsession.type = ext:tcjson\nsession.url = {host}:{port}\n"
    cookie = ours("beaker", site, ini, "", "/login /buy").split("\n")[2]
    t = PyTyrant.open(host, port)
    try:
        record = json.loads(t[f"{cookie.partition('=')[2]}_session"])
        assert (record["user"], record["cart"]) == ("zoe", ["tea", "milk"])
    finally:
        t.close()
    assert json.loads(ours("beaker", site, ini, cookie, "/").split("\n")[0]) == [
        "zoe",
        ["tea", "milk"],
    ]
    assert not list(tmp_path.iterdir())


def test_importing_beaker_alone_shows_the_kinds_of_stores() -> None:
    said = ours("beaker", "import beaker; print('ext:tcjson' in beaker.cache.clsmap)")
    assert said.strip() == "True"
