"""Links: the calls of one operation, within its time.

Law: what was surely not done is repeated until the time is over: reads, plain writes, and
transactions that lost against another. A commit of a transaction is sent once.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from google.api_core import exceptions as api
from google.cloud.datastore_v1 import types

from holdfast.errors import StoreTimeout
from holdfast.lifetimes import PerProcess
from holdfast.store.datastore.rows import Place, Row
from holdfast.store.datastore.wire import Login, NotSent, Wire, datastore_errors

__all__ = ["Link", "Links"]

T = TypeVar("T")
Commit = Callable[[list[types.Mutation]], None]
_FIRST_PAUSE = 0.01  # seconds at most before the second attempt; twice as much before each further
_PAST_TILDE = "\x7f"  # sorts after every character a key may have
_MORE = types.QueryResultBatch.MoreResultsType.NOT_FINISHED


class Links:
    """The links of a store: one `Wire` for each process.

    Args:
        place: Where the rows are.
        login: Whom to speak to, and as whom.
        timeout: Seconds for one operation.
    """

    def __init__(self, place: Place, login: Login, timeout: float) -> None:
        self._place = place
        self._timeout = timeout
        self._closed = False
        self._wires = PerProcess(place.name, lambda: Wire(place, login), Wire.close)

    def repeat(self, work: Callable[["Link"], T]) -> T:
        """Return what `work` returns; begin anew after what was surely not done, while time is.

        Raises:
            StoreTimeout: The time was over.
            StoreUnavailable: The service refused, or cannot be reached.
        """
        until, pause = time.monotonic() + self._timeout, _FIRST_PAUSE
        before: api.GoogleAPICallError | None = None
        with datastore_errors(self._place.name):
            while True:
                wire = self._wires.here()
                try:
                    return work(Link(wire, self._place, until))
                except NotSent as late:
                    raise before or late from None  # why no time was left, where that is known
                except (api.Aborted, api.ServiceUnavailable) as error:
                    before = error
                    wait = random.uniform(pause / 2, pause)  # noqa: S311 - no secret
                    if time.monotonic() + wait > until:
                        raise
                finally:
                    if self._closed:  # meanwhile: the call may have opened a connection since
                        wire.close()
                time.sleep(wait)
                pause *= 2

    def close(self) -> None:
        """Close for good."""
        self._closed = True
        self._wires.close()


class Link:
    """The calls of one operation.

    Args:
        wire: The connections.
        place: Where the rows are.
        until: When the time is over, of `time.monotonic`.
    """

    def __init__(self, wire: Wire, place: Place, until: float) -> None:
        self._wire = wire
        self._place = place
        self._until = until
        self._where = {"project_id": place.project, "database_id": place.database}

    def lookup(self, keys: list[str]) -> dict[str, Row]:
        """Return the rows that are there, expired ones too."""
        return self._lookup(keys, types.ReadOptions())[0]

    def commit(self, writes: list[types.Mutation]) -> None:
        """Write, without a transaction; doing it twice does no harm."""
        mode = types.CommitRequest.Mode.NON_TRANSACTIONAL
        request = types.CommitRequest(**self._where, mode=mode, mutations=writes)
        self._ask("commit", request)

    @contextlib.contextmanager
    def transaction(self, keys: list[str]) -> Iterator[tuple[dict[str, Row], Commit]]:
        """Begin a transaction by reading `keys`; give the rows and what commits it.

        Without a commit it is rolled back at the end, so that its locks hold up nobody.
        """
        begins = types.ReadOptions(new_transaction={"read_write": {}})
        rows, transaction = self._lookup(keys, begins)
        open_ones = [transaction]

        def commit(writes: list[types.Mutation]) -> None:
            open_ones.clear()
            self._commit_once(transaction, writes)

        try:
            yield rows, commit
        finally:
            for one in open_ones:
                request = types.RollbackRequest(**self._where, transaction=one)
                with contextlib.suppress(api.GoogleAPICallError):  # it ends by itself in a minute
                    self._ask("rollback", request)

    def page(self, prefix: str, cursor: bytes) -> tuple[dict[str, Row], bytes | None]:
        """Return some rows whose keys begin with `prefix`, and the cursor of the next ones."""
        query = types.Query(kind=[{"name": self._place.kind}], start_cursor=cursor)
        if prefix:
            operator = types.PropertyFilter.Operator
            last = self._place.named(prefix + _PAST_TILDE)
            bounds = [
                _bound(operator.GREATER_THAN_OR_EQUAL, self._place.first(prefix)),
                _bound(operator.LESS_THAN, last),
            ]
            both = types.CompositeFilter(op=types.CompositeFilter.Operator.AND, filters=bounds)
            query.filter = types.Filter(composite_filter=both)
        request = types.RunQueryRequest(
            **self._where, partition_id=self._place.partition, query=query
        )
        batch = self._ask("runQuery", request).batch
        rows = dict(self._place.read(result.entity) for result in batch.entity_results)
        return rows, batch.end_cursor if batch.more_results == _MORE else None

    def _lookup(self, keys: list[str], options: types.ReadOptions) -> tuple[dict[str, Row], bytes]:
        rows: dict[str, Row] = {}
        transaction = b""
        names = [self._place.key(key) for key in keys]
        while names:  # the service may put off some of them
            request = types.LookupRequest(**self._where, keys=names, read_options=options)
            answer = self._ask("lookup", request)
            rows.update(self._place.read(result.entity) for result in answer.found)
            if answer.transaction:
                transaction = answer.transaction
                options = types.ReadOptions(transaction=transaction)
            names = list(answer.deferred)
        return rows, transaction

    def _commit_once(self, transaction: bytes, writes: list[types.Mutation]) -> None:
        """Commit a transaction; an error after which it may have been done is a `StoreTimeout`."""
        request = types.CommitRequest(
            **self._where,
            mode=types.CommitRequest.Mode.TRANSACTIONAL,
            transaction=transaction,
            mutations=writes,
        )
        try:
            self._ask("commit", request)
        except (api.ServerError, api.Cancelled) as error:
            raise StoreTimeout(
                self._place.name, "no answer to a commit: whether it was done is unknown"
            ) from error

    def _ask(self, method: str, request: Any) -> Any:
        return self._wire.ask(method, request, self._until)


def _bound(operator: Any, key: types.Key) -> types.Filter:
    one = types.PropertyFilter(
        property={"name": "__key__"}, op=operator, value=types.Value(key_value=key)
    )
    return types.Filter(property_filter=one)
