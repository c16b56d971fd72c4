"""Lines: a ring as it is written, with its secrets, and what becomes of it when it changes.

Law: pure but for new secrets. Newest first, always: who is put in, is put in front. A key is never
made the signing one again by the revocation of a newer one.
"""

import json
import secrets
from dataclasses import dataclass, field, replace

from holdfast.errors import ConfigError
from holdfast.signing.key import Key

__all__ = ["Line", "Lines", "dump", "fresh", "kept_up", "parse", "revoked", "rotated"]

_FORM = "holdfast key ring"
_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One key, as it is written."""

    secret: str = field(repr=False)
    activates: float
    revoked: bool = False

    def key(self) -> Key:
        """Return the key.

        Raises:
            ConfigError: The secret is weak.
        """
        return Key(self.secret, activates=self.activates, revoked=self.revoked)


Lines = tuple[Line, ...]
"""Newest first."""


def fresh(activates: float) -> Line:
    """Return a line with a new secret of 256 bits."""
    return Line(secrets.token_urlsafe(32), activates)


def rotated(lines: Lines, now: float, *, delay: float, keep: float | None) -> Lines:
    """Return `lines` with a new one first; the first of all signs at once.

    Args:
        lines: As they are.
        now: UTC seconds.
        delay: Seconds until it signs.
        keep: Seconds a line stays after it has signed for the last time; None: it stays.
    """
    return (fresh(now + delay if lines else now), *_still_kept(lines, now, keep))


def kept_up(
    lines: Lines, now: float, *, rotate_every: float | None, notice: float, keep: float | None
) -> Lines:
    """Return `lines` with the next key where it is due, `notice` seconds before it signs.

    What needs no change comes back as it is.
    """
    if not lines:
        return (fresh(now),)
    newest = next((line for line in lines if not line.revoked), None)
    if newest is None:
        return (fresh(now), *lines)
    if rotate_every is None or now < newest.activates + rotate_every - notice:
        return lines
    return rotated(lines, now, delay=notice, keep=keep)


def revoked(lines: Lines, key_id: bytes, now: float) -> Lines:
    """Return `lines` with one revoked, and where it signed, the next or a new one in its place.

    Raises:
        ConfigError: None has that id.
    """
    at = next((at for at, line in enumerate(lines) if line.key().id == key_id), None)
    if at is None:
        raise ConfigError(f"no key of this ring is called {key_id.hex()}")
    newer, older = lines[:at], lines[at + 1 :]
    changed = (*newer, replace(lines[at], revoked=True), *older)
    if any(_signs(line, now) for line in newer) or lines[at].activates > now:
        return changed
    for place in reversed(range(at)):
        if not newer[place].revoked:  # it waits: every process that can know it knows it
            return (*newer[:place], replace(newer[place], activates=now), *changed[place + 1 :])
    return (fresh(now), *changed)


def dump(lines: Lines) -> bytes:
    """Return `lines` as JSON."""
    keys = [
        {"secret": line.secret, "activates": line.activates, "revoked": line.revoked}
        for line in lines
    ]
    return json.dumps({"form": _FORM, "version": _VERSION, "keys": keys}, indent=1).encode() + b"\n"


def parse(data: bytes) -> Lines:
    """Return what `dump` wrote.

    Raises:
        ConfigError: It is no ring, or one of a newer Holdfast; the error shows nothing of it.
    """
    lines = _parsed(data)
    if lines is None:  # raised out here: a JSONDecodeError carries the text with the secrets
        raise ConfigError("this is no key ring of this version of Holdfast")
    return lines


def _parsed(data: bytes) -> Lines | None:
    try:
        ring = json.loads(data)
        if (ring["form"], ring["version"]) != (_FORM, _VERSION):
            return None
        return tuple(
            Line(str(key["secret"]), float(key["activates"]), key["revoked"] is not False)
            for key in ring["keys"]
        )
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None


def _signs(line: Line, now: float) -> bool:
    return not line.revoked and line.activates <= now


def _still_kept(lines: Lines, now: float, keep: float | None) -> Lines:
    """Return `lines` without those of which a newer one took the place, `keep` seconds ago."""
    if keep is None:
        return lines
    ends = now - keep
    took_over = next((at for at, line in enumerate(lines) if _signs(line, ends)), len(lines))
    return lines[: took_over + 1]
