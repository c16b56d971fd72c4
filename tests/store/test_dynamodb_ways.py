"""DynamoDB: ways in, what is refused, what is sent once, and what stays open."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3 as untyped
import pytest
from face import Face, until
from test_dynamodb_store import table_for

from holdfast import open_store
from holdfast.errors import ConfigError, StoreTimeout, StoreUnavailable
from holdfast.store.dynamodb import DynamodbStore
from holdfast.store.protocol import OpenStore
from holdfast.testing.trial import in_processes, in_threads
from servers.dynamodb import DynamodbServer, run_dynamodb
from servers.proxy import Proxy, Reset, Swallow

pytestmark = pytest.mark.server

boto3: Any = untyped


@pytest.fixture
def proxy(dynamodb: DynamodbServer) -> Iterator[Proxy]:
    with Proxy(dynamodb.server.port) as proxy:
        yield proxy


@pytest.fixture
def store(proxy: Proxy, tmp_path: Path) -> Iterator[OpenStore]:
    with through(proxy.port, table_for(tmp_path)) as store:
        store.put("k", b"v")
        yield store


def through(port: int, table: str, **options: object) -> OpenStore:
    given = {"region": "eu-west-1", "create": True, "timeout": 1.0, **options}
    return open_store(f"dynamodb://{table}", endpoint=f"http://127.0.0.1:{port}", **given)


def has(store: OpenStore, key: str, value: bytes) -> None:
    assert store.get(key) == value


def put_often(store: OpenStore, key: str, times: int) -> None:
    for _ in range(times):
        store.put(key, b"v")


@pytest.mark.parametrize(
    ("url", "about"),
    [
        ("dynamodb://", "needs a table"),
        ("dynamodb://ab", "needs a table"),
        ("dynamodb://table/path", "no path"),
        ("dynamodb://AKIA:hunter2@table", "takes no keys"),
        ("dynamodb://table?endpoint=u:hunter2@h", "URL without user"),
        ("dynamodb://table?create=perhaps", "create"),
        ("dynamodb://table?nosuch=1", "nosuch"),
    ],
)
def test_a_wrong_url_says_the_mend_and_no_password(url: str, about: str) -> None:
    with pytest.raises(ConfigError, match=about) as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.usefixtures("dynamodb")
def test_without_a_region_it_says_so() -> None:
    assert not os.environ.keys() & {"AWS_REGION", "AWS_DEFAULT_REGION"}
    with open_store("dynamodb://table") as store, pytest.raises(ConfigError, match="region"):
        store.get("k")


def test_without_credentials_it_says_so(
    dynamodb: DynamodbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with (
        open_store(dynamodb.table("nobody")) as store,
        pytest.raises(StoreUnavailable, match="credentials"),
    ):
        store.get("k")


def test_a_missing_table_says_so(dynamodb: DynamodbServer) -> None:
    with open_store(dynamodb.table("missing", create="false")) as store:
        for work in (lambda: store.get("k"), lambda: store.swap("k", None, b"v")):
            with pytest.raises(StoreUnavailable, match="create=true"):
                work()


def test_the_table_it_makes_removes_what_is_expired(
    dynamodb: DynamodbServer, store: OpenStore, tmp_path: Path
) -> None:
    client = boto3.client("dynamodb", region_name="eu-west-1", endpoint_url=dynamodb.endpoint)
    table = table_for(tmp_path)
    told = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert told == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    store.put("k", b"v", 90.5)
    item = client.get_item(TableName=table, Key={"key": {"S": "k"}})["Item"]
    assert 0 <= int(item["expires"]["N"]) - float(item["until"]["N"]) < 1
    assert float(item["until"]["N"]) == pytest.approx(time.time() + 90.5, abs=5)
    client.close()


def test_counters_and_values_are_one(store: OpenStore) -> None:
    assert isinstance(store, DynamodbStore)
    store.put("n", b"007")
    assert store.increment("n") == 8
    assert not store.swap("n", b"007", b"9")
    assert store.get_many(["n"]) == {"n": b"8"}
    assert store.swap("n", b"8", b"8")
    assert store.increment("n", -9) == -1
    assert store.swap("n", b"-1", None)
    assert store.increment("n", 10**30) == 10**30
    assert store.get("n") == b"%d" % 10**30
    assert store.swap("n", b"%d" % 10**30, b"v")


@pytest.mark.parametrize("before", [False, True])
def test_a_swap_and_a_reset(proxy: Proxy, store: OpenStore, *, before: bool) -> None:
    for number in range(5):
        old, new = store.get("k"), b"swapped-%06d" % number
        with proxy.under(Reset(before=before)), pytest.raises(StoreTimeout, match="unknown"):
            store.swap("k", old, new)
        assert store.get("k") in (old, new)
        assert proxy.heard(b"UpdateItem") == 0


def test_a_silent_server_is_a_timeout(proxy: Proxy, tmp_path: Path) -> None:
    with through(proxy.port, table_for(tmp_path), timeout=1) as store:
        store.put("k", b"v")
        with proxy.under(Swallow()):
            for work in (lambda: store.get("k"), lambda: store.swap("k", b"v", b"w")):
                start = time.monotonic()
                with pytest.raises(StoreTimeout) as caught:
                    work()
                assert 0.9 <= time.monotonic() - start < 4
                assert caught.value.__cause__ is not None
        assert store.get("k") in (b"v", b"w")


def test_refused_is_unavailable(proxy: Proxy, store: OpenStore) -> None:
    with proxy.refusing():
        for work in (lambda: store.get("k"), lambda: store.swap("k", b"v", b"w")):
            with pytest.raises(StoreUnavailable, match="to be reached") as caught:
                work()
            assert caught.value.__cause__ is not None
    assert store.get("k") == b"v"


def test_connections_reset_while_idle(proxy: Proxy, store: OpenStore) -> None:
    for _ in range(3):
        proxy.reset()
        assert store.swap("k", b"v", b"v")
        proxy.reset()
        assert store.get("k") == b"v"


@pytest.mark.slow
def test_a_killed_server_comes_back() -> None:
    with run_dynamodb() as own, through(own.server.port, "killed", timeout=5) as store:
        store.put("k", b"v")
        own.server.kill()
        with pytest.raises(StoreUnavailable):
            store.swap("k", b"v", b"w")
        own.server.start()
        with pytest.raises(StoreUnavailable, match="no such table"):
            store.get("k")  # it was in memory
        with through(own.server.port, "killed", timeout=5) as again:
            assert again.swap("k", None, b"v")
        assert store.get("k") == b"v"


def test_ready_objects(dynamodb: DynamodbServer, tmp_path: Path) -> None:
    where: dict[str, Any] = {"region_name": "eu-west-1", "endpoint_url": dynamodb.endpoint}
    client, resource = boto3.client("dynamodb", **where), boto3.resource("dynamodb", **where)
    name = table_for(tmp_path)
    with open_store(client, table=name, create=True) as store:
        store.put("k", b"v")
        assert in_processes(1, lambda _: has(store, "k", b"v")) == [0]
    with open_store(resource.Table(name)) as store:
        assert store.name == f"dynamodb://{name}"
        assert asyncio.run(store.aio.get("k")) == b"v"
    assert client.describe_table(TableName=name)["Table"]["TableName"] == name
    with pytest.raises(ConfigError, match="needs a table"):
        open_store(client)
    with pytest.raises(ConfigError, match="give a Table"):
        open_store(boto3.client("sqs", **where), table=name)
    client.close()
    resource.meta.client.close()


@pytest.mark.slow
def test_many_operations_leak_no_connection(proxy: Proxy, store: OpenStore) -> None:
    in_threads(8, lambda n: put_often(store, f"k{n}", 100))
    face = Face(store, "aio")

    async def cancel(aio: Any) -> None:
        tasks = [asyncio.ensure_future(aio.get("k")) for _ in range(200)]
        await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await aio.get("k") == b"v"

    face.do(cancel)
    assert proxy.open <= 50
    face.close()
    until(lambda: proxy.open == 0, "the last connection is closed")
