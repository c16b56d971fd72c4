"""What an application sees of Beaker's caches, printed: run on the genuine library and on ours.

Law: it knows only `beaker`. Time is its own, and paths of this run are left out of what it prints.
"""
# mypy: disable-error-code="untyped-decorator"

import functools
import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from beaker import util
from beaker.cache import (
    Cache,
    CacheManager,
    cache_managers,
    cache_region,
    cache_regions,
    clsmap,
    region_invalidate,
)
from beaker.container import (
    Container,
    ContainerMeta,
    MemoryNamespaceManager,
    Value,
    namespace_classes,
)
from beaker.middleware import CacheMiddleware

FOLDER = sys.argv[1]
now = [1_000_000.0]
setattr(time, "time", lambda: now[0])  # noqa: B010 - the library looks at the clock there
util.func_namespace = lambda func: f"here|{func.__name__}"

calls: list[str] = []
out: list[Any] = []


class Spy(MemoryNamespaceManager):  # type: ignore[misc] # it has no types
    """A third party's manager: what it is asked for, is told."""

    def __getitem__(self, key: Any) -> Any:
        calls.append(f"get {key!r}")
        return super().__getitem__(key)

    def set_value(self, key: Any, value: Any, expiretime: Any = None) -> None:
        calls.append(f"set {key!r} {value!r} {expiretime!r}")
        self.dictionary[key] = value

    def __delitem__(self, key: Any) -> None:
        calls.append(f"del {key!r}")
        super().__delitem__(key)

    def get_creation_lock(self, key: Any) -> Any:
        calls.append(f"lock {key!r}")
        return super().get_creation_lock(key)

    def do_remove(self) -> None:
        calls.append("remove")
        super().do_remove()


clsmap._clsmap["spy"] = Spy


