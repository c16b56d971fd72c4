"""Traces of requests for cached keys, and the best that any cache could do with them.

Law: a trace depends on its arguments and the seed alone. Keys are integers, the most wanted first.
"""

import heapq
import random
from collections.abc import Iterator, Sequence
from itertools import accumulate

__all__ = ["TRACES", "belady", "scanned", "shuffled", "zipf"]

SEED = 20240607
ALPHA = 0.99


def zipf(requests: int, keys: int) -> list[int]:
    """Return requests whose n-th most wanted key is asked for 1/n^0.99 as often as the first."""
    weights = list(accumulate(1 / rank**ALPHA for rank in range(1, keys + 1)))
    draw = random.Random(SEED)  # noqa: S311 - a trace, the same in each run
    return draw.choices(range(keys), cum_weights=weights, k=requests)


def scanned(requests: int, keys: int) -> list[int]:
    """Return the same with scans in it: a fifth of the requests, for keys never asked for again.

    A scan is as long as a tenth of the keys, as when a crawler walks through a part of a catalogue.
    """
    trace = zipf(requests, keys)
    length = max(1, keys // 10)
    for start in range(4 * length, requests, 5 * length):
        for place in range(start, min(start + length, requests)):
            trace[place] = keys + place
    return trace


def shuffled(requests: int, keys: int) -> list[int]:
    """Return the same with popularity dealt anew ten times: yesterday's favourites are nothing."""
    draw = random.Random(SEED)  # noqa: S311 - as above
    trace, order = zipf(requests, keys), list(range(keys))
    part = max(1, requests // 10)
    for start in range(part, requests, part):
        draw.shuffle(order)
        trace[start : start + part] = [order[key] for key in trace[start : start + part]]
    return trace


TRACES = {"zipf": zipf, "zipf + 20 % scans": scanned, "zipf, reshuffled": shuffled}


def belady(trace: Sequence[int], room: int) -> int:
    """Return the hits of a cache that evicts what is asked for last, knowing the future.

    Every key that is asked for enters; no cache that must keep what it just made does better.
    """
    hits = 0
    kept: dict[int, int] = {}  # key -> when it is asked for next
    farthest: list[tuple[int, int]] = []  # (-next, key); stale where kept says otherwise
    for key, again in _with_next(trace):
        if key in kept:
            hits += 1
        elif len(kept) >= room:
            _evict(kept, farthest)
        kept[key] = again
        heapq.heappush(farthest, (-again, key))
    return hits


def _with_next(trace: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield each key with the place of its next request, past the end where there is none."""
    upcoming = [0] * len(trace)
    seen: dict[int, int] = {}
    for place in range(len(trace) - 1, -1, -1):
        upcoming[place] = seen.get(trace[place], len(trace))
        seen[trace[place]] = place
    return zip(trace, upcoming, strict=True)


def _evict(kept: dict[int, int], farthest: list[tuple[int, int]]) -> None:
    """Drop the key that is asked for last."""
    while True:
        again, key = heapq.heappop(farthest)
        if kept.get(key) == -again:
            del kept[key]
            return
