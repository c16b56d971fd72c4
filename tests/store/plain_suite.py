"""What every plain store keeps: the contract of `holdfast.store.plain`, on foreign keys.

Law: a subclass has the fixture `store`, and what lies in `odd_keys` is what its server can carry.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from holdfast.errors import KeyRejected
from holdfast.store.plain import PlainStore

__all__ = ["PlainSuite"]

VALUES = [b"", b"\x80\x04N.", b"\x00HF1\x81\xa1a\x01", bytes(range(256)), b"12", b"x" * 70_000]


class PlainSuite:
    """Ten lines for each store."""

    odd_keys = ("a b", "beaker:é:ü", "100%", "a_c", "a*c", "a[b]c", "\\", "'\"", "a\nb", "x" * 250)

    def test_it_is_a_plain_store(self, store: PlainStore) -> None:
        assert isinstance(store, PlainStore)
        assert store.name

    def test_bytes_come_back_as_they_went(self, store: PlainStore) -> None:
        for value in VALUES:
            store.put("key", value)
            assert store.get("key") == value
        assert store.get("other") is None

    def test_keys_of_others(self, store: PlainStore) -> None:
        for number, key in enumerate(self.odd_keys):
            store.put(key, b"%d" % number)
        assert [store.get(key) for key in self.odd_keys] == [
            b"%d" % number for number in range(len(self.odd_keys))
        ]
        assert sorted(store.scan()) == sorted(self.odd_keys)
        assert all(store.delete(key) for key in self.odd_keys)
        assert list(store.scan()) == []

    def test_a_key_nobody_can_carry(self, store: PlainStore) -> None:
        for act in (store.get, store.delete, lambda key: store.put(key, b"v")):
            with pytest.raises(KeyRejected):
                act("\ud800")

    def test_delete_tells_what_was_there(self, store: PlainStore) -> None:
        assert not store.delete("key")
        store.put("key", b"v")
        assert store.delete("key")
        assert not store.delete("key")
        assert store.get("key") is None

    def test_scan_takes_a_prefix_as_it_is_written(self, store: PlainStore) -> None:
        for key in ("a_1", "a_2", "ab1", "a%1", "A_3", "b"):
            store.put(key, b"v")
        assert sorted(store.scan("a_")) == ["a_1", "a_2"]
        assert sorted(store.scan("a%")) == ["a%1"]
        assert list(store.scan("c")) == []

    def test_swap_is_done_if_the_old_value_is_there(self, store: PlainStore) -> None:
        for old in VALUES:
            store.put("key", old)
            assert not store.swap("key", old + b"-", b"new")
            assert not store.swap("key", None, b"new")
            assert store.get("key") == old
            assert store.swap("key", old, b"new")
            assert store.get("key") == b"new"

    def test_swap_makes_and_removes(self, store: PlainStore) -> None:
        assert store.swap("key", None, None)
        assert not store.swap("key", b"v", None)
        assert not store.swap("key", b"v", b"w")
        assert store.swap("key", None, b"v")
        assert not store.swap("key", None, None)
        assert not store.swap("key", b"w", None)
        assert store.swap("key", b"v", None)
        assert store.get("key") is None

    def test_of_many_swaps_one_is_done(self, store: PlainStore) -> None:
        with ThreadPoolExecutor(8) as threads:
            for old in (None, b"first"):
                if old:
                    store.put("key", old)
                news = [b"%d" % number for number in range(8)]
                done = list(threads.map(lambda new, old=old: store.swap("key", old, new), news))
                assert store.get("key") == news[done.index(True)]
                assert done.count(True) == 1

    def test_many_writers_lose_nothing(self, store: PlainStore) -> None:
        def add(word: bytes) -> None:
            while True:
                seen = store.get("key")
                if store.swap("key", seen, (seen or b"") + word):
                    return

        words = [b"<%d>" % number for number in range(24)]
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(add, words))
        found = store.get("key") or b""
        assert all(found.count(word) == 1 for word in words)

    def test_many_threads_put_one_key(self, store: PlainStore) -> None:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda number: store.put("key", b"%d" % number), range(24)))
        assert store.get("key") in {b"%d" % number for number in range(24)}
        assert list(store.scan()) == ["key"]

    def test_closing_twice_is_fine(self, store: PlainStore) -> None:
        store.close()
        store.close()
