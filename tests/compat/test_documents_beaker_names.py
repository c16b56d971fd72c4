"""Every module, name and signature of Beaker's document, and every public name of Beaker itself."""

import json
from typing import Any

import pytest

from compat.documents import options as document
from compat.seeds import genuine, ours

DIFFERENT = {
    "beaker.ext.database.DatabaseNamespaceManager": "Beaker 1.14 has no `optimistic`; it is taken",
    "beaker.ext.memcached.PyLibMCNamespaceManager": "Beaker 1.14 has not the class; url is named",
    "beaker.ext.mongodb.MongoNamespaceManager": "a missing url is a MissingCacheParameter",
    "beaker.ext.redisnm.RedisNamespaceManager": "a missing url is a MissingCacheParameter",
}
"""Signatures that are not those of the document, and why; arguments that it takes, they take."""

GONE_IN_BEAKER = {
    "beaker.session.CookieSession.expire",
    "beaker.ext.memcached.PyLibMCNamespaceManager",
}
"""What the document has and Beaker 1.14 has not; here it is."""

MISSING = {
    "beaker.crypto.pycrypto": "a shim over a package that is not installed beside Beaker",
    "beaker._compat": "Python 2 and 3 at once, for Beaker itself",
}
"""Modules that cannot be compared, and why."""

WORKINGS = {
    "beaker.ext.redisclusternm.RedisClusterSynchronizer.RELEASE_LOCK_LUA": "scripts of the store's",
}
"""Names of Beaker's own workings, which are elsewhere here."""

_SIGNATURES = """
import importlib, inspect, json, sys
def parameters(thing):
    return [[p.name, p.kind.name, None if p.default is p.empty else repr(p.default)]
            for p in inspect.signature(thing).parameters.values()]
def found(dotted):
    parts, owner = dotted.split("."), None
    for size in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:size]))
            break
        except ImportError:
            continue
    for part in parts[size:]:
        owner, thing = thing, getattr(thing, part)
    return thing, owner
said = {}
for dotted, signature in json.loads(sys.argv[1]):
    try:
        thing, owner = found(dotted)
    except AttributeError:
        continue
    said[dotted] = None
    if signature is not None:
        said[dotted] = parameters(thing)[1 if inspect.isclass(owner) else 0:]
print(json.dumps(said))
"""

# names that a module has of its own: what it only imports is found where it comes from
NAMES = """
import importlib, inspect, json, pkgutil, sys, warnings
warnings.simplefilter("ignore")
library = sys.argv[2]
there = importlib.import_module(library)
def members(thing):
    return sorted(name for name in dir(thing) if name[:1] != "_")
def own(name, module):
    for key in dir(module):
        value = getattr(module, key)
        home = getattr(value, "__module__", None)
        if key[:1] != "_" and (home == name or home is None and type(value) in (dict, str, tuple)):
            yield key, members(value) if inspect.isclass(value) else []
asked = json.loads(sys.argv[1])
walked = pkgutil.walk_packages(getattr(there, "__path__", []), library + ".")
names = asked or [library, *(module.name for module in walked)]
said = {}
for name in names:
    try:
        module = importlib.import_module(name)
    except ImportError:
        said[name] = None
        continue
    if asked:
        said[name] = {key: members(getattr(module, key)) for key in dir(module)}
    else:
        said[name] = dict(own(name, module))
print(json.dumps(said))
"""


def _listed() -> str:
    return json.dumps(document.SIGNATURES)


def test_each_signature_is_that_of_the_document() -> None:
    said = json.loads(ours("beaker", _SIGNATURES, _listed()))
    for dotted, signature in document.SIGNATURES:
        assert dotted in said, dotted
        if signature is not None and dotted not in DIFFERENT:
            assert said[dotted] == document.parameters(signature), dotted


def test_each_signature_is_that_of_beaker() -> None:
    theirs = json.loads(genuine(_SIGNATURES, _listed()))
    said = json.loads(ours("beaker", _SIGNATURES, _listed()))
    assert set(said) - set(theirs) == GONE_IN_BEAKER
    without_url = {
        "beaker.ext.mongodb.MongoNamespaceManager",
        "beaker.ext.redisnm.RedisNamespaceManager",
    }
    for dotted, parameters in theirs.items():
        if dotted not in without_url:
            assert said[dotted] == parameters, dotted


@pytest.mark.parametrize("dotted", sorted(DIFFERENT))
def test_where_it_differs_the_names_of_the_document_are_taken(dotted: str) -> None:
    said = json.loads(ours("beaker", _SIGNATURES, _listed()))[dotted]
    wanted = document.parameters(dict(document.SIGNATURES)[dotted] or "")
    assert said != wanted
    names = [name for name, kind, _ in said if kind == "POSITIONAL_OR_KEYWORD"]
    assert any(kind == "VAR_KEYWORD" for _, kind, _ in said)  # which takes all that is not named
    for name, kind, _ in wanted:
        assert kind != "POSITIONAL_OR_KEYWORD" or name in names or name == "optimistic"


def test_a_missing_url_says_so() -> None:
    script = """
from beaker.exceptions import MissingCacheParameter
from beaker.ext.mongodb import MongoNamespaceManager
from beaker.ext.redisnm import RedisNamespaceManager
for manager in (MongoNamespaceManager, RedisNamespaceManager):
    try:
        manager("ns")
    except MissingCacheParameter as error:
        print(error)
"""
    assert ours("beaker", script).split("\n") == ["url is required", "url is required", ""]


def test_each_public_name_of_beaker_is_here() -> None:
    theirs: dict[str, Any] = json.loads(genuine(NAMES, "[]", "beaker"))
    said = json.loads(ours("beaker", NAMES, json.dumps(list(theirs)), "beaker"))
    assert len(theirs) > 20
    assert {name for name in theirs if None in (theirs[name], said[name])} == set(MISSING)
    missing = []
    for module, names in theirs.items():
        for name, members in {} if module in MISSING else (names or {}).items():
            if name not in said[module]:
                missing.append(f"{module}.{name}")
            else:
                has = said[module][name]
                missing += [f"{module}.{name}.{each}" for each in members if each not in has]
    assert missing == list(WORKINGS)
