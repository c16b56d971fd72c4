"""Beaker, as applications import it, on Holdfast's stores.

Law: the modules and names are those of Beaker 1.14.1. A module is loaded when it is first asked
for: `import beaker` alone is enough to say `beaker.cache`.
"""

import importlib
from types import ModuleType

__version__ = "1.14.1"

_MODULES = {"cache", "container", "converters", "cookie", "crypto", "exceptions", "ext"}
_MODULES |= {"middleware", "session", "synchronization", "util"}


def __getattr__(name: str) -> ModuleType:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")
