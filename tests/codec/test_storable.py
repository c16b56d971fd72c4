"""Perl's Storable is read as Perl itself reads it, and nothing else is."""

import json
import subprocess
from pathlib import Path
from typing import Literal

import pytest

from fuzz.perl_images import FOLDER, IMAGES, WAYS, image, said_by_perl, said_of
from holdfast.codec import Codec
from holdfast.codec.storable import MAX_DEPTH, MAX_VALUES, Storable
from holdfast.errors import CodecError
from servers.process import program

STORABLE = Storable()
NET = b"\x05\x0b"  # the head of nfreeze, Storable 3


def read(body: bytes, head: bytes = NET) -> object:
    return STORABLE.decode(head + body)


def native(order: bytes, double: int = 8) -> bytes:
    return b"\x04\x0b" + bytes([len(order)]) + order + bytes([4, len(order), len(order), double])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_what_perl_says_of_it(name: str, way: str) -> None:
    assert said_of(STORABLE.decode(image(name, way))) == said_by_perl(name, way)


def test_this_machines_perl_agrees() -> None:
    perl = program("perl")
    command = [perl, str(FOLDER / "make.pl")]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)  # noqa: S603 - our own script
    made = json.loads(done.stdout)
    assert sorted(made) == IMAGES
    for name, ways in made.items():
        for way, found in ways.items():
            value = STORABLE.decode(bytes.fromhex(found["image"]))
            assert said_of(value) == found["value"], (name, way)


def test_a_session_of_perl_is_plain_python() -> None:
    assert STORABLE.decode(image("session", "freeze")) == {
        "user_id": 42,
        "login": "ada",
        "csrf": "0123456789abcdef",
        "last_seen": 1234567890.25,
        "cart": [{"sku": "007", "count": 2, "price": "9.90"}],
        "name": "Ada L\xf6velace \u263a",
        "roles": {"admin": 1, "editor": 0},
        "remember": None,
    }


def test_the_same_thing_is_the_same_object() -> None:
    value = STORABLE.decode(image("shared"))
    assert isinstance(value, list)
    assert value[0] is value[1] is value[2]["again"]


@pytest.mark.parametrize("name", ["cycle", "weak"])
def test_a_cycle_is_a_cycle(name: str) -> None:
    value = STORABLE.decode(image(name))
    assert isinstance(value, dict)
    assert value["self"] is value if name == "cycle" else value["child"]["parent"] is value


def test_a_reference_to_the_variable_that_holds_it() -> None:
    value = STORABLE.decode(image("loop"))
    assert isinstance(value, list)
    assert value[0]["elem"] is value[0]


def test_constants_are_booleans() -> None:
    assert read(b"\x02\0\0\0\x04\x0f\x10\x22\x23") == [True, False, True, False]


def test_a_regexp_keeps_its_letters_where_perl_loses_them() -> None:
    smile = "\u263a".encode()
    assert read(b"\x20\x00" + bytes([len(smile)]) + smile + b"\x01u") == "(?^u:\u263a)"
    assert read(b"\x20\x00\x01\xe9\x01u") == "(?^u:\xe9)"
    assert read(b"\x20\x01\0\0\0\x01\xe9\x00") == "(?^:\xe9)"


@pytest.mark.parametrize(
    ("order", "little"),
    [(b"1234", True), (b"12345678", True), (b"4321", False), (b"87654321", False)],
    ids=["little 32", "little 64", "big 32", "big 64"],
)
def test_every_byte_order_and_size(order: bytes, *, little: bool) -> None:
    byteorder: Literal["little", "big"] = "little" if little else "big"
    body = b"\x02" + (3).to_bytes(4, byteorder)
    body += b"\x06" + (-70_000).to_bytes(len(order), byteorder, signed=True)
    body += b"\x07" + (b"\0\0\0\0\0\0\xf8\x3f" if little else b"\x3f\xf8\0\0\0\0\0\0")
    body += b"\x01" + (2).to_bytes(4, byteorder) + b"ab"
    assert read(body, native(order)) == [-70_000, 1.5, "ab"]


