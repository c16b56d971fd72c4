"""The targets: what each table is measured against, as ratios wherever two things can be compared.

Law: text and number stand here and nowhere else. A verdict is computed, never written.
"""

from dataclasses import dataclass

__all__ = ["Target", "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a target and a measured figure say together."""

    target: "Target"
    measured: float
    about: str = ""

    @property
    def miss(self) -> float:
        """How many times too much (or too little) it is; 1 or less meets the target."""
        bound = self.target.bound
        if self.target.at_least:
            return bound / self.measured if self.measured > 0 else float("inf")
        return self.measured / bound if bound else 1.0 + self.measured

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.miss <= 1.0

    def __str__(self) -> str:
        word = "meets" if self.met else f"misses {self.miss:.2f}x"
        about = f"{self.about}: " if self.about else ""
        return (
            f"{word}  target {self.target.number}  {about}{self.target.text}; {self.measured:.3g}"
        )


@dataclass(frozen=True, slots=True)
class Target:
    """One figure to reach.

    Args:
        number: Its row in the list of targets.
        text: What is asked, in words.
        bound: The figure, in the unit that `text` names.
        at_least: Whether more is better.
        stretch: Whether it is a wish beyond the target.
    """

    number: int
    text: str
    bound: float
    at_least: bool = False
    stretch: bool = False

    def judge(self, measured: float, about: str = "") -> Verdict:
        """Return the verdict on `measured`."""
        return Verdict(self, measured, about)


HIT_OVER_LRU = Target(1, "sync hit <= 3x lru_cache", 3.0)
HIT_UNDER_BEAKER = Target(1, "sync hit >= 14x faster than Beaker", 14.0, at_least=True)
HIT_OVER_LRU_STRETCH = Target(1, "stretch: sync hit <= 2x lru_cache", 2.0, stretch=True)
HIT_UNDER_BEAKER_STRETCH = Target(
    1, "stretch: sync hit >= 20x faster than Beaker", 20.0, at_least=True, stretch=True
)
AWAIT_OVER_BARE = Target(2, "async hit <= 3x a bare await", 3.0)
AWAIT_UNDER_AIOCACHE = Target(2, "async hit >= 50x faster than aiocache", 50.0, at_least=True)
GATHERED = Target(3, "asyncio Redis get, 50 tasks >= 8x faster than redis-py", 8.0, at_least=True)
BUS_HIT = Target(4, "near hit with a bus <= 250 ns", 250.0)
BUS_SEEN = Target(4, "another process sees a change within 5 ms", 5.0)
SESSION_REDIS_READ = Target(5, "redis session read >= 3x faster than Beaker", 3.0, at_least=True)
SESSION_REDIS_WRITE = Target(
    5, "redis session read+write >= 1.5x faster than Beaker", 1.5, at_least=True
)
SESSION_ASGI_READ = Target(
    5, "ASGI redis session read >= 2.5x faster than starsessions", 2.5, at_least=True
)
SESSION_ASGI_WRITE = Target(
    5, "ASGI redis session read+write >= 1.4x faster than starsessions", 1.4, at_least=True
)
SESSION_REDIS_READ_STRETCH = Target(
    5, "stretch: redis session read >= 4x faster than Beaker", 4.0, at_least=True, stretch=True
)
SESSION_REDIS_WRITE_STRETCH = Target(
    5,
    "stretch: redis session read+write >= 2x faster than Beaker",
    2.0,
    at_least=True,
    stretch=True,
)
UNTOUCHED = Target(5, "untouched session <= 1.5 us over a bare app", 1.5)
SESSION_MEMORY = Target(5, "memory session >= 6x faster than Beaker", 6.0, at_least=True)
SESSION_COOKIE = Target(5, "sealed cookie >= 6x faster than Beaker's", 6.0, at_least=True)
STAMPEDE_CREATIONS = Target(6, "stampede of 4 x 50 callers: creations = 1", 1.0)
STAMPEDE_SLOWEST = Target(6, "stampede of 4 x 50 callers: slowest <= 1.2x the creation", 1.2)
INVALIDATION = Target(7, "new values after an invalidation during create, of 1", 1.0, at_least=True)
RATIO_GAIN = Target(8, "points over LRU, room 1 %, Zipf >= 8", 8.0, at_least=True)
RATIO_FLOOR = Target(8, "points under LRU, worst case <= 2", 2.0)
ENTRY_BYTES = Target(9, "bytes per near entry beyond key and value <= 170", 170.0)
SQLITE_GET = Target(10, "sqlite get of 300 B, codec included <= 7 us", 7.0)
SQLITE_PUT = Target(10, "sqlite put of 300 B, codec included <= 12 us", 12.0)
LIMIT_MEMORY = Target(11, "limit check in memory <= 0.8 us", 0.8)
CLEAR_WRITES = Target(12, "clear 1,000 of many keys: writes = 1", 1.0)
CLEAR_GROWTH = Target(12, "clear 1,000 of 500,000 keys <= 1.5x of 1,000 alone", 1.5)
IMPORT_TIME = Target(13, "import holdfast <= 30 ms", 30.0)
IMPORT_OPTIONAL = Target(13, "optional dependencies imported = 0", 0.0)
DRIVER_OVERHEAD = Target(15, "Redis get and put <= 1.25x redis-py", 1.25)
GROWTH = Target(14, "p50 at 10^6 records <= 1.3x p50 at 10^3", 1.3)
SWEEP = Target(14, "sweep linear: each of 20,000 expired and each of 5,000 differ <= 1.5x", 1.5)
COMPAT = Target(16, "Beaker's calls on Holdfast <= 1x Beaker", 1.0)
