"""How often a request asks its server for a session: once to read, once to write over what it read.

Law: counted at the store. Who lost a race looks once more, and nothing of either request is lost.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa

from holdfast.compat.beaker.cache import clsmap
from holdfast.compat.beaker.many_keys import ManyKeys
from holdfast.compat.beaker.session import Session


class _Rows:
    """A plain store that notes what it is asked."""

    name = "rows"

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        self.asked: list[str] = []

    def get(self, key: str) -> bytes | None:
        self.asked.append("get")
        return self.rows.get(key)

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        self.asked.append("swap")
        if self.rows.get(key) != old:
            return False
        assert new is not None
        assert ttl is None
        self.rows[key] = new
        return True


class _Counted(ManyKeys):
    MAX_KEY_LENGTH = 250
    store: ClassVar[_Rows] = _Rows()

    def __init__(self, namespace: str, **_: Any) -> None:
        super().__init__(namespace)

    @property
    def _plain(self) -> Any:
        return self.store


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """Add the kind, and give what its store was asked."""
    clsmap["counted"] = _Counted
    _Counted.store = _Rows()
    yield _Counted.store.asked
    del clsmap["counted"]


def _kept() -> str:
    session = Session({}, type="counted", use_cookies=False)
    session["visits"] = 1
    session.save()
    kept: str = session.id
    return kept


def _opened(kept: str) -> Session:
    return Session({}, id=kept, type="counted", use_cookies=False)


@pytest.mark.parametrize("accessed_only", [True, False])
def test_a_request_asks_twice(asked: list[str], *, accessed_only: bool) -> None:
    kept = _kept()
    asked.clear()
    session = _opened(kept)
    session.save(accessed_only=accessed_only)
    assert asked == ["get", "swap"]


def test_saving_twice_looks_no_more(asked: list[str]) -> None:
    session = _opened(_kept())
    asked.clear()
    session["visits"] = 2
    session.save()
    session["visits"] = 3
    session.save()
    assert asked == ["swap", "swap"]
    assert _opened(session.id)["visits"] == 3


def test_who_lost_looks_once_more(asked: list[str]) -> None:
    kept = _kept()
    one, other = _opened(kept), _opened(kept)
    one["one"], other["other"] = 1, 2
    one.save()
    asked.clear()
    other.save()
    assert asked == ["swap", "get", "swap"]
    again = _opened(kept)
    assert (again["one"], again["other"], again["visits"]) == (1, 2, 1)


def test_a_session_that_is_gone_is_not_made_again(asked: list[str]) -> None:
    kept = _kept()
    session = _opened(kept)
    _Counted.store.rows.clear()
    asked.clear()
    session["visits"] = 2
    session.save()
    assert asked == ["swap", "get"]
    assert not _Counted.store.rows


def test_a_request_on_sql_reads_once_and_writes_once(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/sessions.db"
    options: dict[str, Any] = {
        "type": "ext:database",
        "url": url,
        "lock_dir": str(tmp_path),
        "use_cookies": False,
    }
    first = Session({}, **options)
    first.save()
    said: list[str] = []
    engine = first.namespace.bind
    sa.event.listen(engine, "before_cursor_execute", lambda *given: said.append(given[2][:6]))
    session = Session({}, id=first.id, **options)
    session["visits"] = 1
    session.save()
    assert said == ["SELECT", "UPDATE"]
    engine.dispose()
