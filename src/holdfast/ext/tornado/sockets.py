"""A Tornado websocket that ends with its session.

Law: the session is asked for every so often, and while the store gives no answer the websocket
stays open. Once the session is gone the websocket is closed, and nothing its peer still says is
heard. No task outlives the websocket.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

from tornado.websocket import WebSocketHandler

from holdfast.durations import Duration, seconds
from holdfast.errors import ConfigError, StoreError
from holdfast.web.asgi.interface import POLICY_VIOLATION
from holdfast.web.exchange import Exchange

__all__ = ["interval", "watched"]

_REASON = "the session is over"


def interval(every: Duration | None) -> float:
    """Return the seconds between two looks at a session; 0: none.

    Raises:
        ConfigError: It is no duration, or zero.
    """
    if every is None:
        return 0.0
    length = seconds(every, option="revoke_check")
    if not length:
        raise ConfigError("revoke_check=0: give a duration such as '5s', or None for never")
    return length


@contextlib.asynccontextmanager
async def watched(
    handler: WebSocketHandler, exchange: Exchange, every: float
) -> AsyncIterator[None]:
    """Close a websocket soon after its session was destroyed, while the block runs."""
    if not every or exchange.carried[0] is None or exchange.session.is_new:
        yield
        return
    watching = asyncio.create_task(_watch(handler, exchange, every))
    try:
        yield
    finally:
        watching.cancel()


async def _watch(handler: WebSocketHandler, exchange: Exchange, every: float) -> None:
    alive = True
    while alive or handler.ws_connection is None:
        await asyncio.sleep(every)
        try:
            alive = alive and await exchange.sessions.aio.is_alive(exchange.session)
        except StoreError:
            continue
        except Exception:  # noqa: BLE001 - of a `check_user`: nobody stays who cannot be asked for
            handler.log_exception(*sys.exc_info())
            alive = False
    handler.on_message = _deaf  # type: ignore[method-assign]
    handler.close(POLICY_VIOLATION, _REASON)


def _deaf(message: str | bytes) -> None:
    """Hear nothing of a peer whose session is over."""
