"""Limits of pyramid_kvs: so many requests of one session holder in a window of seconds.

Law: a request is counted in one step, which sees to the end of the window as well.
"""

from typing import Any

from holdfast.compat.pyramid_kvs.options import options_of

__all__ = ["RateLimitError", "Ratelimit"]

_DEFAULTS = {"window": 1, "limit": 10, "key_suffix": "::ratelimit"}
"""What the setting means by an option it leaves out; who never configures gets the class's own."""


class RateLimitError(Exception):
    """A session holder made more requests than the limit says."""


class Ratelimit:
    """Counts one request; its session must be one of pyramid_kvs.

    Attributes:
        window: Seconds that are counted together, from the first request on.
        limit: Requests in them.
        key_suffix: What stands behind the session's key in that of the count.
        count: Requests of this session holder in this window, with this one; 0 of a request that
            holds no session, which is not limited.

    Raises:
        RateLimitError: It is one too many.
    """

    window: float = 1
    limit: int = 15
    key_suffix = "::ratelimit"

    def __init__(self, request: Any) -> None:
        key = request.session.session_key
        request.add_response_callback(self._add_headers)
        self.count = 0
        if key:
            self.count = request.session.client.count(key + self.key_suffix, self.window)
        if self.count > self.limit:
            raise RateLimitError

    @classmethod
    def configure(cls, settings: Any) -> None:
        """Take `kvs.ratelimit` of the settings."""
        options = options_of(settings, "kvs.ratelimit")
        for name, default in _DEFAULTS.items():
            setattr(cls, name, options.get(name, default))

    def _add_headers(self, request: Any, response: Any) -> None:  # noqa: ARG002 - Pyramid's callback
        told = {"Limit": self.limit, "Remaining": self.limit - self.count}
        response.headers.update({f"X-RateLimit-{name}": str(said) for name, said in told.items()})
