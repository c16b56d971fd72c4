"""pytyrant's names over our client."""

from collections.abc import Iterator

import pytest

from holdfast.compat.pytyrant import PyTyrant, TyrantError
from servers.tyrant import Tyrant, run_tyrant

pytestmark = pytest.mark.server


@pytest.fixture
def t(tyrant_of_old: Tyrant) -> Iterator[PyTyrant]:
    opened = PyTyrant.open(*tyrant_of_old.address)
    opened.clear()
    yield opened
    opened.close()


def test_the_example_of_its_documentation(t: PyTyrant) -> None:
    t["__test_key__"] = "foo"
    t.concat("__test_key__", "bar")
    assert t["__test_key__"] == "foobar"
    del t["__test_key__"]
    assert "__test_key__" not in t


def test_a_missing_key_is_a_key_error_and_below_a_tyrant_error(t: PyTyrant) -> None:
    for missing in (lambda: t["no"], lambda: t.__delitem__("no"), lambda: t.get_size("no")):
        with pytest.raises(KeyError):
            missing()
    with pytest.raises(TyrantError):
        t.t.get("no")
    with pytest.raises(TyrantError):
        t.t.out("no")
    assert t.get("no") is None
    assert t.get("no", "other") == "other"


def test_it_is_a_mapping(t: PyTyrant) -> None:
    t.update({"a": "1", "b": "2"}, c="3")
    t.update([("d", "4")])
    assert sorted(t) == sorted(t.keys()) == sorted(t.iterkeys()) == ["a", "b", "c", "d"]
    assert dict(t.items()) == dict(t.iteritems()) == {"a": "1", "b": "2", "c": "3", "d": "4"}
    assert sorted(t.itervalues()) == ["1", "2", "3", "4"]
    assert len(t) == 4
    assert t.has_key("a")
    assert t.pop("a") == "1"
    assert t.pop("a", "gone") == "gone"
    t.clear()
    assert len(t) == 0
    t.update()
    assert not t


def test_setdefault_is_one_step(t: PyTyrant) -> None:
    assert t.setdefault("k", "first") == "first"
    assert t.setdefault("k", "second") == "first"
    assert t["k"] == "first"
    with pytest.raises(TyrantError):
        t.t.putkeep("k", "third")


def test_many_at_once(t: PyTyrant) -> None:
    t.multi_set([("a", "1"), ("b", "2")])
    assert t.multi_get(["b", "no", "a"]) == ["2", None, "1"]
    t.multi_del(["a", "no"])
    assert t.multi_get(["a", "b"]) == [None, "2"]
    assert sorted(t.t.mget(["a", "b"])) == [("b", "2")]


def test_sizes_prefixes_and_statistics(t: PyTyrant) -> None:
    t.multi_set([("user:1", "ä"), ("user:2", ""), ("other", "x")])
    assert t.get_size("user:1") == 2
    assert sorted(t.prefix_keys("user:")) == ["user:1", "user:2"]
    assert len(t.prefix_keys("user:", 1)) == 1
    stats = t.get_stats()
    assert stats["rnum"] == "3"
    assert t.t.size() > 0
    t.sync()


def test_concat_with_a_width_keeps_the_end(t: PyTyrant) -> None:
    t.concat("log", "abcdef", width=4)
    t.concat("log", "gh", width=4)
    assert t["log"] == "efgh"


def test_any_bytes_go_there_and_back_as_text(t: PyTyrant) -> None:
    every = bytes(range(256))
    t[b"bytes \xff"] = every
    (key,) = list(t.iterkeys())
    assert key.encode("utf-8", "surrogateescape") == b"bytes \xff"
    assert t[key].encode("utf-8", "surrogateescape") == every
    t[key] = t[key]
    assert t[key].encode("utf-8", "surrogateescape") == every
    with pytest.raises(TypeError, match="text, not int"):
        t["n"] = 5  # type: ignore[assignment] # the point


def test_a_function_the_server_has_not_is_a_tyrant_error(t: PyTyrant) -> None:
    with pytest.raises(TyrantError):
        t.call_func("no_such_function", "k", "v", record_locking=True)
    t["still"] = "there"  # the connection is in step


def test_administrative_commands_are_refused_before_they_reach_the_server(t: PyTyrant) -> None:
    t["k"] = "v"
    with pytest.raises(TyrantError, match="tcrmgr"):
        t.t.copy("a-copy")
    with pytest.raises(TyrantError, match="tcrmgr"):
        t.t.restore("a-log", 0)
    with pytest.raises(TyrantError, match="tcrmgr"):
        t.t.setmst("127.0.0.1", 1978)
    assert t["k"] == "v"


def test_writing_without_an_answer(t: PyTyrant) -> None:
    t.t.putnr("k", "v")
    assert t["k"] == "v"


def test_opening_reaches_the_server_at_once() -> None:
    with pytest.raises(OSError, match="not to be reached"):
        PyTyrant.open("127.0.0.1", 1)


def test_a_table_database_is_refused() -> None:
    with (
        run_tyrant("casket.tct") as table,
        pytest.raises(OSError, match="has a table database"),
    ):
        PyTyrant.open(*table.address)