def test_images_before_2_2_do_not_tell_the_size_of_a_double() -> None:
    assert read(b"\x08\x81", b"\x04\x01\x041234\x04\x04\x04") == 1


def test_it_is_a_codec_that_writes_nothing() -> None:
    assert isinstance(STORABLE, Codec)
    with pytest.raises(CodecError, match="only read"):
        STORABLE.encode({})


WRONG = {
    "nothing": b"",
    "text": b"hello",
    "before 0.6": b"perl-store",
    "of version 1": b"\x03\x00\x05",
    "a head alone": NET,
    "an unknown order": native(b"2143") + b"\x05",
    "an unknown kind": NET + b"\x63",
    "a huge one": NET + b"\x21\x01\0\0\0\0\0\0\0\x01a",
    "something behind": NET + b"\x05\x05",
    "an array cut off": NET + b"\x02\0\0\0\x02\x05",
    "an array that lies": NET + b"\x02\x7f\xff\xff\xff\x05",
    "a text cut off": NET + b"\x0a\x05abc",
    "a text that lies": NET + b"\x01\xff\xff\xff\xffabc",
    "text that is no UTF-8": NET + b"\x17\x01\xff",
    "a surrogate": NET + b"\x17\x03\xed\xa0\x80",
    "a reference to nothing": NET + b"\x00\0\0\0\x00",
    "a reference to itself": NET + b"\x04\x00\0\0\0\x00",
    "a native number in network order": NET + b"\x06" + bytes(8),
    "a native double in network order": NET + b"\x07" + bytes(8),
    "a long double": native(b"12345678", 16) + b"\x07" + bytes(16),
    "a key that is a list": NET + b"\x19\x00\0\0\0\x01\x05\x08\x02\0\0\0\x00",
    "code without source": NET + b"\x1a\x05",
}


@pytest.mark.parametrize("name", WRONG)
def test_anything_else_is_refused(name: str) -> None:
    with pytest.raises(CodecError) as caught:
        STORABLE.decode(WRONG[name])
    assert caught.value.codec == "storable"


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_cut_off_anywhere_is_refused(name: str) -> None:
    whole = image(name, "freeze")
    for end in range(0, len(whole), 1 + len(whole) // 200):
        with pytest.raises(CodecError):
            STORABLE.decode(whole[:end])


def nested(depth: int) -> bytes:
    return b"\x02\0\0\0\x01" * depth + b"\x05"


def test_depth_is_bounded() -> None:
    value = read(nested(MAX_DEPTH))
    for _ in range(MAX_DEPTH):
        assert isinstance(value, list)
        [value] = value
    assert value is None
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(CodecError, match="nested deeper"):
            read(nested(depth))


def test_references_cost_no_depth() -> None:
    assert read(b"\x04" * 100_000 + b"\x08\x81") == 1


def test_values_are_counted() -> None:
    size = (MAX_VALUES - 1).to_bytes(4, "big")
    assert len(read(b"\x02" + size + b"\x05" * (MAX_VALUES - 1))) == MAX_VALUES - 1  # type: ignore[arg-type]
    with pytest.raises(CodecError, match="more than"):
        read(b"\x02" + MAX_VALUES.to_bytes(4, "big") + b"\x05" * MAX_VALUES)


def test_bytes_are_bounded() -> None:
    small = Storable(max_bytes=100)
    assert small.decode(NET + b"\x0a\x5b" + b"x" * 91) == "x" * 91
    with pytest.raises(CodecError, match="limit of 100"):
        small.decode(NET + b"\x0a\x61" + b"x" * 97)


def test_no_class_is_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Trap.py").write_text("raise SystemExit", encoding="ascii")
    monkeypatch.syspath_prepend(tmp_path)
    assert read(b"\x11\x04Trap\x03\0\0\0\x01\x08\x81\0\0\0\x01a") == {"a": 1}
    assert read(b"\x13\x02\x04Trap\x02hi") == ["hi"]
