"""`import holdfast` does no work: no optional dependency, no thread, and quickly."""

import subprocess
import sys

import holdfast

HEAVY = "ormsgpack cryptography sqlite3 asyncio typer rich starlette msgspec redis sqlalchemy"


# what few programs need, and what not all have installed
OPTIONAL = "cryptography sqlite3 importlib.metadata typer rich starlette msgspec pydantic redis "
OPTIONAL += "sqlalchemy pymongo botocore prometheus_client opentelemetry"


def loaded(statement: str, names: str) -> str:
    """Return which of these modules a program has that does no more than this."""
    code = f"import sys; {statement}; print([n for n in {names.split()!r} if n in sys.modules])"
    result = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


def test_importing_loads_nothing_else() -> None:
    assert loaded("import holdfast", HEAVY) == "[]"


def test_what_is_used_loads_no_optional_dependency() -> None:
    names = "Cache, Cookie, Header, KeyRing, Limiter, Sessions"
    assert loaded(f"from holdfast import {names}; Sessions('memory://')", OPTIONAL) == "[]"


def test_installing_the_old_libraries_loads_none_of_them() -> None:
    install = "from holdfast.compat import install; install('beaker', 'pycket', 'pyramid_kvs')"
    assert loaded(install, f"{HEAVY} pickle holdfast.store holdfast.compat.beaker pyramid") == "[]"
    used = "from holdfast.compat import install; install('beaker'); import beaker.middleware"
    assert loaded(used, f"{OPTIONAL} ormsgpack holdfast.store.memcached") == "[]"


def test_the_command_line_needs_no_framework_nor_driver() -> None:
    names = "pyramid tornado redis sqlalchemy pymongo botocore google.cloud"
    assert loaded("import holdfast.cli.commands", names) == "[]"


def test_every_public_name_is_there() -> None:
    for name in holdfast.__all__:
        assert getattr(holdfast, name) is not None
    assert set(holdfast.__all__) <= set(dir(holdfast))


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(holdfast, "Cachee")
