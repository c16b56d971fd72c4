"""Strength: which secrets are refused, because somebody could write them down.

Law: pure. No rule can tell that a secret is good, only that it is bad; the error never shows it.
What is told of text is told of what it spells in hex or base64 as well.
"""

import base64
import binascii
from collections.abc import Iterator
from itertools import pairwise

from holdfast.errors import ConfigError
from holdfast.signing.samples import SAMPLES, WORDS

__all__ = ["MEND", "strong"]

MEND = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'
_LEAST_BYTES = 32
_LEAST_DISTINCT = 8
_LEAST_UNKNOWN = 16
_BETWEEN = frozenset(" -_.,:;!?'\"/")  # what words are joined by
_PREFIXES = ("django-insecure-",)


def strong(secret: str | bytes) -> bytes:
    """Return the bytes of a secret that can be trusted.

    Raises:
        ConfigError: It is short, well known or made of a pattern.
    """
    if not isinstance(secret, str | bytes):
        raise ConfigError(f"secrets: text or bytes, not {type(secret).__name__}; {MEND}")
    data = secret.encode("utf-8", "replace") if isinstance(secret, str) else bytes(secret)
    if isinstance(secret, str) and data.decode() != secret:  # an UnicodeError would carry it
        raise ConfigError(f"secrets: one has characters beyond Unicode; {MEND}")
    if len(data) < _LEAST_BYTES:
        raise ConfigError(
            f"secrets: one has {len(data)} bytes, it needs at least {_LEAST_BYTES}; {MEND}"
        )
    if any(_is_pattern(form) or _is_well_known(form) for form in _forms(data)):
        raise ConfigError(f"secrets: one is well known or a mere pattern; {MEND}")
    return data


def _forms(data: bytes) -> Iterator[bytes]:
    """Yield `data`, and what it spells where it is hex or base64."""
    yield data
    bare = data.strip().removeprefix(b"base64:")
    for spelt in (bytes.fromhex, _from_base64):
        try:
            yield spelt(bare.decode("ascii"))
        except (ValueError, binascii.Error):  # it spells nothing
            continue


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)


def _is_pattern(data: bytes) -> bool:
    """Return whether a rule of thumb could write `data`: repeats, counting, few signs."""
    repeats = any(data.startswith(data[period:]) for period in range(1, len(data) // 2 + 1))
    counts = len({(after - before) % 256 for before, after in pairwise(data)}) <= 1
    return repeats or counts or len(set(data)) < _LEAST_DISTINCT


def _is_well_known(data: bytes) -> bool:
    """Return whether `data` is a sample out of a document, or words that say it is one."""
    text = data.decode("latin-1").lower().strip()
    if text in SAMPLES or text.startswith(_PREFIXES):
        return True
    rest = "".join(sign for sign in text if sign not in _BETWEEN)
    for word in WORDS:
        rest = rest.replace(word, "")
    return len(rest) < _LEAST_UNKNOWN and text.isascii() and text.isprintable()
