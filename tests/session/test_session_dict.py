"""The session as a dict: what an application does with it, over both kinds."""

from collections.abc import Callable, MutableMapping
from enum import StrEnum

import pytest
from counting import CountingStore
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import CodecError
from holdfast.session import Outcome, Session, Sessions

NOTHING = Outcome(None, None, expire=False)


def stored(sessions: Sessions, **values: object) -> str:
    session = sessions.load(None)
    session.update(values)
    token = sessions.commit(session).token
    assert token is not None
    return token


def again(sessions: Sessions, token: str, act: Callable[[Session], object]) -> str:
    """Be one request with `token`; return the token the client has then."""
    session = sessions.load(token)
    act(session)
    return sessions.commit(session).token or token


def test_values_come_back(either: Sessions) -> None:
    token = stored(either, cart=["tea"], n=1, nothing=None, pair=(1, 2))
    session = either.load(token)
    assert dict(session) == {"cart": ["tea"], "n": 1, "nothing": None, "pair": (1, 2)}
    assert isinstance(session, MutableMapping)
    assert session.get("absent") is None
    assert session.get("absent", 3) == 3
    assert "cart" in session
    assert "absent" not in session
    assert not session.__contains__(1)
    assert len(session) == 4
    assert list(session) == ["cart", "n", "nothing", "pair"]
    assert session == {"cart": ["tea"], "n": 1, "nothing": None, "pair": (1, 2)}
    assert either.commit(session) == NOTHING


def test_every_way_to_change_a_dict(either: Sessions) -> None:
    token = stored(either, a=1, b=2, c=3, d=[4])

    def act(session: Session) -> None:
        del session["a"]
        assert session.pop("b") == 2
        session.update(e=5, c=6)
        session.setdefault("f", []).append(7)
        session.setdefault("d", []).append(8)
        session["g"] = session["nested"] = {"x": []}
        session["nested"]["x"].append(9)
        with pytest.raises(KeyError):
            del session["a"]
        with pytest.raises(KeyError):
            session["b"]

    token = again(either, token, act)
    assert dict(either.load(token)) == {
        "c": 6,
        "d": [4, 8],
        "e": 5,
        "f": [7],
        "g": {"x": [9]},
        "nested": {"x": [9]},
    }


def test_popitem_empties_it(either: Sessions) -> None:
    token = stored(either, a=1, b=2)

    def act(session: Session) -> None:
        while session:
            session.popitem()

    assert dict(either.load(again(either, token, act))) == {}


def test_deep_changes_are_found(either: Sessions) -> None:
    token = stored(either, tree={"a": [{"b": {1}}]})
    token = again(either, token, lambda s: s["tree"]["a"][0]["b"].add(2))
    assert either.load(token)["tree"] == {"a": [{"b": {1, 2}}]}


def test_a_change_taken_back_is_none(sessions: Sessions, store: CountingStore) -> None:
    token = stored(sessions, cart=["tea"], n=1)
    store.calls.clear()

    def act(session: Session) -> None:
        session["cart"].append("milk")
        session["cart"].pop()
        session["n"] = 2
        session["n"] = 1

    again(sessions, token, act)
    assert store.calls == {"get": 1}


def test_names_are_text(either: Sessions) -> None:
    with pytest.raises(TypeError, match="names are text"):
        either.load(None)[1] = 1  # type: ignore[index]


class Name(StrEnum):
    """Names as some applications write them."""

    CART = "cart"
    VISITS = "visits"


def test_names_may_be_members_of_an_enum(either: Sessions) -> None:
    session = either.load(None)
    session[Name.CART] = ["tea"]
    session.append(Name.CART, "milk")
    session.increment(Name.VISITS)
    assert [type(name) for name in session] == [str, str]
    token = either.commit(session).token
    assert token is not None
    session = either.load(token)
    assert session[Name.CART] == ["tea", "milk"]
    assert dict(session) == {"cart": ["tea", "milk"], "visits": 1}


