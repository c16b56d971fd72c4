"""Redis with users and passwords: over TLS behind a Sentinel and as a Cluster, and without AUTH."""

import asyncio
import contextlib
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from holdfast import open_store
from holdfast.errors import StoreUnavailable
from holdfast.store.protocol import OpenStore
from servers.process import Server, folder_for, free_port, program
from servers.redis import PASSWORD, USER, RedisServer, run_redis

pytestmark = [pytest.mark.server, pytest.mark.slow]

LOGIN = f"{USER}:{quote(PASSWORD, safe='')}"


async def works(store: OpenStore) -> None:
    keys = [f"k{number}" for number in range(10)]
    store.put_many({key: key.encode() for key in keys})
    assert await asyncio.gather(*map(store.aio.get, keys)) == [key.encode() for key in keys]
    assert await store.aio.swap("k1", b"k1", None)
    assert store.get("k1") is None
    assert PASSWORD not in f"{store.name} {store!r} {store.aio!r}"
    await store.aio.close()


@contextlib.contextmanager
def sentinel_of(master: RedisServer) -> Iterator[Server]:
    """Run a Sentinel that speaks TLS alone and wants a password."""
    assert master.certificate is not None
    key = master.certificate.with_name("key.pem")
    with folder_for() as folder:
        port, settings = free_port(), folder / "sentinel.conf"
        settings.write_text(
            f"port 0\ntls-port {port}\nbind 127.0.0.1\ndir {folder}\n"
            f"tls-cert-file {master.certificate}\ntls-key-file {key}\n"
            f"tls-ca-cert-file {master.certificate}\ntls-auth-clients no\ntls-replication yes\n"
            "requirepass of-the-sentinel\n"
            f"sentinel monitor mymaster 127.0.0.1 {master.port} 1\n"
            f'sentinel auth-user mymaster {USER}\nsentinel auth-pass mymaster "{PASSWORD}"\n'
        )
        command = [program("redis-server"), str(settings), "--sentinel"]
        server = Server(command, port, log=folder / "log")
        server.start()
        try:
            yield server
        finally:
            server.stop()


def test_a_sentinel_with_a_password_of_its_own(redis_tls: RedisServer) -> None:
    with sentinel_of(redis_tls) as sentinel:
        url = f"rediss+sentinel://{LOGIN}@127.0.0.1:{sentinel.port}/mymaster/2"
        tls = {"ssl_ca_certs": str(redis_tls.certificate), "timeout": 5}
        store = open_store(url, sentinel_password="of-the-sentinel", **tls)
        asyncio.run(works(store))
        store = open_store(url, sentinel_password="wrong", **tls)
        with store, pytest.raises(StoreUnavailable, match=r"(?i)password"):
            store.get("k")


def test_a_cluster_over_tls() -> None:
    words = ("--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-port")
    with run_redis(*words, str(free_port()), tls=True) as one:
        login = f"{LOGIN}@127.0.0.1:{one.port}"
        tls = {"ssl_ca_certs": str(one.certificate), "timeout": 5}
        with open_store(f"rediss+cluster://{login}", **tls) as store:
            with pytest.raises(StoreUnavailable):
                store.get("no-slot-has-a-node")
            give_all_slots(one)
            asyncio.run(works(store))


def give_all_slots(one: RedisServer) -> None:
    import redis  # noqa: PLC0415 - by hand, only here

    client: Any = redis.Redis(
        port=one.port,
        host="127.0.0.1",
        ssl=True,
        ssl_ca_certs=str(one.certificate),
        username=USER,
        password=PASSWORD,
    )
    with client:
        assert client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)
        until = time.monotonic() + 20
        while client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
            assert time.monotonic() < until, "the Cluster does not come up"
            time.sleep(0.05)


def test_a_server_without_auth_does_not_repeat_the_password() -> None:
    with run_redis("--rename-command", "AUTH", "") as server:
        url = f"redis://ada:s3cret@127.0.0.1:{server.port}"
        with open_store(url) as store:
            asks: list[Callable[[], object]] = [
                lambda: store.get("k"),
                lambda: asyncio.run(store.aio.get("k")),
            ]
            for ask in asks:
                with pytest.raises(StoreUnavailable, match="AUTH") as caught:
                    ask()
                told = "".join(traceback.format_exception(caught.value))
                assert "unknown command" in told
                assert "s3cret" not in told
                assert "ada" not in told
