"""What Beaker's changelog promised of caches, release by release, as far as it can be seen."""

import importlib.metadata
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from holdfast.compat.beaker import backends, cache, container
from holdfast.compat.beaker.cache import (
    Cache,
    CacheManager,
    cache_region,
    cache_regions,
    clsmap,
    region_invalidate,
)
from holdfast.compat.beaker.caching_middleware import CacheMiddleware
from holdfast.compat.beaker.container import MemoryNamespaceManager, Value
from holdfast.compat.beaker.exceptions import BeakerException, InvalidCacheBackendError


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Give each test caches of its own."""
    for shared in (cache_regions, cache.cache_managers, MemoryNamespaceManager.namespaces):
        shared.clear()
    yield
    for shared in (cache_regions, cache.cache_managers, MemoryNamespaceManager.namespaces):
        shared.clear()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [1_000_000.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    return clock


class Spy(MemoryNamespaceManager):
    """Remembers what it was given."""

    def __init__(self, namespace: str, **kwargs: Any) -> None:
        super().__init__(namespace, **kwargs)
        self.options = kwargs
        self.given: list[Any] = []
        self.locked: list[Any] = []

    def set_value(self, key: Any, value: Any, expiretime: Any = None) -> None:
        self.given.append((key, expiretime))
        super().set_value(key, value)

    def get_creation_lock(self, key: Any) -> Any:
        self.locked.append(key)
        return super().get_creation_lock(key)


@pytest.fixture
def spied(monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setitem(clsmap, "spy", Spy)
    return Cache("spied", type="spy")


def _keys(name: str) -> list[Any]:
    return list(MemoryNamespaceManager(name).keys())


def _space(function: Any) -> str:
    """Return the name of the cache of a decorated function."""
    name: str = function._arg_namespace
    return name


def _app(*_: object) -> list[bytes]:
    return []


def test_1_9_1_the_function_that_creates_is_named_after_the_decorated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(Cache, "get_value", lambda _self, _key, **kw: seen.append(kw))
    cache_regions["r"] = {"type": "memory"}

    @cache_region("r")
    def load() -> int:
        return 1

    load()
    assert seen[0]["createfunc"].__name__ == "_cached_load"
    assert seen[0]["createfunc"]() == 1


def test_1_9_0_stores_that_forget_by_themselves_are_told_when(spied: Cache) -> None:
    spied.put("k", 1, expiretime=7)
    spied.put("k", 1)
    assert spied.namespace.given == [(b"k", 7), (b"k", None)]


class Point:
    """An entry point of the group `beaker.backends`."""

    def __init__(self, name: str, loads: Callable[[], Any], value: str = "some.module:X") -> None:
        self.name, self.load, self.value = name, loads, value

    def __repr__(self) -> str:
        return f"point {self.name}"


def _raising(error: BaseException) -> Callable[[], Any]:
    def load() -> Any:
        raise error

    return load


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Give the entry points of an environment, and a `clsmap` that has not looked for them."""
    found: list[Any] = []
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: found)
    known = {"memory": MemoryNamespaceManager}
    monkeypatch.setattr(cache, "clsmap", backends._backends(known))
    return found


def test_1_8_1_a_backend_that_cannot_be_loaded_is_warned_of(points: list[Any]) -> None:
    points += [Point("bad", _raising(OSError("no such disk"))), Point("good", lambda: Spy)]
    with pytest.warns(RuntimeWarning, match=r"Unable to load.*point bad(.|\n)*no such disk"):
        assert cache.clsmap["good"] is Spy
    with pytest.raises(TypeError, match="Unknown cache implementation 'bad'"):
        Cache("n", type="bad")


def test_1_8_0_arguments_by_name_are_the_same_key() -> None:
    cache_regions["r"] = {"type": "memory"}
    made = []

    @cache_region("r")
    def load(a: int, b: int = 2) -> int:
        made.append((a, b))
        return a + b

    assert [load(1, 5), load(1, b=5), load(b=5, a=1), load(a=1, b=5)] == [6] * 4
    assert made == [(1, 5)]


def test_1_8_0_annotations_do_no_harm() -> None:
    cache_regions["r"] = {"type": "memory"}

    @cache_region("r")
    def load(a: "int", *, b: "int | None" = None) -> "str":
        return f"{a} {b}"

    assert load(1, b=2) == load(1, b=2) == "1 2"
    assert load.__annotations__["return"] == "str"