@pytest.mark.parametrize(
    "act",
    [
        lambda s: s.increment(None),
        lambda s: s.append(1, "x"),
        lambda s: s.login("ann", label=["phone"]),
    ],
)
def test_what_is_no_text_is_refused_at_the_call(
    either: Sessions, act: Callable[[Session], object]
) -> None:
    session = either.load(None)
    with pytest.raises(TypeError):
        act(session)
    session["a"] = 1
    assert either.commit(session).token is not None


@pytest.mark.parametrize(
    "act",
    [
        lambda s: s.__setitem__("half \ud800", 1),
        lambda s: s.increment("\ud800"),
        lambda s: s.flash("hi", queue="\ud800"),
        lambda s: s.notify("\ud800", 1),
        lambda s: s.login("\ud800"),
        lambda s: s.login("ann", label="\ud800"),
    ],
)
def test_text_that_is_no_unicode_is_said_at_commit(
    either: Sessions, act: Callable[[Session], object]
) -> None:
    session = either.load(None)
    act(session)
    with pytest.raises(CodecError, match="surrogates"):
        either.commit(session)


@pytest.mark.parametrize(
    "look",
    [
        lambda s: s.get("a"),
        lambda s: "a" in s,
        len,
        list,
        bool,
        repr,
        lambda s: s.keys().__len__(),
        lambda s: s == {},
        lambda s: s.id,
        lambda s: s.user,
        lambda s: s.is_new,
        lambda s: s.created,
        lambda s: s.expires,
        lambda s: s.peek_flash(),
        lambda s: s.pop_flash(),
        lambda s: s.take("a"),
        lambda s: s.csrf_token(),
        lambda s: s.check_csrf("x"),
        lambda s: s.fresh_for(1),
        lambda s: s.rotate(),
        lambda s: s.logout(),
        lambda s: s.clear(),
        lambda s: s.save(),
        lambda s: s.login("ann"),
        lambda s: s.append("list", 1),
    ],
)
def test_28_whatever_is_done_is_an_access(
    either: Sessions, look: Callable[[Session], object]
) -> None:
    session = either.load(stored(either, list=[]))
    assert not session.accessed
    look(session)
    assert session.accessed


def test_nothing_is_read_before_the_first_touch(sessions: Sessions, store: CountingStore) -> None:
    token = stored(sessions, a=1)
    store.calls.clear()
    session = sessions.load(token)
    assert session.changed is False
    assert repr(session) == "<Session not loaded>"
    sessions.commit(session)
    assert not store.calls
    assert session["a"] == 1
    assert session["a"] == 1
    sessions.commit(session)
    assert store.calls == {"get": 1}


def test_only_what_is_touched_is_decoded(sessions: Sessions) -> None:
    decoded: list[bytes] = []

    class Watched:
        name = "watched"

        def encode(self, value: object, /) -> bytes:
            return str(value).encode()

        def decode(self, data: bytes, /) -> object:
            decoded.append(data)
            return data.decode()

    assert sessions.store is not None
    watching = Sessions(sessions.store, codec=Watched())
    token = stored(watching, a="1", b="2")
    assert watching.load(token)["b"] == "2"
    assert decoded == [b"2"]


def test_new_means_not_stored_yet(either: Sessions) -> None:
    session = either.load(None)
    assert session.is_new
    assert session.user is None
    session["a"] = 1
    assert session.changed
    handle = session.id
    token = either.commit(session).token
    assert [session.is_new] == [False]
    again_loaded = either.load(token)
    assert not again_loaded.is_new
    assert again_loaded.id == session.id == handle


def test_an_empty_session_is_never_stored(sessions: Sessions, store: CountingStore) -> None:
    session = sessions.load(None)
    session["a"] = 1
    del session["a"]
    session.rotate()
    session.save()
    assert sessions.commit(session) == NOTHING
    assert store.keys() == []


