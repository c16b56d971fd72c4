"""The same shop, moved by two lines."""

import holdfast.compat

holdfast.compat.install("beaker", "pyramid_beaker")

from pyramid_shop import main  # noqa: E402

__all__ = ["main"]
