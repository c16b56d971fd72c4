"""Journals: what each actor meant to do to sessions, what it was told, and what it saw.

Law: one file for each actor, one line for each step, on the disk before the next step begins: what
is not written, because the process was killed, nobody was told. Times are those of the monotonic
clock, which all processes of a machine share. A line of life (`line`) is one session from birth to
death, through all of its tokens.
"""

import json
import math
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Deed", "Journal", "Life", "Sight", "Told", "read_journals"]

UNKNOWN, DONE, DROPPED = "unknown", "done", "dropped"


@dataclass(slots=True)
class Deed:
    """One commit, claim or removal. It happened, if ever, between `began` and `ended`.

    Attributes:
        who: The actor.
        line: The line of life.
        id: The session's id as this request loaded it; empty for a birth.
        verbs: What was to be done, each a word and its arguments.
        began: When it was asked for.
        ended: When it was told; never if it was not, for it may happen later still.
        outcome: `done`, `dropped` (told so by an event) or `unknown`.
        new_id: The session's id from then on, if this deed gave the client a token.
        taken: The messages a claim returned.
        events: What the observer heard meanwhile.
        error: What it raised.
    """

    who: str
    line: str
    id: str
    verbs: list[list[Any]]
    began: float
    ended: float = math.inf
    outcome: str = UNKNOWN
    new_id: str = ""
    taken: list[str] = field(default_factory=list)
    events: list[list[Any]] = field(default_factory=list)
    error: str = ""

    @property
    def done(self) -> bool:
        return self.outcome == DONE

    @property
    def dropped(self) -> bool:
        return self.outcome == DROPPED

    def has(self, *words: str) -> bool:
        """Return whether one of its verbs is one of `words`."""
        return any(verb[0] in words for verb in self.verbs)

    def __str__(self) -> str:
        verbs = " ".join(".".join(map(str, verb)) for verb in self.verbs)
        told = [*(f"{event}:{reason}" for event, reason in self.events), *self.taken, self.error]
        when = f"{self.began:.4f}-{self.ended:.4f} {self.who} {self.id[:8]}->{self.new_id[:8]}"
        return " ".join([when, verbs, self.outcome, *told])


@dataclass(slots=True)
class Sight:
    """What somebody read of a session between `began` and `ended`.

    Attributes:
        who: The actor; `end` for what was in the store when all was over.
        alive: Whether there was a session.
        notices: Its notifications; None where they were not looked at.
    """

    who: str
    line: str
    id: str
    began: float
    ended: float
    alive: bool
    user: str | None = None
    names: dict[str, Any] = field(default_factory=dict)
    flashes: list[str] = field(default_factory=list)
    notices: list[str] | None = None

    def __str__(self) -> str:
        seen = (
            f"{self.user} {self.names} {self.flashes} {self.notices}" if self.alive else "nothing"
        )
        return f"{self.began:.4f}-{self.ended:.4f} {self.who} {self.id[:8]} saw {seen}"


@dataclass(slots=True)
class Life:
    """All that happened to one session."""

    line: str
    deeds: list[Deed] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)

    @property
    def ids(self) -> set[str]:
        """The ids it had, as far as anybody was told."""
        told = {deed.new_id for deed in self.deeds} | {deed.id for deed in self.deeds}
        return told - {""}


class Journal:
    """What one actor writes.

    Args:
        folder: Where the journals are.
        who: The actor.
    """

    def __init__(self, folder: Path, who: str) -> None:
        self.who = who
        self._count = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL
        self._file = os.open(folder / f"{who}.journal", flags)

    def tries(self, line: str, handle: str, verbs: Sequence[Sequence[Any]]) -> None:
        """Note what is asked for now."""
        self._count += 1
        self._write("try", line=line, id=handle, verbs=verbs)

    def did(
        self,
        *,
        new_id: str = "",
        taken: Sequence[str] = (),
        events: Sequence[Sequence[Any]] = (),
    ) -> None:
        """Note what came of it."""
        lost = [
            told for told in events if told[0] == "conflict_dropped" and told[1] != "overwritten"
        ]
        outcome = DROPPED if lost else DONE
        self._write("did", outcome=outcome, new_id=new_id, taken=taken, events=events)

    def failed(self, error: BaseException) -> None:
        """Note that the last step raised a `StoreError`; what it did is unknown."""
        self._write("failed", error=repr(error))

    def saw(self, line: str, handle: str, since: float, **seen: Any) -> None:
        """Note what was read since then."""
        self._write("saw", line=line, id=handle, began=since, **seen)

    def broke(self, text: str) -> None:
        """Note what no actor may meet."""
        self._write("broke", text=text)

    def close(self) -> None:
        """Note that this actor went to its end."""
        self._write("over")
        os.close(self._file)

    def next_name(self) -> str:
        """Return a text that nobody else has: what the next deed writes."""
        return f"{self.who}-{self._count + 1}"

    def _write(self, word: str, **fields: Any) -> None:
        line = json.dumps([word, time.monotonic(), fields]) + "\n"
        os.write(self._file, line.encode())


@dataclass(slots=True)
class Told:
    """What all journals say.

    Attributes:
        lives: By line; one that nobody wrote of is made when it is asked for.
        broken: What was raised beside `StoreError`.
        unfinished: Actors that did not go to their end.
        errors: How many steps failed.
        strays: What is in the store and belongs to nobody.
    """

    lives: defaultdict[str, Life]
    broken: list[str] = field(default_factory=list)
    unfinished: set[str] = field(default_factory=set)
    errors: int = 0
    strays: list[str] = field(default_factory=list)

    def deeds(self) -> Iterator[Deed]:
        """Yield all deeds."""
        for life in self.lives.values():
            yield from life.deeds


def read_journals(folder: Path) -> Told:
    """Return what all actors wrote."""
    told = Told(defaultdict(lambda: Life("")))
    for path in sorted(folder.glob("*.journal")):
        if [*_words(path, told)][-1:] != ["over"]:
            told.unfinished.add(path.stem)
    for line, life in told.lives.items():
        life.line = line
    return told


def _words(path: Path, told: Told) -> Iterator[str]:
    """Yield each word of a journal, once what it tells is added to `told`."""
    deed: Deed | None = None
    for text in path.read_text().splitlines(keepends=True):
        if not text.endswith("\n"):
            return  # it was killed in the middle of a line
        word, at, fields = json.loads(text)
        if word == "try":
            deed = Deed(path.stem, began=at, **fields)
            told.lives[deed.line].deeds.append(deed)
        elif word == "saw":
            sight = Sight(path.stem, ended=at, **fields)
            told.lives[sight.line].sights.append(sight)
        elif word == "did":
            assert deed is not None
            _settle(deed, at, fields)
        elif word == "failed":
            told.errors += 1
            if deed is not None:
                deed.error = fields["error"]
        elif word == "broke":
            told.broken.append(f"{path.stem}: {fields['text']}")
        yield word
        if word != "try":
            deed = None


def _settle(deed: Deed, at: float, fields: Mapping[str, Any]) -> None:
    deed.ended = at
    for name, value in fields.items():
        setattr(deed, name, value)
