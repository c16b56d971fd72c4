"""A stand-in for MongoDB: speaks `OP_MSG` in front of mongomock's filters and expressions.

Law: it does nothing a real server does not do, and refuses what a real one refuses (an `$expr` in
the query of an upsert). It says it is the primary of a replica set. One command runs at a time, in
memory; expired rows are never removed, as if the server were always late with it.

    python _mongod.py PORT
"""

import contextlib
import copy
import datetime as dt
import itertools
import socketserver
import struct
import sys
import threading
from collections.abc import Iterator
from typing import Any

import bson
import mongomock.aggregate
import mongomock.filtering
from bson.int64 import Int64

Document = dict[str, Any]
_Parser: Any = mongomock.aggregate._Parser  # mongomock has no types
_filtering: Any = mongomock.filtering
_HEADER = struct.Struct("<iiii")
_OP_MSG, _OP_QUERY, _OP_REPLY, _MORE_TO_COME = 2013, 2004, 1, 2
_MOST = 16 * 1024 * 1024  # bytes of one reply's documents
_SECTION_OF = {"update": "updates", "delete": "deletes", "insert": "documents"}

_one_at_a_time = threading.Lock()
_collections: dict[str, dict[str, Document]] = {}
_indexes: dict[str, list[Document]] = {}
_cursors: dict[int, list[Document]] = {}
_numbers = itertools.count(1)
_fail: Document = {}
_seen: dict[str, int] = {}
_connections: set[object] = set()


class Refused(Exception):  # noqa: N818 - what it is, not what we think of it
    """The server says no."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.reply = {"ok": 0.0, "code": code, "errmsg": message}
        if code == 11000:
            self.reply["codeName"] = "DuplicateKey"


class HangUp(Exception):  # noqa: N818 - the same
    """The server closes the connection without a word."""


class Expressions(_Parser):  # type: ignore[misc]  # it is Any
    """mongomock's expressions, and sums of dates and milliseconds."""

    def _handle_arithmetic_operator(self, operator: str, values: Any) -> Any:
        if operator == "$add":
            first, second = self.parse_many(values)
            if isinstance(first, dt.datetime):
                return first + dt.timedelta(milliseconds=int(second))
        return super()._handle_arithmetic_operator(operator, values)


def evaluate(expression: Any, document: Document, ignore_missing_keys: bool = True) -> Any:  # noqa: FBT002 - mongomock calls it so
    """Return the value of an expression; KeyError where it is missing."""
    names = {"NOW": _now[0]}
    parser: Any = Expressions(document, user_vars=names, ignore_missing_keys=ignore_missing_keys)
    return parser.parse(expression)


_now = [dt.datetime(1, 1, 1)]  # noqa: DTZ001 - one time for all of a command, naive as bson's
_filtering.register_parse_expression(evaluate)


def matching(rows: dict[str, Document], query: Document) -> Iterator[Document]:
    wanted = query.get("_id")
    if isinstance(wanted, str):
        found = [rows[wanted]] if wanted in rows else []
    elif isinstance(wanted, dict) and "$in" in wanted:
        found = [rows[key] for key in wanted["$in"] if key in rows]
    else:
        found = list(rows.values())
    return (row for row in found if _filtering.filter_applies(query, row))


def changed(row: Document, update: Any) -> Document:
    """Return `row` after an update: a pipeline of $set and $unset, or operators."""
    row = copy.deepcopy(row)
    if not isinstance(update, list):
        for operator, fields in update.items():
            for name, value in fields.items():
                row[name] = operated(operator, row, name, value)
        return row
    for stage in update:
        ((operator, fields),) = stage.items()
        if operator == "$unset":
            row.pop(fields, None)
        elif operator == "$set":
            values = {}
            for name, expression in fields.items():
                with contextlib.suppress(KeyError):  # a missing value takes the field away
                    values[name] = evaluate(expression, row)
            row = {name: value for name, value in row.items() if name not in fields} | values
        else:
            raise Refused(9, f"Unrecognized pipeline stage name: {operator}")
    return row


def operated(operator: str, row: Document, name: str, value: Any) -> Any:
    """Return what becomes of one field."""
    if operator == "$set":
        return value
    if operator == "$inc":
        total = row.get(name, 0) + value
        if not -(1 << 63) <= total < 1 << 63:
            raise Refused(2, f"Failed to apply $inc operations to current value ({name})")
        return Int64(total)
    if operator == "$push":
        return [*row.get(name, []), value]
    if operator == "$pull":
        return [item for item in row.get(name, []) if item != value]
    raise Refused(9, f"Unknown modifier: {operator}")


