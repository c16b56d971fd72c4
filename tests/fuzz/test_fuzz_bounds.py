"""What foreign bytes may cost: time and memory grow as their length does, never faster."""

import time
import timeit
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress

import ormsgpack
import pytest

from fuzz.codings import JSON, MSGPACK
from fuzz.cookies import CHUNKED, NAME, SINGLE
from fuzz.edits import octets
from fuzz.forms import HEADER
from fuzz.records import FIELDS
from fuzz.seals import BOUND, MASKED, RING, SEAL
from fuzz.storables import STORABLE
from fuzz.visits import SITES, STORE, visitor
from holdfast.codec.compress import Compress
from holdfast.errors import CodecError
from holdfast.session import csrf
from holdfast.session.data import decode
from holdfast.session.token import id_of
from holdfast.testing.calls import Face
from holdfast.web.csrf import token_in

SHORT, LONG = 8_192, 131_072
GROWTH = LONG // SHORT
SQUARE = 6.0  # times what the length explains; where time is a square of it, 16
LEAST = 0.000_05  # seconds: below that, nothing is measured on a busy machine
SHARE = 100  # bytes of memory for an octet: most are for empty dicts of one octet each
ROOM = 1_000_000

READERS: dict[str, Callable[[bytes], object]] = {
    "one cookie": lambda data: SINGLE.read(octets(data)),
    "counted cookies": lambda data: CHUNKED.read(octets(data)),
    "header": lambda data: HEADER.read(octets(data)),
    "sealed": lambda data: SEAL.unseal(data, BOUND),
    "sealed text": lambda data: SEAL.unseal_text(octets(data), BOUND),
    "signed": lambda data: RING.verify(data, "link"),
    "token": lambda data: id_of(octets(data)),
    "csrf token": lambda data: csrf.matches(b"c" * 32, octets(data)),
    "form": token_in,
    "record": decode,
    "msgpack": MSGPACK.decode,
    "json": JSON.decode,
    "storable": STORABLE.decode,
    "zlib": Compress(max_bytes=LONG).decode,
}


