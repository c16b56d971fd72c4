"""Images of Perl's Storable, and what Perl itself says of them.

Law: `images.json` is what `make.pl` prints; nobody edits it by hand.
"""

import json
from pathlib import Path

__all__ = ["FOLDER", "IMAGES", "WAYS", "image", "said_by_perl", "said_of"]

FOLDER = Path(__file__).parents[1] / "codec" / "storable"
WAYS = ("freeze", "nfreeze", "store", "nstore")
_MADE = json.loads((FOLDER / "images.json").read_text(encoding="ascii"))
IMAGES = sorted(_MADE)


def image(name: str, way: str = "nfreeze") -> bytes:
    """Return the image of a value that was made in one of `WAYS`."""
    return bytes.fromhex(_MADE[name][way]["image"])


def said_by_perl(name: str, way: str = "nfreeze") -> object:
    """Return what Perl says the image holds, in words of JSON."""
    return _MADE[name][way]["value"]


def said_of(value: object) -> object:
    """Return what Python holds, in the same words."""
    return _said(value, {})


def _said(value: object, numbers: dict[int, int]) -> object:  # noqa: C901, PLR0911 - one for each kind
    if isinstance(value, list | dict):
        if id(value) in numbers:
            return ["same", numbers[id(value)]]
        numbers[id(value)] = len(numbers)
    match value:
        case None:
            return ["undef"]
        case bool():
            return ["text", "1" if value else ""]  # Perl's constants are these strings too
        case int():
            return ["int", str(value)]
        case float():
            return ["float", f"{value:.17g}"]
        case str():
            return ["text", value]
        case bytes():
            return ["bytes", value.hex()]
        case list():
            return ["list", *(_said(item, numbers) for item in value)]
        case dict():
            names = sorted(value, key=_as_perl)
            return [
                "dict",
                *([_said(name, numbers), _said(value[name], numbers)] for name in names),
            ]
    raise AssertionError(type(value))


def _as_perl(name: str | bytes) -> str:
    return name if isinstance(name, str) else name.decode("latin-1")
