"""Typed sessions: one instance of a class, whose fields are the session's names."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypedDict

import msgspec
import pydantic
import pytest
from counting import CountingStore
from faces import Faces
from typed_kinds import KINDS, AsDataclass, AsModel, AsStruct, Item, Size

from holdfast.codec.pickle import UnsafePickle
from holdfast.errors import CodecError, ConfigError, SessionCommitted
from holdfast.session import Schema, Sessions
from holdfast.session.session import draft_of
from holdfast.signing import KeyRing
from holdfast.testing.clock import ManualClock

Events = list[tuple[str, Mapping[str, object]]]
Make = Callable[..., Faces]
SECRET = "Zk3vQ1xY7pLw9sT2mN8bR4cD6fG0hJ5a-uE"


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def typed(make: Make, kind: Any) -> Faces:
    return make(schema=kind)


# Reading and writing


def test_a_new_session_holds_the_defaults_and_is_not_stored(
    typed: Faces, kind: Any, store: CountingStore
) -> None:
    session = typed.load(None)
    assert type(session.data) is kind
    assert session.data == kind()
    assert session.data is session.data
    assert session["start"] == 10
    assert not session.changed
    assert typed.commit(session).token is None
    assert not store.calls


def test_what_is_set_and_changed_in_place_is_there_the_next_time(typed: Faces, kind: Any) -> None:
    session = typed.load(None)
    session.data.visits += 1
    session.data.cart.append(Item("tea", 2.5, Size.LARGE))
    session.data.prices["tea"] = 2.5
    assert session.changed
    token = typed.sent(session)
    session = typed.load(token)
    cart = [Item("tea", 2.5, Size.LARGE)]
    assert session.data == kind(visits=1, cart=cart, prices={"tea": 2.5})
    session.data.cart[0].price = 3.0
    session.data.tags.add("green")
    typed.commit(session)
    assert typed.load(token).data.cart == [Item("tea", 3.0, Size.LARGE)]
    assert typed.load(token).data.tags == {"green"}
    assert typed.load(token)["cart"][0].size is Size.LARGE


def test_who_only_reads_writes_nothing(typed: Faces, store: CountingStore) -> None:
    session = typed.load(None)
    session.data.cart.append(Item("tea"))
    token = typed.sent(session)
    store.calls.clear()
    session = typed.load(token)
    state = session.data
    state.cart = [Item("tea")]  # an equal one
    state.visits = 0
    assert state.folder.name == ""
    assert not session.changed
    typed.commit(session)
    assert dict(store.calls) == {"get": 1}


def test_only_what_changed_is_stored(typed: Faces) -> None:
    session = typed.load(None)
    session.data.visits = 3
    token = typed.sent(session)
    session = typed.load(token)
    assert session.data.start == 10
    draft = draft_of(session)
    assert draft is not None
    assert draft.base is not None
    assert list(draft.base.record.data) == ["visits"]


def test_two_tabs_that_change_different_fields_both_survive(typed: Faces) -> None:
    session = typed.load(None)
    session.data.visits = 1
    token = typed.sent(session)
    one, other = typed.load(token), typed.load(token)
    one.data.theme = "dark"
    other.data.cart.append(Item("milk"))
    other.data.visits = 5
    typed.commit(one)
    typed.commit(other)
    state = typed.load(token).data
    assert (state.theme, state.cart, state.visits) == ("dark", [Item("milk")], 5)


def test_both_tabs_count_from_the_default_on(typed: Faces) -> None:
    token = typed.signed_in()
    one, other = typed.load(token), typed.load(token)
    for session in (one, other):
        assert session.data.start == 10
        session.increment("start")
        assert session.data.start == 11
        session.append("cart", Item("tea", size=Size.LARGE))
        assert session.data.cart == [Item("tea", size=Size.LARGE)]
    other.append("cart", Item("milk"))
    typed.commit(one)
    typed.commit(other)
    state = typed.load(token).data
    assert state.start == 12
    assert [item.name for item in state.cart] == ["tea", "tea", "milk"]


def test_it_counts_from_the_default_where_another_tab_took_the_value_away(typed: Faces) -> None:
    session = typed.load(None)
    session["start"] = 20
    token = typed.sent(session)
    one, other = typed.load(token), typed.load(token)
    one.increment("start", 5)
    del other["start"]
    typed.commit(other)
    typed.commit(one)
    assert typed.load(token).data.start == 15


def test_names_and_attributes_are_the_same_values(typed: Faces) -> None:
    session = typed.load(None)
    state = session.data
    assert session["cart"] is state.cart
    state.visits = 7
    assert session["visits"] == 7
    assert dict(session)["visits"] == 7
    session["visits"] = 8
    assert state.visits == 8
    session.increment("visits")
    assert state.visits == 9
    state.visits = 20  # set after it was counted: it is set
    session.increment("visits", 2)
    assert (state.visits, session["visits"]) == (22, 22)
    token = typed.sent(session)
    assert typed.load(token).data.visits == 22


def test_an_increment_counts_from_what_was_set_on_the_instance(typed: Faces) -> None:
    token = typed.signed_in()
    session = typed.load(token)
    session.data.start = 0
    session.increment("start")
    typed.commit(session)
    assert typed.load(token).data.start == 1


def test_what_is_set_after_an_increment_replaces_it(typed: Faces) -> None:
    token = typed.signed_in()
    session, other = typed.load(token), typed.load(token)
    session.increment("visits")
    session.data.visits = 40
    other.increment("visits")
    typed.commit(other)
    typed.commit(session)
    assert typed.load(token)["visits"] == 40


def test_it_has_each_field_and_no_other(typed: Faces) -> None:
    session = typed.load(None)
    names = ["visits", "start", "theme", "cart", "tags", "prices", "folder"]
    assert list(session) == names
    assert len(session) == 7
    assert "theme" in session
    assert "other" not in session
    assert session.get("other", 3) == 3
    with pytest.raises(KeyError):
        session["other"]
    with pytest.raises(KeyError):
        del session["other"]


def test_a_field_that_is_deleted_has_its_default_again(typed: Faces) -> None:
    session = typed.load(None)
    state = session.data
    state.cart.append(Item("tea"))
    session["start"] = 3
    token = typed.sent(session)
    session = typed.load(token)
    state = session.data
    assert session.pop("start") == 3
    del session["cart"]
    assert (state.start, state.cart) == (10, [])
    typed.commit(session)
    assert typed.load(token).data.start == 10
    assert typed.load(token).data.cart == []
    session = typed.load(token)
    del session["cart"]
    session.data.cart.append(Item("milk"))  # reset, then changed
    typed.commit(session)
    session.data.cart.append(Item("more"))  # after the first commit
    typed.commit(session)
    assert typed.load(token).data.cart == [Item("milk"), Item("more")]


def test_clear_and_revert_show_in_the_instance(typed: Faces, kind: Any) -> None:
    session = typed.load(None)
    session.data.visits = 3
    session.data.cart.append(Item("tea"))
    token = typed.sent(session)
    session = typed.load(token)
    state = session.data
    state.visits = 4
    state.cart.clear()
    session.revert()
    assert state == kind(visits=3, cart=[Item("tea")])
    assert not session.changed
    session.clear()
    assert state == kind()
    state.theme = "dark"
    session.increment("start")
    typed.commit(session)
    assert typed.load(token).data == kind(theme="dark", start=11)


def test_a_failed_request_writes_nothing(typed: Faces) -> None:
    token = typed.signed_in()
    session = typed.load(token)
    session.data.visits = 3
    typed.commit(session, failed=True)
    assert typed.load(token).data.visits == 0


def test_a_login_keeps_it_and_another_users_takes_nothing_along(typed: Faces, kind: Any) -> None:
    session = typed.load(None)
    session.data.visits = 3
    session.login("ann")
    session.data.theme = "dark"
    token = typed.sent(session)
    assert typed.load(token).data == kind(visits=3, theme="dark")
    session = typed.load(token)
    state = session.data
    session.login("bob")
    assert state == kind()
    state.start = 4
    token = typed.sent(session)
    assert typed.load(token).data == kind(start=4)


def test_after_a_logout_the_same_instance_is_a_new_session(typed: Faces, kind: Any) -> None:
    session = typed.load(None)
    session.data.visits = 3
    token = typed.sent(session)
    session = typed.load(token)
    state = session.data
    session.logout()
    assert state == kind()
    state.theme = "dark"
    new = typed.sent(session)
    assert typed.load(new).data == kind(theme="dark")
    assert typed.alive(token) == [False]


def test_in_a_lock_the_instance_shows_what_others_wrote(typed: Faces) -> None:
    token = typed.signed_in()
    session, other = typed.load(token), typed.load(token)
    state = session.data
    assert state.cart == []
    other.data.cart.append(Item("tea"))
    other.data.visits = 4
    typed.commit(other)

    def more() -> None:
        state.visits *= 2
        state.cart.append(Item("milk"))

    typed.locked(session, more)
    found = typed.load(token).data
    assert (found.visits, found.cart) == (8, [Item("tea"), Item("milk")])


def test_after_the_first_byte_it_is_written_if_the_client_has_its_token(typed: Faces) -> None:
    token = typed.signed_in()
    session = typed.load(token)
    typed.commit(session)
    session.data.visits = 3
    typed.commit(session)
    session.data.visits = 4
    typed.commit(session)
    assert typed.load(token).data.visits == 4
    session = typed.load(None)
    assert session.data.visits == 0
    typed.commit(session)
    session.data.visits = 3
    with pytest.raises(SessionCommitted):
        typed.commit(session)


def test_no_default_is_shared_between_sessions(make: Make) -> None:
    @dataclass(eq=False)  # which Python takes as a default, although it changes
    class Prefs:
        names: list[str] = field(default_factory=list)

    @dataclass
    class State:
        prefs: Prefs = Prefs()  # noqa: RUF009 - what is tested

    faces = make(schema=State)
    one = faces.load(None)
    one.data.prefs.names.append("mine")
    assert one["prefs"].names == ["mine"]
    assert faces.load(None).data.prefs.names == []
    assert State().prefs.names == []


@pytest.mark.parametrize("codec", ["msgpack", "json", "pickle"])
def test_every_codec_carries_it(make: Make, codec: str) -> None:
    @dataclass
    class Cart:
        items: list[Item] = field(default_factory=list)
        best: Item | None = None
        size: Size = Size.SMALL

    faces = make(schema=Cart, codec=UnsafePickle(KeyRing(SECRET)) if codec == "pickle" else codec)
    session = faces.load(None)
    session.data.items.append(Item("tea", 1.5, Size.LARGE))
    session.append("items", Item("milk"))
    session.data.best = session.data.items[0]
    token = faces.sent(session)
    session = faces.load(token)
    session.append("items", Item("salt"))
    faces.commit(session)
    items = [Item("tea", 1.5, Size.LARGE), Item("milk"), Item("salt")]
    assert faces.load(token).data == Cart(items, Item("tea", 1.5, Size.LARGE))


def test_what_the_codec_cannot_carry_is_said_at_the_start() -> None:
    with pytest.raises(ConfigError, match=r"AsDataclass\.tags: JSON has no builtins\.set"):
        Sessions("memory://", schema=AsDataclass, codec="json")


def test_cookie_only_sessions_are_typed_too(clock: ManualClock, kind: Any) -> None:
    sessions = Sessions.in_cookie(SECRET, schema=kind, clock=clock)
    session = sessions.load(None)
    session.data.cart.append(Item("tea"))
    token = sessions.commit(session).token
    session = sessions.load(token)
    session.increment("start")
    assert session.data == kind(cart=[Item("tea")], start=11)
    token = sessions.commit(session).token
    session = sessions.load(token)
    assert session.data == kind(cart=[Item("tea")], start=11)
    assert sessions.commit(session).token is None
    session.data.visits = 3
    with pytest.raises(SessionCommitted):
        sessions.commit(session)


def test_sealed_and_listed_sessions_are_typed_too(make: Make) -> None:
    faces = make(schema=AsDataclass, secrets=SECRET, max_sessions=2)
    session = faces.load(None)
    session.data.theme = "dark"
    faces.login(session, "ann")
    session.data.visits = 1
    token = faces.sent(session)
    assert faces.load(token).data == AsDataclass(theme="dark", visits=1)
    assert [one.user for one in faces.of("ann")] == ["ann"]


# What is wrong


def test_a_wrong_type_is_an_error_at_the_line_that_sets_it(typed: Faces, kind: Any) -> None:
    session = typed.load(None)
    name = kind.__qualname__
    with pytest.raises(TypeError, match=rf"{name}\.visits: str, not int"):
        session["visits"] = "3"
    with pytest.raises(TypeError, match=rf"{name}\.visits: NoneType, not int"):
        session["visits"] = None
    with pytest.raises(TypeError, match=rf"{name}\.cart\[1\]\.price: str, not float"):
        session["cart"] = [Item("tea"), Item("milk", "much")]  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=rf"{name}\.visits: float, not int"):
        session.increment("visits", 0.5)
    with pytest.raises(TypeError, match=rf"{name}\.cart\[0\]: str, not Item"):
        session.append("cart", "tea")
    with pytest.raises(TypeError, match=rf"{name}\.theme: list, not str \| None"):
        session.append("theme", "tea")
    with pytest.raises(TypeError, match="increment adds"):
        session.increment("cart")
    assert session.data == kind()
    assert not session.changed


def test_an_unknown_name_is_an_error_at_the_line_that_sets_it(typed: Faces, kind: Any) -> None:
    session = typed.load(None)
    message = f"'other' is no field of {kind.__qualname__}"
    with pytest.raises(TypeError, match=message):
        session["other"] = 1
    with pytest.raises(TypeError, match=message):
        session.increment("other")
    with pytest.raises(TypeError, match=message):
        session.append("other", 1)
    with pytest.raises(TypeError, match=message):
        session.update(other=1)
    assert not session.changed


def test_a_wrong_type_in_the_instance_is_an_error_at_commit(make: Make) -> None:
    for kind in (AsDataclass, AsStruct):
        faces = make(schema=kind)
        token = faces.signed_in()
        session = faces.load(token)
        session.data.visits = "3"
        with pytest.raises(CodecError, match="visits: str, not int") as caught:
            faces.commit(session)
        assert caught.value.name == "visits"
        session.data.visits = 3
        session.data.cart.append("tea")
        with pytest.raises(CodecError, match=r"cart\[0\]: str, not Item"):
            faces.commit(session)
        assert faces.load(token).data == kind()


def test_an_attribute_that_is_no_field_is_an_error_at_commit(make: Make) -> None:
    class Open(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(extra="allow")
        visits: int = 0

    @dataclass
    class Counts:
        visits: int = 0

        def __post_init__(self) -> None:
            self.own = 1  # each instance has it anew: nothing is lost

        @functools.cached_property
        def doubled(self) -> int:
            return 2 * self.visits

    for kind in (Open, Counts):
        faces = make(schema=kind)
        session = faces.load(None)
        session.data.visits = 3
        assert getattr(session.data, "doubled", 6) == 6
        faces.sent(session)
        session = faces.load(None)
        session.data.visit = 3
        with pytest.raises(CodecError, match="'visit': no field of the schema") as caught:
            faces.commit(session)
        assert caught.value.name == "visit"


def test_a_deleted_attribute_is_an_error_at_commit(make: Make) -> None:
    faces = make(schema=AsStruct)
    session = faces.load(None)
    del session.data.cart
    with pytest.raises(CodecError, match="'cart': deleted"):
        faces.commit(session)


def test_sessions_without_a_schema_have_no_data(make: Make) -> None:
    with pytest.raises(ConfigError, match=r"schema="):
        _ = make().load(None).data


class _Named(NamedTuple):
    visits: int = 0


class _Keys(TypedDict):
    visits: int


class _Plain:
    visits: int = 0


@dataclass(frozen=True)
class _Frozen:
    visits: int = 0


class _FrozenStruct(msgspec.Struct, frozen=True):
    visits: int = 0


class _FrozenModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)
    visits: int = 0


@dataclass
class _Needs:
    visits: int


@dataclass
class _Lies:
    visits: int = "3"  # type: ignore[assignment]


@dataclass
class _Unwritable:
    visits: object = field(default_factory=object)


@dataclass
class _Unset:
    visits: int = field(init=False)


@dataclass
class _Unknown:
    visits: "Nowhere" = 0  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (_Named, "no dataclass"),
        (_Keys, "no dataclass"),
        (_Plain, "no dataclass"),
        (dict[str, int], "no dataclass"),
        (AsDataclass(), "no dataclass"),
        ("shop", "no dataclass"),
        (_Frozen, "frozen"),
        (_FrozenStruct, "frozen"),
        (_FrozenModel, "frozen"),
        (_Needs, "visits"),
        (_Unset, "_Unset.visits has no default"),
        (_Lies, "_Lies.visits: str, not int"),
        (_Unwritable, "_Unwritable.visits"),
        (_Unknown, "Nowhere"),
    ],
)
def test_a_schema_that_cannot_be_kept_is_a_config_error(schema: Any, says: str) -> None:
    with pytest.raises(ConfigError, match="schema: ") as caught:
        Sessions("memory://", schema=schema)
    assert says in str(caught.value)
    with pytest.raises(ConfigError, match="schema: "):
        Sessions.in_cookie(SECRET, schema=Schema(schema))


def test_values_that_do_not_fit_any_more_are_their_default_and_told(
    make: Make, events: Events
) -> None:
    plain = make()
    token = plain.new(visits="many", theme="dark", other=[1], cart=[{"name": "tea"}], start=1.5)
    faces = make(schema=AsDataclass)
    session = faces.load(token)
    assert session.data == AsDataclass(theme="dark")
    session.increment("start")  # over what does not fit
    session.data.visits = 3
    faces.commit(session)
    told = [fields["name"] for event, fields in events if event == "session.corrupt"]
    assert told == ["visits", "start", "cart"]
    assert faces.load(token).data == AsDataclass(theme="dark", visits=3, start=11)
    assert plain.load(token)["other"] == [1]  # what is no field is left alone
    assert plain.load(token)["cart"] == [{"name": "tea"}]  # until somebody sets it


def test_what_a_model_forbids_at_an_assignment_is_no_error_when_it_was_stored(make: Make) -> None:
    class Before(pydantic.BaseModel):
        visits: int = 0

    class After(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(validate_assignment=True)
        visits: int = pydantic.Field(0, lt=10)

    session = make(schema=Before).load(None)
    faces = make(schema=Before)
    session.data.visits = 50
    token = faces.sent(session)
    state = make(schema=After).load(token).data
    assert state.visits == 50
    with pytest.raises(pydantic.ValidationError):
        state.visits = 51


def test_a_model_knows_what_was_set(make: Make) -> None:
    faces = make(schema=AsModel)
    session = faces.load(None)
    session.data.visits = 3
    token = faces.sent(session)
    assert faces.load(token).data.model_dump() == AsModel(visits=3).model_dump()
