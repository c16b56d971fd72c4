"""Import names of the old libraries, resolved to the modules here.

Law: a name and its module here are one module object, so `isinstance` holds across both. Nothing
is replaced that was imported before: half of a program would hold the genuine library.
"""

import importlib
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

from holdfast.compat.settings import configure, current
from holdfast.errors import ConfigError

__all__ = ["NAMES", "install"]

NAMES = ("beaker", "pycket", "pyramid_beaker", "pyramid_kvs", "pytyrant")
"""The import names there are modules for."""

_HERE = "holdfast.compat."
_WITH = {"pyramid_beaker": "beaker"}  # one application's regions and caches are in both


def install(
    *names: str,
    allow: Iterable[str] | None = None,
    old_form: bool | None = None,
    unsafe: Iterable[str] | None = None,
) -> None:
    """Make the import names of old libraries resolve to Holdfast's, for this process.

    Call it before anything imports them. Settings that are not given stay as they are.

    Args:
        names: Of `NAMES`; "pyramid_beaker" brings "beaker".
        allow: Classes of the application that may stand in a session or cache, as
            `"module.Class"`: those that are no plain data.
        old_form: Write records as the old libraries did, while processes with them still run.
        unsafe: Old behaviour that is asked for though it is not safe; names of `settings.UNSAFE`.

    Raises:
        ConfigError: There is no such name, the genuine library was imported before, or a setting
            is wrong.
    """
    wanted = dict.fromkeys([*names, *(_WITH[name] for name in names if name in _WITH)])
    for name in wanted:
        if name not in NAMES:
            raise ConfigError(f"no library {name!r} to stand in for: choose {', '.join(NAMES)}")
        present = sys.modules.get(name)
        if present is not None and not _is_ours(present):
            raise ConfigError(
                f"{name} was imported before holdfast.compat.install({name!r}): call it first, or "
                f"start the program by `python -m holdfast.compat {name} -- COMMAND`"
            )
    if (allow, old_form, unsafe) != (None, None, None):
        now = current()
        configure(
            allow=now.allow if allow is None else allow,
            old_form=now.old_form if old_form is None else old_form,
            unsafe=now.unsafe if unsafe is None else unsafe,
        )
    _finder.names.update(wanted)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def _is_ours(module: ModuleType) -> bool:
    return module.__name__.startswith(_HERE)


class _Finder(MetaPathFinder):
    """Finds the names that were installed."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the protocol's
        target: ModuleType | None = None,  # noqa: ARG002 - the same
    ) -> ModuleSpec | None:
        """Return how a name is loaded; None for names that are not ours."""
        if fullname.partition(".")[0] not in self.names:
            return None
        ours = find_spec(_HERE + fullname)
        if ours is None:
            return None
        return ModuleSpec(fullname, _Alias(_HERE + fullname), origin=ours.origin)


class _Alias(Loader):
    """Loads a module under its second name: that is, finds it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:  # noqa: ARG002 - the protocol's
        """Return the module itself."""
        module = importlib.import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own spec back, which the import took: it was executed long ago."""
        module.__spec__ = self._spec


_finder = _Finder()
