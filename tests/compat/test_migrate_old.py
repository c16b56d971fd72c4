"""Old data from place to place: what the genuine Beaker wrote, it reads where it was brought to."""

import json
import pickle
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from compat.seeds import genuine
from holdfast.codec.json import Json
from holdfast.compat import configure, refused
from holdfast.compat.beaker.ext.database import DatabaseNamespaceManager
from holdfast.compat.beaker.ext.memcached import MemcachedNamespaceManager
from holdfast.compat.beaker.session import Session
from holdfast.compat.migrate import LeftOut, Migration, Outcome, Report
from holdfast.compat.settings import current
from holdfast.compat.values import MARK
from holdfast.errors import ConfigError
from holdfast.store.dbm.plain import PlainDbm
from holdfast.store.file.plain import PlainFiles
from holdfast.store.tyrant import TyrantStore
from servers.memcached import MemcachedServer
from servers.mongodb import MongodbServer
from servers.postgresql import Postgresql
from servers.redis import RedisServer
from servers.tyrant import Tyrant

HOSTILE = b"cos\nsystem\n(S'touch /tmp/was-run'\ntR."
SESSIONS = """
import datetime, json, sys
from beaker.cache import CacheManager
from beaker.session import Session
kind, where, what = sys.argv[1:4]
place = {"data_dir" if kind in ("file", "dbm") else "url": where}
if kind == "ext:memcached":
    place.update(memcache_module="memcache", lock_dir="/tmp")
made = {"ada": {"user": "ada", "cart": [1, 2], "at": datetime.datetime(2020, 1, 2)},
        "bob": {"user": "bob", "pair": (1, b"x")}}
if what == "write":
    ids = {}
    for name, data in made.items():
        session = Session({"cookie": ""}, type=kind, timeout=3600, **place)
        session.update(data)
        session.save()
        ids[name] = session.id
    prices = CacheManager(type=kind, expire=600, **place).get_cache("prices")
    prices.put("tea", ("cups", 3))
    print(json.dumps(ids))
else:
    answers = {}
    for name, id in json.loads(what).items():
        session = Session({"cookie": ""}, id=id, type=kind, timeout=3600, **place)
        answers[name] = {k: session.get(k) for k in made[name]} == made[name] and not session.is_new
    prices = CacheManager(type=kind, expire=600, **place).get_cache("prices")
    answers["tea"] = prices.has_key("tea") and prices.get("tea") == ("cups", 3)
    print(json.dumps(answers))
"""
ALL = {"ada": True, "bob": True, "tea": True}


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    yield
    configure()
    refused.clear()


def migrated(source: str, target: str, **options: Any) -> tuple[Report, list[LeftOut]]:
    told: list[LeftOut] = []
    report = Report(told.append)
    with Migration(source, target, **options) as migration:
        migration.count()
        migration.run(report, lambda _: None)
    return report, told


def written(kind: str, where: object) -> dict[str, str]:
    ids: dict[str, str] = json.loads(genuine(SESSIONS, kind, where, "write"))
    return ids


def read(kind: str, where: object, ids: dict[str, str]) -> dict[str, bool]:
    found: dict[str, bool] = json.loads(genuine(SESSIONS, kind, where, json.dumps(ids)))
    return found


def test_from_files_to_dbm_and_back_the_genuine_beaker_finds_all(tmp_path: Path) -> None:
    ids = written("file", tmp_path / "a")
    configure(old_form=True)
    there, _ = migrated(f"beaker+file:///{tmp_path}/a", f"beaker+dbm:///{tmp_path}/b")
    assert there.counts == {Outcome.WRITTEN: 3}
    assert read("dbm", tmp_path / "b", ids) == ALL
    back, _ = migrated(f"beaker+dbm:///{tmp_path}/b", f"beaker+file:///{tmp_path}/c")
    assert back.counts == {Outcome.WRITTEN: 3}
    assert read("file", tmp_path / "c", ids) == ALL
    again, _ = migrated(f"beaker+dbm:///{tmp_path}/b", f"beaker+file:///{tmp_path}/c")
    assert again.counts == {Outcome.THERE: 3}


