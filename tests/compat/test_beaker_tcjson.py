"""`ext:tcjson`: JSON under `namespace_key` in Tokyo Tyrant."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.compat import settings
from holdfast.compat.beaker.cache import CacheManager
from holdfast.compat.beaker.container import Value
from holdfast.compat.beaker.exceptions import MissingCacheParameter
from holdfast.compat.beaker.ext.tcjson import TokyoCabinetManager
from holdfast.compat.beaker.session import Session
from holdfast.compat.pytyrant import PyTyrant
from holdfast.errors import CodecError, ConfigError, StoreUnavailable
from servers.tyrant import Tyrant, run_tyrant

pytestmark = pytest.mark.server


@pytest.fixture
def url(tyrant_of_old: Tyrant) -> str:
    host, port = tyrant_of_old.address
    return f"{host}:{port}"


@pytest.fixture
def other(tyrant_of_old: Tyrant) -> Iterator[PyTyrant]:
    """Give a program in another language: it knows the protocol and JSON."""
    t = PyTyrant.open(*tyrant_of_old.address)
    t.clear()
    yield t
    t.close()


def test_another_language_reads_what_is_written(url: str, other: PyTyrant) -> None:
    manager = TokyoCabinetManager("ns", url=url)
    manager["user"] = {"name": "Zoë", "tags": ["a", "b"], "age": 3, "half": 0.5, "no": None}
    assert list(other) == ["ns_user"]
    assert json.loads(other["ns_user"]) == manager["user"]


def test_what_another_language_writes_is_read(url: str, other: PyTyrant) -> None:
    other["ns_user"] = '{"name": "Jos\\u00e9",  "n": 1}'
    assert TokyoCabinetManager("ns", url=url)["user"] == {"name": "José", "n": 1}


def test_it_is_a_namespace_of_keys(url: str, other: PyTyrant) -> None:
    manager, beside = TokyoCabinetManager("a", url=url), TokyoCabinetManager("a b", url=url)
    manager["1"], manager[b"2"], beside["1"] = "x", "y", "z"
    assert sorted(manager.keys()) == ["1", "2"]
    assert "1" in manager
    assert manager.has_key("2")
    assert "3" not in manager
    del manager["1"]
    for gone in (lambda: manager["1"], lambda: manager.__delitem__("1")):
        with pytest.raises(KeyError):
            gone()
    manager.remove()
    assert list(other) == ["a b_1"]
    assert TokyoCabinetManager("a b", url=url).keys() == ["1"]


def test_keys_may_be_any_text(url: str, other: PyTyrant) -> None:
    manager = TokyoCabinetManager("m|f", url=url)
    for key in ("gophers 20 0", "größe", "x" * 400, "\n"):
        manager[key] = key
        assert other[f"m|f_{key}"] == json.dumps(key, ensure_ascii=False)
        assert manager.swap_value(key, "other") is False  # nothing was read before
        assert manager.reread(key) == key
        assert manager.swap_value(key, "other")
        assert manager[key] == "other"
    assert len(manager.keys()) == 4


def test_a_cached_value_knows_its_age(url: str, other: PyTyrant) -> None:
    manager = TokyoCabinetManager("ns", url=url)
    value = Value("k", manager, createfunc=lambda: ["made"], expiretime=60)
    assert value.get_value() == ["made"]
    stored, expires, made = json.loads(other["ns_k"])
    assert (expires, made) == (60, ["made"])
    assert stored > 1_000_000_000
    assert Value("k", manager, expiretime=60).get_value() == ["made"]


def test_what_is_no_json_is_not_there_and_counted(url: str, other: PyTyrant) -> None:
    other["ns_k"] = "{'python': True}"
    manager = TokyoCabinetManager("ns", url=url)
    with pytest.raises(KeyError):
        manager["k"]
    assert settings.refused["no JSON"] == 1


def test_a_value_json_has_not_is_an_error_that_says_what_it_has(url: str) -> None:
    manager = TokyoCabinetManager("ns", url=url)
    with pytest.raises(CodecError, match=r"set.*None, bool, int, float, str, list and dict"):
        manager["k"] = {"names": {"a"}}
    manager["k"] = {"pair": (1, 2)}
    assert manager["k"] == {"pair": [1, 2]}


def test_two_writers_lose_nothing(url: str, other: PyTyrant) -> None:
    other["ns_n"] = "0"

    def count() -> None:
        manager = TokyoCabinetManager("ns", url=url)
        for _ in range(20):
            while True:
                if manager.swap_value("n", manager.reread("n") + 1):
                    break

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other["ns_n"] == "80"


def test_several_servers_share_the_keys(url: str, other: PyTyrant) -> None:
    with run_tyrant("*") as second:
        both = f"{url};127.0.0.1:{second.address[1]}"
        manager = TokyoCabinetManager("ns", url=both)
        for number in range(40):
            manager[str(number)] = number
        assert 0 < len(other) < 40
        assert sorted(map(int, manager.keys())) == list(range(40))


def test_the_lock_of_a_creation_lies_in_a_file_where_there_is_a_folder(
    url: str, tmp_path: Path
) -> None:
    lock = TokyoCabinetManager("ns", url=url).get_creation_lock("k")
    assert lock is TokyoCabinetManager("ns", url=url).get_creation_lock("k")
    lock.acquire_write_lock()
    lock.release_write_lock()
    assert not list(tmp_path.rglob("*.lock"))
    lock = TokyoCabinetManager("ns", url=url, data_dir=str(tmp_path)).get_creation_lock("k")
    lock.acquire_write_lock()
    lock.release_write_lock()
    assert len(list((tmp_path / "container_tcd_lock").rglob("*.lock"))) == 1


def test_a_session_is_one_object_that_others_read_and_write(url: str, other: PyTyrant) -> None:
    options: dict[str, Any] = {"type": "ext:tcjson", "url": url}
    request: dict[str, object] = {}
    session = Session(request, **options)
    session["cart"] = ["tea", ("milk", 2)]
    session.save()
    record = json.loads(other[f"{session.id}_session"])
    assert record["cart"] == ["tea", ["milk", 2]]
    assert {"_creation_time", "_accessed_time", "_path", "_domain"} <= set(record)

    record["from"] = "another language"
    other[f"{session.id}_session"] = json.dumps(record)
    cookie = str(request["cookie_out"])
    again = Session({"cookie": cookie}, **options)
    assert (again["from"], again["cart"]) == ("another language", ["tea", ["milk", 2]])
    again["cart"].append("sugar")
    record["meanwhile"] = True
    other[f"{session.id}_session"] = json.dumps(record)
    again.save()
    merged = json.loads(other[f"{session.id}_session"])
    assert (merged["meanwhile"], merged["cart"][-1]) == (True, "sugar")
    again.delete()
    assert not list(other)


def test_a_cache_of_this_type(url: str, other: PyTyrant) -> None:
    cache = CacheManager(type="ext:tcjson", url=url).get_cache("templates", expire=60)
    assert cache.get("page", createfunc=lambda: {"title": "x"}) == {"title": "x"}
    assert json.loads(other["templates_page"])[1:] == [60, {"title": "x"}]
    assert cache.get("page") == {"title": "x"}


def test_a_missing_or_wrong_url_says_the_fix() -> None:
    with pytest.raises(MissingCacheParameter, match="url is required"):
        TokyoCabinetManager("ns")
    for wrong in ("localhost", "localhost:port", ":1978"):
        with pytest.raises(ConfigError, match="host:port"):
            TokyoCabinetManager("ns", url=wrong)


def test_a_server_that_is_gone_is_an_error(url: str) -> None:
    assert url
    with pytest.raises(StoreUnavailable):
        TokyoCabinetManager("ns", url="127.0.0.1:1")["k"]
