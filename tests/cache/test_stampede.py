"""Stampedes: four processes of fifty callers want one cold key at once, on each kind of far tier.

What is exact is asserted: one creation, the same value for all. How long it took is printed, and
bounded loosely: a test machine is busy. `python -m bench stampede` measures it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from crowd import Crowd, Rush, holdfast_tasks, holdfast_threads

PROCESSES, CALLERS, SECONDS = 4, 50, 0.2
ROUNDS = 5
LEASE = 1.5
# A caller whose store does not answer in time creates by himself: that is not what is tested here.
PATIENT = "timeout=30"

pytestmark = [pytest.mark.slow, pytest.mark.server]


@pytest.fixture(params=["redis", "postgresql", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/cache.db?{PATIENT}"
        return
    name = "redis_server" if request.param == "redis" else "postgresql"
    yield f"{request.getfixturevalue(name).url}?{PATIENT}"


def crowd(url: str, *, tasks: bool, lease: float = 10.0) -> Crowd:
    return Crowd(
        holdfast_tasks if tasks else holdfast_threads,
        url,
        {"lease": lease, "prefix": f"stampede-{os.urandom(4).hex()}"},
        processes=PROCESSES,
        callers=CALLERS,
        tasks=tasks,
        seconds=SECONDS,
        patience=120,
    )


def says(rushes: list[Rush]) -> None:
    """Print how long the slowest callers waited, as shares of a creation."""
    shares = [f"{rush.slowest / SECONDS:.2f}" for rush in rushes]
    print(f"slowest callers: {', '.join(shares)} of a creation")  # noqa: T201 - shown by -s


@pytest.mark.parametrize("tasks", [False, True], ids=["threads", "tasks"])
def test_a_cold_key_is_created_once(url: str, *, tasks: bool) -> None:
    with crowd(url, tasks=tasks) as people:
        rushes = [people.rush(f"cold-{number}") for number in range(ROUNDS)]
    says(rushes)
    assert [rush.creations for rush in rushes] == [1] * ROUNDS
    assert [rush.answers for rush in rushes] == [PROCESSES * CALLERS] * ROUNDS
    assert [len(rush.values) for rush in rushes] == [1] * ROUNDS
    assert not any(rush.errors for rush in rushes)
    assert median(rush.slowest for rush in rushes) < 10 * SECONDS


@pytest.mark.parametrize("tasks", [False, True], ids=["threads", "tasks"])
def test_a_killed_creator_delays_the_others_by_its_lease(url: str, *, tasks: bool) -> None:
    with crowd(url, tasks=tasks, lease=LEASE) as people:
        rush = people.rush("killed", kill=True)
        again = people.rush("after it")
    says([rush, again])
    assert rush.killed is not None
    assert rush.creations == 2
    assert rush.answers == (PROCESSES - 1) * CALLERS
    assert len(rush.values) == 1
    assert not rush.errors
    assert LEASE * 0.9 < rush.slowest < LEASE + 20  # nobody hangs, and nobody cuts in
    assert (again.creations, again.answers) == (1, (PROCESSES - 1) * CALLERS)
