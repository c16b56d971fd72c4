"""What compat shares with the whole process: its settings, and where locks without a folder lie.

Each test here begins and ends with the defaults, and leaves nothing in the system's folder.

It is a plugin (see conftest.py at the root), as mypy takes only one `conftest` below tests.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def compat_settings(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give the settings back, and the folder of locks that are given none, after tests of here."""
    if _HERE not in request.path.parents:
        yield
        return
    from holdfast.compat import settings  # noqa: PLC0415 - not for the other tests

    before, folders = tempfile.tempdir, request.getfixturevalue("tmp_path_factory")
    tempfile.tempdir = str(folders.getbasetemp())
    settings.configure()
    settings.refused.clear()
    yield
    settings.configure()
    settings.refused.clear()
    tempfile.tempdir = before
