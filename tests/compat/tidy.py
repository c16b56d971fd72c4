"""The settings of compat are the process's: each test here begins and ends with the defaults.

It is a plugin (see conftest.py at the root), as mypy takes only one `conftest` below tests.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

_HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def compat_settings(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give the settings back, for tests of this folder and for whoever asks."""
    if _HERE not in request.path.parents:
        yield
        return
    from holdfast.compat import settings  # noqa: PLC0415 - not for the other tests

    settings.configure()
    settings.refused.clear()
    yield
    settings.configure()
    settings.refused.clear()
