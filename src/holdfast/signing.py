"""Key ring: the newest secret signs and seals, every one that is not revoked verifies.

Law: a secret is used only through keys derived from it, one for each use and purpose, so that what
was signed for one purpose is worthless for another. What is signed begins with a format version and
the id of its key; these only *select* among what is configured. A secret never appears in a repr,
an error or a log; a weak one is refused at start.
"""

import hmac
from collections.abc import Iterable
from itertools import pairwise

from holdfast.codec.text import to_text
from holdfast.errors import ConfigError

__all__ = ["HEADER", "ID_BYTES", "VERSION", "Key", "KeyRing", "Secrets", "length_prefixed"]

VERSION = 1
"""First byte of everything signed or sealed."""

ID_BYTES = 6
"""Length of a key id, which follows the version."""

HEADER = 1 + ID_BYTES
"""Bytes before the body: version and key id."""

_MAC_BYTES = 32
_CACHED_KEYS = 64  # purposes are written in programs; a program that makes them up pays again
_LEAST_BYTES = 32
_LEAST_DISTINCT = 8
_LEAST_UNKNOWN = 8
_MEND = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'

# What the secrets in documents, templates and quick starts are made of; longest first, so that
# "secretkey" goes before "secret". A secret with hardly anything besides these is no secret.
_WORDS = sorted(
    (  # noqa: SIM905 - a hundred words read better without quotes
        "secret secrets password passphrase passwd changeme change replace please this that with "
        "your yours super supersecret mysecret my the key secretkey signing signingkey value here "
        "must should least at long longer length minimum characters chars character bytes byte "
        "random string text insecure unsafe default example sample demo dummy placeholder test "
        "testing dev development production local session sessions cookie cookies token jwt auth "
        "app application flask django fastapi starlette pyramid beaker tornado iron holdfast very "
        "really not so safe secure complex strong hard guess todo fixme foo bar baz qux hello "
        "world abc abcdef abcdefgh abcdefghijklmnopqrstuvwxyz qwerty qwertyuiop asdf letmein "
        "admin root user hunter2 keyboard cat correct horse battery staple seekrit shh some "
        "something into for and only keep before deploy deploying thirtytwo thirty two one "
        "0123456789 123456789 12345678 1234567890 123456 1234 123 0000 32 64 deadbeef cafebabe"
    ).split(),
    key=len,
    reverse=True,
)


class Key:
    """One secret of a ring.

    Args:
        secret: At least 32 random bytes, or text; text counts as its UTF-8 bytes.
        revoked: What this key signed or sealed is no longer believed.

    Attributes:
        id: Names the key in what it signed: a hash of the secret, the same in every process.
        revoked: As given.

    Raises:
        ConfigError: The secret is short, well known or made of a pattern.
    """

    __slots__ = ("_derived", "_master", "id", "revoked")

    def __init__(self, secret: str | bytes, *, revoked: bool = False) -> None:
        strong = _strong(secret)
        self._master = hmac.digest(b"holdfast 1 master", strong, "sha256")
        self._derived: dict[tuple[str, str], bytes] = {}
        self.id = hmac.digest(self._master, b"id", "sha256")[:ID_BYTES]
        self.revoked = revoked

    def derive(self, use: str, purpose: str) -> bytes:
        """Return the 32-byte key for one use (`"sign"`, `"seal"`) and one purpose."""
        key = self._derived.get((use, purpose))
        if key is None:
            label = b"key" + length_prefixed(use) + length_prefixed(purpose)
            key = hmac.digest(self._master, label, "sha256")
            if len(self._derived) < _CACHED_KEYS:
                self._derived[use, purpose] = key
        return key

    def __repr__(self) -> str:
        return f"<Key {self.id.hex()}{' revoked' if self.revoked else ''}>"


Secrets = str | bytes | Key | Iterable[str | bytes | Key]
"""One secret, or several, newest first."""


