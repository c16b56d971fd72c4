"""The allow-list of pickles: what is read, what is refused, what cannot be changed through it."""

import datetime as dt
import os
import pickle
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codec.unpickle import unpickle
from holdfast.errors import CodecError


class Cart:
    """An application's own class."""

    def __init__(self, items: list[str]) -> None:
        self.items = items


class Names(dict[str, int]):
    """A dict of an application."""


class Shout:
    """Runs something when it is unpickled by whoever believes it."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("holdfast-was-here",)


PLAIN = {
    "none": None,
    "bools": [True, False],
    "ints": [0, -1, 2**31, 2**63, -(2**100)],
    "floats": [0.5, -1e300],
    "text": ["", "größe", "\ud800"],
    "bytes": [b"", b"abc", bytes(range(256))],
    "bytearray": [bytearray(), bytearray(b"\xff\x00")],
    "complex": 2 + 3j,
    "containers": [[1], (1, (2,)), {"a": {"b": []}}, {1, 2}, frozenset({"x"})],
    "dates": [
        dt.datetime(2018, 6, 4, 12, 0, 0, 123456),  # noqa: DTZ001 - naive ones, too
        dt.datetime(2018, 6, 4, tzinfo=dt.UTC),
        dt.datetime(2018, 6, 4, tzinfo=dt.timezone(dt.timedelta(hours=2), "here")),
        dt.datetime(2018, 6, 4, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        dt.date(1, 1, 1),
        dt.time(23, 59, 59, 1, tzinfo=dt.UTC),
        dt.timedelta(-1, 2, 3),
    ],
    "decimals": [Decimal("1.50"), Decimal("NaN").is_nan()],
    "uuid": uuid.UUID(int=5),
    "collections": [
        OrderedDict(b=1, a=2),
        defaultdict(list, a=[1]),
        deque([1, 2], maxlen=3),
        Counter("abca"),
    ],
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", PLAIN)
def test_plain_values_of_every_protocol_come_back(kind: str, protocol: int) -> None:
    value = PLAIN[kind]
    data = pickle.dumps(value, protocol)
    read = unpickle(data)
    assert read == value
    assert repr(read) == repr(pickle.loads(data))  # noqa: S301 - our own


def test_shared_and_cyclic_values_stay_shared() -> None:
    shared = ["x"]
    loop: list[object] = [shared, shared]
    loop.append(loop)
    read = unpickle(pickle.dumps(loop))
    assert isinstance(read, list)
    assert read[0] is read[1]
    assert read[2] is read


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(Shout()),
        pickle.dumps(Shout(), 0),
        pickle.dumps(Cart([])),
        pickle.dumps(Fraction(1, 2)),
        pickle.dumps(os.path.join),
        pickle.dumps(len),
        b"cos\nsystem\n(S'true'\ntR.",
        b"c__builtin__\neval\n(S'1'\ntR.",
        b"c__builtin__\ngetattr\n(c__builtin__\nstr\nS'mro'\ntR.",
        b"\x80\x04\x8c\x08datetime\x8c\x0ddate.fromtimestamp"[:-6] + b"today\x93)R.",
        b"(S'x'\nios\nsystem\n.",
    ],
    ids=[
        "a function call", "the same, protocol 0", "a class", "a class of the library",
        "a function", "a builtin", "os.system", "eval", "getattr", "a method of a class",
        "the opcode INST",
    ],
)  # fmt: skip
def test_what_is_not_on_the_list_is_refused_and_not_run(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CodecError, match=r"asks for|not a pickle"):
        unpickle(data)
    assert not list(tmp_path.iterdir())


def test_the_error_names_what_was_asked_for() -> None:
    with pytest.raises(CodecError, match=rf"asks for {__name__}.Cart, which is not allowed"):
        unpickle(pickle.dumps(Cart([])))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_class_that_is_allowed_is_read(protocol: int) -> None:
    allowed = [f"{__name__}.Cart", f"{__name__}.Names"]
    read = unpickle(pickle.dumps([Cart(["tea"]), Names(a=1)], protocol), allowed)
    assert isinstance(read, list)
    assert type(read[0]) is Cart
    assert read[0].items == ["tea"]
    assert type(read[1]) is Names
    assert read[1] == {"a": 1}


def test_a_function_cannot_be_allowed() -> None:
    with pytest.raises(CodecError, match=r"posix\.mkdir, which is no class"):
        unpickle(pickle.dumps(Shout()), ["posix.mkdir"])


# What a pickle can do with the classes it gets


@pytest.mark.parametrize(
    "asked", ["uuid UUID", "collections Counter", "datetime date", "_codecs encode", "mine Cart"]
)
def test_no_class_can_be_changed_through_a_pickle(asked: str) -> None:
    module, name = asked.split()
    module = __name__ if module == "mine" else module
    data = f"c{module}\n{name}\n(N(dS'poison'\nI1\nstb.".encode()
    with pytest.raises(CodecError):
        unpickle(data, [f"{__name__}.Cart"])
    for changed in (uuid.UUID, Counter, dt.date, Cart):
        assert not hasattr(changed, "poison")
    assert unpickle(pickle.dumps(uuid.UUID(int=1))) == uuid.UUID(int=1)
    assert unpickle(pickle.dumps(b"\xff", 0)) == b"\xff"


@pytest.mark.parametrize("kind", ["bytes", "bytearray"])
def test_a_number_does_not_become_that_many_bytes(kind: str) -> None:
    with pytest.raises(CodecError):
        unpickle(f"c__builtin__\n{kind}\n(I100000000000\ntR.".encode())


def test_nothing_that_all_share_is_changed_through_a_pickle() -> None:
    for made in ("cuuid\nSafeUUID\n(I0\ntR", "czoneinfo\nZoneInfo\n(VUTC\ntR", "N", "I01\n"):
        for state in ("(dS'poison'\nI1\ns", "(N(dS'poison'\nI1\nst"):
            with pytest.raises(CodecError):
                unpickle(f"{made}{state}b.".encode())
    assert not hasattr(uuid.SafeUUID.safe, "poison")


def test_an_error_is_no_longer_than_a_line_or_two() -> None:
    with pytest.raises(CodecError) as caught:
        unpickle(b"czoneinfo\nZoneInfo\n(V%b\ntR." % (b"A" * 10_000))
    assert len(str(caught.value)) < 300


NESTED = "]" + "".join(f"p{level}\n0](g{level}\ng{level}\ne" for level in range(40))


@pytest.mark.parametrize(
    "data",
    [
        "cbuiltins\nbytes\n(I100000000000\nt\x81.",
        "cbuiltins\nbytearray\n(I100000000000\nt\x81.",
        "ccopyreg\n_reconstructor\n(cbuiltins\nbytes\ncbuiltins\nbytes\nI100000000000\ntR.",
        "cbuiltins\nint\n(cdecimal\nDecimal\n(V1E+50000000\ntRtR.",
        "cbuiltins\nint\n(cdecimal\nDecimal\n(V1E+50000000\nt\x81tR.",
        f"cbuiltins\nstr\n({NESTED}tR.",
        f"cbuiltins\nstr\n({NESTED}t\x81.",
        f"ccopyreg\n_reconstructor\n(cbuiltins\nstr\ncbuiltins\nstr\n{NESTED}tR.",
    ],
    ids=[
        "bytes", "bytearray", "bytes, protocol 1", "int of a Decimal", "int of a new one", "str",
        "new str", "str, protocol 1",
    ],
)  # fmt: skip
def test_little_does_not_become_much(data: str) -> None:
    with pytest.raises(CodecError):
        unpickle(data.encode("latin-1"))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", [int, list, str])
def test_what_makes_defaults_stays_the_class_itself(kind: type, protocol: int) -> None:
    read = unpickle(pickle.dumps(defaultdict(kind, a=kind()), protocol))
    assert isinstance(read, defaultdict)
    assert read.default_factory is kind


def test_other_encodings_are_refused() -> None:
    with pytest.raises(CodecError, match="never written"):
        unpickle(b"c_codecs\nencode\n(Vx\nVzlib\ntR.")


# Python 2


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"S'abc'\np0\n.", "abc"),
        (b"\x80\x02U\x03abcq\x00.", "abc"),
        (b"\x80\x02U\x06gr\xc3\xb6\xc3\x9fq\x00.", "größ"),
        (b"\x80\x02U\x02\xff\xfeq\x00.", "\udcff\udcfe"),
        (b"V\\u00e9\np0\n.", "é"),
        (b"L12345678901234567890L\n.", 12345678901234567890),
        (b"I01\n.", True),
        (b"c__builtin__\nset\np0\n((lp1\nI1\naI2\natp2\nRp3\n.", {1, 2}),
        (
            b"cdatetime\ndatetime\n(S'\\x07\\xe2\\x06\\x04\\x0c\\x00\\x00\\x01\\xe2@'\ntR.",
            dt.datetime(2018, 6, 4, 12, 0, 0, 123456),  # noqa: DTZ001 - the same
        ),
        (b"cdatetime\ndate\np0\n(S'\\x07\\xe2\\x06\\x04'\np1\ntp2\nRp3\n.", dt.date(2018, 6, 4)),
        (
            b"cdatetime\ntime\np0\n(S'\\x17\\x3b\\x3b\\x00\\x00\\xff'\np1\ntp2\nRp3\n.",
            dt.time(23, 59, 59, 255),
        ),
        (b"cdatetime\ntimedelta\np0\n(I1\nI2\nI3\ntp1\nRp2\n.", dt.timedelta(1, 2, 3)),
        (b"cdecimal\nDecimal\np0\n(S'1.50'\np1\ntp2\nRp3\n.", Decimal("1.50")),
        (
            b"ccopy_reg\n_reconstructor\n(cuuid\nUUID\nc__builtin__\nobject\nNtR(dS'int'\nL5L\nsb.",
            uuid.UUID(int=5),
        ),
        (
            b"ccollections\nOrderedDict\np0\n((lp1\n(lp2\nS'b'\np3\naI1\naatp4\nRp5\n.",
            OrderedDict(b=1),
        ),
        (
            b"ccollections\ndefaultdict\np0\n(c__builtin__\nlist\np1\ntp2\nRp3\nS'a'\np4\n(lp5\ns.",
            {"a": []},
        ),
        (b"c__builtin__\nbytearray\np0\n(V\\u00ff\np1\nS'latin-1'\np2\ntp3\nRp4\n.", b"\xff"),
    ],
    ids=[
        "str, protocol 0", "str, protocol 2", "UTF-8", "bytes that are no UTF-8", "unicode", "long",
        "bool", "set", "datetime", "date", "time", "timedelta", "Decimal", "UUID", "OrderedDict",
        "defaultdict", "bytearray",
    ],
)  # fmt: skip
def test_what_python_2_wrote_is_read(data: bytes, value: object) -> None:
    assert unpickle(data) == value


@given(st.binary(max_size=300))
def test_any_bytes_are_a_value_or_a_codec_error(data: bytes) -> None:
    try:
        unpickle(data)
    except CodecError:
        return


@pytest.mark.parametrize("data", [b"]r\xff\xff\xff\x03.", b"]p99999999\n."])
def test_a_number_does_not_become_that_much_memory(data: bytes) -> None:
    with pytest.raises(CodecError, match="too large"):
        unpickle(data)
