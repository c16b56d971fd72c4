"""The pictures of these pages: who waits for whom, drawn from the scenes below as SVG.

Law: a scene is text, one event a line, from top to bottom; it knows no coordinates. The same scene
makes the same file, and `tests/test_pictures.py` compares. A picture has a ground of its own, so
that it reads in light and dark pages alike. `python docs/explain/pictures.py` draws all anew.

    A: request A | S: store     who takes part
    A -> S  text                says or asks
    S .> A  text                answers
    A * text                    does something by itself
    A + works, A + waits        from here on; `A -` ends it
    ~ text                      time goes by
"""  # noqa: INP001 - no package: one script beside the pages

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

SCENES = {
    "stampedes": """
        A: request A | B: request B | C: another process | S: store
        A -> S  read: nothing there
        A + works
        A -> S  lease: won
        A * asks the database
        B -> A  who makes it? A does
        B + waits
        C -> S  read: nothing
        C -> S  lease: taken
        C + waits
        A -> S  publish, then the lease back
        A -
        B -
        B * reads again
        S .> C  woken by the bus
        C -
        C -> S  reads again
    """,
    "ages": """
        A: request A | B: request B | C: cache | N: creation
        ~ ttl is over, grace is not: the value is stale
        A -> C  read
        A + waits
        C -> N  make it anew
        N + works
        B -> C  read
        C .> B  the stale value, at once
        ~ soft_timeout is over
        C .> A  the stale value
        A -
        N -> C  the new value
        N -
        B -> C  read
        C .> B  the new value
    """,
    "invalidation": """
        A: request A | B: request B | S: store | D: database
        A -> S  marker m where nothing is
        A + works
        A -> D  read price
        D .> A  12
        B -> D  price is 13 now
        B -> S  delete: m is gone
        A -> S  swap m for 12
        S .> A  refused
        A -
        A * returns 12, keeps nothing
        B -> S  read: nothing, marker n
        B + works
        B -> D  read price
        D .> B  13
        B -> S  swap n for 13: done
        B -
    """,
    "tags": """
        A: request A | B: request B | S: store | D: database
        A -> S  read page; prices: stamp s
        A + works
        A -> D  query
        D .> A  rows
        B -> D  new prices
        B -> S  invalidate_tags: stamp t
        A -> S  publish page with stamp s
        A -
        ~ any number of pages carry s, and none was touched
        B -> S  read page, and the stamp
        S .> B  has s, is t
        B * a miss
    """,
    "tiers": """
        P: process 1 | N: its near tier | S: store | Q: process 2
        P -> N  placeholder for price:7
        P -> S  read
        S .> P  12
        Q -> S  put 13
        S .> N  bus: price:7 changed
        N * placeholder removed
        P -> N  keep 12
        N .> P  refused
        P * returns 12
        P -> S  next read
        S .> P  13
    """,
    "failure": """
        A: request A | B: request B | C: cache | S: store
        A -> C  get_or_create
        A + waits
        C -> S  read
        S * hangs
        ~ 0.25 s: the third failure in a row
        C .> A  a miss: create
        A -
        B -> C  get_or_create
        C .> B  a miss, at once
        B -> C  delete
        C * drops it near, queues it
        C .> B  StoreError
        ~ the store answers again
        C -> S  ping
        C -> S  what is queued
        B -> C  get_or_create
        C -> S  read
    """,
    "typed-values": """
        P: old program | S: store | Q: new program
        P -> S  a Price of form f
        Q -> S  read
        S .> Q  form f
        Q * mine is g: a miss
        Q + works
        P -> S  read
        S .> P  form f: served
        Q -> S  a Price of form g
        Q -
        Q -> S  read
        S .> Q  form g: served
        P -> S  read
        S .> P  form g
        P * mine is f: a miss
    """,
    "keys": """
        A: report(2026) | B: report(year=2026) | C: report("2026") | S: cache
        A -> S  report(year=2026,...)
        A + works
        B -> S  report(year=2026,...)
        B + waits
        C -> S  report(year='2026',...)
        C + works
        A -> S  keep
        A -
        B -
        B -> S  read again
        C -> S  keep beside it
        C -
    """,
    "sessions-two-tabs": """
        A: tab A | S: store | B: tab B
        A -> S  read
        S .> A  the cart, rev 1
        B -> S  read
        S .> B  the cart, rev 1
        A * append "tea"
        B * append "salt"
        A -> S  swap rev 1 for rev 2: done
        B -> S  swap rev 1 for rev 3
        S .> B  refused
        B -> S  read
        S .> B  rev 2, with tea
        B * append "salt" to that
        B -> S  swap rev 2 for rev 3: done
    """,
    "sessions-logins": """
        A: ann signs in | S: store | B: older request
        B -> S  read session 1
        B + works
        A -> S  read session 1
        A -> S  write session 2
        A -> S  swap 1 for a note
        A -> S  list 2 as ann's
        A * token 2 to the client
        B -> S  swap session 1
        S .> B  a note: it is 2 now
        B -> S  swap session 2: done
        B -
        B -> S  read session 2
        B + works
        ~ ann signs out
        A -> S  remove 2, then the note
        B -> S  swap session 2
        S .> B  nothing is there
        B -
        B * keeps nothing
    """,
    "sessions-life": """
        V: ann's browser | H: Holdfast
        V -> H  signs in
        H .> V  token 1
        ~ each minute of use moves seen
        V -> H  token 1
        H .> V  rotate_every: token 2
        V -> H  a picture, token 1
        H .> V  in its grace: read
        ~ rotate_grace is over
        V -> H  token 1
        H .> V  nobody
        ~ idle_timeout or lifetime is over
        V -> H  token 2
        H .> V  nobody
    """,
}
WORDS = {
    "stampedes": "Two requests and another process want one value that is not there; one makes it.",
    "ages": "A stale value is served while it is made anew.",
    "invalidation": "A value that was deleted while it was made is refused by the store.",
    "tags": "One write to the stamp of a tag makes a miss of all pages that carry the old one.",
    "tiers": "A message removes the placeholder of a reader whose answer is older than a write.",
    "failure": "A store that hangs is passed by, and told afterwards what it missed.",
    "typed-values": "Two versions of a program do not read each other's values.",
    "sessions-two-tabs": "What a tab did is done again to what the other tab left.",
    "sessions-logins": "A session moves to a new token; nothing late undoes that, or a logout.",
    "sessions-life": "A session has a new token now and then, and ends by idle time or by age.",
    "keys": "Equal calls share a key and wait for each other; a call that differs does not.",
}

