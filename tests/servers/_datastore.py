"""The program behind `servers.datastore`: PyPI `inmemory-datastore-stub`, over HTTP.

Law: what the stub lacks and the real service has is added here and nowhere else: transactions that
conflict by entity and end as ABORTED, a transaction that begins with its first lookup, queries over
a range of keys with cursors and pages, and namespaces.
"""

import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import grpc
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.datastore_v1 import types
from google.rpc import status_pb2
from inmemory_datastore_stub._in_memory_store import _InMemoryStore
from inmemory_datastore_stub.datastore_stub import LocalDatastoreStub

_PAGE = 300  # results of one answer: the real service decides by itself where a page ends
_OPERATORS: dict[Any, Callable[[bytes, bytes], bool]] = {
    types.PropertyFilter.Operator.GREATER_THAN: bytes.__gt__,
    types.PropertyFilter.Operator.GREATER_THAN_OR_EQUAL: bytes.__ge__,
    types.PropertyFilter.Operator.LESS_THAN: bytes.__lt__,
    types.PropertyFilter.Operator.LESS_THAN_OR_EQUAL: bytes.__le__,
}


class _Conflict(Exception):  # noqa: N818 - no error of ours: it becomes a status
    """Another transaction was first."""


class _Rows(_InMemoryStore):
    """Rows whose transactions conflict where they touched the same entity."""

    def __init__(self) -> None:
        super().__init__()
        self._begun: dict[bytes, tuple[dict[str, Any], set[str]]] = {}

    def begin(self) -> bytes:
        self._seqid += 1
        name = b"transaction-%d" % self._seqid
        self._begun[name] = (dict(self._store), set())
        return name

    def get(self, key: Any, transaction_id: bytes | None) -> Any:
        name = types.Key.serialize(key)
        if not transaction_id:
            return self._store.get(name)
        seen, read = self._begun[transaction_id]
        read.add(name)
        return seen.get(name)

    def commitTransaction(  # noqa: N802 - the stub's name
        self, transaction_id: bytes, final_mutations: Any
    ) -> list[Any]:
        seen, read = self._begun.pop(transaction_id) if transaction_id else ({}, set())
        if any(seen.get(name) is not self._store.get(name) for name in read):
            raise _Conflict
        return [self._applyMutation(mutation) for mutation in final_mutations]

    def rollbackTransaction(self, transaction_id: bytes) -> None:  # noqa: N802 - the same
        del self._begun[transaction_id]


class _Stub(LocalDatastoreStub):
    """The stub, with what the law above names."""

    def __init__(self) -> None:
        super().__init__()
        self.store: _Rows = _Rows()

    def _begin_transaction(self, request: Any, *_: Any, **__: Any) -> Any:
        del request
        return types.BeginTransactionResponse(transaction=self.store.begin())

    def _lookup(self, request: Any, *_: Any, **__: Any) -> Any:
        begun = b""
        if "new_transaction" in request.read_options:
            begun = self.store.begin()
            request.read_options.transaction = begun
        answer = super()._lookup(request)
        answer.transaction = begun
        return answer

    def _run_query(self, request: Any, *_: Any, **__: Any) -> Any:
        query = request.query
        found = []
        for stored in self.store._store.values():
            key = stored.entity.key
            here = key.partition_id.namespace_id == request.partition_id.namespace_id
            name = key.path[-1].name.encode()
            if here and key.path[-1].kind == query.kind[0].name and _fits(query.filter, name):
                found.append((name, stored.entity))
        start = query.start_cursor
        rest = sorted((row for row in found if row[0] > start), key=lambda row: row[0])
        page = rest[:_PAGE]
        more = types.QueryResultBatch.MoreResultsType
        return types.RunQueryResponse(
            batch=types.QueryResultBatch(
                entity_result_type=types.EntityResult.ResultType.FULL,
                entity_results=[types.EntityResult(entity=entity) for _, entity in page],
                end_cursor=page[-1][0] if page else start,
                more_results=more.NOT_FINISHED if len(rest) > _PAGE else more.NO_MORE_RESULTS,
            )
        )


def _fits(query_filter: Any, name: bytes) -> bool:
    if "composite_filter" in query_filter:
        return all(_fits(part, name) for part in query_filter.composite_filter.filters)
    if "property_filter" not in query_filter:
        return True
    one = query_filter.property_filter
    assert one.property.name == "__key__", "nothing else is indexed"
    return _OPERATORS[one.op](name, one.value.key_value.path[-1].name.encode())


class _Answers(BaseHTTPRequestHandler):
    """Answers requests in protocol buffers, one at a time."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    stub = _Stub()
    lock = threading.Lock()
    methods: ClassVar[dict[str, Any]] = {
        "lookup": (stub.lookup, types.LookupRequest, types.LookupResponse),
        "commit": (stub.commit, types.CommitRequest, types.CommitResponse),
        "runQuery": (stub.run_query, types.RunQueryRequest, types.RunQueryResponse),
        "rollback": (stub.rollback, types.RollbackRequest, types.RollbackResponse),
        "beginTransaction": (
            stub.begin_transaction,
            types.BeginTransactionRequest,
            types.BeginTransactionResponse,
        ),
    }

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        work, asks, answers = self.methods[self.path.rpartition(":")[2]]
        try:
            with self.lock:
                self._send(200, answers.serialize(work(asks.deserialize(body))))
        except _Conflict:
            self._refuse(409, grpc.StatusCode.ABORTED, "another transaction was first")
        except GoogleAPICallError as error:
            self._refuse(error.code or 500, error.grpc_status_code, error.message)

    def _refuse(self, status: int, code: Any, message: str) -> None:
        said: Any = status_pb2.Status(code=code.value[0], message=message)
        self._send(status, said.SerializeToString())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


if __name__ == "__main__":
    _Server(("127.0.0.1", int(sys.argv[1])), _Answers).serve_forever()
