"""Messages: which keys were changed, as text that travels on a channel.

Law: pure. A message is the sender's name and then keys, with a space before each; without a key it
means all of them. Keys have no spaces, so nothing is quoted, and any program can read and write it.
"""

from collections.abc import Iterator, Sequence

__all__ = ["read", "write"]


def write(sender: str, keys: Sequence[str] | None, *, limit: int) -> Iterator[str]:
    """Yield the messages that tell of `keys` (None: all of them), none longer than `limit` bytes.

    Args:
        sender: A name without spaces, which nobody else has.
        keys: At most 250 characters each.
        limit: At least what one key and the sender take.
    """
    if keys is None:
        yield sender
        return
    words, size = [sender], len(sender)
    for key in keys:
        if size + 1 + len(key) > limit:
            yield " ".join(words)
            words, size = [sender], len(sender)
        words.append(key)
        size += 1 + len(key)
    if len(words) > 1:
        yield " ".join(words)


def read(text: str, *, own: str, prefix: str) -> list[str] | None:
    """Return the keys under `prefix` that a message tells of; None: all of them.

    Nothing (an empty list) is in those that `own` sent.
    """
    sender, *keys = text.split(" ")
    if sender == own:
        return []
    return [key for key in keys if key.startswith(prefix)] if keys else None
