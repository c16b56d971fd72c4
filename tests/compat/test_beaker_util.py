"""The odds and ends of Beaker, against the genuine ones where they can be compared."""

import gc
import json
import threading
import unittest
import zlib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from compat.seeds import genuine, ours
from holdfast.compat import configure
from holdfast.compat.beaker import __version__, exceptions, util
from holdfast.compat.beaker.converters import asbool, aslist
from holdfast.compat.values import MARK
from holdfast.errors import CodecError
from holdfast.store.file.plain import PlainFiles
from holdfast.testing.trial import in_threads

PATHS = """
import json
import os
import sys
from beaker import util

root = sys.argv[1]
lines = []
for identifiers in (
    ["x"],
    ["a", "b"],
    [""],
    ["k\\xe4se"],
    ["../../etc/passwd"],
    ["a/b"],
    ["a.b.c"],
    ["..."],
    ["0123456789abcdef" * 2],
    ["a b"],
    ["x" * 240],
    "text",
):
    for extension in (".enc", ".cache", ""):
        for depth in (0, 1, 2, 3, 5):
            for digest in (True, False):
                path = util.encoded_path(root, identifiers, extension, depth, digest)
                there = os.path.isdir(os.path.dirname(path))
                lines.append([identifiers, extension, depth, digest, path[len(root) :], there])
lines.append(util.encoded_path(root, ["x"])[len(root) :])
print(json.dumps(lines))
"""


def test_paths_are_those_of_beaker(tmp_path: Path) -> None:
    theirs = json.loads(genuine(PATHS, tmp_path / "theirs"))
    mine = json.loads(ours("beaker", PATHS, tmp_path / "ours"))
    assert len(theirs) > 300
    assert [pair for pair in zip(theirs, mine, strict=True) if pair[0] != pair[1]] == []


@pytest.mark.parametrize("digest", [True, False])
def test_a_path_is_where_the_store_has_the_file(tmp_path: Path, *, digest: bool) -> None:
    path = util.encoded_path(str(tmp_path), ["abc"], ".cache", digest_filenames=digest)
    store = PlainFiles(tmp_path)
    store.put(util.identity(["abc"], digest), b"bytes")
    assert Path(path).read_bytes() == b"bytes"


def test_promise_0_9_4_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for name in ("../../x", "/etc/passwd", "..", "a/../../../b", "....//x", "../" * 9):
        path = util.encoded_path(str(root), [name], digest_filenames=False)
        assert Path(path).resolve().is_relative_to(root)


