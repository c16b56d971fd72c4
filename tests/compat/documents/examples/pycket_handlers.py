"""pycket's document: its two handlers, its dictionary and its settings, indented again and completed (marked).

pycket_handlers.py ENGINE PORT
"""

import asyncio
import sys

import tornado.web
from pycket.session import SessionMixin


class MyHandler(tornado.web.RequestHandler, SessionMixin):
    def get(self):
        self.session.set("foo", ["bar", "baz"])
        foo = self.session.get("foo")  # will get back the list ['bar', 'baz']
        self.write(repr(foo))  # missing


MainHandler = MyHandler  # missing: the name in the settings

from pycket.session import SessionManager


class MyHandler(tornado.web.RequestHandler):
    def get(self):
        session = SessionManager(self)
        session.set("foo", ["bar", "baz"])
        foo = session.get("foo")  # will get back the list ['bar', 'baz']
        self.write(repr([foo, type(session).__name__, type(session) is SessionManager]))  # missing


class Dictionary(tornado.web.RequestHandler, SessionMixin):  # missing
    def get(self):
        session = self.session
        said = [session.get("this doesn't exist", "so give me this instead")]
        session["gimme"] = "Fire!"
        said.append(session["gimme"])  # 'Fire!'; print, of Python 2
        self.write(repr(said))


from pycket.notification import NotificationManager, NotificationMixin


class Told(tornado.web.RequestHandler, NotificationMixin):  # missing: they "have to be used via"
    def get(self):
        self.notifications.set("message", "only once")
        same = NotificationManager(self)
        self.write(repr([same.get("message"), same.get("message")]))


engine, port = sys.argv[1], int(sys.argv[2])
if engine == "redis":
    settings = {
        "pycket": {
            "engine": "redis",
            "storage": {
                "host": "localhost",
                "port": port,  # 6379
                "db_sessions": 10,
                "db_notifications": 11,
                "max_connections": 2**31,
            },
            "cookies": {
                "expires_days": 120,
            },
        },  # missing: this brace
    }
else:
    settings = {
        "pycket": {
            "engine": "memcached",
            "storage": {
                "servers": ("localhost:%s" % port,)  # 11211
            },
            "cookies": {
                "expires_days": 120,
            },
        },
    }

application = tornado.web.Application(
    [
        (r"/", MainHandler),
        (r"/manager", MyHandler),  # missing: the other handlers, and a secret
        (r"/dictionary", Dictionary),
        (r"/told", Told),
    ],
    cookie_secret="a secret of some length",
    **settings,
)


# missing: a browser
async def main():
    from tornado.httpclient import AsyncHTTPClient
    from tornado.httpserver import HTTPServer
    from tornado.testing import bind_unused_port

    socket, own = bind_unused_port()
    server = HTTPServer(application)
    server.add_socket(socket)
    fetch = AsyncHTTPClient().fetch
    cookie = {}
    for page in ("/", "/", "/manager", "/dictionary", "/told"):
        said = await fetch(f"http://127.0.0.1:{own}{page}", headers=cookie)
        sent = said.headers.get_list("Set-Cookie")
        if cookie:  # pycket forgets what a first visit wrote
            print(said.code, said.body.decode(), len(sent))
        if sent:
            cookie = {"Cookie": sent[-1].partition(";")[0]}
    server.stop()
    await server.close_all_connections()


asyncio.run(main())
