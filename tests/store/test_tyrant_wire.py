"""Tokyo Tyrant's protocol: every command against the server, and every reply byte by byte."""

import struct
from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from holdfast.store.tyrant import wire
from holdfast.store.tyrant.client import TyrantClient
from holdfast.store.tyrant.wire import Command, Garbled, Reading
from servers.tyrant import Tyrant


def size(number: int) -> bytes:
    return struct.pack(">I", number)


REQUESTS: dict[str, tuple[Command[Any], bytes]] = {
    "put": (wire.put(b"k", b"v"), b"\xc8\x10" + size(1) + size(1) + b"kv"),
    "putkeep": (wire.putkeep(b"k", b""), b"\xc8\x11" + size(1) + size(0) + b"k"),
    "putcat": (wire.putcat(b"k", b"v"), b"\xc8\x12" + size(1) + size(1) + b"kv"),
    "putnr": (wire.putnr(b"k", b"v"), b"\xc8\x18" + size(1) + size(1) + b"kv"),
    "out": (wire.out(b"key"), b"\xc8\x20" + size(3) + b"key"),
    "get": (wire.get(b""), b"\xc8\x30" + size(0)),
    "mget": (wire.mget([b"a", b""]), b"\xc8\x31" + size(2) + size(1) + b"a" + size(0)),
    "vsiz": (wire.vsiz(b"k"), b"\xc8\x38" + size(1) + b"k"),
    "fwmkeys": (wire.fwmkeys(b"p", 7), b"\xc8\x58" + size(1) + size(7) + b"p"),
    "all fwmkeys": (wire.fwmkeys(b""), b"\xc8\x58" + size(0) + b"\xff" * 4),
    "addint": (wire.addint(b"k", -1), b"\xc8\x60" + size(1) + b"\xff" * 4 + b"k"),
    "sync": (wire.sync(), b"\xc8\x70"),
    "optimize": (wire.optimize(b"x"), b"\xc8\x71" + size(1) + b"x"),
    "vanish": (wire.vanish(), b"\xc8\x72"),
    "rnum": (wire.rnum(), b"\xc8\x80"),
    "size": (wire.size(), b"\xc8\x81"),
    "stat": (wire.stat(), b"\xc8\x88"),
    "misc": (
        wire.misc(b"fn", [b"a"], logged=False),
        b"\xc8\x90" + size(2) + size(1) + size(1) + b"fn" + size(1) + b"a",
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_are_the_bytes_that_were_verified(name: str) -> None:
    command, expected = REQUESTS[name]
    assert command.request == expected


REPLIES: dict[str, tuple[Command[Any], bytes, Any]] = {
    "done": (wire.put(b"k", b"v"), b"\0", True),
    "failed": (wire.out(b"k"), b"\1", False),
    "a value": (wire.get(b"k"), b"\0" + size(2) + b"ab", b"ab"),
    "an empty value": (wire.get(b"k"), b"\0" + size(0), b""),
    "no value": (wire.get(b"k"), b"\1", None),
    "some": (
        wire.mget([b"a", b"b", b"c"]),
        b"\0" + size(2) + size(1) + size(3) + b"axyz" + size(0) + size(0),
        {b"a": b"xyz", b"": b""},
    ),
    "none of them": (wire.mget([b"a"]), b"\0" + size(0), {}),
    "a size": (wire.vsiz(b"k"), b"\0" + size(9), 9),
    "no size": (wire.vsiz(b"k"), b"\1", None),
    "keys": (wire.fwmkeys(b""), b"\0" + size(2) + size(1) + b"a" + size(0), [b"a", b""]),
    "a sum": (wire.addint(b"k", 1), b"\0" + b"\xff" * 4, -1),
    "no sum": (wire.addint(b"k", 1), b"\1", None),
    "a number": (wire.rnum(), b"\0" + bytes(7) + b"\5", 5),
    "facts": (wire.stat(), b"\0" + size(12) + b"type\thash\na\n", {"type": "hash", "a": ""}),
    "a list": (wire.misc(b"f", [], logged=True), b"\0" + size(1) + size(1) + b"a", [b"a"]),
    "no list": (wire.misc(b"f", [], logged=True), b"\1" + size(0), None),
}


@pytest.mark.parametrize("name", REPLIES)
def test_replies_are_read_in_any_pieces(name: str) -> None:
    command, reply, expected = REPLIES[name]
    for pieces in (1, 2, 3, len(reply)):
        reading, inbox = Reading(command), bytearray()
        for start in range(0, len(reply), pieces):
            assert not reading.over
            inbox += reply[start : start + pieces]
            reading.take(inbox)
        assert reading.over
        assert not inbox
        assert reading.value == expected
    reading, inbox = Reading(command), bytearray(reply + b"next")
    assert reading.take(inbox)
    assert inbox == b"next", "it takes no byte of the next reply"


@given(st.sampled_from(sorted(REPLIES)), st.binary(max_size=60))
def test_no_bytes_break_a_reading(name: str, noise: bytes) -> None:
    reading, inbox = Reading(REPLIES[name][0]), bytearray(noise)
    try:
        over = reading.take(inbox)
    except Garbled:
        return
    assert over == reading.over
    assert len(inbox) <= len(noise)


def test_sizes_that_nobody_means_are_garbled() -> None:
    lies: list[tuple[Command[Any], bytes]] = [
        (wire.get(b"k"), b"\0\xff\xff\xff\xff"),
        (wire.mget([b"k"]), b"\0" + size(2)),
        (wire.mget([b"k"]), b"\0" + size(1) + size(1) + b"\x7f" * 4),
        (wire.fwmkeys(b"", 3), b"\0" + size(4)),
        (wire.rnum(), b"\1"),
    ]
    for command, reply in lies:
        with pytest.raises(Garbled):
            Reading(command).take(bytearray(reply))


@pytest.fixture
def client(tyrant: Tyrant) -> Iterator[TyrantClient]:
    """Give a client of an empty server."""
    client = TyrantClient(*tyrant.address, timeout=5)
    assert client.vanish()
    yield client
    client.close()


@pytest.mark.server
def test_every_command_against_the_server(client: TyrantClient) -> None:
    assert client.put(b"a", b"1")
    assert not client.putkeep(b"a", b"2")
    assert client.putkeep(b"b", b"2")
    assert client.putcat(b"b", b"3")
    assert client.mget([b"a", b"b", b"c"]) == {b"a": b"1", b"b": b"23"}
    assert client.mget([]) == {}
    assert (client.vsiz(b"b"), client.vsiz(b"c")) == (2, None)
    assert sorted(client.fwmkeys(b"")) == [b"a", b"b"]
    assert len(client.fwmkeys(b"", 1)) == 1
    assert (client.addint(b"n", 5), client.addint(b"n", -7)) == (5, -2)
    assert client.get(b"n") == struct.pack("<i", -2), "kept in the server's own form"
    assert client.addint(b"a", 1) is None
    assert client.put(b"", b"")
    assert client.get(b"") == b""
    assert client.rnum() == 4
    assert client.size() > 0
    assert client.stat()["type"] == "hash"
    assert client.sync()
    assert client.optimize()
    assert client.misc(b"getlist", [b"a", b"c", b"b"]) == [b"a", b"1", b"b", b"23"]
    assert client.misc(b"no such thing") is None
    assert client.out(b"a")
    assert not client.out(b"a")
    big = bytes(range(256)) * 40_000
    assert client.put(b"big", big)
    assert client.get(b"big") == big
    assert client.vanish()
    assert client.rnum() == 0


@pytest.mark.server
def test_an_unknown_command_ends_the_connection_and_no_more(client: TyrantClient) -> None:
    with pytest.raises(ConnectionError, match="closed the connection"):
        client.call(Command(b"\xc8\xee", wire.sync().reply))
    assert client.put(b"k", b"v")
    assert len(client) == 1
