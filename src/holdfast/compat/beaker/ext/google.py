"""`beaker.ext.google`: namespaces as entities of Google Cloud Datastore.

Law: App Engine's own library is gone; the entities it kept are read and written through the
Datastore they lie in, with the same kind, names and properties.
"""

import warnings
from typing import Any, ClassVar

from holdfast.compat.beaker.container import Container
from holdfast.compat.beaker.drivers import need
from holdfast.compat.beaker.exceptions import InvalidCacheBackendError
from holdfast.compat.beaker.one_row import OneRow
from holdfast.compat.beaker.synchronization import null_synchronizer
from holdfast.compat.beaker.util import SyncDict
from holdfast.compat.settings import CompatWarning
from holdfast.errors import ConfigError

__all__ = ["GoogleContainer", "GoogleNamespaceManager"]


class GoogleNamespaceManager(OneRow):
    """A namespace as an entity whose name is `p` and the namespace.

    Which project it is in is told by the environment: `GOOGLE_CLOUD_PROJECT`, or the credentials.

    Args:
        namespace: The name.
        table_name: The kind of the entities.
        params: Options of other kinds, which say nothing here.

    Attributes:
        tables: The store of each kind.

    Raises:
        InvalidCacheBackendError: google-cloud-datastore is not installed, or no project is told.
    """

    tables: ClassVar[SyncDict] = SyncDict()

    @classmethod
    def _init_dependencies(cls) -> None:
        need("google.cloud.datastore", "ext:google", "datastore")

    def __init__(self, namespace: str, table_name: str = "beaker_cache", **params: Any) -> None:  # noqa: ARG002 - as said above
        super().__init__(namespace)
        warnings.warn(
            "ext:google: App Engine's library is no more; Google Cloud Datastore serves it",
            CompatWarning,
            stacklevel=2,
        )
        self.table_name = table_name
        self.namespace = f"p{namespace}"  # a name begins with a letter
        self._plain = self.cache = self.tables.get(table_name, _entities, table_name)

    def get_creation_lock(self, key: Any) -> Any:  # noqa: ARG002 - there is none, as ever
        return null_synchronizer()


def _entities(kind: str) -> Any:
    from holdfast.store.datastore.plain import (  # noqa: PLC0415 - the same
        PlainEntities,
        project_here,
    )

    try:
        return PlainEntities(project_here(), kind)
    except ConfigError as error:
        raise InvalidCacheBackendError(f"ext:google: {error}") from error


class GoogleContainer(Container):
    """Values in entities of Datastore."""

    namespace_class = GoogleNamespaceManager
