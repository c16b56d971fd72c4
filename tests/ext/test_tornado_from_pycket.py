"""From pycket to the native sessions, handler by handler: nobody is logged out."""

from collections.abc import Iterator
from typing import Any

import pytest
from tornado.web import Application, RequestHandler
from tornado_site import serve

from holdfast import Sessions
from holdfast.compat.pycket import driver
from holdfast.compat.pycket.session import SessionManager
from holdfast.compat.pycket.session import SessionMixin as OldSessionMixin
from holdfast.ext.tornado import SessionMixin
from servers.redis import RedisServer

pytestmark = pytest.mark.server


class Old(RequestHandler, OldSessionMixin):
    """As it was."""

    def get(self) -> None:
        self.session["user"] = "Ada"
        self.session["cart"] = ["tea"]


class New(SessionMixin, RequestHandler):
    """As docs/migrate/pycket.md says."""

    async def prepare(self) -> None:
        if self.session.is_new and self.get_signed_cookie("PYCKET_ID"):
            old = SessionManager(self)
            for name in old:
                self.session[name] = old.get(name)
            self.clear_cookie("PYCKET_ID")

    def get(self) -> None:
        self.write(dict(self.session))


@pytest.fixture(autouse=True)
def _no_driver_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    made: list[Any] = []
    monkeypatch.setattr(driver, "_shared", made)
    yield
    for _, one in made:
        one.client.close()


def test_a_visitor_brings_his_session_along(redis_server: RedisServer) -> None:
    where = {"port": redis_server.port, "db_sessions": 14, "db_notifications": 15}
    application = Application(
        [("/old", Old), ("/new", New)],
        cookie_secret="a secret",
        pycket={"engine": "redis", "storage": where},
        holdfast_sessions=Sessions("memory://"),
    )
    with serve(application) as site:
        visitor = site.visitor()
        visitor.get("/old")
        assert list(visitor.cookies) == ["PYCKET_ID"]
        for _ in range(2):
            assert visitor.get("/new").json() == {"user": "Ada", "cart": ["tea"]}
        assert visitor.cookies["PYCKET_ID"] in ("", '""')
        assert site.visitor().get("/new").json() == {}
