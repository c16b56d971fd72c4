"""What the old libraries read and write goes through Holdfast's stores: nothing else is touched."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import holdfast.compat
from compat.seeds import ours
from servers.memcached import MemcachedServer
from servers.mongodb import MongodbServer
from servers.redis import RedisServer
from servers.tyrant import run_tyrant

COMPAT = Path(holdfast.compat.__file__).parent

OF_THE_WORLD = {
    "aiofiles", "aiosqlite", "asyncio", "bmemcached", "dbm", "fcntl", "glob", "memcache", "mmap",
    "pathlib", "pylibmc", "pymemcache", "pymongo", "redis", "select", "selectors", "shutil",
    "socket", "sqlalchemy", "sqlite3", "ssl", "subprocess", "tempfile",
}  # fmt: skip
"""Modules with which one reaches files, sockets, databases and processes."""

HARMLESS = {
    "os": {"environ", "fspath", "getpid", "path", "sep", "urandom"},
    "os.path": {"basename", "dirname", "join"},
    "tempfile": {"gettempdir"},
}
"""What may be used of a module: none of it opens anything."""

ALLOWED = {
    "hook.py": {"os._exit": "the environment is wrong, before any program runs"},
    "__main__.py": {
        "os.execve": "starts the command",
        "shutil": "finds the command",
        "pathlib": "looks for the .pth file that carries the names into the command",
    },
    "beaker/ext/sqla.py": {"sqlalchemy": "makes the Table that the program asked for"},
    "beaker/ext/database.py": {"sqlalchemy": "the same"},
    "beaker/ext/mongodb.py": {"pymongo": "an error's class"},
    "pyramid_kvs/kvs.py": {"redis": "makes the client that programs see; the store speaks"},
    "pycket/driver.py": {"redis": "says how that client repeats; the store speaks"},
    "migrate/addresses.py": {
        "sqlalchemy": "reads an address",
        "pymongo": "an error's class",
    },
}
"""The exceptions, by file, and why."""

STATEMENTS = {"connect", "cursor", "execute", "executemany", "executescript", "sendall", "recv"}
"""Methods by which one speaks to a server."""


def _dotted(node: ast.expr) -> str:
    """Return `os.path.join` of such an expression, "" of another."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return before and f"{before}.{node.attr}"
    return ""


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (each.name for each in node.names)
    if isinstance(node, ast.ImportFrom) and not node.level:
        yield from (f"{node.module}.{each.name}" for each in node.names)


def _reaches(tree: ast.Module) -> Iterator[str]:
    """Yield what a module uses of the world."""
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    bare = {name for node in ast.walk(tree) for name in _imported(node)}
    for name in bare:
        top = name.partition(".")[0]
        if top in OF_THE_WORLD and top not in HARMLESS:
            yield top
    for dotted in {*(_dotted(node) for node in used), *(name for name in bare if "." in name)}:
        module, _, name = dotted.rpartition(".")
        if module in HARMLESS and name not in HARMLESS[module]:
            yield dotted
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in {"open", "exec", "eval", "__import__"}:
                yield f"{node.func.id}()"
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in STATEMENTS
        ):
            yield f".{node.func.attr}()"


