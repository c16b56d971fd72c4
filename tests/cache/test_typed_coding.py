"""Coding: what stands in a store is what was asked for, and nothing else is read from there."""

import contextlib
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shop_types import PRICE, SELLER, Price, Seller, Unit

from holdfast.cache.coding import Coding, OtherForm
from holdfast.cache.space import Item, Space
from holdfast.codec import codec_named
from holdfast.codec.compress import MAX_BYTES
from holdfast.codec.msgpack import Msgpack
from holdfast.codec.pickle import UnsafePickle
from holdfast.codec.typed import Form, form_of
from holdfast.errors import CodecError, ConfigError
from holdfast.signing import Key, KeyRing

NEW, OLD = b"q7Xw2mT9vLb4Zr8kYc1Nf6Hs3Jd5Gp0AeUiO7fk2q", b"Vx93hs02lkd81mPz6Rt4Wy7Bn5Cq1Fj8Ku3Ea0Ih"
SPACE = Space("shop")
FORM = form_of(Price, where="shop.load")
FINGERPRINT = FORM.fingerprint if FORM else b""
OTHER = form_of(Seller, where="shop.load")


def item(name: str = "tea", form: Form | None = None) -> Item:
    return SPACE.item(name, form=form)


def coding(codec: Any = "msgpack", **options: Any) -> Coding:
    return Coding(codec_named(codec), **options)


def test_without_a_form_the_codec_alone_writes() -> None:
    data, fingerprint = coding().encode(item(), {"a": (1, 2)})
    assert data == Msgpack().encode({"a": (1, 2)})
    assert fingerprint == b""
    assert coding().decode(item(), data, b"") == {"a": (1, 2)}


@pytest.mark.parametrize("options", [{}, {"compress_above": 0}, {"secrets": NEW}])
@pytest.mark.parametrize("form", [None, FORM])
def test_what_is_written_is_read(options: dict[str, Any], form: Form | None) -> None:
    value = PRICE if form else ["x" * 5000, None]
    data, fingerprint = coding(**options).encode(item(form=form), value)
    assert coding(**options).decode(item(form=form), data, fingerprint) == value


def test_who_has_no_form_reads_the_plain_form() -> None:
    data, fingerprint = coding(secrets=NEW).encode(item(form=FORM), PRICE)
    assert len(fingerprint) == 8
    plain = coding(secrets=NEW).decode(item(), data, fingerprint)
    assert plain == {"amount": PRICE.amount, "unit": "KILO", "since": PRICE.since}


def test_another_form_is_said_to_be_one() -> None:
    data, fingerprint = coding().encode(item(form=FORM), PRICE)
    with pytest.raises(OtherForm) as caught:
        coding().decode(item(form=OTHER), data, fingerprint)
    assert caught.value.name == "tea"
    with pytest.raises(OtherForm):
        coding().decode(item(form=FORM), Msgpack().encode({"amount": 1}), b"")


def test_plain_values_of_another_shape_are_no_value() -> None:
    assert FORM is not None
    for plain in ({"amount": 1}, [1], 7, {"amount": 1, "unit": "POUND", "since": 1}):
        with pytest.raises(CodecError, match="'tea'"):
            coding().decode(item(form=FORM), Msgpack().encode(plain), FORM.fingerprint)


def test_compression_starts_above_its_size() -> None:
    short = coding(compress_above=500)
    long_text, short_text = "tea " * 500, "tea " * 5
    data, _ = short.encode(item(), long_text)
    assert len(data) < 100
    assert short.decode(item(), data, b"") == long_text
    data, _ = short.encode(item(), short_text)
    assert b"tea tea" in data
    assert short.decode(item(), data, b"") == short_text


def test_a_bomb_is_no_value() -> None:
    bomb = b"\x01" + zlib.compress(bytes(MAX_BYTES + 1), 9)
    with pytest.raises(CodecError, match="longer than the limit"):
        coding(compress_above=0).decode(item(), bomb, b"")


@pytest.mark.parametrize("value", [0, 1, "", None, [], "tea" * 500])
def test_what_was_written_with_another_setting_is_no_value(value: object) -> None:
    plain, squeezed = coding(), coding(compress_above=100)
    for writer, reader in ((plain, squeezed), (squeezed, plain), (plain, coding(secrets=NEW))):
        data, _ = writer.encode(item(), value)
        with pytest.raises(CodecError):
            reader.decode(item(), data, b"")


