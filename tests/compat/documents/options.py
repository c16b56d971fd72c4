"""What Beaker's document says of options and signatures: the lists themselves, and how they are read out of it.

    python options.py DOCUMENT

prints the two lists anew. Tests compare them with what they test, and with the document where it is at hand.
"""

import ast
import re
import sys
from pathlib import Path

DOCUMENT = Path(__file__).parents[4] / "shared" / "seeds"


def document(number: str) -> str | None:
    """Return the text of a document, or None where the documents are not at hand."""
    for path in DOCUMENT.glob(f"{number}_*.txt"):
        return path.read_text(encoding="utf-8")
    return None


def configuration_of(text: str) -> list[str]:
    """Return the names of the options in the section Configuration."""
    section = text[text.index("\nConfiguration\n") : text.index("\nSessions\n\nAbout")]
    return re.findall(r"^(\w+) \((?:optional|required)", section, re.MULTILINE)


def signatures_of(text: str) -> list[tuple[str, str | None]]:
    """Return what stands in the reference, each as (dotted name, its parameters or None)."""
    found, owner = [], ""
    for line in text[text.index("\nModule Listing\n") :].split("\n"):
        named = re.fullmatch(r"(class )?(beaker\.[\w.]+)(?:\((.*)\))?(?: = .*)?", line)
        method = re.fullmatch(r"(\w+)\((.*)\)", line)
        if named:
            owner = named[2] if named[1] else ""
            found.append((named[2], named[3]))
        elif method and owner:
            found.append((f"{owner}.{method[1]}", method[2]))
        elif method:  # of a class whose own line is that of its module
            raise ValueError(line)
    return found


def parameters(signature: str) -> list[list[str | None]]:
    """Return [name, kind, default] of each parameter of "(a, b=1, *c)", as `inspect` names kinds."""
    given = ast.parse(f"def f({signature}): pass").body[0].args
    plain = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(plain) - len(given.defaults)) + given.defaults
    said = [
        [each.arg, "POSITIONAL_OR_KEYWORD", default and ast.unparse(default)]
        for each, default in zip(plain, defaults, strict=True)
    ]
    if given.vararg:
        said.append([given.vararg.arg, "VAR_POSITIONAL", None])
    if given.kwarg:
        said.append([given.kwarg.arg, "VAR_KEYWORD", None])
    return said


def options() -> list[str]:
    """Return the names of all options: those of the configuration, and each parameter with a default."""
    named = [f"configuration {name}" for name in CONFIGURATION]
    for dotted, signature in SIGNATURES:
        short = (
            dotted.split(".", 2)[2]
            if not dotted.startswith(("beaker.ext", "beaker.crypto"))
            else dotted.split(".", 3)[3]
        )
        named += [f"{short} {name}" for name, _, default in parameters(signature or "") if default]
    return named


