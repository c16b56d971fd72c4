"""Seals: what one application hid for one use, nobody else reads or makes."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lossless_values import unhurried

from holdfast.codec import seal
from holdfast.codec.seal import OVERHEAD, Seal
from holdfast.codec.text import to_text
from holdfast.errors import CodecError, ConfigError
from holdfast.signing import HEADER, ID_BYTES, Key, KeyRing

NEW = bytes.fromhex("8f1d0c6f3b7e4a92c5d80e17b6a3f4295e7c1b08d96a43f2e0b5c7198d3a6f42")
OLD = bytes.fromhex("13a7e9c4528b6d0f9e31c8a47b52d6f08e95b3a1c7d4206f5b8e19d3a2c6f704")
RING = KeyRing(NEW)
SEAL = Seal(RING, "session")
MESSAGE = SEAL.seal(b"hello", "__Host-sid")


@unhurried
@given(st.binary(max_size=2000), st.text(st.characters(), max_size=30))
def test_what_was_sealed_is_unsealed(data: bytes, bound: str) -> None:
    message = SEAL.seal(data, bound)
    assert SEAL.unseal(message, bound) == data
    assert len(message) == len(data) + OVERHEAD
    assert SEAL.unseal_text(SEAL.seal_text(data, bound), bound) == data


def test_the_content_is_hidden_and_no_message_is_like_another() -> None:
    assert b"hello" not in MESSAGE
    assert len({SEAL.seal(b"hello") for _ in range(50)}) == 50


def refused(reader: Seal, message: bytes, bound: str = "__Host-sid") -> str:
    with pytest.raises(CodecError) as caught:
        reader.unseal(message, bound)
    assert caught.value.codec == "seal"
    return str(caught.value)


def test_every_changed_bit_is_noticed() -> None:
    for at in range(len(MESSAGE)):
        for bit in range(8):
            changed = bytearray(MESSAGE)
            changed[at] ^= 1 << bit
            refused(SEAL, bytes(changed))


def test_every_cut_and_every_addition_is_noticed() -> None:
    for length in range(len(MESSAGE)):
        refused(SEAL, MESSAGE[:length])
    refused(SEAL, MESSAGE + b"\x00")
    refused(SEAL, b"\x00" + MESSAGE)


@unhurried
@given(st.binary(max_size=120))
def test_random_bytes_are_refused(data: bytes) -> None:
    refused(SEAL, data)
    refused(SEAL, MESSAGE[:HEADER] + data)


@pytest.mark.parametrize("bound", ["", "__Host-Sid", "__Host-sid ", "__Host-sid\x00"])
def test_a_message_is_bound_to_what_it_belongs_to(bound: str) -> None:
    refused(SEAL, MESSAGE, bound)


def test_a_purpose_cannot_read_another_s() -> None:
    refused(Seal(RING, "csrf"), MESSAGE)


def test_purpose_and_bound_cannot_be_cut_otherwise() -> None:
    refused(Seal(RING, "ab"), Seal(RING, "a").seal(b"x", "bc"), "c")


def test_a_signature_is_no_seal_and_a_seal_no_signature() -> None:
    refused(SEAL, RING.sign(b"x" * 100, "session"))
    assert RING.verify(MESSAGE, "session") is None


def test_all_faults_read_the_same() -> None:
    revoked = Seal(KeyRing([OLD, Key(NEW, revoked=True)]), "session")
    said = {
        refused(SEAL, b""),
        refused(SEAL, MESSAGE[:-1]),
        refused(SEAL, MESSAGE, "other"),
        refused(Seal(KeyRing(OLD), "session"), MESSAGE),
        refused(revoked, MESSAGE),
        refused(SEAL, b"\x02" + MESSAGE[1:]),
    }
    assert len(said) == 1


@pytest.mark.parametrize("version", [0, 2, 255])
def test_an_unknown_version_is_refused_even_when_all_else_is_right(
    version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(seal, "_VERSION_BYTE", bytes([version]))
        message = SEAL.seal(b"hello")
        assert SEAL.unseal(message) == b"hello"
    refused(SEAL, message, "")


def test_the_newest_key_seals_and_the_old_one_is_still_read() -> None:
    old_message = Seal(KeyRing(OLD), "session").seal(b"x")
    ring = KeyRing([NEW, OLD])
    both = Seal(ring, "session")
    assert both.unseal(old_message) == b"x"
    assert both.seal(b"x")[1 : 1 + ID_BYTES] == Key(NEW).id
    assert SEAL.unseal(both.seal(b"y")) == b"y"
    assert ring.is_newest(both.seal(b"x"))
    assert not ring.is_newest(old_message)
    assert not ring.is_newest(to_text(old_message))


def test_a_revoked_key_is_not_believed() -> None:
    ring = KeyRing([OLD, Key(NEW, revoked=True)])
    refused(Seal(ring, "session"), MESSAGE)
    refused(Seal(KeyRing(OLD), "session"), MESSAGE)


def test_the_key_id_selects_and_no_other_key_is_tried() -> None:
    renamed = MESSAGE[:1] + Key(OLD).id + MESSAGE[HEADER:]
    refused(Seal(KeyRing([NEW, OLD]), "session"), renamed)


@pytest.mark.parametrize("text", ["", "a", "é", "not text!", to_text(MESSAGE) + "="], ids=range(5))
def test_text_that_is_no_message_is_refused_in_the_same_words(text: str) -> None:
    with pytest.raises(CodecError) as caught:
        SEAL.unseal_text(text, "__Host-sid")
    assert str(caught.value) == refused(SEAL, b"")


def test_a_missing_package_is_a_config_error_with_its_mend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(ConfigError, match=r"pip install 'holdfast\[crypto\]'"):
        Seal(RING, "session")
