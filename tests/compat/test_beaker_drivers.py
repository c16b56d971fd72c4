"""What a kind of store says where its driver is missing or too old."""

import sys

import pymongo
import pytest
import sqlalchemy as sa

from holdfast.compat.beaker.exceptions import InvalidCacheBackendError
from holdfast.compat.beaker.ext.database import DatabaseNamespaceManager
from holdfast.compat.beaker.ext.mongodb import MongoNamespaceManager


def test_a_driver_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sa, "QueuePool")
    monkeypatch.delattr(pymongo, "AsyncMongoClient")
    said = r"sqlalchemy 2\S+ is too old: pip install 'holdfast\[sqlalchemy\]'"
    with pytest.raises(InvalidCacheBackendError, match=said):
        DatabaseNamespaceManager("shop", "sqlite://")
    said = r"pymongo 4\S+ is too old: pip install 'holdfast\[mongodb\]'"
    with pytest.raises(InvalidCacheBackendError, match=said):
        MongoNamespaceManager("shop", "mongodb://localhost/shop")


def test_a_driver_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    said = r"ext:database needs what is not here .*: pip install 'holdfast\[sqlalchemy\]'"
    with pytest.raises(InvalidCacheBackendError, match=said):
        DatabaseNamespaceManager("shop", "sqlite://")
