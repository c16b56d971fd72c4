"""Laws of what only we can make: sealed and signed messages, session tokens, CSRF tokens.

Law: a message that is not, octet by octet, one that was made here is refused, and in one way only.
"""

import base64
import hashlib
import string

from fuzz.edits import edited, octets
from holdfast.codec.seal import Seal
from holdfast.errors import CodecError
from holdfast.session import csrf
from holdfast.session.token import id_of, is_id, new_token
from holdfast.signing import Key, KeyRing

__all__ = ["SEALED", "seals", "tokens", "well_formed"]

BOUND = "__Host-sid"
RING = KeyRing(
    [
        "Zk3vQ1xY7pLw9sT2mN8bR4cD6fG0hJ5a-uE",
        "pW7rT4yU1iO8eA5sD2fG9hJ6kL3zX0cV-bN",
        Key("qA2wS8eD4rF6tG0yH1uJ3iK5oL7pZ9x-cM", revoked=True),
    ]
)
SEAL = Seal(RING, "session")
OLD = Seal(KeyRing(RING.keys[1]), "session")
REVOKED = Seal(KeyRing("qA2wS8eD4rF6tG0yH1uJ3iK5oL7pZ9x-cM"), "session")
OTHER = Seal(RING, "csrf")
GOOD = [SEAL.seal(b"", BOUND), SEAL.seal(b"record" * 20, BOUND), OLD.seal(b"old", BOUND)]
BAD = [
    SEAL.seal(b"of another cookie", "sid"),
    REVOKED.seal(b"of a revoked key", BOUND),
    OTHER.seal(b"for another purpose", BOUND),
    RING.sign(b"a signature", "session"),
]
SIGNED = [RING.sign(b"", "link"), RING.sign(b"data" * 10, "link")]
_SIGNS = string.ascii_letters + string.digits + "-_"
TOKEN = new_token()
SECRET = csrf.new_secret()
MASKED = csrf.mask(SECRET)
MADE = [*GOOD, *BAD, *SIGNED]
SEALED = [
    *MADE,
    *(base64.urlsafe_b64encode(message).rstrip(b"=") for message in MADE),
    TOKEN.encode(),
    TOKEN[:-1].encode() + b"B",  # the same bytes, spelled otherwise
    TOKEN.encode() + b"\n",
    MASKED.encode(),
]


def seals(data: bytes) -> None:
    """Assert that nothing but what was sealed or signed here is believed."""
    assert_sealed(data)
    assert_signed(data)
    for message in GOOD:
        assert_sealed(edited(message, data))
    for message in BAD:
        assert _unsealed(edited(message, data)) is None
    for message in SIGNED:
        assert_signed(edited(message, data))


def assert_sealed(message: bytes) -> None:
    """Assert that `message`, or the text it is, is believed only if it is one of ours."""
    assert (_unsealed(message) is not None) == (message in GOOD)
    ours = {SEAL.unseal(good, BOUND): good for good in GOOD}
    text = octets(message)
    try:
        found = SEAL.unseal_text(text, BOUND)
    except CodecError as error:
        assert error.codec == "seal"  # noqa: PT017 - no error is as good
        return
    assert text == base64.urlsafe_b64encode(ours[found]).decode().rstrip("=")


def assert_signed(message: bytes) -> None:
    """Assert that a signature is believed only if it is one of ours, for its purpose."""
    assert (RING.verify(message, "link") is not None) == (message in SIGNED)
    assert RING.verify(message, "other") is None
    RING.is_newest(message)
    RING.is_newest(octets(message))


def tokens(data: bytes) -> None:
    """Assert that what is no token in its one spelling has no id, and proves no secret."""
    for message in (data, edited(TOKEN.encode(), data), edited(MASKED.encode(), data)):
        text = octets(message)
        found = id_of(text)
        assert (found is not None) == well_formed(text)
        if found is not None:
            assert found == hashlib.sha256(message).hexdigest()
            assert is_id(found)
        assert csrf.matches(SECRET, text) == _proves(text)
        assert not csrf.matches(SECRET, message)


def well_formed(text: str) -> bool:
    """Return whether `text` is how 32 bytes are spelled."""
    if len(text) != 43 or not set(text) <= set(_SIGNS):
        return False
    return base64.urlsafe_b64encode(base64.urlsafe_b64decode(text + "=")) == f"{text}=".encode()


def _proves(text: str) -> bool:
    """Return whether both halves of `text` make the secret, bit by bit."""
    if len(text) != 86 or not set(text) <= set(_SIGNS):
        return False
    raw = base64.urlsafe_b64decode(text + "==")
    return bytes(one ^ other for one, other in zip(raw[:32], raw[32:], strict=True)) == SECRET


def _unsealed(message: bytes) -> bytes | None:
    try:
        return SEAL.unseal(message, BOUND)
    except CodecError:
        return None
