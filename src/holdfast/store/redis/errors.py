"""Errors: the one place where what the driver raises becomes ours.

Law: a message says what a person can do, and holds no password; nor does the driver's error.
"""

from redis import exceptions as driver

from holdfast.errors import StoreError, StoreTimeout, StoreUnavailable

__all__ = ["FAULTS", "TIMEOUTS", "Unknown", "breaks", "hush", "said", "told", "translated"]


class Unknown(driver.TimeoutError):
    """The connection broke when a write had been sent: whether it was done is unknown."""


FAULTS = (driver.RedisError, driver.RedisClusterException, OSError)
"""What the driver and the network raise; `TimeoutError` is an `OSError`."""

TIMEOUTS = (driver.TimeoutError, TimeoutError)

_ECHO = ", with args beginning with"  # of a command the server does not know

_MENDS: list[tuple[type[Exception], str]] = [
    (driver.AuthenticationError, "it refuses the user or the password: look at both in the URL"),
    (driver.BusyLoadingError, "it still loads its data: try again in a moment"),
    (driver.MasterDownError, "it is a replica that lost its master"),
    (driver.ClusterDownError, "the Cluster does not serve this key now"),
    (driver.AskError, "it is a node of a Cluster: write redis+cluster:// in the URL"),
    (driver.ReadOnlyError, "it is a replica now: give its master, or redis+sentinel://"),
    (driver.OutOfMemoryError, "it is full: raise its maxmemory or choose a maxmemory-policy"),
    (driver.NoPermissionError, "its ACL does not let this user do that"),
]


def translated(name: str, timeout: float, error: Exception) -> StoreError:
    """Return `error` as the contract knows it; raise it `from` the driver's."""
    hush(error)
    if isinstance(error, Unknown):
        return StoreTimeout(name, f"whether it was done is unknown ({said(error)})")
    if isinstance(error, TIMEOUTS):
        return StoreTimeout(name, f"no answer within {timeout:g} s")
    for kind, mend in _MENDS:
        if isinstance(error, kind):
            return StoreUnavailable(name, f"{mend} ({said(error)})")
    unread = isinstance(error.__context__, FileNotFoundError | PermissionError)
    if unread and name.startswith(("rediss", "valkeys")):
        return StoreUnavailable(name, "ssl_ca_certs, ssl_certfile or ssl_keyfile cannot be read")
    if "WRONGTYPE" in said(error):
        return StoreUnavailable(name, "another program keeps something else than text under a key")
    return StoreUnavailable(name, said(error))


def breaks(error: BaseException) -> bool:
    """Return whether a connection broke; the driver's kinds of that error are replies."""
    return type(error) in (driver.ConnectionError, driver.InvalidResponse) or (
        isinstance(error, OSError) and not isinstance(error, TimeoutError)
    )


def hush(error: BaseException) -> None:
    """Take the command out of the words of an error, where the server has repeated it."""
    if _ECHO in said(error):
        error.args = (told(error),)


def told(error: BaseException) -> str:
    """Return the words of an error without the command: a server without AUTH repeats passwords."""
    return said(error).partition(_ECHO)[0]


def said(error: BaseException) -> str:
    """Return the words of an error, which in some versions are not what `str` gives."""
    return " ".join(str(word) for word in error.args) or type(error).__name__
