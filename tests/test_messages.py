"""Messages on a channel: what is written is read, in pieces of any size, by everybody but us."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast import messages

KEYS = st.lists(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))


def read_all(texts: list[str], own: str = "other", prefix: str = "") -> list[str]:
    found: list[str] = []
    for text in texts:
        keys = messages.read(text, own=own, prefix=prefix)
        assert keys is not None
        found += keys
    return found


@given(KEYS, st.integers(min_value=40, max_value=400))
def test_what_is_written_is_read(keys: list[str], limit: int) -> None:
    keys = [key[:20] for key in keys]
    texts = list(messages.write("sender", keys, limit=limit))
    assert read_all(texts) == keys
    assert all(len(text) <= limit for text in texts)
    assert read_all(texts, own="sender") == []


def test_no_keys_are_no_message() -> None:
    assert list(messages.write("sender", [], limit=100)) == []


def test_all_keys() -> None:
    (text,) = messages.write("sender", None, limit=100)
    assert messages.read(text, own="other", prefix="shop:") is None
    assert messages.read(text, own="sender", prefix="shop:") == []


def test_keys_of_others_are_left_out() -> None:
    assert messages.read("s shop:a stock:b shop:c", own="o", prefix="shop:") == ["shop:a", "shop:c"]
    assert messages.read("s stock:b", own="o", prefix="shop:") == []


def test_the_form_is_the_documented_one() -> None:
    assert list(messages.write("s", ["a", "b", "c"], limit=5)) == ["s a b", "s c"]
