"""Commits at once: what each request did survives, counts and is handed out once."""

from collections.abc import Callable

import pytest
from session_scene import (
    Act,
    Data,
    Play,
    ended,
    mail,
    message,
    play,
    put,
    values,
)

from holdfast.session import Session
from holdfast.testing.interleave import End, Scene, Stage, play_every_order, play_some_orders


def nested(session: Session) -> None:
    session["list"].append("nested")


def delete(session: Session) -> None:
    session.pop("old", None)


def both_done(ends: list[End]) -> bool:
    return not any(end.crashed for end in ends)


BASE: Data = {"old": 1, "count": 5, "list": ["a"], "untouched": "u"}

# What two requests do, and what must be there once both are done, whoever was first.
PAIRS: list[tuple[str, Act, Act, Data]] = [
    ("different names", put("x", 1), put("y", 2), {**BASE, "x": 1, "y": 2}),
    (
        "increment twice",
        lambda s: s.increment("count"),
        lambda s: s.increment("count", 2),
        {**BASE, "count": 8},
    ),
    (
        "increment what is not there",
        lambda s: s.increment("new"),
        lambda s: s.increment("new"),
        {**BASE, "new": 2},
    ),
    (
        "increment by a fraction",
        lambda s: s.increment("count", 0.5),
        lambda s: s.increment("count", 0.25),
        {**BASE, "count": 5.75},
    ),
    ("in place and another name", nested, put("x", 1), {**BASE, "list": ["a", "nested"], "x": 1}),
    (
        "delete and another name",
        delete,
        put("x", 1),
        {"count": 5, "list": ["a"], "untouched": "u", "x": 1},
    ),
    ("delete twice", delete, delete, {"count": 5, "list": ["a"], "untouched": "u"}),
    (
        "increment and set another",
        lambda s: s.increment("count"),
        put("old", 2),
        {**BASE, "count": 6, "old": 2},
    ),
]


@pytest.mark.parametrize(("name", "one", "other", "want"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_both_survive(name: str, one: Act, other: Act, want: Data) -> None:
    del name

    def check(play: Play, ends: list[End]) -> None:
        if both_done(ends):
            assert play.data() == want
        assert play.data()["untouched"] == "u"
        assert play.told("conflict_dropped") == 0

    assert play(BASE, [[one], [other]], check) > 10


def test_appends_both_count_in_the_order_they_were_committed() -> None:
    def check(play: Play, ends: list[End]) -> None:
        items = play.data()["list"]
        assert isinstance(items, list)
        assert items[0] == "a"
        assert len(items) == len(set(items))
        if both_done(ends):
            assert sorted(items[1:]) == ["x", "y"]

    play(BASE, [[lambda s: s.append("list", "x")], [lambda s: s.append("list", "y")]], check)


def test_appends_in_place_and_by_operation_of_one_request_are_one_change() -> None:
    def both(session: Session) -> None:
        session["list"].append("in place")
        session.append("list", "by operation")

    def check(play: Play, ends: list[End]) -> None:
        if both_done(ends):
            assert play.data()["list"] == ["a", "in place", "by operation"]
            assert play.data()["x"] == 1

    play(BASE, [[both], [put("x", 1)]], check)


def test_an_item_changed_in_the_applications_hands_is_the_changed_one() -> None:
    def act(session: Session) -> None:
        session.append("list", {"n": 1})
        session["list"][-1]["n"] = 2

    def check(play: Play, ends: list[End]) -> None:
        if both_done(ends):
            assert play.data()["list"] == ["a", {"n": 2}]

    play(BASE, [[act], [put("x", 1)]], check)


def test_of_the_same_name_the_later_stays_and_the_loss_is_told() -> None:
    def check(play: Play, ends: list[End]) -> None:
        value = play.data().get("x")
        if both_done(ends):
            assert value in (1, 2)
            overlapped = play.told("conflict_merged")
            assert play.told("conflict_dropped") == overlapped
            if overlapped:
                swaps = play.swaps()
                assert value == swaps[-1] + 1
                (names,) = [f["names"] for e, f in play.events if e == "session.conflict_dropped"]
                assert names == ["x"]

    play(BASE, [[put("x", 1)], [put("x", 2)]], check)


def test_a_value_set_anew_to_what_it_was_still_wins_when_it_commits_later() -> None:
    both: Act = lambda s: s.update({"old": 1, "mine": 1})  # noqa: E731

    def check(play: Play, ends: list[End]) -> None:
        if both_done(ends) and play.told("conflict_merged"):
            swaps = play.swaps()
            assert play.data()["old"] == (1 if swaps[-1] == 0 else 2)

    play(BASE, [[both], [put("old", 2)]], check)


def test_clear_empties_what_is_there_at_commit() -> None:
    def clear(session: Session) -> None:
        session.clear()
        session["mine"] = 1

    def check(play: Play, ends: list[End]) -> None:
        if both_done(ends):
            assert play.data() in ({"mine": 1}, {"mine": 1, "x": 1})
            first = play.swaps()[0]
            assert ("x" in play.data()) == (first == 0)

    play(BASE, [[clear], [put("x", 1)]], check)


def test_clearing_what_was_empty_empties_what_is_there_at_commit() -> None:
    def check(play: Play, ends: list[End]) -> None:
        if both_done(ends):
            first = play.swaps()[0]
            assert play.data() == ({"x": 1} if first == 0 else {})

    play({}, [[Session.clear], [put("x", 1)]], check)


def test_clear_takes_messages_that_another_left_meanwhile() -> None:
    def check(play: Play, ends: list[End]) -> None:
        if both_done(ends):
            first = play.swaps()[0]
            assert mail(play.record()) == (["hi"] if first == 0 else [])

    play(BASE, [[Session.clear], [lambda s: s.flash("hi")]], check, messages=[message("old")])


@pytest.mark.parametrize("post", [Session.flash, lambda s, value: s.notify("name", value)])
def test_messages_of_both_stay(post: Callable[[Session, str], None]) -> None:
    def check(play: Play, ends: list[End]) -> None:
        texts = mail(play.record())
        assert len(texts) == len(set(map(str, texts)))
        if both_done(ends):
            assert sorted(map(str, texts)) == ["old", "x", "y"]

    acts: list[list[Act]] = [[lambda s: post(s, "x")], [lambda s: post(s, "y")]]
    play(BASE, acts, check, messages=[message("old")])


def test_what_was_noted_as_taken_is_removed_and_nothing_else() -> None:
    """The plain forms in an event loop: the replay removes the ids it handed out."""
    popped: list[object] = []

    def pop(session: Session) -> None:
        popped[:] = session.pop_flash()

    def check(play: Play, ends: list[End]) -> None:
        assert popped[:2] in (["one", "two"], [])
        if both_done(ends):
            late = [] if "late" in popped else ["late"]
            assert mail(play.record()) == ["other queue", *late]
        popped.clear()

    messages = [message("one"), message("other queue", "f:q"), message("two")]
    play(BASE, [[pop], [lambda s: s.flash("late")]], check, messages=messages)


def claim_scene(name: str) -> Callable[[Stage], Scene]:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, messages=[message("one", "f:"), message("one", "n:n")])
        got: list[list[object]] = [[], []]

        async def visitor(number: int) -> None:
            session = await play.load()
            if name == "take":
                value = await session.aio.take("n")
                got[number] += [] if value is None else [value]
            else:
                got[number] += await session.aio.pop_flash()
            session[f"seen{number}"] = len(got[number])
            await play.commit(session)

        def check(ends: list[End]) -> None:
            ended(ends)
            handed = got[0] + got[1]
            left = [
                m for m in play.record().messages if m.box == ("n:n" if name == "take" else "f:")
            ]
            crashed = any(end.crashed for end in ends)
            assert len(handed) + len(left) <= 1
            assert len(mail(play.record())) - len(left) == 1  # the other box is as it was
            if not crashed:
                assert handed == ["one"]
                assert sorted(play.data()) == sorted([*BASE, "seen0", "seen1"])

        return Scene([visitor(0), visitor(1)], check)

    return scene


@pytest.mark.parametrize("name", ["take", "pop_flash"])
def test_claimed_at_the_call_means_once(name: str) -> None:
    assert play_every_order(claim_scene(name), crash=[0, 1]) > 50


def test_claiming_keeps_what_another_wrote_and_what_was_read_before() -> None:
    """After a claim moved the base, values in hand are compared with what was loaded."""

    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, messages=[message("one")])

        async def reader() -> None:
            session = await play.load()
            assert session["list"][0] == "a"
            await session.aio.pop_flash()
            await play.commit(session)

        def check(ends: list[End]) -> None:
            ended(ends)
            if not ends[1].crashed:
                assert play.data()["list"] == ["a", "b"]

        writer = play.visit(lambda s: s.append("list", "b"))
        return Scene([reader(), writer], check)

    play_every_order(scene, crash=[0, 1])


