"""The DynamoDB store: one item for each key, in one table.

Law: reads are consistent, `swap` is one conditional write, sent once. DynamoDB tells no time and
removes what is expired days later, so every operation compares the expiry with our clock.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from holdfast.bridge import BlockingStore, Offload
from holdfast.clock import Clock, wall
from holdfast.errors import ConfigError, StoreTimeout, StoreUnavailable
from holdfast.keys import check
from holdfast.lifetimes import own_threads
from holdfast.store.abilities import left
from holdfast.store.address import Address, Options
from holdfast.store.dynamodb import words
from holdfast.store.dynamodb.tables import Settings, Table
from holdfast.store.protocol import AsyncStore, as_bytes

__all__ = ["DynamodbStore", "open_client", "open_url"]

_TABLE = re.compile(r"[A-Za-z0-9_.\-]{3,255}")
_TRIES = 100  # how often others may come between the steps of one increment
_READS, _WRITES = 100, 25  # items in one call


class DynamodbStore(BlockingStore):
    """Keeps bytes in a table of DynamoDB; its async face works in threads of its own.

    Args:
        table: The table's name.
        settings: How to reach it.
        timeout: Seconds one call may take.
        create: Make the table where there is none.
        clock: UTC seconds; every host that shares the table must agree on it.
    """

    def __init__(
        self,
        table: str,
        settings: Settings,
        *,
        timeout: float = 1.0,
        create: bool = False,
        clock: Clock = wall,
    ) -> None:
        super().__init__(f"dynamodb://{table}")
        self._table = Table(self.name, table, settings, timeout=timeout, create=create)
        self._threads = own_threads(self.name, timeout)
        self._clock = clock

    def _async_face(self) -> AsyncStore:
        return Offload(self, self._threads.here)

    def get(self, key: str) -> bytes | None:
        row = self._row(check(key))
        return None if row is None else words.as_value(row, self.name)

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        rows = self._rows(keys, "#k, #v, #u")
        return {row["key"]["S"]: words.as_value(row, self.name) for row in rows}

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        if ttl is not None and ttl <= 0:
            self.delete(key)
            return
        self._table.read("put_item", Item=self._item(check(key), {"B": as_bytes(value)}, ttl))

    def put_many(self, items: Mapping[str, bytes], ttl: float | None = None) -> None:
        if ttl is not None and ttl <= 0:
            self.delete_many(list(items))
            return
        rows = [self._item(check(k), {"B": as_bytes(v)}, ttl) for k, v in items.items()]
        self._write([{"PutRequest": {"Item": row}} for row in rows])

    def delete(self, key: str) -> bool:
        return self._delete_if(check(key), words.LIVE, {})

    def delete_many(self, keys: Sequence[str]) -> int:
        there = [words.key_of(row["key"]["S"]) for row in self._rows(keys, "#k, #u")]
        self._write([{"DeleteRequest": {"Key": key}} for key in there])
        return len(there)

    def swap(
        self, key: str, old: bytes | None, new: bytes | None, ttl: float | None = None
    ) -> bool:
        check(key)
        removes = new is None or (ttl is not None and ttl <= 0)
        if old is None and removes:
            return self._row(key) is None
        condition, values = (words.ABSENT, {}) if old is None else words.holding(old)
        if new is None or removes:
            return self._delete_if(key, condition, values)
        return self._put_if(key, {"B": as_bytes(new)}, ttl, condition, values)

    def increment(self, key: str, by: int = 1, ttl: float | None = None) -> int:
        """See `CanIncrement`."""
        check(key)
        for _ in range(_TRIES):
            total = self._add(key, by)
            if total is None:
                total = self._begin(key, by, ttl)
            if total is not None:
                return total
        raise StoreTimeout(self.name, f"others came between {_TRIES} times; nothing was done")

    def scan(self, prefix: str = "") -> Iterator[str]:
        """See `CanScan`; reads the whole table."""
        live = words.LIVE + (" AND begins_with(#k, :prefix)" if prefix else "")
        start: words.Words = {}
        while True:
            values = {":now": words.number(self._clock())}
            values |= {":prefix": {"S": prefix}} if prefix else {}
            said = words.said(values, FilterExpression=live, ProjectionExpression="#k")
            page = self._table.read("scan", ConsistentRead=True, **said, **start)
            yield from (row["key"]["S"] for row in page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def remaining(self, keys: Sequence[str]) -> dict[str, float | None]:
        """See `CanTellTtl`."""
        rows = self._rows(keys, "#k, #u")
        return left(((row["key"]["S"], words.end_of(row)) for row in rows), self._clock())

    def ping(self) -> None:
        self._row("ping")

    def close(self) -> None:
        self._table.close()
        self._threads.close()

    def _item(self, key: str, value: words.Words, ttl: float | None) -> words.Words:
        until = None if ttl is None else self._clock() + ttl
        return words.item(key, value, until, self.name)

    def _row(self, key: str) -> words.Words | None:
        reply = self._table.read("get_item", Key=words.key_of(key), ConsistentRead=True)
        row: words.Words | None = reply.get("Item")
        return row if row is not None and words.is_live(row, self._clock()) else None

    def _rows(self, keys: Sequence[str], wanted: str) -> list[words.Words]:
        """Return the live items among `keys`, with the attributes `wanted`."""
        live: list[words.Words] = []
        each = dict.fromkeys(check(key) for key in keys)
        for chunk in words.chunks(each, _READS):
            said = words.said({}, ProjectionExpression=wanted)
            asked = {"Keys": [words.key_of(key) for key in chunk], "ConsistentRead": True, **said}
            for reply in self._table.batch("batch_get_item", asked, "UnprocessedKeys"):
                found = self._table.found(reply)
                live += (row for row in found if words.is_live(row, self._clock()))
        return live

    def _write(self, requests: list[words.Words]) -> None:
        for chunk in words.chunks(requests, _WRITES):
            self._table.batch("batch_write_item", chunk, "UnprocessedItems")

    def _put_if(
        self, key: str, value: words.Words, ttl: float | None, condition: str, values: words.Words
    ) -> bool:
        said = self._if(condition, values)
        return self._table.change("put_item", Item=self._item(key, value, ttl), **said) is not None

    def _delete_if(self, key: str, condition: str, values: words.Words) -> bool:
        said = self._if(condition, values)
        return self._table.change("delete_item", Key=words.key_of(key), **said) is not None

    def _if(self, condition: str, values: words.Words) -> words.Words:
        now = {":now": words.number(self._clock())}
        return words.said(now | values, ConditionExpression=condition)

    def _add(self, key: str, by: int) -> int | None:
        """Add to a live counter; return None where there is none."""
        values = {":by": words.number(by), ":type": {"S": "N"}}
        return self._update(key, "ADD #v :by", words.COUNTS, values)

    def _begin(self, key: str, by: int, ttl: float | None) -> int | None:
        """Make a counter of what is there, or of nothing; return None where others were quicker."""
        value = self.get(key)
        if value is None:
            if ttl is not None and ttl <= 0:
                return by
            made = self._put_if(key, words.number(by), ttl, words.ABSENT, {})
            return by if made else None
        try:
            total = int(value) + by
        except ValueError as error:
            raise StoreUnavailable(self.name, f"{key!r} holds no integer") from error
        condition, values = words.holding(value)
        values |= {":total": words.number(total)}
        return self._update(key, "SET #v = :total", condition, values)

    def _update(self, key: str, update: str, condition: str, values: words.Words) -> int | None:
        """Change a value and nothing else of its item; return what it is now."""
        now = {":now": words.number(self._clock())}
        said = words.said(now | values, UpdateExpression=update, ConditionExpression=condition)
        where = {"Key": words.key_of(key), "ReturnValues": "ALL_NEW"}
        reply = self._table.change("update_item", **where, **said)
        return None if reply is None else int(words.as_value(reply["Attributes"], self.name))


def open_url(address: Address) -> DynamodbStore:
    """Open `dynamodb://table?region=eu-west-1`."""
    options = address.options
    options.allow("create", "endpoint", "region")
    if address.user or address.password:
        raise ConfigError(
            "dynamodb:// takes no keys: set AWS_ACCESS_KEY_ID and its secret, a profile or a role"
        )
    if address.path.strip("/"):
        raise ConfigError("dynamodb:// has a table and no path: write dynamodb://table")
    settings = Settings(options.text("region"), _endpoint(options.text("endpoint")))
    return _open(address.netloc, settings, options)


def open_client(client: Any, options: Options) -> DynamodbStore:
    """Open a boto3 `Table`, or a client of DynamoDB with `table=`.

    The store makes a client of its own like it, because that one repeats what must be sent once.
    """
    options.allow("create", "table")
    name = getattr(client, "table_name", "") or options.text("table")
    low = client if hasattr(client, "get_item") and not hasattr(client, "table_name") else None
    low = low or getattr(getattr(client, "meta", None), "client", None)
    if low is None or low.meta.service_model.service_name != "dynamodb":
        raise ConfigError(f"{options.where}: give a Table or a client of DynamoDB")
    credentials = low._get_credentials()  # noqa: SLF001 - there is no other way to the same ones
    settings = Settings(low.meta.region_name, low.meta.endpoint_url, low.meta.config, credentials)
    return _open(name, settings, options)


def _endpoint(endpoint: str) -> str:
    if endpoint and re.fullmatch(r"https?://[^@\s]+", endpoint) is None:
        raise ConfigError("endpoint: write a URL without user, such as http://localhost:8000")
    return endpoint


def _open(table: str, settings: Settings, options: Options) -> DynamodbStore:
    if _TABLE.fullmatch(table) is None:
        raise ConfigError(
            "dynamodb:// needs a table: 3 to 255 letters, digits, '_', '-' or '.', as in"
            " dynamodb://holdfast; with a ready client write table='holdfast'"
        )
    return DynamodbStore(table, settings, timeout=options.timeout(), create=options.flag("create"))