STEP, LEFT, TOP, WIDE = 30, 92, 46, 184
LETTER = 7.4  # pixels of an average one
STYLE = """
  svg { --ground: #fbfaf7; --ink: #22262b; --soft: #6b7280; --line: #b9bec6; --work: #1f6f8b;
    --wait: #c8553d; font: 13px system-ui, -apple-system, "Segoe UI", sans-serif }
  @media (prefers-color-scheme: dark) { svg { --ground: #1d2025; --ink: #e6e8eb; --soft: #9aa3af;
    --line: #4b5563; --work: #5fb3cf; --wait: #f0886e } }
  .ground { fill: var(--ground) } .life { stroke: var(--line); stroke-dasharray: 2 4 }
  text { fill: var(--ink); text-anchor: middle }
  .says { stroke: var(--ground); stroke-width: 5px; paint-order: stroke; stroke-linejoin: round }
  .who { font-weight: 600 } .aside { fill: var(--soft); font-style: italic }
  .arrow { stroke: var(--ink); stroke-width: 1.3; fill: none } .answer { stroke-dasharray: 5 4 }
  .head { fill: var(--ink) } .box { fill: var(--ground); stroke: var(--line) }
  .rule { stroke: var(--line) } .works { fill: var(--work) }
  .waits { fill: var(--ground); stroke: var(--wait); stroke-width: 1.5 }
  .hatch { stroke: var(--wait); stroke-width: 1.5 } .key { text-anchor: start }
"""
SAYS = re.compile(r"(\w) (->|\.>) (\w)  (.+)")
DOES = re.compile(r"(\w) ([*+-]) ?(.*)|~ (.+)")