def test_an_emptied_session_stays(either: Sessions) -> None:
    """Removing it would lose what another tab writes at that moment."""
    token = stored(either, a=1)
    token = again(either, token, Session.clear)
    session = either.load(token)
    assert not session.is_new
    assert len(session) == 0


def test_save_writes_what_is_unchanged(sessions: Sessions, store: CountingStore) -> None:
    token = stored(sessions, a=1)
    store.calls.clear()
    again(sessions, token, Session.save)
    assert store.calls["swap"] == 1


def test_revert_forgets_what_was_done(either: Sessions) -> None:
    token = stored(either, a=1, b=[1])

    def act(session: Session) -> None:
        session["a"] = 2
        session["b"].append(2)
        session["c"] = 3
        session.flash("hi")
        session.increment("n")
        session.revert()
        assert dict(session) == {"a": 1, "b": [1]}
        assert not session.changed
        session["d"] = 4

    session = either.load(again(either, token, act))
    assert dict(session) == {"a": 1, "b": [1], "d": 4}
    assert session.peek_flash() == []


def test_operations_show_at_once(either: Sessions) -> None:
    token = stored(either, n=1, items=["a"])
    session = either.load(token)
    session.increment("n")
    session.increment("n", by=2)
    session.increment("fresh", by=0.5)
    session.append("items", "b")
    session.append("new", 1)
    assert dict(session) == {"n": 4, "items": ["a", "b"], "fresh": 0.5, "new": [1]}
    token = either.commit(session).token or token
    assert dict(either.load(token)) == dict(session)


def test_operations_after_a_put_of_the_same_request(either: Sessions) -> None:
    token = stored(either, n=1, items=["a"])

    def act(session: Session) -> None:
        session["n"] = 10
        session.increment("n")
        del session["items"]
        session.append("items", "b")

    assert dict(either.load(again(either, token, act))) == {"n": 11, "items": ["b"]}


def test_an_int_beyond_floats_that_another_tab_left_is_overwritten(sessions: Sessions) -> None:
    token = stored(sessions, n=1)
    tabs = [sessions.load(token) for _ in range(2)]
    tabs[0]["n"] = 10**400
    tabs[1].increment("n", by=0.5)
    for tab in tabs:
        sessions.commit(tab)
    assert sessions.load(token)["n"] == 1.5
    session = sessions.load(stored(sessions, n=10**400))
    with pytest.raises(OverflowError):
        session.increment("n", by=0.5)
    assert not session.changed


def test_operations_refuse_what_they_cannot_do(either: Sessions) -> None:
    session = either.load(stored(either, text="a", flag=True))
    for name in ("text", "flag"):
        with pytest.raises(TypeError, match=name):
            session.increment(name)
        with pytest.raises(TypeError, match=name):
            session.append(name, 1)
    with pytest.raises(TypeError):
        session.increment("n", by=True)
    with pytest.raises(TypeError):
        session.increment("n", by="1")  # type: ignore[arg-type]
    assert not session.changed


class Odd:
    """Nothing a codec knows."""


def test_an_unencodable_value_names_its_key_and_nothing_is_written(
    sessions: Sessions, store: CountingStore
) -> None:
    token = stored(sessions, a=1)
    session = sessions.load(token)
    session["a"] = 2
    session["odd"] = Odd()
    store.calls.clear()
    with pytest.raises(CodecError, match=r"'odd': .*Odd") as caught:
        sessions.commit(session)
    assert caught.value.name == "odd"
    assert store.calls["swap"] == 0
    with pytest.raises(CodecError, match="'items'"):
        session.append("items", Odd())
    with pytest.raises(CodecError, match="'queue'"):
        session.flash(Odd(), queue="queue")
    assert dict(sessions.load(token)) == {"a": 1}