CONFIGURATION = [
    "data_dir",
    "lock_dir",
    "memcache_module",
    "type",
    "webtest_varname",
    "url",
    "auto",
    "cookie_expires",
    "encrypt_key",
    "validate_key",
    "crypto_type",
    "expire",
    "enabled",
    "regions",
]
SIGNATURES = [
    ("beaker.cache.cache_regions", None),
    ("beaker.cache.cache_region", "region, *args"),
    ("beaker.cache.region_invalidate", "namespace, region, *args"),
    (
        "beaker.cache.Cache",
        "namespace, type='memory', expiretime=None, starttime=None, expire=None, **nsargs",
    ),
    ("beaker.cache.Cache.clear", ""),
    ("beaker.cache.Cache.get", "key, **kw"),
    ("beaker.cache.CacheManager", "**kwargs"),
    ("beaker.cache.CacheManager.cache", "*args, **kwargs"),
    ("beaker.cache.CacheManager.invalidate", "func, *args, **kwargs"),
    ("beaker.cache.CacheManager.region", "region, *args"),
    ("beaker.cache.CacheManager.region_invalidate", "namespace, region, *args"),
    (
        "beaker.container.DBMNamespaceManager",
        "namespace, dbmmodule=None, data_dir=None, dbm_dir=None, lock_dir=None, digest_filenames=True, **kwargs",
    ),
    (
        "beaker.container.FileNamespaceManager",
        "namespace, data_dir=None, file_dir=None, lock_dir=None, digest_filenames=True, **kwargs",
    ),
    ("beaker.container.MemoryNamespaceManager", "namespace, **kwargs"),
    ("beaker.container.NamespaceManager", "namespace"),
    ("beaker.container.NamespaceManager.acquire_read_lock", ""),
    ("beaker.container.NamespaceManager.acquire_write_lock", "wait=True, replace=False"),
    ("beaker.container.NamespaceManager.do_remove", ""),
    ("beaker.container.NamespaceManager.get_creation_lock", "key"),
    ("beaker.container.NamespaceManager.has_key", "key"),
    ("beaker.container.NamespaceManager.keys", ""),
    ("beaker.container.NamespaceManager.release_read_lock", ""),
    ("beaker.container.NamespaceManager.release_write_lock", ""),
    ("beaker.container.NamespaceManager.remove", ""),
    ("beaker.container.NamespaceManager.set_value", "key, value, expiretime=None"),
    ("beaker.container.OpenResourceNamespaceManager", "namespace"),
    ("beaker.container.Value", "key, namespace, createfunc=None, expiretime=None, starttime=None"),
    ("beaker.container.Value.can_have_value", ""),
    ("beaker.container.Value.clear_value", ""),
    ("beaker.container.Value.get_value", ""),
    ("beaker.container.Value.has_current_value", ""),
    ("beaker.container.Value.has_value", ""),
    ("beaker.container.Value.set_value", "value, storedtime=None"),
    ("beaker.container.Container", None),
    ("beaker.container.ContainerMeta", "classname, bases, dict_"),
    ("beaker.container.DBMContainer", None),
    ("beaker.container.FileContainer", None),
    ("beaker.container.MemoryContainer", None),
    ("beaker.middleware.CacheMiddleware", "app, config=None, environ_key='beaker.cache', **kwargs"),
    (
        "beaker.middleware.SessionMiddleware",
        "wrap_app, config=None, environ_key='beaker.session', **kwargs",
    ),
    (
        "beaker.session.CookieSession",
        "request, key='beaker.session.id', timeout=None, save_accessed_time=True, cookie_expires=True, cookie_domain=None, cookie_path='/', encrypt_key=None, validate_key=None, secure=False, httponly=False, data_serializer='pickle', encrypt_nonce_bits=128, invalidate_corrupt=False, crypto_type='default', samesite='Lax', **kwargs",
    ),
    ("beaker.session.CookieSession.delete", ""),
    ("beaker.session.CookieSession.expire", ""),
    ("beaker.session.CookieSession.invalidate", ""),
    ("beaker.session.CookieSession.save", "accessed_only=False"),
    (
        "beaker.session.Session",
        "request, id=None, invalidate_corrupt=False, use_cookies=True, type=None, data_dir=None, key='beaker.session.id', timeout=None, save_accessed_time=True, cookie_expires=True, cookie_domain=None, cookie_path='/', data_serializer='pickle', secret=None, secure=False, namespace_class=None, httponly=False, encrypt_key=None, validate_key=None, encrypt_nonce_bits=128, crypto_type='default', samesite='Lax', **namespace_args",
    ),
    ("beaker.session.Session.delete", ""),
    ("beaker.session.Session.invalidate", ""),
    ("beaker.session.Session.lock", ""),
    ("beaker.session.Session.revert", ""),
    ("beaker.session.Session.save", "accessed_only=False"),
    ("beaker.session.Session.unlock", ""),
    ("beaker.session.SessionObject", "environ, **params"),
    ("beaker.session.SessionObject.accessed", ""),
    ("beaker.session.SessionObject.get_by_id", "id"),
    ("beaker.session.SessionObject.persist", ""),
    ("beaker.session.SignedCookie", "secret, input=None"),
    ("beaker.session.InvalidSignature", None),
    ("beaker.synchronization.ConditionSynchronizer", "identifier"),
    ("beaker.synchronization.FileSynchronizer", "identifier, lock_dir"),
    ("beaker.synchronization.NameLock", "identifier=None, reentrant=False"),
    ("beaker.synchronization.null_synchronizer", None),
    ("beaker.synchronization.SynchronizerImpl", None),
    (
        "beaker.util.encoded_path",
        "root, identifiers, extension='.enc', depth=3, digest_filenames=True",
    ),
    ("beaker.util.func_namespace", "func"),
    ("beaker.util.SyncDict", None),
    ("beaker.util.ThreadLocal", None),
    ("beaker.util.verify_directory", "dir"),
    ("beaker.util.parse_cache_config_options", "config, include_defaults=True"),
    ("beaker.ext.database.DatabaseContainer", None),
    (
        "beaker.ext.database.DatabaseNamespaceManager",
        "namespace, url=None, sa_opts=None, optimistic=False, table_name='beaker_cache', data_dir=None, lock_dir=None, schema_name=None, **params",
    ),
    ("beaker.ext.memcached.MemcachedContainer", None),
    (
        "beaker.ext.memcached.MemcachedNamespaceManager",
        "namespace, url, memcache_module='auto', data_dir=None, lock_dir=None, **kw",
    ),
    ("beaker.ext.memcached.PyLibMCNamespaceManager", "*arg, **kw"),
    ("beaker.ext.mongodb.MongoNamespaceManager", "namespace, url, **kw"),
    ("beaker.ext.mongodb.MongoSynchronizer", "identifier, url"),
    ("beaker.ext.redisnm.RedisNamespaceManager", "namespace, url, timeout=None, **kw"),
    ("beaker.ext.redisnm.RedisSynchronizer", "identifier, url"),
    ("beaker.ext.google.GoogleContainer", None),
    ("beaker.ext.google.GoogleNamespaceManager", "namespace, table_name='beaker_cache', **params"),
    ("beaker.ext.sqla.make_cache_table", "metadata, table_name='beaker_cache', schema_name=None"),
    ("beaker.ext.sqla.SqlaContainer", None),
    (
        "beaker.ext.sqla.SqlaNamespaceManager",
        "namespace, bind, table, data_dir=None, lock_dir=None, **kwargs",
    ),
    ("beaker.crypto.pbkdf2.pbkdf2", "password, salt, iterations, dklen=0, digest=None"),
]

if __name__ == "__main__":
    given = Path(sys.argv[1]).read_text(encoding="utf-8")
    print("CONFIGURATION = [")
    for name in configuration_of(given):
        print(f"    {name!r},")
    print("]\nSIGNATURES = [")
    for pair in signatures_of(given):
        print(f"    {pair!r},")
    print("]")
