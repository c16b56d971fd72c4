"""A shop on WSGI over Beaker's two middlewares, which gunicorn starts; as people write it.

SHOP holds the options as JSON; MADE is a file that tells when a value was being made.
"""

import json
import os
import time
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from beaker.middleware import CacheMiddleware, SessionMiddleware

OPTIONS = json.loads(os.environ["SHOP"])


def tell(what: str) -> None:
    # by one call, so that the lines of all processes stand in the order of what they tell
    line = f"{what} {os.getpid()}\n".encode()
    descriptor = os.open(os.environ["MADE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line)
    os.close(descriptor)


def news(topic: str) -> list[str]:
    tell(f"{topic} begin")
    time.sleep(0.05)
    tell(f"{topic} end")
    return [topic]


def shop(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    session, asked = environ["beaker.session"], dict(parse_qsl(environ["QUERY_STRING"]))
    said: Any = os.getpid()
    if environ["PATH_INFO"] == "/login":
        session["user"] = asked["name"]
        session.save()
    elif environ["PATH_INFO"] == "/buy":
        session[asked["what"]] = asked["count"]
        session.save()
    elif environ["PATH_INFO"] == "/cart":
        said = {name: session[name] for name in session if name[:1] != "_"}
    elif environ["PATH_INFO"] == "/news":
        cache = environ["beaker.cache"].get_cache("news")
        said = cache.get(
            key=asked["topic"], createfunc=partial(news, asked["topic"]), expiretime=600
        )
    body = json.dumps([session.get("user"), said]).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


application = SessionMiddleware(CacheMiddleware(shop, OPTIONS), OPTIONS)
