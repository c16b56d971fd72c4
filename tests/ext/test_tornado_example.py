"""The example for Tornado runs, on a file and on a Redis that two processes could share."""

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tornado_site import Site, Visitor, serve

EXAMPLE = Path(__file__).parents[2] / "examples" / "tornado_app.py"


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.server)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    url = f"sqlite:///{tmp_path}/example.db"
    if request.param == "redis":
        url = f"{request.getfixturevalue('redis_server').url}/9?prefix={tmp_path.name}"
    application = runpy.run_path(str(EXAMPLE))["make_application"](url)
    store = application.settings["holdfast_sessions"].store
    try:
        with serve(application) as site:
            yield site
            site.do(store.aio.close())
    finally:
        store.close()


def csrf_of(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def log_in(visitor: Visitor, name: str) -> int:
    form = urlencode({"csrf": csrf_of(visitor.get("/").text), "name": name})
    return visitor.get("/login", "POST", body=form).status_code


def test_it_counts_tells_once_and_knows_who_is_there(site: Site) -> None:
    visitor = site.visitor()
    assert "<p></p><p>Hello stranger, this is visit 1.</p>" in visitor.get("/").text
    assert visitor.get("/login", "POST", body="name=Mallory").status_code == 403
    assert log_in(visitor, "<Ada>") == 302
    welcomed = visitor.get("/")
    assert "<p>Welcome, &lt;Ada&gt;!</p><p>Hello &lt;Ada&gt;, this is visit 3.</p>" in welcomed.text
    assert int(welcomed.headers["x-ratelimit-remaining"]) < 60
    assert "<p></p><p>Hello &lt;Ada&gt;, this is visit 4.</p>" in visitor.get("/").text
    assert visitor.talk("/live", "visits", "other") == ["4", "None", None]
    assert visitor.get("/logout", "POST").status_code == 302
    assert visitor.cookies == {}
    assert "Hello stranger, this is visit 1." in visitor.get("/").text


def test_too_many_logins_under_a_name_are_refused(site: Site) -> None:
    assert [log_in(site.visitor(), "Ada") for _ in range(6)] == [302] * 5 + [429]
    assert log_in(site.visitor(), "Bob") == 302
