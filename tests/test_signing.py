"""The key ring: the newest signs, all that are not revoked verify, weak secrets are refused."""

import hmac
import secrets
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.codec.text import to_text
from holdfast.errors import ConfigError
from holdfast.signing import HEADER, ID_BYTES, Key, KeyRing
from holdfast.signing import ring as ring_module

NEW = bytes.fromhex("8f1d0c6f3b7e4a92c5d80e17b6a3f4295e7c1b08d96a43f2e0b5c7198d3a6f42")
OLD = bytes.fromhex("13a7e9c4528b6d0f9e31c8a47b52d6f08e95b3a1c7d4206f5b8e19d3a2c6f704")
TEXT = "uM3v-Zq81xKc_Ld0RwPf7TyHb2Nj5SgEa9Io6Xk4"
SIGNED = KeyRing(NEW).sign(b"hello", "csrf")


@settings(deadline=None)
@given(st.binary(max_size=300), st.text(st.characters(), max_size=30))
def test_what_was_signed_verifies(data: bytes, purpose: str) -> None:
    ring = KeyRing(NEW)
    signed = ring.sign(data, purpose)
    assert ring.verify(signed, purpose) == data
    assert signed.endswith(data)


def test_every_changed_bit_is_noticed() -> None:
    ring = KeyRing(NEW)
    for at in range(len(SIGNED)):
        for bit in range(8):
            changed = bytearray(SIGNED)
            changed[at] ^= 1 << bit
            assert ring.verify(bytes(changed), "csrf") is None


def test_every_cut_and_every_addition_is_noticed() -> None:
    ring = KeyRing(NEW)
    for length in range(len(SIGNED)):
        assert ring.verify(SIGNED[:length], "csrf") is None
    assert ring.verify(SIGNED + b"\x00", "csrf") is None


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_random_bytes_do_not_verify(data: bytes) -> None:
    assert KeyRing(NEW).verify(data, "csrf") is None
    assert KeyRing(NEW).verify(SIGNED[:HEADER] + data, "csrf") is None


@pytest.mark.parametrize("purpose", ["", "CSRF", "csrf ", "session"])
def test_another_purpose_does_not_verify(purpose: str) -> None:
    assert KeyRing(NEW).verify(SIGNED, purpose) is None


def test_the_newest_signs_and_the_others_verify() -> None:
    old_signed = KeyRing(OLD).sign(b"x", "csrf")
    ring = KeyRing([NEW, OLD])
    assert ring.newest.id == Key(NEW).id
    assert ring.verify(old_signed, "csrf") == b"x"
    assert ring.sign(b"x", "csrf")[1:HEADER] == Key(NEW).id
    assert KeyRing(NEW).verify(ring.sign(b"x", "csrf"), "csrf") == b"x"
    assert KeyRing(OLD).verify(ring.sign(b"x", "csrf"), "csrf") is None


def test_what_an_old_key_signed_is_told_apart() -> None:
    ring = KeyRing([NEW, OLD])
    assert ring.is_newest(ring.sign(b"x", "csrf"))
    assert ring.is_newest(to_text(ring.sign(b"x", "csrf")))
    for other in (KeyRing(OLD).sign(b"x", "csrf"), b"", b"\x01", b"\x02" + Key(NEW).id, "", "é"):
        assert not ring.is_newest(other)


def test_a_revoked_key_does_not_verify() -> None:
    ring = KeyRing([OLD, Key(NEW, revoked=True)])
    assert ring.verify(SIGNED, "csrf") is None
    assert ring.find(Key(NEW).id) is None
    assert ring.verify(KeyRing(OLD).sign(b"x", "csrf"), "csrf") == b"x"


def test_a_dropped_key_does_not_verify() -> None:
    assert KeyRing(OLD).verify(SIGNED, "csrf") is None


def test_the_key_id_selects_and_no_other_key_is_tried() -> None:
    renamed = SIGNED[:1] + Key(OLD).id + SIGNED[HEADER:]
    assert KeyRing([NEW, OLD]).verify(renamed, "csrf") is None


def test_a_key_has_the_same_id_in_every_process() -> None:
    code = f"from holdfast.signing import Key; print(Key({TEXT!r}).id.hex())"
    told = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == Key(TEXT).id.hex() == Key(TEXT.encode()).id.hex()
    assert len(Key(TEXT).id) == ID_BYTES
    assert len({Key(secrets.token_bytes(32)).id for _ in range(200)}) == 200