def test_1_6_5_docstring_and_name_are_kept() -> None:
    @CacheManager(type="memory").cache()
    def load() -> None:
        """Load it."""

    assert (load.__doc__, load.__name__) == ("Load it.", "load")


def test_1_6_5_a_region_needs_no_key_length() -> None:
    cache_regions["r"] = {"type": "memory"}

    @cache_region("r")
    def load(text: str) -> str:
        return text

    assert load("x" * 1000) == "x" * 1000
    (key,) = _keys(_space(load))
    assert len(key) == 40
    region_invalidate(load, None, "x" * 1000)
    assert _keys(_space(load)) == []


def test_1_6_5_expire_may_be_the_text_of_a_config_file(now: list[float]) -> None:
    short = Cache("n", type="memory", expire="5")
    short.put("k", 1)
    now[0] += 4.9
    assert "k" in short
    now[0] += 0.2
    assert "k" not in short


def test_1_6_4_key_length_may_be_a_text() -> None:
    cache_regions["r"] = {"type": "memory", "key_length": "70"}

    @cache_region("r")
    def load(text: str) -> str:
        return text

    load("y" * 100)
    name = _space(load)
    assert [len(key) for key in _keys(name)] == [40]
    region_invalidate(load, None, "y" * 100)
    assert _keys(name) == []


def test_1_6_2_who_creates_locks_one_key_not_the_namespace(spied: Cache) -> None:
    spied.get("a", createfunc=lambda: spied.get("b", createfunc=lambda: 1))
    assert spied.namespace.locked == [b"a", b"b"]


def test_1_6_keys_of_any_alphabet(spied: Cache) -> None:
    spied.put("žluť", 1)
    assert spied.namespace.given == [(rb"\u017elu\u0165", None)]
    assert spied.get("žluť") == 1


def test_1_6_key_length_is_an_option_of_the_decorator_too() -> None:
    manager = CacheManager(type="memory")

    @manager.cache("mark", key_length=60)
    def load(text: str) -> str:
        return text

    name = _space(load)
    load("z" * 60)
    load("z" * 60)
    assert [len(key) for key in _keys(name)] == [40]
    manager.invalidate(load, "mark", "z" * 60)
    assert _keys(name) == []


