"""`let_go` closes a transport of asyncio at once, whatever became of it before."""

import asyncio
import socket
from collections.abc import Callable, Coroutine

import pytest

from holdfast.lifetimes import let_go


async def _connected() -> tuple[asyncio.Transport, socket.socket]:
    """Return a transport and its peer."""
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
    return transport, theirs


async def _lost(transport: asyncio.Transport, peer: socket.socket) -> None:
    peer.close()
    for _ in range(5):
        await asyncio.sleep(0)
    assert transport.is_closing()


async def _going(transport: asyncio.Transport, _peer: socket.socket) -> None:
    transport.close()  # in the next turn


async def _whole(_transport: asyncio.Transport, _peer: socket.socket) -> None:
    pass


@pytest.mark.parametrize("before", [_lost, _going, _whole])
def test_it_is_closed_once(before: Callable[..., Coroutine[None, None, None]]) -> None:
    async def body() -> None:
        wrong: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context))
        transport, peer = await _connected()
        await before(transport, peer)
        let_go(transport)
        let_go(transport)
        await asyncio.sleep(0.01)
        assert transport.get_extra_info("socket").fileno() == -1
        assert not wrong
        peer.close()

    asyncio.run(body())


@pytest.mark.parametrize("before", [_lost, _going, _whole])
def test_after_its_loop(before: Callable[..., Coroutine[None, None, None]]) -> None:
    loop = asyncio.new_event_loop()

    async def body() -> tuple[asyncio.Transport, socket.socket]:
        transport, peer = await _connected()
        await before(transport, peer)
        return transport, peer

    transport, peer = loop.run_until_complete(body())
    loop.close()
    let_go(transport)
    let_go(transport)
    assert transport.get_extra_info("socket").fileno() == -1
    peer.close()