def write(rows: dict[str, Document], query: Document, update: Any, *, upsert: bool) -> Any:
    """Update one row; return it as it was and as it is, None where there was or is none."""
    if upsert and "$expr" in query:
        raise Refused(224, "$expr is not allowed in the query predicate for an upsert")
    before = next(matching(rows, query), None)
    if before is None and not upsert:
        return None, None
    if before is None and query["_id"] in rows:
        raise Refused(11000, f"E11000 duplicate key error: {query['_id']!r}")
    after = changed(before or begun(query), update)
    if len(bson.encode(after)) > _MOST:
        raise Refused(17419, "Resulting document after update is larger than 16777216")
    rows[after["_id"]] = after
    return before, after


def begun(query: Document) -> Document:
    """Return what an upsert begins with: the fields its query names by their very values."""
    return {
        name: value
        for name, value in query.items()
        if name[0] != "$" and not (isinstance(value, dict) and next(iter(value), " ")[0] == "$")
    }


def projected(row: Document | None, fields: Document) -> Document | None:
    if row is None:
        return None
    shown = {"_id": row["_id"]} if fields.get("_id", 1) else {}
    for name, how in fields.items():
        if isinstance(how, dict):
            shown[name] = evaluate(how, row)
        elif how and name in row:
            shown[name] = row[name]
    return shown


def cursor(rows: list[Document], size: int, name: str, batch: str) -> Document:
    taken, room = 0, _MOST
    for row in rows[:size]:
        room -= len(bson.encode(row))
        if room < 0 and taken:
            break
        taken += 1
    number = next(_numbers) if taken < len(rows) else 0
    if number:
        _cursors[number] = rows[taken:]
    return {"cursor": {batch: rows[:taken], "id": Int64(number), "ns": name}}


class Commands:
    """One method for each command; the first argument is its own value."""

    def __init__(self, command: Document) -> None:
        self.command = command
        self.place = f"{command['$db']}.{next(iter(command.values()))}"
        self.rows = _collections.setdefault(self.place, {})

    def find(self) -> Document:
        command = self.command
        found = list(matching(self.rows, command.get("filter", {})))
        if "sort" in command:
            found.sort(key=lambda row: row["_id"])
        found = found[: command.get("limit") or len(found)]
        fields = command.get("projection")
        shown = [projected(row, fields) or {} for row in found] if fields else found
        reply = cursor(shown, command.get("batchSize", 101), self.place, "firstBatch")
        if command.get("singleBatch"):
            reply["cursor"]["id"] = Int64(0)
        return reply

    def getmore(self) -> Document:
        number = self.command["getMore"]
        if number not in _cursors:
            raise Refused(43, f"cursor id {number} not found")
        return cursor(_cursors.pop(number), 101, self.place, "nextBatch")

    def killcursors(self) -> Document:
        gone = [number for number in self.command["cursors"] if _cursors.pop(number, None)]
        return {"cursorsKilled": gone}

    def update(self) -> Document:
        count, errors, upserted = 0, [], []
        for index, one in enumerate(self.command["updates"]):
            try:
                was, now = write(self.rows, one["q"], one["u"], upsert=one.get("upsert", False))
            except Refused as refused:
                errors.append({"index": index, **refused.reply})
                continue
            count += now is not None
            if now is not None and was is None:
                upserted.append({"index": index, "_id": now["_id"]})
        reply: Document = {"n": count, "nModified": count - len(upserted)}
        return reply | {k: v for k, v in (("upserted", upserted), ("writeErrors", errors)) if v}

    def delete(self) -> Document:
        count = 0
        for one in self.command["deletes"]:
            found = list(matching(self.rows, one["q"]))
            for row in found[: one["limit"] or len(found)]:
                del self.rows[row["_id"]]
                count += 1
        return {"n": count}

    def findandmodify(self) -> Document:
        command, fields = self.command, self.command.get("fields", {})
        if command.get("remove"):
            gone = next(matching(self.rows, command["query"]), None)
            shown = projected(gone, fields) if fields else gone
            if gone is not None:
                del self.rows[gone["_id"]]
            return {"lastErrorObject": {"n": int(gone is not None)}, "value": shown}
        upsert = command.get("upsert", False)
        was, now = write(self.rows, command["query"], command["update"], upsert=upsert)
        told: Document = {"n": int(now is not None), "updatedExisting": was is not None}
        if was is None and now is not None:
            told["upserted"] = now["_id"]
        return {
            "lastErrorObject": told,
            "value": projected(now if command.get("new") else was, fields),
        }

    def dropdatabase(self) -> Document:
        for place in [
            place for place in _collections if place.startswith(f"{self.command['$db']}.")
        ]:
            _collections[place].clear()
        return {}

    def createindexes(self) -> Document:
        known = _indexes.setdefault(self.place, [])
        for index in self.command["indexes"]:
            same = [old for old in known if old["name"] == index["name"]]
            if same and same != [index]:
                raise Refused(85, f"An existing index has the same name: {index['name']}")
            known.extend([] if same else [index])
        return {"numIndexesAfter": len(known) + 1}

    def listindexes(self) -> Document:
        return cursor(_indexes.get(self.place, []), 101, self.place, "firstBatch")

    def serverstatus(self) -> Document:
        return {"connections": {"current": len(_connections)}, "metrics": {"commands": _seen}}

    def configurefailpoint(self) -> Document:
        _fail.clear()
        if self.command["mode"] != "off":
            _fail.update(self.command["data"], times=self.command["mode"]["times"])
        return {}

    def ping(self) -> Document:
        return {}

    def unknown(self) -> Document:
        raise Refused(59, f"no such command: '{next(iter(self.command))}'")

    endsessions = ping