def test_an_unknown_version_does_not_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = KeyRing(NEW)
    with monkeypatch.context() as patched:
        patched.setattr(ring_module, "VERSION", 2)
        signed = ring.sign(b"hello", "csrf")
        assert ring.verify(signed, "csrf") == b"hello"
    assert ring.verify(signed, "csrf") is None
    assert not ring.is_newest(signed)


def test_each_use_and_purpose_has_its_own_key() -> None:
    key = Key(NEW)
    labels = [("sign", "ab"), ("seal", "ab"), ("sign", "a"), ("sig", "nab"), ("signa", "b")]
    derived = {key.derive(use, purpose) for use, purpose in labels}
    assert len(derived) == len(labels)
    assert NEW not in derived
    assert {len(each) for each in derived} == {32}


def test_made_up_purposes_do_not_fill_the_memory() -> None:
    key = Key(NEW)
    for number in range(1000):
        key.derive("sign", str(number))
    assert len(key._derived) < 100
    assert key.derive("sign", "999") == Key(NEW).derive("sign", "999")


@pytest.mark.parametrize("given_as", [TEXT, TEXT.encode(), [TEXT], (TEXT,), Key(TEXT)])
def test_secrets_come_in_many_forms(given_as: str | bytes | list[str | bytes | Key] | Key) -> None:
    ring = KeyRing(given_as)
    assert [key.id for key in ring.keys] == [Key(TEXT).id]
    assert KeyRing(ring).newest is ring.newest


def test_secrets_are_never_shown() -> None:
    ring = KeyRing([TEXT, Key(NEW, revoked=True)])
    shown = repr(ring) + str(ring) + repr(ring.keys) + repr(ring.newest)
    for hidden in (TEXT, NEW.hex(), repr(NEW), ring.newest._master.hex()):
        assert hidden not in shown
    assert "revoked" in shown


WEAK = [
    "",
    "secret",
    "a" * 31,
    "x" * 64,
    "ab" * 20,
    "changeme" * 4,
    "changeme" * 5,
    "secret" * 6,
    "secretsecretsecretsecretsecretsec",
    "0123456789abcdef" * 2,
    "0123456789abcdefghijklmnopqrstuvwxyz",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "1234567890" * 4,
    "change-this-to-a-long-random-secret-string",
    "CHANGE_ME_please_change_me_PLEASE_change",
    "your-secret-key-here-must-be-32-characters",
    "complex_password_at_least_32_characters_long",
    "super secret key, please keep this secret!",
    "django-insecure-k3j9x8v7c6b5n4m3q2w1e0r9t8y7u6i5o4p3",
    "keyboard cat keyboard cat keyboard cat!",
    "00000000000000000000000000000001",
    bytes(32),
    b"\xff" * 32,
    bytes(range(32)),
    bytes(range(64, 0, -1)),
    b"abcd" * 8,
]


@pytest.mark.parametrize("secret", WEAK)
def test_weak_secrets_are_refused_with_the_mend(secret: str | bytes) -> None:
    with pytest.raises(ConfigError, match=r"secrets\.token_urlsafe\(32\)") as caught:
        KeyRing([NEW, secret])
    for form in (secret, secret.encode() if isinstance(secret, str) else secret.decode("latin-1")):
        assert not form or repr(form)[1:-1].strip("'") not in str(caught.value)[9:60]


def test_random_secrets_are_never_called_weak() -> None:
    for _ in range(2000):
        KeyRing([secrets.token_urlsafe(32), secrets.token_bytes(32), secrets.token_hex(32)])


def test_a_passphrase_of_uncommon_words_is_taken() -> None:
    KeyRing("violet-tractor-umbrella-nineteen-lobsters")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([], "at least one"),
        ([Key(NEW, revoked=True), OLD], "first one signs"),
        ([NEW, NEW], "twice"),
        ([NEW, Key(NEW, revoked=True)], "twice"),
        ([NEW, None], "NoneType"),
        ([NEW, 5], "int"),
        (["\ud800" * 40], "Unicode"),
    ],
)
def test_wrong_rings_are_refused(wrong: list[str | bytes | Key], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        KeyRing(wrong)


@pytest.mark.parametrize("wrong", [None, 5])
def test_what_is_no_secret_at_all_is_a_config_error(wrong: object) -> None:
    with pytest.raises(ConfigError):
        KeyRing(wrong)  # type: ignore[arg-type]


def test_item_37_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """CVE-2013-0263: a comparison that stops at the first difference tells where it is."""
    compared: list[tuple[bytes, bytes]] = []

    def differ(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return False

    monkeypatch.setattr(hmac, "compare_digest", differ)
    assert KeyRing(NEW).verify(SIGNED, "csrf") is None  # nothing else compares them
    assert [len(side) for side in compared[0]] == [32, 32]
