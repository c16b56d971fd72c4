"""One walk through a manager over a server, run on Beaker and on ours; prints what it saw as JSON.

beaker_server_walk.py KIND URL ACT:NAMESPACE ...
"""

import datetime as dt
import decimal
import json
import sys
import tempfile
import warnings
from typing import Any

from beaker.container import Value

VALUES: dict[str, Any] = {
    "text": "Zoë",
    "bytes": b"\x00\xff",
    "none": None,
    "number": 12345678901234567890,
    "list": [1, [2.5, None], {"a": (1, 2)}],
    "tuple": (1, ("a", b"b")),
    "set": {1, 2, 3},
    "date": dt.datetime(2026, 5, 1, 12, 30, 1, 5),  # noqa: DTZ001 - users have such
    "decimal": decimal.Decimal("1.10"),
    "a key with spaces": True,
    "ключ": {"ключ": "значение"},
    "x" * 1500: "long",
}
ODD = [b"raw", "a:b", "50%*?[x]"]


def manager(kind: str, url: str, namespace: str) -> Any:
    """Return a new manager, as `Cache` makes one."""
    from beaker.cache import clsmap  # noqa: PLC0415 - the entry points are looked for late

    if kind == "ext:google":
        return clsmap[kind](namespace)
    if kind == "ext:rediscluster":
        return clsmap[kind](namespace, urls=url)
    if kind == "ext:sqla":
        import sqlalchemy as sa  # noqa: PLC0415 - not for the other kinds
        from beaker.ext.sqla import SqlaNamespaceManager, make_cache_table  # noqa: PLC0415

        SqlaNamespaceManager._init_dependencies()
        engine = sa.create_engine(url)
        table = make_cache_table(sa.MetaData(), "beaker_own")
        table.create(engine, checkfirst=True)
        return clsmap[kind](namespace, engine, table, lock_dir=tempfile.gettempdir())
    return clsmap[kind](namespace, url=url)


def seen(found: Any) -> str:
    """Return a value with its types, in one order."""
    if isinstance(found, set):
        return f"{{{sorted(map(repr, found))}}}"
    return repr(found)


def tried(act: Any) -> str:
    """Return what came of `act`: its value, or the kind of its error."""
    try:
        return seen(act())
    except Exception as error:  # noqa: BLE001 - the two are compared by it
        return type(error).__name__


def put(it: Any) -> list[str]:
    """Write all values."""
    for key, value in VALUES.items():
        it.acquire_write_lock()
        it.set_value(key, (1000.0, None, value))
        it.release_write_lock()
    return []


def get(it: Any) -> list[str]:
    """Read them."""
    it.acquire_read_lock()
    try:
        return [seen(it[key][2]) for key in VALUES]
    finally:
        it.release_read_lock()


def walk(it: Any) -> list[str]:
    """Do what applications do, and note what they see."""
    notes: list[str] = []

    def note(act: Any) -> None:
        it.acquire_write_lock()
        notes.append(tried(act))
        it.release_write_lock()

    for key in ["k", *ODD]:
        note(lambda key=key: bool(key in it))
        note(lambda key=key: it[key])
        note(lambda key=key: it.__setitem__(key, {"of": repr(key)}))
        note(lambda key=key: it[key])
        note(lambda key=key: bool(it.has_key(key)))
    note(lambda: it.set_value("k", [1, 2], 300))
    note(lambda: it["k"])
    note(lambda: it.__delitem__("k"))
    note(lambda: bool("k" in it))
    calls: list[int] = []

    def create() -> str:
        calls.append(1)
        return f"made {len(calls)}"

    value = Value("v", it, createfunc=create, expiretime=3600)
    notes.extend(tried(act) for act in (value.has_value, value.get_value, value.get_value))
    notes.append(tried(Value("v", it, createfunc=create, starttime=4e9).get_value))
    notes.append(tried(value.has_current_value))
    notes.append(tried(value.clear_value))
    notes.append(tried(Value("v", it).get_value))
    notes.append(tried(value.get_value))
    it.remove()
    notes.append(tried(Value("v", it).get_value))
    note(lambda: bool(ODD[1] in it))
    note(lambda: it.__setitem__("again", 1))
    note(lambda: it["again"])
    return notes


def options(kind: str, url: str) -> dict[str, Any]:
    """Return what sessions and caches are told."""
    place = {"urls": url} if kind == "ext:rediscluster" else {"url": url}
    return {"type": kind, "lock_dir": tempfile.gettempdir(), **place}


def visit(kind: str, url: str, name: str) -> list[str]:
    """Go on with the session of that name; note what was in it."""
    from beaker.session import Session  # noqa: PLC0415 - not for the other acts

    who = name.replace(" ", "").ljust(32, "0")
    session = Session({}, id=who, use_cookies=False, timeout=600, **options(kind, url))
    notes = [repr(session.id == who), repr(session.get("user")), repr(session.get("visits"))]
    session["user"] = {"name": "Zoë", "roles": ("a", "b")}
    session["visits"] = [*session.get("visits", []), len(session.get("visits", []))]
    session.save()
    return notes


def cached(kind: str, url: str, name: str) -> list[str]:
    """Ask a cache of that name for a value; note how often it was made."""
    from beaker.cache import CacheManager  # noqa: PLC0415 - the same

    caches = CacheManager(**options(kind, url))
    calls: list[int] = []

    def joined(*words: str) -> str:
        calls.append(1)
        return "/".join(words)

    total = caches.cache(name, expire=3600)(joined)
    notes = [repr((total("a", "b"), total("a", "b"), total("ключ"), len(calls)))]
    caches.invalidate(total, name, "a", "b", expire=3600)
    notes.append(repr((total("a", "b"), len(calls))))
    plain = caches.get_cache(f"{name} plain", expire=3600)
    notes.append(repr(plain.get("k", createfunc=lambda: {"made": (1, 2)})))
    notes.append(repr(plain.get("k", createfunc=lambda: "made again")))
    return notes


ACTS: dict[str, Any] = {"put": put, "get": get, "walk": walk}
WHOLE: dict[str, Any] = {"visit": visit, "cached": cached}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    kind, url, *acts = sys.argv[1:]
    said = []
    for word in acts:
        name, namespace = word.split(":")
        if name in WHOLE:
            said.append(WHOLE[name](kind, url, namespace))
        else:
            said.append(ACTS[name](manager(kind, url, namespace)))
    print(json.dumps(said))  # noqa: T201 - it is what the test reads
