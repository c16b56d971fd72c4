"""What the genuine Beaker wrote, laid where it lay: see fixtures/README.md.

Law: bytes are laid as they were; nothing of Beaker is needed for it, neither theirs nor ours.
"""

import base64
import contextlib
import json
import socket
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["RELEASES", "Places", "options_of", "values_of", "written"]

_FOLDER = Path(__file__).parent / "fixtures"
RELEASES: dict[str, dict[str, Any]] = {
    name: json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    for name in ("beaker_1_10_0", "beaker_1_10_0_python_2", "beaker_1_14_1")
}
"""What each release wrote, on Python 3 unless the name says otherwise."""

_PYTHON_2 = {"bytes": "\x00\udcff", "tuple": (1, ("a", "b"))}
"""What its `str` is here: text, whose bytes are kept where they are none."""


def options_of(release: str, kind: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a site after the move: by its own name for the client it had."""
    if kind.get("memcache_module") == "memcache" and release == "beaker_1_14_1":
        return {**kind, "memcache_module": "python3-memcached"}
    return kind


def values_of(release: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return what values that were written are when they are read."""
    if not release.endswith("python_2"):
        return dict(values)
    read = {**values, **{key: value for key, value in _PYTHON_2.items() if key in values}}
    return {key: value for key, value in read.items() if key != "aware"}


@dataclass
class Places:
    """Where things lie in this test; the names are those in the options of fixtures/write.py."""

    folder: Path
    redis: str = ""
    memcached: str = ""
    mongodb: str = ""

    def placed(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return options that say where."""
        return {
            name: value.format(**vars(self)) if isinstance(value, str) else value
            for name, value in options.items()
        }

    def lay(self, kind: str, found: dict[str, Any]) -> None:
        """Put files and records where the options say."""
        for path, data in found["files"].items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_bytes(_unpacked(data))
        for key, record in found["records"].items():
            if kind == "ext:redis":
                self.put_redis(key, _unpacked(record))
            elif kind == "ext:mongodb":
                self.put_mongodb(key, _unpacked(record[0]), record[1])
            else:
                self.put_memcached(key, record[0], _unpacked(record[1]))

    def put_redis(self, key: str, data: bytes) -> None:
        import redis  # noqa: PLC0415 - only for this

        with contextlib.closing(redis.Redis.from_url(self.redis)) as client:
            client.set(key, data)

    def put_mongodb(self, key: str, data: bytes, expiration: float | None = None) -> None:
        import pymongo  # noqa: PLC0415 - only for this

        client: pymongo.MongoClient[dict[str, Any]]
        with pymongo.MongoClient(self.mongodb) as client:
            rows: Any = client.get_default_database()["backer_cache"]
            row = {"value": data, "expiration": expiration}
            rows.update_one({"_id": key}, {"$set": row}, upsert=True)

    def put_memcached(self, key: str, flags: int, data: bytes) -> None:
        host, _, port = self.memcached.partition(":")
        with socket.create_connection((host, int(port))) as link:
            head = f"set {key} {flags} 0 {len(data)}\r\n".encode()
            link.sendall(head + data + b"\r\nquit\r\n")
            assert b"".join(iter(lambda: link.recv(100), b"")).startswith(b"STORED")


def _unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


def written(what: str) -> list[tuple[str, str]]:
    """Return each release with the name of each kind of "sessions" or "caches" that it wrote."""
    return [(release, name) for release in RELEASES for name in RELEASES[release][what]]