def test_in_place_to_the_safe_form_and_back(tmp_path: Path) -> None:
    ids = written("file", tmp_path)
    url, files = f"beaker+file:///{tmp_path}", PlainFiles(tmp_path / "container_file")
    before = {name: files.get(name) for name in files.scan()}
    assert migrated(url, url, dry=True)[0].counts == {Outcome.WRITTEN: 3}
    assert {name: files.get(name) for name in files.scan()} == before
    assert migrated(url, url)[0].counts == {Outcome.WRITTEN: 3}
    for name in files.scan():
        data = files.get(name) or b""
        assert data.startswith(MARK)
        assert b"datetime" not in data, "a pickle is left inside the session's text"
    assert migrated(url, url)[0].counts == {Outcome.THERE: 3}
    configure(old_form=True)
    assert migrated(url, url)[0].counts == {Outcome.WRITTEN: 3}
    assert read("file", tmp_path, ids) == ALL


def test_what_asks_for_a_class_is_left_out_by_name_and_nothing_runs(tmp_path: Path) -> None:
    files = PlainFiles(tmp_path / "a" / "container_file")
    files.put("evil", HOSTILE)
    files.put("path", pickle.dumps({"session": Path("x"), "other": 1}))
    files.put("good", pickle.dumps({"session": {"_accessed_time": time.time(), "n": 1}}))
    url = f"beaker+file:///{tmp_path}/a"
    report, told = migrated(url, f"beaker+dbm:///{tmp_path}/b")
    assert report.counts == {Outcome.WRITTEN: 1, Outcome.LEFT_OUT: 2}
    details = {left.key: left.detail for left in told}
    assert "system" in details["evil"]
    assert "pathlib" in details["path"]
    assert not Path("/tmp/was-run").exists()  # noqa: S108 - what the pickle would have made
    in_place, _ = migrated(url, url)
    assert in_place.counts == {Outcome.WRITTEN: 1, Outcome.LEFT_OUT: 2}
    assert files.get("evil") == HOSTILE, "what is left out stays as it is"


def test_an_allowed_class_goes_along(tmp_path: Path) -> None:
    name = "fractions.Fraction"
    from fractions import Fraction  # noqa: PLC0415 - a class that stands on no list

    files = PlainFiles(tmp_path / "container_file")
    files.put("id", pickle.dumps({"value": Fraction(1, 3)}))
    url = f"beaker+file:///{tmp_path}"
    assert migrated(url, url)[0].counts == {Outcome.LEFT_OUT: 1}
    configure(allow=[name])
    assert migrated(url, url)[0].counts == {Outcome.WRITTEN: 1}


def test_sessions_past_their_timeout_and_old_values_stay_behind(tmp_path: Path) -> None:
    files = PlainFiles(tmp_path / "a" / "container_file")
    now = time.time()
    for name, age in (("new", 10), ("old", 5000)):
        files.put(name, pickle.dumps({"session": {"_accessed_time": now - age}}))
    files.put("f" * 40, pickle.dumps({"k": (now - 100, 50, "v"), "l": (now - 100, 500, "w")}))
    target = f"beaker+dbm:///{tmp_path}/b"
    report, _ = migrated(f"beaker+file:///{tmp_path}/a", target, timeout=3600.0)
    assert report.counts == {Outcome.WRITTEN: 2, Outcome.OVER: 2}
    row = PlainDbm(tmp_path / "b/container_dbm/f/ff" / f"{'f' * 40}.dbm")
    assert list(row.scan()) == ["l"]


