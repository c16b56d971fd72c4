"""`Value`: one creates, the others get the old value or wait; and what managers are asked."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from holdfast.compat import settings
from holdfast.compat.beaker.container import (
    AbstractDictionaryNSManager,
    MemoryNamespaceManager,
    NamespaceManager,
    Value,
)
from holdfast.compat.beaker.synchronization import null_synchronizer


@pytest.fixture
def space() -> MemoryNamespaceManager:
    """Give a namespace that nobody else has."""
    MemoryNamespaceManager.namespaces.clear()
    return MemoryNamespaceManager("name")


def _in_threads(count: int, use: Callable[[], object]) -> list[object]:
    got: list[object] = []
    threads = [threading.Thread(target=lambda: got.append(use())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def test_one_creates_and_the_others_wait(space: MemoryNamespaceManager) -> None:
    together, made = threading.Barrier(8), []

    def create() -> str:
        time.sleep(0.02)
        made.append(1)
        return "new"

    def use() -> object:
        together.wait()
        return Value("k", space, create).get_value()

    assert _in_threads(8, use) == ["new"] * 8
    assert made == [1]


def test_who_comes_meanwhile_gets_the_old_value(space: MemoryNamespaceManager) -> None:
    Value("k", space, expiretime=10).set_value("old", storedtime=time.time() - 20)
    began, end = threading.Event(), threading.Event()

    def create() -> str:
        began.set()
        end.wait(20)
        return "new"

    got: list[object] = []
    creator = threading.Thread(
        target=lambda: got.append(Value("k", space, create, expiretime=10).get_value())
    )
    creator.start()
    began.wait(20)
    try:
        assert Value("k", space, lambda: "other", expiretime=10).get_value() == "old"
    finally:
        end.set()
        creator.join()
    assert got == ["new"]
    assert Value("k", space).get_value() == "new"


def test_what_another_made_while_we_waited_is_taken(space: MemoryNamespaceManager) -> None:
    class Slow(MemoryNamespaceManager):
        def get_creation_lock(self, key: Any) -> Any:
            Value(key, space).set_value("of another")
            return null_synchronizer()

    assert Value("k", Slow("name"), lambda: "mine").get_value() == "of another"


def test_a_failure_lets_the_next_one_try(space: MemoryNamespaceManager) -> None:
    def fail() -> None:
        raise LookupError("no database")

    with pytest.raises(LookupError):
        Value("k", space, fail).get_value()
    assert _in_threads(1, lambda: Value("k", space, lambda: 2).get_value()) == [2]


def test_a_none_is_a_value(space: MemoryNamespaceManager) -> None:
    made = []
    value = Value("k", space, lambda: made.append(1))
    assert [value.get_value(), value.get_value()] == [None, None]
    assert made == [1]


def test_memory_keeps_the_object_itself(space: MemoryNamespaceManager) -> None:
    something = object()
    Value("k", space).set_value(something)
    assert Value("k", MemoryNamespaceManager("name")).get_value() is something


@pytest.mark.parametrize(
    "entry", [None, 7, "abc", (1, 2, 3, 4), ("soon", 3, "v"), (1.0, "later", "v"), (), b"bytes"]
)
def test_what_is_no_entry_is_not_there(space: MemoryNamespaceManager, entry: object) -> None:
    space["k"] = entry
    value = Value("k", space, lambda: "new")
    assert not value.has_current_value()
    assert settings.refused.total() == (entry is not None)
    assert value.get_value() == "new"


def test_an_entry_may_be_a_list(space: MemoryNamespaceManager) -> None:
    space["k"] = [time.time(), None, "of JSON"]
    assert Value("k", space).get_value() == "of JSON"


def test_a_manager_need_not_inherit_anything() -> None:
    class Bare:
        namespace = "bare"

        def __init__(self) -> None:
            self.found: dict[Any, Any] = {}

        def __contains__(self, key: object) -> bool:
            return key in self.found

        def __getitem__(self, key: object) -> Any:
            return self.found[key]

        def set_value(self, key: object, value: object, expiretime: float | None) -> None:
            self.found[key] = (*value, expiretime)[:3]  # type: ignore[misc] # a tuple it is

        def nothing(self) -> None:
            pass

        def get_creation_lock(self, _: object) -> Any:
            return null_synchronizer()

        acquire_read_lock = release_read_lock = nothing
        acquire_write_lock = release_write_lock = nothing

    value = Value("k", Bare(), lambda: 3, expiretime=9)
    assert (value.get_value(), value.has_current_value()) == (3, True)


def test_locks_are_taken_around_reading_and_writing(space: MemoryNamespaceManager) -> None:
    did: list[str] = []

    class Telling(MemoryNamespaceManager):
        def acquire_read_lock(self) -> None:
            did.append("read")

        def release_read_lock(self) -> None:
            did.append("read no more")

        def acquire_write_lock(self, wait: bool = True, replace: bool = False) -> bool:  # noqa: FBT002 - as it is called
            did.append(f"write {wait} {replace}")
            return True

        def release_write_lock(self) -> None:
            did.append("write no more")

        def __setitem__(self, key: Any, value: Any) -> None:
            did.append("set")
            super().__setitem__(key, value)

    value = Value("k", Telling("name"), lambda: did.append("create"))
    value.get_value()
    looked = ["read", "read no more"]
    assert did == [*looked, *looked, "create", "write True False", "set", "write no more"]
    did.clear()
    value.clear_value()
    assert did == ["write True False", "write no more"]
    assert "k" not in space


def test_a_swap_in_memory_is_lost_to_who_was_faster(space: MemoryNamespaceManager) -> None:
    slow = MemoryNamespaceManager("name")
    with pytest.raises(KeyError):
        slow.reread("k")
    assert space.swap_value("k", "first")
    assert not slow.swap_value("k", "second")
    assert slow.reread("k") == "first"
    assert slow.swap_value("k", "second", expiretime=3)
    assert not space.swap_value("k", "third")
    del space["k"]
    assert not slow.swap_value("k", "fourth")


def test_eight_threads_swap_and_lose_nothing(space: MemoryNamespaceManager) -> None:
    space["n"] = 0

    def add() -> None:
        mine = MemoryNamespaceManager("name")
        for _ in range(50):
            while not mine.swap_value("n", mine.reread("n") + 1):
                pass

    _in_threads(8, add)
    assert space["n"] == 400


def test_a_manager_of_others_swaps_by_setting() -> None:
    class Theirs(AbstractDictionaryNSManager):
        reread = NamespaceManager.reread
        swap_value = NamespaceManager.swap_value

        def __init__(self) -> None:
            super().__init__("theirs")
            self.dictionary = {"k": 1}

    theirs = Theirs()
    assert theirs.reread("k") == 1
    assert theirs.swap_value("k", 2)
    assert theirs["k"] == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda n: n.get_creation_lock("k"),
        lambda n: n.do_remove(),
        lambda n: n["k"],
        lambda n: "k" in n,
        lambda n: n.has_key("k"),
        lambda n: n.set_value("k", 1),
        lambda n: n.__delitem__("k"),
        lambda n: n.keys(),
        lambda n: n.remove(),
    ],
    ids=["creation", "do_remove", "get", "in", "has_key", "set", "del", "keys", "remove"],
)
def test_what_a_manager_must_say_itself(call: Callable[[Any], Any]) -> None:
    with pytest.raises(NotImplementedError):
        call(NamespaceManager("n"))


def test_a_manager_of_servers_needs_no_locks() -> None:
    bare = NamespaceManager("n")
    assert bare.acquire_write_lock(wait=False) is True
    assert [bare.acquire_read_lock(), bare.release_read_lock()] == [None, None]
    bare.release_write_lock()


def test_dependencies_are_looked_for_when_one_is_made() -> None:
    looked: list[str] = []

    class Needy(MemoryNamespaceManager):
        @classmethod
        def _init_dependencies(cls) -> None:
            looked.append(cls.__name__)

    Needy("a")
    assert looked == ["Needy"]


def test_who_says_what_is_there_is_asked(space: MemoryNamespaceManager) -> None:
    class Hiding(MemoryNamespaceManager):
        def __contains__(self, key: Any) -> bool:
            return key != "hidden" and bool(super().__contains__(key))

    class More(Hiding):
        pass

    Value("hidden", space).set_value("there")
    Value("shown", space).set_value("there")
    assert Value("hidden", space).get_value() == "there"
    for kind in (Hiding, More):
        assert Value("shown", kind("name")).get_value() == "there"
        assert not Value("hidden", kind("name")).has_current_value()
