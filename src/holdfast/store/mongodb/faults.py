"""What can go wrong with MongoDB, in the words of the store contract.

Law: every error of pymongo is translated here and nowhere else. What may have been done, though
nobody heard of it, is a `StoreTimeout`. No message of the driver that may hold an address is shown.
"""

import contextlib
from collections.abc import Iterator

from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    ConnectionFailure,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteConcernError,
)

from holdfast.errors import StoreError, StoreTimeout, StoreUnavailable

__all__ = ["broke", "translated"]

_SILENCE = ("No servers found yet", "timed out")  # of its search for servers; else one refused
_UNAUTHORIZED, _AUTHENTICATION_FAILED = 13, 18


@contextlib.contextmanager
def translated(store: str, timeout: float, *, doubt: bool = False) -> Iterator[None]:
    """Translate what pymongo raises; `doubt`: whether it was done is a question of its own."""
    try:
        yield
    except (PyMongoError, OSError, OverflowError) as error:
        raise _as_ours(error, store, timeout, doubt=doubt) from error


def broke(error: PyMongoError) -> bool:
    """Return whether a connection broke that had been good: another one may be good yet."""
    return isinstance(error, AutoReconnect) and not error.timeout


def _as_ours(error: Exception, store: str, timeout: float, *, doubt: bool) -> StoreError:
    late = _waited(error, timeout, doubt=doubt)
    if late:
        return StoreTimeout(store, late)
    if isinstance(error, ServerSelectionTimeoutError):
        message = f"no primary was to be reached within {timeout:g} s: is the address right?"
    elif isinstance(error, ConnectionFailure):
        message = "the connection broke, or was refused"
    elif isinstance(error, InvalidOperation):
        message = "the client is closed"
    elif isinstance(error, OperationFailure):
        message = _refusal(error)
    elif "wire version" in str(error):
        message = "this pymongo and the server are too far apart in age"
    elif isinstance(error, ConfigurationError) and store.startswith("mongodb+srv:"):
        message = "the DNS has no record of this host that is fit for mongodb+srv://"
    else:
        message = f"{type(error).__name__} of the driver"
    return StoreUnavailable(store, message)


def _waited(error: Exception, timeout: float, *, doubt: bool) -> str:
    """Return what was waited for in vain; empty where the world said no."""
    if isinstance(error, ServerSelectionTimeoutError):
        silent = any(words in str(error) for words in _SILENCE)
        return f"no server answered within {timeout:g} s; nothing was sent" if silent else ""
    if isinstance(error, WriteConcernError):
        return "written, but no majority has told so: it may be undone"
    if isinstance(error, PyMongoError) and error.timeout:
        return f"no answer within {timeout:g} s"
    if isinstance(error, ConnectionFailure) and doubt:
        return "the connection broke: whether it was done is unknown"
    return ""


def _refusal(error: OperationFailure) -> str:
    if error.code == _UNAUTHORIZED:
        return "the user may not do this: grant `readWrite` on the database"
    if error.code == _AUTHENTICATION_FAILED:
        return "authentication failed: check user, password and authSource"
    said = (error.details or {}).get("errmsg", "")
    return f"the server refused (code {error.code}): {said}"[:400]
