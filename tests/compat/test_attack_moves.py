"""Two requests of one Beaker session, while it gets a new id: in each order that matters."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.compat.beaker import session_move
from holdfast.compat.beaker.exceptions import BeakerException
from holdfast.compat.beaker.session import Session
from holdfast.compat.beaker.session_record import write

Open = Callable[..., Session]


@pytest.fixture(params=["memory", "file", "dbm", "ext:database"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Give sessions of one kind."""
    options = {"type": request.param, "data_dir": str(tmp_path), "key": "k"}
    if request.param == "ext:database":
        options["url"] = f"sqlite:///{tmp_path}/rows.db"

    def open_session(brought: str | None = None) -> Session:
        return Session({"cookie": f"k={brought}"} if brought else {}, **options)

    return open_session


def _kept(opened: Open) -> str:
    session = opened()
    session["n"] = 1
    session.save()
    return str(session.id)


def _values(session: Session) -> dict[str, Any]:
    return {name: value for name, value in session.items() if not name.startswith("_")}


def _after_the_new_record(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something once, when the new record is written and the old one is there still."""
    acts = [act]

    def written(*args: Any, **kwargs: Any) -> Any:
        data = write(*args, **kwargs)
        if acts:
            acts.pop()()
        return data

    monkeypatch.setattr(session_move, "write", written)


def test_what_was_written_under_the_old_id_moves_too(
    monkeypatch: pytest.MonkeyPatch, opened: Open
) -> None:
    kept = _kept(opened)
    moves, other = opened(kept), opened(kept)
    moves.regenerate_id()
    moves["user"] = "x"
    other["cart"] = ["a"]
    _after_the_new_record(monkeypatch, other.save)
    moves.save()
    assert _values(opened(moves.id)) == {"n": 1, "user": "x", "cart": ["a"]}
    assert opened(kept).is_new


def test_a_logout_meanwhile_stands(monkeypatch: pytest.MonkeyPatch, opened: Open) -> None:
    kept = _kept(opened)
    moves, out = opened(kept), opened(kept)
    moves.regenerate_id()
    _after_the_new_record(monkeypatch, out.delete)
    moves.save()
    assert opened(kept).is_new
    assert opened(moves.id).is_new
    assert not moves.request["set_cookie"]


def test_of_two_moves_one_is_done(monkeypatch: pytest.MonkeyPatch, opened: Open) -> None:
    kept = _kept(opened)
    one, other = opened(kept), opened(kept)
    one.regenerate_id()
    other.regenerate_id()
    _after_the_new_record(monkeypatch, other.save)
    one.save()
    assert opened(kept).is_new
    assert opened(one.id).is_new
    assert _values(opened(other.id)) == {"n": 1}


def test_who_always_comes_between_does_not_hold_it_up_for_ever(
    monkeypatch: pytest.MonkeyPatch, opened: Open
) -> None:
    kept = _kept(opened)
    moves, other = opened(kept), opened(kept)
    moves.regenerate_id()
    monkeypatch.setattr(session_move, "_closed", lambda *_: False)
    with pytest.raises(BeakerException, match="faster"):
        moves.save()
    assert opened(moves.id).is_new
    assert not other.is_new
