"""`holdfast demo`: serves the example application.

Law: the application is `examples/demo.py`, a user's program like any other; an installed Holdfast
carries a copy of it as `holdfast/cli/_demo.py`.
"""

import importlib.util
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.errors import ConfigError, StoreError

__all__ = ["asgi", "module", "serve"]

_HERE = Path(__file__).resolve()
_PLACES = (_HERE.with_name("_demo.py"), _HERE.parents[3] / "examples" / "demo.py")


def module() -> Any:
    """Return the example, loaded.

    Raises:
        ConfigError: It, or a library it needs, is not there.
    """
    place = next((place for place in _PLACES if place.exists()), None)
    if place is None:
        raise ConfigError("this installation does not carry the example application")
    spec = importlib.util.spec_from_file_location("holdfast_demo", place)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{place} cannot be loaded")
    example = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(example)
    except ModuleNotFoundError as error:
        if str(error.name).startswith("starlette"):
            raise _missing("starlette") from error
        raise
    return example


def serve(
    host: str, port: int, *, workers: int, database: Path | None, say: Callable[[str], object]
) -> None:
    """Serve until interrupted.

    Args:
        host: Address to listen at.
        port: Port to listen at.
        workers: Processes that answer.
        database: The SQLite file; None: the application's own choice.
        say: Prints a line.

    Raises:
        ConfigError: The port is taken, the host is none of ours, the file cannot be written, or a
            library is missing.
    """
    try:
        import uvicorn  # noqa: PLC0415 - optional
    except ModuleNotFoundError as error:
        raise _missing("uvicorn") from error
    if database is not None:
        os.environ["HOLDFAST_DEMO_DB"] = str(database.absolute())
    _check_free(host, port)
    place = _tried()
    shown = f"[{host}]" if ":" in host else host
    say(f"Holdfast demo: http://{shown}:{port}  (Ctrl+C stops it)")
    say(f"Sessions, cache and limits are kept in {place}")
    uvicorn.run(
        "holdfast.cli.demo:asgi",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=5,
    )


def asgi() -> Any:
    """Return the ASGI application; each worker calls this."""
    return module().app


def _tried() -> Path:
    """Return where the example keeps its data, once it does: its errors come here, not later."""
    try:
        example = module()
        with example.store as store:
            store.ping()
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}; try --db") from error
    except StoreError as error:
        raise ConfigError(f"{error}; try --db") from error
    place: Path = example.DATABASE
    return place


def _check_free(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigError(
            f"cannot listen at {host}:{port}: {error.strerror}; try --port {port + 1}"
        ) from error


def _missing(library: str) -> ConfigError:
    return ConfigError(f"the example application needs {library}: pip install 'holdfast[demo]'")
