"""Typed sessions against a model: whatever is done, the instance, the names and the store agree."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typed_kinds import KINDS, AsDataclass, AsModel, Item

from holdfast.session import Schema, Session, Sessions
from holdfast.store.memory import MemoryStore
from holdfast.testing.clock import ManualClock

NUMBERS = st.integers(-3, 3)
NAMES = st.sampled_from(["tea", "milk"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats()
    | st.text(max_size=3)
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.sampled_from(["name", "price", "size", "", "set"]), inner)
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from(["visits", "start", "theme", "cart", "tags", "prices", "folder", "other"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("attribute"), NUMBERS),
        st.tuples(st.just("name"), NUMBERS),
        st.tuples(st.just("increment"), NUMBERS),
        st.tuples(st.just("append"), NAMES),
        st.tuples(st.just("in place"), NAMES),
        st.tuples(st.just("by name in place"), NAMES),
        st.tuples(st.just("deeper"), NUMBERS),
        st.tuples(st.just("new list"), NAMES),
        st.tuples(st.just("delete"), st.sampled_from(["start", "cart", "tags"])),
        st.tuples(st.just("take out"), st.just(0)),
        st.tuples(st.just("clear"), st.just(0)),
        st.tuples(st.just("revert"), st.just(0)),
        st.tuples(st.just("commit"), st.just(0)),
        st.tuples(st.just("next request"), st.just(0)),
    ),
    max_size=12,
)


def _deeper(state: Any, price: float) -> None:
    if state.cart:
        state.cart[-1].price = price


def _delete(state: Any, name: str) -> None:
    setattr(state, name, getattr(AsDataclass(), name))


# What a step does to a session, and what it does to the model.
Step = tuple[Callable[[Any, Any], object], Callable[[Any, Any], object]]
DONE: dict[str, Step] = {
    "attribute": (
        lambda session, value: setattr(session.data, "start", value),
        lambda state, value: setattr(state, "start", value),
    ),
    "name": (
        lambda session, value: session.update(start=value),
        lambda state, value: setattr(state, "start", value),
    ),
    "increment": (
        lambda session, value: session.increment("start", value),
        lambda state, value: setattr(state, "start", state.start + value),
    ),
    "append": (
        lambda session, name: session.append("cart", Item(name)),
        lambda state, name: state.cart.append(Item(name)),
    ),
    "in place": (
        lambda session, name: session.data.cart.insert(0, Item(name)),
        lambda state, name: state.cart.insert(0, Item(name)),
    ),
    "by name in place": (
        lambda session, name: session["tags"].add(name),
        lambda state, name: state.tags.add(name),
    ),
    "deeper": (lambda session, value: _deeper(session.data, value), _deeper),
    "new list": (
        lambda session, name: setattr(session.data, "cart", [Item(name)]),
        lambda state, name: setattr(state, "cart", [Item(name)]),
    ),
    "delete": (lambda session, name: session.pop(name), _delete),
    "take out": (lambda session, _: session.data, lambda *_: None),
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_whatever_is_done_all_views_agree(kind: Any, steps: list[tuple[str, Any]]) -> None:
    store = MemoryStore("model", clock=ManualClock())
    sessions: Sessions[Any] = Sessions(store, schema=kind)
    session = sessions.load(None)
    session.login("ann")
    token = sessions.commit(session).token
    session: Session[Any] = sessions.load(token)  # type: ignore[no-redef]
    state, stored = kind(), kind()
    for step, value in steps:
        if step in DONE:
            ours, models = DONE[step]
            ours(session, value)
            models(state, value)
        elif step == "clear":
            session.clear()
            state = kind()
        elif step == "revert":
            session.revert()
            state = copy.deepcopy(stored)
        else:
            changed = session.changed
            assert changed or state == stored
            sessions.commit(session)
            stored = copy.deepcopy(state)
            if step == "next request":
                session = sessions.load(token)
            else:
                assert sessions.load(token).data == state
        assert session["start"] == state.start
    sessions.commit(session)
    assert session.data == state
    assert {name: session[name] for name in session} == {
        name: getattr(state, name) for name in session
    }
    assert sessions.load(token).data == state
    assert not session.changed


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(FIELDS, VALUES), st.integers(-1, 4) | VALUES)
def test_whatever_is_stored_each_field_has_a_value_of_its_type(
    values: dict[str, Any], version: Any
) -> None:
    store = MemoryStore("model", clock=ManualClock())
    plain: Sessions[Any] = Sessions(store)
    session = plain.load(None)
    session.update(values, more=1)
    session._open().mark("schema", version)
    token = plain.commit(session).token
    schema = Schema(AsModel, version=3, migrations={2: lambda values: {**values, "visits": "3"}})
    typed: Sessions[Any] = Sessions(store, schema=schema)
    session = typed.load(token)
    state = session.data
    fit = AsModel.model_validate(state.model_dump(), strict=True)
    assert fit == state or any(price != price for price in state.prices.values())  # noqa: PLR0124
    assert not session.changed
    state.theme = "dark"
    session.increment("visits")
    session.append("cart", Item("tea"))
    typed.commit(session)
    state = typed.load(token).data
    assert (state.theme, state.cart[-1]) == ("dark", Item("tea"))
