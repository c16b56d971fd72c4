"""Flights: one creation per key in this process, and nobody waits for a ghost."""

import gc
import os
import threading
import weakref

import pytest

from holdfast.locks import Flight, Flights, Turns
from holdfast.testing.trial import in_processes, in_threads


def test_the_first_flies_and_the_others_are_handed_his_flight() -> None:
    flights = Flights()
    flight, mine = flights.board("k")
    assert mine
    assert flights.board("k") == (flight, False)
    other, mine_too = flights.board("other")
    assert mine_too
    assert other is not flight


def test_after_landing_the_next_flies_anew() -> None:
    flights = Flights()
    flight, _ = flights.board("k")
    flights.land("k", flight)
    assert flight.landed
    assert flight.error is None
    again, mine = flights.board("k")
    assert mine
    assert again is not flight


def test_a_failure_is_told_to_all_who_wait() -> None:
    flights = Flights()
    flight, _ = flights.board("k")
    error = ValueError("no price")
    flights.land("k", flight, error)
    assert flight.error is error


def test_a_late_landing_does_not_end_the_flight_of_another() -> None:
    flights = Flights()
    first, _ = flights.board("k")
    flights.land("k", first)
    second, _ = flights.board("k")
    flights.land("k", first)
    assert flights.board("k") == (second, False)
    assert not second.landed


def test_each_who_waits_is_told_once() -> None:
    flight, told = Flight(), list[str]()
    flight.when_landed(lambda: told.append("before"))
    flight.land()
    flight.when_landed(lambda: told.append("after"))
    flight.land()
    assert told == ["before", "after"]


def test_a_second_landing_changes_nothing() -> None:
    flight, error = Flight(), ValueError()
    flight.land(error)
    flight.land()
    assert flight.error is error


def test_whoever_is_told_sees_it_landed() -> None:
    flight, seen = Flight(), list[tuple[bool, object]]()
    error = ValueError()
    flight.when_landed(lambda: seen.append((flight.landed, flight.error)))
    flight.land(error)
    assert seen == [(True, error)]


def test_one_who_fails_to_listen_does_not_silence_the_others() -> None:
    flight, told = Flight(), list[str]()

    def deaf() -> None:
        raise ZeroDivisionError

    flight.when_landed(deaf)
    flight.when_landed(lambda: told.append("heard"))
    with pytest.raises(ZeroDivisionError):
        flight.land()
    assert told == ["heard"]


def test_of_many_threads_one_flies() -> None:
    flights, flown = Flights(), list[int]()

    def work(number: int) -> None:
        flight, mine = flights.board("k")
        landed = threading.Event()
        flight.when_landed(landed.set)
        if mine:
            flown.append(number)
            gate.wait(10)
            flights.land("k", flight)
        else:
            boarded.release()
        assert landed.wait(10)

    gate, boarded = threading.Event(), threading.Semaphore(0)

    def open_gate() -> None:
        for _ in range(7):
            boarded.acquire(timeout=10)
        gate.set()

    watcher = threading.Thread(target=open_gate)
    watcher.start()
    in_threads(8, work)
    watcher.join()
    assert len(flown) == 1


@pytest.mark.slow
def test_a_forked_child_waits_for_nobody() -> None:
    flights = Flights()
    flight, _ = flights.board("k")

    def work(_: int) -> None:
        mine = flights.board("k")[1]
        os._exit(0 if mine else 1)

    assert in_processes(1, work) == [0]
    assert flights.board("k") == (flight, False), "the parent's own goes on"


def test_flights_are_let_go() -> None:
    flights = Flights()
    ghost = weakref.ref(flights)
    del flights
    gc.collect()
    assert ghost() is None


# Turns


def test_turns_go_in_the_order_of_asking() -> None:
    turns = Turns()
    asked = [turns.ask("k") for _ in range(3)]
    assert turns.ask("other").landed
    for number, turn in enumerate(asked):
        assert [one.landed for one in asked] == [n <= number for n in range(3)]
        turns.leave("k", turn)
    assert turns.ask("k").landed, "nobody is left"


def test_who_waits_no_longer_is_passed_over() -> None:
    turns = Turns()
    first, impatient, last = (turns.ask("k") for _ in range(3))
    turns.leave("k", impatient)
    turns.leave("k", first)
    assert (impatient.landed, last.landed) == (False, True)
    turns.leave("k", last)
    assert turns.ask("k").landed


def test_who_gave_up_when_his_turn_came_hands_it_on() -> None:
    turns = Turns()
    first, impatient, last = (turns.ask("k") for _ in range(3))
    turns.leave("k", first)
    turns.leave("k", impatient)
    assert last.landed


def test_a_child_takes_no_turn_of_its_parent() -> None:
    turns = Turns()
    held = turns.ask("k")

    def work(_: int) -> None:
        assert turns.ask("k").landed
        turns.leave("other", held)  # asked for in the parent

    assert in_processes(2, work) == [0, 0]
    assert not turns.ask("k").landed


def test_threads_have_their_turns_one_at_a_time() -> None:
    turns, inside = Turns(), [0, 0]

    def work(_: int) -> None:
        for _ in range(200):
            turn, landed = turns.ask("k"), threading.Event()
            turn.when_landed(landed.set)
            assert landed.wait(10)
            inside[0] += 1
            inside[1] = max(inside)
            inside[0] -= 1
            turns.leave("k", turn)

    in_threads(8, work)
    assert inside == [0, 1]