def tell(label: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Print what a call gives, or what it raises."""
    try:
        got = function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - that is the question
        got = f"{type(error).__name__}: {error}"
    out.append([label, repr(got).replace(FOLDER, "")])


def heard(label: str) -> None:
    """Print what the spy was asked; twice in a row is once."""
    out.append([label, [a for a, b in zip(calls, [None, *calls], strict=False) if a != b]])
    calls.clear()


class Maker:
    """Counts what it makes."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> list[Any]:
        self.made += 1
        return ["made", self.made]


KEYS = ["k", "two words", "žluť", b"bytes", "x" * 300, "", "nul\0", "line\n"]


def programmatic(kind: str) -> None:
    manager = CacheManager(type=kind, data_dir=f"{FOLDER}/{kind}")
    cache = manager.get_cache("name", expire=60)
    say = functools.partial(tell)
    make = Maker()
    for key in KEYS:
        say(f"{kind} missing {key!r}", cache.get, key)
        say(f"{kind} put", cache.put, key, {"v": key})
        say(f"{kind} get", cache.get, key)
        say(f"{kind} in", cache.__contains__, key)
        say(f"{kind} has_key", cache.has_key, key)
    for odd in (5, ("t", 1), None, 2.5, True, frozenset([1])):
        say(f"{kind} put {odd!r}", cache.put, odd, "odd")
        say(f"{kind} get {odd!r}", cache.get, odd)
    say(f"{kind} put a list", cache.put, [1], "odd")
    cache.namespace.acquire_read_lock()
    say(f"{kind} keys", lambda: sorted(map(repr, cache.namespace.keys())))
    cache.namespace.release_read_lock()
    say(f"{kind} []", lambda: cache["k"])
    say(f"{kind} del", cache.__delitem__, "k")
    say(f"{kind} del again", cache.__delitem__, "k")
    say(f"{kind} [] missing", lambda: cache["k"])
    say(f"{kind} create", cache.get, "k", createfunc=make)
    say(f"{kind} create again", cache.get, "k", createfunc=make)
    now[0] += 59.9
    say(f"{kind} nearly", cache.get, "k")
    now[0] += 0.1
    say(f"{kind} over", cache.get, "k")
    say(f"{kind} over: in", cache.__contains__, "k")
    say(f"{kind} over: other create", cache.get, "k", createfunc=lambda: None)
    say(f"{kind} a None", cache.get, "k")
    now[0] += 100
    say(f"{kind} 1.6: remove when over", cache.remove_value, "k")
    say(f"{kind} alias", cache.remove, "two words")
    say(f"{kind} set_value", cache.set_value, "s", (1, "zwei", 3.0, None, True, b"b"))
    say(f"{kind} get_value", cache.get_value, "s", createfunc=make)
    say(f"{kind} own expiry", cache.put, "e", 1, expiretime=5)
    now[0] += 6
    say(f"{kind} own expiry is over", cache.get, "e", expiretime=500)
    say(f"{kind} starttime", cache.get, "s", starttime=now[0] - 1)
    say(f"{kind} starttime create", cache.get, "s", starttime=now[0], createfunc=make)
    say(f"{kind} unknown argument", cache.get, "s", foo=1)
    say(f"{kind} clear", cache.clear)
    say(f"{kind} cleared", cache.get, "s")
    say(f"{kind} clear again", cache.clear)
    say(f"{kind} fails", cache.get, "f", createfunc=lambda: 1 / 0)
    say(f"{kind} and works", cache.get, "f", createfunc=make)
    say(f"{kind} forever", Cache("ever", type=kind, data_dir=f"{FOLDER}/{kind}").put, "k", 1)
    now[0] += 10**9
    say(f"{kind} for ever", Cache("ever", type=kind, data_dir=f"{FOLDER}/{kind}").get, "k")
    say(
        f"{kind} text",
        Cache("t", type=kind, expire="7", data_dir=f"{FOLDER}/x").__dict__.get,
        "expiretime",
    )
    legacy(kind, cache)


def legacy(kind: str, cache: Any) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tell(f"{kind} type= put", cache.put, "k", 1, type="memory", expiretime=3)
        tell(f"{kind} type= get", cache.get, "k", type="memory")
        tell(f"{kind} type= get, no type", cache.get, "k")
        tell(f"{kind} type= remove", cache.remove_value, "k", type="memory")
        tell(f"{kind} type= gone", cache.get, "k", type="memory", createfunc=lambda: "new")
        tell(f"{kind} type= unknown", cache.get, "k", type="nonsense")
    out.append([kind, [(w.category.__name__, str(w.message)) for w in caught]])


def decorated() -> None:
    cache_regions.update(
        spied={"type": "spy", "expire": 60, "key_length": 40},
        off={"type": "spy", "enabled": False, "key_length": 40},
        text={"type": "spy", "key_length": "40"},
        plain={"type": "spy"},
    )

    class Odd:
        def __str__(self) -> str:
            return "odd one"

        def __repr__(self) -> str:
            return "Odd"

        @cache_region("spied", "mark", 7)
        def method(self, a: Any, b: Any = 2) -> Any:
            """Explain."""
            return [a, b]

        @classmethod
        @cache_region("plain")
        def of_class(cls, a: int, *, only: str = "x") -> str:
            return f"{a} {only}"

    @cache_region("spied")
    def none() -> str:
        return "none"

    @cache_region("text", "a b")
    def plain(a: Any, b: Any = 5, *more: Any, c: Any = 6, **rest: Any) -> Any:
        return [a, b, more, c, sorted(rest)]

    odd = Odd()
    for label, call in {
        "method": lambda: odd.method("x"),
        "method by name": lambda: odd.method(a="x"),
        "method both": lambda: odd.method("x", b=3),
        "method in place": lambda: odd.method("x", 3),
        "method long": lambda: odd.method("y" * 40),
        "class": lambda: Odd.of_class(1),
        "class only": lambda: Odd.of_class(1, only="z"),
        "class by name": lambda: odd.of_class(only="z", a=1),
        "none": none,
        "spaces collide": lambda: plain("a b", "c"),
        "with these": lambda: plain("a", "b c"),
        "more": lambda: plain(1, 2, 3, c=4, z=5, y=6),
        "gap": lambda: plain(1, c=3),
        "objects": lambda: plain(Odd(), None, 1.5, b"b"),
        "unicode": lambda: plain("žluťoučký"),
        "unicode long": lambda: plain("žluťoučký" * 9),
        "too many": lambda: none(1),
        "unknown name": lambda: none(a=1),
    }.items():
        tell(label, call)
        heard(f"{label}: asked")
        tell(f"{label} again", call)
        heard(f"{label} again: asked")
    out.append([odd.method.__name__, odd.method.__doc__, sorted(odd.method.__annotations__)])
    out.append([odd.method._arg_namespace, odd.method._arg_region])
    calls.clear()
    tell("forget", region_invalidate, odd.method, None, "mark", 7, "x", 2)
    tell("forget x", region_invalidate, odd.method, None, "mark", 7, "x")
    tell("forget long", region_invalidate, odd.method, "spied", "mark", 7, "y" * 40)
    tell("forget by name", region_invalidate, "here|none", "spied")
    tell("forget no region", region_invalidate, "here|none", None)
    tell("forget unknown region", region_invalidate, "here|none", "nowhere")
    heard("forgotten")
    switched()
    managed(odd)


def switched() -> None:
    made = []

    @cache_region("off", "m")
    def off(a: Any) -> Any:
        made.append(a)
        return len(made)

    @cache_region("later", "m")
    def later(a: Any) -> Any:
        made.append(a)
        return len(made)

    tell("off", lambda: [off(1), off(1)])
    cache_regions["off"]["enabled"] = True
    tell("on", lambda: [off(1), off(1)])
    cache_regions["off"]["enabled"] = False
    tell("off too late", lambda: [off(1), off(1)])
    tell("not configured", later, 1)
    cache_regions["later"] = {"type": "memory", "expire": 5}
    tell("configured later", lambda: [later(1), later(1)])
    now[0] += 6
    tell("over", lambda: [later(1), later(1)])
    tell("forget", region_invalidate, later, None, "m", 1)
    tell("made again", lambda: [later(1), later(1)])
    calls.clear()


def managed(odd: Any) -> None:
    manager = CacheManager(
        **util.parse_cache_config_options(
            {
                "cache.type": "spy",
                "cache.expire": "100",
                "cache.regions": "short, long",
                "cache.short.expire": "5",
                "beaker.cache.long.type": "memory",
                "cache.long.key_length": "11",
            }
        )
    )
    out.append([sorted(map(repr, manager.regions["long"].items())), sorted(cache_regions)])
    tell("region", manager.get_cache_region("n", "short").put, "k", 1)
    tell("no region", manager.get_cache_region, "n", "spied")
    tell("no such kind", manager.get_cache, "n", type="nonsense")
    tell("same one", lambda: manager.get_cache("n") is manager.get_cache("n"))
    tell("another", lambda: manager.get_cache("n") is manager.get_cache("n", expire=3))
    tell("kept", lambda: sorted(key for key in cache_managers if key.startswith("n{"))[:1])
    heard("region: asked")

    @manager.cache("mine", expire=9)
    def mine(a: Any) -> Any:
        return ("got", a)

    @manager.region("long", "his")
    def his(a: Any) -> Any:
        return ("his", a)

    for function in (mine, his):
        tell("first", function, "x y")
        tell("second", function, "x y")
        tell("long", function, "z" * 260)
    heard("managed: asked")
    tell("invalidate", manager.invalidate, mine, "mine", "x y", expire=9)
    tell("invalidate without", manager.invalidate, mine, "mine", "z" * 260)
    tell("invalidate a region's", manager.invalidate, his, "his", "x y", type="memory")
    tell("invalidate region", manager.region_invalidate, his, None, "his", "z" * 260)
    tell("invalidate method", manager.region_invalidate, odd.method, None, "mark", 7, "x", 3)
    heard("managed: invalidated")


def containers() -> None:
    class Mine(Container):  # type: ignore[misc] # it has no types
        namespace_class = Spy

    context: dict[str, Any] = {}
    value = Mine("key", context, "spied too", createfunc=lambda: 3, expiretime=9)
    tell("container", lambda: [type(value).__name__, value.get_value(), value.can_have_value()])
    tell("context", lambda: [list(context), type(context["spied too"]).__name__])
    tell("registered", lambda: [namespace_classes[Mine] is Spy, type(Mine) is ContainerMeta])
    heard("container: asked")
    space = MemoryNamespaceManager("direct")
    for found in ((now[0], "old form"), None, (1, 2, 3, 4)[:3], (now[0], 5, "new form")):
        space["k"] = found
        old = Value("k", space, expiretime=50)
        tell(f"found {found!r}", old.get_value)
        tell("current", old.has_current_value)
        tell("there", old.has_value)
        tell("now", lambda: space["k"])
    tell("clear", old.clear_value)
    tell("cleared", lambda: [old.has_value(), old.can_have_value(), old.storedtime])
    tell("slots", lambda: sorted(Value.__slots__))


def wrong() -> None:
    for options in (
        {"type": "file"},
        {"type": "file", "data_dir": FOLDER, "lock_dir": ""},
        {"type": "file", "file_dir": f"{FOLDER}/only"},
        {"type": "dbm"},
        {"type": "dbm", "dbm_dir": f"{FOLDER}/only"},
        {"type": "memory", "nonsense": 1},
        {"type": "memory", "expire": "soon"},
    ):
        tell(f"options {sorted(options)}", lambda: type(Cache("n", **options)).__name__)  # noqa: B023


def middleware() -> None:
    def app(environ: dict[str, Any], _: Any) -> list[str]:
        return [type(environ[key]).__name__ for key in environ if "cache" in key]

    for config, more in (
        ({}, {}),
        (None, {}),
        ({"type": "file", "data_dir": "x"}, {}),
        ({"cache.type": "dbm", "cache.data_dir": "x", "session.type": "file"}, {}),
        ({"beaker.cache.type": "dbm", "cache.type": "file", "cache.expire": "7"}, {}),
        ({"cache.regions": "a, b,,", "cache.a.type": "file", "cache.b.enabled": "no"}, {}),
        ({"cache.regions": "mw", "cache.enabled": "false", "cache.key_length": "9"}, {}),
        ({"cache.type": "dbm"}, {"type": "memory", "expire": "5"}),
        ({"cache.type": "dbm"}, {"cache.type": "memory", "cache.expire": "5"}),
        ({"cache.type": "dbm"}, {"environ_key": "other.cache", "nonsense": 3}),
        ({"cache.expire": "soon"}, {}),
        ({"cache.enabled": "perhaps"}, {}),
        ({"cache.type": ""}, {}),
    ):
        label = f"middleware {config} {more}"
        tell(label, lambda: sorted(CacheMiddleware(app, config, **more).options.items()))  # noqa: B023
        tell(label, lambda: CacheMiddleware(app, config, **more)({}, None))  # noqa: B023

    class Registry:
        reglist = (1,)

        def register(self, proxy: Any, made: Any) -> None:
            out.append([repr(proxy), type(made).__name__])

    tell("registry", CacheMiddleware(app), {"paste.registry": Registry()}, None)
    tell("names", lambda: [CacheMiddleware(app).app is app, CacheMiddleware.cache])


for each in ("memory", "file", "dbm"):
    programmatic(each)
decorated()
containers()
wrong()
middleware()
print(json.dumps(out))  # noqa: T201 - the answer
