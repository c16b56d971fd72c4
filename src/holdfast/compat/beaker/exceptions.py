"""The exceptions of Beaker.

Law: the classes and their bases are Beaker's; what `except` caught there, it catches here.
"""


class BeakerException(Exception):  # noqa: N818 - its name stands in users' code, as those below
    """What most errors of this package are."""


class BeakerWarning(RuntimeWarning):
    """What `beaker.util.warn` warns with."""


class CreationAbortedError(Exception):
    """Is raised no more; programs of the past import it."""


class InvalidCacheBackendError(BeakerException, ImportError):
    """A cache type that is not known, or whose driver is not installed."""


class MissingCacheParameter(BeakerException):
    """A cache type needs an option that was not given."""


class LockError(BeakerException):
    """A lock was released or taken out of turn."""


class InvalidCryptoBackendError(BeakerException):
    """A `crypto_type` that is not known, or that cannot encrypt though a key was given."""
