"""pyramid_kvs and what stands in for it, on the same servers: the same pages, nobody logged out."""

import json
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import redis

from compat.seeds import genuine, ours, seeds_python
from servers.memcached import MemcachedServer
from servers.process import missing
from servers.redis import RedisServer

pytestmark = [pytest.mark.server, pytest.mark.slow]

SITE = Path(__file__).with_name("kvs_site.py")
DATABASE = 7
CODECS = ("json", "pickle")
_PATH = str(SITE.parents[1])
Steps = list[tuple[dict[str, str], dict[str, str]]]
Settings = dict[str, str]


def do(what: str, name: str = "", value: object = None, **headers: str) -> Any:
    return {"do": what, "name": name, "value": json.dumps(value)}, headers


PRICE = {"sum": 1.5, "text": "caf\xe9", "list": [1, None, True]}
WALK: list[tuple[Any, object]] = [
    (do("names"), []),
    (do("set", "user", "ada"), None),
    (do("get", "user"), "ada"),
    (do("get", "nobody", "default"), "default"),
    (do("set", "price", PRICE), None),
    (do("nested", "price", {"more": 2}), None),
    (do("nested", "made", {"by": "reading"}), None),
    (do("cart", value="tea"), ["tea"]),
    (do("cart", value="milk"), ["tea", "milk"]),
    (do("flash", "", "hello"), None),
    (do("flash", "errors", "no"), None),
    (do("peek"), ["hello"]),
    (do("pop"), ["hello"]),
    (do("peek"), []),
    (do("del", "price"), PRICE | {"more": 2}),
    (do("has", "price"), False),
    (do("cache", "news", [1, "two"]), None),
    (do("cached", "news"), [[1, "two"], True]),
    (do("cached", "nothing"), [None, False]),
    (do("names"), ["_f_errors", "cart", "made", "user"]),
]
LATER: list[tuple[Any, object]] = [
    (do("get", "user"), "ada"),
    (do("cart", value="honey"), ["tea", "milk", "honey"]),
    (do("pop", "errors"), ["no"]),
    (do("cached", "news"), [[1, "two"], True]),
    (do("names"), ["cart", "made", "user"]),
]
END: list[tuple[Any, object]] = [
    (do("get", "cart"), ["tea", "milk", "honey"]),
    (do("uncache", "news"), [1, "two"]),
    (do("cached", "news"), [None, False]),
    (do("clear"), None),
    (do("names"), []),
]


def run(which: str, walks: list[tuple[Settings, Steps, str]], path: str = "") -> list[Any]:
    words = json.dumps(walks)
    if which == "ours":
        said = ours("pyramid_kvs", SITE, words)
    else:
        said = genuine(SITE, words, PYTHONPATH=path or _PATH)
    found: list[Any] = json.loads(said)
    return found


def walk(
    which: str,
    settings: list[Settings],
    way: list[tuple[Any, object]],
    cookies: list[str],
    path: str = "",
) -> list[str]:
    """Walk the same way with each of the settings; return the cookies."""
    steps = [step for step, _ in way]
    found = run(
        which, [(told, steps, jar) for told, jar in zip(settings, cookies, strict=True)], path
    )
    for one in found:
        assert [(status, json.loads(text)) for status, text, _ in one["pages"]] == [
            (200, expected) for _, expected in way
        ]
    return [one["cookie"] for one in found]


@pytest.fixture
def on_redis(redis_server: RedisServer) -> dict[str, Any]:
    client = redis.Redis(port=redis_server.port, db=DATABASE)
    client.flushdb()
    client.close()
    return {"kvs": "redis", "kvs_kwargs": {"port": redis_server.port, "db": DATABASE}}


def settings_of(kvs: dict[str, Any], **more: Any) -> Settings:
    """Return settings as an .ini file has them; `more` is said of each."""
    return {
        f"kvs.{name}": json.dumps(kvs | more | {"key_prefix": f"{name}{more}::".replace(" ", "")})
        for name in ("session", "cache")
    }


