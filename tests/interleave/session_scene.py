"""A stage with one stored session, and visitors who come to it at the same time."""

import copy
import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

from holdfast.bridge import Blocking, ThreadWaits, drive
from holdfast.codec.msgpack import Msgpack
from holdfast.session import Outcome, Session, index
from holdfast.session.data import Message, Note, Record, encode, encode_note
from holdfast.session.engine import Engine
from holdfast.session.homes import Loop
from holdfast.session.index import Entry
from holdfast.session.outcome import NOTHING
from holdfast.session.policy import times_from
from holdfast.session.session import draft_of
from holdfast.session.settings import Settings
from holdfast.session.token import id_of, new_token
from holdfast.session.users import SessionInfo
from holdfast.testing.interleave import End, Scene, Stage, play_every_order

CODEC = Msgpack()
Act = Callable[[Session], object]
Data = dict[str, object]
BASE: Data = {"old": 1, "count": 5, "list": ["a"]}
OF_ANN = {"csrf": b"c" * 32, "user": "ann"}


class Play:
    """One stored session on `stage`.

    Args:
        stage: Where.
        data: What it holds.
        options: Settings that differ from those of the others.
        record: Fields of its record that do.

    Attributes:
        token: What its client holds.
        events: What the observer was told: the event's name, its fields.
    """

    def __init__(
        self,
        stage: Stage,
        data: Mapping[str, object],
        options: Mapping[str, Any] | None = None,
        **record: object,
    ) -> None:
        self.stage = stage
        self.events: list[tuple[str, Mapping[str, object]]] = []
        usual = Settings(
            times=times_from(600, 3600, touch_every=60, forward_note=60),
            codec=CODEC,
            prefix="",
            clock=stage.clock,
            observer=lambda event, fields: self.events.append((event, fields)),
            store="stage",
            persistent=lambda: False,
        )
        self.settings = replace(usual, **(options or {}))
        self.judge = Engine(Blocking(stage.rows), ThreadWaits(), self.settings)
        self._move_in()
        self.token = self.store(data, **record)

    def _move_in(self) -> None:
        engine = Engine(self.stage.store, self.stage.waits, self.settings)
        self.home = Loop(engine, self.settings)

    def elsewhere(self) -> "Play":
        """Return the same in another process: only the store and the clock are shared."""
        other = copy.copy(self)
        other._move_in()
        return other

    def store(self, data: Mapping[str, object], **record: object) -> str:
        """Store a session; return its token."""
        token, now = new_token(), self.stage.clock()
        given = {
            "rev": b"r" * 16,
            "gen": 0,
            "created": now,
            "seen": now,
            "reserved": {"csrf": b"c" * 32},
            "data": {name: CODEC.encode(value) for name, value in data.items()},
            "messages": [],
        }
        stored = Record(**{**given, **record})  # type: ignore[arg-type]
        self.put(token, encode(stored))
        if stored.user is not None:
            entry = Entry(id_of(token) or "", stored.created, stored.created + 3600)
            self.enlist(stored.user, [*self.listed(stored.user), entry])
        return token

    def put(self, token: str, raw: bytes) -> None:
        """Store `raw` under the id of `token`."""
        shut = self.judge.records.shut(id_of(token) or "", raw)
        self.stage.rows.put(key_of(token), shut, 1000)

    def enlist(self, user: str | int, entries: Sequence[Entry]) -> None:
        """Store the index of `user`."""
        name = index.key_of(user)
        shut = self.judge.records.shut(f"u:{name}", index.encode(entries))
        self.stage.rows.put(f"u:{name}", shut, 3600)

    def listed(self, user: str | int) -> Sequence[Entry]:
        """Return the index of `user`."""
        name = index.key_of(user)
        raw = self.stage.rows.get(f"u:{name}")
        return [] if raw is None else index.decode(self.judge.records.unshut(f"u:{name}", raw))

    def of(self, user: str) -> Sequence[SessionInfo]:
        """Return what a list of the user's sessions shows now."""
        return drive(self.judge.users.of(user))

    def revoke(self, user: str) -> int:
        """End all sessions of `user`, when everybody has ended."""
        return drive(self.judge.users.revoke(user, None))

    async def load(self, token: str | None = None) -> Session:
        token = self.token if token is None else token
        return Session(self.home, token, await self.home.aopen(token))

    async def commit(self, session: Session, *, failed: bool = False) -> Outcome:
        draft = draft_of(session)
        if draft is None:
            return NOTHING
        return await self.home.acommit(draft, failed=failed)

    async def visit(self, *acts: Act, failed: bool = False, token: str | None = None) -> Outcome:
        """Be one request: load, do each of `acts`, commit."""
        session = await self.load(token)
        for act in acts:
            waiting = act(session)
            if inspect.isawaitable(waiting):
                await waiting
        return await self.commit(session, failed=failed)

    def at(self, token: str | None) -> Record | Note | None:
        """Return what stands under `token`."""
        key = "s:none" if token is None else key_of(token)
        raw = self.stage.rows.get(key)
        return None if raw is None else self.judge.records.read(key[2:], raw)

    def records(self) -> list[Record]:
        """Return every record that is alive, wherever it is."""
        rows = [(key, self.stage.rows.get(key)) for key in self.stage.rows.scan("s:")]
        read = self.judge.records.read
        found = [read(key[2:], raw) for key, raw in rows if raw is not None]
        return [one for one in found if isinstance(one, Record)]

    def record(self) -> Record:
        """Return the one record that is alive."""
        (record,) = self.records()
        return record

    def data(self) -> Data:
        """Return the data of the one record that is alive."""
        return values(self.record())

    def swaps(self) -> list[int]:
        """Return whose swaps reached the store, in their order."""
        log = self.stage.log
        return [who for who, what in log if not isinstance(what, str) and what.operation == "swap"]

    def told(self, event: str) -> int:
        """Return how often the observer heard `event`."""
        return sum(name == f"session.{event}" for name, _ in self.events)