@dataclass
class Picture:
    """A scene on its way to a picture.

    Attributes:
        at: Where the line of each who takes part stands.
        bars: Below all else: what stretches of lines mean.
        marks: Above them: arrows and words.
        open: Bars that have not ended: their kind and where they began.
        kinds: What kinds of bars there are.
        y: How far down the last event stands.
    """

    at: dict[str, int]
    bars: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    open: dict[str, tuple[str, float]] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)
    y: float = TOP

    def play(self, line: str) -> None:
        """Add one event."""
        if says := SAYS.fullmatch(line):
            who, does, to, text = says.groups()
            self.y += STEP
            self.marks += _arrow(self.at[who], self.at[to], self.y, text, answer=does == ".>")
            return
        match = DOES.fullmatch(line)
        if match is None:
            raise ValueError(f"no event: {line!r}")
        who, does, text, passed = match.groups()
        if does == "+":
            self.open[who] = text, self.y
            self.kinds.add(text)
        elif does == "-":
            self.bars += _bar(self.at[who], *self.open.pop(who), self.y)
        else:
            self.y += STEP
            wide = max(self.at.values()) + LEFT
            mark = _rule(wide, self.y, passed) if passed else _box(self.at[who], self.y, text)
            self.marks += mark


def draw(name: str) -> str:
    """Return the picture of a scene as SVG."""
    first, *lines = [line.strip() for line in SCENES[name].strip().splitlines()]
    people = dict(part.strip().split(": ", 1) for part in first.split("|"))
    picture = Picture({who: LEFT + number * WIDE for number, who in enumerate(people)})
    for line in lines:
        picture.play(line)
    if picture.open:
        raise ValueError(f"{name}: does not end for {', '.join(picture.open)}")
    wide, high = max(picture.at.values()) + LEFT, int(picture.y) + (66 if picture.kinds else 40)
    size = f'viewBox="0 0 {wide} {high}" width="{wide}" height="{high}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{escape(WORDS[name])}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="ground" width="{wide}" height="{high}" rx="8"/>',
            *_lives(people, picture.at, picture.y + 22),
            *picture.bars,
            *picture.marks,
            *_legend(picture.kinds, high - 20),
            "</svg>\n",
        ]
    )


def _lives(people: dict[str, str], at: dict[str, int], end: float) -> Iterator[str]:
    for who, name in people.items():
        yield f'<text class="who" x="{at[who]}" y="30">{escape(name)}</text>'
        yield f'<path class="life" d="M{at[who]} 42V{end}"/>'


def _bar(x: int, kind: str, start: float, end: float) -> list[str]:
    top, high = start + 2, end - start - 4 + STEP / 2
    bar = [f'<rect class="{kind}" x="{x - 5}" y="{top}" width="10" height="{high}" rx="2"/>']
    if kind == "waits":
        steps = "".join(f"M{x - 5} {top + at + 8}l10 -8" for at in range(2, int(high) - 8, 8))
        bar.append(f'<path class="hatch" d="{steps}"/>')
    return bar


def _arrow(start: int, end: int, y: float, text: str, *, answer: bool) -> list[str]:
    way = 1 if end > start else -1
    near, tip = start + 7 * way, end - 7 * way
    look = "arrow answer" if answer else "arrow"
    return [
        f'<path class="{look}" d="M{near} {y}H{tip - 7 * way}"/>',
        f'<path class="head" d="M{tip} {y}l{-9 * way} -4v8z"/>',
        f'<text class="says" x="{(start + end) / 2}" y="{y - 6}">{escape(text)}</text>',
    ]


def _box(x: int, y: float, text: str) -> list[str]:
    wide = len(text) * LETTER + 16
    left = max(6.0, x - wide / 2)
    return [
        f'<rect class="box" x="{left:.0f}" y="{y - 16}" width="{wide:.0f}" height="24" rx="4"/>',
        f'<text x="{left + wide / 2:.0f}" y="{y}">{escape(text)}</text>',
    ]


def _rule(wide: int, y: float, text: str) -> list[str]:
    return [
        f'<path class="rule" d="M16 {y - 4}H{wide - 16}"/>',
        f'<text class="says aside" x="{wide / 2:.0f}" y="{y}">{escape(text)}</text>',
    ]


def _legend(kinds: set[str], y: float) -> list[str]:
    marks = []
    for number, kind in enumerate(sorted(kinds, reverse=True)):
        x = 24 + 72 * number
        marks += _bar(x, kind, y - 16, y - 12)
        marks.append(f'<text class="key aside" x="{x + 12}" y="{y}">{kind}</text>')
    return marks


if __name__ == "__main__":
    for name in SCENES:
        (Path(__file__).parent / f"{name}.svg").write_text(draw(name), encoding="utf-8")
