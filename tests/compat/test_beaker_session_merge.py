"""Two requests of one session of Beaker at once: what each changed is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compat.beaker_sessions import Open, keep, opens, threads_lose_nothing, values
from holdfast.compat import settings
from holdfast.compat.beaker.container import NamespaceManager
from holdfast.compat.beaker.exceptions import BeakerException
from holdfast.compat.beaker.session import Session
from holdfast.compat.beaker.session_merge import merge, same


@pytest.fixture(params=["memory", "file", "dbm"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Give sessions of one store."""
    return opens(type=request.param, data_dir=str(tmp_path))


def test_what_two_requests_changed_is_kept_of_both(opened: Open) -> None:
    kept = keep(opened, cart=["a"], theme="dark", gone=1, both=0)
    one, other = opened(kept), opened(kept)
    one["cart"].append("b")
    one["new"] = True
    one["both"] = "first"
    other["theme"] = "light"
    del other["gone"]
    other["both"] = "second"
    one.save()
    other.save()
    assert values(opened(kept)) == {
        "cart": ["a", "b"],
        "new": True,
        "theme": "light",
        "both": "second",
    }
    assert values(other) == values(opened(kept)), "the later one knows of both"


def test_a_request_that_only_reads_undoes_nothing(opened: Open) -> None:
    kept = keep(opened, n=1)
    reads, writes = opened(kept), opened(kept)
    reads["n"] = 99
    writes["n"] = 2
    writes.save()
    reads.save(accessed_only=True)
    assert opened(kept)["n"] == 2


def test_the_session_was_last_used_when_it_was_last_used(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.0)
    kept = keep(opened, n=1)
    monkeypatch.setattr("time.time", lambda: 2000.0)
    slow = opened(kept)
    monkeypatch.setattr("time.time", lambda: 3000.0)
    opened(kept).save(accessed_only=True)
    slow["n"] = 2
    slow.save()
    monkeypatch.setattr("time.time", lambda: 3001.0)
    assert opened(kept).last_accessed == 3000.0


def test_clearing_clears_what_others_write_as_well(opened: Open) -> None:
    kept = keep(opened, n=1)
    clears, writes = opened(kept), opened(kept)
    writes["late"] = 1
    writes.save()
    clears.clear()
    clears["fresh"] = 1
    clears.save()
    assert values(opened(kept)) == {"fresh": 1}


def test_reverting_is_no_clearing(opened: Open) -> None:
    kept = keep(opened, n=1)
    reverts, writes = opened(kept), opened(kept)
    writes["late"] = 1
    writes.save()
    reverts["n"] = 2
    reverts.revert()
    reverts.save()
    assert values(opened(kept)) == {"n": 1, "late": 1}


def test_a_second_save_says_what_changed_since_the_first(opened: Open) -> None:
    kept = keep(opened, n=1)
    session = opened(kept)
    session["n"] = 2
    session.save()
    other = opened(kept)
    other["theirs"] = 1
    other.save()
    session["n"] = 1
    session["mine"] = 1
    session.save()
    session["mine"] = 2
    session.save()
    assert values(opened(kept)) == {"n": 1, "mine": 2, "theirs": 1}


def test_a_save_is_not_undone_by_noting_the_access(opened: Open) -> None:
    kept = keep(opened, n=1)
    session = opened(kept)
    session["n"] = 2
    session.save()
    session.save(accessed_only=True)
    assert opened(kept)["n"] == 2


def test_what_others_wrote_moves_to_the_new_id(opened: Open) -> None:
    kept = keep(opened, n=1)
    moves, writes = opened(kept), opened(kept)
    writes["theirs"] = 1
    writes.save()
    moves.regenerate_id()
    moves["mine"] = 1
    moves.save()
    assert values(opened(moves.id)) == {"n": 1, "theirs": 1, "mine": 1}
    moves["mine"] = 2
    moves.save()
    assert values(opened(moves.id)) == {"n": 1, "theirs": 1, "mine": 2}


def test_a_logout_by_an_old_process_stands(opened: Open) -> None:
    """Those leave a record without values, under the same id."""
    kept = keep(opened, user="me", n=1)
    slow, reads, out = opened(kept), opened(kept), opened(kept)
    with pytest.warns(settings.CompatWarning):
        settings.configure(unsafe=["kept-records"], old_form=True)
    out.delete()
    out.save()
    settings.configure()
    slow["n"] = 2
    slow.save()
    reads.save(accessed_only=True)
    assert values(opened(kept)) == {"n": 2}


def test_encrypted_sessions_are_merged_too(opened: Open) -> None:
    keys = {"encrypt_key": "e", "validate_key": "v", "data_serializer": "json"}
    session = opened(**keys)
    session.save()
    one, other = opened(session.id, **keys), opened(session.id, **keys)
    one["a"] = 1
    other["b"] = 1
    one.save()
    other.save()
    assert values(opened(session.id, **keys)) == {"a": 1, "b": 1}


def test_nested_values_are_kept_by_a_request_that_does_not_save(opened: Open) -> None:
    """As in Beaker, where the time of access brings them along."""
    kept = keep(opened, cart=[1])
    session = opened(kept)
    session["cart"].append(2)
    session["other"] = 1
    session.save(accessed_only=True)
    assert values(opened(kept)) == {"cart": [1, 2]}


