"""What became of the races.

Law: it only tells. An error in answer to a slow request is `refused`: a visitor sees it and may try
again, so it is not `lost`. What an application has no path for is `absent`, and counts for nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.testing.races.plays import RACES, Race

__all__ = ["RaceReport", "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one race.

    Attributes:
        race: Its name, such as `"read-logout"`.
        says: `"kept"`, `"lost"`, `"refused"` or `"absent"`.
        why: What was wrong, or worth knowing.
    """

    race: str
    says: str
    why: str = ""

    @property
    def about(self) -> Race:
        """The race itself: what must be true after it."""
        return RACES[self.race]


@dataclass(frozen=True, slots=True)
class RaceReport:
    """What became of all that were played, in their order.

    `assert not report.lost, report` is how a test says it.

    Attributes:
        verdicts: One of each race.
    """

    verdicts: Sequence[Verdict]

    def those(self, says: str) -> list[str]:
        """Return the names of the races whose verdict is `says`."""
        return [verdict.race for verdict in self.verdicts if verdict.says == says]

    @property
    def lost(self) -> list[str]:
        """The names of the races that were lost."""
        return self.those("lost")

    def __str__(self) -> str:
        return "\n".join(
            f"{v.says:8} {v.race:15} {v.about.title}{f' -- {v.why}' if v.why else ''}"
            for v in self.verdicts
        )
