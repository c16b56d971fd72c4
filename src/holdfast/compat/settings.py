"""What all the old libraries share here: what may be read, how is written, what is unsafe.

Law: one set of settings for the process, changed only by `configure`. The safe way is the default;
each unsafe one has a name, is chosen by it, and warns.
"""

import logging
import re
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from holdfast.errors import ConfigError

__all__ = ["UNSAFE", "CompatWarning", "Settings", "configure", "current", "refused", "tell"]

UNSAFE = {
    "any-pickle": "whoever can write to the store can run code in this process",
    "flush": "clearing one memcached namespace empties the whole server",
    "kept-records": "a session's record outlives its delete() and invalidate()",
    "old-ids": "the id a session had before regenerate_id() still opens it",
    "unknown-ids": "a client can choose the id of its session, and so that of others",
}
"""What `configure(unsafe=[...])` takes, and what it does."""

_log = logging.getLogger("holdfast.compat")
_id = re.compile(r"([0-9a-f]{6})[0-9a-f]{18,}")
_breaks = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MOST_REASONS, _LONGEST = 1000, 500
refused: Counter[str] = Counter()
"""Records that were not read, by reason, since the process began; they count as not found."""


class CompatWarning(UserWarning):
    """An old library is used in a way that is unsafe, or that Holdfast serves otherwise."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the old libraries work in this process.

    Attributes:
        allow: Classes beside the safe ones that may be written and read, as `"module.Class"`.
        old_form: Whether records are written as the old libraries wrote them, for processes that
            still run them; both forms are always read.
        unsafe: Names of `UNSAFE`.
    """

    allow: frozenset[str] = frozenset()
    old_form: bool = False
    unsafe: frozenset[str] = frozenset()


_settings = Settings()


def current() -> Settings:
    """Return the settings of this process."""
    return _settings


def configure(
    *, allow: Iterable[str] = (), old_form: bool = False, unsafe: Iterable[str] = ()
) -> Settings:
    """Set them, whole; what is not given is the default.

    Raises:
        ConfigError: `unsafe` has a name that is not in `UNSAFE`, or `allow` one without a module.
    """
    global _settings  # noqa: PLW0603 - this is the one place that changes it
    for name in (allow := frozenset(allow)):
        if "." not in name.strip("."):
            raise ConfigError(f"allow={name!r}: write 'module.Class'")
    for name in (unsafe := frozenset(unsafe)):
        if name not in UNSAFE:
            raise ConfigError(f"unsafe={name!r}: choose from {', '.join(UNSAFE)}")
        warnings.warn(f"holdfast.compat: {name}: {UNSAFE[name]}", CompatWarning, stacklevel=2)
    _settings = Settings(allow, old_form, unsafe)
    return _settings


def tell(reason: str, where: str) -> None:
    """Count a record that cannot be read, and log it: it is as if it were not there.

    Ids of sessions open them, so of what looks like one the log has the beginning only. A key may
    be what a visitor wrote: it is one line there, and reasons with keys in them do not fill memory.
    """
    reason, where = (_id.sub(r"\1...", text[:_LONGEST]) for text in (reason, where))
    full = len(refused) >= _MOST_REASONS and reason not in refused
    refused["other reasons" if full else reason] += 1
    _log.warning("%s: %s", *(_breaks.sub(_escaped, text) for text in (where, reason)))


def _escaped(found: re.Match[str]) -> str:
    return repr(found.group())[1:-1]