def test_a_damaged_target_and_another_value_there_are_told(tmp_path: Path) -> None:
    ours, theirs = (PlainFiles(tmp_path / side / "container_file") for side in "ab")
    for name in ("same", "differs", "damaged"):
        ours.put(name, pickle.dumps({"session": {"n": 1}}))
    theirs.put("damaged", b"no pickle")
    theirs.put("differs", pickle.dumps({"session": {"n": 2}}))
    # another file of the same library: the folder of a second server
    urls = f"beaker+file:///{tmp_path}/a", f"beaker+file:///{tmp_path}/b"
    report, told = migrated(*urls)
    assert report.counts == {Outcome.WRITTEN: 1, Outcome.LEFT_OUT: 2}
    assert {left.key for left in told} == {"differs", "damaged"}
    report, _ = migrated(*urls, replace=True)
    assert report.counts == {Outcome.THERE: 1, Outcome.WRITTEN: 1, Outcome.LEFT_OUT: 1}


@pytest.mark.parametrize("kind", ["file", "dbm"])
def test_an_application_that_goes_on_meanwhile_loses_nothing(tmp_path: Path, kind: str) -> None:
    options: dict[str, Any] = {"type": kind, "data_dir": str(tmp_path), "use_cookies": False}
    first = Session({}, **options)
    first["n"] = 0
    first.save()
    url, over = f"beaker+{kind}:///{tmp_path}", threading.Event()

    def back_and_forth() -> None:
        while not over.is_set():
            configure(old_form=not current().old_form)
            migrated(url, url)

    other = threading.Thread(target=back_and_forth)
    other.start()
    try:
        for _ in range(60):
            session = Session({}, id=first.id, **options)
            session["n"] += 1
            session.save()
    finally:
        over.set()
        other.join()
    assert Session({}, id=first.id, **options)["n"] == 60


@pytest.mark.parametrize(
    "session",
    [
        {"session": "eyJh" + "W1tb" * 40_000},
        {"session": {"_accessed_time": 10**400, "_creation_time": float("nan")}},
        {"session": {"_accessed_time": True}},
        {"session": b"\xff\xfe"},
        {"session": None, "k": (10**400, float("inf"), 1)},
        {("a", 1): "b", 7: ("x", "y", "z")},
    ],
    ids=["deep", "times", "flag", "bytes", "none", "keys"],
)
def test_odd_values_end_no_run(tmp_path: Path, session: Any) -> None:
    files = PlainFiles(tmp_path / "a" / "container_file")
    files.put("odd", pickle.dumps(session))
    files.put("good", pickle.dumps({"session": {"n": 1}}))
    source = f"beaker+file:///{tmp_path}/a"
    for target in (f"beaker+dbm:///{tmp_path}/b", f"sqlite:///{tmp_path}/c.db", source):
        report, _ = migrated(source, target, timeout=60.0)
        assert report.done >= 2


def test_encrypted_sessions_travel_as_they_are(tmp_path: Path) -> None:
    script = """
from beaker.session import Session
import sys
s = Session({"cookie": ""}, type="file", data_dir=sys.argv[1], encrypt_key="k" * 32,
            validate_key="v" * 32)
s["user"] = "ada"
s.save()
print(s.id)
"""
    handle = genuine(script, tmp_path / "a").strip()
    configure(old_form=True)
    url = f"beaker+file:///{tmp_path}/a"
    assert migrated(url, f"beaker+file:///{tmp_path}/b")[0].counts == {Outcome.WRITTEN: 1}
    check = script.replace('{"cookie": ""}', f'{{"cookie": ""}}, id="{handle}"').replace(
        's["user"] = "ada"\ns.save()\nprint(s.id)', 'print(s["user"])'
    )
    assert genuine(check, tmp_path / "b").strip() == "ada"
    report, _ = migrated(url, f"sqlite:///{tmp_path}/native.db")
    assert report.counts == {Outcome.LEFT_OUT: 1}
    assert "encrypted" in next(iter(report.reasons))


