"""MongoDB: ways in, what is refused, what is sent once, and what stays open."""

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from pymongo import AsyncMongoClient, MongoClient
from test_mongodb_store import collection_for

from holdfast import open_store
from holdfast.errors import ConfigError, StoreError, StoreTimeout, StoreUnavailable
from holdfast.store.abilities import CanIncrement
from holdfast.store.protocol import OpenStore
from holdfast.testing.trial import in_processes, in_threads
from servers.mongodb import MongodbServer, run_mongodb

pytestmark = pytest.mark.server

Client = MongoClient[dict[str, Any]]


@pytest.fixture(scope="module")
def own() -> Iterator[MongodbServer]:
    """A stand-in for this file alone: it fails on demand."""
    with run_mongodb() as server:
        _ = server.server  # skips where a real one is named
        yield server


@pytest.fixture
def admin(own: MongodbServer) -> Iterator[Client]:
    with MongoClient[dict[str, Any]](own.url) as client:
        yield client


@pytest.fixture
def store(own: MongodbServer, tmp_path: Path) -> Iterator[OpenStore]:
    with open_store(f"{own.url}/tests", collection=collection_for(tmp_path), timeout=5) as store:
        store.put("k", b"v")
        yield store


def fail(admin: Client, command: str, times: int = 1, **how: object) -> None:
    data = {"failCommands": [command], **how}
    admin.admin.command("configureFailPoint", "failCommand", mode={"times": times}, data=data)


def seen(admin: Client, command: str) -> int:
    count: int = admin.admin.command("serverStatus")["metrics"]["commands"].get(command, 0)
    return count


def has(store: OpenStore, key: str, value: bytes) -> None:
    assert store.get(key) == value


def put_often(store: OpenStore, key: str, times: int) -> None:
    for _ in range(times):
        store.put(key, b"v")


@pytest.mark.parametrize(
    ("url", "about"),
    [
        ("mongodb://h/db?w=1", "majority"),
        ("mongodb://h/db?readPreference=secondary", "primary"),
        ("mongodb://h/db?timeoutMS=5", "timeout="),
        ("mongodb://h/db?tls=maybe", "tls"),
        ("mongodb://h/db?nosuch=1", "nosuch"),
        ("mongodb://h/db?collection=a$b", "collection"),
        ("mongodb://h/db?readConcernLevel=local", "majority or linearizable"),
        ("mongodb://u:secret/x@h/db", "%2F"),
        ("mongodb://u:se:cret@h/db", "escape"),
        ("mongodb+srv://u:se:cret@h.example/db", "escape"),
        ("mongodb+srv://u:secret@h.example,g.example/db", "one host"),
        ("mongodb+srv://u:secret@h.example:27017/db", "no port"),
        ("mongodb://u:secret@h/db?tls=true&tlsCAFile=/nosuch.pem", "nosuch.pem"),
    ],
)
def test_a_wrong_url_says_the_mend_and_no_password(url: str, about: str) -> None:
    with pytest.raises(ConfigError, match=about) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)
    assert "se:cret" not in str(caught.value)


def test_the_words_of_a_common_connection_string_are_taken() -> None:
    url = "mongodb+srv://ada:secret@cluster0.example/shop?retryWrites=true&w=majority&appName=x"
    with open_store(url) as store:
        assert "secret" not in f"{store.name} {store!r}"
        assert store.name == "mongodb+srv://cluster0.example/shop holdfast"


def test_a_lost_answer_to_a_swap_is_a_timeout_and_it_is_sent_once(
    store: OpenStore, admin: Client
) -> None:
    before = seen(admin, "findandmodify")
    fail(admin, "findAndModify", closeConnection=True)
    with pytest.raises(StoreTimeout, match="unknown") as caught:
        store.swap("k", b"v", b"w")
    assert isinstance(caught.value.__cause__, pymongo.errors.AutoReconnect)
    assert seen(admin, "findandmodify") == before + 1


@pytest.mark.parametrize("command", ["find", "update"])
def test_a_read_and_a_put_are_sent_again(store: OpenStore, admin: Client, command: str) -> None:
    before = seen(admin, command)
    fail(admin, command, closeConnection=True)
    store.put("k", b"w")
    assert store.get("k") == b"w"
    assert seen(admin, command) == before + 2


def test_what_no_majority_has_is_in_doubt(store: OpenStore, admin: Client) -> None:
    for command, work in (
        ("findAndModify", lambda: store.swap("k", b"v", b"w")),
        ("update", lambda: store.put("k", b"w")),
        ("delete", lambda: store.delete("k")),
    ):
        fail(admin, command, writeConcernError={"code": 64, "errmsg": "waiting timed out"})
        with pytest.raises(StoreTimeout, match="majority"):
            work()


@pytest.mark.parametrize(("code", "about"), [(13, "readWrite"), (18, "password"), (2, "code 2")])
def test_a_refusal_says_the_mend(store: OpenStore, admin: Client, code: int, about: str) -> None:
    fail(admin, "find", errorCode=code)
    with pytest.raises(StoreUnavailable, match=about):
        store.get("k")
    assert store.get("k") == b"v"


