"""Places of old data by their URLs: `beaker+file:///data`, `pycket+redis://host/0` and the like.

Law: opening reads and writes nothing but the table a target needs. What is wrong is a `ConfigError`
that says the fix, and never repeats what may hold a password.
"""

from collections.abc import Callable, Mapping
from hashlib import sha1
from typing import Any
from urllib.parse import parse_qsl, urlencode

from holdfast.codec.json import Json
from holdfast.compat.migrate.keys import Databases, Form, Keys
from holdfast.compat.migrate.locks import LockedFiles
from holdfast.compat.migrate.memcached import Memcached
from holdfast.compat.migrate.pieces import SESSION, Piece, session_data
from holdfast.compat.migrate.places import Place
from holdfast.compat.migrate.whole import Whole
from holdfast.compat.values import decode, encode
from holdfast.errors import CodecError, ConfigError
from holdfast.store.address import parse

__all__ = ["OLD", "Target", "is_old", "open_place"]

OLD = (
    "beaker+file:///data_dir, beaker+dbm:///data_dir, beaker+sqlite:///app.db,"
    " beaker+postgresql+psycopg://host/db, beaker+redis://host/0, beaker+mongodb://host/db,"
    " beaker+memcached://host (as a target), pycket+redis://host/0, kvs+redis://host/0,"
    " tcjson+tyrant://host"
)
_LIBRARIES = ("beaker", "pycket", "kvs", "tcjson")
_JSON = Json()
_LONGEST = 1024  # characters of a key of Beaker in Redis and MongoDB
Target = Place | Memcached


def is_old(url: str) -> bool:
    """Return whether a URL means data of an old library."""
    return url.partition("://")[0].lower().partition("+")[0] in _LIBRARIES


def open_place(url: str, *, target: bool) -> Target:
    """Return the place of old data that `url` means.

    Args:
        url: As in `OLD`; options of the place stand in its query.
        target: Whether values will be written there.

    Raises:
        ConfigError: The URL or an option is wrong, or a driver is missing.
        StoreError: The table of a target cannot be made.
    """
    scheme, colon, rest = url.partition("://")
    library, _, kind = scheme.lower().partition("+")
    opener = _OPENERS.get((library, kind))
    if opener is None and library == "beaker" and kind and colon:
        opener = _sql
    if opener is None:
        raise ConfigError(f"{scheme}://: old data is one of {OLD}")
    bare, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    try:
        place = opener(f"{kind}://{bare}", options, target)
    except ImportError as error:
        needs = f"needs {error.name}, which is not installed" if error.name else str(error)
        raise ConfigError(f"{scheme}:// {needs}") from error
    return place


def _no_more(options: Mapping[str, str], *known: str) -> None:
    unknown = sorted(set(options) - set(known))
    if unknown:
        has = f"it has {', '.join(known)}" if known else "it has none"
        raise ConfigError(f"there is no option {', '.join(unknown)} here; {has}")


def _file(url: str, options: dict[str, str], _target: bool) -> Place:
    _no_more(options, "lock_dir")
    folder = parse(url, {}, OLD).disk_path("data_dir") + "/container_file"
    return Whole(LockedFiles(folder, options.get("lock_dir", f"{folder}_lock")), "file")


def _dbm(url: str, options: dict[str, str], _target: bool) -> Place:
    _no_more(options, "lock_dir")
    folder = parse(url, {}, OLD).disk_path("data_dir") + "/container_dbm"
    return Databases(folder, options.get("lock_dir", f"{folder}_lock"))


def _sql(url: str, options: dict[str, str], target: bool) -> Place:
    import sqlalchemy as sa  # noqa: PLC0415 - its driver, where it is used

    from holdfast.compat.beaker.ext.database import DatabaseNamespaceManager  # noqa: PLC0415
    from holdfast.compat.beaker.ext.sqla import make_cache_table  # noqa: PLC0415
    from holdfast.store.sqlalchemy.old_urls import engine_of  # noqa: PLC0415
    from holdfast.store.sqlalchemy.plain import PlainTable  # noqa: PLC0415

    table = options.pop("table_name", "beaker_cache")
    schema = options.pop("schema_name", None)
    url += f"?{urlencode(options)}" if options else ""  # the others are the driver's
    if target:
        rows = DatabaseNamespaceManager("migrate", url, table_name=table, schema_name=schema)
        return Whole(PlainTable(rows.bind, rows.table), "sql", rows.bind.dispose)
    engine, made = engine_of(url, {}), make_cache_table(sa.MetaData(), table, schema)
    return Whole(PlainTable(engine, made), "sql", engine.dispose)


def _redis(url: str, options: dict[str, str], form: Form, library: str = "beaker") -> Place:
    from holdfast.store.redis.plain import PlainRedis, client_of  # noqa: PLC0415

    client = client_of(url + (f"?{urlencode(options)}" if options else ""))
    return Keys(PlainRedis(client), form, library, client.close)


