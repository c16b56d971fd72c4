"""Codecs by name, and stages behind a codec."""

import pytest

from holdfast.codec import Chain, Codec, Stage, codec_named
from holdfast.codec.compress import Compress
from holdfast.codec.json import Json
from holdfast.codec.msgpack import Msgpack
from holdfast.codec.seal import Seal
from holdfast.errors import CodecError, ConfigError
from holdfast.signing import KeyRing

RING = KeyRing("uM3v-Zq81xKc_Ld0RwPf7TyHb2Nj5SgEa9Io6Xk4")
VALUE = {"text": "tea " * 1000, "when": (1, 2)}


def test_a_chain_is_a_codec_that_compresses_and_seals() -> None:
    chain = Chain(Msgpack(), Compress(), Seal(RING, "cache"))
    assert isinstance(chain, Codec)
    data = chain.encode(VALUE)
    assert len(data) < 200
    assert chain.decode(data) == VALUE
    assert chain.name == "msgpack+zlib+seal"


def test_stages_are_written_from_left_to_right() -> None:
    seal = Seal(RING, "cache")
    data = Chain(Msgpack(), Compress(), seal).encode(VALUE)
    assert Msgpack().decode(Compress().decode(seal.unseal(data))) == VALUE


def test_a_chain_of_no_stages_is_its_codec() -> None:
    assert Chain(Json()).encode([1]) == Json().encode([1])


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x80", b"\x01" * 60, b"\xc1"])
def test_wrong_bytes_are_a_codec_error_of_any_chain(data: bytes) -> None:
    for chain in (
        Chain(Msgpack(), Compress()),
        Chain(Json(), Seal(RING, "a")),
        Chain(Msgpack(), Compress(), Seal(RING, "a")),
    ):
        with pytest.raises(CodecError):
            chain.decode(data)


def test_stages_know_what_they_are() -> None:
    assert isinstance(Compress(), Stage)
    assert isinstance(Seal(RING, "a"), Stage)


def test_codecs_are_chosen_by_name_or_given() -> None:
    assert isinstance(codec_named("msgpack"), Msgpack)
    assert isinstance(codec_named("json"), Json)
    chain = Chain(Json(), Compress())
    assert codec_named(chain) is chain


@pytest.mark.parametrize("wrong", ["yaml", "", "JSON", "pickle", None, Msgpack, 3])
def test_other_codecs_are_refused_with_the_choices(wrong: object) -> None:
    with pytest.raises(ConfigError, match=r"'msgpack' or 'json'"):
        codec_named(wrong)  # type: ignore[arg-type]