@pytest.mark.parametrize(
    "path", sorted(COMPAT.rglob("*.py")), ids=lambda path: str(path.relative_to(COMPAT))
)
def test_nothing_in_compat_reaches_the_world_itself(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    allowed = ALLOWED.get(path.relative_to(COMPAT).as_posix(), {})
    assert sorted(set(_reaches(tree)) - set(allowed)) == []


def test_every_exception_is_needed() -> None:
    for name, allowed in ALLOWED.items():
        tree = ast.parse((COMPAT / name).read_text(encoding="utf-8"))
        assert set(allowed) <= set(_reaches(tree)), name


def test_whoever_reaches_out_is_found() -> None:
    text = """
import os, socket as s, tempfile
from os import unlink
from pathlib import Path
open("x"); os.remove("x"); os.path.exists("x"); tempfile.mkdtemp(); client.execute("SELECT 1")
os.path.join("a"); tempfile.gettempdir()
"""
    assert sorted(set(_reaches(ast.parse(text)))) == [
        ".execute()",
        "open()",
        "os.path.exists",
        "os.remove",
        "os.unlink",
        "pathlib",
        "socket",
        "tempfile.mkdtemp",
    ]


# Counted where it happens: who opened what, while sessions and caches were used

_COUNTED = """
import json, sys, warnings
warnings.simplefilter("ignore")
KINDS = ("open", "os.", "socket.", "sqlite3.", "fcntl.", "shutil.", "tempfile.", "dbm.")
CODE = (sys.prefix, sys.base_prefix + "/lib/python", *filter(None, sys.path))
HARMLESS = {"os.putenv", "os.unsetenv", "socket.gethostname"}
ours, theirs = [], []

def heard(event, args):
    if not event.startswith(KINDS) or event in HARMLESS:
        return
    if args and isinstance(args[0], str) and (args[0].startswith(CODE) or args[0] == "."):
        return  # redis-py looks along sys.path for its own version
    frame = sys._getframe(1)
    while frame is not None:
        place = frame.f_code.co_filename
        if place.startswith("<frozen importlib"):
            return
        if "/holdfast/" in place:
            kept = ours if "/holdfast/compat/" in place else theirs
            kept.append(f"{event} {place.rpartition('/holdfast/')[2]}:{frame.f_lineno}")
            return
        frame = frame.f_back

from compat.beaker_walk import Browser, application
from beaker.cache import CacheManager
from beaker.middleware import SessionMiddleware

def beaker(kind, options):
    sessions = {f"session.{name}": value for name, value in options.items()}
    browser = Browser(SessionMiddleware(application, {**sessions, "session.timeout": 600}))
    words = "count read count regenerate persist nested invalidate count delete"
    for word in words.split():
        browser.get(f"/{word}")
    manager = CacheManager(**options)
    kept = manager.cache("io", expire=60)(lambda *words: "/".join(words))
    kept("a", "b")
    kept("a", "b")
    manager.invalidate(kept, "io", "a", "b")
    some = manager.get_cache(f"io {kind}")
    some.put("k", 1)
    assert some.get("k") == 1
    some.remove("k")
    some.clear()

def pycket(kind, options):
    from pycket.session import SessionManager
    class Handler:
        settings = {"pycket": {"engine": kind, "storage": options}}
        def get_secure_cookie(self, name): return b"a-session"
        def set_secure_cookie(self, *args, **kwargs): pass
    manager = SessionManager(Handler())
    manager.set("a", [1])
    assert manager.get("a") == [1]
    manager.delete("a")

def kvs(kind, options):
    from pyramid_kvs.kvs import KVS
    store = KVS(kind, options, key_prefix="io::", ttl=50)
    store.set("a", {"b": 1})
    assert store.get("a") == {"b": 1}
    store.delete("a")

def guilty(kind, options):
    exec(compile("open(kind).close()", "/src/holdfast/compat/guilty.py", "exec"), {"kind": kind})

LIBRARIES = {"beaker": beaker, "pycket": pycket, "pyramid_kvs": kvs, "guilty": guilty}
asked = json.loads(sys.argv[1])
sys.addaudithook(heard)
counts = {}
for library, kind, options in asked:
    before = len(theirs)
    LIBRARIES[library](kind, options)
    counts[f"{library} {kind}"] = len(theirs) - before
found = sorted(set(ours))
print(json.dumps([found, counts]))
"""

_NAMES = "beaker,pycket,pyramid_kvs"


def _assert_the_stores_did_it(asked: list[tuple[str, str, dict[str, Any]]]) -> None:
    found, counts = json.loads(ours(_NAMES, _COUNTED, json.dumps(asked)))
    assert found == []
    assert len(counts) == len(asked)
    for which, count in counts.items():
        assert (count > 0) is (which != "beaker memory"), which


def test_whoever_opens_a_file_is_heard(tmp_path: Path) -> None:
    (tmp_path / "some").touch()
    asked: list[Any] = [("guilty", str(tmp_path / "some"), {})]
    found, _ = json.loads(ours(_NAMES, _COUNTED, json.dumps(asked)))
    assert found == ["open compat/guilty.py:1"]


def test_files_and_databases_are_opened_by_the_stores(tmp_path: Path) -> None:
    folders = {"data_dir": str(tmp_path / "data"), "lock_dir": str(tmp_path / "lock")}
    database = {"url": f"sqlite:///{tmp_path}/b.db", **folders}
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("file", folders),
        ("dbm", folders),
        ("ext:database", database),
        ("memory", {}),
    ]
    _assert_the_stores_did_it(
        [("beaker", kind, {"type": kind, **options}) for kind, options in kinds]
    )
    assert list(tmp_path.rglob("*.lock"))
    assert (tmp_path / "b.db").exists()


@pytest.mark.server
@pytest.mark.slow
def test_servers_are_reached_by_the_stores(
    tmp_path: Path,
    redis_server: RedisServer,
    memcached_server: MemcachedServer,
    mongodb: MongodbServer,
) -> None:
    lock = {"lock_dir": str(tmp_path)}
    memcached = f"127.0.0.1:{memcached_server.port}"
    with run_tyrant("*") as tyrant:
        urls = {
            "ext:redis": f"{redis_server.url}/9",
            "ext:memcached": memcached,
            "ext:mongodb": f"{mongodb.url}/io",
            "ext:tcjson": "{}:{}".format(*tyrant.address),
        }
        _assert_the_stores_did_it(
            [
                *(
                    ("beaker", kind, {"type": kind, "url": url, **lock})
                    for kind, url in urls.items()
                ),
                ("pycket", "redis", {"port": redis_server.port, "db_sessions": 9}),
                ("pycket", "memcached", {"servers": [memcached]}),
                ("pyramid_kvs", "redis", {"port": redis_server.port, "db": 9}),
                ("pyramid_kvs", "memcached", {"servers": [memcached]}),
            ]
        )
