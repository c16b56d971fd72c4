"""The response of one request, held back until its session is committed.

Law: handlers finish their response in plain code, but a commit is awaited: so what they tell the
connection waits here, in its order, while the commit runs in a task of its own. Nothing leaves
before it is done, and nobody cancels it; meanwhile the session is read only. A response whose
session was not touched passes at once.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from tornado.concurrent import Future, chain_future
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    RequestStartLine,
    ResponseStartLine,
)

from holdfast.errors import StoreError
from holdfast.limit.decision import Decision
from holdfast.session.frozen import frozen
from holdfast.session.outcome import NOTHING
from holdfast.web.exchange import Exchange
from holdfast.web.headers import Answer, Headers, forbid_storing, limited, unavailable

__all__ = ["Reply"]

_FAULT: Answer = (
    "500 Internal Server Error",
    [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", "26"),
        ("Cache-Control", "no-store"),
    ],
    b"500 Internal Server Error\n",
)
_Start = RequestStartLine | ResponseStartLine
_Step = Callable[[], Future[None] | None]
_committing: set[asyncio.Task[Any]] = set()  # a loop itself holds its tasks by weak references


class Reply(HTTPConnection):
    """Stands between a handler and its connection.

    Args:
        connection: The server's.
        bodyless: The client wants no body: HEAD.
        is_socket: It is a websocket, which is sent no cookie.
        log: Told of an exception that no handler is left to hear of, as `log_exception` is.

    Attributes:
        exchange: The session of this request, if there is one.
        begun: The handler has begun its response.
        decisions: What the limits of this request said.
        refusal: The answer that takes the place of the handler's, as it would be sent by itself.
    """

    def __init__(
        self, connection: Any, *, bodyless: bool, is_socket: bool, log: Callable[..., object]
    ) -> None:
        self._connection = connection
        self._bodyless = bodyless
        self._is_socket = is_socket
        self._log = log
        self._waiting: deque[tuple[_Step, Future[None]]] | None = None
        self._commit: asyncio.Task[Any] | None = None
        self._frozen = ExitStack()
        self._replaced = False
        self.exchange: Exchange | None = None
        self.begun = False
        self.decisions: list[Decision] = []
        self.refusal: Answer | None = None

    def __getattr__(self, name: str) -> Any:
        """Return what else a connection has, such as `detach` and `set_close_callback`."""
        return getattr(self._connection, name)

    # What a handler tells its connection

    def write_headers(
        self, start_line: _Start, headers: HTTPHeaders, chunk: bytes | None = None
    ) -> Future[None]:
        """Commit the session, then send the headers."""
        assert isinstance(start_line, ResponseStartLine)  # noqa: S101 - this is the server's side
        self.begun = True
        fields = self._completed(list(headers.get_all()))
        exchange = self.exchange
        if exchange is None or exchange.untouched or self._is_socket:
            return self._send(start_line, fields, chunk)
        if start_line.code < 500 and exchange.sessions.aio.is_idle(exchange.session):
            return self._send(start_line, exchange.answer(fields, NOTHING), chunk)
        self._waiting = deque()
        self._frozen.enter_context(frozen(exchange.session))
        self._commit = _in_task(self._begin(exchange, start_line, fields, chunk))
        self._commit.add_done_callback(self._play)
        return self._later(lambda: None)

    def write(self, chunk: bytes) -> Future[None]:
        """Send a piece of the body, after what waits."""
        if self._replaced:
            return _done()
        if self._waiting is None:
            sent: Future[None] = self._connection.write(chunk)
            return sent
        return self._later(lambda: None if self._replaced else self._connection.write(chunk))

    def finish(self) -> None:
        """End the response, after what waits."""
        if self._waiting is None:
            self._connection.finish()
        else:
            self._later(self._connection.finish)

    # What comes of it

    async def end(self) -> None:
        """Commit what the handler did to its session after the response had begun."""
        if self._commit is not None:
            await asyncio.wait([self._commit])
        exchange = self.exchange
        if exchange is None or not self.begun or self._replaced or not exchange.session.accessed:
            return
        if not exchange.sessions.aio.is_idle(exchange.session):
            await asyncio.wait([_in_task(self._commit_late(exchange))])

    async def _commit_late(self, exchange: Exchange) -> None:
        """Commit a session when nothing can be sent to the client any more."""
        try:
            await exchange.sessions.aio.commit(exchange.session)
        except StoreError as error:
            exchange.tell(error)
        except Exception:  # noqa: BLE001 - a value that no codec takes, a fault of a `check_user`
            self._log(*sys.exc_info())

    async def _begin(
        self, exchange: Exchange, start: ResponseStartLine, fields: Headers, chunk: bytes | None
    ) -> Callable[[], Future[None]]:
        """Commit, and return what sends the headers that come of it."""
        session, failed = exchange.session, start.code >= 500
        try:
            outcome = await exchange.sessions.aio.commit(session, failed=failed)
            fields = exchange.answer(fields, outcome)
        except StoreError as error:
            if self.refusal is None:  # else the handler's answer says so already
                exchange.tell(error)
                return self._replace(unavailable())
        except Exception:  # noqa: BLE001 - the same
            self._log(*sys.exc_info())
            return self._replace(_FAULT)
        return lambda: self._send(start, fields, chunk)

    def _replace(self, answer: Answer) -> Callable[[], Future[None]]:
        """Return what sends another answer than the handler's."""
        self._replaced = True
        status, fields, body = answer
        start = ResponseStartLine("", int(status[:3]), status[4:])
        return lambda: self._send(start, fields, b"" if self._bodyless else body)

    def _play(self, commit: asyncio.Task[Callable[[], Future[None]]]) -> None:
        """Tell the connection what waited for the commit."""
        self._frozen.close()
        waiting, self._waiting = self._waiting or deque(), None
        first, *rest = waiting
        if commit.cancelled():  # the loop is at its end
            self._connection.close()
            return
        for step, told in [(commit.result(), first[1]), *rest]:
            try:
                done = step()
            except Exception as error:  # noqa: BLE001 - more or less of a body than was announced
                self._log(*sys.exc_info())
                told.set_exception(error)
            else:
                chain_future(_done() if done is None else done, told)

    def _send(self, start: ResponseStartLine, fields: Headers, chunk: bytes | None) -> Future[None]:
        """Send the headers."""
        if self.exchange is not None:
            self.exchange.session.response_begun()
        headers = HTTPHeaders()
        for name, value in fields:
            headers.add(name, value)
        sent: Future[None] = self._connection.write_headers(start, headers, chunk)
        return sent

    def _later(self, step: _Step) -> Future[None]:
        assert self._waiting is not None  # noqa: S101 - asked by each caller
        told: Future[None] = Future()
        told.add_done_callback(_heard)  # a client who went away is nobody's fault
        self._waiting.append((step, told))
        return told

    def _completed(self, fields: Headers) -> Headers:
        """Return the handler's headers with what the limits and a refusal have to say."""
        for decision in self.decisions:
            fields = limited(fields, decision)
        if self.refusal is not None:
            after = [field for field in self.refusal[1] if field[0] == "Retry-After"]
            fields = [field for field in fields if field[0].lower() != "retry-after"]
            fields = forbid_storing(fields) + after
        return fields


def _in_task(steps: Any) -> asyncio.Task[Any]:
    """Run `steps` to their end, though nobody may wait for it any more."""
    task = asyncio.get_running_loop().create_task(steps)
    _committing.add(task)
    task.add_done_callback(_committing.discard)
    return task


def _done() -> Future[None]:
    future: Future[None] = Future()
    future.set_result(None)
    return future


def _heard(future: Future[None]) -> None:
    if not future.cancelled():
        future.exception()
