"""A shop on Tornado and pycket, in two processes; as people write it.

python tornado_shop.py ENGINE PORT_OF_ITS_SERVER PORT
"""

import asyncio
import json
import os
import sys

from pycket.notification import NotificationMixin
from pycket.session import SessionMixin
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.process import fork_processes
from tornado.web import Application, RequestHandler


class Login(RequestHandler, SessionMixin, NotificationMixin):  # type: ignore[misc]  # no types here
    """Remembers a name."""

    def get(self) -> None:
        self.session.set("user", self.get_argument("name"))
        self.notifications.set("told", "welcome")
        self.write(json.dumps([None, os.getpid()]))


class Buy(RequestHandler, SessionMixin):  # type: ignore[misc]  # the same
    """Adds to the cart."""

    def get(self) -> None:
        self.session[self.get_argument("what")] = self.get_argument("count")
        self.write(json.dumps([self.session.get("user"), os.getpid()]))


class Cart(RequestHandler, SessionMixin, NotificationMixin):  # type: ignore[misc]  # the same
    """Shows all there is."""

    def get(self) -> None:
        assert self.notifications.get("told") == "welcome"  # on memcached it lies beside the goods
        names = self.session.keys()
        cart = {name: self.session.get(name) for name in names}
        self.write(json.dumps([self.session.get("user"), cart]))


def main(engine: str, server: str, port: str) -> None:
    place = {"port": int(server), "db_sessions": 10, "db_notifications": 11}
    storage = place if engine == "redis" else {"servers": (f"localhost:{server}",)}
    application = Application(
        [("/login", Login), ("/buy", Buy), ("/cart", Cart)],
        cookie_secret="a long random text",
        pycket={"engine": engine, "storage": storage, "cookies": {"expires_days": 120}},
    )
    sockets = bind_sockets(int(port), "127.0.0.1")
    fork_processes(2)

    async def serve() -> None:
        HTTPServer(application).add_sockets(sockets)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main(*sys.argv[1:])