@pytest.mark.parametrize("first", ["genuine", "ours"])
def test_sessions_go_there_and_back(
    on_redis: dict[str, Any], first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = "ours" if first == "genuine" else "genuine"
    monkeypatch.setenv("HOLDFAST_COMPAT_OLD_FORM", "1")
    settings = [settings_of(on_redis, codec=codec) for codec in CODECS]
    cookies = walk(first, settings, WALK, ["", ""])
    assert len(set(cookies)) == 2
    assert walk(second, settings, LATER, cookies) == cookies
    assert walk(first, settings, END, cookies) == cookies


def test_the_move_in_the_safe_form(on_redis: dict[str, Any]) -> None:
    settings = [settings_of(on_redis, codec=codec) for codec in CODECS]
    cookies = walk("genuine", settings, WALK, ["", ""])
    assert walk("ours", settings, LATER, cookies) == cookies
    assert walk("ours", settings, END, cookies) == cookies


def test_json_is_read_by_the_genuine_library_without_the_old_form(
    on_redis: dict[str, Any],
) -> None:
    settings = [settings_of(on_redis)]
    way: list[tuple[Any, object]] = [
        (do("get", "user"), "ada"),
        (do("get", "cart"), ["tea", "milk"]),
    ]
    assert walk("genuine", settings, way, walk("ours", settings, WALK, [""]))


def test_records_of_before_json_are_read(on_redis: dict[str, Any]) -> None:
    old = {"kvs.session": json.dumps(on_redis | {"codec": "pickle"})}
    new = {"kvs.session": json.dumps(on_redis)}
    cookies = walk("genuine", [old], [(do("set", "user", "ada"), None)], [""])
    assert walk("ours", [new], [(do("get", "user"), "ada")], cookies) == cookies


def test_a_header_holds_the_session_of_an_api(on_redis: dict[str, Any]) -> None:
    session = on_redis | {"session_type": "header", "key_name": ["X-Auth-Token", "X_Other"]}
    settings = {"kvs.session": json.dumps(session), "kvs.ratelimit": '{"window": 60, "limit": 3}'}
    token = {"X-Auth-Token": "t1"}
    one: Steps = [do("set", "user", "ada", **token), do("get", "user", **token)]
    two: Steps = [do("get", "user", **token)] * 2 + [do("get", "user", **{"X-Other": "t1"})]
    for first, second in (("genuine", "ours"), ("ours", "genuine")):
        pages = [
            *run(first, [(settings, one, "")])[0]["pages"],
            *run(second, [(settings, two, "")])[0]["pages"],
        ]
        assert [(*page, limits["X-RateLimit-Remaining"]) for *page, limits in pages] == [
            (200, "null", "2"),
            (200, '"ada"', "1"),
            (200, '"ada"', "0"),
            (429, "too many", "-1"),
            (200, "null", "2"),
        ]
        assert {limits["X-RateLimit-Limit"] for *_, limits in pages} == {"3"}
        client = redis.Redis(port=on_redis["kvs_kwargs"]["port"], db=DATABASE)
        assert sorted(client.keys()) == [
            b"session::x-auth-token::t1",
            b"session::x-auth-token::t1::ratelimit",
            b"session::x-other::t1",
            b"session::x-other::t1::ratelimit",
        ]
        client.flushdb()
        client.close()


def test_python_memcached_and_ours_read_one_another(
    memcached_server: MemcachedServer, tmp_path: Path
) -> None:
    spec = find_spec("memcache")
    if spec is None or spec.origin is None:
        missing("python-memcached (pip)")
        return
    # python3-memcached, which stands beside the genuine library, refuses the keys it makes.
    shutil.copy(spec.origin, tmp_path / "memcache.py")
    kvs = {"kvs": "memcache", "kvs_kwargs": {"servers": [f"127.0.0.1:{memcached_server.port}"]}}
    settings = [settings_of(kvs)]
    path = str(tmp_path)
    cookies = walk("genuine", settings, WALK, [""], path)
    assert walk("ours", settings, LATER, cookies) == cookies
    assert walk("genuine", settings, END, cookies, path) == cookies
    assert walk("ours", settings, [(do("names"), [])], cookies) == cookies


def test_the_genuine_librarys_own_tests_pass(tmp_path: Path) -> None:
    packages = Path(seeds_python()).parents[1] / "lib"
    found = sorted(packages.glob("*/site-packages/pyramid_kvs/tests/test_*.py"))
    assert len(found) == 3
    for path in found:
        text = path.read_text(encoding="utf-8").replace("from .compat import", "import")
        text = re.sub(r"from \.\.(?= import)", "from pyramid_kvs", text)
        text = re.sub(r"from \.\.(?=\w)", "from pyramid_kvs.", text)
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    script = """
import sys, unittest
from pyramid_kvs import kvs, testing
kvs.register("mock", testing.MockCache)
done = unittest.TextTestRunner(sys.stdout).run(unittest.defaultTestLoader.discover(sys.argv[1]))
print(done.testsRun, done.wasSuccessful(), kvs.__name__)
"""
    said = ours("pyramid_kvs", script, tmp_path)
    assert said.splitlines()[-1] == "8 True holdfast.compat.pyramid_kvs.kvs", said
