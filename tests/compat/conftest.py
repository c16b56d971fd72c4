"""The settings of compat are the process's: each test gives them back."""

from collections.abc import Iterator

import pytest

from holdfast.compat import settings


@pytest.fixture(autouse=True)
def compat_settings() -> Iterator[None]:
    """Begin and end with the defaults."""
    settings.configure()
    settings.refused.clear()
    yield
    settings.configure()
    settings.refused.clear()
