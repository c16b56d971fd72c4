"""URLs and ready clients of the Redis store: what they mean, what is refused, what never shows."""

import asyncio
import gc
import warnings
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

from holdfast import open_store
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.store.protocol import OpenStore
from holdfast.store.redis import RedisStore
from holdfast.store.redis.settings import Kind, Settings
from servers.proxy import Delay, Proxy
from servers.redis import PASSWORD, USER, RedisServer
from servers.redis_cluster import SERVICE, RedisCluster, RedisSentinel

ANY: Any = redis  # whose classes take arguments that a dict of them has no types for


def valkey() -> Any:
    """Return valkey-py, where it is installed."""
    return pytest.importorskip("valkey.asyncio") and pytest.importorskip("valkey")


def settings_of(target: object) -> Settings:
    store = open_store(target)
    assert isinstance(store, RedisStore)
    return store._settings


# URLs


@pytest.mark.parametrize(
    ("url", "name", "hosts", "login"),
    [
        ("redis://", "redis://", [("localhost", 6379)], {"db": 0}),
        ("redis://h", "redis://h", [("h", 6379)], {"db": 0}),
        ("valkey://h:7/2", "valkey://h:7/2", [("h", 7)], {"db": 2}),
        ("redis://[::1]:7?db=3", "redis://[::1]:7", [("::1", 7)], {"db": 3}),
        (
            "redis://ada:p%40ss@h/1",
            "redis://h/1",
            [("h", 6379)],
            {"username": "ada", "password": "p@ss", "db": 1},
        ),
        (
            "valkeys://:pw@h?ssl_check_hostname=no&ssl_ca_certs=/ca.pem&ssl_certfile=c&ssl_keyfile=k",
            "valkeys://h",
            [("h", 6379)],
            {
                "password": "pw",
                "db": 0,
                "ssl": True,
                "ssl_check_hostname": False,
                "ssl_cert_reqs": "required",
                "ssl_ca_certs": "/ca.pem",
                "ssl_certfile": "c",
                "ssl_keyfile": "k",
            },
        ),
        ("unix:///run/r.sock?db=2", "unix:///run/r.sock", [], {"path": "/run/r.sock", "db": 2}),
        (
            "unix://ada:pw@/r.sock",
            "unix:///r.sock",
            [],
            {"path": "/r.sock", "db": 0, "username": "ada", "password": "pw"},
        ),
    ],
)
def test_a_url_of_one_server(
    url: str, name: str, hosts: list[tuple[str, int]], login: dict[str, object]
) -> None:
    found = settings_of(url)
    assert (found.name, found.kind, found.timeout) == (name, Kind.ALONE, 1.0)
    assert list(found.hosts) == hosts
    assert {name: value for name, value in found.login.items() if value is not None} == login


def test_a_url_of_sentinels() -> None:
    url = "rediss+sentinel://ada:pw@h1:1,h2/svc/3?sentinel_username=eve&sentinel_password=sp"
    found = settings_of(url + "&ssl_cert_reqs=none&timeout=2s")
    assert found.name == "rediss+sentinel://h1:1,h2/svc/3"
    assert (found.kind, found.service, found.timeout) == (Kind.SENTINEL, "svc", 2.0)
    assert found.hosts == (("h1", 1), ("h2", 26_379))
    tls = {"ssl": True, "ssl_check_hostname": True, "ssl_cert_reqs": "none"}
    assert found.login == {"username": "ada", "password": "pw", "db": 3, **tls}
    assert found.sentinel_login == {"username": "eve", "password": "sp", **tls}


def test_a_url_of_a_cluster() -> None:
    found = settings_of("valkey+cluster://h1,h2:7002")
    assert (found.kind, found.hosts) == (Kind.CLUSTER, (("h1", 6379), ("h2", 7002)))


@pytest.mark.parametrize(
    ("url", "mend"),
    [
        ("redis://h1,h2", "redis\\+cluster://"),
        ("redis://h/x", "redis://host/0"),
        ("redis://h/-1", "redis://host/0"),
        ("redis://h/1/2", "redis://host/0"),
        ("redis://h?db=x", "whole number"),
        ("redis://h/1?db=2", "in its path already"),
        ("redis://h?max_connections=5", "has no option max_connections"),
        ("redis://h?ssl_ca_certs=/ca.pem", "has no option ssl_ca_certs"),
        ("rediss://h?ssl_cert_reqs=maybe", "required, or none"),
        ("redis://h:port", "redis://host:6379"),
        ("redis://h?timeout=0", "some time"),
        ("unix://run/r.sock", "unix:///run/redis.sock"),
        ("unix://", "unix:///run/redis.sock"),
        ("redis+sentinel://h", "name of the service"),
        ("redis+sentinel://h/0x/a", "whole number"),
        ("redis+cluster://h/1", "database 0"),
        ("redis+cluster://h?db=1", "has no option db"),
        ("redis+elsewhere://h", "unknown scheme"),
    ],
)
def test_what_is_wrong_says_the_mend(url: str, mend: str) -> None:
    url = url.replace("://", "://ada:pw1234@", 1)
    with pytest.raises(ConfigError, match=mend) as caught:
        open_store(url)
    assert "pw1234" not in str(caught.value)


