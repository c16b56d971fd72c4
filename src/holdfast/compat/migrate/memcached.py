"""Sessions and caches of Beaker on memcached: a target alone, because it cannot list its keys.

Law: that of `places`. What is written is what the client of the application would have written.
"""

from collections.abc import Sequence

from holdfast.compat.beaker.ext.memcached import MemcachedNamespaceManager
from holdfast.compat.migrate.pieces import refreshed
from holdfast.compat.migrate.places import DIFFERS, NAMELESS, TRIES, UNREADABLE, Timed, why
from holdfast.compat.migrate.report import Outcome, Report
from holdfast.errors import CodecError, KeyRejected, StoreTimeout

__all__ = ["Memcached"]

_NO_KEY = "the target cannot carry its key"


class Memcached:
    """The servers.

    Args:
        servers: `host:port`, with semicolons between.
        module: The client, as Beaker's `memcache_module`.
    """

    library, kind = "beaker", "memcached"

    def __init__(self, servers: str, module: str) -> None:
        self.name = f"memcached://{servers.replace(';', ',')}"
        self._servers, self._module = servers, module

    def close(self) -> None:
        """Do nothing: the client is shared by all of a process."""

    def take(self, some: Sequence[Timed], report: Report, *, replace: bool, dry: bool) -> None:
        """Write values; see `places.Place`."""
        for piece, ttl in some:
            if piece.space is None or piece.is_hashed:
                report.leave(piece.name, NAMELESS)
                continue
            space = MemcachedNamespaceManager(piece.space, self._servers, self._module)
            try:
                outcome = self._put(
                    space, piece.key, refreshed(piece), ttl, replace=replace, dry=dry
                )
            except CodecError as error:
                report.leave(piece.name, UNREADABLE, why(error))
            except KeyRejected:
                report.leave(piece.name, _NO_KEY)
            else:
                if outcome is None:
                    report.leave(piece.name, DIFFERS)
                else:
                    report.add(outcome)

    def _put(
        self,
        space: MemcachedNamespaceManager,
        key: object,
        value: object,
        ttl: float | None,
        *,
        replace: bool,
        dry: bool,
    ) -> Outcome | None:
        """Write one value; return what became of it, None where something else is there."""
        for _ in range(TRIES):
            try:
                there = space.reread(key)
            except KeyError:
                there = None
            if there is not None and there == value:
                return Outcome.THERE
            if there is not None and not replace:
                return None
            if dry or space.swap_value(key, value, ttl):
                return Outcome.WRITTEN
        raise StoreTimeout(self.name, f"others wrote at once, {TRIES} times; begin again")
