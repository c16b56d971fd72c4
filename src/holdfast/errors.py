"""Every exception of Holdfast.

Law: input from outside (a cookie, a stored record) that is missing, expired, malformed or forged is
"not found", never an exception. A wrong *program* raises `ConfigError` early. Only the world raises
`StoreError`.

    HoldfastError
    ├── ConfigError          wrong option, unknown scheme, missing extra: at start, says the fix
    ├── KeyRejected          (ValueError) a key this store cannot carry
    ├── StoreError           the world's fault; __cause__ is the driver's; .store names it
    │   ├── StoreTimeout     no answer in time: whether it was done is unknown
    │   └── StoreUnavailable not to be reached, full, or corrupt
    ├── CodecError           a value we cannot write, or bytes we cannot read; .name, .codec
    ├── CreateTimeout        (TimeoutError) a creation took longer than its hard_timeout; .key
    ├── LockTimeout          a lock was not to be had in time
    ├── SessionError
    │   ├── SessionCommitted   a write after the first byte of the response
    │   ├── SessionTooLarge    cookie sessions: .size, .limit, .biggest
    │   └── TooManySessions    a login that was refused: .limit
    └── LimitExceeded        carries the Decision
"""

from collections.abc import Sequence

__all__ = [
    "CodecError",
    "ConfigError",
    "CreateTimeout",
    "HoldfastError",
    "KeyRejected",
    "LimitExceeded",
    "LockTimeout",
    "SessionCommitted",
    "SessionError",
    "SessionTooLarge",
    "StoreError",
    "StoreTimeout",
    "StoreUnavailable",
    "TooManySessions",
]


class HoldfastError(Exception):
    """The root: `except HoldfastError` catches whatever Holdfast raises by itself."""


class ConfigError(HoldfastError):
    """The program is wrong: an option, a URL, a secret, a missing extra. It says the fix."""


class KeyRejected(HoldfastError, ValueError):  # noqa: N818 - a name of the public contract
    """A key no store can carry: not 1 to 250 characters of printable ASCII without spaces."""


class StoreError(HoldfastError):
    """The world's fault: a disk, a network, a server. `__cause__` is the driver's error.

    Attributes:
        store: The store's name, without password.
    """

    def __init__(self, store: str, message: str = "") -> None:
        super().__init__(f"{store}: {message}" if message else store)
        self.store = store


class StoreTimeout(StoreError):  # noqa: N818 - a name of the public contract
    """No answer before the deadline. Whether the operation was done is unknown."""


class StoreUnavailable(StoreError):  # noqa: N818 - a name of the public contract
    """The store cannot be reached, is closed, is full or holds something that is not ours."""


class CodecError(HoldfastError):
    """A value that cannot be written, or bytes that cannot be read.

    Attributes:
        name: The session key or cache key the value stands under; empty where there is none.
        codec: The name of the codec.
    """

    def __init__(self, message: str, *, name: str = "", codec: str = "") -> None:
        super().__init__(f"{name!r}: {message}" if name else message)
        self.message = message
        self.name = name
        self.codec = codec

    def under(self, name: str) -> "CodecError":
        """Return this error, told about the session or cache key the value stands under."""
        return CodecError(self.message, name=name, codec=self.codec)


class CreateTimeout(HoldfastError, TimeoutError):  # noqa: N818 - as its kin
    """A cached value was not created within `hard_timeout`. The creation goes on in the background.

    Attributes:
        key: The cache key.
        seconds: How long it was waited for.
    """

    def __init__(self, key: str, seconds: float) -> None:
        super().__init__(f"{key!r} was not created within {seconds:g} s; it is still under way")
        self.key = key
        self.seconds = seconds

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.key, self.seconds)


class LockTimeout(HoldfastError):  # noqa: N818 - a name of the public contract
    """A lock or lease was not to be had in the time given."""


class SessionError(HoldfastError):
    """A session was used in a way its protocol forbids."""


class SessionCommitted(SessionError):  # noqa: N818 - a name of the public contract
    """A write after the first byte of the response: its cookie can no longer be sent."""


class TooManySessions(SessionError):  # noqa: N818 - as its kin
    """A login that was refused: the user has as many sessions as `max_sessions` allows.

    Attributes:
        limit: How many that is.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"this user is signed in as often as he may be: max_sessions={limit}")
        self.limit = limit

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.limit,)


class SessionTooLarge(SessionError):  # noqa: N818 - a name of the public contract
    """A cookie-only session that does not fit its cookie.

    Attributes:
        size: Bytes the sealed session needs.
        limit: Bytes there are.
        biggest: The names of the biggest values with their sizes in bytes, biggest first.
    """

    def __init__(self, size: int, limit: int, biggest: Sequence[tuple[str, int]]) -> None:
        names = ", ".join(f"{name} ({length} bytes)" for name, length in biggest)
        super().__init__(f"the session needs {size} bytes, {limit} fit; the biggest: {names}")
        self.size = size
        self.limit = limit
        self.biggest = tuple(biggest)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.size, self.limit, self.biggest)


class LimitExceeded(HoldfastError):  # noqa: N818 - a name of the public contract
    """A rate limit said no.

    Attributes:
        decision: The `holdfast.limit.Decision`, with `retry_after` in seconds.
    """

    def __init__(self, decision: object, message: str = "rate limit exceeded") -> None:
        super().__init__(message)
        self.decision = decision

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.decision, str(self))
