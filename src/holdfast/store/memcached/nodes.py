"""Nodes: the servers of a store, which of them keeps a key, and how one is entered.

Law: a key's server hangs on its name and the names of the servers alone (rendezvous hashing), on
both faces and in every process. A server that is down keeps its keys: were they moved, their old
values would come back with it.
"""

import functools
import hashlib
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from holdfast.store.memcached.wire import Request

__all__ = ["Access", "Node", "Nodes"]


@dataclass(frozen=True)
class Node:
    """One server: `host` and `port`, or the path of a unix socket as `host` with port 0."""

    host: str
    port: int

    @property
    def is_path(self) -> bool:
        return not self.port

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else self.host


class Nodes:
    """The servers of a store, each once."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.all = tuple(dict.fromkeys(nodes))
        self._only = self.all[0] if len(self.all) == 1 else None
        self._seeds = [(hashlib.blake2b(str(n).encode(), digest_size=8), n) for n in self.all]

    def of(self, key: str) -> Node:
        """Return the server that keeps `key`."""
        if self._only is not None:
            return self._only
        data = key.encode("ascii")

        def weight(seed: tuple[hashlib.blake2b, Node]) -> bytes:
            mixed = seed[0].copy()
            mixed.update(data)
            return mixed.digest()

        return max(self._seeds, key=weight)[1]

    def split(self, keys: Sequence[str]) -> dict[Node, list[str]]:
        """Return `keys` by the server that keeps them, each once."""
        if self._only is not None and keys:
            return {self._only: list(dict.fromkeys(keys))}
        found: dict[Node, list[str]] = {}
        for key in dict.fromkeys(keys):
            found.setdefault(self.of(key), []).append(key)
        return found


@dataclass(frozen=True)
class Access:
    """How a server is entered: TLS (`tls`, or a `given` context), and the first request."""

    login: Request | None = None
    tls: bool = False
    authorities: str = ""
    certificate: str = ""
    key: str = ""
    given: ssl.SSLContext | None = None

    @functools.cached_property
    def context(self) -> ssl.SSLContext | None:
        """The TLS context, made at the first connection, or None.

        Raises:
            OSError: A file cannot be read.
        """
        if not self.tls:
            return self.given
        try:
            context = ssl.create_default_context(cafile=self.authorities or None)
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key or None)
        except OSError as error:
            raise OSError(
                "ssl_ca_certs, ssl_certfile and ssl_keyfile must name PEM files that can be read:"
                f" {error}"
            ) from error
        return context
