"""A site with Beaker's sessions and caches on two memcached servers, before and after."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat.seeds import genuine, ours
from servers.memcached import run_memcached

pytestmark = [pytest.mark.server, pytest.mark.slow]

_SITE = """
import json, sys
import beaker.ext.memcached as module
from beaker.cache import CacheManager
from beaker.middleware import SessionMiddleware
from beaker.util import parse_cache_config_options
url, locks, cookie, library, *paths = sys.argv[1:]
ours = "holdfast" in module.MemcachedNamespaceManager.__module__
if library == "memcache" and ours:
    library = "python3-memcached"  # what `import memcache` is in the other
caches = CacheManager(**parse_cache_config_options({
    "cache.type": "ext:memcached", "cache.url": url, "cache.memcache_module": library,
    "cache.lock_dir": locks}))
made = []
@caches.cache("price", expire=600)
def price(what):
    made.append(what)
    return {"what": what, "price": len(what)}
def site(environ, start_response):
    session, path = environ["beaker.session"], environ["PATH_INFO"]
    if path == "/login":
        session["user"] = "ada"
        session.save()
    elif path == "/count":
        session["visits"] = session.get("visits", 0) + 1
        session.save()
    elif path == "/logout":
        session.delete()
    elif path == "/clear":
        caches.get_cache("other").clear()
    elif path == "/price":
        price("two words")
    start_response("200 OK", [("Content-Type", "text/plain")])
    found = [session.get("user"), session.get("visits"), price("two words"), len(made)]
    return [json.dumps(found).encode()]
app = SessionMiddleware(site, {
    "session.type": "ext:memcached", "session.url": url, "session.memcache_module": library,
    "session.key": "sid", "session.auto": "false", "session.lock_dir": locks})
pages = []
for path in paths:
    sent = []
    environ = {"PATH_INFO": path, "REQUEST_METHOD": "GET", "HTTP_COOKIE": cookie,
        "SERVER_NAME": "x", "SERVER_PORT": "80", "wsgi.url_scheme": "http", "SCRIPT_NAME": ""}
    body = b"".join(app(environ, lambda status, headers, info=None: sent.extend(headers)))
    pages.append([path, json.loads(body)])
    for name, value in sent:
        if name.lower() == "set-cookie":
            cookie = value.partition(";")[0]
print(json.dumps([cookie, pages]))
"""
_OLD = "import holdfast.compat; holdfast.compat.configure(old_form=True)\n"


@pytest.fixture
def url() -> Iterator[str]:
    with run_memcached() as one, run_memcached() as two:
        yield f"127.0.0.1:{one.port};127.0.0.1:{two.port}"


@pytest.mark.parametrize("library", ["memcache", "bmemcached"])
def test_nobody_is_logged_out_on_the_way_there_and_back(
    url: str, library: str, tmp_path: Path
) -> None:
    at = (url, tmp_path)
    cookie, before = json.loads(genuine(_SITE, *at, "", library, "/login", "/count"))
    assert before[-1] == ["/count", ["ada", 1, {"what": "two words", "price": 9}, 1]]

    after_cookie, pages = json.loads(ours("beaker", _OLD + _SITE, *at, cookie, library, "/count"))
    assert pages == [["/count", ["ada", 2, {"what": "two words", "price": 9}, 0]]]
    assert after_cookie == cookie

    _, back = json.loads(genuine(_SITE, *at, cookie, library, "/count"))
    assert back == [["/count", ["ada", 3, {"what": "two words", "price": 9}, 0]]]

    _, safe = json.loads(ours("beaker", _SITE, *at, cookie, library, "/count", "/clear", "/x"))
    assert [page[1][:2] for page in safe] == [["ada", 4]] * 3
    _, again = json.loads(ours("beaker", _SITE, *at, cookie, library, "/count", "/logout", "/x"))
    assert [page[1][:2] for page in again] == [["ada", 5], [None, None], [None, None]]
