"""`beaker.container`: the managers of namespaces, `Value`, and the Containers of long ago.

Law: names only; `namespaces.py` has the managers that others extend, `local_namespaces.py` those
over files, `value.py` the life of a value.
"""

import logging
from typing import Any, ClassVar

from holdfast.compat.beaker import util
from holdfast.compat.beaker.exceptions import CreationAbortedError, MissingCacheParameter
from holdfast.compat.beaker.local_namespaces import DBMNamespaceManager, FileNamespaceManager
from holdfast.compat.beaker.namespaces import (
    AbstractDictionaryNSManager,
    MemoryNamespaceManager,
    NamespaceManager,
    OpenResourceNamespaceManager,
)
from holdfast.compat.beaker.synchronization import (
    NameLock,
    _threading,
    file_synchronizer,
    mutex_synchronizer,
    null_synchronizer,
)
from holdfast.compat.beaker.value import Value

__all__ = [
    "AbstractDictionaryNSManager",
    "Container",
    "ContainerContext",
    "ContainerMeta",
    "CreationAbortedError",
    "DBMContainer",
    "DBMNamespaceManager",
    "DbmContainer",
    "FileContainer",
    "FileNamespaceManager",
    "MemoryContainer",
    "MemoryNamespaceManager",
    "MissingCacheParameter",
    "NameLock",
    "NamespaceManager",
    "OpenResourceNamespaceManager",
    "Value",
    "_threading",
    "debug",
    "file_synchronizer",
    "logger",
    "mutex_synchronizer",
    "namespace_classes",
    "null_synchronizer",
    "util",
]

logger = logging.getLogger("beaker.container")
debug = logger.debug

namespace_classes: dict[type, Any] = {}
"""The manager of each class of Containers."""

ContainerContext = dict
"""The managers that were made, by their names; given from call to call."""


class ContainerMeta(type):
    """Makes a class of Containers a function: calling it gives a `Value`."""

    def __init__(cls, classname: str, bases: tuple[type, ...], dict_: dict[str, Any]) -> None:
        super().__init__(classname, bases, dict_)
        # Some programs name it `namespace_manager`; what stands in the class itself goes first.
        if "namespace_manager" in dict_ and "namespace_class" not in dict_:
            cls.namespace_class = dict_["namespace_manager"]
        namespace_classes[cls] = cls.namespace_class

    def __call__(
        cls,
        key: Any,
        context: dict[str, Any],
        namespace: str,
        createfunc: Any = None,
        expiretime: float | None = None,
        starttime: float | None = None,
        **kwargs: Any,
    ) -> Value:
        """Return the value of `key`; the manager of `namespace` is made at its first use."""
        manager = context.get(namespace)
        if manager is None:
            manager = context[namespace] = namespace_classes[cls](namespace, **kwargs)
        return Value(key, manager, createfunc, expiretime, starttime)


class Container(metaclass=ContainerMeta):
    """The base of Containers, which programs of today have no use for: see `Value`.

    Attributes:
        namespace_class: The manager of its namespaces.
    """

    namespace_class: ClassVar[Any] = NamespaceManager


class FileContainer(Container):
    """Values in one file per namespace."""

    namespace_class = FileNamespaceManager


class MemoryContainer(Container):
    """Values in this process."""

    namespace_class = MemoryNamespaceManager


class DBMContainer(Container):
    """Values in one dbm file per namespace."""

    namespace_class = DBMNamespaceManager


DbmContainer = DBMContainer