def test_requests_at_once_lose_nothing(opened: Open) -> None:
    threads_lose_nothing(opened)


class _Swapping(NamespaceManager):
    """A manager over a server without locks, where others write just before us."""

    rows: ClassVar[dict[Any, Any]] = {}
    meanwhile: ClassVar[list[Callable[[], None]]] = []
    stubborn: ClassVar[bool] = False

    def __init__(self, namespace: str, **_: Any) -> None:
        super().__init__(namespace)

    def __contains__(self, key: Any) -> bool:
        return (self.namespace, key) in self.rows

    def __getitem__(self, key: Any) -> Any:
        return self.rows[self.namespace, key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.rows[self.namespace, key] = value

    def reread(self, key: Any) -> Any:
        self.seen = self.rows.get((self.namespace, key))
        return self[key]

    def swap_value(self, key: Any, value: Any, expiretime: Any = None) -> bool:
        assert expiretime is None
        if self.meanwhile:
            self.meanwhile.pop()()
        if self.stubborn or self.rows.get((self.namespace, key)) != self.seen:
            return False
        self[key] = value
        return True


def _over_swapping(brought: str | None = None) -> Session:
    carried = {"cookie": f"beaker.session.id={brought}"} if brought else {}
    return Session(carried, namespace_class=_Swapping)


def test_who_lost_the_race_looks_again() -> None:
    kept = keep(_over_swapping, n=1)
    slow = _over_swapping(kept)

    def others() -> None:
        other = _over_swapping(kept)
        other["theirs"] = 1
        other.save()

    _Swapping.meanwhile.append(others)
    slow["mine"] = 1
    slow.save()
    assert values(_over_swapping(kept)) == {"n": 1, "mine": 1, "theirs": 1}


def test_nobody_looks_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    session = _over_swapping(keep(_over_swapping, n=1))
    monkeypatch.setattr(_Swapping, "stubborn", True)
    with pytest.raises(BeakerException, match="faster"):
        session.save()


class _Foreign:
    """A manager that knows nothing of ours: not even the base class."""

    rows: ClassVar[dict[Any, Any]] = {}

    def __init__(self, namespace: str, **_: Any) -> None:
        self.namespace = namespace

    def acquire_read_lock(self) -> None: ...
    def release_read_lock(self) -> None: ...
    def acquire_write_lock(self, wait: bool = True, replace: bool = False) -> bool:  # noqa: ARG002, FBT002 - as the original
        return True

    def release_write_lock(self) -> None: ...
    def __contains__(self, key: Any) -> bool:
        return (self.namespace, key) in self.rows

    def __getitem__(self, key: Any) -> Any:
        return self.rows.get((self.namespace, key))  # None where nothing is, as memcached's does

    def __setitem__(self, key: Any, value: Any) -> None:
        self.rows[self.namespace, key] = value

    def __delitem__(self, key: Any) -> None:
        del self.rows[self.namespace, key]


def test_managers_of_others_work_as_they_are() -> None:
    def open_session(brought: str | None = None) -> Session:
        carried = {"cookie": f"beaker.session.id={brought}"} if brought else {}
        return Session(carried, namespace_class=_Foreign)

    kept = keep(open_session, n=1)
    one, other = open_session(kept), open_session(kept)
    one["a"] = 1
    other["b"] = 1
    one.save()
    other.save()
    assert values(open_session(kept)) == {"n": 1, "a": 1, "b": 1}
    other.delete()
    other.save()
    assert open_session(kept).is_new


_NAMES = st.sampled_from("abcd")
_PLAIN = st.sampled_from([0, 1, True, False])
_DATA = st.dictionaries(_NAMES, _PLAIN | st.lists(_PLAIN, max_size=2), max_size=4)


@given(mine=_DATA, base=_DATA, now=_DATA)
def test_merging_keeps_each_change(
    mine: dict[str, Any], base: dict[str, Any], now: dict[str, Any]
) -> None:
    merged = merge(mine, base, now)
    for name in mine.keys() | base.keys() | now.keys():
        absent = object()
        ours, was, theirs = (data.get(name, absent) for data in (mine, base, now))
        expected = theirs if same(ours, was) or ours is was else ours
        if expected is absent:
            assert name not in merged
        else:
            assert same(merged[name], expected)


def test_merging_with_oneself_changes_nothing() -> None:
    data = {"a": [1, {"b": (2, 3)}], "_accessed_time": 5.0}
    assert merge(data, data, data) == data


class _Raises:
    def __eq__(self, _: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, True, False),
        (1, 1.0, False),
        ([1], [True], False),
        ({"a": [1]}, {"a": [1]}, True),
        ({"a": 1}, {"b": 1}, False),
        ((1, 2), [1, 2], False),
        ((1, 2), (1, 2, 3), False),
        ({1}, {1}, True),
        (float("nan"), float("nan"), False),
        (_Raises(), _Raises(), False),
        (None, None, True),
    ],
    ids=range(11),
)
def test_same_is_the_same_all_the_way_down(one: object, other: object, *, equal: bool) -> None:
    assert same(one, other) is equal