def test_a_folder_is_made_and_what_is_there_stays(tmp_path: Path) -> None:
    in_threads(8, lambda _: util.verify_directory(str(tmp_path / "a/b/c")))
    assert (tmp_path / "a/b/c").is_dir()
    (tmp_path / "file").write_bytes(b"1")
    util.verify_directory(str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == b"1"
    with pytest.raises(NotADirectoryError):
        util.verify_directory(str(tmp_path / "file/below"))


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    util.safe_write(str(tmp_path / "x"), b"1")
    util.safe_write(str(tmp_path / "x"), b"2")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x", b"2")]


NAMESPACES = """
import json
import sys
from beaker import util

sys.argv[0] = "x"


class Thing:
    def method(self, a):
        "Method."

    @classmethod
    def of_class(cls):
        "Class method."

    @staticmethod
    def static(a):
        "Static method."


def function(a, self=None):
    "Function."


def nothing():
    "Nothing."


lines = []
for one in (Thing().method, Thing.of_class, json.dumps, json.JSONDecoder().decode):
    lines.append(util.func_namespace(one))
for one in (Thing.method, Thing().method, Thing.of_class, Thing.static, function, nothing):
    lines.append(util.has_self_arg(one))
lines.append(util.has_self_arg(lambda self: 1))
lines.append(util.has_self_arg(lambda cls: 1))
print(json.dumps(lines))
"""


def test_namespaces_of_functions_are_those_of_beaker() -> None:
    assert json.loads(ours("beaker", NAMESPACES)) == json.loads(genuine(NAMESPACES))


@pytest.mark.parametrize("kind", [util.SyncDict, util.WeakValuedRegistry])
def test_a_dictionary_makes_each_value_once(kind: type[util.SyncDict]) -> None:
    found, made = kind(), []

    def make(*args: int, **kwargs: int) -> Any:
        made.append((args, kwargs))
        return threading.Event()

    got: list[Any] = []
    in_threads(8, lambda _: got.append(found.get("k", make, 1, add=2)))
    assert made == [((1,), {"add": 2})]
    assert len(set(map(id, got))) == 1
    assert found.sync_get("k", make, 2) is got[0]
    assert found.has_key("k")
    assert "k" in found
    assert found["k"] is got[0]
    del found["k"]
    assert "k" not in found
    found["k"] = kept = threading.Event()
    assert found["k"] is kept
    found.clear()
    assert not found.has_key("k")


def test_a_value_that_cannot_be_made_is_tried_again() -> None:
    found = util.SyncDict()
    with pytest.raises(ZeroDivisionError):
        found.get("k", lambda: 1 // 0)
    assert found.get("k", lambda: 1) == 1


def test_a_registry_keeps_nothing_alive_and_may_be_asked_while_it_makes() -> None:
    found = util.WeakValuedRegistry()
    outer = found.get("a", lambda: found.get("b", threading.Event))
    assert found["b"] is outer
    del outer
    gc.collect()
    assert list(found.dict) == []


def test_a_thread_has_its_own_value() -> None:
    local = util.ThreadLocal()
    local.put("here")
    seen: list[object] = []
    in_threads(1, lambda _: seen.extend([local.has(), local.get(), local.get("none")]))
    assert seen == [False, None, "none"]
    assert (local.has(), local.get()) == (True, "here")
    local.remove()
    assert not local.has()
    with pytest.raises(AttributeError):
        local.remove()


VALUES = [None, {}, {"a": [1, 2.5, "x", None]}, {"t": datetime(2030, 1, 2)}, (1, 2), "k\xe4se"]  # noqa: DTZ001 - as sessions have it


@pytest.mark.parametrize("old_form", [False, True])
def test_what_is_serialized_comes_back(*, old_form: bool) -> None:
    configure(old_form=old_form)
    for value in VALUES:
        data = util.serialize(value, "pickle")
        assert data.startswith(b"\x80\x02" if old_form else MARK)
        assert util.deserialize(data, "pickle") == value
        assert util.PickleSerializer().loads(util.PickleSerializer().dumps(value)) == value


def test_either_form_is_read_whatever_is_written() -> None:
    safe = util.serialize({"a": 1}, "anything")
    configure(old_form=True)
    old = util.serialize({"a": 1}, "anything")
    assert util.deserialize(safe, "pickle") == util.deserialize(old, "pickle") == {"a": 1}
    configure()
    assert util.deserialize(old, "pickle") == {"a": 1}


def test_what_a_pickle_asks_for_is_not_run() -> None:
    with pytest.raises(CodecError, match=r"posix\.system"):
        util.deserialize(b"cposix\nsystem\n(S'true'\ntR.", "pickle")


SERIALIZED = """
import json
import sys
from beaker import util

values = [None, {}, {"a": [1, 2.5, "x", None]}, "k\\xe4se", {"\\u20ac": {"b": True}}]
if len(sys.argv) > 1:
    for method, data in json.loads(sys.argv[1]):
        assert util.deserialize(bytes.fromhex(data), method) in values, data
lines = [
    [method, util.serialize(value, method).hex()]
    for method in ("json", "pickle")
    for value in values
]
print(json.dumps(lines))
"""


def test_beaker_reads_what_we_write_and_we_what_it_writes() -> None:
    theirs = genuine(SERIALIZED)
    before = "import holdfast.compat; holdfast.compat.configure(old_form=True)\n"
    mine = ours("beaker", before + SERIALIZED, theirs)
    assert json.loads(mine) == json.loads(theirs)  # byte for byte
    assert genuine(SERIALIZED, mine) == theirs


def test_json_is_compressed_json() -> None:
    data = util.serialize({"a": [1]}, "json")
    assert json.loads(zlib.decompress(data)) == {"a": [1]}
    for damaged in (data[:-3], b"", b"{}"):
        with pytest.raises(zlib.error):
            util.deserialize(damaged, "json")


def test_a_warning_is_one_of_beaker_and_names_the_caller() -> None:
    def library() -> None:
        util.warn("careful")

    with pytest.warns(exceptions.BeakerWarning, match="careful") as caught:
        library()
    assert caught[0].filename == __file__
    with pytest.warns(FutureWarning, match="soon"):
        util.warn(FutureWarning("soon"))


def test_a_deprecated_function_warns_and_works() -> None:
    @util.deprecated("use other()")
    def old(a: int, *, b: int) -> int:
        """Add."""
        return a + b

    with pytest.warns(DeprecationWarning, match=r"use other\(\)") as caught:
        assert old(1, b=2) == 3
    assert caught[0].filename == __file__
    assert old.__name__ == "old"
    assert old.__doc__ == "use other()\n\nAdd."


def test_helpers_of_tests() -> None:
    @util.skip_if(lambda: True, "no server")
    def skipped() -> None:
        raise AssertionError

    @util.skip_if(lambda: False)
    def runs() -> str:
        return "ran"

    with pytest.raises(unittest.SkipTest, match="'skipped' skipped: no server"):
        skipped()
    assert runs() == "ran"
    util.assert_raises(ZeroDivisionError, lambda a, b: a // b, 1, b=0)
    with pytest.raises(AssertionError, match="did not raise"):
        util.assert_raises(ZeroDivisionError, int)
    assert util.function_named(lambda: 1, "one").__name__ == "one"
    first, second = util.machine_identifier(), util.machine_identifier()
    assert len(first) == len(second) == 32
    assert first != second


LISTS = """
import json
from beaker.converters import aslist

lines = []
for value in ("a b  c", " a , b ", "", None, ["x"], ("x"), 5, {"a": 1}):
    for arguments in ((), (","), (",", False), (None, False)):
        lines.append(repr(aslist(value, *arguments)))
print(json.dumps(lines))
"""


def test_lists_are_those_of_beaker() -> None:
    assert json.loads(ours("beaker", LISTS)) == json.loads(genuine(LISTS))
    kept = ["x"]
    assert aslist(kept) is kept
    assert asbool(" On ")


ANCESTORS = """
import json
from beaker import exceptions

names = sorted(name for name in dir(exceptions) if not name.startswith("_"))
print(
    json.dumps(
        {name: [base.__name__ for base in getattr(exceptions, name).__mro__] for name in names}
    )
)
"""


def test_exceptions_are_those_of_beaker() -> None:
    theirs = json.loads(genuine(ANCESTORS))
    assert json.loads(ours("beaker", ANCESTORS)) == theirs
    assert len(theirs) == 7


def test_promise_1_1_3_a_missing_backend_is_an_import_error() -> None:
    with pytest.raises(ImportError):
        raise exceptions.InvalidCacheBackendError("no")


NAMES = """
import importlib
import json
import types

OF_PYTHON = {
    "inspect",
    "pickle",
    "socket",
    "uuid",
    "binascii",
    "func_signature",
    "datetime",
    "os",
    "timedelta",
    "re",
    "string",
    "types",
    "weakref",
    "warnings",
    "sys",
    "json",
    "zlib",
    "errno",
    "tempfile",
    "fcntl",
    "hashlib",
    "bytes_",
    "http_cookies",
    "_tlocal",
    "default_backend",
    "Cipher",
    "algorithms",
    "modes",
}
found = {}
for module in (
    "util",
    "synchronization",
    "converters",
    "exceptions",
    "cookie",
    "crypto",
    "crypto.pbkdf2",
    "crypto.util",
    "crypto.noencryption",
    "crypto.pyca_cryptography",
):
    there = importlib.import_module("beaker." + module)
    found[module] = sorted(
        name for name in vars(there) if not name.startswith("__") and name not in OF_PYTHON
    )
print(json.dumps(found))
"""


def test_every_name_of_these_modules_is_there() -> None:
    theirs, mine = json.loads(genuine(NAMES)), json.loads(ours("beaker", NAMES))
    assert {module: sorted({*names} - {*mine[module]}) for module, names in theirs.items()} == {
        module: [] for module in theirs
    }


ALONE = "import beaker; print(beaker.__version__, beaker.cache.clsmap is not None)"


def test_promise_1_6_the_version_is_said_and_the_package_alone_shows_its_modules() -> None:
    assert ours("beaker", ALONE).split() == ["1.14.1", "True"]
    assert genuine("import beaker; print(beaker.__version__)").strip() == __version__
