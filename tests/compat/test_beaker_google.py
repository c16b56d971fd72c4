"""`ext:google`, served by Google Cloud Datastore, on a stand-in that speaks its protocol."""

import pickle
import sys
from collections.abc import Iterator

import pytest

from compat.beaker_clients import closing_clients
from holdfast.compat import CompatWarning, configure
from holdfast.compat.beaker import one_row
from holdfast.compat.beaker.container import Value
from holdfast.compat.beaker.exceptions import InvalidCacheBackendError
from holdfast.compat.beaker.ext.google import GoogleContainer, GoogleNamespaceManager
from holdfast.store.datastore.plain import PlainEntities

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("datastore_server")]


@pytest.fixture(autouse=True)
def _project(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(one_row, "_REPEAT", 0.0)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "beaker-project")
    with closing_clients():
        yield


def manager_for(namespace: str, kind: str = "beaker_cache") -> GoogleNamespaceManager:
    with pytest.warns(CompatWarning, match="Google Cloud Datastore"):
        return GoogleNamespaceManager(namespace, kind, data_dir="/nowhere")


def test_values_are_kept() -> None:
    manager = manager_for("shop", "kept")
    value = Value("k", manager, createfunc=lambda: {"a": (1, 2)}, expiretime=60)
    assert value.get_value() == {"a": (1, 2)}
    assert Value("k", manager_for("shop", "kept")).get_value() == {"a": (1, 2)}
    with pytest.raises(KeyError):
        Value("k", manager_for("other", "kept")).get_value()
    manager.remove()
    with pytest.raises(KeyError):
        Value("k", manager_for("shop", "kept")).get_value()


def test_entities_lie_where_app_engine_had_them() -> None:
    store = PlainEntities("beaker-project", "beaker_cache")
    store.put("pshop", pickle.dumps({b"k": (1.0, None, "old")}, 0))
    manager = manager_for("shop")
    assert (manager.namespace, manager.table_name) == ("pshop", "beaker_cache")
    assert Value(b"k", manager).get_value() == "old"
    configure(old_form=True)
    Value(b"k", manager).set_value("new", storedtime=2.0)
    assert pickle.loads(store.get("pshop") or b"") == {b"k": (2.0, None, "new")}  # noqa: S301 - ours
    store.close()


def test_overlapping_writers_lose_nothing() -> None:
    one, other = (manager_for("shop", "both") for _ in range(2))
    one.acquire_write_lock()
    one["a"] = 1
    Value("b", other).set_value(2, storedtime=1.0)
    one.release_write_lock()
    other.acquire_read_lock()
    assert other.hash == {"a": 1, "b": (1.0, None, 2)}
    other.release_read_lock()
    assert one.reread("a") == other.reread("a") == 1
    assert one.swap_value("a", 2)
    assert not other.swap_value("a", 3)


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert GoogleContainer.namespace_class is GoogleNamespaceManager
    monkeypatch.setitem(sys.modules, "google.cloud.datastore", None)
    with pytest.raises(InvalidCacheBackendError, match=r"pip install 'holdfast\[datastore\]'"):
        GoogleNamespaceManager("shop")
