"""What became of a migration: how many values went where, and which were left out, and why.

Law: pure. A key may be as good as the session itself, so a report tells keys only to whoever asked
for each; what is counted names none.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

__all__ = ["LeftOut", "Outcome", "Report", "Told"]


class Outcome(Enum):
    """What became of one value."""

    WRITTEN = "written"
    THERE = "already there"
    OVER = "over meanwhile"
    LEFT_OUT = "left out"


class LeftOut(NamedTuple):
    """A value that was left out.

    Attributes:
        key: As it lies in the source; of a session it may be what opens it.
        reason: Why; the same words for all of a kind.
        detail: What there is to say of this one, such as the class it asks for.
    """

    key: str
    reason: str
    detail: str = ""


Told = Callable[["Report"], object]
"""Is told how far it is, after each batch."""


def _silent(_: LeftOut) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Report:
    """What a migration did until now.

    Attributes:
        tell: Is told of each value that is left out.
        counts: How many values had which outcome.
        reasons: Why how many were left out; a class is named where one is asked for.
        notes: What whoever migrates should know, each once.
    """

    tell: Callable[[LeftOut], object] = _silent
    counts: Counter[Outcome] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    notes: dict[str, None] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """How many values were looked at."""
        return self.counts.total()

    def add(self, outcome: Outcome) -> None:
        """Count one value."""
        self.counts[outcome] += 1

    def leave(self, key: str, reason: str, detail: str = "") -> None:
        """Count and tell one that is left out."""
        self.counts[Outcome.LEFT_OUT] += 1
        self.reasons[f"{reason}: {detail}" if detail else reason] += 1
        self.tell(LeftOut(key, reason, detail))

    def note(self, text: str) -> None:
        """Keep something whoever migrates should know."""
        self.notes[text] = None