@pytest.mark.usefixtures("store")
def test_expired_documents_are_left_to_an_index(admin: Client, tmp_path: Path) -> None:
    (index,) = admin.tests[collection_for(tmp_path)].list_indexes()
    assert index["key"] == {"expires": 1}
    assert index["expireAfterSeconds"] == 0


def test_without_the_right_to_make_an_index_it_works(own: MongodbServer, admin: Client) -> None:
    fail(admin, "createIndexes", errorCode=13)
    with open_store(f"{own.url}/tests?collection=no-index", timeout=5) as store:
        store.put("k", b"v", 60)
        assert store.get("k") == b"v"


def test_counters_and_values_are_one(store: OpenStore) -> None:
    store.put("n", b"007")
    assert store.increment("n") == 8  # type: ignore[attr-defined]  # the suite tells that it can
    assert not store.swap("n", b"007", b"9")
    assert store.get_many(["n"]) == {"n": b"8"}
    assert store.swap("n", b"8", b"8")
    assert store.increment("n", -9) == -1  # type: ignore[attr-defined]  # the same
    assert store.swap("n", b"-1", None)
    store.put("n", b"9223372036854775807")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            store.increment("n")  # type: ignore[attr-defined]  # the same
    assert store.get("n") == b"9223372036854775807"


@pytest.mark.parametrize("ttl", [3e11, 1e300, math.inf])
def test_a_ttl_beyond_the_calendar_is_very_long(
    store: OpenStore, admin: Client, tmp_path: Path, ttl: float
) -> None:
    store.put("p", b"v", ttl)
    assert store.swap("s", None, b"v", ttl)
    assert store.swap("s", b"v", b"w", ttl)
    assert isinstance(store, CanIncrement)
    assert store.increment("n", 1, ttl) == 1
    assert store.get_many(["p", "s", "n"]) == {"p": b"v", "s": b"w", "n": b"1"}
    rows = admin.tests[collection_for(tmp_path)].find({}, {"expires": 1})
    assert [8000 < row["expires"].year < 10_000 for row in rows if "expires" in row] == [
        True
    ] * 3, "other programs read it, too"


def test_keys_that_look_like_paths_are_keys(store: OpenStore) -> None:
    for key in ("$value", "$$NOW", "a.b", "$"):
        assert store.swap(key, None, b"$value")
        assert store.get(key) == b"$value"


def test_more_than_one_reply_carries(store: OpenStore) -> None:
    items = {f"big{number}": bytes([number]) * 5_000_000 for number in range(5)}
    store.put_many(items)
    assert store.get_many(list(items)) == items


def test_too_large_is_said(store: OpenStore) -> None:
    with pytest.raises(StoreUnavailable, match="16 MiB"):
        store.put("k", bytes(17 << 20))
    store.put("k", bytes(9 << 20))
    with pytest.raises(StoreUnavailable, match="16 MiB"):
        store.swap("k", bytes(9 << 20), bytes(9 << 20))
    assert store.get("k") == bytes(9 << 20)


def test_a_ready_client_serves_both_faces_and_stays_open(own: MongodbServer) -> None:
    with MongoClient[dict[str, Any]](own.url) as client:
        store = open_store(client, database="tests", collection="ready")
        store.put("k", b"v")
        assert asyncio.run(store.aio.get("k")) == b"v"
        assert in_processes(1, lambda _: has(store, "k", b"v")) == [0]
        store.close()
        with pytest.raises(StoreUnavailable):
            store.get("k")
        assert client.admin.command("ping")["ok"] == 1.0


def test_a_ready_async_client_serves_both_faces(own: MongodbServer) -> None:
    client = AsyncMongoClient[dict[str, Any]](own.url)
    store = open_store(client, database="tests", collection="async-ready")

    async def body() -> None:
        await store.aio.put("k", b"v")
        await store.aio.close()
        assert (await client.admin.command("ping"))["ok"] == 1.0
        await client.close()

    assert store.get("k") is None
    asyncio.run(body())


def test_other_objects_of_the_driver_are_refused(own: MongodbServer) -> None:
    with MongoClient[dict[str, Any]](own.url) as client, pytest.raises(ConfigError, match="give"):
        open_store(client["database"])


@pytest.mark.slow
def test_ten_thousand_operations_leak_no_connection(own: MongodbServer, admin: Client) -> None:
    def connections() -> int:
        count: int = admin.admin.command("serverStatus")["connections"]["current"]
        return count

    before = connections()
    with open_store(f"{own.url}/tests?collection=many", timeout=10) as store:
        in_threads(8, lambda n: put_often(store, f"k{n}", 600))

        async def body() -> None:
            async def work() -> None:
                for _ in range(104):
                    await store.aio.get("k1")

            await asyncio.gather(*(work() for _ in range(50)))

        asyncio.run(body())
        assert connections() <= before + 8 + 50 + 4
        with pytest.raises(StoreError):
            store.swap("k", b"v" * (17 << 20), b"")
    for _ in range(100):
        if connections() <= before:
            break
        asyncio.run(asyncio.sleep(0.02))
    assert connections() <= before