def test_reading_writes_nothing_whatever_others_do() -> None:
    def read(session: Session) -> None:
        assert dict(session)["untouched"] == "u"
        session["list"].copy()

    def check(play: Play, ends: list[End]) -> None:
        swaps = play.swaps()
        assert 0 not in swaps
        if both_done(ends):
            assert play.data() == {**BASE, "x": 1}

    play(BASE, [[read], [put("x", 1)]], check)


def test_setting_what_is_there_already_writes_nothing() -> None:
    def check(play: Play, ends: list[End]) -> None:
        assert len(ends) == 1
        assert play.swaps() == []
        assert play.data() == BASE

    play(BASE, [[put("old", 1)]], check)


def test_a_touch_never_takes_a_write_away_and_is_never_repeated() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE)
        stage.clock.advance(100)
        before = stage.clock()

        def check(ends: list[End]) -> None:
            ended(ends)
            swaps = play.swaps()
            assert swaps.count(0) <= 1
            if not any(end.crashed for end in ends):
                assert play.data() == {**BASE, "x": 1}
                assert play.record().seen == before

        return Scene([play.visit(lambda s: s.get("old")), play.visit(put("x", 1))], check)

    play_every_order(scene, crash=[0, 1])


def test_three_at_once() -> None:
    def scene(stage: Stage) -> Scene:
        play = Play(stage, BASE, messages=[message("one")])
        visits = [
            [lambda s: s.increment("count"), lambda s: s.append("list", "x"), put("x", 1)],
            [lambda s: s.increment("count"), lambda s: s.append("list", "y"), put("y", 1)],
            [lambda s: s.increment("count"), lambda s: s.flash("two"), lambda s: s.pop("old")],
        ]

        def check(ends: list[End]) -> None:
            ended(ends)
            done = sum(not end.crashed for end in ends)
            data = values(play.record())
            assert isinstance(data["count"], int)
            assert 5 + done <= data["count"] <= 8
            if done == 3:
                assert sorted(data) == ["count", "list", "untouched", "x", "y"]
                assert len(data["list"]) == 3  # type: ignore[arg-type]
                assert mail(play.record()) == ["one", "two"]

        return Scene([play.visit(*acts) for acts in visits], check)

    play_some_orders(scene, 300, seed=7)
    play_some_orders(scene, 300, seed=8, crash=[0, 1, 2])
