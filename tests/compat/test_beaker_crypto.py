"""Encryption as in Beaker: the same keys, bytes that the genuine modules wrote, and no silence."""

import hashlib
import json
import sys
import warnings
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from compat.seeds import genuine
from holdfast.compat import CompatWarning
from holdfast.compat.beaker import crypto
from holdfast.compat.beaker.crypto import noencryption
from holdfast.compat.beaker.crypto.pbkdf2 import pbkdf2
from holdfast.compat.beaker.exceptions import InvalidCryptoBackendError

TEXT = b"The quick brown fox jumps over the lazy dog"
KEY = "0b77b386e821bea39fef2461b7a1d589be8fbb4b42a9c2a01b79c9cea8a0afe1"
WRITTEN = {
    # Beaker 1.14.1 with cryptography 50
    "cryptography": "a397000671900c85bd0cab7008ccea2e35ac19aac5aa4f770e438cedb95010b66c5445c1e732aa"
    "1bf84481b9749325483107dc2d850e5be4f64524d7a442aa0d91258ec01ca153",
    # Beaker 1.14.1 with PyCryptodome; its counter mode is that of PyCrypto
    "pycryptodome": "0fc0afe995241c09664ee31c7747c6c7e905c60165eef360cfbb8c392614500e8480b4c8"
    "2aab2d66e40d7e",
    # `openssl enc -aes-256-cbc -iv 0...`, which is what Beaker 1.10 asks of NSS
    "nss": "d7e4a88fb9e44f3da1df27e450b982297abf02882f613635b1b636486162df776c95d1b9f54ef48c286c3e"
    "b94ac71851",
}
WRITTEN["default"] = WRITTEN["cryptography"]
WRITTEN["pycrypto"] = WRITTEN["pycryptodome"]


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget which modules were asked for."""
    monkeypatch.setattr(crypto, "CRYPTO_MODULES", {})


def module(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CompatWarning)  # it has its own test
        return crypto.get_crypto_module(name)


def test_the_key_of_a_session_is_that_of_beaker() -> None:
    assert crypto.generateCryptoKeys("encrypt", "validate" + "nonce", 1, 32).hex() == KEY


@pytest.mark.parametrize("name", WRITTEN)
def test_what_the_genuine_module_wrote_is_read(name: str) -> None:
    assert module(name).aesDecrypt(bytes.fromhex(WRITTEN[name]), bytes.fromhex(KEY)) == TEXT


@pytest.mark.parametrize("name", ["pycrypto", "pycryptodome", "nss"])
def test_the_same_bytes_are_written(name: str) -> None:
    assert module(name).aesEncrypt(TEXT, bytes.fromhex(KEY)).hex() == WRITTEN[name]


@pytest.mark.parametrize("name", WRITTEN)
def test_whatever_is_encrypted_comes_back(name: str) -> None:
    there = module(name)
    assert there.has_aes is True
    assert there.getKeyLength() == 32
    for size in (0, 1, 15, 16, 17, 5000):
        for length in (16, 24, 32):
            data, key = bytes(range(256)) * 20, bytes(range(length))
            sealed = there.aesEncrypt(data[:size], key)
            assert there.aesDecrypt(sealed, key) == data[:size]
            assert size < 8 or data[:size] not in sealed


def test_changed_bytes_are_never_decrypted() -> None:
    there, key, sealed = module("cryptography"), bytes.fromhex(KEY), WRITTEN["cryptography"]
    data = bytes.fromhex(sealed)
    for place in range(len(data)):
        with pytest.raises(InvalidTag):
            there.aesDecrypt(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :], key)
        with pytest.raises(InvalidTag):
            there.aesDecrypt(data[:place], key)
    with pytest.raises(InvalidTag):
        there.aesDecrypt(data, bytes(32))


def test_the_block_form_refuses_what_is_no_padding() -> None:
    with pytest.raises(ValueError, match="padding"):
        module("nss").aesDecrypt(bytes.fromhex(WRITTEN["nss"]), bytes(32))


EXCHANGE = """
import json
import sys
from beaker import crypto
from beaker.crypto.pbkdf2 import pbkdf2
import hashlib

key, sealed = bytes.fromhex(sys.argv[1]), bytes.fromhex(sys.argv[2])
module = crypto.get_crypto_module("cryptography")
sizes = []
for bits in list(range(0, 300, 8)) + [7]:
    try:
        sizes.append(crypto.get_nonce_size(bits))
    except Exception as error:
        sizes.append(f"{type(error).__name__}: {error}")
keys = [
    pbkdf2(*arguments).hex()
    for arguments in (
        ("password", "salt", 1),
        ("password", b"salt", 2, 20),
        (b"password", "salt", 3, 7),
        ("p", "s", 2, 0, hashlib.sha256),
        ("p", "s", 2, 50, hashlib.sha512),
        (12, None, 1, 32),
    )
]
errors = []
for call in (lambda: crypto.get_crypto_module("rot13"), lambda: pbkdf2("\\xe4", "s", 1)):
    try:
        call()
    except Exception as error:
        errors.append(f"{type(error).__name__}: {error}")
