"""The store contract, sentence by sentence, for one caller at a time.

Law: each test is one sentence of `holdfast.store.protocol`, and uses nothing beyond it.
"""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from holdfast.errors import HoldfastError, KeyRejected, StoreUnavailable
from holdfast.store.protocol import AsyncStore, OpenStore
from holdfast.testing.trial import Trial, both_faces

__all__ = ["BAD_KEYS", "Contract"]

BAD_KEYS = ["", "k" * 251, "a b", " ", "a\nb", "a\n", "\n", "a\0b", "\0", "\t", "\x7f", "é", "☃"]
"""Keys every store refuses."""

Operation = Callable[[AsyncStore, str], Coroutine[object, None, object]]
OPERATIONS: dict[str, Operation] = {
    "get": lambda store, key: store.get(key),
    "get_many": lambda store, key: store.get_many(["fine", key]),
    "put": lambda store, key: store.put(key, b"v"),
    "put for no time": lambda store, key: store.put(key, b"v", ttl=0),
    "put_many": lambda store, key: store.put_many({"fine": b"v", key: b"v"}),
    "delete": lambda store, key: store.delete(key),
    "delete_many": lambda store, key: store.delete_many(["fine", key]),
    "swap in": lambda store, key: store.swap(key, None, b"v"),
    "swap": lambda store, key: store.swap(key, b"v", b"w"),
    "swap out": lambda store, key: store.swap(key, b"v", None),
    "swap nothing": lambda store, key: store.swap(key, None, None),
}


