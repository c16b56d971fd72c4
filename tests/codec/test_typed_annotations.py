"""Annotations as people write them: texts, forward references, aliases, methods, coroutines."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Annotated, Any, NewType, Self, TypeVar

import pytest

from holdfast.codec.typed import Form, form_of, form_of_result

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")
PLAIN = {"x": 1, "y": None}


def turned(form: Form | None, value: object) -> Any:
    assert form is not None
    plain = form.plain(value)
    assert form.typed(plain) == value
    return plain


def test_a_forward_reference_is_read_at_the_first_use() -> None:
    form = form_of_result(load_later)
    assert turned(form, [Later(1)]) == [PLAIN]
    assert turned(form_of(list["Later"], where="", names=globals()), [Later(1)]) == [PLAIN]
    assert turned(form_of("Later | None", where="", names=globals()), Later(1)) == PLAIN


def load_later() -> list[Later]:
    return []


@dataclasses.dataclass
class Later:
    """Comes after the functions that return it."""

    x: int
    y: NewerYet | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass
class NewerYet:
    """Comes later still."""

    x: int


def test_a_coroutine_function_gives_its_result() -> None:
    async def load() -> Later:
        return Later(1)

    assert turned(form_of_result(load), Later(1)) == PLAIN


def test_generators_that_are_collected_give_lists() -> None:
    def some() -> Iterator[Later]:
        yield Later(1)

    async def later() -> AsyncIterator[Later]:
        yield Later(1)

    for function in (some, later):
        assert turned(form_of_result(function), [Later(1)]) == [PLAIN]


class Shop:
    """Methods of all kinds."""

    @dataclasses.dataclass
    class Item:
        """Known by its short name in here."""

        name: str

    def __init__(self, item: Item) -> None:
        self.item = item

    def load(self) -> Item:
        return self.item

    @classmethod
    def of(cls) -> Item:
        return cls.Item("a")

    def __call__(self) -> Item:
        return self.item


@dataclasses.dataclass
class Made:
    """Returns itself."""

    x: int
    after: Self | None = None

    @classmethod
    def make(cls) -> Self:
        return cls(1)

    @classmethod
    def many(cls) -> list[Self | None]:
        return [cls(1)]


def test_methods() -> None:
    item = Shop.Item("a")
    for function in (Shop.load, Shop(item).load, Shop.of, Shop(item)):
        assert turned(form_of_result(function), item) == {"name": "a"}
    assert turned(form_of_result(functools.partial(load_later)), [Later(1)])


def test_self_is_the_class_of_the_method() -> None:
    plain = {"x": 1, "after": {"x": 2, "after": None}}
    assert turned(form_of_result(Made.make), Made(1, Made(2))) == plain
    assert turned(form_of_result(Made.many), [Made(1, Made(2)), None]) == [plain, None]


def test_an_attribute_of_a_function_is_not_the_function() -> None:
    def load() -> Later:
        return Later(1)

    vars(load)["func"] = load_later
    assert turned(form_of_result(load), Later(1)) == PLAIN


def test_a_wrapped_function_is_read_as_the_one_within() -> None:
    def passed(function: Any) -> Any:
        @functools.wraps(function)
        def call(*args: object) -> object:
            return function(*args)

        return call

    assert turned(form_of_result(passed(load_later)), [Later(1)])


Loaded = NewType("Loaded", Later)


@pytest.mark.parametrize(
    "annotation", ["Loaded", Loaded, "Annotated[Later, 'x', []]", Annotated[Loaded, {}]]
)
def test_what_is_said_about_a_type_is_not_the_type(annotation: object) -> None:
    form = form_of(annotation, where="", names=globals())
    assert turned(form, Later(1)) == PLAIN


def test_a_type_variable_is_anything() -> None:
    def same(value: T) -> list[T]:
        return [value]

    assert turned(form_of_result(same), [1, (2,)]) == [1, (2,)]


def test_a_name_that_is_not_there_at_run_time_leaves_the_value_as_it_is() -> None:
    def load() -> Sequence[int]:
        return [1]

    form = form_of_result(load)
    assert turned(form, [1]) == [1]
    assert form.fingerprint == b""
    assert "Sequence" in form.mend


def test_a_class_whose_fields_cannot_be_read_is_left_to_the_codec() -> None:
    @dataclasses.dataclass
    class Hidden:
        x: Sequence[int]

    form = form_of(list[Hidden], where="shop.load")
    assert form is not None
    hidden = Hidden([1])
    assert form.plain([hidden])[0] is hidden  # type: ignore[index]
    assert "Hidden" in form.mend
    assert "Sequence" in form.mend


def test_a_class_made_in_a_function_may_contain_itself() -> None:
    @dataclasses.dataclass
    class Chain:
        x: int
        after: Chain | None = None

    assert turned(form_of(Chain, where=""), Chain(1, Chain(2))) == {
        "x": 1,
        "after": {"x": 2, "after": None},
    }


def test_an_annotation_that_is_no_type_does_not_stop_anybody() -> None:
    def odd() -> int:
        return 1

    odd.__annotations__["return"] = "1 +"
    form = form_of_result(odd)
    assert turned(form, 1) == 1
    assert "cannot be read" in form.mend
    assert turned(form_of(7, where=""), [1]) == [1]