@pytest.mark.server
def test_through_sql_and_redis_the_genuine_beaker_finds_its_sessions(
    redis_server: RedisServer, postgresql: Postgresql, tmp_path: Path
) -> None:
    ids = written("file", tmp_path)
    configure(old_form=True)
    far, old = f"{redis_server.url}/6", {**ALL, "tea": False}
    client = redis.Redis.from_url(far)
    client.flushdb()
    files, keys = f"beaker+file:///{tmp_path}", f"beaker+{far}"
    report, told = migrated(files, keys, timeout=3600.0)
    assert report.counts == {Outcome.WRITTEN: 2, Outcome.LEFT_OUT: 1}
    assert "namespace" in told[0].reason, "of a cache only the hash is known"
    assert read("ext:redis", far, ids) == old
    assert all(0 < client.pttl(key) <= 3_720_000 for key in client.keys("beaker_cache:*"))
    client.close()
    rows = f"beaker+sqlite:///{tmp_path}/rows.db"
    assert migrated(keys, rows)[0].counts == {Outcome.WRITTEN: 2}
    without, _ = migrated(files, f"beaker+{redis_server.url}/6", dry=True)
    assert "--timeout" in next(iter(without.notes))
    assert read("ext:database", f"sqlite:///{tmp_path}/rows.db", ids) == old
    server = f"beaker+{postgresql.url}"
    assert migrated(rows, f"{server}?table_name=moved")[0].done == 2
    assert migrated(f"{server}?table_name=moved", keys)[0].counts == {Outcome.THERE: 2}


