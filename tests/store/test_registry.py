"""open_store: one URL for each store, and a mend in every error."""

import importlib.abc
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast

import pytest

from holdfast.errors import ConfigError
from holdfast.store import registry
from holdfast.store.abilities import CanApply, CanIncrement, CanScan, CanSweep
from holdfast.store.address import parse
from holdfast.store.file import FileStore
from holdfast.store.memory import MemoryStore
from holdfast.store.null import NullStore
from holdfast.store.protocol import OpenStore
from holdfast.store.registry import open_store
from holdfast.store.sqlite import SqliteStore


def test_each_scheme_opens_its_store() -> None:
    assert isinstance(open_store("memory://"), MemoryStore)
    assert isinstance(open_store("MEMORY://"), MemoryStore)
    assert isinstance(open_store("null://"), NullStore)
    assert isinstance(open_store("file:///rows"), FileStore)
    assert isinstance(open_store("sqlite:///rows.db"), SqliteStore)


def test_memory_is_shared_by_name_alone() -> None:
    named, again = open_store("memory://shop"), open_store("memory://shop")
    nameless, other = open_store("memory://"), open_store("memory://")
    named.put("k", b"v")
    nameless.put("k", b"mine")
    assert again.get("k") == b"v"
    assert other.get("k") is None
    named.close()
    assert again.get("k") == b"v"


def test_three_slashes_are_relative_and_four_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = cast("SqliteStore", open_store("sqlite:///a.db"))
    absolute = cast("SqliteStore", open_store(f"sqlite:///{tmp_path}/b.db"))
    folder = cast("FileStore", open_store("file:///deep/rows"))
    spaced = cast("SqliteStore", open_store("sqlite:///my%20rows%23.db"))
    assert relative.path == str(tmp_path / "a.db")
    assert absolute.path == str(tmp_path / "b.db")
    assert folder.folder == str(tmp_path / "deep" / "rows")
    assert spaced.path == str(tmp_path / "my rows#.db")
    assert list(tmp_path.iterdir()) == [], "opening does no disk work"
    monkeypatch.chdir("/")
    relative.put("k", b"v")
    assert (tmp_path / "a.db").exists(), "the path is settled when the store is opened"
    relative.close()


def test_an_open_store_passes_through() -> None:
    store = MemoryStore()
    assert open_store(store) is store
    wrapped = open_store(store, prefix="shop")
    wrapped.put("k", b"v")
    assert store.get("shop:k") == b"v"
    with pytest.raises(ConfigError, match="timeout"):
        open_store(store, timeout=3)


@pytest.mark.parametrize("timeout", ["2.5", "2500ms"])
def test_the_timeout_reaches_the_store(timeout: str) -> None:
    for scheme in ("file", "sqlite"):
        store = cast("Any", open_store(f"{scheme}:///rows?timeout={timeout}"))
        assert (store._timeout if scheme == "file" else store._links._make[2]) == 2.5
        store = cast("Any", open_store(f"{scheme}:///rows?timeout=9", timeout=2.5))
        assert (store._timeout if scheme == "file" else store._links._make[2]) == 2.5
    open_store(f"memory://?timeout={timeout}")
    open_store(f"null://?timeout={timeout}")


WRONG = {
    "app.db": "begins with one of memory://, null://, file://, sqlite://",
    "": "begins with one of",
    "://x": "begins with one of",
    "sqllite:///app.db": "unknown scheme sqllite://; there are memory://",
    "sqlite://app.db": "has no host: write three slashes",
    "sqlite:///": "needs a path: write three slashes",
    "sqlite://": "needs a path",
    "sqlite://///srv/app.db": "too many slashes",
    "sqlite:///rows/": "needs a file, not a folder",
    "sqlite:///:memory:": "write memory://",
    "sqlite:///a%00b": "needs a path",
    "file://rows": "file:///folder or file:////srv/folder",
    "file:///": "needs a path",
    "file:///a#b": "write it as %23",
    "sqlite:///a?timout=3": "no option timout; it has prefix, timeout",
    "sqlite:///a?timeout=soon": "timeout='soon'",
    "sqlite:///a?timeout=0": "needs some time",
    "sqlite:///a?timeout=-1": "timeout='-1'",
    "sqlite:///a?timeout=1&timeout=2": "twice",
    "sqlite:///a?timeout": "write options as",
    "memory://?max=3": "no option max",
    "memory:///rows": "write memory://name",
    "null://x": "neither name nor path",
    "memory://?prefix=a%20b": "prefix='a b'",
    "memory://?prefix=" + "p" * 41: "at most 40",
    "file://[x/rows": "cannot be read",
    "file:////": "needs a path",
    "redis://u:p%E9@h": "in UTF-8",
    "tyrant://a..b": "host that cannot be read",
    "redis://" + "h" * 64: "host that cannot be read",
    "sqlite:///%FF": "in UTF-8",
    "redis://h?prefix=%FF": "in UTF-8",
    "redis+sentinel://u:123/456@h/service": "write it as %2F",
}


