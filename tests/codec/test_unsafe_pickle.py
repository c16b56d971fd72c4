"""Pickle, where somebody must: sealed, and verified before a byte is unpickled."""

import pickle

import pytest

from holdfast import codec
from holdfast.codec import Codec, codec_named
from holdfast.codec.json import Json
from holdfast.codec.msgpack import Msgpack
from holdfast.codec.pickle import UnsafePickle
from holdfast.codec.seal import Seal
from holdfast.errors import CodecError, ConfigError
from holdfast.signing import Key, KeyRing

NEW = bytes.fromhex("8f1d0c6f3b7e4a92c5d80e17b6a3f4295e7c1b08d96a43f2e0b5c7198d3a6f42")
OLD = bytes.fromhex("13a7e9c4528b6d0f9e31c8a47b52d6f08e95b3a1c7d4206f5b8e19d3a2c6f704")
RAN: list[str] = []


def leave_a_trace() -> None:
    RAN.append("executed")


class Boom:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return leave_a_trace, ()


@pytest.fixture(autouse=True)
def _no_trace() -> None:
    RAN.clear()


def test_any_picklable_object_comes_back() -> None:
    sealed = UnsafePickle(KeyRing(NEW))
    assert sealed.decode(sealed.encode({1: range(3), "c": 1j})) == {1: range(3), "c": 1j}
    assert isinstance(sealed, Codec)


def test_the_trap_works_at_all() -> None:
    sealed = UnsafePickle(KeyRing(NEW))
    sealed.decode(sealed.encode(Boom()))
    assert RAN == ["executed"]


@pytest.mark.parametrize("reader", [Msgpack(), Json(), UnsafePickle(KeyRing(NEW))])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_bare_pickle_is_never_executed(reader: Codec, protocol: int) -> None:
    with pytest.raises(CodecError):
        reader.decode(pickle.dumps(Boom(), protocol))
    assert RAN == []


def test_what_other_keys_or_purposes_sealed_is_never_executed() -> None:
    ring = KeyRing([NEW, Key(OLD, revoked=True)])
    reader = UnsafePickle(ring)
    blob = pickle.dumps(Boom())
    message = UnsafePickle(KeyRing(NEW)).encode(Boom())
    forged = [
        UnsafePickle(KeyRing(OLD)).encode(Boom()),
        UnsafePickle(ring, purpose="other").encode(Boom()),
        Seal(ring, "session").seal(blob),
        ring.sign(blob, "pickle"),
        *(message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :] for at in range(60)),
    ]
    for data in forged:
        with pytest.raises(CodecError):
            reader.decode(data)
    assert RAN == []


def test_it_cannot_be_had_without_a_ring_or_by_name() -> None:
    with pytest.raises(TypeError):
        UnsafePickle()  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="pickle"):
        codec_named("pickle")
    assert not hasattr(codec, "UnsafePickle")


def test_what_cannot_be_pickled_is_a_codec_error() -> None:
    sealed = UnsafePickle(KeyRing(NEW))
    with pytest.raises(CodecError, match="cannot be pickled"):
        sealed.encode(lambda: 1)
    with pytest.raises(CodecError, match="cannot be unpickled"):
        sealed.decode(Seal(KeyRing(NEW), "pickle").seal(b"cnowhere\nnothing\n."))
