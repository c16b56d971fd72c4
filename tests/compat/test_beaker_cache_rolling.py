"""Beaker and Holdfast on one folder: each finds what the other wrote, and one of all creates."""

import json
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from compat.seeds import genuine, ours

pytestmark = pytest.mark.slow

WRITE = """
    import datetime, decimal, json, sys, uuid
    from beaker.cache import CacheManager
    folder, kind = sys.argv[1:]
    cache = CacheManager(type=kind, data_dir=folder).get_cache("shared", expire=1000)
    cache.put("plain", {"a": [1, 2.5, None, True], "b": ("x", b"y")})
    cache.put("žluť", "kůň")
    cache.put("x" * 300, "long")
    cache.put("when", datetime.datetime(2020, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc))
    cache.put("set", {1, 2, 3})
    cache.put("more", [decimal.Decimal("1.50"), uuid.UUID(int=7), frozenset([1])])
    cache.put("gone", 1)
    cache.remove_value("gone")
    cache.put("short", "over", expiretime=-1)
    cache.put("None", None)
"""
READ = """
    import sys
    from beaker.cache import CacheManager
    folder, kind = sys.argv[1:]
    cache = CacheManager(type=kind, data_dir=folder).get_cache("shared", expire=1000)
    for key in ("plain", "žluť", "x" * 300, "when", "set", "more", "gone", "short", "None"):
        print(key in cache, key in cache and repr(cache.get(key)))
"""
OLD_FORM = "import holdfast.compat; holdfast.compat.configure(old_form=True)\n"
WRITE, READ = textwrap.dedent(WRITE), textwrap.dedent(READ)
our = partial(ours, "beaker")


@pytest.mark.parametrize("kind", ["file", "dbm"])
def test_what_one_writes_the_other_reads(kind: str, tmp_path: Path) -> None:
    genuine(WRITE, tmp_path / "genuine", kind)
    our(OLD_FORM + WRITE, tmp_path / "ours", kind)
    readers: list[Callable[..., str]] = [genuine, our]
    read = [by(READ, tmp_path / name, kind) for by in readers for name in ("genuine", "ours")]
    assert read[0].count("True ") == 7
    assert read == [read[0]] * 4


@pytest.mark.parametrize("kind", ["file", "dbm"])
def test_the_safe_form_holds_the_same(kind: str, tmp_path: Path) -> None:
    genuine(WRITE, tmp_path / "genuine", kind)
    our(WRITE, tmp_path / "ours", kind)
    assert our(READ, tmp_path / "ours", kind) == our(READ, tmp_path / "genuine", kind)


@pytest.mark.parametrize("kind", ["file", "dbm"])
def test_processes_take_turns_on_one_value(kind: str, tmp_path: Path) -> None:
    count = textwrap.dedent("""
        import sys
        from beaker.cache import CacheManager
        cache = CacheManager(type=sys.argv[2], data_dir=sys.argv[1]).get_cache("shared")
        cache.put("n", cache.get("n", createfunc=lambda: 0) + 1)
        print(cache.get("n"))
    """)
    turns: list[Callable[..., str]] = [genuine, our, genuine, our]
    said = [
        int(by((OLD_FORM if by is our else "") + count, tmp_path, kind).split()[-1]) for by in turns
    ]
    assert said == [1, 2, 3, 4]


ONE_CREATES = textwrap.dedent("""
    import pathlib, sys, threading, time
    from beaker.cache import CacheManager
    folder, kind, begin = sys.argv[1:]
    manager = CacheManager(type=kind, data_dir=folder)
    log = pathlib.Path(folder, "created")
    got = []

    def create():
        with log.open("a") as file:
            file.write("once\\n")
        time.sleep(0.2)
        return "value"

    def use(key):
        got.append(manager.get_cache("shared").get(key, createfunc=create))

    pathlib.Path(folder, begin).touch()
    while len(list(pathlib.Path(folder).glob("ready-*"))) < 2:
        time.sleep(0.001)
    threads = [threading.Thread(target=use, args=("key",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(got)
""")


@pytest.mark.parametrize("kind", ["file", "dbm"])
@pytest.mark.parametrize("others", [genuine, our], ids=["genuine", "ours"])
def test_one_thread_of_two_processes_creates(
    kind: str, others: Callable[..., str], tmp_path: Path
) -> None:
    if others is genuine:  # two of which that make a new dbm database at once are one too many
        make = "import sys; from beaker.cache import CacheManager; "
        make += "CacheManager(type=sys.argv[2], data_dir=sys.argv[1]).get_cache('shared')"
        genuine(make, tmp_path, kind)
    with ThreadPoolExecutor(2) as pool:
        said = [
            pool.submit(others, ONE_CREATES, tmp_path, kind, "ready-1"),
            pool.submit(our, OLD_FORM + ONE_CREATES, tmp_path, kind, "ready-2"),
        ]
        assert [job.result() for job in said] == [f"{['value'] * 4}\n"] * 2
    assert (tmp_path / "created").read_text() == "once\n"


def test_a_decorated_function_finds_its_values(tmp_path: Path) -> None:
    """The name of its cache has the path of its file, so it must be the same file in both."""
    module = tmp_path / "app.py"
    module.write_text(
        textwrap.dedent("""
            import json, sys
            from beaker.cache import CacheManager
            manager = CacheManager(type="file", data_dir=sys.argv[1])
            made = []

            @manager.cache("mark", expire=1000)
            def load(a, b=2):
                made.append(a)
                return {"a": a, "b": b}

            def main():
                print(json.dumps([load(1), load(a=1), load(1, b=3), made]))
        """)
    )
    run = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import app; app.main()"
    first = json.loads(genuine(run, tmp_path / "data"))
    second = json.loads(our(run, tmp_path / "data"))
    assert first[:3] == second[:3]
    assert (first[3], second[3]) == ([1, 1], [])
