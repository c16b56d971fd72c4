"""Beaker's namespaces in files: where they lie, who may remove them, what cannot be read."""

import dbm.dumb
import os
import pickle
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.compat import settings, values
from holdfast.compat.beaker.cache import Cache, cache_managers
from holdfast.compat.beaker.container import (
    DBMNamespaceManager,
    FileNamespaceManager,
    OpenResourceNamespaceManager,
    Value,
)
from holdfast.compat.beaker.exceptions import MissingCacheParameter
from holdfast.compat.beaker.synchronization import null_synchronizer
from holdfast.errors import CodecError, StoreUnavailable
from holdfast.store.file.plain import PlainFiles

Local = Callable[..., Any]
SHA1 = "6ae999552a0d2dca14d62e2bc8b764d377b1dd6c"  # of "name"


@pytest.fixture(params=[FileNamespaceManager, DBMNamespaceManager], ids=["file", "dbm"])
def local(request: pytest.FixtureRequest, tmp_path: Path) -> Local:
    """Give either kind of manager, in a folder of this test."""

    def make(name: str = "name", **options: Any) -> Any:
        return request.param(name, **{"data_dir": str(tmp_path), **options})

    return make


@pytest.fixture
def file_cache(tmp_path: Path) -> Cache:
    return Cache("name", type="file", data_dir=str(tmp_path))


def _files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


