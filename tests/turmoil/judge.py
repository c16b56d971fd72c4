"""The judge: what was certainly lost, counted twice, or came back, in the life of one session.

Law: pure, and only what is certain: a deed happened at one moment between `began` and `ended`, or,
if nobody was told, later or never. Of two that overlap, either may have been first.

- What was done is there, unless something that may have come later replaced or removed it.
- What was dropped, and what nobody did, is nowhere; nothing is there twice.
- After a removal, and under a token that was replaced, nothing is read and nothing done.
- No session shows what another user wrote; what was written together is seen together.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from turmoil.journal import Deed, Life, Sight

__all__ = ["Fault", "Wipe", "faults_of", "history_of"]

Wipe = tuple[float, float]
"""From when to when a store that keeps nothing was down."""


class Fault(NamedTuple):
    """What cannot be.

    Attributes:
        at: When it was certain.
        what: In words.
        shown: The deed or the sight that shows it.
    """

    at: float
    what: str
    shown: Deed | Sight

    def __str__(self) -> str:
        return f"{self.what}: {self.shown}"


_CONTENTS = ("set", "increment", "append", "flash", "notify", "clear")


def faults_of(life: Life, wipes: Sequence[Wipe] = ()) -> list[Fault]:
    """Return what cannot be, the earliest first; empty where all is well.

    Args:
        life: With what was in the store at the end among its sights, each from `end`.
        wipes: When the store lost all it had.
    """
    return sorted(_Case(life, wipes).faults(), key=lambda fault: fault.at)


def history_of(life: Life, until: float, most: int = 40) -> str:
    """Return what was last done to `life` before `until`, a line each."""
    deeds = [deed for deed in life.deeds if deed.began <= until and not deed.has("look")]
    deeds.sort(key=lambda deed: deed.began)
    return "\n".join(map(str, deeds[-most:]))


class _Case:
    """One life, sorted by what was done to what."""

    def __init__(self, life: Life, wipes: Sequence[Wipe]) -> None:
        self.life = life
        self.wipes = wipes
        deeds = [deed for deed in life.deeds if not deed.dropped]
        self.dropped = [deed for deed in life.deeds if deed.dropped]
        self.users = {verb[1] for deed in deeds for verb in deed.verbs if verb[0] == "login"}
        self.clears = [deed for deed in deeds if deed.has("clear")]
        # whether a login found another user is not for sure: it may have emptied the session
        strangers = len(self.users) > 1
        self.erasers = self.clears + [d for d in deeds if strangers and d.has("login")]
        self.ends = [deed for deed in deeds if deed.has("destroy")]
        self.end = min((end for end in self.ends if end.done), key=_told, default=None)
        self.replaced: dict[str, Deed] = {}
        for deed in sorted((d for d in deeds if d.done and d.has("rotate", "login")), key=_told):
            self.replaced.setdefault(deed.id, deed)
        born = (deed.ended for deed in deeds if deed.has("begin"))
        self.born = min(born, default=math.inf)
        self.sets = defaultdict[str, list[tuple[Deed, str]]](list)
        self.made = defaultdict[str, dict[str, Deed]](dict)
        self.counts = [deed for deed in deeds for verb in deed.verbs if verb[0] == "increment"]
        for deed in deeds:
            for word, *of in deed.verbs:
                if word == "set":
                    self.sets[of[0]].append((deed, of[1]))
                elif word in {"append", "flash", "notify"}:
                    self.made[word][of[0]] = deed
        claims = [deed for deed in deeds if deed.has("pop", "take")]
        self.claims = claims
        self.silent = {
            word: [deed for deed in claims if deed.has(word) and not deed.done]
            for word in ("pop", "take")
        }
        self.taken = {one: deed for deed in claims for one in deed.taken}

    def faults(self) -> Iterator[Fault]:
        yield from self._of_deeds()
        yield from self._of_takes()
        for sight in self.life.sights:
            if sight.alive:
                yield from self._of_life(sight)
                yield from self._of_names(sight)
                yield from self._of_numbers(sight)
                yield from self._of_lists(sight)
        yield from self._of_the_end()

    # Deeds

    def _of_deeds(self) -> Iterator[Fault]:
        for deed in self.life.deeds:
            for event, reason in deed.events:
                if event == "corrupt":
                    yield _seen(deed, "bytes that are no session")
                elif event == "conflict_dropped" and not self._may_drop(deed, reason):
                    yield _seen(deed, "dropped without a cause")
            late = self.end is not None and deed.done and deed.began > self.end.ended
            if late and deed.has(*_CONTENTS):
                yield _seen(deed, f"done to a session that had been removed, after {self.end}")

    def _may_drop(self, deed: Deed, reason: str) -> bool:
        if reason == "another user":
            return len(self.users) > 1
        if reason == "destroyed":
            wiped = any(began < deed.ended for began, _ in self.wipes)
            return wiped or any(end.began < deed.ended for end in self.ends)
        return reason == "overwritten"

    def _of_takes(self) -> Iterator[Fault]:
        made = self.made["flash"] | self.made["notify"]
        often = Counter(one for deed in self.claims for one in deed.taken)
        for one, times in often.items():
            deed = self.taken[one]
            if times > 1:
                yield _seen(deed, f"{one} was taken {times} times")
            if one not in made or made[one].began > deed.ended:
                yield _seen(deed, f"{one}, which nobody left, was taken")

    # Sights

    def _of_life(self, sight: Sight) -> Iterator[Fault]:
        if self.end is not None and self.end.ended < sight.began:
            yield _seen(sight, f"it came back, after {self.end}")
        replaced = self.replaced.get(sight.id)
        if replaced is not None and replaced.ended < sight.began:
            yield _seen(sight, f"an old token reads, after {replaced}")
        for began, ended in self.wipes:
            if self.born < began and ended < sight.began:
                yield _seen(sight, f"it came back after the store lost it at {ended:.4f}")

    def _of_names(self, sight: Sight) -> Iterator[Fault]:
        if sight.names.get("line") != sight.line:
            yield _seen(sight, "half a session")
        if sight.names.get("left") != sight.names.get("right"):
            yield _seen(sight, "half a commit")
        known = {*self.sets, "line", "count", "list"}
        if made_up := sight.names.keys() - known:
            yield _seen(sight, f"names nobody set, {made_up}")
        for name, writes in self.sets.items():
            if name != "line":
                yield from self._of_name(sight, name, writes)

    def _of_name(
        self, sight: Sight, name: str, writes: Iterable[tuple[Deed, str]]
    ) -> Iterator[Fault]:
        seen = sight.names.get(name)
        if seen is None:
            for deed, value in writes:
                if self._must_show(deed, sight, self.erasers):
                    yield _seen(sight, f"{name}={value} is lost")
            return
        wrote = next((deed for deed, value in writes if value == seen), None)
        if wrote is None or wrote.began > sight.ended:
            yield _seen(sight, f"{name}={seen}, which nobody set or which was dropped")
            return
        yield from self._of_users(sight, seen)
        for later in [*(deed for deed, _ in writes), *self.clears]:
            if later.done and wrote.ended < later.began and later.ended < sight.began:
                yield _seen(sight, f"{name}={seen} is there again, after {later}")

    def _of_users(self, sight: Sight, seen: str) -> Iterator[Fault]:
        author = seen.partition(":")[2]
        if author not in {"", sight.user}:
            yield _seen(sight, f"{seen} is shown to {sight.user}")

    def _of_numbers(self, sight: Sight) -> Iterator[Fault]:
        seen = sight.names.get("count", 0)
        least = sum(self._must_show(deed, sight, self.erasers) for deed in self.counts)
        most = sum(self._may_show(deed, sight) for deed in self.counts)
        if not least <= seen <= most:
            yield _seen(sight, f"counted {seen}, where {least} to {most} can be")

    def _of_lists(self, sight: Sight) -> Iterator[Fault]:
        items = sight.names.get("list", [])
        yield from self._of_items(sight, "append", items, "")
        latest = -math.inf
        for one in items:
            if (deed := self.made["append"].get(one)) is not None:
                if deed.ended < latest:
                    yield _seen(sight, f"{one} stands behind one that was appended later")
                latest = max(latest, deed.began)
            yield from self._of_users(sight, one)
        yield from self._of_items(sight, "flash", sight.flashes, "pop")
        if sight.notices is not None:
            yield from self._of_items(sight, "notify", sight.notices, "take")

    def _of_items(
        self, sight: Sight, word: str, seen: Sequence[str], taker: str
    ) -> Iterator[Fault]:
        for one, times in Counter(seen).items():
            deed, take = self.made[word].get(one), self.taken.get(one)
            if times > 1:
                yield _seen(sight, f"{one} is there {times} times")
            if deed is None or not self._may_show(deed, sight):
                yield _seen(sight, f"{one}, which nobody left or which was dropped or cleared")
            if take is not None and take.ended < sight.began:
                yield _seen(sight, f"{one} is there again, after {take}")
        fixed = self.erasers + self.silent.get(taker, [])
        for one, deed in self.made[word].items():
            take = self.taken.get(one)
            removers = [*fixed, take] if take else fixed
            if one not in seen and self._must_show(deed, sight, removers):
                yield _seen(sight, f"{one} is lost, though done by {deed}")

    def _must_show(self, deed: Deed, sight: Sight, removers: Iterable[Deed]) -> bool:
        """Return whether `sight` must show what `deed` left, if only `removers` may remove it."""
        if not deed.done or deed.ended >= sight.began:
            return False
        return not any(
            remover.began < sight.ended and remover.ended > deed.began for remover in removers
        )

    def _may_show(self, deed: Deed, sight: Sight) -> bool:
        """Return whether `sight` may show what `deed` left, if nobody takes it."""
        return deed.began < sight.ended and not any(
            clear.done and deed.ended < clear.began and clear.ended < sight.began
            for clear in self.clears
        )

    # The end

    def _of_the_end(self) -> Iterator[Fault]:
        found = [sight for sight in self.life.sights if sight.who == "end" and sight.alive]
        born = [deed for deed in self.life.deeds if deed.has("begin") and deed.done]
        if len(found) > 1:
            yield _seen(found[0], f"two records, the other: {found[1]}")
        wiped = any(ended > deed.began for deed in born for _, ended in self.wipes)
        if born and not found and not self.ends and not wiped:
            yield _seen(born[0], "the session is lost, though nobody removed it")


def _told(deed: Deed) -> float:
    return deed.ended


def _seen(shown: Deed | Sight, what: str) -> Fault:
    return Fault(shown.began if math.isinf(shown.ended) else shown.ended, what, shown)
