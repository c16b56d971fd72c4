"""A shop on pycket, written from its document alone, and a visitor who walks through it.

    pycket_app.py ENGINE PORT JAR PAGE...

Prints the answers and the cookies as JSON. It runs on the genuine library and on ours.
"""

import asyncio
import json
import sys
from typing import Any
from urllib.parse import quote

from pycket.notification import NotificationMixin
from pycket.session import SessionManager, SessionMixin
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

engine, port, jar, pages = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4:]


class Handler(RequestHandler):
    """That of Tornado, with an id that python3-memcached takes."""

    def get_secure_cookie(self, name: str, *args: Any, **kwargs: Any) -> Any:
        # Tornado's answer is bytes, which python3-memcached refuses as a key: no second request of
        # the genuine library gets through without this.
        value = super().get_secure_cookie(name, *args, **kwargs)
        return value if value is None or engine == "redis" else value.decode()


class Base(Handler, SessionMixin, NotificationMixin):  # type: ignore[misc]  # genuine or ours
    """What most pages are made of."""


class Home(Base):
    """Who it is, what he has, and what he was told."""

    def get(self) -> None:
        user = self.session.get("user", "nobody")
        cart = self.session.get("cart", [])
        told = self.notifications.get("told", "")
        self.write(f"{user} has {','.join(cart)}; {told}")


class Login(Base):
    """Remembers a name."""

    def get(self) -> None:
        self.session["user"] = self.get_argument("name")
        self.notifications.set("told", "welcome")
        self.redirect("/")


class Buy(Base):
    """Adds to the cart."""

    def get(self) -> None:
        cart = self.session.get("cart") or []
        self.session.set("cart", [*cart, self.get_argument("item")])
        self.write("bought")


class Logout(Base):
    """Forgets the name."""

    def get(self) -> None:
        self.session.delete("user")
        self.write("out")


class Loose(Handler):
    """The harder way of the document, without a mixin."""

    def get(self) -> None:
        session = SessionManager(self)
        session.set("foo", ["bar", "baz"])
        self.write(json.dumps([session["foo"], sorted(session.keys()), "cart" in session]))


class Try(Base):
    """Whatever the visitor says, to compare it word by word."""

    def get(self) -> None:
        names = {"s": self.session, "n": self.notifications, "set": set, "frozenset": frozenset}
        said = []
        for step in self.get_argument("do").split(";"):
            try:
                said.append(repr(eval(step, names)))  # noqa: S307 - our own words
            except Exception as error:  # noqa: BLE001 - that is asked
                said.append(f"{type(error).__name__}: {error}")
        self.write(json.dumps(said))


def application() -> Application:
    where: dict[str, Any] = {"servers": (f"localhost:{port}",)}
    if engine == "redis":
        where = {"port": int(port), "db_sessions": 10, "db_notifications": 11}
        where["max_connections"] = 2**31
    return Application(
        [
            ("/", Home),
            ("/login", Login),
            ("/buy", Buy),
            ("/logout", Logout),
            ("/loose", Loose),
            ("/try", Try),
        ],
        cookie_secret="a secret of some length",
        pycket={"engine": engine, "storage": where, "cookies": {"expires_days": 120}},
    )


async def main() -> None:
    listening, own = bind_unused_port()
    server = HTTPServer(application())
    server.add_socket(listening)
    answers = []
    for page in pages:
        path, _, do = page.partition("=")
        url = f"http://127.0.0.1:{own}{path}" + (f"={quote(do)}" if do else "")
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
        answer = await AsyncHTTPClient().fetch(
            url, headers=cookies, raise_error=False, follow_redirects=False
        )
        for line in answer.headers.get_list("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            jar[name] = value
        attributes = [
            part.partition("=")[0]
            for line in answer.headers.get_list("Set-Cookie")
            for part in line.split("; ")[1:]
        ]
        answers.append([answer.code, answer.body.decode(), attributes])
    server.stop()
    await server.close_all_connections()
    print(json.dumps([answers, jar]))  # noqa: T201 - its product


asyncio.run(main())
