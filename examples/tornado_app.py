"""A Tornado application: a login, visits, a notification, a limit, a websocket.

    python examples/tornado_app.py    # http://localhost:8001

Processes share what stands in the store: `HOLDFAST_STORE`, by default a file of this directory. The
cookie is Secure; Chrome and Firefox take it from http://localhost too.
"""

import asyncio
import os
from html import escape

from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import WebSocketHandler

from holdfast import Limiter, Sessions, open_store
from holdfast.ext.tornado import SessionMixin
from holdfast.web.keys import by_session

PAGE = """<!doctype html><html lang="en"><title>Visits</title>
<p>{}</p><p>Hello {}, this is visit {}.</p>
<form method="post" action="/login"><input type="hidden" name="csrf" value="{}">
<label>Your name <input name="name"></label> <button>Log in</button></form>
"""


class Home(SessionMixin, RequestHandler):
    """Counts visits, and says once what there is to say."""

    async def get(self) -> None:
        """Answer with a page."""
        await self.limit("60/minute", key=by_session)
        self.session.increment("visits")
        told = await self.notifications.take("told", "")
        name = str(self.current_user or "stranger")
        visits, csrf = self.session["visits"], self.session.csrf_token()
        self.write(PAGE.format(escape(told), escape(name), visits, csrf))


class Login(SessionMixin, RequestHandler):
    """Signs a visitor in, at most five times a minute under one name."""

    async def post(self) -> None:
        """Take the form."""
        if not self.session.check_csrf(self.get_body_argument("csrf", "")):
            raise HTTPError(403)
        name = self.get_body_argument("name") or "nobody"
        await self.limit("5/minute", key=f"login:{name}")
        self.session.login(name)
        self.notifications.notify("told", f"Welcome, {name}!")
        self.redirect("/")


class Logout(SessionMixin, RequestHandler):
    """Signs a visitor out."""

    def post(self) -> None:
        """Destroy the session: its record is gone, and so is the cookie."""
        self.session.logout()
        self.redirect("/")


class Live(SessionMixin, WebSocketHandler):
    """Says what the session holds; it is closed when the session ends."""

    def on_message(self, message: str | bytes) -> None:
        """Answer with the value under a name."""
        self.write_message(str(self.session.get(str(message))))


def make_application(store_url: str) -> Application:
    """Return the application over a store."""
    store = open_store(store_url)
    return Application(
        [("/", Home), ("/login", Login), ("/logout", Logout), ("/live", Live)],
        holdfast_sessions=Sessions(store),
        holdfast_limiter=Limiter(store),
    )


async def main() -> None:
    """Serve until it is interrupted."""
    application = make_application(os.environ.get("HOLDFAST_STORE", "sqlite:///example.db"))
    application.listen(8001, "localhost")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
