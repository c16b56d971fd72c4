"""Versions of a schema: older sessions become what we hold, newer ones are left as they are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from counting import CountingStore
from faces import Faces

from holdfast.errors import ConfigError
from holdfast.session import Schema, Session, Sessions
from holdfast.session.data import Record
from holdfast.session.session import draft_of
from holdfast.testing.clock import ManualClock

Events = list[tuple[str, Mapping[str, object]]]
Make = Callable[..., Faces]
SECRET = "Zk3vQ1xY7pLw9sT2mN8bR4cD6fG0hJ5a-uE"


@dataclass
class One:
    """The first version."""

    basket: list[str] = field(default_factory=list)
    cents: int = 0
    theme: str = ""


@dataclass
class Two:
    """`basket` is called `cart`."""

    cart: list[str] = field(default_factory=list)
    cents: int = 0
    theme: str = ""


@dataclass
class Three:
    """`cents` are euros."""

    cart: list[str] = field(default_factory=list)
    euros: float = 0.0
    theme: str = ""


def rename(values: dict[str, Any]) -> dict[str, Any]:
    if "basket" in values:
        values["cart"] = values.pop("basket")
    return values


def convert(values: dict[str, Any]) -> dict[str, Any]:
    cents = values.pop("cents", 0)
    return {**values, "euros": cents / 100}


TWO = Schema(Two, version=2, migrations={1: rename})
THREE = Schema(Three, version=3, migrations={1: rename, 2: convert})


def record_of(session: Session) -> Record:
    assert session.data is not None
    draft = draft_of(session)
    assert draft is not None
    assert draft.base is not None
    return draft.base.record


def version_of(faces: Faces, token: str) -> object:
    return record_of(faces.load(token)).reserved.get("schema")


@pytest.fixture
def old(make: Make) -> str:
    """The token of a session of the first version."""
    faces = make(schema=One)
    session = faces.load(None)
    session.data.basket.append("tea")
    session.data.cents = 250
    session.data.theme = "dark"
    return faces.sent(session)


def test_a_new_session_has_the_version(make: Make) -> None:
    for schema, version in ((One, None), (Schema(One), None), (TWO, 2), (THREE, 3)):
        faces = make(schema=schema)
        session = faces.load(None)
        session.data.theme = "dark"
        assert version_of(faces, faces.sent(session)) == version


def test_an_older_session_is_read_in_our_version_and_written_with_the_next_write(
    make: Make, old: str, store: CountingStore
) -> None:
    faces = make(schema=THREE)
    store.calls.clear()
    session = faces.load(old)
    assert session.data == Three(["tea"], 2.5, "dark")
    assert not session.changed
    faces.commit(session)
    assert dict(store.calls) == {"get": 1}  # not by mere reading
    assert version_of(faces, old) is None
    session = faces.load(old)
    session.data.theme = "light"
    faces.commit(session)
    assert version_of(faces, old) == 3
    assert sorted(record_of(faces.load(old)).data) == ["cart", "euros", "theme"]
    assert faces.load(old).data == Three(["tea"], 2.5, "light")


def test_each_migration_runs_from_its_version_on(make: Make, old: str) -> None:
    two = make(schema=TWO)
    session = two.load(old)
    session.append("cart", "milk")
    two.commit(session)
    assert version_of(two, old) == 2
    assert make(schema=THREE).load(old).data == Three(["tea", "milk"], 2.5, "dark")


def test_the_version_survives_logins_and_logouts_of_others(make: Make, old: str) -> None:
    faces = make(schema=TWO)
    session = faces.load(old)
    session.data.theme = "light"
    session.login("ann")
    token = faces.sent(session)
    assert version_of(faces, token) == 2
    session = faces.load(token)
    session.login("bob")
    token = faces.sent(session)
    assert version_of(faces, token) == 2
    session = faces.load(token)
    session["cents"] = 100
    session.rotate()
    token = faces.sent(session)
    assert make(schema=THREE).load(token).data == Three([], 1.0)


def test_a_login_that_changes_nothing_else_leaves_the_version_for_the_next_write(
    make: Make, old: str
) -> None:
    faces = make(schema=THREE)
    session = faces.load(old)
    session.login("ann")
    token = faces.sent(session)
    assert faces.load(token).data == Three(["tea"], 2.5, "dark")
    session = faces.load(token)
    session.data.euros += 1
    faces.commit(session)
    assert faces.load(token).data == Three(["tea"], 3.5, "dark")


def test_what_an_old_process_wrote_meanwhile_is_migrated_with_the_rest(
    make: Make, old: str
) -> None:
    before, after = make(schema=One), make(schema=TWO)
    ours, theirs = after.load(old), before.load(old)
    ours.data.theme = "light"
    assert ours.data.cart == ["tea"]
    theirs.append("basket", "milk")
    theirs.increment("cents", 50)
    before.commit(theirs)
    after.commit(ours)
    assert after.load(old).data == Two(["tea", "milk"], 300, "light")


def test_two_tabs_that_both_bring_the_new_version_count(
    make: Make, old: str, events: Events
) -> None:
    faces = make(schema=TWO)
    one, other = faces.load(old), faces.load(old)
    one.append("cart", "milk")
    one.increment("cents")
    other.append("cart", "salt")
    other.increment("cents")
    faces.commit(one)
    faces.commit(other)
    assert faces.load(old).data == Two(["tea", "milk", "salt"], 252, "dark")
    assert not [fields for event, fields in events if event == "session.conflict_dropped"]


def test_what_is_renamed_is_still_told_when_it_is_lost(
    make: Make, old: str, events: Events
) -> None:
    before, after = make(schema=One), make(schema=TWO)
    ours, theirs = after.load(old), before.load(old)
    ours.data.cart = ["salt"]
    theirs.data.basket = ["milk"]
    before.commit(theirs)
    after.commit(ours)
    assert after.load(old).data.cart == ["salt"]
    told = [fields for event, fields in events if event == "session.conflict_dropped"]
    assert [fields["names"] for fields in told] == [["cart"]]


def test_a_newer_session_is_read_as_far_as_it_is_known_and_stays_newer(
    make: Make, old: str
) -> None:
    new, before = make(schema=TWO), make(schema=One)
    session = new.load(old)
    session.data.theme = "light"
    new.commit(session)
    session = before.load(old)
    assert session.data == One([], 250, "light")  # a rolling deployment: `cart` is unknown here
    session.increment("cents", 50)
    before.commit(session)
    assert version_of(before, old) == 2
    assert new.load(old).data == Two(["tea"], 300, "light")


def test_a_migration_that_fails_costs_the_contents_not_the_session(
    make: Make, events: Events
) -> None:
    def broken(values: dict[str, Any]) -> dict[str, Any]:
        return {"cart": values["baskets"]}

    before = make(schema=One)
    session = before.load(None)
    session.data.theme = "dark"
    session.login("ann")
    token = before.sent(session)
    events.clear()
    migrations: list[Any] = [broken, lambda _: {"cart": object()}, lambda _: None]
    for failing in migrations:
        faces = make(schema=Schema(Two, version=2, migrations={1: failing}))
        session = faces.load(token)
        assert session.data == Two()
        assert session.user == "ann"
        faces.commit(session)
    told = [(event, fields["version"], fields["error"]) for event, fields in events]
    assert [error for *_, error in told] == ["KeyError", "CodecError", "AttributeError"]
    assert {one[:2] for one in told} == {("session.corrupt", 1)}
    assert before.load(token).data == One(theme="dark")  # nobody wrote yet
    session = faces.load(token)
    session.data.cents = 1
    faces.commit(session)
    assert faces.load(token).data == Two(cents=1)
    assert faces.user(token) == "ann"


def test_what_is_too_old_for_any_migration_is_as_good_as_absent(make: Make, old: str) -> None:
    faces = make(schema=Schema(Three, version=3, migrations={2: convert}))
    session = faces.load(old)
    assert session.data == Three()
    session.data.euros = 1.0
    faces.commit(session)
    assert faces.load(old).data == Three(euros=1.0)  # nor is the old theme back


def test_a_migration_sees_only_what_can_be_read(make: Make) -> None:
    plain = make()
    session = plain.load(None)
    session["basket"] = ["tea"]
    session["other"] = {1: 2}
    token = plain.sent(session)
    seen: list[dict[str, Any]] = []

    def note(values: dict[str, Any]) -> dict[str, Any]:
        seen.append(dict(values))
        return rename(values)

    faces = make(schema=Schema(Two, version=2, migrations={1: note}), codec="msgpack")
    assert faces.load(token).data.cart == ["tea"]
    assert seen == [{"basket": ["tea"], "other": {1: 2}}]
    session = faces.load(token)
    session.data.theme = "dark"
    faces.commit(session)
    assert plain.load(token)["other"] == {1: 2}


def test_an_empty_session_runs_no_migration(make: Make) -> None:
    def never(_: dict[str, Any]) -> dict[str, Any]:
        raise AssertionError

    token = make(schema=One).signed_in()
    faces = make(schema=Schema(Two, version=2, migrations={1: never}))
    session = faces.load(token)
    session.data.theme = "dark"
    faces.commit(session)
    assert version_of(faces, token) == 2


def test_clear_is_a_write_of_the_new_version(make: Make, old: str) -> None:
    faces = make(schema=THREE)
    session = faces.load(old)
    session.clear()
    session.increment("euros", 1.5)
    faces.commit(session)
    assert faces.load(old).data == Three(euros=1.5)
    assert version_of(faces, old) == 3


def test_cookies_have_versions_too(clock: ManualClock) -> None:
    def sessions(schema: Any) -> Sessions:
        return Sessions.in_cookie(SECRET, schema=schema, clock=clock)

    session = sessions(One).load(None)
    session.data.basket.append("tea")
    token = sessions(One).commit(session).token
    new = sessions(THREE)
    session = new.load(token)
    assert session.data == Three(["tea"])
    assert new.commit(session).token is None
    session = new.load(token)
    session.data.theme = "dark"
    token = new.commit(session).token
    assert version_of(Faces(new, loop=False), token or "") == 3
    assert new.load(token).data == Three(["tea"], 0.0, "dark")


@pytest.mark.parametrize(
    ("version", "migrations"),
    [
        (0, {}),
        (-1, {}),
        (2.0, {1: rename}),
        (True, {}),
        (2**31, {2**31 - 1: rename}),
        (2, {}),
        (3, {1: rename}),
        (3, {1: rename, 3: convert}),
        (2, {0: rename, 1: rename}),
        (1, {1: rename}),
        (2, {"1": rename}),
    ],
)
def test_versions_with_a_gap_are_a_config_error(version: Any, migrations: Any) -> None:
    with pytest.raises(ConfigError, match="version"):
        Sessions("memory://", schema=Schema(One, version=version, migrations=migrations))


@pytest.mark.parametrize("version", ["2", None, -1, 0, True, 2.0, b"2"])
def test_a_version_that_is_none_is_one_no_migration_knows(
    make: Make, version: Any, old: str, store: CountingStore
) -> None:
    faces = make(schema=One)
    session = faces.load(old)
    assert session["cents"] == 250
    draft = draft_of(session)
    assert draft is not None
    draft.mark("schema", version)
    faces.commit(session)
    found = make(schema=TWO).load(old)
    assert found.data == Two()
    assert store.keys()
