"""Secrets everybody knows: out of documents, templates and quick starts, in any disguise."""

import base64
import secrets
import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.signing import Key
from holdfast.signing.strength import strong

FASTAPI = "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7"
SPRING = "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970"

KNOWN = [
    FASTAPI,
    SPRING,
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    "UpNVntn3cDxHJpq99YMc1T1AQgQpc8kfYTuRgBiYa15BLrx8etQoXz3gZv1/u2oq",
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-and-long-postgres-password-insecure-change-me",
    "Thirty  two  length  bytes  key.",
    "__TODO:_GENERATE_YOUR_OWN_RANDOM_VALUE_HERE__",
    "complex_password_at_least_32_characters_long",
    "a-string-secret-at-least-256-bits-long",
    "your-256-bit-secret-your-256-bit-secret",
    "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
    "YOUR_OWN_RANDOM_GENERATED_SECRET_KEY",
    "your-secret-key-change-in-production",
    "dev-secret-key-change-in-production",
    "dev-encryption-key-change-in-production",
    "this-is-a-secret-key-that-should-be-changed",
    "replace_this_with_a_secure_random_string!",
    "use-openssl-rand-hex-32-to-generate-this",
    "django-insecure-k3j9x8v7c6b5n4m3q2w1e0r9t8y7u6i5o4p3",
    "insecure-secret-key-for-testing-only-12345",
    "my-super-secret-session-secret-for-this-app",
    "mysupersecretpasswordthatnobodywillguess",
    "TheQuickBrownFoxJumpsOverTheLazyDog!!!!!",
    "1q2w3e4r5t6y7u8i9o0p1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv1qaz2wsx3edc4rfv1234",
    "correct horse battery staple correct horse",
    "0123456789abcdef0123456789ABCDEF",
    "fallback_secret_key_for_dev_fallback",
    "never-use-this-secret-in-production-ever",
    "set-me-in-the-environment-set-me-please",
    "your-secret-key-for-mycompany-application",
    "schulsan-dev-secret-change-in-production",
]


@pytest.mark.parametrize("secret", KNOWN)
def test_item_36_what_stands_in_documents_is_refused(secret: str) -> None:
    with pytest.raises(ConfigError, match="well known") as caught:
        Key(secret)
    assert secret not in str(caught.value)


DISGUISES: dict[str, Callable[[str], str | bytes]] = {
    "bytes": lambda text: text.encode(),
    "upper": lambda text: text.upper(),
    "lower": lambda text: text.lower(),
    "line end": lambda text: text + "\n",
    "spaces": lambda text: f"  {text}  ",
    "hex": lambda text: text.encode().hex(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "urlsafe": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "laravel": lambda text: "base64:" + base64.b64encode(text.encode()).decode(),
}


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("secret", [KNOWN[0], KNOWN[3], KNOWN[4], KNOWN[7], KNOWN[8]])
def test_item_36_a_disguise_does_not_help(secret: str, disguise: str) -> None:
    with pytest.raises(ConfigError, match="well known"):
        Key(DISGUISES[disguise](secret))


@pytest.mark.parametrize("weak", [bytes(32).hex(), (b"ab" * 16).hex(), bytes(range(32)).hex()])
def test_item_36_nor_do_patterns_in_hex(weak: str) -> None:
    with pytest.raises(ConfigError, match="pattern"):
        Key(weak)
    with pytest.raises(ConfigError, match="pattern"):
        Key(base64.b64encode(bytes.fromhex(weak)))


@given(st.binary(min_size=32, max_size=32))
def test_random_bytes_are_taken_in_every_spelling(data: bytes) -> None:
    spelt = [data.hex(), base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()]
    if len(set(data)) < 20:  # Hypothesis likes zeros
        return
    for text in spelt:
        assert strong(text) == text.encode()


DJANGO = string.ascii_lowercase + string.digits + "!@#$%^&*(-_=+)"
ANY = string.ascii_letters + string.digits + string.punctuation


def test_random_secrets_of_other_makers_are_taken() -> None:
    for _ in range(500):
        strong("".join(secrets.choice(DJANGO) for _ in range(50)))
        strong("".join(secrets.choice(ANY) for _ in range(32)))
        strong(secrets.token_hex(16))
        strong(secrets.token_hex(32).upper())
        strong("base64:" + base64.b64encode(secrets.token_bytes(32)).decode())
        strong("sess_" + secrets.token_urlsafe(32))


def test_an_error_about_a_secret_does_not_carry_it_along() -> None:
    with pytest.raises(ConfigError) as caught:
        Key("\ud800" + secrets.token_urlsafe(32))
    assert caught.value.__context__ is None