def _bytes(size: int) -> bytes:
    return (bytes(range(256)) * (size // 256 + 1))[:size]


async def _error_of(steps: Coroutine[object, None, object]) -> HoldfastError | None:
    try:
        await steps
    except HoldfastError as error:
        return error
    return None


class Contract:
    """Values, keys, times and `swap`, on both faces."""

    @both_faces
    async def test_what_was_never_put_is_none(self, trial: Trial) -> None:
        assert await trial.store.get("k") is None

    @both_faces
    async def test_a_value_comes_back_byte_for_byte(self, trial: Trial) -> None:
        for size in trial.sizes:
            await trial.store.put("k", _bytes(size))
            value = await trial.store.get("k")
            assert type(value) is bytes
            assert value == _bytes(size)

    @both_faces
    async def test_the_last_put_counts(self, trial: Trial) -> None:
        await trial.store.put("k", b"a long first value")
        await trial.store.put("k", b"2")
        assert await trial.store.get("k") == b"2"

    @both_faces
    async def test_odd_keys_are_carried_and_told_apart(self, trial: Trial) -> None:
        items = {key: b"of " + key.encode() for key in trial.odd_keys}
        for key, value in items.items():
            assert await trial.store.swap(key, None, value), f"{key!r} is taken for another key"
        assert await trial.store.get_many(list(items)) == items
        for key, value in items.items():
            assert await trial.store.get(key) == value
            assert await trial.store.delete(key)

    @both_faces
    async def test_bad_keys_are_rejected_by_every_operation(self, trial: Trial) -> None:
        for name, operation in OPERATIONS.items():
            for key in BAD_KEYS:
                error = await _error_of(operation(trial.store, key))
                assert isinstance(error, KeyRejected), f"{name} took the key {key!r}"
        assert await trial.store.get("fine") is None, "a rejected call wrote the good half of it"

    @pytest.mark.slow
    @both_faces
    async def test_ten_thousand_keys(self, trial: Trial) -> None:
        items = {f"key:{number}": b"%d" % number for number in range(10_000)}
        await trial.store.put_many(items, ttl=1000 * trial.second)
        assert await trial.store.get("key:9999") == b"9999"
        assert await trial.store.get_many([*items, "key:10000"]) == items
        assert await trial.store.delete_many(list(items)) == 10_000
        assert await trial.store.get_many(list(items)) == {}

    # Time

    @both_faces
    async def test_without_ttl_a_value_stays(self, trial: Trial) -> None:
        await trial.store.put("k", b"v")
        await trial.store.put("k", b"v", ttl=trial.second)
        await trial.store.put("k", b"w")
        trial.advance(3)
        assert await trial.store.get("k") == b"w"

    @both_faces
    async def test_a_ttl_of_nothing_or_less_is_gone_at_once(self, trial: Trial) -> None:
        for ttl in (0, 0.0, -1, -3600.0):
            await trial.store.put("k", b"old")
            await trial.store.put("k", b"v", ttl=ttl)
            assert await trial.store.get("k") is None
            await trial.store.put("k", b"old")
            await trial.store.put_many({"k": b"v"}, ttl=ttl)
            assert await trial.store.get("k") is None
            assert await trial.store.swap("k", None, b"v", ttl)
            assert await trial.store.get("k") is None
            await trial.store.put("k", b"old")
            assert not await trial.store.swap("k", b"other", b"v", ttl)
            assert not await trial.store.swap("k", None, b"v", ttl)
            assert await trial.store.swap("k", b"old", b"v", ttl)
            assert await trial.store.get("k") is None

    @both_faces
    async def test_a_value_lives_as_long_as_its_ttl(self, trial: Trial) -> None:
        await trial.store.put("k", b"v", ttl=4 * trial.second)
        await trial.store.put_many({"m": b"v"}, ttl=4 * trial.second)
        await trial.store.swap("s", None, b"v", 4 * trial.second)
        trial.advance(2)
        assert set(await trial.store.get_many(["k", "m", "s"])) == {"k", "m", "s"}
        trial.advance(3)
        assert await trial.store.get("k") is None
        assert await trial.store.get_many(["k", "m", "s"]) == {}

    @both_faces
    async def test_each_write_sets_its_own_ttl(self, trial: Trial) -> None:
        await trial.store.put_many({"longer": b"v", "shorter": b"v"}, ttl=4 * trial.second)
        await trial.store.put("longer", b"v", ttl=9 * trial.second)
        await trial.store.put("shorter", b"v", ttl=1 * trial.second)
        trial.advance(2)
        assert await trial.store.get_many(["longer", "shorter"]) == {"longer": b"v"}
        trial.advance(3)
        assert await trial.store.get("longer") == b"v"

    @both_faces
    async def test_swap_renews_takes_off_and_shortens_the_ttl(self, trial: Trial) -> None:
        rows = {"renewed": b"v", "freed": b"v", "shortened": b"v", "refused": b"v"}
        await trial.store.put_many(rows, ttl=4 * trial.second)
        trial.advance(1)
        assert await trial.store.swap("renewed", b"v", b"v", 9 * trial.second)
        assert await trial.store.swap("freed", b"v", b"v")
        assert await trial.store.swap("shortened", b"v", b"v", trial.second)
        assert not await trial.store.swap("refused", b"x", b"x", 9 * trial.second)
        trial.advance(2)
        assert await trial.store.get("shortened") is None
        assert await trial.store.get("refused") == b"v"
        trial.advance(2)
        assert set(await trial.store.get_many(list(rows))) == {"renewed", "freed"}
        trial.advance(6)
        assert set(await trial.store.get_many(list(rows))) == {"freed"}

    @both_faces
    async def test_an_expired_row_never_blocks(self, trial: Trial) -> None:
        await trial.store.put_many(dict.fromkeys("abcdef", b"old"), ttl=trial.second)
        trial.advance(2)
        assert not await trial.store.swap("a", b"old", b"new")
        assert not await trial.store.swap("b", b"old", None)
        assert await trial.store.swap("a", None, b"new")
        assert await trial.store.swap("b", None, None)
        assert not await trial.store.delete("c")
        assert await trial.store.delete_many(["d"]) == 0
        await trial.store.put("e", b"new")
        assert not await trial.store.swap("f", b"old", b"old", 9 * trial.second)
        assert await trial.store.get_many(list("abcdef")) == {"a": b"new", "e": b"new"}

    # Swap

    @both_faces
    async def test_swap_writes_only_over_what_it_was_told(self, trial: Trial) -> None:
        swap = trial.store.swap
        assert not await swap("k", b"v", b"w"), "an absent key holds no value"
        assert await swap("k", None, b"v"), "add if absent"
        assert not await swap("k", None, b"w"), "it is not absent"
        assert not await swap("k", b"x", b"w"), "it holds another value"
        assert await trial.store.get("k") == b"v"
        assert await swap("k", b"v", b"w")
        assert await trial.store.get("k") == b"w"

    @both_faces
    async def test_swap_with_none_removes(self, trial: Trial) -> None:
        await trial.store.put("k", b"v")
        assert not await trial.store.swap("k", b"x", None)
        assert await trial.store.get("k") == b"v"
        assert await trial.store.swap("k", b"v", None)
        assert await trial.store.get("k") is None
        assert not await trial.store.swap("k", b"v", None)

    @both_faces
    async def test_swap_of_nothing_for_nothing_tells_absence(self, trial: Trial) -> None:
        assert await trial.store.swap("k", None, None)
        await trial.store.put("k", b"v")
        assert not await trial.store.swap("k", None, None)
        assert await trial.store.get("k") == b"v"

    @both_faces
    async def test_an_empty_value_is_not_absence(self, trial: Trial) -> None:
        await trial.store.put("k", b"")
        assert await trial.store.get_many(["k"]) == {"k": b""}
        assert not await trial.store.swap("k", None, b"v")
        assert await trial.store.swap("k", b"", b"v")
        assert await trial.store.swap("k", b"v", b"")
        assert await trial.store.delete("k")
        assert not await trial.store.swap("k", b"", b"v")

    @both_faces
    async def test_swap_compares_every_byte(self, trial: Trial) -> None:
        for value in (b"Value", b"12", b"\x00\x01", b"caf\xc3\xa9", _bytes(70_000)):
            await trial.store.put("k", value)
            near = (value.swapcase() + b"!", value + b"\x00", value[:-1], b" " + value, b"")
            for other in near:
                assert not await trial.store.swap("k", other, b"no")
            assert await trial.store.get("k") == value
            assert await trial.store.swap("k", value, b"yes")

    # Many, and the end

    @both_faces
    async def test_many(self, trial: Trial) -> None:
        await trial.store.put_many({})
        assert await trial.store.get_many([]) == {}
        assert await trial.store.delete_many([]) == 0
        await trial.store.put("b", b"old")
        await trial.store.put_many({"a": b"1", "b": b"2", "c": b""})
        assert await trial.store.get_many(["c", "x", "b"]) == {"c": b"", "b": b"2"}
        assert await trial.store.delete_many(["a", "x", "b"]) == 2
        assert await trial.store.get_many(["a", "b", "c"]) == {"c": b""}

    @both_faces
    async def test_delete_tells_whether_it_was_there(self, trial: Trial) -> None:
        assert not await trial.store.delete("k")
        await trial.store.put("k", b"v")
        assert await trial.store.delete("k")
        assert await trial.store.get("k") is None
        assert not await trial.store.delete("k")

    @both_faces
    async def test_ping_answers(self, trial: Trial) -> None:
        await trial.store.ping()

    @both_faces
    async def test_after_close_every_call_raises(self, trial: Trial) -> None:
        await trial.store.put("k", b"v")
        await trial.store.close()
        await trial.store.close()
        for name, operation in OPERATIONS.items():
            error = await _error_of(operation(trial.store, "k"))
            assert isinstance(error, StoreUnavailable), f"{name} worked on a closed store"
            assert error.store == trial.opened.name
        with pytest.raises(StoreUnavailable):
            await trial.store.ping()

    def test_tasks_lose_no_swap(self, trial: Trial) -> None:
        async def add(count: int) -> None:
            for _ in range(count):
                while True:
                    old = await trial.store.get("n")
                    if await trial.store.swap("n", old, b"%d" % (int(old or b"0") + 1)):
                        break

        async def body() -> None:
            await asyncio.gather(*(add(5) for _ in range(20)))
            assert await trial.store.get("n") == b"100"

        trial.play("aio", body())

    # The object

    def test_it_is_an_open_store_with_two_faces(self, trial: Trial) -> None:
        assert isinstance(trial.opened, OpenStore)
        assert isinstance(trial.opened.aio, AsyncStore)
        assert trial.opened.aio is trial.opened.aio, "the async face is one object"

    def test_the_faces_show_the_same_rows(self, trial: Trial) -> None:
        other = trial.another()
        other.put("k", b"v")

        async def body() -> None:
            assert await trial.store.get("k") == b"v"
            assert await trial.store.swap("k", b"v", b"w")

        trial.play("aio", body())
        assert other.get("k") == b"w"

    def test_a_with_block_closes_it(self, trial: Trial) -> None:
        with trial.another() as store:
            store.put("k", b"v")
        with pytest.raises(StoreUnavailable):
            store.get("k")
        assert trial.opened.get("k") == b"v", "closing one handle closed another"
