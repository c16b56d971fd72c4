"""pyramid_beaker's document: its .ini file and its three ways to use it, completed (marked)."""

import sys
from configparser import ConfigParser

from beaker.cache import cache_region, cache_regions
from pyramid.config import Configurator
from pyramid.response import Response

INI = """
[app:myapp]
session.type = file
session.data_dir = %(here)s/data/sessions/data
session.lock_dir = %(here)s/data/sessions/lock
session.key = mykey
session.secret = mysecret
session.cookie_on_exception = true

cache.regions = default_term, second, short_term, long_term
cache.type = memory
cache.second.expire = 1
cache.short_term.expire = 60
cache.default_term.expire = 300
cache.long_term.expire = 3600
"""
# missing: who reads it, and two pages
ini = ConfigParser(defaults={"here": sys.argv[1]})
ini.read_string(INI)
settings = dict(ini["app:myapp"])
made = []


def get_root(request):
    return {}


@cache_region("long_term", "kept")
def kept():
    made.append(1)
    return len(made)


def page(request):
    request.session["n"] = request.session.get("n", 0) + 1
    return Response(f"{request.session['n']} {request.session.get('failed')}")


def cached(request):
    return Response(f"{kept()} {kept()}")


def failing(request):
    request.session["failed"] = "kept"
    raise LookupError


def failed(error, request):
    return Response("an exception view", status=500)


def views(config):
    config.add_view(page)
    config.add_view(cached, name="cached")
    config.add_view(failing, name="failing")
    config.add_view(failed, context=LookupError)


def visit(app, *paths):
    jar = ""
    for path in paths:
        environ = {
            "PATH_INFO": path,
            "REQUEST_METHOD": "GET",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "HTTP_COOKIE": jar,
        }
        sent = []
        body = b"".join(app(environ, lambda status, headers, exc_info=None: sent.extend(headers)))
        cookies = [value for name, value in sent if name == "Set-Cookie"]
        jar = cookies[-1].partition(";")[0] if cookies else jar
        print(path, body.decode(), [each.partition("=")[0] for each in cookies])


from pyramid_beaker import session_factory_from_settings


def app(global_config, **settings):
    """This function returns a WSGI application.

    It is usually called by the PasteDeploy framework during
    ``paster serve``.
    """
    session_factory = session_factory_from_settings(settings)
    config = Configurator(root_factory=get_root, settings=settings)
    config.set_session_factory(session_factory)
    views(config)  # ... other configuration stuff...
    return config.make_wsgi_app()


visit(app({}, **settings), "/", "/", "/failing", "/")

from pyramid_beaker import set_cache_regions_from_settings


def app(global_config, **settings):
    """This function returns a WSGI application.

    It is usually called by the PasteDeploy framework during
    ``paster serve``.
    """
    set_cache_regions_from_settings(settings)
    config = Configurator(root_factory=get_root, settings=settings)
    views(config)  # ... other configuration stuff...
    return config.make_wsgi_app()


visit(app({}, **settings), "/cached", "/cached")
print(
    {
        name: (each["expire"], each["type"], each["key_length"])
        for name, each in cache_regions.items()
    }
)

config = Configurator(settings=settings)
config.include("pyramid_beaker")
views(config)  # missing
visit(config.make_wsgi_app(), "/", "/", "/failing", "/")

config = Configurator(settings={**settings, "pyramid.includes": "pyramid_beaker"})
views(config)
visit(config.make_wsgi_app(), "/", "/")

from pyramid_beaker import BeakerSessionFactoryConfig

config = Configurator(settings=settings)
config.set_session_factory(BeakerSessionFactoryConfig(type="memory", cookie_on_exception=False))
views(config)
visit(config.make_wsgi_app(), "/", "/failing", "/")
