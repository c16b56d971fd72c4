"""`python -m holdfast.testing.races`: a table, and an exit code for scripts."""

import sys

import pytest
from race_rivals import Rival

from holdfast import Sessions
from holdfast.testing.races import RACES
from holdfast.testing.races.__main__ import main
from holdfast.testing.races.served import served
from holdfast.testing.races.site import wsgi_site
from holdfast.web.wsgi import SessionMiddleware
from servers.process import free_port


def test_nothing_lost_is_zero(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "200")
    with served(SessionMiddleware(wsgi_site, Sessions("memory://"))) as url:
        assert main([url]) == 0
    said = capsys.readouterr().out
    assert said.count("│ kept │") == len(RACES)


def test_one_lost_is_one_and_the_table_says_which(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with served(Rival()) as url:
        assert main([url, "read-logout", "login-login"]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("lost     read-logout")
    assert first.endswith("-- the browser's cookie is signed in")
    assert second.startswith("kept     login-login")


def test_what_cannot_be_played_is_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([f"http://127.0.0.1:{free_port()}"])
    assert ended.value.code == 2
    assert "no answer" in capsys.readouterr().err