class KeyRing:
    """Secrets, newest first: the first signs, all that are not revoked verify.

    To rotate, put the new secret before the old ones and drop the last once nothing it signed is
    still in use. To revoke, wrap the secret: `KeyRing([NEW, Key(LEAKED, revoked=True)])`.

    Args:
        secrets: One secret or several, newest first; see `Key`. Another ring is taken over.

    Attributes:
        keys: The keys, newest first.
        newest: The key that signs and seals.

    Raises:
        ConfigError: There is none, one is weak or stands there twice, or the first is revoked.
    """

    def __init__(self, secrets: "Secrets | KeyRing") -> None:
        self.keys = _keys(secrets)
        if not self.keys:
            raise ConfigError(f"secrets: give at least one; {_MEND}")
        if self.keys[0].revoked:
            raise ConfigError(f"secrets: the first one signs and must not be revoked; {_MEND}")
        self.newest = self.keys[0]
        self._newest_header = bytes([VERSION]) + self.newest.id
        # 7 bytes are 9 signs and 2 bits of the next; 54 bits tell the keys of a ring apart
        self._newest_text = to_text(self._newest_header)[:9]
        self._by_id = {key.id: key for key in self.keys}
        if len(self._by_id) < len(self.keys):
            raise ConfigError("secrets: one of them stands there twice; keep one of the two")

    def find(self, key_id: bytes) -> Key | None:
        """Return the key of that id if it may verify: None for an unknown or a revoked one."""
        key = self._by_id.get(key_id)
        return None if key is None or key.revoked else key

    def is_newest(self, token: bytes | str) -> bool:
        """Return whether `token` names the newest key; if not, it should be issued anew.

        Args:
            token: What `sign` or a seal made, or its url-safe text. Nothing is verified here.
        """
        if isinstance(token, str):
            return token.startswith(self._newest_text)
        return token.startswith(self._newest_header)

    def sign(self, data: bytes, purpose: str) -> bytes:
        """Return `data` with the newest key's id and signature before it.

        Args:
            data: The bytes, which stay readable.
            purpose: What they are for; `verify` must be told the same.
        """
        header = bytes([VERSION]) + self.newest.id
        return header + _mac(self.newest, header, data, purpose) + data

    def verify(self, signed: bytes, purpose: str) -> bytes | None:
        """Return what was signed, or None if it was not signed so by a key that may verify."""
        header = signed[:HEADER]
        key = self.find(header[1:])
        if key is None or header[0] != VERSION:
            return None
        mac, data = signed[HEADER : HEADER + _MAC_BYTES], signed[HEADER + _MAC_BYTES :]
        return data if hmac.compare_digest(mac, _mac(key, header, data, purpose)) else None

    def __repr__(self) -> str:
        return f"<KeyRing {', '.join(repr(key) for key in self.keys)}>"


def length_prefixed(text: str) -> bytes:
    """Return `text` as UTF-8 after its length, so that joined texts cannot be split otherwise."""
    data = text.encode("utf-8", "surrogatepass")
    return len(data).to_bytes(4, "big") + data


def _mac(key: Key, header: bytes, data: bytes, purpose: str) -> bytes:
    return hmac.digest(key.derive("sign", purpose), header + data, "sha256")


def _keys(secrets: "Secrets | KeyRing") -> tuple[Key, ...]:
    if isinstance(secrets, KeyRing):
        return secrets.keys
    if isinstance(secrets, str | bytes | Key):
        secrets = [secrets]
    if not isinstance(secrets, Iterable):
        raise ConfigError(f"secrets: one secret or several, not {type(secrets).__name__}; {_MEND}")
    return tuple(secret if isinstance(secret, Key) else Key(secret) for secret in secrets)


def _strong(secret: str | bytes) -> bytes:
    """Return the bytes of a secret that can be trusted; the error never shows it."""
    if not isinstance(secret, str | bytes):
        raise ConfigError(f"secrets: text or bytes, not {type(secret).__name__}; {_MEND}")
    try:
        data = secret.encode() if isinstance(secret, str) else bytes(secret)
    except UnicodeEncodeError:
        raise ConfigError(f"secrets: one has characters beyond Unicode; {_MEND}") from None
    if len(data) < _LEAST_BYTES:
        raise ConfigError(
            f"secrets: one has {len(data)} bytes, it needs at least {_LEAST_BYTES}; {_MEND}"
        )
    if _is_pattern(data) or _is_well_known(data):
        raise ConfigError(f"secrets: one is well known or a mere pattern; {_MEND}")
    return data


def _is_pattern(data: bytes) -> bool:
    """Return whether a rule of thumb could write `data`: repeats, counting, few signs."""
    repeats = any(data.startswith(data[period:]) for period in range(1, len(data) // 2 + 1))
    counts = len({(after - before) % 256 for before, after in pairwise(data)})
    return repeats or counts == 1 or len(set(data)) < _LEAST_DISTINCT


def _is_well_known(data: bytes) -> bool:
    """Return whether `data` is a sample out of a document, or words that say it is one."""
    text = data.decode("latin-1").lower()
    if text.startswith("django-insecure-"):
        return True
    rest = "".join(sign for sign in text if sign.isalnum())
    for word in _WORDS:
        rest = rest.replace(word, "")
    return len(rest) < _LEAST_UNKNOWN and text.isascii() and text.isprintable()
