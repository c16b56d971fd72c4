"""The examples run, and a Starlette application finds our session where it looks for one."""

import asyncio
import io
import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.testing.calls import Visitor, call_wsgi, environ, scope, talk

EXAMPLES = Path(__file__).parents[2] / "examples"
Load = Callable[[str], Any]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.setenv("HOLDFAST_STORE", f"sqlite:///{tmp_path}/example.db")

    def run(name: str) -> Any:
        return runpy.run_path(str(EXAMPLES / name))["application"]

    return run


def test_the_wsgi_example_counts_remembers_and_checks_its_form(load: Load) -> None:
    app = load("wsgi_app.py")
    first = call_wsgi(app, environ())
    [line] = first.all("set-cookie")
    cookie = [("Cookie", line.partition(";")[0])]
    assert b"stranger, this is visit 1." in first.body
    assert b"visit 2." in call_wsgi(app, environ(headers=cookie)).body

    def post(form: bytes) -> int:
        fields = environ(method="POST", headers=cookie)
        fields |= {"CONTENT_LENGTH": str(len(form)), "wsgi.input": io.BytesIO(form)}
        return call_wsgi(app, fields).status

    found = re.search(rb'value="([^"]+)"', first.body)
    assert found is not None
    assert post(b"name=Mallory") == 403
    assert post(b"name=Ada&csrf=" + found[1]) == 303
    assert b"Hello Ada, this is visit 3." in call_wsgi(app, environ(headers=cookie)).body


def test_request_session_of_starlette_is_ours(load: Load) -> None:
    app = load("asgi_app.py")
    visitor = Visitor(app, "asgi")
    first = visitor.get()
    assert first.body == b"This is visit 1.\n"
    assert first.all("cache-control") == ["no-store"]
    assert int(first.all("x-ratelimit-remaining")[0]) < 60
    second = visitor.get()
    assert second.body == b"This is visit 2.\n"
    assert second.all("set-cookie") == []
    assert second.all("vary") == ["Cookie"]
    headers = [("Cookie", f"__Host-sid={visitor.cookies['__Host-sid']}")]
    fields = scope("/live", kind="websocket", headers=headers)
    sent = asyncio.run(talk(app, fields, [{"type": "websocket.connect"}]))
    assert [message["type"] for message in sent[:2]] == ["websocket.accept", "websocket.send"]
    assert json.loads(sent[1]["text"]) == {"visits": 2}
    assert "Max-Age=0" in visitor.get("/forget", method="POST").all("set-cookie")[0]
    assert visitor.get().body == b"This is visit 1.\n"


def test_starlette_answers_429_when_it_was_enough(load: Load) -> None:
    visitor = Visitor(load("asgi_app.py"), "asgi")
    answers = [visitor.get().status for _ in range(130)]
    assert answers[0] == 200
    assert answers[-1] == 429
