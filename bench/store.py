"""Table `store`: reading and writing a value of 300 bytes, encoding included.

Law: one value of four names; a thousand keys in turn; every store on the same disk. Where a library
takes objects, its own encoding is part of it; Holdfast's rows encode with its default codec.
"""

import pickle
import sqlite3
import sys
from collections.abc import Callable, Mapping
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.measure import Case, Effort, Work, measure, timing
from bench.report import Table, timed
from bench.targets import SQLITE_GET, SQLITE_PUT

VALUE: dict[str, Any] = {
    "id": 4711,
    "title": "Earl Grey, loose leaf, 250 g",
    "text": "Black tea scented with oil of bergamot. " * 5,
    "tags": ["tea", "black", "bergamot"],
}
KEYS = [f"product:{number}" for number in range(1000)]


def works(get: Callable[[str], object], put: Callable[[str, Any], object]) -> Mapping[str, Work]:
    """Return the two columns, over keys that are all there."""
    for key in KEYS:
        put(key, VALUE)
    assert get(KEYS[7]) == VALUE
    return {
        "get": Work("get(next(keys))", {"get": get, "keys": cycle(KEYS)}),
        "put": Work("put(next(keys), value)", {"put": put, "keys": cycle(KEYS), "value": VALUE}),
    }


def beaker(folder: Path, kind: str) -> Mapping[str, Work]:
    """A namespace of its own per key, which is how sessions use it; a namespace is one file."""
    from beaker.cache import Cache

    caches = {key: Cache(key, type=kind, data_dir=str(folder)) for key in KEYS}
    return works(
        lambda key: caches[key].get("value"),
        lambda key, value: caches[key].put("value", value),
    )


def diskcache(folder: Path) -> Mapping[str, Work]:
    """SQLite and pickle."""
    from diskcache import Cache

    cache = Cache(str(folder / "diskcache"))
    return works(cache.get, cache.set)


def plain_sqlite(folder: Path) -> Mapping[str, Work]:
    """What SQLite itself costs, with pickle."""
    link = sqlite3.connect(folder / "plain.db", isolation_level=None)
    link.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        "CREATE TABLE rows (key TEXT PRIMARY KEY, value BLOB, expires REAL) WITHOUT ROWID"
    )

    def get(key: str) -> object:
        row = link.execute(
            "SELECT value FROM rows WHERE key = ? AND expires > 0", (key,)
        ).fetchone()
        return pickle.loads(row[0])  # noqa: S301 - our own bytes

    def put(key: str, value: object) -> None:
        row = (key, pickle.dumps(value), 1e12)
        link.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", row)

    return works(get, put)


def holdfast(url: str) -> Mapping[str, Work]:
    """A store of Holdfast's and its default codec."""
    from holdfast import open_store
    from holdfast.codec.msgpack import Msgpack

    store = open_store(url)
    encode, decode, fetch, keep = Msgpack().encode, Msgpack().decode, store.get, store.put

    def get(key: str) -> object:
        data = fetch(key)
        return None if data is None else decode(data)

    def put(key: str, value: object) -> None:
        keep(key, encode(value), ttl=3600)

    return works(get, put)


def holdfast_cache(url: str) -> Mapping[str, Work]:
    """The cache over that store, near tier off: an entry with its times and tags."""
    from holdfast import Cache

    cache = Cache(url, near=False)
    return works(cache.get, cache.put)


def run(effort: Effort) -> Table:
    """Measure the table."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        cases = [
            Case("plain sqlite3, pickle", lambda: plain_sqlite(folder)),
            Case("diskcache", lambda: diskcache(folder)),
            Case("Beaker, file", lambda: beaker(folder / "beaker", "file")),
            Case("Beaker, dbm", lambda: beaker(folder / "beaker-dbm", "dbm")),
            Case("Holdfast, sqlite", lambda: holdfast(f"sqlite:///{folder}/h.db"), ours=True),
            Case("Holdfast, file", lambda: holdfast(f"file:///{folder}/files"), ours=True),
            Case("Holdfast, memory", lambda: holdfast("memory://"), ours=True),
            Case(
                "Holdfast Cache over sqlite, no near tier",
                lambda: holdfast_cache(f"sqlite:///{folder}/cache.db"),
                ours=True,
            ),
        ]
        outcome = measure(cases, effort)
    table = Table("store", "store, values of 300 bytes", "us", ["get", "put"])
    timed(table, cases, outcome, per=1e3)
    size = len(pickle.dumps(VALUE))
    table.notes.append(f"{size} bytes pickled; SQLite {sqlite3.sqlite_version}, {sys.platform}")
    row = "Holdfast, sqlite"
    if (get := timing(outcome, row, "get")) and (put := timing(outcome, row, "put")):
        table.verdicts.append(SQLITE_GET.judge(get.median / 1e3))
        table.verdicts.append(SQLITE_PUT.judge(put.median / 1e3))
    return table
