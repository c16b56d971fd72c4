"""What the tables of the stores are made of: rows that close, tasks that share, servers."""

import asyncio
import importlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast import ConfigError

pytest.importorskip("rich")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent))
    return lambda part: importlib.import_module(f"bench.{part}")


@pytest.fixture
def measure(bench: Callable[[str], Any]) -> Any:
    return bench("measure")


def test_a_row_is_closed_after_the_table(measure: Any) -> None:
    told: list[str] = []

    @contextmanager
    def row() -> Iterator[Any]:
        told.append("opened")
        yield {"us": measure.Work("f()", {"f": lambda: told.append("called")})}
        told.append("closed")

    outcome = measure.measure([measure.Case("row", row)], measure.QUICK)
    assert outcome["row"]["us"].median > 0
    assert told[0] == "opened"
    assert told[-1] == "closed"
    assert set(told[1:-1]) == {"called"}


def test_a_row_of_an_event_loop_lives_in_its_loop(measure: Any) -> None:
    loops = set()

    @asynccontextmanager
    async def row() -> AsyncIterator[Any]:
        loops.add(asyncio.get_running_loop())

        async def f() -> None:
            loops.add(asyncio.get_running_loop())

        yield {"us": measure.Work("await f()", {"f": f})}
        loops.add(asyncio.get_running_loop())

    measure.measure([measure.Case("row", row)], measure.QUICK)
    assert len(loops) == 1


def test_what_was_opened_is_closed_when_another_row_fails(measure: Any) -> None:
    told: list[str] = []

    @contextmanager
    def row() -> Iterator[Any]:
        try:
            yield {"us": measure.Work("1")}
        finally:
            told.append("closed")

    def broken() -> Any:
        raise LookupError

    with pytest.raises(LookupError):
        measure.measure([measure.Case("row", row), measure.Case("b", broken)], measure.QUICK)
    assert told == ["closed"]


def test_tasks_share_the_repetitions(measure: Any) -> None:
    callers = set()
    together = most = 0

    async def f() -> None:
        nonlocal together, most
        callers.add(asyncio.current_task())
        together += 1
        most = max(most, together)
        await asyncio.sleep(0)
        together -= 1

    works = {"us": measure.Work("await f()", {"f": f})}
    measure.measure([measure.Case("row", lambda: works)], measure.QUICK, tasks=50)
    assert most == 50
    assert len(callers) >= 50


def test_what_is_absent_is_a_word_even_in_a_row_of_ours(measure: Any) -> None:
    def absent() -> Any:
        raise measure.Absent("no server")

    told = measure.measure([measure.Case("row", absent, ours=True)], measure.QUICK)
    assert told["row"].reason == "no server"


def test_a_server_that_is_not_there_costs_its_rows_only(
    bench: Callable[[str], Any], measure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    rows, servers = bench("store_rows"), bench("servers")
    works = {"get": measure.Work("1")}
    cases = [measure.Case("plain", lambda: works), measure.Case("ours", lambda: works)]
    groups = [
        rows.Group("redis", lambda: servers.running("redis", "run_redis"), lambda _: cases),
        rows.Group("disk", rows.disk, lambda _: cases),
        rows.Group("alone", rows.disk, lambda _: cases, plain=False),
    ]
    table = bench("report").Table("t", "t", "us", ["get", f"{rows.DRIVER}get"])
    told = rows.fill(table, groups, measure.QUICK)
    assert list(told) == ["disk", "alone"]
    cells = {row.name: row.cells for row in table.rows}
    assert list(cells) == ["redis", "disk: plain", "disk: ours", "alone: plain", "alone: ours"]
    assert "redis-server" in cells["redis"]["get"]
    assert cells["disk: plain"][f"{rows.DRIVER}get"] == 1.0
    assert f"{rows.DRIVER}get" not in cells["alone: ours"]


def test_an_unknown_server_is_absent(bench: Callable[[str], Any], measure: Any) -> None:
    with pytest.raises(measure.Absent, match=r"servers\.nobody"):
        bench("servers").running("nobody", "run_nobody").__enter__()


def test_a_store_without_its_driver_is_absent(
    bench: Callable[[str], Any], measure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pymongo", None)
    monkeypatch.delitem(sys.modules, "holdfast.store.mongodb", raising=False)
    with pytest.raises(measure.Absent, match="pymongo"):
        bench("store_rows").opened("mongodb://localhost").__enter__()


def test_a_wrong_url_of_ours_is_no_missing_driver(bench: Callable[[str], Any]) -> None:
    with pytest.raises(ConfigError):
        bench("store_rows").opened("sqlite://host/a.db").__enter__()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux pins a thread to a core")
def test_one_core_is_given_back(bench: Callable[[str], Any]) -> None:
    before = os.sched_getaffinity(0)
    with bench("servers").one_core():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_growth_is_measured_on_what_is_there(bench: Callable[[str], Any], tmp_path: Path) -> None:
    growth, rows = bench("growth"), bench("store_rows")
    with rows.opened(f"sqlite:///{tmp_path}/rows.db") as store:
        kept = growth.Kept(store, 40)
        assert len(list(store.scan())) == 40 + growth.VISITORS
        assert store.get(growth.key_of(39)) == growth.VALUE
        results = {what: prepare()() for what, prepare in kept.operations().items()}
        assert results["get"] == growth.VALUE
        assert results["swap"] is True
        assert results["session commit"] is None, "no new token: it was there"
        assert kept.swept(20) > 0
        assert len(list(store.scan())) == 40 + growth.VISITORS


def test_the_plot_has_a_panel_for_each_store_that_was_measured(bench: Callable[[str], Any]) -> None:
    report = bench("report")
    figures = {"10^3": 1.0, "10^6": 2.0, "ratio": 2.0}
    table = report.Table("growth", "", "us", ["10^3", "10^6", "ratio"])
    table.rows = [
        report.Row("sqlite: get", figures),
        report.Row("sqlite: sweep, each of 20", figures),
        report.Row("redis", {"10^3": "no server"}),
        report.Row("postgresql: get", figures),
    ]
    found = bench("plot").by_place(table)
    assert {place: list(lines) for place, lines in found.items()} == {
        "sqlite": ["get"],
        "postgresql": ["get"],
    }


def test_a_plot_without_its_table_is_refused(
    bench: Callable[[str], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        bench("__main__").main(["hit", "--plot", "growth.svg"])
    assert "growth" in capsys.readouterr().err


def test_the_plot_is_a_file(bench: Callable[[str], Any], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = bench("report")
    table = report.Table("growth", "", "us", ["10^3", "10^6", "ratio"])
    table.rows = [report.Row("sqlite: get", {"10^3": 1.0, "10^6": 2.0, "ratio": 2.0})]
    bench("plot").draw_growth(table, tmp_path / "new" / "growth.svg")
    assert "</svg>" in (tmp_path / "new" / "growth.svg").read_text()