def test_1_6_entry_points_are_looked_for_when_first_needed(
    points: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def look(*, group: str) -> list[Any]:
        looked.append(group)
        return points

    monkeypatch.setattr(importlib.metadata, "entry_points", look)
    Cache("n", type="memory")
    assert looked == []
    for _ in range(2):
        with pytest.raises(TypeError):
            Cache("n", type="strange")
    assert looked == ["beaker.backends"]


def test_1_6_invalidate_removes_what_cache_keeps() -> None:
    manager, made = CacheManager(type="memory"), []

    @manager.cache("mark")
    def load(a: int) -> int:
        made.append(a)
        return len(made)

    assert [load(7), load(7)] == [1, 1]
    manager.invalidate(load, "mark", 7)
    assert load(7) == 2


def test_1_6_self_and_cls_are_no_part_of_the_key() -> None:
    cache_regions["r"] = {"type": "memory"}

    class Thing:
        @cache_region("r", "of self")
        def load(self, a: int) -> tuple[int, int]:
            return id(self), a

        @classmethod
        @cache_region("r", "of cls")
        def named(cls, a: int) -> tuple[str, int]:
            return cls.__name__, a

    class Other(Thing):
        pass

    one, two = Thing(), Thing()
    assert one.load(1) == two.load(1)
    assert Other.named(1) == Thing.named(1)
    region_invalidate(one.load, None, "of self", 1)
    assert two.load(1) == (id(two), 1)


def test_1_6_what_is_over_can_be_removed(now: list[float]) -> None:
    short = Cache("n", type="memory", expire=1)
    short.put("k", 1)
    now[0] += 2
    short.remove_value("k")
    assert _keys("n") == []


def test_1_5_2_a_function_without_arguments() -> None:
    manager, made = CacheManager(type="memory"), []

    @manager.cache()
    def load() -> int:
        made.append(1)
        return len(made)

    assert [load(), load()] == [1, 1]
    manager.invalidate(load)
    assert load() == 2


def test_1_5_2_a_manager_over_a_dictionary_of_ones_own() -> None:
    class Mine(container.AbstractDictionaryNSManager):
        def __init__(self, namespace: str) -> None:
            super().__init__(namespace)
            self.dictionary = {}

    value = Value("k", Mine("n"), createfunc=lambda: 3)
    assert (value.get_value(), value.has_value()) == (3, True)


def test_1_5_1_caches_of_other_names_have_other_values() -> None:
    manager = CacheManager(type="memory")
    manager.get_cache("a")["k"] = 1
    assert "k" not in manager.get_cache("b")


def test_1_5_what_is_not_there_is_not_there() -> None:
    empty = Cache("n", type="memory")
    assert not empty.has_key("k")
    assert "k" not in empty


def test_1_5_regions_are_configured_after_the_functions() -> None:
    @cache_region("late")
    def load() -> int:
        return 1

    with pytest.raises(BeakerException, match="Cache region not configured: late"):
        load()
    CacheManager(cache_regions={"late": {"type": "memory"}})
    assert load() == 1


def test_1_4_2_a_value_that_goes_between_two_looks_is_made_anew() -> None:
    class Forgetful(MemoryNamespaceManager):
        def __contains__(self, key: Any) -> bool:
            return True  # and then it is gone

    value = Value("k", Forgetful("n"), createfunc=lambda: 4)
    assert not value.has_current_value()
    assert value.get_value() == 4


@pytest.mark.parametrize("option", ["type", "data_dir", "lock_dir"])
def test_1_4_1_an_option_that_is_empty_is_an_error(option: str) -> None:
    with pytest.raises(Exception, match="Empty strings are invalid"):
        CacheMiddleware(_app, {f"cache.{option}": " "})


def test_1_4_1_region_invalidate_of_the_manager() -> None:
    manager = CacheManager(cache_regions={"r": {"type": "memory"}})
    made = []

    @manager.region("r", "mark")
    def load(a: int) -> int:
        made.append(a)
        return len(made)

    assert [load(1), load(1)] == [1, 1]
    manager.region_invalidate(load, None, "mark", 1)
    assert load(1) == 2
    manager.region_invalidate(_space(load), "r", "mark", 1)
    assert load(1) == 3


def test_1_4_the_middleware_keeps_what_was_configured() -> None:
    made = CacheMiddleware(_app, {"cache.type": "dbm", "cache.expire": "9"}, enabled=False)
    assert made.options["type"] == "dbm"
    assert made.options["expire"] == 9
    assert made.options["enabled"] is False


def test_1_4_backends_of_another_python_are_passed_over(points: list[Any]) -> None:
    points += [
        Point("old", _raising(SyntaxError("print 1"))),
        Point("bare", _raising(InvalidCacheBackendError("no driver"))),
        Point("mine", lambda: Spy),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Cache("n", type="mine").namespace.namespace == "n"


def test_1_3_1_remove_is_remove_value() -> None:
    some = Cache("n", type="memory")
    some["k"] = 1
    some.remove("k")
    assert "k" not in some


def test_1_3_1_the_middleware_knows_regions() -> None:
    app = CacheMiddleware(
        lambda environ, _: [repr(environ["my.cache"].regions["r"]["expire"]).encode()],
        {"cache.regions": "r", "cache.r.expire": "5", "beaker.cache.type": "memory"},
        environ_key="my.cache",
    )
    assert app({}, _app) == [b"5"]


def test_1_3_entry_points_add_backends(points: list[Any]) -> None:
    points += [Point("ext:mine", lambda: Spy), Point("memory", lambda: Spy)]
    with pytest.warns(RuntimeWarning, match="conflict,'memory' already loaded"):
        assert cache.clsmap["ext:mine"] is Spy
    assert cache.clsmap["memory"] is MemoryNamespaceManager


def test_1_2_3_stores_that_need_no_folder_ask_for_none() -> None:
    assert Cache("n", type="memory").get("k", createfunc=lambda: 1) == 1


def test_1_2_1_a_none_of_the_server_is_no_value() -> None:
    class Server(MemoryNamespaceManager):
        def __getitem__(self, key: Any) -> Any:
            return self.dictionary.get(key)

        def __contains__(self, key: Any) -> bool:
            return True

    value = Value("k", Server("n"), createfunc=lambda: 5)
    assert not value.has_current_value()
    assert value.get_value() == 5


def test_1_1_3_values_of_before_1_1_are_current(now: list[float]) -> None:
    space = MemoryNamespaceManager("n")
    space["k"] = (now[0] - 5, "old")
    assert Value("k", space, expiretime=10).has_current_value()
    assert space["k"] == (now[0] - 5, 10, "old")
    space["k"] = (now[0] - 5, "old")
    assert not Value("k", space, expiretime=4).has_current_value()


def test_1_1_2_values_of_before_1_1_are_read(now: list[float]) -> None:
    space = MemoryNamespaceManager("n")
    space[b"k"] = (now[0] - 5, "old")
    assert Cache("n", type="memory", expire=10).get("k") == "old"


def test_1_1_type_at_each_call_is_deprecated_and_works() -> None:
    some = Cache("n", type="memory")
    with pytest.warns(DeprecationWarning, match="Specifying a 'type'") as told:
        some.put("k", 1, type="memory")
    assert told[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="type"):
        assert some.get("k", type="memory") == 1
    with pytest.warns(DeprecationWarning, match="type"):
        some.remove_value("k", type="memory")
    assert "k" not in some


def test_1_1_the_value_knows_when_it_is_over(now: list[float]) -> None:
    Cache("n", type="memory").put("k", 1, expiretime=5)
    now[0] += 6
    assert not Cache("n", type="memory", expire=1000).has_key("k")


def test_1_0_each_get_has_its_own_function() -> None:
    some = Cache("n", type="memory", expire=-1)
    assert [some.get_value("k", createfunc=lambda n=n: n) for n in range(3)] == [0, 1, 2]


def test_0_9_5_a_value_can_be_set_again() -> None:
    some = Cache("n", type="memory")
    some.set_value("k", 1)
    some.set_value("k", 2)
    assert some.get_value("k") == 2


def test_0_9_4_google_and_others_need_no_ext(points: list[Any]) -> None:
    assert {"google", "memcached", "database", "sqla", "ext:google"} <= set(clsmap)
    assert clsmap["database"] is clsmap["ext:database"]
    assert points == []


def test_0_9_3_a_lookup_uses_its_own_settings(now: list[float]) -> None:
    some = Cache("n", type="memory", expire=100)
    some.put("k", 1)
    assert some.get("k", starttime=now[0] + 1, createfunc=lambda: 2) == 2
    assert some.get("k") == 2


def test_0_7_clear_removes_all() -> None:
    some = Cache("n", type="memory")
    some["a"] = some["b"] = 1
    some.clear()
    assert _keys("n") == []


@pytest.mark.parametrize(
    "name", ["memcached", "database", "sqla", "google", "mongodb", "redisnm", "redisclusternm"]
)
def test_the_module_has_the_modules_of_ext(name: str) -> None:
    assert isinstance(getattr(cache, name), ModuleType)


def test_the_module_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        cache.nonsense  # noqa: B018 - that is the question


def test_a_backend_is_added_by_assignment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(clsmap, "ext:tcjson", Spy)
    assert "ext:tcjson" in clsmap
    assert isinstance(Cache("n", type="ext:tcjson", url="x").namespace, Spy)


def test_a_class_that_cannot_be_had_raises_when_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(clsmap, "ext:bare", InvalidCacheBackendError("no driver"))
    with pytest.raises(InvalidCacheBackendError, match="no driver"):
        Cache("n", type="ext:bare")


def test_containers_of_articles_name_their_manager_either_way() -> None:
    class One(container.Container):
        namespace_manager = Spy

    class Two(container.Container):
        namespace_class = Spy

    class Three(Two):
        pass

    kinds: list[Any] = [One, Two, Three]
    for kind in kinds:
        context: dict[str, Any] = {}
        found = kind("k", context, "n", createfunc=lambda: 1, some="option")
        assert found.get_value() == 1
        assert type(context["n"]) is Spy
        assert context["n"].options == {"some": "option"}


def test_a_decorator_used_twice_keeps_two_functions_apart(tmp_path: Path) -> None:
    keep = CacheManager(type="file", data_dir=str(tmp_path)).cache()

    def one(a: int) -> str:
        return f"one {a}"

    def two(a: int) -> str:
        return f"two {a}"

    kept = keep(one), keep(two)
    assert [function(1) for function in kept] == ["one 1", "two 1"]
