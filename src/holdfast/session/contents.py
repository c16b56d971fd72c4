"""The contents of a session: a dict, and the operations that count in both of two tabs.

Law: nothing is read before the first touch. What is done here is only noted, in the draft; it
reaches the store at commit, but for `take` and `pop_flash`, which claim at the call.
"""

from collections.abc import Iterator, MutableMapping
from typing import Any, NoReturn, Self

from holdfast.errors import SessionCommitted
from holdfast.session.client import Client
from holdfast.session.draft import Draft
from holdfast.session.homes import Home
from holdfast.session.view import FLAT, MISSING

__all__ = ["Contents", "flash_box", "notice_box"]

_TOO_LATE = "the response has begun and its cookie cannot be sent any more: write before that"


class Contents(MutableMapping[str, Any]):
    """What a session holds: a dict of values the codec can carry.

    Two requests at once do not lose each other's names. Values changed in place are found at
    commit. `increment`, `append`, `flash` and `notify` count even when both touch the same name.

    Attributes:
        accessed: Whether the application looked at it or touched it in any way.
    """

    __slots__ = ("_begun", "_draft", "_home", "_loaded", "_token", "accessed", "client")

    def __init__(self, home: Home, token: str | None, loaded: Draft | None = None) -> None:
        self._home = home
        self._token = token
        self._loaded = loaded
        self._draft: Draft | None = None  # None until the application touches it
        self._begun = False
        self.accessed = False
        self.client: Client | None = None

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError("a session belongs to its request: copy or pickle dict(session)")

    def response_begun(self) -> None:
        """Note that no token can be sent any more: what a middleware says of an untouched one."""
        self._begun = True
        if self._draft is not None:
            self._draft.begun = True

    def _open(self) -> Draft:
        draft = self._draft
        if draft is None:
            self.accessed = True
            draft = self._loaded
            if draft is None:
                try:
                    draft = self._home.open(self._token)
                except KeyError as error:  # which `get` would take for an absent name
                    raise RuntimeError("check_user or the observer failed") from error
            if self._begun:
                draft.begun = True
            self._draft = draft
        return draft

    def _writing(self) -> Draft:
        draft = self._draft or self._open()
        if draft.begun and not self._home.may_write(draft):
            raise SessionCommitted(_TOO_LATE)
        return draft

    async def load(self) -> Self:
        """Read the session now; for event loops that load lazily. Twice is fine.

        Returns:
            This session.

        Raises:
            StoreError: The store could not be asked.
        """
        if self._draft is None and self._loaded is None:
            self._loaded = await self._home.aopen(self._token)
        return self

    # A dict

    def __getitem__(self, name: str) -> Any:
        draft = self._draft or self._open()
        if draft.whole is not None:
            draft.pull(name)
        value = draft.live.get(name, MISSING)
        if value is MISSING:
            value = draft.fetch(name)
        if type(value) not in FLAT:
            draft.handed.add(name)
        return value

    def __setitem__(self, name: str, value: Any) -> None:
        if type(name) is not str:
            name = _text(name)
        self._writing().put(name, value)

    def __delitem__(self, name: str) -> None:
        draft = self._writing()
        if not draft.has(name):
            raise KeyError(name)
        draft.remove(name)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._open().names()))

    def __len__(self) -> int:
        return sum(1 for _ in self._open().names())

    def __contains__(self, name: object) -> bool:
        return self._open().has(name)

    def __bool__(self) -> bool:
        return any(True for _ in self._open().names())

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value under `name`, or `default`."""
        try:
            return self[name]
        except KeyError:
            return default

    def clear(self) -> None:
        """Delete all names, flash messages and notifications, also those another tab just wrote.

        Who is signed in stays so: see `logout` and `destroy`.

        Raises:
            SessionCommitted: The response has begun and the client holds no token.
        """
        self._writing().clear()

    # Operations: both tabs count

    def increment(self, name: str, by: float = 1) -> None:
        """Add `by` to the number under `name`; an absent one counts as 0.

        Raises:
            TypeError: There is something else than a number.
            OverflowError: A float is added to an int beyond floats, or the other way round.
            SessionCommitted: The response has begun and the client holds no token.
        """
        self._writing().increment(_text(name), by)

    def append(self, name: str, item: Any) -> None:
        """Add `item` to the end of the list under `name`; an absent one counts as empty.

        Raises:
            TypeError: There is something else than a list.
            CodecError: `item` is nothing the codec can carry.
            SessionCommitted: The response has begun and the client holds no token.
        """
        self._writing().append(_text(name), item)

    def flash(self, message: Any, queue: str = "") -> None:
        """Leave `message` for the next page; it waits for `pop_flash`, until the session ends.

        Raises:
            CodecError: `message` is nothing the codec can carry.
            SessionCommitted: The response has begun and the client holds no token.
        """
        self._writing().post(flash_box(queue), message)

    def pop_flash(self, queue: str = "") -> list[Any]:
        """Return the flash messages of `queue`, oldest first, and remove them.

        In a thread they are claimed at the call: of two tabs, one gets a message. In an event loop
        this form returns what was loaded; `await session.aio.pop_flash(queue)` claims.

        Raises:
            StoreError: They could not be claimed; whoever asks again may get them.
        """
        return self._claim(flash_box(queue), None)

    def peek_flash(self, queue: str = "") -> list[Any]:
        """Return the flash messages of `queue`, oldest first, and leave them there."""
        draft = self._open()
        return draft.read(draft.messages_in(flash_box(queue)))

    def notify(self, name: str, value: Any) -> None:
        """Leave `value` under `name`, to be read once with `take`; several wait in a row.

        Raises:
            CodecError: `value` is nothing the codec can carry.
            SessionCommitted: The response has begun and the client holds no token.
        """
        self._writing().post(notice_box(name), value)

    def take(self, name: str, default: Any = None) -> Any:
        """Return the oldest value `notify` left under `name` and remove it, or `default`.

        In a thread it is claimed at the call: of two tabs, one gets it. In an event loop this form
        returns what was loaded; `await session.aio.take(name)` claims.

        Raises:
            StoreError: It could not be claimed; whoever asks again may get it.
        """
        values = self._claim(notice_box(name), 1)
        return values[0] if values else default

    def _claim(self, box: str, most: int | None) -> list[Any]:
        draft = self._open()
        if not draft.messages_in(box):
            return []
        return self._home.claim(self._writing(), box, most)


def flash_box(queue: str) -> str:
    """Return where the flash messages of `queue` are."""
    return "f:" + _text(queue)


def notice_box(name: str) -> str:
    """Return where the notifications of this name are."""
    return "n:" + _text(name)


def _text(name: object) -> str:
    """Return a name or queue as plain text; the member of an enum is its value."""
    if not isinstance(name, str):
        raise TypeError(f"a session's names are text, not {type(name).__name__}")
    return str.__str__(name)
