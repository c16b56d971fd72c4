"""The document's own settings, as .ini files; completed by ports and what was cut off."""

import json

import pytest
import redis

from compat.seeds import ours
from fuzz.perl_images import image
from holdfast.store.memcached.plain import Flagged, PlainMemcached
from servers.memcached import MemcachedServer
from servers.redis import RedisServer

pytestmark = [pytest.mark.server, pytest.mark.slow]

CACHE = """
kvs.cache = {"kvs": "redis",
             "codec": "pickle",
             "kvs_kwargs": {},
             "ttl": 300,
             "key_prefix": "cache::"}
"""
COOKIE = """
kvs.session = {"kvs": "redis",
               "key_name": "session_id",
               "session_type": "cookie",
               "ttl": 300,
               "key_prefix": "session::"}
"""
HEADER = """
kvs.session = {"kvs": "redis",
               "key_name": "X-Auth-Token",
               "session_type": "header",
               "ttl": 300,
               "key_prefix": "session::"}
kvs.ratelimit = {"window": 1, "limit": 15}
"""
PERL = """
# declare the perlsess
kvs.perlsess = {"type": "memcached"}
"""
DEVELOPMENT = """
# declare the application cache
# except type, every keys are optional
kvs.cache = {"type": "redis"}

# declare the session
kvs.session = {"type": "redis"}

# Authorize a session holder to do 20 http queries max in 2 seconds.
kvs.ratelimit = {"window": 2, "limit": 20}
"""
MOCK = """
kvs.cache = {"kvs": "mock"}
kvs.session = {"kvs": "mock"}
"""
INCLUDES = {MOCK: "pyramid_kvs.testing"}
EXAMPLES = [CACHE, COOKIE, HEADER, PERL, DEVELOPMENT, MOCK]

SITE = """
import configparser, json, sys, warnings
warnings.simplefilter("ignore")
from pyramid.config import Configurator
from pyramid.response import Response
from webtest import TestApp

def page(request):
    found = {}
    if hasattr(request, "cache"):
        found["cache"] = request.cache.get("seen")
        request.cache["seen"] = [1, "two"]
    if hasattr(request, "perlsess"):
        found["perlsess"] = request.perlsess.get("login")
    if "kvs.session" in request.registry.settings:
        found["session"] = request.session.get("visits", 0)
        request.session["visits"] = found["session"] + 1
    return Response(json.dumps(found))

clients = {
    "redis": {"port": int(sys.argv[2]), "db": 12},
    "memcached": {"servers": [sys.argv[3]]},
    "mock": {},
}
said = []
for text in json.loads(sys.argv[1]):
    ini = configparser.RawConfigParser()
    ini.read_string("[app:main]" + chr(10) + text)
    settings = dict(ini["app:main"])
    for name in settings:
        if name.startswith("kvs.") and name != "kvs.ratelimit":
            told = json.loads(settings[name])
            told["kvs_kwargs"] = clients[told.get("kvs") or told["type"]]
            settings[name] = json.dumps(told)
    config = Configurator(settings=settings)
    config.add_view(page)
    app = TestApp(config.make_wsgi_app())
    app.set_cookie("session_id" if "perlsess" in text else "other", "abc")
    for _ in range(2):
        found = app.get("/", headers={"X-Auth-Token": "token"})
        if "ratelimit" in text:
            assert int(found.headers["X-RateLimit-Remaining"]) in {13, 14, 18, 19}
        said.append([json.loads(found.text), found.headers.get("X-RateLimit-Limit")])
print(json.dumps(said))
"""


def test_the_examples_of_the_document(
    redis_server: RedisServer, memcached_server: MemcachedServer
) -> None:
    server = f"127.0.0.1:{memcached_server.port}"
    store = PlainMemcached([server], module="memcache")
    store.put("perlsess::abc", Flagged(image("session"), 1), 60)
    store.close()
    client = redis.Redis(port=redis_server.port, db=12)
    client.flushdb()
    client.close()
    texts = [
        f"pyramid.includes =\n    {INCLUDES.get(text, 'pyramid_kvs')}\n{text}" for text in EXAMPLES
    ]
    said = json.loads(ours("pyramid_kvs", SITE, json.dumps(texts), redis_server.port, server))
    assert said == [
        [{"cache": None}, None],
        [{"cache": [1, "two"]}, None],
        [{"session": 0}, None],
        [{"session": 1}, None],
        [{"session": 0}, "15"],
        [{"session": 1}, "15"],
        [{"perlsess": "ada"}, None],
        [{"perlsess": "ada"}, None],
        [{"cache": [1, "two"], "session": 0}, "20"],  # of the first, under another codec
        [{"cache": [1, "two"], "session": 1}, "20"],
        [{"cache": None, "session": 0}, None],
        [{"cache": [1, "two"], "session": 1}, None],
    ]