# Ready clients


def client_of(kind: str) -> object:
    if kind == "from_url":
        url = "rediss://ada:pw@h:7/2?ssl_ca_certs=/ca.pem&ssl_check_hostname=false"
        return ANY.Redis.from_url(url)
    given: dict[str, object] = {"host": "h", "port": 7, "db": 2, "username": "ada"}
    given |= {"password": "pw", "ssl": True, "ssl_ca_certs": "/ca.pem", "ssl_check_hostname": False}
    if kind == "redis":
        return ANY.Redis(**given, decode_responses=True)
    if kind == "redis.asyncio":
        return ANY.asyncio.Redis(**given)
    package = valkey()
    return package.Valkey(**given) if kind == "valkey" else package.asyncio.Valkey(**given)


@pytest.mark.parametrize("kind", ["redis", "redis.asyncio", "valkey", "valkey.asyncio", "from_url"])
def test_a_client_lends_its_settings(kind: str) -> None:
    found = settings_of(client_of(kind))
    wanted = {"db": 2, "username": "ada", "password": "pw", "ssl": True}
    wanted |= {"ssl_ca_certs": "/ca.pem", "ssl_check_hostname": False}
    assert found.login.items() >= wanted.items()
    assert set(found.login) - set(wanted) <= {"ssl_cert_reqs"}
    assert found.hosts == (("h", 7),)
    assert found.name == "rediss://h:7/2"
    assert "pw" not in repr(found)


@pytest.mark.parametrize("library", ["redis", "valkey"])
@pytest.mark.parametrize("face", ["sync", "aio"])
def test_a_client_of_sentinels(library: str, face: str) -> None:
    package = ANY if library == "redis" else valkey()
    package = package if face == "sync" else package.asyncio
    sentinel = package.sentinel.Sentinel(
        [("h1", 1), ("h2", 2)], sentinel_kwargs={"password": "sp"}, password="pw"
    )
    found = settings_of(sentinel.master_for("svc", db=3))
    assert (found.kind, found.service) == (Kind.SENTINEL, "svc")
    assert found.hosts == (("h1", 1), ("h2", 2))
    assert found.name == "redis+sentinel://h1:1,h2:2/svc/3"
    assert found.login == {"password": "pw", "db": 3}
    assert found.sentinel_login["password"] == "sp"
    with pytest.raises(ConfigError, match="master_for"):
        open_store(sentinel.slave_for("svc"))
    with pytest.raises(ConfigError, match="master_for"):
        open_store(sentinel)


def test_a_client_that_is_no_store() -> None:
    client = ANY.Redis()
    for thing in (client.pipeline(), client.pubsub(), client.connection_pool):
        with pytest.raises(ConfigError, match="keeps no values"):
            open_store(thing)


def test_a_client_with_connections_of_its_own_kind() -> None:
    class Special(redis.Connection):
        pass

    for client in (
        ANY.Redis(connection_pool=ANY.ConnectionPool(connection_class=Special)),
        ANY.Redis(redis_connect_func=print),
    ):
        with pytest.raises(ConfigError, match="give a URL"):
            open_store(client)


def test_ocsp_is_for_threads() -> None:
    store = open_store(redis.Redis(ssl=True, ssl_validate_ocsp=True))
    with pytest.raises(ConfigError, match="OCSP"):
        _ = store.aio


async def works_on_both_faces(store: OpenStore) -> None:
    store.put("ready", b"\xff\x00")
    assert await store.aio.get("ready") == b"\xff\x00"
    assert await store.aio.swap("ready", b"\xff\x00", b"w")
    assert store.get("ready") == b"w"
    assert store.delete("ready")
    await store.aio.close()


@pytest.mark.server
def test_ready_clients_of_one_server(redis_server: RedisServer, redis_tls: RedisServer) -> None:
    port, tls = redis_server.port, redis_tls.port
    secure: dict[str, Any] = {
        "port": tls,
        "host": "127.0.0.1",
        "ssl": True,
        "ssl_ca_certs": str(redis_tls.certificate),
        "username": USER,
        "password": PASSWORD,
    }

    async def body() -> None:
        clients: list[Any] = [
            redis.Redis(port=port, decode_responses=True, db=9),
            redis.asyncio.Redis(port=port),
            valkey().Valkey(unix_socket_path=str(redis_server.socket)),
            valkey().asyncio.Valkey(port=port),
            redis.Redis(**secure),
            redis.asyncio.Redis(**secure),
        ]
        for client in clients:
            await works_on_both_faces(open_store(client))
        assert clients[0].ping()
        assert await clients[1].ping(), "the client itself is still open"
        for client in clients:
            closed = client.aclose() if hasattr(client, "aclose") else client.close()
            if closed is not None:
                await closed

    asyncio.run(body())


