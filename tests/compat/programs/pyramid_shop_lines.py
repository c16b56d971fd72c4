"""The same shop, moved by two lines."""

import holdfast.compat

holdfast.compat.install("beaker", "pyramid_beaker")

from pyramid_shop import main  # type: ignore[import-not-found]  # noqa: E402 - it lies beside this

__all__ = ["main"]
