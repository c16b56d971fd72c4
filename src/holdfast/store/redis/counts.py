"""Counts that old programs keep in Redis: digits under a plain key, which go when their time is up.

Law: one transaction counts and sees to the end of the count, so none is left without one.
"""

from holdfast.store.redis.errors import FAULTS, translated
from holdfast.store.redis.plain import Client, PlainRedis

__all__ = ["count"]

_NO_END = -1  # what PTTL says of a key that stays for ever


def count(client: Client, key: str | bytes, ttl: float | None = None) -> int:
    """Add 1 to the number under `key` and return it; 1 where there was none.

    Args:
        client: Of redis-py.
        key: Any.
        ttl: Seconds a count lasts from its first use on; None leaves that as it is.

    Raises:
        StoreError: The server is down, or keeps no number there.
    """
    name = PlainRedis(client).name
    try:
        return _count(client, key, ttl)
    except FAULTS as error:
        raise translated(name, _patience(client), error) from error


def _count(client: Client, key: str | bytes, ttl: float | None) -> int:
    if ttl is None:
        return int(client.incr(key))
    milliseconds = max(1, round(ttl * 1000))
    with client.pipeline(transaction=True) as steps:
        steps.set(key, 0, px=milliseconds, nx=True)
        steps.incr(key)
        steps.pttl(key)
        _, number, left = steps.execute()
    if left == _NO_END:  # an old program set no end: its client would be locked out for ever
        client.pexpire(key, milliseconds)
    return int(number)


def _patience(client: Client) -> float:
    pool = getattr(client, "connection_pool", None)
    return float(getattr(pool, "connection_kwargs", {}).get("socket_timeout") or 0)