@pytest.mark.server
def test_ready_clients_of_sentinels_and_a_cluster(
    redis_sentinel: RedisSentinel, redis_cluster: RedisCluster
) -> None:
    hosts = [("127.0.0.1", server.port) for server in redis_sentinel.sentinels]
    port = redis_cluster.servers[0].port

    async def body() -> None:
        for package in (ANY, valkey()):
            sentinel = package.sentinel.Sentinel(hosts)
            with sentinel.master_for(SERVICE) as master:
                await works_on_both_faces(open_store(master))
            for one in sentinel.sentinels:
                one.close()
        with redis.RedisCluster(host="127.0.0.1", port=port) as client:
            await works_on_both_faces(open_store(client))
        async with redis.asyncio.RedisCluster(host="127.0.0.1", port=port) as other:
            await works_on_both_faces(open_store(other))

    asyncio.run(body())


# What goes wrong


@pytest.mark.server
@pytest.mark.parametrize("login", ["", f"{USER}:wrong@", "eve:pw@"])
def test_a_wrong_password_is_named(redis_tls: RedisServer, login: str) -> None:
    url = f"rediss://{login}127.0.0.1:{redis_tls.port}?ssl_ca_certs={redis_tls.certificate}"

    async def body() -> None:
        with open_store(url) as store:
            with pytest.raises(StoreUnavailable, match="user or the password") as caught:
                store.get("k")
            assert isinstance(caught.value.__cause__, redis.AuthenticationError)
            assert "wrong" not in str(caught.value)
            with pytest.raises(StoreUnavailable, match="user or the password"):
                await store.aio.get("k")

    asyncio.run(body())


@pytest.mark.server
def test_a_wrong_password_leaves_nothing_open(redis_tls: RedisServer) -> None:
    """The server takes its time to say goodbye, and the loop is over before."""

    async def body(port: int) -> None:
        url = f"rediss://{USER}:wrong@127.0.0.1:{port}?ssl_ca_certs={redis_tls.certificate}"
        with open_store(url, timeout=10) as store, pytest.raises(StoreUnavailable):
            await store.aio.get("k")

    with Proxy(redis_tls.port) as proxy, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with proxy.under(Delay(0.05)):
            for _ in range(6):
                asyncio.run(body(proxy.port))
        gc.collect()
        assert [str(one.message) for one in told if one.category is ResourceWarning] == []


@pytest.mark.server
def test_a_certificate_nobody_knows_is_refused(redis_tls: RedisServer) -> None:
    async def body() -> None:
        with open_store(f"rediss://127.0.0.1:{redis_tls.port}") as store:
            with pytest.raises(StoreUnavailable, match=r"(?i)certificate") as caught:
                store.get("k")
            assert caught.value.__cause__ is not None
            with pytest.raises(StoreUnavailable, match=r"(?i)certificate"):
                await store.aio.get("k")

    asyncio.run(body())


@pytest.mark.server
def test_a_missing_certificate_file_is_unavailable(redis_tls: RedisServer, tmp_path: Path) -> None:
    url = f"rediss://127.0.0.1:{redis_tls.port}?ssl_ca_certs={tmp_path}/none.pem"

    async def body() -> None:
        with open_store(url) as store:
            with pytest.raises(StoreUnavailable, match="ssl_ca_certs"):
                store.get("k")
            with pytest.raises(StoreUnavailable, match="ssl_ca_certs"):
                await store.aio.get("k")

    asyncio.run(body())


@pytest.mark.server
def test_a_node_of_a_cluster_says_so(redis_cluster: RedisCluster) -> None:
    url = f"redis://127.0.0.1:{redis_cluster.servers[0].port}"
    keys = [f"k{number}" for number in range(50)]
    with open_store(url) as store, pytest.raises(StoreUnavailable, match=r"redis\+cluster://"):
        list(map(store.get, keys))


@pytest.mark.server
def test_a_replica_says_so(redis_sentinel: RedisSentinel) -> None:
    url = f"redis://127.0.0.1:{redis_sentinel.servers[1].port}"
    with open_store(url) as store, pytest.raises(StoreUnavailable, match=r"redis\+sentinel://"):
        store.put("k", b"v")


@pytest.mark.server
def test_a_service_no_sentinel_knows(redis_sentinel: RedisSentinel) -> None:
    url = redis_sentinel.url.replace(SERVICE, "other")

    async def body() -> None:
        with open_store(url) as store:
            with pytest.raises(StoreUnavailable, match="no Sentinel names a master of 'other'"):
                store.get("k")
            with pytest.raises(StoreUnavailable, match="no Sentinel names a master of 'other'"):
                await store.aio.get("k")

    asyncio.run(body())
