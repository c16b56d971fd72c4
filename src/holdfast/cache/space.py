"""Spaces: where the names of a cache and of its namespaces live.

Law: pure. Two names, in whatever namespaces, never share a key, in a store or in a near tier.

Keys in a store are `prefix:kind:name`:

    v   a value:                 shop:v:price:7
    vn  a value of a namespace:  shop:vn:users:7          (namespace `users`, name `7`)
    lv  the lease of a value's creation: shop:lv:price:7  (lvn in a namespace)
    t   the stamp of a tag:      shop:t:prices            (`~any` moves with every tag)
    n   the stamp of a namespace: shop:n:users            (`~all` is the whole cache)

A name that is longer than 180 characters, or has others than printable ASCII, is hashed
(`sha256-...`, see `holdfast.keys`). A tag that begins with `~` gets one more `~`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.cache.counts import Counts
from holdfast.errors import ConfigError
from holdfast.keys import short

if TYPE_CHECKING:
    from holdfast.codec.typed import Form

__all__ = ["ANY", "EVERYTHING", "Item", "Space", "tag_label"]

ANY = "t:~any"
"""The stamp that moves whenever any tag or namespace moves."""
EVERYTHING = "n:~all"
"""The stamp of the whole cache."""
_NAME = re.compile(r"[A-Za-z0-9_\-]{1,40}")
_DEEPEST = 100


@dataclass(slots=True, eq=False)
class Item:
    """What one call is about; of the items of one call, no two have the same name.

    Attributes:
        name: As the user wrote it, for errors and events.
        near: The key in the near tier.
        far: The key in a store.
        labels: The stamps its value depends on, so far as they are known: namespaces, then tags.
        lease: The key of its lease in a store.
        form: What its value is turned into for the far tier, where the codec cannot do it alone.
        counts: Whose reads and creations are counted; None: those of the cache itself.
    """

    name: str
    near: str
    far: str
    labels: tuple[str, ...]
    lease: str
    form: "Form | None" = None
    counts: Counts | None = None


def tag_label(tag: str) -> str:
    """Return the label of the stamp of `tag`."""
    if type(tag) is not str or not tag:
        raise ConfigError(f"{tag!r} is no tag: a tag is text of at least one character")
    return f"t:~{tag}" if tag.startswith("~") else f"t:{tag}"


class Space:
    """The root of a cache (`path` is empty), or one of its namespaces.

    Attributes:
        path: The names of the namespaces on the way here, joined by dots.
        label: The stamp that `clear` moves.
        labels: The stamps every value in here depends on.
    """

    def __init__(self, prefix: str, path: str = "") -> None:
        self.prefix = prefix
        self.path = path
        self._head = f"{prefix}:" if prefix else ""
        ways = path.split(".") if path else []
        above = [f"n:{'.'.join(ways[: depth + 1])}" for depth in range(len(ways))]
        self.labels: tuple[str, ...] = (EVERYTHING, *above)
        self.label = self.labels[-1]

    def within(self, name: str) -> "Space":
        """Return the namespace `name` in here.

        Raises:
            ConfigError: The name is not made of 1 to 40 letters, digits, `_` and `-`.
        """
        path = f"{self.path}.{name}" if self.path else name
        if type(name) is not str or _NAME.fullmatch(name) is None or len(path) > _DEEPEST:
            raise ConfigError(
                f"namespace {name!r}: 1 to 40 letters, digits, '_' or '-';"
                f" {_DEEPEST} with those above"
            )
        return Space(self.prefix, path)

    def near(self, name: str) -> str:
        """Return the key of `name` in the near tier: at the root, the name itself."""
        if self.path:
            return f"\0{self.path}\0{name}"
        return "\0\0" + name if name[:1] == "\0" else name

    def item(
        self,
        name: str,
        tags: Iterable[str] = (),
        *,
        form: "Form | None" = None,
        counts: Counts | None = None,
    ) -> Item:
        """Return what a call about `name` needs to know."""
        if not isinstance(name, str):
            raise ConfigError(f"{name!r} is no cache key: a key is text")
        kind, known = ("vn", f"{self.path}:{name}") if self.path else ("v", name)
        tail = f"{kind}:{short(known)}"
        labels = (*self.labels, *dict.fromkeys(map(tag_label, tags)))
        far, lease = f"{self._head}{tail}", f"{self._head}l{tail}"
        return Item(name, self.near(name), far, labels, lease, form, counts)
