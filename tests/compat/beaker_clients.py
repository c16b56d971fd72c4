"""The clients that Beaker's managers share in a process: closed after a test that made them."""

import contextlib
from collections.abc import Iterator

__all__ = ["closing_clients"]


@contextlib.contextmanager
def closing_clients() -> Iterator[None]:
    """Close what is made meanwhile."""
    from holdfast.compat.beaker.ext.google import GoogleNamespaceManager  # noqa: PLC0415
    from holdfast.compat.beaker.ext.mongodb import MongoNamespaceManager  # noqa: PLC0415
    from holdfast.compat.beaker.ext.redisnm import RedisNamespaceManager  # noqa: PLC0415
    from holdfast.compat.beaker.ext.sqla import SqlaNamespaceManager  # noqa: PLC0415

    yield
    SqlaNamespaceManager.tables.clear()
    while SqlaNamespaceManager.binds.dict:
        SqlaNamespaceManager.binds.dict.popitem()[1].dispose()
    for manager in (RedisNamespaceManager, MongoNamespaceManager):
        while manager.clients.dict:
            manager.clients.dict.popitem()[1].close()
    while GoogleNamespaceManager.tables.dict:
        GoogleNamespaceManager.tables.dict.popitem()[1].close()
