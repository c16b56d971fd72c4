"""Servers: which of several keeps a key, for each client that wrote there before.

Law: pure. A key lies where the client put it that the data came from; the order of the servers is
as it was given, because it decides. Where a client goes on to another server when one is down, so
does this.
"""

import binascii
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from holdfast.errors import ConfigError, KeyRejected
from holdfast.store.memcached.nodes import Node
from holdfast.store.memcached.plain_rings import ring

__all__ = ["Places", "Server", "checked", "places"]

_PORT = 11211
_LONGEST_KEY = 250  # bytes
_KEY = re.compile(rb"[^\0-\x20\x7f]{1,%d}" % _LONGEST_KEY)
_TRIES = 10  # servers that python-memcached asks before it gives up

Server = str | tuple[str, int]
"""An address, alone or with the weight that python-memcached gives it."""


class Places(NamedTuple):
    """The servers of a client.

    Attributes:
        all: Each server once, as they were given.
        of: Those that may keep a key, the likeliest first; never none.
        copies: Whether each of them keeps every key.
    """

    all: tuple[Node, ...]
    of: Callable[[str], Sequence[Node]]
    copies: bool = False


def places(
    client: str, servers: Iterable[Server], behaviors: Mapping[str, object] | None = None
) -> Places:
    """Return where the keys of a client lie.

    Args:
        client: Its name, of `FORMS`.
        servers: `host:port`, `/path`, with a weight where the client knows weights.
        behaviors: What pylibmc was told.

    Raises:
        ConfigError: There are none, or one is no address.
    """
    weighed = [_weighed(server) for server in servers]
    nodes = tuple(dict.fromkeys(node for node, _ in weighed))
    if not nodes:
        raise ConfigError("memcached: give at least one server, host:port")
    if len(nodes) == 1:
        return Places(nodes, lambda _: nodes)
    if client == "bmemcached":
        return Places(nodes, lambda _: nodes, copies=True)
    if client == "pylibmc":
        of = ring(weighed, behaviors or {})
        return Places(nodes, lambda key: (of(key.encode()),))
    buckets = [node for node, weight in weighed for _ in range(weight)]
    least = 0 if client == "memcache" else 1
    return Places(nodes, lambda key: _tried(key, buckets, least, len(nodes)))


def checked(key: str) -> str:
    """Return `key` if it is one; a line's end in it would be a command to the server.

    Raises:
        KeyRejected: It is not.
    """
    try:
        data = key.encode()
    except UnicodeEncodeError:
        data = b""
    if _KEY.fullmatch(data) is None:
        raise KeyRejected(
            f"{key[:60]!r} is no key of memcached: 1 to {_LONGEST_KEY} bytes of UTF-8,"
            " no spaces, no control characters"
        )
    return key


def _tried(key: str, buckets: Sequence[Node], least: int, count: int) -> list[Node]:
    """Return the servers that python-memcached tries for a key, each once."""
    tried: dict[Node, None] = {}
    number = _crc(key.encode(), least)
    for turn in range(_TRIES):
        tried[buckets[number % len(buckets)]] = None
        if len(tried) == count:
            break
        number = _crc(b"%d%d" % (number, turn), least)
    return list(tried)


def _crc(data: bytes, least: int) -> int:
    """Return python-memcached's hash; its releases differ in whether that can be 0."""
    return binascii.crc32(data) >> 16 & 0x7FFF or least


def _weighed(server: Server) -> tuple[Node, int]:
    """Return a server and its weight, in any of the forms in which clients take them."""
    text, weight = (server, 1) if isinstance(server, str) else server
    for family in ("unix:", "inet6:", "inet:"):
        if text.startswith(family):
            rest = text.removeprefix(family)
            if family == "unix:":
                return Node(rest, 0), weight
            text = rest
            break
    if text.startswith("/"):
        return Node(text, 0), weight
    host, *numbers = _parts(text)
    try:
        port, weight = [*map(int, numbers), *(_PORT, weight)[len(numbers) :]]
    except ValueError:
        port = 0
    if not host or not 0 < port < 1 << 16 or weight < 1:
        raise ConfigError(f"memcached: {server!r} is no server: write host:port or unix:/path")
    return Node(host, port), weight


def _parts(text: str) -> list[str]:
    """Return host, and port and weight where they are there."""
    if text.startswith("["):
        host, ends, rest = text[1:].partition("]")
        return [host if ends else "", *(rest.removeprefix(":").split(":") if rest else ())]
    try:
        return [str(ipaddress.IPv6Address(text))]
    except ValueError:
        return text.split(":")
