"""From one of Holdfast's stores to another: keys, bytes and times; what was there; what ends it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from holdfast.compat.migrate import LeftOut, Migration, Outcome, Report
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.store.abilities import CanScan, CanTellTtl
from holdfast.store.registry import open_store

ALL_SORTS = {"a:1": b"", "b": bytes(range(256)), "c" * 200: b"x" * 70_000}


def migrated(source: str, target: str, *, replace: bool = False, dry: bool = False) -> Report:
    report = Report()
    with Migration(source, target, replace=replace, dry=dry) as migration:
        assert migration.count() >= 0
        migration.run(report, lambda _: None)
    return report


def test_keys_bytes_and_times_arrive(tmp_path: Path) -> None:
    source, target = f"sqlite:///{tmp_path}/a.db", f"file:///{tmp_path}/b"
    with open_store(source) as store:
        store.put_many(ALL_SORTS)
        store.put("timed", b"v", ttl=1000)
        store.put("gone", b"v", ttl=1e-6)
    report = migrated(source, target)
    assert report.counts == {Outcome.WRITTEN: 4}
    with open_store(target) as store:
        assert store.get_many([*ALL_SORTS, "timed", "gone"]) == {**ALL_SORTS, "timed": b"v"}
        assert isinstance(store, CanTellTtl)
        left = store.remaining([*ALL_SORTS, "timed"])
        assert [left[key] for key in ALL_SORTS] == [None, None, None]
        assert 900 < (left["timed"] or 0) <= 1000


def test_a_second_run_writes_nothing_and_what_differs_stays(tmp_path: Path) -> None:
    source, target = f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db"
    with open_store(source) as store:
        store.put_many({"same": b"1", "newer": b"old", "only": b"3"})
    with open_store(target) as store:
        store.put("newer", b"new")
    told: list[LeftOut] = []
    report = Report(told.append)
    with Migration(source, target) as migration:
        migration.run(report, lambda _: None)
    assert report.counts == {Outcome.WRITTEN: 2, Outcome.LEFT_OUT: 1}
    assert [(left.key, "something else" in left.reason) for left in told] == [("newer", True)]
    again = migrated(source, target)
    assert again.counts == {Outcome.THERE: 2, Outcome.LEFT_OUT: 1}
    assert migrated(source, target, replace=True).counts == {Outcome.THERE: 2, Outcome.WRITTEN: 1}
    with open_store(target) as store:
        assert store.get("newer") == b"old"


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    source, target = f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db"
    with open_store(source) as store:
        store.put("k", b"v")
    assert migrated(source, target, dry=True).counts == {Outcome.WRITTEN: 1}
    with open_store(target) as store:
        assert store.get("k") is None


def test_prefixes_work_on_both_sides_and_a_key_that_is_too_long_is_told(tmp_path: Path) -> None:
    base = f"sqlite:///{tmp_path}/a.db"
    with open_store(base) as store:
        store.put_many({"shop:k": b"v", "other:k": b"w", "shop:" + "l" * 245: b"long"})
    target = f"sqlite:///{tmp_path}/b.db?prefix=market"
    report = migrated(f"{base}?prefix=shop", target)
    assert report.counts == {Outcome.WRITTEN: 1, Outcome.LEFT_OUT: 1}
    assert "cannot carry this key" in next(iter(report.reasons))
    with open_store(f"sqlite:///{tmp_path}/b.db") as store:
        assert isinstance(store, CanScan)
        assert list(store.scan()) == ["market:k"]


def test_a_damaged_row_is_left_out_and_the_others_arrive(tmp_path: Path) -> None:
    source, target = f"file:///{tmp_path}/a", f"sqlite:///{tmp_path}/b.db"
    with open_store(source) as store:
        store.put_many({f"k{number}": b"value" for number in range(5)})
    victim = next(path for path in (tmp_path / "a").glob("??/*") if path.parent.name != "locks")
    victim.write_bytes(victim.read_bytes()[:-1] + b"!")
    report = migrated(source, target)
    assert report.counts == {Outcome.WRITTEN: 4, Outcome.LEFT_OUT: 1}


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("memcached://localhost", "memory://a", "can be a target"),
        ("memory://a", "memory://a", "two places"),
        ("memory://a", "beaker+file:///a", "no form of an old library"),
        ("nonsense", "memory://", "begins with one of"),
    ],
)
def test_wrong_urls_name_the_fix(source: str, target: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message), Migration(source, target) as migration:
        migration.run(Report(), lambda _: None)


@pytest.mark.server
def test_to_redis_and_back_with_the_times(redis_database: str, tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/a.db") as store:
        store.put_many({f"copy:{number}": b"v%d" % number for number in range(1200)}, ttl=1000)
    assert migrated(f"sqlite:///{tmp_path}/a.db", redis_database).counts == {Outcome.WRITTEN: 1200}
    assert migrated(redis_database, f"sqlite:///{tmp_path}/b.db").counts == {Outcome.WRITTEN: 1200}
    with open_store(f"sqlite:///{tmp_path}/b.db") as store:
        assert isinstance(store, CanTellTtl)
        found = store.remaining([f"copy:{number}" for number in range(1200)])
        assert all(0 < (left or 0) <= 1000 for left in found.values())
        assert len(found) == 1200


@pytest.mark.server
def test_a_server_that_is_gone_is_an_error_without_its_password() -> None:
    with (
        Migration("redis://ada:secret@127.0.0.1:1", "memory://") as migration,
        pytest.raises(StoreUnavailable) as caught,
    ):
        migration.run(Report(), lambda _: None)
    assert "secret" not in str(caught.value)


@pytest.mark.slow
def test_killed_in_the_midst_the_next_run_completes_it(tmp_path: Path) -> None:
    source, target = f"sqlite:///{tmp_path}/a.db", f"file:///{tmp_path}/b"
    with open_store(source) as store:
        store.put_many({f"k{number:05}": b"%d" % number for number in range(4000)}, ttl=5000)
    program = "from holdfast.cli import main; main()"
    command = [sys.executable, "-c", program, "migrate", "--from", source, "--to", target]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own words
    folder = tmp_path / "b"
    for _ in range(3000):
        if folder.exists() and len(list(folder.glob("*"))) > 100:
            break
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    report = migrated(source, target)
    assert report.done == 4000
    assert report.counts[Outcome.THERE] > 0, "it was killed before it began"
    assert set(report.counts) <= {Outcome.THERE, Outcome.WRITTEN}
    with open_store(target) as store:
        assert isinstance(store, CanScan)
        assert len(list(store.scan())) == 4000
        assert store.get("k03999") == b"3999"
