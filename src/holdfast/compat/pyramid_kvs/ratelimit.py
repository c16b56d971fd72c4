"""Limits of pyramid_kvs: so many requests of one session holder in a window of seconds.

Law: a request is counted in one step, which sees to the end of the window as well.
"""

from typing import Any

from holdfast.compat.pyramid_kvs.options import options_of

__all__ = ["RateLimitError", "Ratelimit"]


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
        cls.key_suffix = options.get("key_suffix", "::ratelimit")
        cls.window = options.get("window", 1)
        cls.limit = options.get("limit", 10)

    def _add_headers(self, request: Any, response: Any) -> None:  # noqa: ARG002 - Pyramid's callback
        response.headers["X-RateLimit-Limit"] = str(self.limit)
        response.headers["X-RateLimit-Remaining"] = str(self.limit - self.count)