def test_flash_messages_wait_until_they_are_popped(either: Sessions) -> None:
    def post(session: Session) -> None:
        session.flash("one")
        session.flash({"level": "error"}, queue="q")
        session.flash("two")

    token = again(either, stored(either, a=1), post)
    session = either.load(token)
    assert session.peek_flash() == ["one", "two"]
    assert session.peek_flash("q") == [{"level": "error"}]

    def pop(session: Session) -> None:
        session.flash("three")
        assert session.pop_flash() == ["one", "two", "three"]
        assert session.pop_flash() == []
        session.flash("four")

    token = again(either, token, pop)
    session = either.load(token)
    assert session.peek_flash() == ["four"]
    assert session.peek_flash("q") == [{"level": "error"}]
    assert dict(session) == {"a": 1}


def test_clear_takes_the_messages_of_this_request_too(either: Sessions) -> None:
    token = stored(either, a=1)
    session = either.load(token)
    session.flash("before")
    session.notify("n", "before")
    session.clear()
    assert session.pop_flash() == []
    session.flash("after")
    session = either.load(either.commit(session).token or token)
    assert session.take("n") is None
    assert session.pop_flash() == ["after"]


def test_reverting_after_a_login_shows_nothing_of_the_other_user(either: Sessions) -> None:
    token = stored(either, a=1)
    token = again(either, token, lambda s: s.login("ann"))
    session = either.load(token)
    session.login("bob")
    session.revert()
    assert dict(session) == {}
    assert session.user == "bob"
    session = either.load(either.commit(session).token)
    assert session.user == "bob"
    assert dict(session) == {}


def test_reverting_leaves_the_csrf_token_of_the_page(either: Sessions) -> None:
    session = either.load(None)
    form = session.csrf_token()
    session["a"] = 1
    session.revert()
    session = either.load(either.commit(session).token)
    assert session.check_csrf(form)
    assert dict(session) == {}


def test_notifications_are_read_once_in_their_order(either: Sessions) -> None:
    def post(session: Session) -> None:
        session.notify("n", 1)
        session.notify("n", 2)

    taken: list[object] = []

    def take(session: Session) -> None:
        taken.append(session.take("n"))

    token = again(either, stored(either, a=1), post)
    for _ in range(3):
        token = again(either, token, take)
    assert taken == [1, 2, None]
    assert either.load(token).take("n", "default") == "default"


def test_a_message_alone_is_worth_a_session(either: Sessions) -> None:
    session = either.load(None)
    session.flash("welcome")
    assert either.load(either.commit(session).token).peek_flash() == ["welcome"]


names = st.sampled_from(["a", "b", "c"])
values = st.one_of(st.integers(), st.lists(st.integers(), max_size=3), st.text(max_size=5))


@given(st.lists(st.tuples(st.sampled_from("sdcp"), names, values), max_size=12))
def test_like_a_dict_whatever_is_done(steps: list[tuple[str, str, object]]) -> None:
    sessions = Sessions("memory://")
    token: str | None = stored(sessions, a=[1])
    model: dict[str, object] = {"a": [1]}
    for what, name, value in steps:
        session = sessions.load(token)
        if what == "s":
            session[name] = model[name] = value
        elif what == "d":
            session.pop(name, None)
            model.pop(name, None)
        elif what == "c":
            session.clear()
            model.clear()
        else:
            found = session.get(name)
            expected = model.get(name)
            if isinstance(found, list) and isinstance(expected, list):
                found.append(0)
                expected.append(0)
        assert dict(session) == model
        token = sessions.commit(session).token or token
        assert dict(sessions.load(token)) == model


def test_its_length_counts_what_is_there_now(either: Sessions) -> None:
    session = either.load(None)
    session.update(a=1, b=2)
    session = either.load(either.commit(session).token)
    assert len(session) == 2
    session["c"] = 3
    assert len(session) == 3
    del session["a"], session["b"]
    assert len(session) == 1
