"""Key ring: the newest secret signs and seals, every one that is not revoked verifies.

Law: keys stand newest first. The first that is active and not revoked signs, and by that all behind
it are retired: they verify until they are taken out. What is signed begins with a format version
and the id of its key; these only *select* among what is known, and no other key is tried.
"""

import hmac
import os
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NoReturn, Protocol

from holdfast.clock import Clock, wall
from holdfast.codec.text import to_text
from holdfast.durations import Duration, seconds
from holdfast.errors import ConfigError
from holdfast.signing.key import HEADER, VERSION, Key
from holdfast.signing.lines import Lines, revoked, rotated
from holdfast.signing.strength import MEND

if TYPE_CHECKING:
    from holdfast.signing.stored import Rows

__all__ = ["KeyRing", "Keys", "Secrets", "Source"]

Secrets = str | bytes | Key | Iterable[str | bytes | Key]
"""One secret, or several, newest first."""

_MAC_BYTES = 32


class Keys:
    """What a ring knows at one time.

    Args:
        keys: Newest first.

    Raises:
        ConfigError: There is none, one stands there twice, or all are revoked.
    """

    __slots__ = ("_by_id", "all")

    def __init__(self, keys: Iterable[Key]) -> None:
        self.all = tuple(keys)
        self._by_id = {key.id: key for key in self.all}
        if not self.all:
            raise ConfigError(f"secrets: give at least one; {MEND}")
        if len(self._by_id) < len(self.all):
            raise ConfigError("secrets: one of them stands there twice; keep one of the two")
        if all(key.revoked for key in self.all):
            raise ConfigError(f"secrets: all of them are revoked; {MEND}")

    def get(self, key_id: bytes) -> Key | None:
        """Return the key of that id, revoked or not."""
        return self._by_id.get(key_id)

    def signer(self, now: float) -> Key:
        """Return the key that signs at `now`.

        Where none is active yet, the oldest signs: a clock that is behind must stop no program.
        """
        for key in self.all:
            if key.activates <= now and not key.revoked:
                return key
        return next(key for key in reversed(self.all) if not key.revoked)


class Source(Protocol):
    """Where a ring has its keys from."""

    def known(self, *, missing: bool = False) -> Keys:
        """Return the keys known now.

        Args:
            missing: An id came that is not among them: look anew, if that was not done just now.
        """

    def change(self, decide: Callable[[Lines], Lines]) -> None:
        """Write what `decide` makes of the ring as it is; it may be asked more than once."""


