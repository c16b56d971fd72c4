"""One request on its way to the application, for everything that is known about it there.

Law: holds things together and does no I/O. What the application may say of its page, it says to
`Notes`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast.errors import ConfigError
from holdfast.locks import Flight
from holdfast.web.headers import Headers
from holdfast.web.httpcache.asked import OF_A_PART, Asked
from holdfast.web.httpcache.fields import combined
from holdfast.web.httpcache.page import Page
from holdfast.web.httpcache.shelf import Place

__all__ = ["NOTES", "Fetch", "Notes", "taken_tags"]

NOTES = "holdfast.httpcache"
"""Where an application finds its `Notes`, in environ or scope."""
_CLIENTS = ("if-none-match", "if-modified-since", *OF_A_PART)


class Notes:
    """What an application says of the page it makes; find it under `holdfast.httpcache`.

    Attributes:
        tags: What `tag` was given.
        sessions: The sessions this request may have looked at.
    """

    __slots__ = ("sessions", "tags")

    def __init__(self) -> None:
        self.tags: list[str] = []
        self.sessions: list[object] = []

    def tag(self, *tags: str) -> None:
        """Give the page tags, for `purge` and `Cache.invalidate_tags`.

        Raises:
            ConfigError: One is no text, or empty.
        """
        for tag in tags:
            if type(tag) is not str or not tag:
                raise ConfigError(f"{tag!r} is no tag: a tag is text of at least one character")
        self.tags.extend(tags)

    def is_touched(self, fields: Mapping[str, Any]) -> bool:
        """Return whether a session was looked at; `fields` is the environ or the scope."""
        outside = [fields.get("holdfast.session"), fields.get("session")]
        return any(map(_is_accessed, [*self.sessions, *outside]))


def _is_accessed(session: object) -> bool:
    """Return whether a session was looked at; of one that does not say so, whether it has data."""
    return bool(session.accessed if hasattr(session, "accessed") else session)


@dataclass(slots=True)
class Fetch:
    """A request the application has to answer.

    Attributes:
        asked: The request.
        why: Why it is forwarded, as Cache-Status says it.
        at: When it was forwarded.
        place: Where its page belongs; None if it is not to be stored.
        flight: What others wait for; None where nobody does.
        stale: The page there is, and is too old.
        fields: The environ or scope the application gets.
        notes: What it says of its page.
        tags: What it said in its headers.
    """

    asked: Asked
    why: str
    at: float
    place: Place | None = None
    flight: Flight | None = None
    stale: Page | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    notes: Notes = field(default_factory=Notes)
    tags: list[str] = field(default_factory=list)

    @property
    def conditions(self) -> dict[str, str | None]:
        """The request headers to be changed on the way to the application; None: taken away.

        It is asked for a whole page, or whether the one we have is still the same: what the client
        has of it is between him and us.
        """
        ours = {} if self.stale is None else dict(self.stale.validators)
        return {**dict.fromkeys(_CLIENTS), **ours}

    @property
    def is_touched(self) -> bool:
        """Whether the request looked at its session."""
        return self.notes.is_touched(self.fields)


def taken_tags(headers: Headers, name: str) -> tuple[Headers, list[str]]:
    """Return `headers` without the header `name`, and the tags it named."""
    said = combined(headers, name)
    if said is None:
        return headers, []
    tags = [tag.strip() for tag in said.split(",")]
    return [header for header in headers if header[0].lower() != name], [tag for tag in tags if tag]
