"""Histories: what two processes did to a cache, and how stale what they read was.

Law: pure. Times are those of one monotonic clock, which all processes of a machine share. Versions
of a key only grow. A change is acknowledged when the call that made it has returned; a read that
began later and saw an older version was stale, for as long as lies between.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

__all__ = ["Change", "History", "Read", "Verdict", "judge"]


@dataclass(frozen=True, slots=True)
class Change:
    """A key has had this version at least since `acknowledged`."""

    key: int
    version: int
    acknowledged: float
    by: str


@dataclass(frozen=True, slots=True)
class Read:
    """A read that saw less than the newest version there was when it began."""

    key: int
    version: int
    began: float
    by: str


@dataclass(slots=True)
class History:
    """What one process did.

    Attributes:
        process: Its number.
        reads: How many values it read.
        near_hits: How many of them came from its near tier.
        changes: What it changed.
        behind: Its reads that saw an older version than the newest.
        ends: What it read of each key when all was over.
        bus: What kept the processes together at the end; empty if nothing did.
    """

    process: int
    reads: int = 0
    near_hits: int = 0
    changes: list[Change] = field(default_factory=list)
    behind: list[Read] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    bus: str = ""


@dataclass(slots=True)
class Verdict:
    """What was seen of staleness.

    Attributes:
        own: Reads of values that this very process had changed before.
        others: The longest time a process served what another one had changed, in seconds.
        worst: Which change was unseen for that long, and by which read.
    """

    own: list[tuple[Change, Read]] = field(default_factory=list)
    others: float = 0.0
    worst: tuple[Change, Read] | None = None


def judge(histories: Sequence[History]) -> Verdict:
    """Return how stale the reads of `histories` were."""
    verdict = Verdict()
    changes = defaultdict(list)
    for history in histories:
        for change in history.changes:
            changes[change.key].append((change, history.process))
    for history in histories:
        for read in history.behind:
            for change, process in _unseen(read, changes[read.key]):
                late = read.began - change.acknowledged
                if process == history.process:
                    verdict.own.append((change, read))
                elif late > verdict.others:
                    verdict.others, verdict.worst = late, (change, read)
    return verdict


def _unseen(read: Read, changes: Iterable[tuple[Change, int]]) -> Iterable[tuple[Change, int]]:
    return (
        (change, process)
        for change, process in changes
        if change.version > read.version and change.acknowledged < read.began
    )