def hello(port: int) -> Document:
    me = f"127.0.0.1:{port}"
    return {
        "ismaster": True,
        "isWritablePrimary": True,
        "setName": "rs0",
        "setVersion": 1,
        "hosts": [me],
        "me": me,
        "primary": me,
        "minWireVersion": 0,
        "maxWireVersion": 21,  # of MongoDB 7.0
        "maxBsonObjectSize": _MOST,
        "maxMessageSizeBytes": 48_000_000,
        "maxWriteBatchSize": 100_000,
        "logicalSessionTimeoutMinutes": 30,
        "localTime": dt.datetime.now(dt.UTC),
        "ok": 1.0,
    }


def failing(name: str) -> Document:
    """Do what a failpoint says for this command: hang up, refuse, or add to its reply."""
    if _fail.get("times", 0) <= 0 or name not in map(str.lower, _fail["failCommands"]):
        return {}
    _fail["times"] -= 1
    if _fail.get("closeConnection"):
        raise HangUp
    if "errorCode" in _fail:
        raise Refused(_fail["errorCode"], "Failing command via 'failCommand' failpoint")
    return {name: _fail[name] for name in ("writeConcernError",) if name in _fail}


def answer(command: Document, port: int) -> Document:
    """Return the reply to one command."""
    word = next(iter(command))
    name = word.lower()
    if name in ("hello", "ismaster"):
        return hello(port)
    if name == "buildinfo":
        return {"version": "7.0.0", "versionArray": [7, 0, 0, 0], "ok": 1.0}
    with _one_at_a_time:
        _seen[name] = _seen.get(name, 0) + 1
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        _now[0] = now.replace(microsecond=now.microsecond // 1000 * 1000)
        try:
            more = failing(name)
            todo = Commands(command)
            return {**getattr(todo, name, todo.unknown)(), **more, "ok": 1.0}
        except Refused as refused:
            return refused.reply


class Connection(socketserver.BaseRequestHandler):
    """One client: messages in, replies out."""

    def handle(self) -> None:
        _connections.add(self)
        with contextlib.suppress(OSError, EOFError, HangUp):
            while True:
                self.request.sendall(self.reply_to(*self.message()))
        _connections.discard(self)

    def message(self) -> tuple[int, int, bytes]:
        size, number, _, code = _HEADER.unpack(self.exactly(16))
        return number, code, self.exactly(size - 16)

    def exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = self.request.recv(min(size - len(data), 1 << 20))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def reply_to(self, number: int, code: int, body: bytes) -> bytes:
        port = self.server.server_address[1]  # type: ignore[index] # an address is (host, port)
        if code == _OP_QUERY:  # the first words of a driver, before it knows the server
            document = bson.encode(hello(int(port)))
            start = struct.pack("<iqii", 8, 0, 0, 1)
            size = 16 + len(start) + len(document)
            return _HEADER.pack(size, 0, number, _OP_REPLY) + start + document
        flags, command = read(body)
        document = bson.encode(answer(command, int(port)))
        if flags & _MORE_TO_COME:
            return b""
        head = _HEADER.pack(16 + 5 + len(document), 0, number, _OP_MSG)
        return head + struct.pack("<IB", 0, 0) + document


def read(body: bytes) -> tuple[int, Document]:
    """Return the flags and the command of an OP_MSG; its sequences join the command."""
    (flags,) = struct.unpack_from("<I", body)
    command: Document = {}
    spot = 4
    while spot < len(body) - (4 if flags & 1 else 0):
        kind, (size,) = body[spot], struct.unpack_from("<i", body, spot + 1)
        data = body[spot + 1 : spot + 1 + size]
        spot += 1 + size
        if kind == 0:
            command = {**bson.decode(data), **command}
        else:
            name, _, documents = data[4:].partition(b"\0")
            command[name.decode()] = bson.decode_all(documents)
    return flags, command


class Listener(socketserver.ThreadingTCPServer):
    """Takes connections on loopback."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    with Listener(("127.0.0.1", int(sys.argv[1])), Connection) as listener:
        listener.serve_forever()
