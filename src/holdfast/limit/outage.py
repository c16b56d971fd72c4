"""What a limit comes to when its store is down.

Law: no guess is made about what the store holds, and nothing is tried again: a hit of unknown
outcome may have been charged. It is counted and told, never silent.
"""

from typing import Literal

from holdfast.errors import ConfigError, StoreError
from holdfast.events import Observer
from holdfast.limit.bucket import Bucket
from holdfast.limit.decision import Decision, RateState

__all__ = ["Outage"]

_RETRY = 1.0  # seconds to wait, where nothing is known


class Outage:
    """Decides in the place of a store that is down.

    Args:
        on_error: `"allow"` or `"deny"`.
        store: The store's name.
        observer: Told `limit.store_error` each time.

    Attributes:
        count: How many times it had to decide.
    """

    def __init__(self, on_error: Literal["allow", "deny"], store: str, observer: Observer) -> None:
        if on_error not in ("allow", "deny"):
            raise ConfigError(f"on_error={on_error!r}: write 'allow' or 'deny'")
        self.count = 0
        self._allow = on_error == "allow"
        self._store = store
        self._observer = observer

    def decide(self, bucket: Bucket, error: StoreError) -> Decision:
        """Return the decision for `bucket` after `error`."""
        self.count += 1
        fields = {"store": self._store, "error": type(error).__name__, "allowed": self._allow}
        self._observer("limit.store_error", fields)
        retry = 0.0 if self._allow else _RETRY
        states = tuple(
            RateState(limit, float(period), limit if self._allow else 0, retry)
            for limit, period in bucket.rates
        )
        first = min(states, key=lambda state: state.limit)
        return Decision(
            allowed=self._allow,
            limit=first.limit,
            remaining=first.remaining,
            retry_after=retry,
            reset_after=retry,
            period=first.period,
            several=states,
            degraded=True,
        )
