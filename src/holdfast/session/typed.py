"""Typed drafts: one request's work on a session whose names are the fields of a class.

Law: a field has always a value: what is stored, or its default, which is stored only when it was
changed. What the application did to the instance it holds is found field by field, so that two tabs
that change different ones both count. What is wrong is said at the line where we hear of it, else
at commit; what is stored and does not fit is told to the observer, and is the default.
"""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from holdfast.errors import CodecError, SessionCommitted
from holdfast.session.draft import Draft
from holdfast.session.operations import (
    NOTHING_DONE,
    UNREADABLE,
    Append,
    Change,
    Changes,
    Increment,
    is_number,
)
from holdfast.session.schema import Layout
from holdfast.session.view import MISSING, PUT, Base

__all__ = ["TypedDraft"]


class TypedDraft(Draft):
    """A draft with a schema.

    Args:
        layout: The schema.
        tell: Tells the observer.
        now: UTC seconds.
        base: What is stored; None for a new session.
    """

    def __init__(
        self, layout: Layout, tell: Callable[..., None], now: float, base: Base | None = None
    ) -> None:
        self._layout = layout
        self._tell = tell
        self._unfit = frozenset[str]()  # names whose stored values are not of their types
        self._fresh: Any = None
        self._early: AbstractSet[str] = frozenset()  # what was done while there was still time
        super().__init__(layout.codec, now, base)
        if base is not None:
            self.encoded = self.values_of(base)

    def values_of(self, base: Base | None) -> Mapping[str, bytes]:
        """Return the stored values in our version."""
        if base is None:
            return {}
        try:
            return self._layout.migrated(base.record)
        except Exception as error:  # noqa: BLE001 - an application's migration
            version = self._layout.version_of(base.record)
            self._tell("corrupt", base.id, version=version, error=type(error).__name__)
            return {}

    # Values

    def fetch(self, name: str) -> Any:
        """Return the value of a field; `KeyError` if it is none."""
        value = self.live.get(name, MISSING)
        if value is MISSING:
            if name not in self._layout.fields:
                raise KeyError(name)
            value = self.live[name] = self._stored(name)
        return value

    def _stored(self, name: str) -> Any:
        encoded = self.encoded.get(name)
        if encoded is not None:
            try:
                return self._layout.decode(name, encoded)
            except UNREADABLE:
                self._unfit |= {name}
                self.unreadable += (name,)
        encoded = self._default(name)
        self.encoded = {**self.encoded, name: encoded}
        return self._layout.decode(name, encoded)  # never the default itself: it may be shared

    def _default(self, name: str) -> bytes:
        if self._fresh is None:
            self._fresh = self._layout.new()
        return self._layout.encode(name, getattr(self._fresh, name))

    def has(self, name: object) -> bool:
        """Return whether there is such a field."""
        return name in self._layout.fields

    def names(self) -> Iterator[str]:
        """Yield the fields; what else is stored is left alone."""
        yield from self._layout.fields

    def put(self, name: str, value: object) -> None:
        """Set a field; `TypeError` if it is none, or the value of another type."""
        self._fits(name, value)
        super().put(name, value)
        self._show(name)

    def remove(self, name: str) -> None:
        """Give a field its default again."""
        super().remove(name)
        self._show(name)

    def increment(self, name: str, by: float) -> None:
        """Add to a number."""
        self.pull(name)
        value = self.fetch(name) if self.has(name) else 0
        self._fits(name, value + by if is_number(value) and is_number(by) else value)
        self._absorb()
        if name in self.handed and name not in self.marks and self._is_changed_in_place(name):
            self.marks[name] = PUT  # set on the instance before: it is simply set
        super().increment(name, by)
        self._show(name)

    def append(self, name: str, item: object) -> None:
        """Add to a list."""
        self.pull(name)
        super().append(name, item)
        self._show(name)

    def look_at(self, encoded: Mapping[str, bytes]) -> None:
        """See these values, also in what the application holds."""
        super().look_at(encoded)
        self._unfit = frozenset()
        if self.whole is not None:
            self._show(*self._layout.fields)

    def _fits(self, name: str, value: object) -> None:
        wrong = self._layout.misfit(name, value)
        if wrong is not None:
            raise TypeError(wrong)

    # The whole

    def as_whole(self) -> Any:
        """Return the instance that stands for the session, always the same one."""
        if self.whole is None:
            self.whole = self._layout.new()
            self._show(*self._layout.fields)
        return self.whole

    def pull(self, name: str) -> None:
        """Take over what the application set on its instance."""
        if self.whole is None or name not in self._layout.fields:
            return
        value = getattr(self.whole, name, MISSING)
        if value is MISSING:
            raise CodecError("deleted: del session[name] gives it its default", name=name)
        if value is not self.live[name]:
            self.live[name] = value
            if name in self.marks:
                self.marks[name] = PUT

    def _show(self, *names: str) -> None:
        """Put what is there into the application's instance, past all that guards it."""
        if self.whole is None:
            return
        kept = getattr(self.whole, "__pydantic_fields_set__", None)
        for name in names:
            if kept is None:
                setattr(self.whole, name, self.fetch(name))
            else:
                self.whole.__dict__[name] = self.fetch(name)
                kept.add(name)
        self.handed.update(names)

    # Commit

    def gather(self) -> Changes:
        """Return what was done to the fields, and how an older record takes it."""
        if self.whole is not None:
            for name in self._layout.strangers(self.whole):
                raise CodecError("no field of the schema: it would be lost", name=name)
            for name in self._layout.fields:
                self.pull(name)
        self._absorb()
        for name, mark in self.marks.items():
            if mark is None and name in self.live and self._is_changed_in_place(name):
                self.marks[name] = PUT  # reset to its default, which was changed then
        changes = super().gather()
        if changes is NOTHING_DONE:
            return changes
        if not self.begun:
            self._early = changes.names.keys()
        elif self.base is None and not changes.names.keys() <= self._early:
            raise SessionCommitted("the response has begun: what was set since has no place")
        changes.upgrade = self._layout.upgraded
        added = [name for name, one in changes.names.items() if isinstance(one, Increment | Append)]
        changes.absent = {name: self._default(name) for name in added}
        return changes

    def is_changed(self) -> bool:
        """Return whether there is something to commit, if only to refuse it."""
        try:
            return super().is_changed()
        except SessionCommitted:
            return True

    def _encoded(self, name: str) -> bytes:
        return self._layout.encode(name, self.live[name])

    def _encoded_item(self, name: str, item: object) -> bytes:
        return self._layout.encode_item(name, item)

    def _is_changed_in_place(self, name: str) -> bool:
        own, loaded = self._encoded(name), self.encoded[name]
        # The same value may have been put in other bytes: a path, as another text.
        return own != loaded and own != self._layout.encode(name, self._layout.decode(name, loaded))

    def _operated(self, name: str, mark: Change) -> Change:
        """Return an operation with its result, which goes over a value that does not fit."""
        if name in self._unfit and mark is not None:
            return self._encoded(name)
        return super()._operated(name, mark)