def _beaker_redis(url: str, options: dict[str, str], _target: bool) -> Place:
    prefix = "beaker_cache:"

    def split(name: str) -> tuple[str | None, str]:
        return _split(name.removeprefix(prefix), ":")

    form = Form("redis", split, lambda space, key: _joined(f"{prefix}{space}:", key), prefix)
    return _redis(url, options, form)


def _mongodb(url: str, options: dict[str, str], _target: bool) -> Place:
    from pymongo.errors import ConfigurationError  # noqa: PLC0415

    from holdfast.store.mongodb.plain import PlainMongo, client_of  # noqa: PLC0415

    query = f"?{urlencode(options)}" if options else ""
    try:
        client = client_of(url + query)
        rows = client.get_default_database().backer_cache
    except ConfigurationError:
        raise ConfigError("beaker+mongodb:// needs a database: mongodb://host:27017/NAME") from None
    form = Form("mongodb", lambda name: _split(name, ":"), lambda s, key: _joined(f"{s}:", key))
    return Keys(PlainMongo(rows), form, close=client.close)


def _memcached(url: str, options: dict[str, str], target: bool) -> Memcached:
    if not target:
        raise ConfigError(
            "memcached cannot list its keys, so nothing can be copied from it: it can be a target;"
            " an application with holdfast.compat goes on with what is there"
        )
    _no_more(options, "memcache_module")
    hosts = parse(url, {}, OLD).hosts(11211)
    servers = ";".join(f"{host}:{port}" for host, port in hosts)
    return Memcached(servers, options.get("memcache_module", "auto"))


def _pycket(url: str, options: dict[str, str], _target: bool) -> Place:
    def load(raw: bytes) -> Any:
        return _a_dict(decode(raw))

    def dump(piece: Piece) -> bytes:
        return encode(piece.value, name="session")

    form = Form("pycket", lambda name: (name, SESSION), lambda space, _: space, "", load, dump)
    return _redis(url, options, form, "pycket")


def _kvs(url: str, options: dict[str, str], _target: bool) -> Place:
    from holdfast.compat.pyramid_kvs import records  # noqa: PLC0415 - needs Pyramid
    from holdfast.compat.pyramid_kvs.serializer import serializer  # noqa: PLC0415 - the same

    prefix, codec = options.pop("key_prefix", "session::"), options.pop("codec", "json")
    writer = serializer(codec)

    def load(raw: bytes) -> Any:
        return _a_dict(records.read(codec, writer, raw))

    def dump(piece: Piece) -> bytes:
        try:
            return records.octets(writer.dumps(piece.value))
        except (TypeError, ValueError, NotImplementedError) as error:
            raise CodecError(str(error), codec=codec) from error

    def split(name: str) -> tuple[str, str]:
        return name.removeprefix(prefix), SESSION

    form = Form("kvs", split, lambda space, _: prefix + space, prefix, load, dump)
    return _redis(url, options, form, "kvs")


def _tcjson(url: str, options: dict[str, str], _target: bool) -> Place:
    from holdfast.compat.beaker.ext.tcjson import TokyoCabinetManager, store_of  # noqa: PLC0415

    _no_more(options)
    store = store_of(parse(url, {}, OLD).hosts(1978))

    def dump(piece: Piece) -> bytes:
        value = piece.value
        if piece.is_session:
            value = session_data(value)
            if value is None:
                raise CodecError("it is encrypted, and JSON is for all to read")
        return _JSON.encode(TokyoCabinetManager.as_plain(value))

    form = Form(
        "tcjson",
        lambda name: _split(name, "_"),
        lambda space, key: f"{space}_{_text(key)}",
        "",
        _JSON.decode,
        dump,
    )
    return Keys(store, form, close=store.close)


def _split(name: str, mark: str) -> tuple[str | None, str]:
    """Return namespace and key; None where there is more than one place to part them."""
    space, found, key = name.rpartition(mark)
    if not found or (mark in space and key != SESSION):
        return None, name
    return space, key


def _joined(beginning: str, key: object) -> str:
    """Return the key on a server: one that would be too long stands there as its SHA-1."""
    name = _text(key)
    if len(name) > _LONGEST - len(beginning):
        name = sha1(name.encode(), usedforsecurity=False).hexdigest()
    return beginning + name


def _a_dict(value: object) -> object:
    if not isinstance(value, dict):
        raise CodecError(f"no session, but a {type(value).__name__}")
    return value


def _text(key: object) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)


_OPENERS: dict[tuple[str, str], Callable[[str, dict[str, str], bool], Target]] = {
    ("beaker", "file"): _file,
    ("beaker", "dbm"): _dbm,
    ("beaker", "redis"): _beaker_redis,
    ("beaker", "rediss"): _beaker_redis,
    ("beaker", "unix"): _beaker_redis,
    ("beaker", "mongodb"): _mongodb,
    ("beaker", "memcached"): _memcached,
    ("pycket", "redis"): _pycket,
    ("pycket", "rediss"): _pycket,
    ("kvs", "redis"): _kvs,
    ("kvs", "rediss"): _kvs,
    ("tcjson", "tyrant"): _tcjson,
}