@pytest.mark.server
def test_caches_with_plain_names_go_to_files_under_their_hash(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    far = f"{redis_server.url}/7"
    client = redis.Redis.from_url(far)
    client.flushdb()
    ids = written("ext:redis", far)
    configure(old_form=True)
    client.set("beaker_cache:a:b:c", pickle.dumps(1))
    client.set("beaker_cache:evil:session", HOSTILE)
    client.close()
    report, told = migrated(f"beaker+{far}", f"beaker+file:///{tmp_path}")
    assert report.counts == {Outcome.WRITTEN: 3, Outcome.LEFT_OUT: 2}
    assert {left.key for left in told} == {"beaker_cache:a:b:c", "beaker_cache:evil:session"}
    assert read("file", tmp_path, ids) == ALL
    url = f"beaker+{far}"
    configure()
    assert migrated(url, url)[0].counts[Outcome.WRITTEN] == 4


@pytest.mark.server
def test_mongodb_both_ways_and_memcached_as_a_target(
    mongodb: MongodbServer, memcached_server: MemcachedServer, tmp_path: Path
) -> None:
    ids = written("file", tmp_path / "a")
    configure(old_form=True)
    far = f"{mongodb.url}/migrated"
    report, _ = migrated(f"beaker+file:///{tmp_path}/a", f"beaker+{far}", timeout=3600.0)
    assert report.counts == {Outcome.WRITTEN: 2, Outcome.LEFT_OUT: 1}
    assert read("ext:mongodb", far, ids) == {**ALL, "tea": False}
    configure()
    in_place, _ = migrated(f"beaker+{far}", f"beaker+{far}")
    assert in_place.counts == {Outcome.WRITTEN: 2}
    configure(old_form=True)
    assert migrated(f"beaker+{far}", f"beaker+file:///{tmp_path}/b")[0].counts[Outcome.WRITTEN] == 2
    assert read("file", tmp_path / "b", ids) == {**ALL, "tea": False}
    place = f"127.0.0.1:{memcached_server.port}"
    for outcome in (Outcome.WRITTEN, Outcome.THERE):
        report, _ = migrated(
            f"beaker+file:///{tmp_path}/a",
            f"beaker+memcached://{place}?memcache_module=python3-memcached",
            timeout=3600.0,
        )
        assert report.counts == {outcome: 2, Outcome.LEFT_OUT: 1}
    assert read("ext:memcached", place, ids) == {**ALL, "tea": False}
    for client in MemcachedNamespaceManager.clients.dict.values():
        client.close()
    MemcachedNamespaceManager.clients.dict.clear()


@pytest.mark.server
def test_a_key_that_is_too_long_for_redis_is_hashed_as_beaker_does(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    url, key = f"{redis_server.url}/10", "k" * 1100
    client: Any = redis.Redis.from_url(url)
    client.flushdb()
    rows = f"sqlite:///{tmp_path}/rows.db"
    space: Any = DatabaseNamespaceManager("prices", url=rows)
    space.acquire_write_lock()
    space[key.encode()] = (time.time(), 500, "v")
    space.release_write_lock()
    space.bind.dispose()
    assert migrated(f"beaker+{rows}", f"beaker+{url}")[0].counts == {Outcome.WRITTEN: 1}
    genuine_key = genuine(
        "from beaker.ext.redisnm import RedisNamespaceManager as R; import sys;"
        "print(R('prices', url=sys.argv[1])._format_key('k' * 1100))",
        url,
    )
    assert client.keys() == [genuine_key.strip().encode()]
    client.close()


@pytest.mark.server
def test_pycket_and_kvs_in_place_keep_their_time(redis_server: RedisServer) -> None:
    client: Any = redis.Redis.from_url(f"{redis_server.url}/8")
    client.flushdb()
    client.rpush("a list of others", "x")
    client.set(
        "b0d5", pickle.dumps({"user": "ada", "at": datetime(2020, 1, 2, tzinfo=UTC)}), ex=900
    )
    client.set("session::tok", json.dumps({"user": "bob"}), ex=800)
    client.set("session::old", pickle.dumps({"user": "eve"}, 2), ex=800)
    client.set("session::bad", HOSTILE, ex=800)
    kvs = f"kvs+{redis_server.url}/8"
    report, told = migrated(kvs, kvs)
    assert report.counts == {Outcome.WRITTEN: 1, Outcome.THERE: 1, Outcome.LEFT_OUT: 1}
    assert told[0].key == "session::bad"
    assert json.loads(client.get("session::old")) == {"user": "eve"}
    assert 700 < client.ttl("session::old") <= 800
    pycket = f"pycket+{redis_server.url}/8"
    client.delete("session::tok", "session::old", "session::bad")
    found, told = migrated(pycket, pycket)
    assert found.counts == {Outcome.WRITTEN: 1, Outcome.LEFT_OUT: 1}
    assert told[0] == LeftOut("a list of others", "no value of pycket")
    assert client.get("b0d5").startswith(MARK)
    assert 700 < client.ttl("b0d5") <= 900
    with pytest.raises(ConfigError, match="same library"):
        Migration(pycket, kvs)
    client.close()


@pytest.mark.server
def test_json_in_tokyo_tyrant_both_ways(tyrant: Tyrant, tmp_path: Path) -> None:
    files = PlainFiles(tmp_path / "a" / "container_file")
    now = time.time()
    files.put("5a" * 16, pickle.dumps({"session": {"_accessed_time": now, "cart": (1, 2)}}))
    far = f"tcjson+tyrant://127.0.0.1:{tyrant.address[1]}"
    assert migrated(f"beaker+file:///{tmp_path}/a", far)[0].counts == {Outcome.WRITTEN: 1}
    with TyrantStore([tyrant.address], plain=True) as store:
        raw = store.get(f"{'5a' * 16}_session") or b""
        assert Json().decode(raw) == {"_accessed_time": now, "cart": [1, 2]}
    report, _ = migrated(far, f"beaker+file:///{tmp_path}/b")
    assert report.counts[Outcome.WRITTEN] >= 1
    assert PlainFiles(tmp_path / "b/container_file").get("5a" * 16) is not None


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("beaker+memcached://h", "memory://", "cannot list its keys"),
        ("beaker+file:///a?x=1", "memory://", "no option x"),
        ("beaker+mongodb://h", "memory://", "needs a database"),
        ("pycket+mysql://u:secret@h", "memory://", "old data is one of"),
        ("beaker+nosuch://u:secret@h/d", "memory://", "nosuch"),
        ("beaker+file:///a", "pycket+redis://h", "same library"),
        ("kvs+redis://h?codec=yaml", "memory://", "choose from"),
    ],
)
def test_wrong_places_name_the_fix(source: str, target: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Migration(source, target)
    assert "secret" not in str(caught.value)
