"""Ready clients: the settings of a client of redis-py or valkey-py, of either face.

Law: nothing is connected, and the client is left as it is: the store makes connections of its own,
so that its deadlines, its forks and its bytes hold whatever the client decodes, repeats or waits.
"""

from collections.abc import Mapping
from typing import Any

from holdfast.errors import ConfigError
from holdfast.store.address import Options
from holdfast.store.redis.settings import Host, Kind, Login, Settings

__all__ = ["of_client"]

_TAKEN = ("path", "db", "username", "password", "credential_provider", "client_name")
_TLS = {
    "Connection": False,
    "SentinelManagedConnection": False,
    "UnixDomainSocketConnection": False,
    "SSLConnection": True,
    "SentinelManagedSSLConnection": True,
}
"""Class of a connection, in either package and on either face -> whether it speaks TLS."""


def of_client(client: Any, options: Options) -> Settings:
    """Return what `client` would connect to.

    Raises:
        ConfigError: It is no client of a server, or one whose settings cannot be taken over.
    """
    options.allow()
    if hasattr(client, "nodes_manager"):
        return _cluster(client, options)
    pool = getattr(client, "connection_pool", None)
    if pool is None or not hasattr(client, "set") or hasattr(client, "watching"):
        raise ConfigError(
            f"{options.where} keeps no values: give a Redis, a RedisCluster, or what"
            " Sentinel(...).master_for(name) returns"
        )
    if hasattr(pool, "sentinel_manager"):
        return _guarded(pool, options)
    hosts, login = _login(pool, options)
    name = _name("", hosts, login, f"/{login['db']}") if hosts else f"unix://{login['path']}"
    return Settings(name, options.timeout(), hosts, login)


def _name(kind: str, hosts: tuple[Host, ...], login: Login, path: str) -> str:
    shown = ",".join(f"{host}:{port}" for host, port in hosts)
    return f"{'rediss' if 'ssl' in login else 'redis'}{kind}://{shown}{path}"


def _guarded(pool: Any, options: Options) -> Settings:
    if not pool.is_master:
        raise ConfigError(f"{options.where} of a replica may be behind: give master_for(...)")
    _, login = _login(pool, options)
    found = [_login(one.connection_pool, options) for one in pool.sentinel_manager.sentinels]
    hosts = tuple(host for hosts, _ in found for host in hosts)
    name = _name("+sentinel", hosts, login, f"/{pool.service_name}/{login['db']}")
    return Settings(
        name, options.timeout(), hosts, login, Kind.SENTINEL, pool.service_name, found[0][1]
    )


def _cluster(client: Any, options: Options) -> Settings:
    nodes = client.nodes_manager.startup_nodes.values()
    given = getattr(client, "connection_kwargs", None) or client.nodes_manager.connection_kwargs
    kind = getattr(given.get("connection_class"), "__name__", "")
    login = _taken(given, tls=given.get("ssl") is True or _TLS.get(kind, False))
    hosts = tuple((str(node.host), int(node.port)) for node in nodes)
    login["db"] = 0
    name = _name("+cluster", hosts, login, "")
    return Settings(name, options.timeout(), hosts, login, Kind.CLUSTER)


def _login(pool: Any, options: Options) -> tuple[tuple[Host, ...], dict[str, object]]:
    given: Mapping[str, Any] = pool.connection_kwargs
    kind = pool.connection_class.__name__
    custom = given.get("redis_connect_func") or given.get("valkey_connect_func")
    if kind not in _TLS or custom:
        raise ConfigError(
            f"{options.where} makes connections of its own kind, which cannot be taken over:"
            " give a URL, or a client with a credential_provider"
        )
    login = _taken(given, tls=_TLS[kind])
    login.setdefault("db", 0)
    if "path" in login or kind.startswith("Sentinel"):
        return (), login
    return ((str(given.get("host", "localhost")), int(given.get("port", 6379))),), login


def _taken(given: Mapping[str, Any], *, tls: bool) -> dict[str, object]:
    there = {name: value for name, value in given.items() if value is not None}
    found = {name: value for name, value in there.items() if name in _TAKEN}
    if not tls:
        return found
    ours = {name: value for name, value in there.items() if name.startswith("ssl_")}
    return (
        found
        | {name: value for name, value in ours.items() if "ocsp" not in name or value}
        | {"ssl": True}
    )