@pytest.mark.parametrize("url", WRONG)
def test_a_wrong_url_is_told_its_mend(url: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(WRONG[url])):
        open_store(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:hunter2@h:sixty/0",
        "sqlite://user:hunter2@h/app.db",
        "memory://user:hunter2@h/x",
        "hunter2",
        "file:///rows?password=hunter2",
        "sqlite:///a?x=hunter2#hunter2",
        "user:hunter2@redis://h",
        "nosuch://user:hunter2@h",
        "file://[hunter2/rows",
        "redis+sentinel://u:1/hunter2@h",
        "postgresql://u:1/hunter2@h/d",
        "datastore://u:1/hunter2@h",
    ],
)
def test_no_error_repeats_a_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("target", [3, None, b"memory://", object(), ["memory://"]])
def test_what_is_no_store_is_a_config_error(target: Any) -> None:
    with pytest.raises(ConfigError, match="is no store"):
        open_store(target)


def test_wrong_options_by_name() -> None:
    with pytest.raises(ConfigError, match="no option size"):
        open_store("memory://", size=3)
    with pytest.raises(ConfigError, match="give text"):
        open_store("memory://", prefix=3)
    with pytest.raises(ConfigError, match="timeout"):
        open_store("sqlite:///a", timeout=[1])


def test_an_option_that_a_third_party_does_not_take_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Opener:
        value = "theirs:open"

        def load(self) -> Any:
            return lambda _url, size="3": MemoryStore(str(size))

    monkeypatch.setattr(registry, "entry_points", lambda *_: [Opener()])
    assert open_store("theirs://h", size=5).name == "5"
    with pytest.raises(ConfigError, match=r"theirs:open .*'timeout'"):
        open_store("theirs://h", timeout=5)


def test_a_third_party_opens_its_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, object]]] = []

    class Opener:
        value = "theirs:open"

        def load(self) -> Any:
            def opener(url: str, **options: object) -> OpenStore:
                asked.append((url, options))
                return MemoryStore()

            return opener

    def installed(group: str, name: str) -> Sequence[EntryPoint]:
        assert group == "holdfast.stores"
        return [cast("EntryPoint", Opener())] if name == "theirs" else []

    monkeypatch.setattr(registry, "entry_points", installed)
    store = open_store("theirs://u:p@h/x?size=3&prefix=shop", depth=4)
    assert asked == [("theirs://u:p@h/x", {"size": "3", "depth": 4})]
    store.put("k", b"v")
    assert store.get("k") == b"v"
    assert "shop" in store.name
    with pytest.raises(ConfigError, match="unknown scheme"):
        open_store("others://")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("REDIS://u:hun@ter2@h/0", "redis://h/0"),
        ("Memcached://u:hun@ter2@h", "memcached://h"),
        ("MongoDB://u:hun@ter2@h/d", "mongodb://h/d holdfast"),
        ("PostgreSQL://u:hun@ter2@h/d", "postgresql+psycopg://h/d"),
        ("mysql+PyMySQL://u:hun@ter2@h/d", "mysql+pymysql://h/d"),
    ],
)
def test_capitals_and_an_at_sign_in_a_password_are_understood_by_all(url: str, name: str) -> None:
    store = open_store(url)
    assert store.name == name
    store.close()


def test_the_rest_of_an_address_gets_a_password_with_its_at_sign_escaped() -> None:
    address = parse("Theirs://u:p@ss%2F@H1,h2/a%20b?c=d", {}, "")
    assert (address.user, address.password, address.netloc) == ("u", "p@ss/", "H1,h2")
    assert address.bare == "theirs://u:p%40ss%2F@H1,h2/a%20b"
    assert parse("file:///a@b", {}, "").bare == "file:///a@b"


WITH_DRIVERS = tuple(
    f"holdfast.store.{name}" for name in ("redis", "sqlalchemy", "mongodb", "dynamodb", "datastore")
)
BRINGS = {
    "redis://h": ("redis", "redis"),
    "valkeys+cluster://h": ("redis", "redis"),
    "postgresql://h/d": ("sqlalchemy", "postgresql"),
    "mysql+asyncmy://h/d": ("sqlalchemy", "mysql"),
    "mariadb://h/d": ("sqlalchemy", "mysql"),
    "sqlite+aiosqlite:///a": ("sqlalchemy", "sqlalchemy"),
    "oracle://h/d": ("sqlalchemy", "sqlalchemy"),
    "mongodb+srv://h": ("pymongo", "mongodb"),
    "dynamodb://rows": ("botocore", "dynamodb"),
    "datastore://p/k": ("google", "datastore"),
}


@pytest.mark.parametrize("url", BRINGS)
def test_a_missing_driver_is_named_with_the_extra_that_brings_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, extra = BRINGS[url]
    for name in list(sys.modules):
        if name.partition(".")[0] == package or name.startswith(WITH_DRIVERS):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Without(package), *sys.meta_path])
    with pytest.raises(ConfigError, match=re.escape(f"pip install 'holdfast[{extra}]'")) as caught:
        open_store(url)
    assert f"no {package} " in str(caught.value)
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert extra in project["project"]["optional-dependencies"]


class _Without(importlib.abc.MetaPathFinder):
    """Hides a package that is installed."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname.partition(".")[0] == self._package:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def test_a_prefix_keeps_the_abilities() -> None:
    store = open_store("memory://?prefix=shop")
    assert isinstance(store, OpenStore)
    for ability in (CanApply, CanIncrement, CanScan, CanSweep):
        assert isinstance(store, ability)


def test_only_the_store_that_is_asked_for_is_imported() -> None:
    code = (
        "import sys; from holdfast.store.registry import open_store; open_store('memory://');"
        "others = {'sqlite3', 'holdfast.store.file', 'holdfast.store.sqlite'};"
        "print(sorted(others & set(sys.modules)))"
    )
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "[]"
