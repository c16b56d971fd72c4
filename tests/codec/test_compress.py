"""The compressing stage: short where it is worth it, and bounded whatever a stream claims."""

import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lossless_values import unhurried

from holdfast.codec.compress import Compress
from holdfast.errors import CodecError, ConfigError


@unhurried
@given(st.binary(max_size=3000), st.integers(0, 2000))
def test_bytes_come_back(data: bytes, above: int) -> None:
    stage = Compress(above)
    assert stage.decode(stage.encode(data)) == data
    assert len(stage.encode(data)) <= len(data) + 1


def test_long_values_get_shorter_and_short_ones_are_left() -> None:
    stage = Compress()
    assert stage.encode(b"a" * 1024) == b"\x00" + b"a" * 1024
    assert len(stage.encode(b"a" * 1025)) < 50


def test_a_bomb_is_refused_before_it_bursts() -> None:
    bomb = b"\x01" + zlib.compress(b"\x00" * 50_000_000, 9)
    assert len(bomb) < 60_000
    tracemalloc.start()
    try:
        with pytest.raises(CodecError, match="limit of 1000 bytes"):
            Compress(max_bytes=1000).decode(bomb)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_the_limit_itself_goes_through() -> None:
    stage = Compress(0, max_bytes=1000)
    assert stage.decode(stage.encode(b"a" * 1000)) == b"a" * 1000
    assert Compress(5000, max_bytes=1000).decode(b"\x00" + b"a" * 1000) == b"a" * 1000
    with pytest.raises(CodecError, match="1000"):
        stage.encode(b"a" * 1001)
    for data in (b"\x00" + b"a" * 1001, b"\x01" + zlib.compress(b"a" * 1001)):
        with pytest.raises(CodecError, match="1000"):
            stage.decode(data)


STREAM = zlib.compress(b"a" * 2000)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x02abc",
        b"\x01",
        b"\x01abc",
        b"\x01" + STREAM[:-1],
        b"\x01" + STREAM + b"x",
        b"\x01" + STREAM + STREAM,
        STREAM,
    ],
)
def test_broken_streams_are_refused(data: bytes) -> None:
    with pytest.raises(CodecError) as caught:
        Compress().decode(data)
    assert caught.value.codec == "zlib"


@unhurried
@given(st.binary(max_size=100))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    for marker in (b"", b"\x01", b"\x01\x78\x9c"):
        try:
            out = Compress(max_bytes=10_000).decode(marker + data)
        except CodecError:
            continue
        assert len(out) <= 10_000


@pytest.mark.parametrize("options", [{"above": -1}, {"level": 0}, {"level": 10}])
def test_wrong_options_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        Compress(**options)