Step = Callable[[Play], Coroutine[object, None, object]]


def steps_of(*acts: Act) -> Step:
    """A request with the session all share, in the process it is given."""
    return lambda play: play.visit(*acts)


def key_of(token: str) -> str:
    return f"s:{id_of(token)}"


def values(record: Record) -> Data:
    return {name: CODEC.decode(raw) for name, raw in record.data.items()}


def mail(record: Record) -> list[object]:
    """Return the values of the messages, oldest first."""
    return [CODEC.decode(one.encoded) for one in record.messages]


def message(value: object, box: str = "f:") -> Message:
    return Message(repr((value, box)).encode().ljust(8, b"."), box, CODEC.encode(value))


def note_to(token: str) -> bytes:
    return encode_note(id_of(token) or "")


def put(name: str, value: object) -> Act:
    return lambda session: session.__setitem__(name, value)


def sent(ends: Sequence[End]) -> list[str]:
    """Return the tokens that were sent to clients."""
    outcomes = [end.value for end in ends if isinstance(end.value, Outcome)]
    return [outcome.token for outcome in outcomes if outcome.token is not None]


def ended(ends: Sequence[End]) -> None:
    """Check that nobody failed."""
    assert [end.error for end in ends if end.error is not None] == []


def play(
    data: Mapping[str, object],
    visits: Sequence[Sequence[Act]],
    check: Callable[[Play, list[End]], None],
    **record: object,
) -> int:
    """Play visits at once in every order, each also with one of them crashing anywhere.

    `check` sees every order, whether somebody crashed or not: `End.crashed` tells.
    """

    def scene(stage: Stage) -> Scene:
        here = Play(stage, data, None, **record)

        def judge(ends: list[End]) -> None:
            ended(ends)
            check(here, ends)

        return Scene([here.visit(*acts) for acts in visits], judge)

    return play_every_order(scene, crash=range(len(visits)))
