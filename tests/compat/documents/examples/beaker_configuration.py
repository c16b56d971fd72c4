"""Beaker's document, section Configuration: its examples, with what they leave out put back (marked)."""

import sys
from configparser import ConfigParser

here = sys.argv[1]  # stands for /tmp


# missing: an application, a request, and what the examples show
def SomeWSGIAPP():
    def application(environ, start_response):
        environ["beaker.session"]["seen"] = True
        environ["beaker.session"].save()
        start_response("200 OK", [])
        return [b"ok"]

    return application


def cookies(app):
    sent = []
    list(app({"PATH_INFO": "/"}, lambda status, headers, exc_info=None: sent.extend(headers)))
    return sent[0][1].strip().partition("=")[0], "expires=" in sent[0][1]


INI = """
[app:main]
# Setting cookie_expires = true causes Beaker to omit the
# expires= field from the Set-Cookie: header, signaling the cookie
# should be discarded when the browser closes.
beaker.session.cookie_expires = true

beaker.session.data_dir = %(here)s/data/sessions/data
beaker.session.lock_dir = %(here)s/data/sessions/lock
"""

from beaker.middleware import SessionMiddleware

session_opts = {"session.cookie_expires": True}

app = SomeWSGIAPP()
app = SessionMiddleware(app, session_opts)
print("middleware", cookies(app))

# missing: the framework that reads the file
ini = ConfigParser(defaults={"here": here})
ini.read_string(INI)
print("ini", cookies(SessionMiddleware(SomeWSGIAPP(), dict(ini["app:main"]))))

from beaker.cache import CacheManager
from beaker.util import parse_cache_config_options

cache_opts = {
    "cache.type": "file",
    "cache.data_dir": here + "/cache/data",
    "cache.lock_dir": here + "/cache/lock",
}

cache = CacheManager(**parse_cache_config_options(cache_opts))
print("cache", cache.get_cache("some").get("key", createfunc=lambda: "made"))

session_opts = {
    "session.type": "ext:memcached",
    "session.url": sys.argv[2],  # 127.0.0.1:11211
}
print("memcached", cookies(SessionMiddleware(SomeWSGIAPP(), session_opts)))

cache_opts = {
    "cache.data_dir": here + "/cache/data",
    "cache.lock_dir": here + "/cache/lock",  # missing: the comma
    "cache.regions": "short_term, long_term",
    "cache.short_term.type": "ext:memcached",
    "cache.short_term.url": sys.argv[2],  # 127.0.0.1.11211, which is no address
    "cache.short_term.expire": "3600",
    "cache.long_term.type": "file",
    "cache.long_term.expire": "86400",
}  # missing
cache = CacheManager(**parse_cache_config_options(cache_opts))
for name in ("short_term", "long_term"):
    made = []
    kept = cache.region(name, "regions")(lambda word: made.append(word) or word * 2)
    print(name, kept("a"), kept("a"), made, cache.regions[name]["expire"])
