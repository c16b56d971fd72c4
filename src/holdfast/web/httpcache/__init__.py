"""Whole responses in a cache, for WSGI and ASGI: RFC 9111, 9110, 5861, 8246 and 9211.

Law: `rules.py` decides what may be stored and served, `reply.py` what leaves, `engine.py` has the
sequences, `shelf.py` the keys; `wsgi.py` and `asgi.py` call the application.
"""

from holdfast.web.httpcache.asgi import AsgiCacheMiddleware
from holdfast.web.httpcache.fetch import Notes
from holdfast.web.httpcache.middleware import CacheMiddleware
from holdfast.web.httpcache.settings import Options
from holdfast.web.httpcache.wsgi import WsgiCacheMiddleware

__all__ = ["AsgiCacheMiddleware", "CacheMiddleware", "Notes", "Options", "WsgiCacheMiddleware"]
