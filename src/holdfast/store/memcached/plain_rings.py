"""Rings: where libmemcached puts a key when it is told to, by pylibmc's behaviours.

Law: pure, and to the bit what libmemcached does; every point was compared with it. Without a
behaviour that concerns it, a key's hash modulo the number of servers is its server.
"""

import bisect
import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence

from holdfast.errors import ConfigError
from holdfast.store.memcached.nodes import Node

__all__ = ["ring"]

_DEFAULT_PORT = 11211
_POINTS = 100  # of a server
_ROUNDS, _ROUND = 40, 4  # of a server of middling weight, and the points of each
_Hash = Callable[[bytes], int]
Choice = Callable[[bytes], Node]


def ring(servers: Sequence[tuple[Node, int]], behaviors: Mapping[str, object]) -> Choice:
    """Return a function that gives the server of a key.

    Args:
        servers: As they were given, each with its weight.
        behaviors: pylibmc's; those that do not concern where a key lies are passed over.

    Raises:
        ConfigError: A hash or a distribution is none that is served here.
    """
    known: dict[str, _Hash] = {"default": _one_at_a_time, "md5": _md5}
    way = str(behaviors.get("distribution") or "modula")
    name = str(behaviors.get("hash") or "default")
    if name not in known or way not in {"modula", "consistent", "consistent ketama"}:
        raise ConfigError(
            f"memcached: hash={name!r}, distribution={way!r}: of pylibmc's behaviours, the hashes"
            " default and md5 and the distributions modula and consistent are served"
        )
    nodes = [node for node, _ in servers]
    if _on(behaviors.get("ketama_weighted")):
        return _choice(_weighted_points(servers), nodes, _md5)
    number = known[name]
    if _on(behaviors.get("ketama")) or way != "modula":
        points = [
            (number(b"%b-%d" % (_shown(node), turn)), index)
            for index, node in enumerate(nodes)
            for turn in range(_POINTS)
        ]
        return _choice(points, nodes, number)
    return lambda key: nodes[number(key) % len(nodes)]


def _choice(points: list[tuple[int, int]], nodes: Sequence[Node], number: _Hash) -> Choice:
    points.sort()
    places = [place for place, _ in points]

    def of(key: bytes) -> Node:
        at = bisect.bisect_left(places, number(key)) % len(places)
        return nodes[points[at][1]]

    return of


def _weighted_points(servers: Sequence[tuple[Node, int]]) -> list[tuple[int, int]]:
    total = sum(weight for _, weight in servers)
    points = []
    for index, (node, weight) in enumerate(servers):
        for turn in range(int(weight / total * _ROUNDS * len(servers) + 1e-10)):
            digest = hashlib.md5(b"%b-%d" % (_shown(node), turn), usedforsecurity=False).digest()
            points += [(place, index) for place in struct.unpack(f"<{_ROUND}I", digest)]
    return points


def _shown(node: Node) -> bytes:
    usual = node.port in {0, _DEFAULT_PORT}
    return (node.host if usual else f"{node.host}:{node.port}").encode()


def _on(value: object) -> bool:
    """Return whether a behaviour is set; .ini files have it as a text."""
    return str(value or "").lower() not in {"", "0", "false", "no", "off", "none"}


def _md5(data: bytes) -> int:
    return int.from_bytes(hashlib.md5(data, usedforsecurity=False).digest()[:4], "little")


def _one_at_a_time(data: bytes) -> int:
    """Return Jenkins's hash, which libmemcached takes unless told otherwise."""
    number = 0
    for (byte,) in struct.iter_unpack("b", data):  # its bytes are C's, below 0 from 128 on
        number = (number + byte) * 1025 & 0xFFFFFFFF
        number ^= number >> 6
    number = number * 9 & 0xFFFFFFFF
    number ^= number >> 11
    return number * 32769 & 0xFFFFFFFF