class Own:
    """A class of the application."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own)

    __hash__ = None  # type: ignore[assignment]


def test_files_lie_where_they_did(tmp_path: Path) -> None:
    space = FileNamespaceManager("name", data_dir=str(tmp_path))
    Value("k", space).set_value(1)
    assert space.file == f"{tmp_path}/container_file/6/6a/{SHA1}.cache"
    assert _files(tmp_path / "container_file") == [f"6/6a/{SHA1}.cache"]
    assert _files(tmp_path / "container_file_lock") == [f"6/6a/{SHA1}.lock"]


def test_folders_can_be_chosen(tmp_path: Path) -> None:
    space = FileNamespaceManager(
        "some.name", file_dir=f"{tmp_path}/f", lock_dir=f"{tmp_path}/l", digest_filenames=False
    )
    Value("k", space).set_value(1)
    assert space.file == f"{tmp_path}/f/s/so/somename.cache"
    assert os.path.exists(space.file)  # noqa: PTH110
    assert (space.file_dir, space.lock_dir) == (f"{tmp_path}/f", f"{tmp_path}/l")
    assert space.file_exists(space.file)
    assert not space.file_exists(f"{tmp_path}/f/o/ot/other.cache")


def test_dbm_files_lie_where_they_did(tmp_path: Path) -> None:
    space = DBMNamespaceManager("name", data_dir=str(tmp_path), dbmmodule=dbm.dumb)
    Value("k", space).set_value(1)
    assert space.file == f"{tmp_path}/container_dbm/6/6a/{SHA1}.dbm"
    assert sorted(space.get_filenames()) == [f"{space.file}.dat", f"{space.file}.dir"]
    assert space.file_exists(space.file)
    space.remove()
    assert space.get_filenames() == []
    assert not space.file_exists(space.file)


@pytest.mark.parametrize(
    ("kind", "option"), [(FileNamespaceManager, "file_dir"), (DBMNamespaceManager, "dbm_dir")]
)
def test_a_folder_is_needed(kind: Any, option: str, tmp_path: Path) -> None:
    with pytest.raises(MissingCacheParameter, match=f"data_dir or {option} is required"):
        kind("name")
    with pytest.raises(MissingCacheParameter, match="data_dir or lock_dir is required"):
        kind("name", **{option: f"{tmp_path}/f"})


def test_managers_are_mappings(local: Local) -> None:
    space = local()
    space.acquire_write_lock()
    space["a"], space[b"b"] = 1, (2, [3])
    space.set_value("c", None, expiretime=3)
    assert (space["a"], space[b"b"], space["c"]) == (1, (2, [3]), None)
    del space["c"]
    with pytest.raises(KeyError):
        del space["c"]
    space.release_write_lock()
    space.acquire_read_lock()
    assert len(list(space.keys())) == 2
    assert space.has_key("a")
    assert "c" not in space
    with pytest.raises(KeyError):
        space["c"]
    space.release_read_lock()


def test_1_9_1_folders_that_disappear_are_made_again(local: Local, tmp_path: Path) -> None:
    value = Value("k", local(), createfunc=lambda: "new")
    value.set_value("old")
    shutil.rmtree(tmp_path)
    assert not value.has_value()
    assert value.get_value() == "new"
    shutil.rmtree(tmp_path)
    value.set_value("again")
    assert value.get_value() == "again"
    shutil.rmtree(tmp_path)
    local().remove()


def test_1_9_1_a_write_that_is_interrupted_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_cache: Cache
) -> None:
    file_cache.put("k", "old")
    before = _files(tmp_path)
    with monkeypatch.context() as broken:

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        broken.setattr(os, "replace", fail)
        with pytest.raises(StoreUnavailable, match="No space left"):
            file_cache.put("k", "new")
    assert file_cache.get("k") == "old"
    assert _files(tmp_path) == before


def test_1_9_1_a_draft_that_others_remove_is_written_again(
    file_cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace
    removed: list[str] = []

    def replace(draft: str, path: str) -> None:
        if len(removed) < 3:
            removed.append(draft)
            shutil.rmtree(tmp_path / "container_file")
        real(draft, path)

    with monkeypatch.context() as emptied:
        emptied.setattr(os, "replace", replace)
        file_cache.put("k", 1)
    assert len(set(removed)) == 3
    assert file_cache.get("k") == 1


def test_1_9_1_files_that_vanish_meanwhile(tmp_path: Path, file_cache: Cache) -> None:
    faults: list[BaseException] = []
    done = threading.Event()

    def use() -> None:
        try:
            for _ in range(150):
                assert file_cache.get("k", createfunc=lambda: 1) == 1
        except BaseException as error:  # noqa: BLE001 - told below
            faults.append(error)

    def remove() -> None:
        while not done.is_set():
            for name in _files(tmp_path / "container_file"):
                (tmp_path / "container_file" / name).unlink(missing_ok=True)

    remover = threading.Thread(target=remove)
    users = [threading.Thread(target=use) for _ in range(3)]
    for thread in (remover, *users):
        thread.start()
    for thread in users:
        thread.join()
    done.set()
    remover.join()
    assert faults == []


def test_1_6_who_replaces_a_file_does_not_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = FileNamespaceManager("name", data_dir=str(tmp_path))
    Value("session", space).set_value(1)
    read: list[str] = []
    real = PlainFiles.get

    def get(self: PlainFiles, key: str) -> bytes | None:
        read.append(key)
        return real(self, key)

    monkeypatch.setattr(PlainFiles, "get", get)
    space.acquire_write_lock(replace=True)
    assert "session" not in space
    space["session"] = 2
    space.release_write_lock()
    assert read == []


def test_1_6_file_values_are_decoded_once_and_by_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache("name", type="file", data_dir=str(tmp_path))
    for n in range(50):
        cache.put(f"k{n}", n)
    decoded: list[bytes] = []

    def counted(data: bytes) -> object:
        decoded.append(data)
        return values.decode(data)

    monkeypatch.setattr("holdfast.compat.beaker.file_values.decode", counted)
    assert cache.get("k7") == 7
    assert len(decoded) == 2  # the file, and one value of the fifty
    decoded.clear()
    cache.put("k7", 8)
    assert len(decoded) == 1


def test_1_1_who_removes_a_file_has_removed_its_values(local: Local, tmp_path: Path) -> None:
    value = Value("k", local(), createfunc=lambda: "new")
    value.set_value("old")
    for name in _files(tmp_path):
        if not name.endswith(".lock"):
            (tmp_path / name).unlink()
    assert value.get_value() == "new"


def test_1_1_lock_files_stay(local: Local, tmp_path: Path) -> None:
    value = Value("k", local(), createfunc=lambda: 1)
    value.get_value()
    value.clear_value()
    local().remove()
    locks = [name for name in _files(tmp_path) if name.split("/")[0].endswith("_lock")]
    assert len(locks) == 2  # of the namespace, and of who creates


def test_1_1_1_no_lock_file_is_left_open(local: Local) -> None:
    def fail() -> None:
        raise LookupError("no database")

    value = Value("k", local(), createfunc=fail)
    before = os.listdir("/proc/self/fd")  # noqa: PTH208
    for _ in range(5):
        with pytest.raises(LookupError, match="no database"):
            value.get_value()
    assert len(os.listdir("/proc/self/fd")) == len(before)  # noqa: PTH208
    value.createfunc = lambda: 1
    assert value.get_value() == 1


def test_0_7_4_locks_are_let_go_where_nothing_can_be_opened(tmp_path: Path) -> None:
    class Broken(FileNamespaceManager):
        broken = True

        def do_open(self, flags: str, replace: bool) -> None:
            if self.broken:
                raise ValueError("cannot be opened")
            super().do_open(flags, replace)

    space = Broken("name", data_dir=str(tmp_path))
    for begin in (space.acquire_read_lock, space.acquire_write_lock):
        with pytest.raises(ValueError, match="cannot be opened"):
            begin()
    space.broken = False
    Value("k", space).set_value(1)
    assert space.openers == 0


def test_a_file_that_is_no_pickle_is_empty(file_cache: Cache) -> None:
    file_cache.put("k", 1)
    for data in (
        b"",
        b"nonsense",
        b"\x00HF1nonsense",
        pickle.dumps([1]),
        b"\x00HF1\x93\x90\x01\x02",
    ):
        Path(file_cache.namespace.file).write_bytes(data)
        assert "k" not in file_cache
    assert settings.refused.total() >= 5
    file_cache.put("k", 2)
    assert file_cache.get("k") == 2


def test_a_pickle_of_what_is_not_allowed_is_not_read(local: Local) -> None:
    value = Value("k", local())
    settings.configure(allow=[f"{__name__}.Own"])
    value.set_value(Own())
    assert value.get_value() == Own()
    settings.configure()
    with pytest.raises(KeyError):
        value.get_value()
    with pytest.raises(KeyError) as told:
        _read(local(), "k")
    assert isinstance(told.value.__cause__, CodecError)
    assert settings.refused.total() >= 2
    with pytest.raises(CodecError, match=r"k.* is a .*Own.*allow="):
        value.set_value(Own())


def _read(space: Any, key: str) -> object:
    space.acquire_read_lock()
    try:
        return space[key]
    finally:
        space.release_read_lock()


def test_one_that_cannot_be_read_leaves_the_others(local: Local) -> None:
    settings.configure(allow=[f"{__name__}.Own"])
    Value("own", local()).set_value(Own())
    settings.configure()
    Value("k", local()).set_value(1)
    assert Value("k", local()).get_value() == 1
    settings.configure(allow=[f"{__name__}.Own"])
    assert Value("own", local()).get_value() == Own()


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_pickles_of_any_protocol_are_read(tmp_path: Path, protocol: int) -> None:
    cache = Cache("name", type="file", data_dir=str(tmp_path))
    entry = (1.5e9, None, OrderedDict(a=1))
    path = Path(cache.namespace.file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps({b"k": entry, b"old": (1.5e9, "before 1.1")}, protocol))
    assert cache.get("k") == OrderedDict(a=1)
    assert cache.get("old") == "before 1.1"
    assert cache.get("old") == "before 1.1"


def test_what_is_changed_in_place_under_the_lock_is_written(tmp_path: Path) -> None:
    space = FileNamespaceManager("name", data_dir=str(tmp_path))
    Value("k", space).set_value([1])
    space.acquire_write_lock()
    space["k"][2].append(2)
    space.hash["other"] = 3
    space.release_write_lock()
    assert Value("k", space).get_value() == [1, 2]
    assert _read(space, "other") == 3


def test_who_only_locks_writes_nothing(tmp_path: Path) -> None:
    space = FileNamespaceManager("name", data_dir=str(tmp_path))
    space.acquire_write_lock()
    space.release_write_lock()
    assert not space.file_exists(space.file)
    space.acquire_write_lock(replace=True)
    space.release_write_lock()
    assert space.file_exists(space.file)


def test_a_file_that_may_not_be_read_is_as_none(
    file_cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_cache.put("k", 1)

    def refuse(*_: object) -> None:
        raise StoreUnavailable("files", "not permitted") from PermissionError(13, "no")

    monkeypatch.setattr(PlainFiles, "get", refuse)
    assert "k" not in file_cache


def test_a_disk_that_fails_is_told(file_cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StoreUnavailable("files", "broken") from OSError(5, "Input/output error")

    monkeypatch.setattr(PlainFiles, "get", fail)
    with pytest.raises(StoreUnavailable):
        file_cache.get("k")


def test_subclasses_may_keep_a_dictionary_of_their_own(tmp_path: Path) -> None:
    class Upper(FileNamespaceManager):
        def do_open(self, flags: str, replace: bool) -> None:
            super().do_open(flags, replace)
            self.hash = {key.upper(): value for key, value in self.hash.items()}

    Value("k", FileNamespaceManager("name", data_dir=str(tmp_path))).set_value(1)
    upper = Upper("name", data_dir=str(tmp_path))
    assert Value("K", upper).get_value() == 1
    Value("l", upper).set_value(2)
    assert Value("L", upper).get_value() == 2


def test_a_resource_is_opened_once_for_all_who_use_it() -> None:
    class Counted(OpenResourceNamespaceManager):
        def __init__(self) -> None:
            self.did: list[str] = []
            super().__init__("n")

        def get_access_lock(self) -> Any:
            return null_synchronizer()

        def do_open(self, flags: str, replace: bool) -> None:
            self.did.append(f"{flags} {replace}")

        def do_close(self) -> None:
            self.did.append("closed")

        def do_remove(self) -> None:
            self.did.append("removed")

    space = Counted()
    space.acquire_read_lock()
    space.acquire_read_lock()
    space.release_read_lock()
    assert (space.openers, space.did) == (1, ["r False"])
    space.release_read_lock()
    assert space.acquire_write_lock(wait=False, replace=True)
    space.release_write_lock()
    assert space.did == ["r False", "closed", "c True", "closed"]
    space.open("r")
    space.open("c")
    space.remove()
    assert space.did[4:] == ["r False", "c False", "closed", "removed"]
    space.close()
    assert (space.openers, space.did[-1]) == (0, "removed")


def test_cache_managers_are_kept_by_name_and_options(tmp_path: Path) -> None:
    one = Cache._get_cache("name", {"type": "file", "data_dir": str(tmp_path)})
    assert cache_managers.pop(f"name{{'type': 'file', 'data_dir': '{tmp_path}'}}") is one