print(
    json.dumps(
        {
            "read": module.aesDecrypt(sealed, key).hex(),
            "written": module.aesEncrypt(b"theirs", key).hex(),
            "default": crypto.get_crypto_module("default") is module,
            "bits": crypto.DEFAULT_NONCE_BITS,
            "sizes": sizes,
            "keys": keys,
            "errors": errors,
            "hmac": crypto.hmac.new(b"k", b"m", crypto.hmac_sha1).hexdigest(),
            "hashes": [crypto.sha1(b"x").hexdigest(), crypto.md5(b"x").hexdigest()],
        }
    )
)
"""


def test_beaker_reads_what_we_write_and_we_what_it_writes() -> None:
    key, there = bytes.fromhex(KEY), module("cryptography")
    theirs = json.loads(genuine(EXCHANGE, KEY, there.aesEncrypt(b"ours", key).hex()))
    assert bytes.fromhex(theirs["read"]) == b"ours"
    assert there.aesDecrypt(bytes.fromhex(theirs["written"]), key) == b"theirs"
    assert theirs["default"] is (module("default") is there) is True
    assert theirs["bits"] == crypto.DEFAULT_NONCE_BITS
    sizes: list[Any] = [list(crypto.get_nonce_size(bits)) for bits in range(0, 300, 8)]
    with pytest.raises(ValueError, match="multiples of 8") as error:
        crypto.get_nonce_size(7)
    assert theirs["sizes"] == [*sizes, f"ValueError: {error.value}"]
    with pytest.raises(InvalidCryptoBackendError) as unknown:
        crypto.get_crypto_module("rot13")
    with pytest.raises(UnicodeEncodeError) as foreign:
        pbkdf2("\xe4", "s", 1)
    said = [f"{type(one.value).__name__}: {one.value}" for one in (unknown, foreign)]
    assert theirs["errors"] == said
    assert theirs["hmac"] == crypto.hmac.new(b"k", b"m", crypto.hmac_sha1).hexdigest()
    assert theirs["hashes"] == [crypto.sha1(b"x").hexdigest(), crypto.md5(b"x").hexdigest()]
    assert theirs["keys"] == [
        key.hex()
        for key in (
            pbkdf2("password", "salt", 1),
            pbkdf2("password", b"salt", 2, 20),
            pbkdf2(b"password", "salt", 3, 7),
            pbkdf2("p", "s", 2, 0, hashlib.sha256),
            pbkdf2("p", "s", 2, 50, hashlib.sha512),
            pbkdf2(12, None, 1, 32),
        )
    ]


def test_promise_1_8_a_nonce_of_48_bits() -> None:
    assert crypto.get_nonce_size(48) == (6, 8)
    assert crypto.get_nonce_size(128) == (16, 24)


def test_promise_1_7_pbkdf2_is_that_of_the_standard() -> None:
    # RFC 6070
    assert pbkdf2("password", "salt", 1).hex() == "0c60c80f961f0e71f3a9b524af6012062fe037a6"
    assert pbkdf2("password", "salt", 2).hex() == "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"
    long = pbkdf2("passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096, 25)
    assert long.hex() == "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038"


@pytest.mark.parametrize("name", ["nss", "pycrypto"])
def test_a_module_that_cannot_be_had_is_served_and_says_so_once(name: str) -> None:
    with pytest.warns(CompatWarning, match="cryptography") as caught:
        there = crypto.get_crypto_module(name)
    assert caught[0].filename == __file__
    assert crypto.get_crypto_module(name) is there


def test_promise_1_9_names_of_crypto_type() -> None:
    for name in ("default", "cryptography", "pycryptodome", "pycrypto", "nss"):
        assert module(name).has_aes, name


def test_promise_1_10_nss_has_aes() -> None:
    assert module("nss").has_aes is True


def test_promise_1_4_1_an_unknown_module_is_an_error() -> None:
    with pytest.raises(InvalidCryptoBackendError, match="rot13"):
        crypto.get_crypto_module("rot13")


def test_a_module_of_the_application_is_taken() -> None:
    own = object()
    crypto.register_crypto_module("own", own)
    crypto.register_crypto_module("default", own)
    assert crypto.get_crypto_module("own") is crypto.get_crypto_module("default") is own


class TestWithoutCryptography:
    """The package is not installed."""

    @pytest.fixture(autouse=True)
    def not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in list(sys.modules):
            if name == "cryptography" or name.startswith("cryptography."):
                monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setitem(sys.modules, "cryptography", None)
        for name in ("pyca_cryptography", "pycrypto", "nsscrypto"):
            monkeypatch.delitem(sys.modules, f"{crypto.__name__}.{name}", raising=False)

    def test_the_default_says_that_it_cannot(self) -> None:
        there = crypto.get_crypto_module("default")
        assert there.has_aes is False
        assert there.getKeyLength() == 32

    def test_promise_1_10_who_encrypts_nothing_needs_nothing(self) -> None:
        assert crypto.load_default_module() is noencryption

    def test_nothing_is_passed_through_as_if_it_were_encrypted(self) -> None:
        there = crypto.get_crypto_module("default")
        for step in (there.aesEncrypt, there.aesDecrypt):
            with pytest.raises(InvalidCryptoBackendError, match="pip install cryptography"):
                step(b"data", bytes(32))

    @pytest.mark.parametrize("name", ["cryptography", "nss", "pycrypto", "pycryptodome"])
    def test_a_module_that_is_named_is_missing(self, name: str) -> None:
        with pytest.raises(ImportError):
            crypto.get_crypto_module(name)
