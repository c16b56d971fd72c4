"""A shop on Beaker, written from its document alone, and a visitor who walks through it.

    beaker_site.py INI JAR PAGE...

INI holds the options of sessions and caches, as a framework hands them over. Prints the pages and the cookies as JSON.
"""

import json
import sys
from configparser import RawConfigParser
from urllib.parse import parse_qsl

from beaker.cache import cache_region, region_invalidate
from beaker.middleware import CacheMiddleware, SessionMiddleware

ini = RawConfigParser()
ini.read_string(sys.argv[1])
options = dict(ini["app:main"])
in_cookie = options["beaker.session.type"] == "cookie"
made = []


def create(what):
    """Make what pages are made of; it is slow, so it is cached."""
    made.append(what)
    return {"what": what, "of": [what.upper(), (1, 2.5, None)]}


class Catalogue:
    @cache_region("long_term", "catalogue")
    def thing(self, name):
        return create(name)

    @classmethod
    @cache_region("short_term", "all")
    def everything(cls, first, last):
        return create(f"{first}-{last}")


def home(session, cache, asked):
    session["visits"] = session.get("visits", 0) + 1
    session.save()
    return {
        "user": session.get("user"),
        "in": "user" in session,
        "visits": session["visits"],
        "cart": session.get("cart"),
        "seen before": getattr(session, "last_accessed", None) is not None,  # a cookie's has it not
        "times": session.get("_creation_time", 0) <= session.get("_accessed_time", 1),
    }


def login(session, cache, asked):
    session["user"] = asked["name"]
    session["since"] = {"by": ["password", 1.5], "flags": (True, None)}
    session.save()
    return session["since"]["by"]


def buy(session, cache, asked):
    session["cart"] = [*session.get("cart", []), asked["item"]]
    session.save()
    session.persist()
    return session["cart"]


def forget(session, cache, asked):
    del session["cart"]
    session.save()
    return sorted(name for name in session if name[0] != "_")


def doubt(session, cache, asked):
    session["user"] = "somebody else"
    session.revert()
    session.save()
    return session.get("user")


def alone(session, cache, asked):
    if in_cookie:
        return "nothing to lock"
    session.lock()
    try:
        return "locked"
    finally:
        session.unlock()


def another(session, cache, asked):
    if in_cookie:
        return "no other"
    session.save()
    session.persist()
    other = session.get_by_id(session.id)
    return [other["user"], session.get_by_id("0" * 32) is None]


def anew(session, cache, asked):
    before = session.id
    session.invalidate()
    session["user"] = "new"
    session.save()
    return session.id != before


def logout(session, cache, asked):
    session.delete()
    return "bye"


def template(session, cache, asked):
    tmpl_cache = cache.get_cache("mytemplate.html", type="dbm", expire=3600)
    found = tmpl_cache.get(key=asked["q"], createfunc=lambda: create("template " + asked["q"]))
    return [found, asked["q"] in tmpl_cache]


def template_anew(session, cache, asked):
    tmpl_cache = cache.get_cache("mytemplate.html", type="dbm", expire=3600)
    if "q" in asked:
        tmpl_cache.remove_value(key=asked["q"])
    else:
        tmpl_cache.clear()
    return template(session, cache, {"q": asked.get("q", "c")})


def search(session, cache, asked):
    @cache.cache("my_search_func", expire=3600)
    def get_results(search_param):
        return create("results for " + search_param)

    if "anew" in asked:
        cache.invalidate(get_results, "my_search_func", asked["q"])
    return get_results(asked["q"])


def region(session, cache, asked):
    @cache.region("short_term", "by_region")
    def load(term, limit):
        return create(f"{term} {limit}")

    if "anew" in asked:
        cache.region_invalidate(load, None, "by_region", asked["q"], 20)
    return load(asked["q"], 20)


def thing(session, cache, asked):
    catalogue = Catalogue()
    if "anew" in asked:
        region_invalidate(catalogue.thing, None, "catalogue", asked["q"])
    return [catalogue.thing(asked["q"]), Catalogue.everything("a", "z")]


PAGES = {
    "/": home,
    "/login": login,
    "/buy": buy,
    "/forget": forget,
    "/doubt": doubt,
    "/alone": alone,
    "/another": another,
    "/anew": anew,
    "/logout": logout,
    "/template": template,
    "/template/anew": template_anew,
    "/search": search,
    "/region": region,
    "/thing": thing,
}


def shop(environ, start_response):
    session, cache = environ["beaker.session"], environ["beaker.cache"]
    del made[:]
    found = PAGES[environ["PATH_INFO"]](session, cache, dict(parse_qsl(environ["QUERY_STRING"])))
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps([found, made]).encode()]


app = SessionMiddleware(CacheMiddleware(shop, options), options)
jar = json.loads(sys.argv[2])
pages = []
for page in sys.argv[3:]:
    path, _, query = page.partition("?")
    cookies = "; ".join(f"{name}={value}" for name, value in jar.items())
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query}
    sent = []
    body = app(
        {**environ, "HTTP_COOKIE": cookies}, lambda _, headers, exc=None: sent.extend(headers)
    )
    said = []
    for name, value in sent:
        if name.lower() == "set-cookie":
            cookie, *attributes = value.strip().split("; ")
            name, _, value = cookie.partition("=")
            jar[name] = value
            said = sorted(each.partition("=")[0] for each in attributes)
            if "expires" in said and path == "/logout":
                del jar[name]
    pages.append([page, *json.loads(b"".join(body)), said])
print(json.dumps([pages, jar]))