@pytest.mark.parametrize("compress_above", [True, 1.5, "1k", -1])
def test_a_size_is_a_number_of_bytes(compress_above: Any) -> None:
    with pytest.raises(ConfigError, match="above"):
        coding(compress_above=compress_above)


def test_a_weak_secret_is_refused() -> None:
    with pytest.raises(ConfigError):
        coding(secrets="secret")


def test_sealed_values_are_not_readable() -> None:
    data, _ = coding(secrets=NEW).encode(item(), "a customer's name")
    assert b"customer" not in data
    for secrets in (None, OLD):
        with pytest.raises(CodecError):
            coding(secrets=secrets).decode(item(), data, b"")


def test_a_sealed_value_is_worth_nothing_under_another_key_or_form() -> None:
    sealed = coding(secrets=NEW)
    data, fingerprint = sealed.encode(item("tea", FORM), PRICE)
    for other in (item("milk", FORM), Space("other").item("tea", form=FORM)):
        with pytest.raises(CodecError, match="not sealed"):
            sealed.decode(other, data, fingerprint)
    with pytest.raises(CodecError, match="not sealed"):
        sealed.decode(item("tea"), data, b"")
    assert sealed.decode(item("tea", FORM), data, fingerprint) == PRICE


def test_secrets_rotate_and_are_revoked() -> None:
    data, _ = coding(secrets=[OLD]).encode(item(), "tea")
    assert coding(secrets=[NEW, OLD]).decode(item(), data, b"") == "tea"
    assert coding(secrets=KeyRing([NEW, OLD])).decode(item(), data, b"") == "tea"
    with pytest.raises(CodecError):
        coding(secrets=[NEW, Key(OLD, revoked=True)]).decode(item(), data, b"")


def test_a_compressed_value_is_sealed_not_a_sealed_one_compressed() -> None:
    data, _ = coding(secrets=NEW, compress_above=100).encode(item(), "tea" * 5000)
    assert len(data) < 300


@settings(deadline=None)
@given(
    st.binary(max_size=80), st.sampled_from([b"", b"12345678", getattr(FORM, "fingerprint", b"")])
)
def test_any_bytes_are_a_value_or_a_codec_error(data: bytes, fingerprint: bytes) -> None:
    for reader in (coding(), coding("json"), coding(compress_above=0), coding(secrets=NEW)):
        for one in (item(), item(form=FORM)):
            with contextlib.suppress(CodecError):
                reader.decode(one, data, fingerprint)


def test_json_writes_classes_of_what_json_has() -> None:
    form = form_of(dict[str, list[Unit]], where="shop.load")
    data, fingerprint = coding("json").encode(item(form=form), {"a": [Unit.KILO]})
    assert data == b'{"a":["KILO"]}'
    assert coding("json").decode(item(form=form), data, fingerprint) == {"a": [Unit.KILO]}


def test_what_cannot_be_written_names_function_key_type_and_mend() -> None:
    form = form_of(complex, where="shop.load")
    with pytest.raises(CodecError) as caught:
        coding().encode(item(form=form), 1j)
    for told in ("'tea'", "shop.load", "type complex", "annotate the result with"):
        assert told in str(caught.value)
    with pytest.raises(CodecError) as caught:
        coding().encode(item(form=FORM), SELLER)
    for told in ("'tea'", "shop.load", "shop_types.Seller", "shop_types.Price", "annotate"):
        assert told in str(caught.value)


def test_pickle_is_never_chosen_by_name() -> None:
    with pytest.raises(ConfigError, match="pickle is never chosen by name"):
        coding("pickle")


def test_pickle_gets_the_values_themselves_and_a_changed_class_is_told() -> None:
    pickled = coding(UnsafePickle(KeyRing(NEW)))
    data, fingerprint = pickled.encode(item(form=FORM), SELLER)  # no Price: pickle does not mind
    assert pickled.decode(item(form=FORM), data, fingerprint) == SELLER
    with pytest.raises(OtherForm):
        pickled.decode(item(form=OTHER), data, fingerprint)
