"""Settings: what a URL says about the servers, in words that both faces of the driver take.

Law: pure. What is wrong is a `ConfigError` that says the mend and repeats no password.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from holdfast.errors import ConfigError
from holdfast.store.address import Address, Options

__all__ = ["Host", "Kind", "Login", "Settings", "of_address"]

Host = tuple[str, int]

_PORT, _SENTINEL_PORT = 6379, 26_379
_TLS_TEXTS = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password")
_TLS = (*_TLS_TEXTS, "ssl_cert_reqs", "ssl_check_hostname")

Login = Mapping[str, object]
"""Arguments of a driver's connection: user, password, database, TLS; not host and port."""


class Kind(enum.Enum):
    """How the servers stand to each other."""

    ALONE = ""
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the servers are and how to log in.

    Attributes:
        name: What the store is called; has no password in it.
        timeout: Seconds an operation may take.
        hosts: The server, its Sentinels, or some nodes of the Cluster; empty for a unix socket.
        login: For the servers that keep the data.
        kind: How the servers stand to each other.
        service: The name the Sentinels know the master by.
        sentinel_login: For the Sentinels.
    """

    name: str
    timeout: float
    hosts: tuple[Host, ...] = ()
    login: Login = field(default_factory=dict, repr=False)
    kind: Kind = Kind.ALONE
    service: str = ""
    sentinel_login: Login = field(default_factory=dict, repr=False)

    def arguments(self, host: Host | None, *, sentinel: bool) -> dict[str, object]:
        """Return what a connection to `host` is made with; `ssl` tells its class only."""
        login = self.sentinel_login if sentinel else self.login
        found = {**login, "protocol": 2}  # nothing that was not asked for comes over RESP2
        if host is not None:
            found["host"], found["port"] = host
        return found

    def need_async(self) -> None:
        """Raise if the async driver cannot do what is wanted.

        Raises:
            ConfigError: It is asked to look at certificates by OCSP.
        """
        if any("ocsp" in name for name in self.login):
            raise ConfigError(f"{self.name}: OCSP is for threads only; loops lack it")


def of_address(address: Address) -> Settings:
    """Return what the URL says.

    Raises:
        ConfigError: It is wrong.
    """
    base, _, kind = address.scheme.partition("+")
    login: dict[str, object] = {"username": address.user or None}
    login["password"] = address.password or None
    if base == "unix":
        return _unix(address, login)
    tls = _tls(address, base, kind)
    login |= tls
    if kind == "sentinel":
        return _sentinel(address, login, tls)
    if kind == "cluster":
        return _cluster(address, login)
    hosts = address.hosts(_PORT)
    if len(hosts) > 1:
        raise ConfigError(
            f"{address.scheme}:// has one host: write {base}+cluster:// for the nodes of a Cluster,"
            f" {base}+sentinel:// for Sentinels"
        )
    login["db"] = _database(address.options, address.path, f"{address.scheme}://host/0")
    return Settings(address.shown, address.options.timeout(), tuple(hosts), login)


def _unix(address: Address, login: dict[str, object]) -> Settings:
    address.options.allow("db")
    if address.netloc or len(address.path) < 2 or "\0" in address.path:
        raise ConfigError("unix:// takes the path of a socket: write unix:///run/redis.sock?db=0")
    login["path"] = address.path
    login["db"] = address.options.whole("db", 0)
    return Settings(address.shown, address.options.timeout(), login=login)


def _sentinel(address: Address, login: dict[str, object], tls: Login) -> Settings:
    service, _, database = address.path.removeprefix("/").partition("/")
    example = f"{address.scheme}://h1:{_SENTINEL_PORT},h2:{_SENTINEL_PORT}/mymaster/0"
    if not service:
        raise ConfigError(f"{address.scheme}:// needs the name of the service: write {example}")
    options = address.options
    login["db"] = _database(options, f"/{database}", example)
    sentinel_login = {
        "username": options.text("sentinel_username") or None,
        "password": options.text("sentinel_password") or None,
        **tls,
    }
    hosts = tuple(address.hosts(_SENTINEL_PORT))
    return Settings(
        address.shown, options.timeout(), hosts, login, Kind.SENTINEL, service, sentinel_login
    )


def _cluster(address: Address, login: dict[str, object]) -> Settings:
    if address.path not in ("", "/", "/0"):
        raise ConfigError(f"{address.scheme}:// has database 0 only: leave the path out")
    hosts = tuple(address.hosts(_PORT))
    return Settings(address.shown, address.options.timeout(), hosts, login, Kind.CLUSTER)


def _tls(address: Address, base: str, kind: str) -> Login:
    """Return the driver's arguments for TLS, after a look at the names of all options."""
    options = address.options
    known = {"sentinel": ("db", "sentinel_username", "sentinel_password"), "": ("db",)}.get(
        kind, ()
    )
    if base not in ("rediss", "valkeys"):
        options.allow(*known)
        return {}
    options.allow(*known, *_TLS)
    found: dict[str, object] = {"ssl": True}
    found |= {name: options.text(name) for name in _TLS_TEXTS if options.text(name)}
    found["ssl_check_hostname"] = options.flag("ssl_check_hostname", default=True)
    found["ssl_cert_reqs"] = options.text("ssl_cert_reqs", "required")
    if found["ssl_cert_reqs"] not in ("required", "none"):
        raise ConfigError("ssl_cert_reqs: write required, or none to trust any server")
    return found


def _database(options: Options, path: str, example: str) -> int:
    written = path.removeprefix("/")
    if written and re.fullmatch(r"[0-9]{1,9}", written) is None:
        raise ConfigError(f"the database is a whole number: write {example}")
    if written and "db" in options.given:
        raise ConfigError("db: the URL has a database in its path already")
    return options.whole("db", int(written or 0))
