"""`import holdfast` does no work: no optional dependency, no thread, and quickly."""

import subprocess
import sys

import holdfast

HEAVY = "ormsgpack cryptography sqlite3 asyncio typer rich starlette msgspec redis sqlalchemy"


def test_importing_loads_nothing_else() -> None:
    code = f"import holdfast, sys; print([n for n in {HEAVY.split()!r} if n in sys.modules])"
    result = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    for name in holdfast.__all__:
        assert getattr(holdfast, name) is not None
    assert set(holdfast.__all__) <= set(dir(holdfast))


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(holdfast, "Cachee")
