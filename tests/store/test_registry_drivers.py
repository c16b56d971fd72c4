"""open_store around ready objects of the drivers, and through entry points that are installed."""

import importlib
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast import open_store
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.store.protocol import AsyncStore, OpenStore

KEYS = {"aws_access_key_id": "id", "aws_secret_access_key": "hunter2", "region_name": "eu-west-1"}


def _google() -> Any:
    make = importlib.import_module("google.cloud.datastore").Client
    anonymous = importlib.import_module("google.auth.credentials").AnonymousCredentials()
    return make(project="p", credentials=anonymous, _use_grpc=False)


def _of(module: str, name: str, *args: object, **options: object) -> Callable[[], Any]:
    """Return what makes an object of a driver."""
    return lambda: getattr(importlib.import_module(module), name)(*args, **options)


CLIENTS: dict[str, tuple[str, Callable[[], Any], dict[str, object]]] = {
    "redis": ("redis", _of("redis", "Redis", port=1, password="hunter2"), {}),
    "redis.asyncio": ("redis", _of("redis.asyncio", "Redis", port=1, password="hunter2"), {}),
    "valkey": ("redis", _of("valkey", "Valkey", port=1, password="hunter2"), {}),
    "pymemcache": ("memcached", _of("pymemcache", "PooledClient", ("127.0.0.1", 1)), {}),
    "sqlalchemy": ("sqlalchemy", _of("sqlalchemy", "create_engine", "sqlite:///rows.db"), {}),
    "pymongo": (
        "mongodb",
        _of("pymongo", "MongoClient", "mongodb://u:hunter2@127.0.0.1:1", connect=False),
        {},
    ),
    "botocore": ("dynamodb", _of("boto3", "client", "dynamodb", **KEYS), {"table": "rows"}),
    "boto3": ("dynamodb", lambda: _of("boto3", "resource", "dynamodb", **KEYS)().Table("rows"), {}),
    "google": ("datastore", _google, {}),
}


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object) -> None:
        raise AssertionError("it connected")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.delenv("DATASTORE_EMULATOR_HOST", raising=False)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("package", CLIENTS)
def test_a_ready_object_opens_its_store(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module, make, options = CLIENTS[package]
    client = make()
    store = open_store(client, prefix="shop", timeout="2s", **options)
    assert isinstance(store, OpenStore)
    assert isinstance(store.aio, AsyncStore)
    inside: Any = getattr(store, "store", None)
    assert type(inside).__module__.startswith(f"holdfast.store.{module}")
    assert "hunter2" not in f"{store.name} {store!r} {store.aio!r} {inside!r}"
    store.close()
    with pytest.raises(StoreUnavailable):
        store.get("k")
    if package == "sqlalchemy":
        client.dispose()
    elif package in {"pymongo", "google", "pymemcache"}:
        client.close()


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("package", CLIENTS)
def test_a_ready_object_is_told_which_options_there_are(package: str) -> None:
    _, make, options = CLIENTS[package]
    client = make()
    with pytest.raises(ConfigError, match=r"no option colour; it has .*timeout"):
        open_store(client, colour="red", **options)


OTHERS: dict[str, Callable[[], Any]] = {
    "redis": _of("redis", "ConnectionPool"),
    "pymemcache": _of("pymemcache.serde", "PickleSerde"),
    "sqlalchemy": _of("sqlalchemy", "MetaData"),
    "pymongo": _of("pymongo", "InsertOne", {}),
    "boto3": _of("boto3", "client", "s3", **KEYS),
    "google": _of("google.cloud.datastore", "Entity"),
}


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("package", OTHERS)
def test_another_object_of_a_driver_is_a_config_error(package: str) -> None:
    thing = OTHERS[package]()
    with pytest.raises(ConfigError):
        open_store(thing)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Install a distribution that brings the scheme `shelf://`."""
    (tmp_path / "shelf_store.py").write_text(
        "from holdfast.store.memory import MemoryStore\n"
        "asked = []\n"
        "def open_shelf(url, **options):\n"
        "    asked.append((url, options))\n"
        "    return 'no store' if options.pop('broken', '') else MemoryStore('shelf')\n"
    )
    info = tmp_path / "shelf_store-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf-store\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[holdfast.stores]\nshelf = shelf_store:open_shelf\nmemory = shelf_store:open_shelf\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "shelf_store"
    sys.modules.pop("shelf_store", None)


def test_an_installed_entry_point_opens_its_scheme(installed: str) -> None:
    assert installed not in sys.modules
    store = open_store("shelf://u:pw@h/x?size=3&prefix=shop", depth=4)
    asked = importlib.import_module(installed).asked
    assert asked == [("shelf://u:pw@h/x", {"size": "3", "depth": 4})]
    store.put("k", b"v")
    inside: Any = getattr(store, "store", None)
    assert inside.get("shop:k") == b"v"


def test_an_entry_point_cannot_take_a_scheme_of_ours(installed: str) -> None:
    assert open_store("memory://").name == "memory"
    assert installed not in sys.modules


@pytest.mark.usefixtures("installed")
def test_an_entry_point_that_opens_no_store_is_named() -> None:
    with pytest.raises(ConfigError, match=r"shelf_store:open_shelf opened shelf://"):
        open_store("shelf://h?broken=1")


@pytest.mark.usefixtures("installed")
def test_a_scheme_nobody_brings_is_unknown() -> None:
    with pytest.raises(ConfigError, match="unknown scheme shelves://"):
        open_store("shelves://h")
