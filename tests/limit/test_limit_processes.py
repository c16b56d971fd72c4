"""Eight processes at one limit: on a disk, no more pass than may."""

import multiprocessing
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from holdfast.limit import Limiter

RATES = "100/day; 1000/week"


def hit_often(url: str, start: Barrier, answers: "SimpleQueue[tuple[int, int]]") -> None:
    limiter = Limiter(url, on_error="deny")
    start.wait()
    allowed = sum(limiter.hit("k", RATES).allowed for _ in range(50))
    answers.put((allowed, limiter.errors))


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["sqlite:///{}/limits.db", "file:///{}/limits"])
def test_eight_processes_get_no_more_than_the_limit(scheme: str, tmp_path: Path) -> None:
    url = scheme.format(tmp_path)
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(8), context.SimpleQueue()
    workers = [
        context.Process(target=hit_often, args=(f"{url}?timeout=30", start, answers))
        for _ in range(8)
    ]
    for worker in workers:
        worker.start()
    results = [answers.get() for _ in workers]
    for worker in workers:
        worker.join()
    assert sum(errors for _, errors in results) == 0
    assert sum(allowed for allowed, _ in results) == 100