def repeated(piece: bytes, before: bytes = b"", behind: bytes = b"") -> Callable[[int], bytes]:
    """Return what makes `piece`, as often as it fits into a length, with what stands around."""
    return lambda length: before + piece * (length // len(piece)) + behind


def numbered(length: int) -> bytes:
    """Return cookies of our name with all the numbers that fit."""
    return b"; ".join(f"{NAME}.{number}=1".encode() for number in range(length // 20))


def collection(opening: bytes, item: bytes) -> Callable[[int], bytes]:
    """Return what makes a msgpack array of that many items."""
    return lambda length: opening + (length // len(item)).to_bytes(4) + item * (length // len(item))


def perl_array(item: bytes) -> Callable[[int], bytes]:
    """Return what makes an array of Perl's Storable of that many items."""
    opening = b"\x05\x0b\x02"
    return lambda length: opening + (length // len(item)).to_bytes(4) + item * (length // len(item))


def messages(length: int) -> bytes:
    """Return a record with nothing but messages."""
    return ormsgpack.packb([*FIELDS[:7], [[b"1", "f:", b""]] * (length // 7)])


OURS = NAME.encode()
PART = b'\r\nContent-Disposition: form-data; name="csrf_token"\r\n'
SHAPES: dict[str, Callable[[int], bytes]] = {
    "semicolons": repeated(b";"),
    "equals signs": repeated(b"="),
    "blanks": repeated(b" "),
    "blanks before": repeated(b" ", behind=OURS + b"=1"),
    "blanks behind": repeated(b" ", OURS, b"=1"),
    "quotes": repeated(b'"', OURS + b"="),
    "pairs": repeated(b"a=b; "),
    "names": repeated(b"aa;"),
    "our name": repeated(OURS),
    "our name and blanks": repeated(OURS + b" " * 10),
    "our pair": repeated(OURS + b"=1; "),
    "our chunks": numbered,
    "our number": repeated(b"1", OURS + b"."),
    "our value": repeated(b"A", OURS + b"="),
    "letters": repeated(b"A"),
    "zeros": repeated(b"\0"),
    "not ASCII": repeated(b"\xe9"),
    "newlines": repeated(b"\r\n"),
    "form fields": repeated(b"&csrf_token=" + MASKED[:-1].encode()),
    "form parts": repeated(PART),
    "form lines": repeated(b"a: b\r\n", PART),
    "arrays": collection(b"\xdd", b"\x90"),
    "dicts": collection(b"\xdd", b"\x80"),
    "nested arrays": repeated(b"\x91"),
    "nested arrays in an array": collection(b"\xdd", b"\x91" * 50 + b"\xc0"),
    "tuples": collection(b"\xdd", b"\x91\xd4\x10\xc1"),
    "messages": messages,
    "huge int": lambda length: ormsgpack.packb(ormsgpack.Ext(1, b"\x01" * length)),
    "huge Decimal": lambda length: ormsgpack.packb(ormsgpack.Ext(6, b"1" * length)),
    "JSON arrays": repeated(b"[],", b"[", b"[]]"),
    "nested JSON": repeated(b"["),
    "nested JSON objects": repeated(b'{"a":'),
    "JSON digits": repeated(b"1"),
    "JSON fraction": repeated(b"1", b"0."),
    "JSON escapes": repeated(b"\\u00e9", b'"', b'"'),
    "JSON half characters": repeated(b"\\ud800", b'"', b'"'),
    "hashes of Perl": perl_array(b"\x03\0\0\0\0"),
    "nested arrays of Perl": repeated(b"\x02\0\0\0\x01", b"\x05\x0b"),
    "arrays in an array of Perl": perl_array(b"\x02\0\0\0\x01" * 50 + b"\x05"),
    "references of Perl": repeated(b"\x04", b"\x05\x0b", b"\x05"),
    "the same of Perl": perl_array(b"\x04\0\0\0\0\0"),
    "zip bomb": lambda length: b"\x01" + zlib.compress(bytes(length * 100), 1),
    "sealed": lambda length: SEAL.seal(bytes(length), BOUND),
}


def read(reader: Callable[[bytes], object], data: bytes) -> object:
    with suppress(CodecError):
        return reader(data)
    return None


def cost(reader: Callable[[bytes], object], data: bytes) -> float:
    """Return the least of three measurements, in seconds of this thread alone."""
    timer = timeit.Timer(lambda: read(reader, data), timer=time.thread_time)
    return min(timer.repeat(3, 1))


@pytest.mark.parametrize("shape", SHAPES)
def test_time_is_no_square_of_the_length(shape: str) -> None:
    short, long = SHAPES[shape](SHORT), SHAPES[shape](LONG)
    for name, reader in READERS.items():
        bound = SQUARE * GROWTH * max(cost(reader, short), LEAST)
        assert cost(reader, long) < bound, name


@pytest.mark.parametrize("shape", SHAPES)
def test_memory_is_a_multiple_of_the_length(shape: str) -> None:
    data = SHAPES[shape](LONG)
    for name, reader in READERS.items():
        tracemalloc.start()
        try:
            read(reader, data)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < SHARE * LONG + ROOM, name


@pytest.mark.parametrize("shape", ["semicolons", "equals signs", "our pair", "our chunks"])
@pytest.mark.parametrize("face", ["wsgi", "asgi"])
def test_a_header_of_a_megabyte_is_answered_in_few_bytes(face: Face, shape: str) -> None:
    raw = octets(SHAPES[shape](1_000_000))
    STORE.empty()
    for sessions in SITES:
        answer = visitor(sessions, face).get("/", cookie=raw)
        assert (answer.status, answer.body) == (200, b"nobody")
        assert len(answer.all("set-cookie")) <= 21
        assert sum(len(value) for _, value in answer.headers) < 4096
    assert STORE.gets == 0
