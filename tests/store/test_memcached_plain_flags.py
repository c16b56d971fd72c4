"""The flags of memcached's clients: the bytes each of them was seen to write, and back."""

import contextlib
import pickle
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codec.unpickle import unpickle
from holdfast.errors import CodecError, ConfigError
from holdfast.store.memcached.plain_flags import FORMS, Flagged, form_of

# What each client put on a server: python-memcached 1.62, python3-memcached 1.51, pylibmc 1.6.3,
# python-binary-memcached 0.33. A pickle stands for itself.
_SEEN: dict[str, list[tuple[object, bytes | None, int]]] = {
    "memcache": [(b"\0\xff", b"\0\xff", 0), ("é", "é".encode(), 16), (-5, b"-5", 2)],
    "python3-memcached": [(b"\0\xff", None, 1), ("é", "é".encode(), 0), (2**70, b"%d" % 2**70, 2)],
    "cmemcache": [(b"abc", b"abc", 0), ("é", None, 1), (7, b"7", 2)],
    "pylibmc": [(b"\0\xff", b"\0\xff", 0), ("é", "é".encode(), 16), (-5, b"-5", 4)],
    "bmemcached": [
        (b"\0\xff", b"\0\xff", 16),
        ("é", "é".encode(), 0),
        (2**40, b"%d" % 2**40, 2),
        ("x" * 300, zlib.compress(b"x" * 300), 8),
        (b"x" * 300, zlib.compress(b"x" * 300), 24),
    ],
}
_PICKLED = [None, True, 1.5, (1, 2), {"a": [1]}, {"a", "b"}]


def _loads(data: bytes) -> object:
    return unpickle(data)


def _read(client: str, data: bytes, flags: int) -> object:
    return FORMS[client].read(Flagged(data, flags), _loads)


@pytest.mark.parametrize("client", FORMS)
def test_what_each_client_writes_is_written_and_read(client: str) -> None:
    form = FORMS[client]
    for value, data, flags in _SEEN[client]:
        written = form.write(value, lambda v: pickle.dumps(v, form.protocol))
        if data is not None:
            assert written == data
        assert (written.flags, type(written)) == (flags, Flagged)
        assert form.read(written, _loads) == value


@pytest.mark.parametrize("client", FORMS)
def test_the_rest_is_what_the_caller_makes_of_it(client: str) -> None:
    form = FORMS[client]
    for value in _PICKLED:
        written = form.write(value, lambda v: pickle.dumps(v, form.protocol))
        assert written.flags == 1
        again = form.read(written, _loads)
        assert again == value
        assert type(again) is type(value)  # True stays True


def test_numbers_that_a_server_counted_and_that_python_2_wrote() -> None:
    for client in FORMS:
        assert _read(client, b"9 ", 2) == 9  # counted down from 10: memcached leaves the space
        assert _read(client, b"123456789012345678901234567890", 4) == 123456789012345678901234567890


def test_what_is_compressed_is_read_by_all() -> None:
    for client in FORMS:
        packed = zlib.compress(pickle.dumps({"a": 1}))
        assert _read(client, packed, 9) == {"a": 1}
    form = FORMS["memcache"]
    assert form.write("y" * 100, pickle.dumps, zips=50).flags == 16 | 8
    assert form.write("y" * 100, pickle.dumps).flags == 16
    assert form.write(10**60, pickle.dumps, zips=5).flags == 2


def test_a_bomb_is_not_there() -> None:
    bomb = zlib.compress(bytes(65 << 20))
    with pytest.raises(CodecError, match="longer than the limit"):
        _read("bmemcached", bomb, 24)


@pytest.mark.parametrize("flags", [3, 5, 18, 32, 1 << 16, 0xFFFFFFFF])
def test_flags_of_no_client_are_refused(flags: int) -> None:
    for client in FORMS:
        with pytest.raises(CodecError):
            _read(client, b"1", flags)


def test_subclasses() -> None:
    class Name(str):
        __slots__ = ()

    assert FORMS["pylibmc"].write(Name("a"), pickle.dumps) == b"a"
    assert FORMS["bmemcached"].write(Name("a"), pickle.dumps).flags == 0
    assert FORMS["memcache"].write(Name("a"), lambda _: b"pickled") == b"pickled"


def test_half_a_letter_is_no_text() -> None:
    for form in FORMS.values():
        assert form.write("\ud800", pickle.dumps).flags == 1


def test_the_clients_have_names() -> None:
    assert form_of("pylibmc").name == "pylibmc"
    assert form_of("auto").name in FORMS
    with pytest.raises(ConfigError, match="memcache_module='memcash'"):
        form_of("memcash")


@given(st.sampled_from(sorted(FORMS)), st.binary(max_size=60), st.integers(0, 2**32 - 1))
def test_whatever_lies_there_is_read_or_refused(client: str, data: bytes, flags: int) -> None:
    for number in (flags, flags % 32):
        with contextlib.suppress(CodecError):
            _read(client, data, number)