class KeyRing:
    """Secrets, newest first: the first active one signs, all that are not revoked verify.

    To rotate, put the new secret before the old ones and drop the last once nothing it signed is
    still in use. To revoke, wrap the secret: `KeyRing([NEW, Key(LEAKED, revoked=True)])`. Rings in
    a file or a store do both by `rotate` and `revoke`, and other processes hear of it.

    Args:
        secrets: One secret or several, newest first; see `Key`. Another ring is taken over.
        clock: UTC seconds, to know which keys are active.

    Raises:
        ConfigError: There is none, one is weak or stands there twice, or the first is revoked.
    """

    _source: Source
    _clock: Clock

    def __init__(self, secrets: "Secrets | KeyRing", *, clock: Clock = wall) -> None:
        if isinstance(secrets, KeyRing):
            self._share(secrets._source, secrets._clock)  # noqa: SLF001 - one of us
        else:
            self._share(_Given(_keys(secrets)), clock)

    @classmethod
    def from_env(cls, name: str = "HOLDFAST_SECRETS") -> "KeyRing":
        """Return the ring of the secrets in an environment variable, which is read once.

        Args:
            name: The variable: newest first, separated by commas or white space, so that a secret
                has neither.

        Raises:
            ConfigError: It is not set, or a secret is weak; the error shows its name alone.
        """
        found = re.split(r"[\s,]+", os.environ.get(name, "").strip(" \t\r\n,"))
        if found == [""]:
            raise ConfigError(f"{name} is not set or empty; {MEND}")
        try:
            return cls(found)
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}") from None

    @classmethod
    def in_file(cls, path: str | os.PathLike[str], *, clock: Clock = wall) -> "KeyRing":
        """Return the ring in a file that `holdfast keys rotate` wrote; changes to it are seen.

        It is read at the first use. Later what cannot be read changes nothing, and is logged.

        Args:
            path: The file; it must be readable by its owner alone (mode 0600).
            clock: UTC seconds.

        Raises:
            ConfigError: At the first use: it is missing, no ring, or others may read it.
        """
        from holdfast.signing.file import InFile  # noqa: PLC0415 - it knows this module

        return cls._of(InFile(path, clock), clock)

    @classmethod
    def in_store(
        cls,
        store: "Rows",
        *,
        protect: "Secrets | KeyRing",
        rotate_every: Duration | None = "90d",
        keep: Duration | None = None,
        clock: Clock = wall,
    ) -> "KeyRing":
        """Return the ring that all programs on `store` share; it is made and rotated by itself.

        It is sealed by `protect`, so that the store's own readers cannot use it. The first use
        reads it, and waits for that; so `ring.newest` when a program starts, before its event loop
        runs, is a good place to hear that something is wrong. From then on it is read again in the
        background, every minute and soon after an unknown key id came; while the store is down,
        what is known serves. The next key is stored an hour before it signs.

        Args:
            store: An open store. Rings with other prefixes are other rings.
            protect: One secret or several, newest first; the ring is sealed by the newest.
            rotate_every: How long a key signs; at least a day. None: only `rotate` rotates.
            keep: How long a key verifies after it has signed for the last time. None: for ever;
                what else is sealed by a key that is dropped is lost.
            clock: UTC seconds.

        Raises:
            ConfigError: A duration is wrong, a secret weak, or the package `cryptography` missing.
                At the first use: the ring was sealed by other secrets.
            StoreError: At the first use: the store failed.
        """
        from holdfast.signing.stored import InStore, Plan  # noqa: PLC0415 - it knows this module

        return cls._of(InStore(store, cls(protect), Plan.of(rotate_every, keep), clock), clock)

    @classmethod
    def _of(cls, source: Source, clock: Clock) -> "KeyRing":
        ring = cls.__new__(cls)
        ring._share(source, clock)  # noqa: SLF001 - one of us
        return ring

    def _share(self, source: Source, clock: Clock) -> None:
        self._source, self._clock = source, clock

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys known now, newest first."""
        return self._source.known().all

    @property
    def newest(self) -> Key:
        """The key that signs and seals now."""
        return self._source.known().signer(self._clock())

    def find(self, key_id: bytes) -> Key | None:
        """Return the key of that id if it may verify: None for an unknown or a revoked one."""
        key = self._source.known().get(key_id)
        if key is None:
            key = self._source.known(missing=True).get(key_id)
        return None if key is None or key.revoked else key

    def is_newest(self, token: bytes | str) -> bool:
        """Return whether `token` names the key that signs; if not, it should be issued anew.

        Args:
            token: What `sign` or a seal made, or its url-safe text. Nothing is verified here.
        """
        header = _header(self.newest)
        if isinstance(token, str):
            # 7 bytes are 9 signs and 2 bits of the next; 54 bits tell the keys of a ring apart
            return token.startswith(to_text(header)[:9])
        return token.startswith(header)

    def rotate(self, *, delay: Duration = "1h", keep: Duration | None = None) -> None:
        """Put a new key first, in the file or the store; in an event loop, from a thread.

        Args:
            delay: How long until it signs, so that all processes know it before one uses it.
            keep: Drop the keys that have not signed for so long; None: none.

        Raises:
            ConfigError: The ring is neither in a file nor in a store.
            StoreError: The store failed; after `StoreTimeout` it is unknown what it did.
            OSError: The file cannot be written.
        """
        wait = seconds(delay, option="delay")
        kept = None if keep is None else seconds(keep, option="keep")
        self._source.change(lambda lines: rotated(lines, self._clock(), delay=wait, keep=kept))

    def revoke(self, key_id: bytes) -> None:
        """Believe no more what a key signed; if it signs now, the next or a new one does at once.

        This process obeys at once, others when they look again: within a second at a file, a
        minute at a store.

        Args:
            key_id: The `Key.id`.

        Raises:
            ConfigError: No key has that id, or the ring is neither in a file nor in a store.
            StoreError: The store failed; after `StoreTimeout` it is unknown what it did.
            OSError: The file cannot be written.
        """
        self._source.change(lambda lines: revoked(lines, key_id, self._clock()))

    def sign(self, data: bytes, purpose: str) -> bytes:
        """Return `data` with the signing key's id and signature before it.

        Args:
            data: The bytes, which stay readable.
            purpose: What they are for; `verify` must be told the same.
        """
        key = self.newest
        header = _header(key)
        return header + _mac(key, header, data, purpose) + data

    def verify(self, signed: bytes, purpose: str) -> bytes | None:
        """Return what was signed, or None if it was not signed so by a key that may verify."""
        header = signed[:HEADER]
        if len(header) < HEADER or header[0] != VERSION:
            return None
        key = self.find(header[1:])
        if key is None:
            return None
        mac, data = signed[HEADER : HEADER + _MAC_BYTES], signed[HEADER + _MAC_BYTES :]
        return data if hmac.compare_digest(mac, _mac(key, header, data, purpose)) else None

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key ring is not pickled: make it anew in the other process")

    def __repr__(self) -> str:
        return f"<KeyRing {self._source!r}>"


class _Given:
    """Keys that stand in the program."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def known(self, *, missing: bool = False) -> Keys:  # noqa: ARG002 - there are no others
        return self._keys

    def change(self, decide: Callable[[Lines], Lines]) -> NoReturn:  # noqa: ARG002 - see the error
        raise ConfigError(
            "this ring stands in the program or its environment: change it there, or keep it in a"
            " file (KeyRing.in_file) or a store (KeyRing.in_store)"
        )

    def __repr__(self) -> str:
        return ", ".join(repr(key) for key in self._keys.all)


def _header(key: Key) -> bytes:
    return bytes([VERSION]) + key.id


def _mac(key: Key, header: bytes, data: bytes, purpose: str) -> bytes:
    return hmac.digest(key.derive("sign", purpose), header + data, "sha256")


def _keys(secrets: Secrets) -> Keys:
    if isinstance(secrets, str | bytes | Key):
        secrets = [secrets]
    if not isinstance(secrets, Iterable):
        raise ConfigError(f"secrets: one secret or several, not {type(secrets).__name__}; {MEND}")
    keys = Keys(secret if isinstance(secret, Key) else Key(secret) for secret in secrets)
    if keys.all[0].revoked:
        raise ConfigError(f"secrets: the first one signs and must not be revoked; {MEND}")
    return keys
