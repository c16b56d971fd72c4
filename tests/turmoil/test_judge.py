"""The judge sees each kind of fault, and none where two deeds may have come in either order."""

import math
from pathlib import Path
from typing import Any

import pytest

from turmoil.journal import Deed, Journal, Life, Sight, read_journals
from turmoil.judge import Wipe, faults_of

OLD, NEW = "old", "new"


def deed(at: float, *verbs: list[Any], told: float | None = None, **more: Any) -> Deed:
    """A deed that was done between `at` and `told`; within half a second if not said."""
    ended = at + 0.5 if told is None else told
    outcome = more.pop("outcome", "unknown" if math.isinf(ended) else "done")
    return Deed("1", "a", OLD, [*verbs], at, ended, outcome, **more)


def sight(at: float, *, who: str = "1", **more: Any) -> Sight:
    """A look that took no time; what is always there is there."""
    names = {"line": "a", **more.pop("names", {})}
    return Sight(who, "a", more.pop("id", OLD), at, at, alive=True, names=names, **more)


def faults(*steps: Deed | Sight, wipes: tuple[Wipe, ...] = ()) -> list[str]:
    deeds = [step for step in steps if isinstance(step, Deed)]
    sights = [step for step in steps if isinstance(step, Sight)]
    return [fault.what for fault in faults_of(Life("a", deeds, sights), wipes)]


BORN = deed(0, ["begin"], ["set", "line", "a"], new_id=OLD)
ADDED = deed(1, ["increment"])
SET = deed(1, ["set", "red", "x:"])
PUT = deed(3, ["set", "red", "y:"])
UNKNOWN = math.inf


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ([SET, sight(2)], "red=x: is lost"),
        ([SET, PUT, sight(4, names={"red": "x:"})], "is there again"),
        ([sight(4, names={"red": "x:"})], "names nobody set"),
        ([PUT, sight(4, names={"red": "x:"})], "which nobody set"),
        ([deed(1, ["set", "red", "x:ada"]), sight(2, names={"red": "x:ada"})], "shown to None"),
        ([sight(2, names={"left": "x:"})], "half a commit"),
        ([sight(2, names={"line": "b"})], "half a session"),
        ([ADDED, sight(2)], "counted 0"),
        ([ADDED, sight(2, names={"count": 2})], "counted 2"),
        ([deed(1, ["increment"], outcome="dropped"), sight(2, names={"count": 1})], "counted 1"),
        ([ADDED, deed(2, ["clear"]), sight(3, names={"count": 1})], "counted 1"),
        ([deed(1, ["append", "x:"]), sight(2)], "x: is lost"),
        ([deed(1, ["append", "x:"]), sight(2, names={"list": ["x:", "x:"]})], "there 2 times"),
        (
            [
                deed(1, ["append", "x:"]),
                deed(2, ["append", "y:"]),
                sight(3, names={"list": ["y:", "x:"]}),
            ],
            "stands behind",
        ),
        ([deed(1, ["flash", "x:"]), sight(2)], "x: is lost"),
        ([deed(1, ["notify", "x:"]), sight(2, notices=[])], "x: is lost"),
        ([deed(1, ["pop"], taken=["x:"])], "nobody left"),
        (
            [deed(1, ["flash", "x:"]), *[deed(at, ["pop"], taken=["x:"]) for at in (2, 3)]],
            "was taken 2 times",
        ),
        (
            [
                deed(1, ["flash", "x:"]),
                deed(2, ["pop"], taken=["x:"]),
                sight(3, flashes=["x:"]),
            ],
            "is there again",
        ),
        ([deed(1, ["destroy"]), sight(2)], "it came back"),
        ([deed(1, ["destroy"]), deed(2, ["increment"])], "had been removed"),
        ([deed(1, ["rotate"], new_id=NEW), sight(2)], "an old token reads"),
        ([deed(1, ["rotate"]), sight(2)], "an old token reads"),
        (
            [deed(1, ["increment"], outcome="dropped", events=[["conflict_dropped", "destroyed"]])],
            "without a cause",
        ),
        ([deed(1, ["look"], events=[["corrupt", ""]])], "no session"),
        ([sight(9, who="end"), sight(9, who="end", id=NEW)], "two records"),
        ([], "the session is lost"),
    ],
)
def test_a_fault_is_seen(steps: list[Deed | Sight], fault: str) -> None:
    found = faults(BORN, *steps)
    assert any(fault in one for one in found), found


def test_what_a_store_lost_must_not_come_back() -> None:
    assert faults(BORN, wipes=((1, 2),)) == []
    assert "came back after the store lost it" in faults(BORN, sight(3), wipes=((1, 2),))[0]


@pytest.mark.parametrize(
    "steps",
    [
        [SET, PUT, sight(4, names={"red": "y:"})],
        [SET, deed(1.2, ["set", "red", "y:"]), sight(2, names={"red": "x:"})],
        [SET, deed(1.2, ["set", "red", "y:"]), sight(2, names={"red": "y:"})],
        [SET, deed(1.2, ["clear"]), sight(2)],
        [SET, deed(1.2, ["clear"]), sight(2, names={"red": "x:"})],
        [deed(1, ["increment"], told=UNKNOWN), sight(2)],
        [deed(1, ["increment"], told=UNKNOWN), sight(9, names={"count": 1})],
        [deed(1, ["set", "red", "x:"], told=UNKNOWN), PUT, sight(9, names={"red": "x:"})],
        [deed(1, ["clear"], told=UNKNOWN), deed(2, ["increment"]), sight(3)],
        [deed(1, ["flash", "x:"]), deed(2, ["pop"], told=UNKNOWN), sight(3)],
        [deed(1, ["flash", "x:"]), deed(2, ["pop"], told=UNKNOWN), sight(3, flashes=["x:"])],
        [deed(1, ["rotate"], told=UNKNOWN), sight(2)],
        [deed(1, ["destroy"], told=UNKNOWN), sight(2)],
        [
            deed(1, ["login", "ada"]),
            deed(2, ["set", "red", "x:ada"]),
            deed(3, ["login", "bob"], told=UNKNOWN),
            sight(4, id=NEW, user="bob"),
        ],
    ],
)
def test_what_may_be_is_no_fault(steps: list[Deed | Sight]) -> None:
    assert faults(BORN, *steps, sight(0.9, who="end", id=NEW)) == []


def test_what_a_killed_process_was_not_told_is_unknown(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "1.0")
    journal.tries("a", OLD, [["increment"]])
    journal.did(events=[["conflict_merged", ""]])
    journal.tries("a", OLD, [["rotate"]])
    with (tmp_path / "1.0.journal").open("a") as file:
        file.write('["did", 7')
    told = read_journals(tmp_path)
    assert told.unfinished == {"1.0"}
    first, last = told.lives["a"].deeds
    assert first.done
    assert first.began <= first.ended < last.began
    assert (last.outcome, last.ended) == ("unknown", math.inf)


def test_what_was_dropped_was_not_done(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "1.0")
    journal.tries("a", OLD, [["increment"]])
    journal.did(events=[["conflict_merged", ""], ["conflict_dropped", "destroyed"]])
    journal.tries("a", OLD, [["increment"]])
    journal.did(events=[["conflict_dropped", "overwritten"]])
    journal.close()
    told = read_journals(tmp_path)
    assert [deed.dropped for deed in told.lives["a"].deeds] == [True, False]
    assert not told.unfinished
